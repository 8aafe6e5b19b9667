"""Emotion from the pulse a camera sees: video → waveform → beats and features → arousal, valence.

The public names load on first use, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emotion_rppg._version import __version__ as __version__

_HOME = {
    "Signal": "signals",
    "Beats": "signals",
    "Video": "recordings",
    "Recording": "recordings",
    "Windows": "windows",
    "Extraction": "extraction",
    "estimate": "pulse.estimate",
    "find_beats": "features.beats",
    "extract": "study",
    "extraction_of": "extraction",
    "fit": "study",
    "predict": "study",
    "load": "study",
    "evaluate": "evaluation",
    "Evaluation": "evaluation",
}
__all__ = [  # noqa: RUF022 — in the order of the data flow
    "Signal",
    "Beats",
    "Video",
    "Recording",
    "Windows",
    "Extraction",
    "estimate",
    "find_beats",
    "extract",
    "extraction_of",
    "fit",
    "predict",
    "evaluate",
    "Evaluation",
    "load",
]

if TYPE_CHECKING:
    from emotion_rppg.evaluation import Evaluation, evaluate
    from emotion_rppg.extraction import Extraction, extraction_of
    from emotion_rppg.features.beats import find_beats
    from emotion_rppg.pulse.estimate import estimate
    from emotion_rppg.recordings import Recording, Video
    from emotion_rppg.signals import Beats, Signal
    from emotion_rppg.study import extract, fit, load, predict
    from emotion_rppg.windows import Windows


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
