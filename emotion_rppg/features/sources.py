"""Sources of a feature table: the kinds of signal that its features come from, by the user's names.

The pulse is one source, whichever way it was measured: ``rppg``, ``bvp``, ``ecg``, ``rr``. The
other sources are the kinds in ``SENSORS`` (``eda``, ``resp``, ``temp``, ``acc``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError
from emotion_rppg.features import kinds_of_columns
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.trust import kind_trusted

if TYPE_CHECKING:
    import pandas as pd

_ALIASES = {"ppg": "bvp"}


def sources_in(table: pd.DataFrame) -> dict[str, str]:
    """Map the name of each source that a table has feature columns of to its kind of signal.

    The pulse has the name in the table's column ``source``, or ``"pulse"`` where rows differ.
    """
    kinds: dict[str, None] = {}
    for name in map(str, table.columns):
        own = kinds_of_columns([name])
        if len(own) == 1:  # a column of two signals (RSA) makes neither of them available
            kinds |= dict.fromkeys(own)
    return {_pulse_name(table) if kind == PULSE else kind: kind for kind in kinds}


def chosen_sources(table: pd.DataFrame, names: Sequence[str], *, least: int = 2) -> dict[str, str]:
    """Map the sources that a user named to their kinds of signal, in that order.

    ``least`` is the smallest number of sources: a comparison needs two, a model one.

    Raises
    ------
    InputError
        Fewer than ``least`` sources, a source that the table lacks or that is trusted in no window,
        two names of one source: all in one message.
    """
    if isinstance(names, str):
        raise InputError(f"sources is a list of names, got {names!r}: write ({names!r}, …)")
    available = sources_in(table)
    chosen: dict[str, str] = {}
    faults = []
    for name in names:
        kind = available.get(_ALIASES.get(name, name), _pulse_of(table, name, available))
        if kind is None:
            faults.append(_absent(name, available))
        elif kind in chosen.values():
            faults.append(f"{name!r} names a source that was named before")
        else:
            chosen[name] = kind
            if not kind_trusted(table, kind).any():
                faults.append(f"{name!r} is trusted in no window of the table")
    if len(names) < least:
        faults.append("a comparison needs two sources or more")
    if faults:
        raise InputError(
            f"sources {', '.join(names) or '(none)'}: {'; '.join(faults)}; the table has: "
            f"{', '.join(available) or 'none'}"
        )
    return chosen


def of_sources(table: pd.DataFrame, kinds: Collection[str]) -> pd.DataFrame:
    """Drop the feature columns that need another kind of signal than these.

    Identities, labels, columns on the recording and columns of no family stay.
    """
    return table[[c for c in table.columns if of_kinds(str(c), kinds)]]


def of_kinds(name: str, kinds: Collection[str]) -> bool:
    """Tell whether a column can be computed from these kinds of signal alone.

    Examples
    --------
    >>> of_kinds("eda_tonic_us", ["eda"]), of_kinds("eda_tonic_us", ["pulse"])
    (True, False)
    >>> of_kinds("age", ["eda"])
    True
    """
    return set(kinds_of_columns([name])) <= set(kinds)


def _pulse_name(table: pd.DataFrame) -> str:
    sources = _pulse_sources(table)
    return sources[0] if len(sources) == 1 else PULSE


def _pulse_sources(table: pd.DataFrame) -> list[str]:
    """List the kinds of pulse of a table's rows: ``["bvp"]``."""
    if "source" not in table:
        return []
    return [name for name in dict.fromkeys(table["source"].dropna().astype(str)) if name in KINDS]


def _pulse_of(table: pd.DataFrame, name: str, available: dict[str, str]) -> str | None:
    """Return the kind "pulse" if a name means the pulse of the table, else None."""
    sources = _pulse_sources(table)
    known = sources or list(KINDS)
    means_pulse = name == PULSE or _ALIASES.get(name, name) in known
    return PULSE if means_pulse and PULSE in available.values() else None


def _absent(name: str, available: dict[str, str]) -> str:
    pulse = next((n for n, kind in available.items() if kind == PULSE), None)
    if _ALIASES.get(name, name) in KINDS and pulse is not None:
        return f"the pulse of the table is not {name!r} but {pulse!r}"
    return f"the table has no feature of {name!r}"
