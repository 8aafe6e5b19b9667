"""Heads: from features and beat sequences to arousal, valence or classes of emotion.

The tables of heads load on first use: other modules of this folder need no scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "DUMMIES",
    "DUMMIES_REGRESSION",
    "HEADS",
    "HEADS_REGRESSION",
    "WITH_ENCODER",
    "heads_for",
    "own_classes",
    "unknown_head",
]

if TYPE_CHECKING:
    from emotion_rppg.emotion.heads import (
        DUMMIES,
        DUMMIES_REGRESSION,
        HEADS,
        HEADS_REGRESSION,
        WITH_ENCODER,
        heads_for,
        own_classes,
        unknown_head,
    )


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.heads"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
