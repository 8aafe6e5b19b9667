"""Withhold the features that the signals of a window do not support, and give the reason.

The same rules hold for a camera, a contact sensor and an ECG. A window without a trusted pulse has
no features. In a trusted window, a feature is withheld if its standard error is too large
(`Column.error`; features that depend on it are withheld, too) or if the kind of signal does not
support it (`Column.needs_shape`).

Features of other signals (EDA, respiration …) do not depend on the pulse and are judged by the
rules of their sensor (`sensors.SENSORS`), with a reason of their own (``eda_reason``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features import columns, hrv, kinds_of_columns
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.heart_rate import LEAST_COVERAGE
from emotion_rppg.features.beats.intervals import accept_intervals
from emotion_rppg.features.beats.quality import kind_of_window, least_quality_of, quality_of
from emotion_rppg.features.family import PULSE, StandardError
from emotion_rppg.features.outside import outside_column
from emotion_rppg.features.sensor_sequences import COLUMN_OF
from emotion_rppg.features.sensors import REASON, SensorWindows, name_of, unsupported_reason
from emotion_rppg.signal_quality import judge
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.windows import CHANGE_REASON, OK, OUTSIDE, trusted

if TYPE_CHECKING:
    import pandas as pd

LEAST_BEATS = 3
# Coverage, mean confidence and number of beats from which a camera's window is trusted whatever its
# spectrum: that of a heart whose rate varies much has no single peak. None of 720 windows of noise
# (15, 30, 60 s; white, brown, 0.7–4 and 0.7–2.5 Hz) has such beats.
EVIDENT_COVERAGE, EVIDENT_CONFIDENCE, EVIDENT_BEATS = 0.7, 0.8, 12
MOST_ECTOPIC = 0.2  # share of ectopic beats above which too few intervals are normal-to-normal
MOST_ERROR = 0.4  # standard error as a share of the value: above it, only the magnitude is known


def check_min_quality(min_quality: float | None) -> None:
    """Raise InputError if a minimum quality is not between 0 and 1."""
    if min_quality is not None and not 0 <= min_quality <= 1:
        raise InputError(f"min_quality is a number from 0 to 1, or None; got {min_quality!r}")


def beats_of(wave: Pulse) -> Beats:
    """Detect the beats of a wave, s, or accept those of a device, which come without a wave.

    A wave whose sampling rate is too low has one gap and no beats.
    """
    if isinstance(wave, Beats):
        return accept_intervals(wave)
    if wave.rate_hz >= LEAST_RATE_HZ:
        return find_beats(wave)
    span = (wave.start_s, wave.end_s)
    return Beats(np.zeros(0), gaps=[span], kind=wave.kind, span_s=span)


def wave_of(pulse: Pulse) -> Signal | None:
    """Return the wave; None for the beats of a device."""
    return None if isinstance(pulse, Beats) else pulse


def untrusted_reason(
    beats: Beats, signal: Signal | None, *, min_quality: float | None = None
) -> str:
    """Return the reason why the pulse of a window is not trusted; an empty text if it is.

    Parameters
    ----------
    beats, signal : Beats, Signal or None
        The beats and the wave of the window.
    min_quality : float, optional
        Minimum quality, 0–1; default: that of the kind in ``KINDS``.
    """
    kind = kind_of_window(beats, signal)
    least = least_quality_of(kind, min_quality)
    if signal is not None and signal.rate_hz < LEAST_RATE_HZ:
        return (
            f"sampled too slowly for beats: {signal.rate_hz:.1f} samples a second, at least "
            f"{LEAST_RATE_HZ:g} are wanted"
        )
    if kind is not None and kind.camera and signal is not None:
        reason = judge(signal, least_quality=least).reason
        if reason and not (min_quality is None and _evident(beats, signal)):
            return reason
    elif (quality := quality_of(beats, signal)) < least:
        what = "no clear pulse" if kind is None or kind.detect else "too few accepted intervals"
        return f"{what}: quality {quality:.2f}, at least {least:g} is wanted"
    if len(beats) < LEAST_BEATS:
        return f"too few beats: {len(beats)} in the window, at least {LEAST_BEATS} are wanted"
    if beats.coverage < LEAST_COVERAGE:
        return (
            f"too few beats: they cover {beats.coverage:.0%} of the window, at least "
            f"{LEAST_COVERAGE:.0%} is wanted"
        )
    return ""


def _evident(beats: Beats, signal: Signal) -> bool:
    """Whether the beats of a camera window suffice and the video frames do not exclude a pulse.

    Beats that a person placed count only as what they leave of the detected ones: a wave without a
    visible pulse is not trusted because beats were added.
    """
    coverage = beats.coverage
    if beats.edited is not None and len(beats):
        coverage *= 1 - float(beats.edited.mean())
        beats = beats.select(~beats.edited)
    excluded = 0.0 if signal.quality is None else float(np.mean(signal.quality == 0))
    return (
        len(beats) >= EVIDENT_BEATS
        and coverage >= EVIDENT_COVERAGE
        and beats.confidence is not None
        and float(beats.confidence.mean()) >= EVIDENT_CONFIDENCE
        and excluded <= 1 - EVIDENT_COVERAGE
    )


def withhold(
    table: pd.DataFrame,
    beats: Sequence[Beats],
    signals: Sequence[Signal | None],
    *,
    min_quality: float | None = None,
    reasons: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Set what the pulse does not support to NaN in a feature table, and add the column ``reason``.

    ``reason`` is ``"ok"`` if nothing is withheld. Columns that do not need the pulse stay.

    Parameters
    ----------
    table : DataFrame
        Features, one row per window.
    beats, signals : sequences of Beats, of Signal or None
        The beats and the wave of each window.
    min_quality : float, optional
        Minimum quality, 0–1; default: that of each kind in ``KINDS``.
    reasons : sequence of str, optional
        Why the pulse of each window is not trusted, where that is known already.

    Raises
    ------
    InputError
        ``min_quality`` is not between 0 and 1.
    """
    check_min_quality(min_quality)
    if reasons is None:
        pairs = zip(beats, signals, strict=True)
        reasons = [untrusted_reason(b, s, min_quality=min_quality) for b, s in pairs]
    table = _without_untrusted(table, PULSE, reasons)
    table = _without_shape(table, beats, signals)
    table, texts = _without_errors(table, PULSE, reasons)
    return table.assign(reason=texts)


