"""Predict arousal and valence from face video: pulse wave → beats → features → emotion.

Public names are imported on first use, so that ``import emotion_rppg`` takes almost no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_rppg._version import __version__ as __version__

_HOME = {
    "Signal": "signals",
    "Beats": "signals",
    "Video": "recordings",
    "Recording": "recordings",
    "Event": "recordings",
    "Windows": "windows",
    "Extraction": "extraction",
    "estimate": "pulse.estimate",
    "estimate_people": "pulse.people",
    "find_beats": "features.beats",
    "extract": "study",
    "extraction_of": "extraction",
    "fit": "study",
    "predict": "study",
    "load": "study",
    "evaluate": "evaluation",
    "Evaluation": "evaluation",
    "read_table": "runtime.tables",
}
__all__ = [  # noqa: RUF022 — in the order of the data flow
    "Signal",
    "Beats",
    "Video",
    "Recording",
    "Event",
    "Windows",
    "Extraction",
    "estimate",
    "estimate_people",
    "find_beats",
    "extract",
    "extraction_of",
    "fit",
    "predict",
    "evaluate",
    "Evaluation",
    "load",
    "read_table",
]

if TYPE_CHECKING:
    from emotion_rppg.evaluation import Evaluation, evaluate
    from emotion_rppg.extraction import Extraction, extraction_of
    from emotion_rppg.features.beats import find_beats
    from emotion_rppg.pulse.estimate import estimate
    from emotion_rppg.pulse.people import estimate_people
    from emotion_rppg.recordings import Event, Recording, Video
    from emotion_rppg.runtime.tables import read_table
    from emotion_rppg.signals import Beats, Signal
    from emotion_rppg.study import extract, fit, load, predict
    from emotion_rppg.windows import Windows


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))  # not what this module imports
    return sorted({*own, *__all__})
