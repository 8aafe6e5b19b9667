"""Withhold what a window's pulse does not support, and say why in a sentence.

The same rules hold for a camera, a contact sensor and an ECG. A window whose pulse is not to be
trusted has no features at all. In a trusted one a feature is withheld where its standard error
outweighs it, and so are those that stand or fall with it (`Column.error`), and where the signal's
kind does not support it (`Column.needs_shape`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features import columns, hrv
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.heart_rate import LEAST_COVERAGE, quality_of_beats
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.beats.signal_kind import SignalKind
from emotion_rppg.features.family import StandardError
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import OK

if TYPE_CHECKING:
    import pandas as pd

LEAST_BEATS = 3
# Beats that speak for a camera's window whose spectrum does not, as that of a heart whose rate
# varies much: their share of the window, their mean confidence, their number. None of 720 windows
# of noise (15, 30, 60 s; white, brown, 0.7–4 and 0.7–2.5 Hz) holds such beats.
EVIDENT_COVERAGE, EVIDENT_CONFIDENCE, EVIDENT_BEATS = 0.7, 0.8, 12
MOST_ECTOPIC = 0.2  # of the beats: with more, too few intervals are normal-to-normal
OUTWEIGHS = 0.4  # of a value: with a larger standard error it says little more than its order


def check_min_quality(min_quality: float | None) -> None:
    """Refuse a least quality that is no share."""
    if min_quality is not None and not 0 <= min_quality <= 1:
        raise InputError(f"min_quality is a quality from 0 to 1, or None; got {min_quality!r}")


def beats_of(wave: Signal) -> Beats:
    """Detect the beats of a wave; none, and one gap, where it is sampled too slowly for beats."""
    if wave.rate_hz >= LEAST_RATE_HZ:
        return find_beats(wave)
    span = (wave.start_s, wave.end_s)
    return Beats(np.zeros(0), gaps=[span], kind=wave.kind, span_s=span)


def quality_of(beats: Beats, signal: Signal | None) -> float:
    """Quality of a window, 0–1: the mean of its wave's, or for an ECG of its beats' confidence.

    The latter over the whole window, gaps counting as 0. NaN where nothing is known.
    """
    if signal is not None and signal.quality is not None and len(signal):
        return float(np.mean(signal.quality))
    return quality_of_beats(beats)


def kind_of_window(beats: Beats, signal: Signal | None) -> SignalKind | None:
    """Record of the signal kind that a window's beats are of; a contact PPG's where none is known.

    None: of a kind that is not in ``KINDS``.
    """
    return KINDS.get(beats.kind or (signal.kind if signal is not None else None) or "bvp")


def distrust(beats: Beats, signal: Signal | None, *, min_quality: float | None = None) -> str:
    """Say why a window's pulse is not to be trusted; an empty text where it is.

    Parameters
    ----------
    beats, signal : Beats, Signal or None
        Those of the window.
    min_quality : float, optional
        Default: that of the kind in ``KINDS``.
    """
    kind = kind_of_window(beats, signal)
    usual = 0.0 if kind is None else kind.min_quality
    least = usual if min_quality is None else min_quality
    if signal is not None and signal.rate_hz < LEAST_RATE_HZ:
        return (
            f"sampled too slowly for beats: {signal.rate_hz:.1f} a second, at least "
            f"{LEAST_RATE_HZ:g} are wanted"
        )
    if kind is not None and kind.camera and signal is not None:
        reason = judge(signal, least_quality=least).reason
        if reason and not (min_quality is None and _evident(beats, signal)):
            return reason
    elif (quality := quality_of(beats, signal)) < least:
        return f"no clear pulse: quality {quality:.2f}, at least {least:g} is wanted"
    if len(beats) < LEAST_BEATS:
        return f"too few beats: {len(beats)} in the window, at least {LEAST_BEATS} are wanted"
    if beats.coverage < LEAST_COVERAGE:
        return (
            f"too few beats: they cover {beats.coverage:.0%} of the window, at least "
            f"{LEAST_COVERAGE:.0%} is wanted"
        )
    return ""


def _evident(beats: Beats, signal: Signal) -> bool:
    """Whether a camera's beats speak for themselves, and the pictures do not speak against them."""
    denied = 0.0 if signal.quality is None else float(np.mean(signal.quality == 0))
    return (
        len(beats) >= EVIDENT_BEATS
        and beats.coverage >= EVIDENT_COVERAGE
        and beats.confidence is not None
        and float(beats.confidence.mean()) >= EVIDENT_CONFIDENCE
        and denied <= 1 - EVIDENT_COVERAGE
    )