def withhold_sensor(table: pd.DataFrame, windows: SensorWindows) -> pd.DataFrame:
    """Set what a sensor's signal does not support to NaN, and add the column ``KIND_reason``.

    It is ``"ok"`` if nothing is withheld. Columns of other signals stay.
    """
    own = {name: c for name, c in columns().items() if name in table and c.kind == windows.kind}
    reasons = [
        reason or unsupported_reason(own, signal, duration_s)
        for reason, signal, duration_s in zip(
            windows.reasons, windows.signals, windows.durations_s, strict=True
        )
    ]
    table = _without_untrusted(table, windows.kind, windows.reasons)
    table, texts = _without_errors(table, windows.kind, reasons)
    return table.assign(**{windows.kind + REASON: texts})


def _without_untrusted(table: pd.DataFrame, kind: str, reasons: Sequence[str]) -> pd.DataFrame:
    """Empty the columns that need a kind of signal in the windows where it is not trusted."""
    records = columns()

    def stays(name: str) -> bool:
        column = records.get(name)
        return kind != PULSE if column is None else column.always or kind not in column.kinds

    others = [name for name in map(str, table.columns) if stays(name)]
    return _emptied(table, np.array([reason != "" for reason in reasons], bool), except_for=others)


def _without_errors(
    table: pd.DataFrame, kind: str, reasons: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Empty features whose standard error is too large; return the table and its reasons."""
    texts = list(reasons)
    for error, dependants in _dependants(table).items():
        record = columns()[error]
        rule = record.withholds
        if rule is None or record.kind != kind:
            continue
        unit = columns()[rule.of].unit
        rejected = _rejected(table, error, rule)
        for row in np.flatnonzero(rejected):
            reason = _reason(table.iloc[row], error, rule, unit)
            texts[row] = "; ".join(filter(None, [texts[row], reason]))
        table.loc[rejected, dependants] = np.nan
    return table, [text or OK for text in texts]


def trusted_for(table: pd.DataFrame, names: Iterable[str]) -> np.ndarray:
    """Tell in which windows all signals are trusted that some columns need, bool (n,).

    The pulse is trusted where `windows.trusted` says so, another signal where at least one of its
    features (or, without features, its sequence) has a value. Columns that need no signal (an age
    alone) need the pulse, as no window is used about which nothing is known.
    """
    kinds = kinds_of_columns(names) or (PULSE,)
    return np.all([kind_trusted(table, kind) for kind in kinds], axis=0)


def kind_trusted(table: pd.DataFrame, kind: str) -> np.ndarray:
    """Tell in which windows one kind of signal is trusted, bool (n,)."""
    if kind == PULSE:
        return trusted(table)
    records = columns()
    own = [
        name
        for name in map(str, table.columns)
        if (c := records.get(name) or outside_column(name))
        and c.kind == kind
        and c.role == "feature"
        and not c.needs_pulse
    ]
    if not own and kind in COLUMN_OF and COLUMN_OF[kind][0] in table:
        return table[COLUMN_OF[kind][0]].fillna("").astype(str).str.len().to_numpy() > 0
    if not own:
        return np.zeros(len(table), dtype=bool)
    return np.isfinite(table[own].to_numpy(dtype=float, na_value=np.nan)).any(axis=1)


def _emptied(
    table: pd.DataFrame, rows: np.ndarray, *, except_for: Sequence[str] = ()
) -> pd.DataFrame:
    """The table with NaN or empty text in some rows, except for some columns."""
    table = table.copy()
    if rows.any():
        for column in table.columns.difference(list(except_for), sort=False):
            empty = np.nan if table[column].dtype.kind in "fi" else ""
            table[column] = table[column].mask(rows, empty)
    return table


def _without_shape(
    table: pd.DataFrame, beats: Sequence[Beats], signals: Sequence[Signal | None]
) -> pd.DataFrame:
    """Empty the columns that need the shape of the pulse where the kind of signal lacks it."""
    others = [name for name in table if not (c := columns().get(str(name))) or not c.needs_shape]
    kinds = [kind_of_window(b, s) for b, s in zip(beats, signals, strict=True)]
    return _emptied(table, np.array([not (k and k.shape) for k in kinds]), except_for=others)


def _dependants(table: pd.DataFrame) -> dict[str, list[str]]:
    """For each standard error in the table, the columns that it withholds."""
    available = {name: column for name, column in columns().items() if name in table}
    withheld: dict[str, list[str]] = {name: [] for name, c in available.items() if c.withholds}
    for name, column in available.items():
        if column.error in withheld:
            withheld[column.error].append(name)
    return withheld


def _rejected(table: pd.DataFrame, error: str, rule: StandardError) -> np.ndarray:
    """Whether the standard error or the share of ectopic beats of each row is too large, (n,)."""
    value = table[rule.of].to_numpy(float)
    size = table[error].to_numpy(float)
    with np.errstate(invalid="ignore"):
        rejected = (size > rule.most) | (size > MOST_ERROR * value)
        if rule.normal and "ectopic_share" in table:
            rejected |= (table["ectopic_share"].to_numpy(float) > MOST_ECTOPIC) & _trusted(table)
    return np.asarray(rejected)


def _trusted(table: pd.DataFrame) -> np.ndarray:
    """Whether each row has a heart rate, bool (n,)."""
    return np.isfinite(table["hr_bpm"].to_numpy(float))


def _reason(row: pd.Series, error: str, rule: StandardError, unit: str) -> str:
    """The sentence that a standard error adds to the reason of a row."""
    if rule.normal and row.get("ectopic_share", 0.0) > MOST_ECTOPIC:
        return f"{rule.name} withheld: {row['ectopic_share']:.0%} of the beats are ectopic"
    value = f"{row[rule.of]:.0f} {unit.removeprefix('1')}"  # 60 /min
    return f"{rule.name} withheld: {value} with a standard error of {row[error]:.0f}"


def summary_of_withheld(table: pd.DataFrame) -> list[str]:
    """Summarise an extraction: counts of reasons, and the features that need longer windows."""
    lines = []
    pulse = {"reason": "", CHANGE_REASON: "change: "}
    for written in (name for name in map(str, table) if name in pulse or name.endswith(REASON)):
        kind = written.removesuffix(REASON).removeprefix(OUTSIDE)
        about = pulse[written] if written in pulse else f"{name_of(kind)}: "
        reasons = Counter(kind_of(str(reason)) for reason in table[written] if reason != OK)
        for reason, count in reasons.most_common():
            lines.append(f"{count} of {len(table)} windows: {about}{reason}")
    longest = float(table["duration_s"].max()) / (1 - hrv.TOLERANCE) if len(table) else 0.0
    too_short: dict[float, list[str]] = {}
    for name, column in columns().items():
        if name in table and column.minimum_s > longest and column.role == "feature":
            too_short.setdefault(column.minimum_s, []).append(name)
    for minimum_s, names in sorted(too_short.items()):
        lines.append(f"empty, need windows of {minimum_s:g} s: {', '.join(names)}")
    return lines


_MOST_NAMED = 3  # reasons in a closing line


def reasons_in(table: pd.DataFrame) -> list[str]:
    """List a reason for each window of which something was withheld, that of the pulse first."""
    names = [n for n in map(str, table) if n in ("reason", CHANGE_REASON) or n.endswith(REASON)]
    names.sort(key=lambda name: name != "reason")
    cells = (table[name].fillna("").astype(str).replace(OK, "") for name in names)
    return [next(filter(None, row)) for row in zip(*cells, strict=True) if any(row)]


def closing_line(reasons: Iterable[str], total: int, noun: str) -> str:
    """State in one line how many of ``total`` were withheld, and the most frequent reasons.

    >>> closing_line(["no clear pulse", "no clear pulse", "only 3 beats"], 20, "window")
    'withheld: 3 of 20 windows: no clear pulse (2), only … beats (1)'
    >>> closing_line([], 1, "heart rate")
    'withheld: nothing of 1 heart rate'
    """
    several = f"{total} {noun}{'' if total == 1 else 's'}"
    kinds = Counter(kind_of(reason) for reason in reasons)
    if not kinds:
        return f"withheld: nothing of {several}"
    named = [f"{kind} ({n})" for kind, n in kinds.most_common(_MOST_NAMED)]
    more = len(kinds) - len(named)
    named += [f"{more} more reason{'' if more == 1 else 's'}"] if more else []
    return f"withheld: {kinds.total()} of {several}: {', '.join(named)}"


def kind_of(reason: str) -> str:
    """Return a reason without its numbers, so that reasons of one kind are counted together."""
    if " withheld" in reason:
        names = [part.partition(" withheld")[0] for part in reason.split("; ")]
        return f"{' and '.join(names)} withheld"
    return re.sub(r"-?[\d.]+(?: ?%)?", "…", reason.partition(":")[0])
