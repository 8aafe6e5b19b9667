"""A fake of CEAP-360VR: questionnaires, continuous ratings and signals as JSON."""

import json
from pathlib import Path
from typing import Any

from tests.datasets.fakes.sensors import eda, level_of, temperature, truth_of
from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

RATE_HZ = 64.0
QUESTIONNAIRES = "2_QuestionnaireData/P{0}_Questionnaire_Data.json"
RATINGS = "3_AnnotationData/Frame/P{0}_Annotation_FrameData.json"
PHYSIOLOGY = "5_PhysioData/Raw/P{0}_Physio_RawData.json"


def write(folder: str | Path, *, seconds: int = 12) -> Path:
    """Write two people with two videos."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    sensors: dict[str, dict[str, float]] = {}
    for person in (2, 10):
        questionnaires: list[Any] = []
        ratings: list[Any] = []
        signals: list[Any] = []
        for video in ("V1", "V2"):
            bpm = rate_of(len(truth))
            truth[f"ceap-360vr/{person}/1/{video}"] = {"bvp": bpm}
            questionnaires.append({"VideoID": video, "ValenceValue": person % 9, "ArousalValue": 7})
            samples = [
                {"TimeStamp": k / 25, "Valence": 5 + k / 100, "Arousal": 5 - k / 100}
                for k in range(25 * seconds)
            ]
            ratings.append({"VideoID": video, "TimeStamp_Valence_Arousal": samples})
            level = level_of(len(truth))
            sensors[f"ceap-360vr/{person}/1/{video}"] = truth_of(level, ("eda", "temp"))
            waves = {
                "BVP": (pulse(bpm, seconds, RATE_HZ), RATE_HZ),
                "HR": (pulse(DECOY_BPM, seconds, 1.0), 1.0),
                "SKT": (temperature(level, seconds, 4.0), 4.0),
                "EDA": (eda(level, seconds, 4.0), 4.0),
            }
            signals.append(
                {"VideoID": video}
                | {
                    f"{name}_RawData": [
                        {"TimeStamp": round(k / rate_hz, 4), name: round(float(v), 3)}
                        for k, v in enumerate(wave)
                    ]
                    for name, (wave, rate_hz) in waves.items()
                }
            )
        for name, top, inner, content in (
            (QUESTIONNAIRES, "QuestionnaireData", "Video_SAMRating_VideoTime_Data", questionnaires),
            (RATINGS, "ContinuousAnnotation_FrameData", "Video_Annotation_FrameData", ratings),
            (PHYSIOLOGY, "Physio_RawData", "Video_Physio_RawData", signals),
        ):
            path = folder / name.format(person)
            path.parent.mkdir(parents=True, exist_ok=True)
            document = {top: [{"ParticipantID": f"P{person}", inner: content}]}
            path.write_text(json.dumps(document), encoding="utf-8")
    return write_truth(folder, truth, sensors)
