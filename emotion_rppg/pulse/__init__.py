"""Estimate the pulse wave from face video: METHODS take colours, NETWORKS take face crops."""

from pathlib import Path
from typing import Any, TypeVar, cast

from emotion_rppg.extraction import DEFAULT_METHOD
from emotion_rppg.pulse import methods

__all__ = ["DEFAULT_METHOD", "DONORS", "KIND", "METHODS", "NETWORKS", "canonical", "methods"]

T = TypeVar("T")
KIND = "pulse"  # "kind" in the config.json of a pulse network
DONORS = "donor-videos"  # in ``trained_on``: file names of videos without labels
METHODS = {
    "green": methods.green,
    "ica": methods.ica,
    "chrom": methods.chrom,
    "pos": methods.pos,
    "lgi": methods.lgi,
    "pbv": methods.pbv,
    "omit": methods.omit,
}


def canonical(method: T) -> T:
    """Convert the name of a method to lower case; return a folder or a function unchanged."""
    if isinstance(method, str) and not Path(method).is_dir():
        return cast(T, method.lower())
    return method


def __getattr__(name: str) -> Any:
    # importing torch takes seconds, and no classic method needs it
    if name == "NETWORKS":
        from emotion_rppg.pulse.networks import NETWORKS

        return NETWORKS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
