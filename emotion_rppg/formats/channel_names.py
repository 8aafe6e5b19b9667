"""Detect the kind of signal of a column or channel by its name."""

from __future__ import annotations

import re

from emotion_rppg.errors import InputError

# Kind of signal with beats -> how its channel names begin in files, in lower case.
NAME_PREFIXES = {
    "rppg": ("rppg",),
    "bvp": ("pleth", "plet", "ppg", "bvp", "pulse", "cardiac"),
    "ecg": ("ecg", "ekg"),
}
# Kind of signal without beats -> words with which its channel names begin. Any other kind is read
# from the column of its own name, with ``source``.
OTHER_NAMES = {
    "eda": ("eda", "gsr", "electrodermal", "skin conductance"),
    "resp": ("resp", "rsp", "respiration", "respiratory"),
    "temp": ("temp", "temperature", "skt", "skin temp", "skin temperature"),
    "acc": ("acc", "accel", "acceleration", "accelerometer"),
}
# names of ECG leads, which recorders write without "ECG"; compared in lower case
ECG_LEADS = frozenset(
    ("i", "ii", "iii", "avr", "avl", "avf", "v", "v1", "v2", "v3", "v4", "v5", "v6", "mli", "mlii")
)
# words in names of numbers derived from a pulse, which are not its wave
_TRENDS = ("rate", "pulse ox", "quality", "sqi", "amplitude", "ambient", "differentiated")


def kind_by_name(name: str) -> str | None:
    """Return the kind of a channel whose name begins with a usual word, None for any other."""
    lower = name.strip().lower()
    if any(word in lower for word in _TRENDS):
        return None
    with_beats = (kind for kind, words in NAME_PREFIXES.items() if lower.startswith(words))
    return next(with_beats, None) or _other_kind(lower) or ("ecg" if lower in ECG_LEADS else None)


def _other_kind(lower: str) -> str | None:
    """Return the kind of a name that begins with a complete word: not ``accuracy``."""
    spaced = re.sub(r"[^a-z]+", " ", lower) + " "
    for kind, words in OTHER_NAMES.items():
        if spaced.startswith(tuple(f"{word} " for word in words)):
            return kind
    return None


def kind_of_choice(name: str, kind: str | None, where: str) -> str:
    """Return the kind of a requested channel: ``kind`` if given, else detected from its name.

    Raises
    ------
    InputError
        No kind is given and the name contains no usual word.
    """
    if kind is not None:
        return kind
    for word in re.split(r"[^a-z0-9]+", name.lower()):
        detected = next((k for k, words in NAME_PREFIXES.items() if word.startswith(words)), None)
        if detected:
            return detected
    other = kind_by_name(name)
    if other:
        return other
    raise InputError(
        f"{where}: the name of the channel {name!r} does not show what it is: add "
        f"--source {', '.join(NAME_PREFIXES)} (source=… in Python), or rename it"
    )


def find_channel(name: str, names: list[str], where: str) -> str:
    """Return a channel's name as it is spelled in the file, ignoring case.

    Raises
    ------
    InputError
        No channel, or several, with that name; the message lists the available ones.
    """
    matches = [n for n in names if n.strip().lower() == name.strip().lower()]
    exact = [n for n in matches if n == name]
    if len(exact or matches) != 1:
        what = "no channel" if not matches else f"{len(matches)} channels"
        raise InputError(f"{where} has {what} {name!r}; it has: {', '.join(names[:40]) or 'none'}")
    return (exact or matches)[0]
