"""Detect missing values: words such as n/a, and numbers such as -999."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

_log = logging.getLogger(__name__)
# words for a value that is missing, lower case; dashes are a hyphen, an en and an em dash
WORDS = frozenset(("", "n/a", "na", "#n/a", "nan", "null", "-", "–", "—", ".", "?", "missing"))
NUMBERS = (-999.0, -9999.0, -99999.0, -999.25)
_APART = 0.25  # of the range of all other values: nearer a number may be a value


def is_missing(text: str) -> bool:
    """Tell whether a cell is empty or holds a word for a missing value."""
    return text.strip().lower() in WORDS


def without_codes(values: Iterable[float] | np.ndarray, where: str = "") -> np.ndarray:
    """Replace the numbers that stand for a missing value, (n,), by NaN.

    A number counts as such a code if it is far from all other values: below them by a quarter of
    their range, or negative where no other value is.
    """
    values = np.asarray(values, dtype=float)
    coded = np.isin(values, NUMBERS)
    if not coded.any():
        return values
    others = values[~coded & np.isfinite(values)]
    if others.size:
        apart = values[coded].max() < others.min() - _APART * np.ptp(others) or others.min() >= 0
        if not apart or values[coded].max() >= others.min():
            return values
    _log.warning(
        "%s%d values of %s are read as missing",
        f"{where}: " if where else "",
        coded.sum(),
        ", ".join(f"{v:g}" for v in np.unique(values[coded])),
    )
    return np.where(coded, np.nan, values)
