"""Beat sequences for recurrent networks: text columns of a table, tokens, tachograms and waves.

``INPUTS``: name -> function ``(table) -> (n, longest, channels)``, padded with NaN at the end only.
A table has no waves: `wave_sequences` returns the same kind of array for Signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features import morphology
from emotion_rppg.features.family import Column, Family
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import sequences_fault

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = ("ibi_ms", "difference_ms", "amplitude", "rise_ms", "width_ms", "confidence")
# column: the morphology feature of the pulse, and the format of its numbers
SHAPE = {
    "seq_amplitude_au": ("pulse_amplitude_au", ".5g"),
    "seq_rise_ms": ("pulse_rise_ms", ".0f"),
    "seq_width_ms": ("pulse_width_50_ms", ".1f"),
}


def _text(unit: str, definition: str, *, needs_shape: bool = False) -> Column:
    return Column(unit, definition, role="sequence", group="beat sequence", needs_shape=needs_shape)


COLUMNS: dict[str, Column] = {
    "seq_ibi_ms": _text("ms", "inter-beat intervals (IBI) in order, as text; nan marks a gap"),
    "seq_confidence": _text(
        "1", "lower confidence of the two beats of each interval, 0–1, as text"
    ),
    "seq_amplitude_au": _text(
        "a.u.", "height of the pulse at the start of each interval, as text", needs_shape=True
    ),
    "seq_rise_ms": _text(
        "ms", "crest time (foot to peak) of that pulse, as text", needs_shape=True
    ),
    "seq_width_ms": _text(
        "ms", "width of that pulse at 50 % of its height, as text", needs_shape=True
    ),
}
TEXT = tuple(COLUMNS)


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Write the intervals and pulse shapes of each window as text, one row each, ``TEXT`` in order.

    Text fits into any table format. ``seq_ibi_ms`` is ``"812.3 799.1 nan 805.0"``: intervals in ms,
    in order, rounded to 0.1 ms, with ``nan`` at a gap. The other columns have as many numbers.
    ``seq_confidence`` is the lower confidence of the two beats of an interval, 0–1 (1 if unknown).
    ``seq_amplitude_au``, ``seq_rise_ms`` and ``seq_width_ms`` are height, crest time and width at
    half height of the pulse at the start of the interval (`morphology`); ``nan`` if that pulse was
    not measured, ``""`` if none was (without a wave, and for an ECG). Fewer than two beats give
    ``""``.
    """
    import pandas as pd

    waves = [None] * len(list_of_beats) if signals is None else list(signals)
    rows = [_row(beats, wave) for beats, wave in zip(list_of_beats, waves, strict=True)]
    return pd.DataFrame(rows, columns=list(TEXT), dtype=object)


def _row(beats: Beats, wave: Signal | None) -> dict[str, str]:
    """The text columns of one window."""
    joined = np.flatnonzero(beats.joined)
    if not len(joined):
        return dict.fromkeys(TEXT, "")
    inner = slice(joined[0], joined[-1] + 1)  # without gaps at the ends
    once = np.r_[True, beats.joined[inner][1:] | beats.joined[inner][:-1]]
    confidence = np.ones(len(beats)) if beats.confidence is None else beats.confidence
    values = {
        "seq_ibi_ms": (1e3 * np.diff(beats.times_s), ".1f"),
        "seq_confidence": (np.minimum(confidence[:-1], confidence[1:]), ".3f"),
    }
    if wave is not None:
        pulses = morphology.per_beat(beats, wave)
        for column, (feature, spec) in SHAPE.items():
            values[column] = (pulses[feature].to_numpy()[:-1], spec)
    row = dict.fromkeys(TEXT, "")
    for column, (value, spec) in values.items():
        numbers = np.where(beats.joined, value, np.nan)[inner][once]
        if np.isfinite(numbers).any():
            row[column] = " ".join(f"{number:{spec}}" for number in numbers)
    return row


def tokens(table: pd.DataFrame) -> np.ndarray:
    """Convert the text of each row to beat tokens, (n, longest, 6), NaN-padded at the end only.

    Channels are ``CHANNELS``; there is one token per interval. ``difference_ms`` is the interval
    minus the one before it, 0 for the first one and after a gap (a gap is no token). ``amplitude``
    is relative to the median pulse of the row, because each sensor has its own scale. Values of
    pulses that were not measured are NaN. A row with empty or missing text has no tokens.

    Raises
    ------
    InputError
        There is no column ``seq_ibi_ms``, or a text is not a list of numbers of the same length.
    """
    return _padded([_tokens_of(row) for row in _texts(table)], len(CHANNELS))


def _texts(table: pd.DataFrame) -> list[dict[str, object]]:
    """The text columns of each row."""
    if TEXT[0] not in table:
        raise InputError(
            f"the table has no column {TEXT[0]!r}: extract it with the family 'sequence'"
            f"{sequences_fault(table)}"
        )
    available = [name for name in TEXT if name in table]
    return table[available].to_dict("records")


