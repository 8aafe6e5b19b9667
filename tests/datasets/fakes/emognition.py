"""A fake of Emognition: a JSON file for each film, phase and device."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.datasets.fakes.sensors import MAKE, level_of, truth_of
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
    sensors: dict[str, dict[str, float]] = {}
    for person, band in ((22, "EMPATICA"), (48, "SAMSUNG_WATCH")):
        name, rate_hz = BANDS[band]
        place = folder / str(person)
        place.mkdir(parents=True)
        questionnaires = []
        for film in ("BASELINE", "FEAR"):
            bpm = rate_of(len(truth))
            truth[f"emognition/{person}/1/{film.lower()}"] = {"bvp": bpm}
            if band == "EMPATICA":
                sensors[f"emognition/{person}/1/{film.lower()}"] = truth_of(
                    level_of(len(truth)), ("eda", "temp", "acc")
                )
            for phase, rate_bpm in (("STIMULUS", bpm), ("WASHOUT", DECOY_BPM)):
                level = level_of(len(truth)) if phase == "STIMULUS" else 9.0
                content = {name: _stamped(pulse(rate_bpm, seconds, rate_hz), rate_hz)}
                for kind, hz in (("eda", 4), ("temp", 4), ("acc", 32)):
                    per_unit = 64.0 if kind == "acc" else 1.0
                    content[kind.upper()] = _stamped(per_unit * MAKE[kind](level, seconds, hz), hz)
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
    return write_truth(folder, truth, sensors)


def _stamped(wave: np.ndarray, rate_hz: float) -> list[list[Any]]:
    """Return [time, value] of samples across midnight; times have a colon before the fraction."""
    begin = np.datetime64("2020-07-16T23:59:55.000000")
    stamps = begin + (np.arange(len(wave)) / rate_hz * 1e6).astype("timedelta64[us]")
    return [
        [str(s).replace(".", ":"), *(round(float(x), 3) for x in np.atleast_1d(v))]
        for s, v in zip(stamps, wave, strict=True)
    ]
