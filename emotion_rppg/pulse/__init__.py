"""Stage one, from video to pulse: METHODS read colours, NETWORKS are trained on clips of faces."""

from pathlib import Path
from typing import Any, TypeVar, cast

from emotion_rppg.pulse import methods

T = TypeVar("T")
KIND = "pulse"  # of the model folders of this stage, as their config.json says
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
    """Name of a method in lower case, as all of them are; a folder or a function as it is."""
    if isinstance(method, str) and not Path(method).is_dir():
        return cast(T, method.lower())
    return method


def __getattr__(name: str) -> Any:
    # torch takes seconds to import and no classic method needs it
    if name == "NETWORKS":
        from emotion_rppg.pulse.networks import NETWORKS

        return NETWORKS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
