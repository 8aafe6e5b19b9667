"""A fake of Emognition: a JSON file for each film, phase and device."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.datasets.fakes.shared import DECOY_BPM, pulse, rate_of, write_truth

BANDS = {"EMPATICA": ("BVP", 64.0), "SAMSUNG_WATCH": ("BVPProcessed", 20.0)}
EMOTIONS = (
    "AMUSEMENT",
    "ANGER",
    "AWE",
    "DISGUST",
    "ENTHUSIASM",
    "FEAR",
    "LIKING",
    "SADNESS",
    "SURPRISE",
)


def write(folder: str | Path, *, seconds: int = 12) -> Path:
    """Write two people with two films and washouts; the second person has no Empatica."""
    folder = Path(folder)
    truth: dict[str, dict[str, float]] = {}
    for person, band in ((22, "EMPATICA"), (48, "SAMSUNG_WATCH")):
        name, rate_hz = BANDS[band]
        place = folder / str(person)
        place.mkdir(parents=True)
        questionnaires = []
        for film in ("BASELINE", "FEAR"):
            bpm = rate_of(len(truth))
            truth[f"emognition/{person}/1/{film.lower()}"] = {"bvp": bpm}
            for phase, rate_bpm in (("STIMULUS", bpm), ("WASHOUT", DECOY_BPM)):
                content = {
                    name: _stamped(pulse(rate_bpm, seconds, rate_hz), rate_hz),
                    "TEMP": _stamped(pulse(DECOY_BPM, seconds, 4), 4),
                }
                path = place / f"{person}_{film}_{phase}_{band}.json"
                path.write_text(json.dumps(content), encoding="utf-8")
            questionnaires.append(
                {
                    "movie": film,
                    "emotions": {e: 1 + k % 5 for k, e in enumerate(EMOTIONS)},
                    "sam": {
                        "VALENCE": 9 - len(truth),
                        "AROUSAL": 1 + len(truth),
                        "MOTIVATION": 5,
                    },
                }
            )
        document = {"metadata": {"id": person}, "questionnaires": questionnaires}
        path = place / f"{person}_QUESTIONNAIRES.json"
        path.write_text(json.dumps(document), encoding="utf-8")
    return write_truth(folder, truth)


def _stamped(wave: np.ndarray, rate_hz: float) -> list[list[Any]]:
    """Return [time, value] of samples across midnight; times have a colon before the fraction."""
    begin = np.datetime64("2020-07-16T23:59:55.000000")
    stamps = begin + (np.arange(len(wave)) / rate_hz * 1e6).astype("timedelta64[us]")
    return [
        [str(s).replace(".", ":"), round(float(v), 3)] for s, v in zip(stamps, wave, strict=True)
    ]
