"""Beats as sequences for recurrent networks: text columns of a table, tokens, tachograms, waves.

INPUTS: name -> ``(table) -> (n, longest, channels)``, padded with NaN at the end only. Waves are in
no table: `waves` makes the same array of Signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features import morphology
from emotion_rppg.features.family import Column, Family
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = ("ibi_ms", "difference_ms", "amplitude", "rise_ms", "width_ms", "confidence")
# column: the feature of a beat's pulse, and how many decimals of it are kept
SHAPE = {
    "seq_amplitude_au": ("pulse_amplitude_au", ".5g"),
    "seq_rise_ms": ("pulse_rise_ms", ".0f"),
    "seq_width_ms": ("pulse_width_50_ms", ".1f"),
}


def _text(unit: str, definition: str, *, needs_shape: bool = False) -> Column:
    return Column(unit, definition, role="sequence", group="beat sequence", needs_shape=needs_shape)


COLUMNS: dict[str, Column] = {
    "seq_ibi_ms": _text("ms", "inter-beat intervals in order, as text; nan marks a gap"),
    "seq_confidence": _text("1", "lower confidence of each interval's two beats, 0–1, as text"),
    "seq_amplitude_au": _text(
        "sensor's", "height of the pulse that begins each interval, as text", needs_shape=True
    ),
    "seq_rise_ms": _text("ms", "foot to peak of that pulse, as text", needs_shape=True),
    "seq_width_ms": _text(
        "ms", "width of that pulse at half its height, as text", needs_shape=True
    ),
}
TEXT = tuple(COLUMNS)


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """One row each: intervals and what their beats look like as text, so any file can hold them.

    ``seq_ibi_ms`` is ``"812.3 799.1 nan 805.0"``: intervals in ms to 0.1 ms, in order, ``nan``
    where a gap parts two of them. The other columns have as many words: ``seq_confidence`` the
    lower confidence of an interval's two beats, 0–1 (1 where nobody measured it);
    ``seq_amplitude_au``, ``seq_rise_ms`` and ``seq_width_ms`` height, foot to peak and width at
    half height of the pulse that begins the interval (`morphology`), ``nan`` where it was not
    measured and ``""`` where none was: without a wave, and for an ECG. Fewer than two beats give
    ``""``.
    """
    import pandas as pd

    waves = [None] * len(list_of_beats) if signals is None else list(signals)
    rows = [_row(beats, wave) for beats, wave in zip(list_of_beats, waves, strict=True)]
    return pd.DataFrame(rows, columns=list(TEXT), dtype=object)


def _row(beats: Beats, wave: Signal | None) -> dict[str, str]:
    known = np.flatnonzero(beats.joined)
    if not len(known):
        return dict.fromkeys(TEXT, "")
    inner = slice(known[0], known[-1] + 1)  # a gap at the border parts nothing
    once = np.r_[True, beats.joined[inner][1:] | beats.joined[inner][:-1]]
    sure = np.ones(len(beats)) if beats.confidence is None else beats.confidence
    values = {
        "seq_ibi_ms": (1e3 * np.diff(beats.times_s), ".1f"),
        "seq_confidence": (np.minimum(sure[:-1], sure[1:]), ".3f"),
    }
    if wave is not None:
        pulses = morphology.per_beat(beats, wave)
        for column, (feature, form) in SHAPE.items():
            values[column] = (pulses[feature].to_numpy()[:-1], form)
    row = dict.fromkeys(TEXT, "")
    for column, (value, form) in values.items():
        kept = np.where(beats.joined, value, np.nan)[inner][once]
        if np.isfinite(kept).any():
            row[column] = " ".join(f"{v:{form}}" for v in kept)
    return row


def tokens(table: pd.DataFrame) -> np.ndarray:
    """Beat tokens of each row, (n, longest, 6): ``CHANNELS``, padded with NaN at the end only.

    One token an interval; ``difference_ms`` is the interval less the one before it, 0 for the
    first one and after a gap (the gap itself is no token). ``amplitude`` is 1 at the row's median
    pulse, for sensors' units are nobody else's. NaN where a pulse was not measured. Empty or
    missing text: no tokens.

    Raises
    ------
    InputError
        No column ``seq_ibi_ms``, or words in it that are no numbers.
    """
    return _padded([_tokens_of(row) for row in _texts(table)], len(CHANNELS))


def _texts(table: pd.DataFrame) -> list[dict[str, object]]:
    if TEXT[0] not in table:
        raise InputError(
            f"the table has no column {TEXT[0]!r}: extract it with the family 'sequence'"
        )
    there = [name for name in TEXT if name in table]
    return table[there].to_dict("records")


def _padded(rows: list[np.ndarray], channels: int) -> np.ndarray:
    longest = max((len(row) for row in rows), default=0)
    out = np.full((len(rows), longest, channels), np.nan)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _tokens_of(row: dict[str, object]) -> np.ndarray:
    ibi = _numbers(row["seq_ibi_ms"])
    sure = np.nan_to_num(_as_many(row, "seq_confidence", ibi, otherwise=1.0))
    amplitude, rise, width = (_as_many(row, name, ibi, otherwise=np.nan) for name in SHAPE)
    if np.isfinite(amplitude).any():
        amplitude = amplitude / np.nanmedian(amplitude)
    difference = np.nan_to_num(np.diff(ibi, prepend=np.nan))
    return np.column_stack([ibi, difference, amplitude, rise, width, sure])[np.isfinite(ibi)]


def _as_many(row: dict[str, object], name: str, ibi: np.ndarray, *, otherwise: float) -> np.ndarray:
    """The column's numbers, one an interval."""
    values = _numbers(row.get(name))
    if not len(values):
        return np.full(len(ibi), otherwise)
    if len(values) != len(ibi):
        raise InputError(f"{len(ibi)} intervals in seq_ibi_ms, {len(values)} in {name}")
    return values


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