def withhold(
    table: pd.DataFrame,
    beats: Sequence[Beats],
    signals: Sequence[Signal | None],
    *,
    min_quality: float | None = None,
) -> pd.DataFrame:
    """Empty what is not supported in a table of windows, and add its column ``reason``.

    ``reason`` is ``"ok"`` where nothing is withheld.
    """
    check_min_quality(min_quality)
    reasons = [distrust(b, s, min_quality=min_quality) for b, s in zip(beats, signals, strict=True)]
    kept = [name for name, column in columns().items() if column.always]
    table = _emptied(table, np.array([reason != "" for reason in reasons]), kept=kept)
    table = _without_shape(table, beats, signals)
    for error, dependants in _dependants(table).items():
        rule = columns()[error].withholds
        assert rule is not None
        unit = columns()[rule.of].unit
        doubtful = _doubtful(table, error, rule)
        for row in np.flatnonzero(doubtful):
            why = _why(table.iloc[row], error, rule, unit)
            reasons[row] = "; ".join(filter(None, [reasons[row], why]))
        table.loc[doubtful, dependants] = np.nan
    return table.assign(reason=[reason or OK for reason in reasons])


def _emptied(table: pd.DataFrame, rows: np.ndarray, *, kept: Sequence[str] = ()) -> pd.DataFrame:
    """The table with nothing measured in some rows, but for some columns."""
    table = table.copy()
    if rows.any():
        for column in table.columns.difference(list(kept), sort=False):
            empty = np.nan if table[column].dtype.kind in "fi" else ""
            table[column] = table[column].mask(rows, empty)
    return table


def _without_shape(
    table: pd.DataFrame, beats: Sequence[Beats], signals: Sequence[Signal | None]
) -> pd.DataFrame:
    """The table without what needs a pulse's own shape, of windows whose waves do not have it."""
    others = [name for name in table if not (c := columns().get(str(name))) or not c.needs_shape]
    kinds = [kind_of_window(b, s) for b, s in zip(beats, signals, strict=True)]
    return _emptied(table, np.array([not (k and k.shape) for k in kinds]), kept=others)


def _dependants(table: pd.DataFrame) -> dict[str, list[str]]:
    """Columns of the table by the standard error that they stand or fall with."""
    known = {name: column for name, column in columns().items() if name in table}
    found: dict[str, list[str]] = {name: [] for name, c in known.items() if c.withholds}
    for name, column in known.items():
        if column.error in found:
            found[column.error].append(name)
    return found


def _doubtful(table: pd.DataFrame, error: str, rule: StandardError) -> np.ndarray:
    """Rows whose value is outweighed by its error, or whose rhythm leaves no NN intervals."""
    value = table[rule.of].to_numpy(float)
    size = table[error].to_numpy(float)
    with np.errstate(invalid="ignore"):
        doubtful = (size > rule.most) | (size > OUTWEIGHS * value)
        if rule.normal and "ectopic_share" in table:
            doubtful |= (table["ectopic_share"].to_numpy(float) > MOST_ECTOPIC) & _trusted(table)
    return np.asarray(doubtful)


def _trusted(table: pd.DataFrame) -> np.ndarray:
    return np.isfinite(table["hr_bpm"].to_numpy(float))


def _why(row: pd.Series, error: str, rule: StandardError, unit: str) -> str:
    if rule.normal and row.get("ectopic_share", 0.0) > MOST_ECTOPIC:
        return f"{rule.name} withheld: {row['ectopic_share']:.0%} of the beats are ectopic"
    value = f"{row[rule.of]:.0f} {unit.removeprefix('1')}"  # 60 /min
    return f"{rule.name} withheld: {value} with a standard error of {row[error]:.0f}"


def summary(table: pd.DataFrame) -> list[str]:
    """Sentences for the end of an extraction: what was withheld and why, what needs more time."""
    lines = []
    reasons = Counter(kind_of(str(reason)) for reason in table["reason"] if reason != OK)
    for reason, count in reasons.most_common():
        lines.append(f"{count} of {len(table)} windows: {reason}")
    longest = float(table["duration_s"].max()) / (1 - hrv.TOLERANCE) if len(table) else 0.0
    waiting: dict[float, list[str]] = {}
    for name, column in columns().items():
        if name in table and column.minimum_s > longest and column.role == "heart":
            waiting.setdefault(column.minimum_s, []).append(name)
    for minimum_s, names in sorted(waiting.items()):
        lines.append(f"empty, need windows of {minimum_s:g} s: {', '.join(names)}")
    return lines


def kind_of(reason: str) -> str:
    """Return a reason without its numbers, so that like ones are counted together."""
    if " withheld" in reason:
        names = [part.partition(" withheld")[0] for part in reason.split("; ")]
        return f"{' and '.join(names)} withheld"
    return re.sub(r"-?[\d.]+ ?%?", "…", reason.partition(":")[0])
