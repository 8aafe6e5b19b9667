"""Detect missing values: words such as n/a, and codes (numbers) such as -999."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

_log = logging.getLogger(__name__)
# words for a missing value, in lower case; the dashes are a hyphen, an en and an em dash
WORDS = frozenset(("", "n/a", "na", "#n/a", "nan", "null", "-", "–", "—", ".", "?", "missing"))
NUMBERS = (-999.0, -9999.0, -99999.0, -999.25)
_SEPARATION = 0.25  # of the range of the other values; a code must be at least so far below them


def is_missing(text: str) -> bool:
    """Return whether a cell is empty or a word for a missing value."""
    return text.strip().lower() in WORDS


def codes_to_nan(values: Iterable[float] | np.ndarray, where: str = "") -> np.ndarray:
    """Replace codes for missing values, such as -999, by NaN, (n,).

    A number is a code if it is far from all other values: below them by a quarter of their range,
    or negative where no other value is. ``where`` names the file in the warning.
    """
    values = np.asarray(values, dtype=float)
    is_code = np.isin(values, NUMBERS)
    if not is_code.any():
        return values
    others = values[~is_code & np.isfinite(values)]
    if others.size:
        separate = (
            values[is_code].max() < others.min() - _SEPARATION * np.ptp(others) or others.min() >= 0
        )
        if not separate or values[is_code].max() >= others.min():
            return values
    _log.warning(
        "%s%d values of %s are read as missing",
        f"{where}: " if where else "",
        is_code.sum(),
        ", ".join(f"{v:g}" for v in np.unique(values[is_code])),
    )
    return np.where(is_code, np.nan, values)