def tachograms(table: pd.DataFrame, *, rate_hz: float = 4.0) -> np.ndarray:
    """The `tachogram` of each row, (n, longest, 1), padded with NaN at the end only.

    It begins at the end of the first interval. How long a gap was the text does not tell: it takes
    the time of the row's median interval.
    """
    return _padded([_tachogram_of(row, rate_hz) for row in _texts(table)], 1)


def _tachogram_of(row: dict[str, object], rate_hz: float) -> np.ndarray:
    ibi = _numbers(row["seq_ibi_ms"])
    if not np.isfinite(ibi).any():
        return np.zeros((0, 1))
    gap = ~np.isfinite(ibi)
    times = np.r_[0.0, 1e-3 * np.where(gap, np.nanmedian(ibi), ibi).cumsum()]
    gaps = list(zip(times[:-1][gap], times[1:][gap], strict=True))
    samples = tachogram(Beats(times, gaps=gaps), rate_hz=rate_hz).samples
    known = np.flatnonzero(np.isfinite(samples))
    return samples[known[0] : known[-1] + 1, None] if len(known) else np.zeros((0, 1))


def waves(signals: Sequence[Signal | None], *, rate_hz: float = 32.0) -> np.ndarray:
    """The waves themselves, (n, longest, 1), each to mean 0 and deviation 1; NaN where not seen.

    For an encoder with a convolution stem (``strides``): 60 s are 1,920 samples at 32 Hz, which
    no recurrent network remembers.
    """
    return _padded([_standard(signal, rate_hz) for signal in signals], 1)


def _standard(signal: Signal | None, rate_hz: float) -> np.ndarray:
    samples = np.zeros(0) if signal is None else signal.resample(rate_hz).samples
    if not np.isfinite(samples).any():
        return np.zeros((0, 1))
    spread = np.nanstd(samples)
    return (samples[:, None] - np.nanmean(samples)) / (spread if spread > 0 else 1.0)


def stretches(beats: Beats) -> list[tuple[int, int]]:
    """Index ranges ``(first, stop)`` of beats, two or more, that no gap parts."""
    edges = np.flatnonzero(np.diff(np.r_[0, beats.joined.astype(int), 0])).reshape(-1, 2)
    return [(int(a), int(b) + 1) for a, b in edges]


INPUTS = {"beats": tokens, "tachogram": tachograms}


FAMILY = Family("sequence", table, COLUMNS)
