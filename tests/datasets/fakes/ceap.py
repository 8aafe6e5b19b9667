"""A fake of CEAP-360VR: questionnaires, continuous ratings and signals as JSON."""

import json
from pathlib import Path
from typing import Any

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

RATE_HZ = 64.0
ASKED = "2_QuestionnaireData/P{0}_Questionnaire_Data.json"
RATED = "3_AnnotationData/Frame/P{0}_Annotation_FrameData.json"
FELT = "5_PhysioData/Raw/P{0}_Physio_RawData.json"


def write(folder: str | Path, *, seconds: int = 12) -> Path:
    """Two people, two videos, with a temperature that beats at a decoy's rate."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for person in (2, 10):
        asked: list[Any] = []
        rates: list[Any] = []
        felt: list[Any] = []
        for video in ("V1", "V2"):
            bpm = rate_of(len(truth))
            truth[f"ceap-360vr/{person}/1/{video}"] = {"bvp": bpm}
            asked.append({"VideoID": video, "ValenceValue": person % 9, "ArousalValue": 7})
            ups = [
                {"TimeStamp": k / 25, "Valence": 5 + k / 100, "Arousal": 5 - k / 100}
                for k in range(25 * seconds)
            ]
            rates.append({"VideoID": video, "TimeStamp_Valence_Arousal": ups})
            waves = {"BVP": (bpm, RATE_HZ), "SKT": (DECOY_BPM, 8.0), "EDA": (DECOY_BPM, 8.0)}
            felt.append(
                {"VideoID": video}
                | {
                    f"{name}_RawData": [
                        {"TimeStamp": round(k / rate, 4), name: round(float(v), 3)}
                        for k, v in enumerate(pulse(beat, seconds, rate))
                    ]
                    for name, (beat, rate) in waves.items()
                }
            )
        for name, top, inner, content in (
            (ASKED, "QuestionnaireData", "Video_SAMRating_VideoTime_Data", asked),
            (RATED, "ContinuousAnnotation_FrameData", "Video_Annotation_FrameData", rates),
            (FELT, "Physio_RawData", "Video_Physio_RawData", felt),
        ):
            path = folder / name.format(person)
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = {top: [{"ParticipantID": f"P{person}", inner: content}]}
            path.write_text(json.dumps(whole), encoding="utf-8")
    return write_truth(folder, truth)
