"""Detect the kind of signal of a column or channel by its name."""

from __future__ import annotations

import re

from emotion_rppg.errors import InputError

# Kind of signal with beats to how its names begin in files, lower case. A kind that is not here is
# read from the column of its own name, by ``source``.
BEGINNINGS = {
    "rppg": ("rppg",),
    "bvp": ("pleth", "plet", "ppg", "bvp", "pulse", "cardiac"),
    "ecg": ("ecg", "ekg"),
}
_TRENDS = ("rate", "pulse ox", "quality", "sqi", "amplitude")  # of a pulse, no wave of it


def kind_by_name(name: str) -> str | None:
    """Return the kind of a channel whose name begins with a usual word, None for any other."""
    lower = name.strip().lower()
    if any(word in lower for word in _TRENDS):
        return None
    return next((kind for kind, words in BEGINNINGS.items() if lower.startswith(words)), None)


def kind_of_choice(name: str, kind: str | None, where: str) -> str:
    """Return the kind of a requested channel: as given, else by any word of its name.

    Raises
    ------
    InputError
        No kind is given and the name contains no usual word.
    """
    if kind is not None:
        return kind
    for word in re.split(r"[^a-z0-9]+", name.lower()):
        found = next((k for k, words in BEGINNINGS.items() if word.startswith(words)), None)
        if found:
            return found
    raise InputError(
        f"{where}: the name of the channel {name!r} does not tell what it is: add "
        f"--source {', '.join(BEGINNINGS)} (source=… in Python), or rename it"
    )


def chosen(name: str, names: list[str], where: str) -> str:
    """Find one of a file's channels by name, ignoring case."""
    alike = [n for n in names if n.strip().lower() == name.strip().lower()]
    exact = [n for n in alike if n == name]
    if len(exact or alike) != 1:
        what = "no channel" if not alike else f"{len(alike)} channels"
        raise InputError(f"{where} has {what} {name!r}; it has: {', '.join(names[:40]) or 'none'}")
    return (exact or alike)[0]