def _padded(rows: list[np.ndarray], channels: int) -> np.ndarray:
    """Stack rows (length, channels) to (n, longest, channels), NaN at the end."""
    longest = max((len(row) for row in rows), default=0)
    out = np.full((len(rows), longest, channels), np.nan)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _tokens_of(row: dict[str, object]) -> np.ndarray:
    """The tokens of one row, (intervals, 6)."""
    ibi = _numbers(row["seq_ibi_ms"])
    confidence = np.nan_to_num(_per_interval(row, "seq_confidence", ibi, default=1.0))
    amplitude, rise, width = (_per_interval(row, name, ibi, default=np.nan) for name in SHAPE)
    if np.isfinite(amplitude).any():
        amplitude = amplitude / np.nanmedian(amplitude)
    difference = np.nan_to_num(np.diff(ibi, prepend=np.nan))
    return np.column_stack([ibi, difference, amplitude, rise, width, confidence])[np.isfinite(ibi)]


def _per_interval(
    row: dict[str, object], name: str, ibi: np.ndarray, *, default: float
) -> np.ndarray:
    """The numbers of a column, one per interval; the default if it has none."""
    values = _numbers(row.get(name))
    if not len(values):
        return np.full(len(ibi), default)
    if len(values) != len(ibi):
        raise InputError(
            f"{name} has {len(values)} numbers, seq_ibi_ms has {len(ibi)}: want as many in each"
        )
    return values


def _numbers(text: object) -> np.ndarray:
    """The numbers of a cell; none if it is empty."""
    if not isinstance(text, str):
        if text is None or text != text or isinstance(text, float):  # an empty cell
            return np.zeros(0) if text is None or text != text else np.array([float(str(text))])
        text = str(text)
    try:
        return np.array([float(word) for word in text.split()])
    except ValueError:
        raise InputError(
            f"a beat sequence has numbers and nan separated by spaces, got {text[:40]!r}"
        ) from None


def tachogram(beats: Beats, *, rate_hz: float = 4.0) -> Signal:
    """Resample the inter-beat intervals, ms, to an even rate over the span of the beats.

    A cubic spline through the intervals, each at the beat that ends it, within stretches without a
    gap; linear interpolation for fewer than four intervals. NaN in gaps and outside.
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
    """Compute the `tachogram` of each row, ms, (n, longest, 1), NaN-padded at the end only.

    It starts at the end of the first interval. The text has no length of a gap: a gap is as long as
    the median interval of the row.
    """
    return _padded([_tachogram_of(row, rate_hz) for row in _texts(table)], 1)


def _tachogram_of(row: dict[str, object], rate_hz: float) -> np.ndarray:
    """The tachogram of one row, (samples, 1)."""
    ibi = _numbers(row["seq_ibi_ms"])
    if not np.isfinite(ibi).any():
        return np.zeros((0, 1))
    gap = ~np.isfinite(ibi)
    times = np.r_[0.0, 1e-3 * np.where(gap, np.nanmedian(ibi), ibi).cumsum()]
    gaps = list(zip(times[:-1][gap], times[1:][gap], strict=True))
    samples = tachogram(Beats(times, gaps=gaps), rate_hz=rate_hz).samples
    finite = np.flatnonzero(np.isfinite(samples))
    return samples[finite[0] : finite[-1] + 1, None] if len(finite) else np.zeros((0, 1))


def wave_sequences(signals: Sequence[Signal | None], *, rate_hz: float = 32.0) -> np.ndarray:
    """Resample and standardise waves, (n, longest, 1), to mean 0 and standard deviation 1.

    Missing samples are NaN. For an encoder with a convolutional stem (``strides``): 60 s are 1,920
    samples at 32 Hz, too many for a recurrent network alone.
    """
    return _padded([_standardised(signal, rate_hz) for signal in signals], 1)


def _standardised(signal: Signal | None, rate_hz: float) -> np.ndarray:
    """One resampled and standardised wave, (samples, 1)."""
    samples = np.zeros(0) if signal is None else signal.resample(rate_hz).samples
    if not np.isfinite(samples).any():
        return np.zeros((0, 1))
    spread = np.nanstd(samples)
    return (samples[:, None] - np.nanmean(samples)) / (spread if spread > 0 else 1.0)


def stretches(beats: Beats) -> list[tuple[int, int]]:
    """Find the index ranges ``(first, stop)`` of two or more beats without a gap."""
    edges = np.flatnonzero(np.diff(np.r_[0, beats.joined.astype(int), 0])).reshape(-1, 2)
    return [(int(a), int(b) + 1) for a, b in edges]


INPUTS = {"beats": tokens, "tachogram": tachograms}


FAMILY = Family("sequence", table, COLUMNS)
