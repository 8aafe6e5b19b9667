"""Beats as sequences for recurrent networks: text columns of a table, tokens, a tachogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = ("ibi_ms", "difference_ms", "confidence")
TEXT = ("seq_ibi_ms", "seq_confidence")


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """One row each: inter-beat intervals and confidences as text, so that any file can hold them.

    ``seq_ibi_ms`` is ``"812.3 799.1 nan 805.0"``: intervals in ms to 0.1 ms, in order, ``nan``
    where a gap parts two of them. ``seq_confidence`` has as many words: the lower confidence of
    an interval's two beats, 0–1 (1 where nobody measured it). Fewer than two beats give ``""``.
    The waves are not looked at.
    """
    import pandas as pd

    rows = [_row(beats) for beats in list_of_beats]
    return pd.DataFrame(rows, columns=list(TEXT), dtype=object)


def _row(beats: Beats) -> tuple[str, str]:
    ibi = np.where(beats.joined, 1e3 * np.diff(beats.times_s), np.nan)
    sure = np.ones(len(beats)) if beats.confidence is None else beats.confidence
    sure = np.where(beats.joined, np.minimum(sure[:-1], sure[1:]), np.nan)
    known = np.flatnonzero(beats.joined)
    if not len(known):
        return "", ""
    inner = slice(known[0], known[-1] + 1)  # a gap at the border parts nothing
    once = np.r_[True, beats.joined[inner][1:] | beats.joined[inner][:-1]]
    return _words(ibi[inner][once], 1), _words(sure[inner][once], 3)


def _words(values: np.ndarray, decimals: int) -> str:
    return " ".join(f"{value:.{decimals}f}" for value in values)


def tokens(table: pd.DataFrame) -> np.ndarray:
    """Beat tokens of each row, (n, longest, 3): ``CHANNELS``, padded with NaN at the end only.

    One token an interval; ``difference_ms`` is the interval less the one before it, 0 for the
    first one and after a gap (the gap itself is no token). Empty or missing text: no tokens.

    Raises
    ------
    InputError
        No column ``seq_ibi_ms``, or words in it that are no numbers.
    """
    if TEXT[0] not in table:
        raise InputError(
            f"the table has no column {TEXT[0]!r}: extract it with the family 'sequence'"
        )
    texts = table[TEXT[0]].tolist()
    sures = table[TEXT[1]].tolist() if TEXT[1] in table else [None] * len(texts)
    rows = [_tokens_of(ibi, sure) for ibi, sure in zip(texts, sures, strict=True)]
    longest = max((len(row) for row in rows), default=0)
    out = np.full((len(rows), longest, len(CHANNELS)), np.nan)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _tokens_of(text: object, sure_text: object) -> np.ndarray:
    ibi = _numbers(text)
    sure = _numbers(sure_text)
    if len(sure) != len(ibi):
        if len(sure):
            raise InputError(f"{len(ibi)} intervals in seq_ibi_ms, {len(sure)} in seq_confidence")
        sure = np.ones(len(ibi))
    seen = np.isfinite(ibi)
    difference = np.diff(ibi, prepend=np.nan)
    difference = np.where(np.isfinite(difference), difference, 0.0)
    return np.column_stack([ibi, difference, np.nan_to_num(sure)])[seen]


def _numbers(text: object) -> np.ndarray:
    if not isinstance(text, str):
        if text is None or text != text or isinstance(text, float):  # an empty cell
            return np.zeros(0) if text is None or text != text else np.array([float(str(text))])
        text = str(text)
    try:
        return np.array([float(word) for word in text.split()])
    except ValueError:
        raise InputError(f"a beat sequence is numbers and nan, got {text[:40]!r}") from None


def tachogram(beats: Beats, *, rate_hz: float = 4.0) -> Signal:
    """Inter-beat interval (ms) on an even clock over the beats' span, NaN in gaps and outside.

    Cubic spline through the intervals, each at the beat that ends it, within stretches without
    a gap; linear where there are fewer than four.
    """
    from scipy.interpolate import CubicSpline

    a, b = beats.span_s or (0.0, 0.0)
    grid = a + np.arange(max(int(np.floor((b - a) * rate_hz + 1e-6)), 0)) / rate_hz
    values = np.full(len(grid), np.nan)
    for first, stop in stretches(beats):
        at = beats.times_s[first + 1 : stop]
        ibi = 1e3 * np.diff(beats.times_s[first:stop])
        inside = (grid >= at[0]) & (grid <= at[-1])
        if len(at) >= 4:
            values[inside] = CubicSpline(at, ibi)(grid[inside])
        else:
            values[inside] = np.interp(grid[inside], at, ibi)
    return Signal(values, rate_hz, kind="ibi_ms", start_s=a)


def stretches(beats: Beats) -> list[tuple[int, int]]:
    """Index ranges ``(first, stop)`` of beats, two or more, that no gap parts."""
    edges = np.flatnonzero(np.diff(np.r_[0, beats.joined.astype(int), 0])).reshape(-1, 2)
    return [(int(a), int(b) + 1) for a, b in edges]
