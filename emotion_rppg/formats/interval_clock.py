"""From the rows of an interval file to beats: the unit, the clock, lost time and excluded rows.

Devices write intervals in milliseconds or seconds, often with the time at which a phone received
each. Such times come late and in packets. They do not place the beats; they only show where
intervals are missing: there the clock runs ahead of the sum of the intervals, and stays ahead.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.interval_timeline import durations, lay_out, possible
from emotion_rppg.signals import Beats

_log = logging.getLogger(__name__)
_LEAST_PLAUSIBLE = 0.5  # share of the values that must be intervals of a heart
# An interval is excluded if the device's own error estimate exceeds this share of it
_MOST_ERROR = 0.1
_OPTICAL_MS = 4.0  # standard deviation of the pulse transit time to a wrist or finger
_LEAST_LOST_S = 0.1  # a lost interval takes at least 0.25 s
_AROUND = 5  # rows before and after a row that must agree that time was lost there
_OFF = 0.1  # share of an interval by which a clock may typically differ from the intervals
LONGEST_PAUSE_S = 7 * 86400.0  # between two intervals of one recording
_LATEST_START_S = 1e6  # a larger first time is a date, not seconds from the start


@dataclass(frozen=True)
class IntervalRows:
    """Rows of an interval file, n each.

    Parameters
    ----------
    values : array (n,)
        Interval of each row as written; NaN where there is no number.
    unit_ms : float, optional
        Milliseconds of one unit, if the file names it: 1 or 1000.
    clocks : sequence of array (n,)
        Columns that may be the time of each row, s or another unit; the first that fits is used.
    flagged : bool array (n,), optional
        Intervals that the device itself does not trust.
    error_ms : array (n,), optional
        The device's estimate of each interval's error, ms.
    ectopic : bool array (n,), optional
        Whether the beat that ends each interval is labelled as ectopic.
    optical : bool
        Whether the device measures the pulse, not the ECG.
    certain : bool
        Whether the clock is known to be the device's own: it is then not checked.
    """

    values: np.ndarray
    unit_ms: float | None = None
    clocks: Sequence[np.ndarray] = field(default_factory=tuple)
    flagged: np.ndarray | None = None
    error_ms: np.ndarray | None = None
    ectopic: np.ndarray | None = None
    optical: bool = False
    certain: bool = False


def beats_of_rows(rows: IntervalRows, path: Path) -> Beats:
    """Place the intervals of a file as beats, s; flagged and impossible ones become gaps.

    Raises
    ------
    InputError
        The unit cannot be decided, or no interval can be used; the message says why.
    """
    unit_ms = unit_of(rows.values, path) if rows.unit_ms is None else rows.unit_ms
    with np.errstate(over="ignore"):  # what is infinite then is impossible, too
        intervals = rows.values * unit_ms
    plausible = possible(intervals)
    _check_plausible(rows.values, plausible, path)
    flagged = np.zeros(len(intervals), dtype=bool) if rows.flagged is None else rows.flagged
    if rows.error_ms is not None:
        flagged = flagged | (rows.error_ms > _MOST_ERROR * np.nan_to_num(intervals))
    usable = plausible & ~flagged
    if not usable.any():
        raise InputError(
            f"{path}: all {int(plausible.sum())} intervals are flagged by the device as unreliable "
            "(movement, no skin contact or a large error): record again with a tight strap"
        )
    if not usable.all():
        _log.info(
            "%s: %d of %d intervals are gaps: %d flagged by the device, %d impossible",
            path.name,
            int((~usable).sum()),
            len(usable),
            int((flagged & plausible).sum()),
            int((~plausible).sum()),
        )
    taken = durations(intervals)
    lost, start_s = _lost_time(rows, taken, path)
    if lost is not None:
        check_pause(lost, path)
    timeline = lay_out(taken, usable, lost_s=lost, start_s=start_s)
    ectopic = _of_ends(rows.ectopic, timeline.ends, len(timeline.times_s))
    return Beats(
        timeline.times_s,
        gaps=timeline.gaps,
        kind="rr",
        ectopic=ectopic,
        timing_sd_s=_timing_sd_s(rows, intervals, usable, timeline.ends, len(timeline.times_s)),
    )


def check_pause(pauses_s: np.ndarray, path: Path) -> None:
    """Refuse a recording with a pause of more than a week, s: a clock that was set, or two files.

    Raises
    ------
    InputError
        The message says where the pause is.
    """
    row = int(np.argmax(pauses_s))
    days = float(pauses_s[row]) / 86400
    if pauses_s[row] > LONGEST_PAUSE_S:
        raise InputError(
            f"{path}: the times jump by {days:.0f} days before interval {row + 1}: "
            "want one recording; split the file there"
        )


def unit_of(values: np.ndarray, path: Path) -> float:
    """Decide the unit of intervals by their values: 1 for milliseconds, 1000 for seconds.

    Raises
    ------
    InputError
        The values are neither.
    """
    numbers = values[np.isfinite(values) & (values > 0)]
    for unit_ms, name in ((1.0, "milliseconds"), (1000.0, "seconds")):
        if len(numbers) and possible(np.array([np.median(numbers) * unit_ms])).all():
            _log.info(
                "%s: read as intervals in %s (median %g)", path.name, name, np.median(numbers)
            )
            return unit_ms
    raise InputError(_undecided(path, values))


def _undecided(path: Path, values: np.ndarray) -> str:
    """Explain why values are no intervals."""
    finite = values[np.isfinite(values)]
    wanted = "want intervals of 250–2500 ms or 0.25–2.5 s"
    if not len(finite):
        return f"{path} has no number where intervals were expected: {wanted}"
    if len(finite) > 2 and np.all(np.diff(finite) > 0):
        return (
            f"{path}: the values only increase, from {finite[0]:g} to {finite[-1]:g}: they are "
            f"beat times or sample numbers, not intervals; {wanted}, the differences of "
            "successive beats"
        )
    middle = float(np.median(finite))
    hint = "; are these heart rates? an average rate has no intervals" if 30 < middle < 220 else ""
    return f"{path}: the median value is {middle:g}{hint}: {wanted}"


def _check_plausible(values: np.ndarray, plausible: np.ndarray, path: Path) -> None:
    """Refuse a file in which most values are no intervals, or which has beat times."""
    finite = values[np.isfinite(values)]
    if len(finite) > 20 and np.all(np.diff(finite) > 0):
        raise InputError(_undecided(path, values))
    if plausible.mean() < _LEAST_PLAUSIBLE:
        raise InputError(
            f"{path}: only {int(plausible.sum())} of {len(values)} values are intervals of a heart "
            "(250–2500 ms): is this the right column, and is it a list of intervals?"
        )


def _of_ends(values: np.ndarray | None, ends: np.ndarray, count: int) -> np.ndarray | None:
    """Give the value of each interval to the beat that ends it, bool (count,)."""
    if values is None:
        return None
    out = np.zeros(count, dtype=bool)
    out[ends] = values
    return out


def _timing_sd_s(
    rows: IntervalRows, intervals: np.ndarray, usable: np.ndarray, ends: np.ndarray, count: int
) -> np.ndarray:
    """Standard error of each beat's time, s: resolution, the device's estimate, pulse transit."""
    variance = resolution_ms(intervals[usable]) ** 2 / 12 + (_OPTICAL_MS**2 if rows.optical else 0)
    out = np.full(count, variance)
    if rows.error_ms is not None:  # the error of an interval is that of two beats
        out[ends] += np.nan_to_num(rows.error_ms) ** 2 / 2
    return np.asarray(np.sqrt(out) / 1e3)


def resolution_ms(intervals_ms: np.ndarray) -> float:
    """Estimate the step to which intervals are rounded, ms: 15.6 for 1/64 s; 0 if not evident."""
    levels = np.unique(intervals_ms.round(3))
    steps = np.diff(levels)
    steps = steps[steps > 0.1]  # a rounded sixty-fourth differs in its last digit
    if len(steps) < 3:
        return 0.0
    step = float(np.median(steps))
    whole = np.abs(steps / step - np.rint(steps / step)) < 0.1
    return step if whole.mean() > 0.9 else 0.0


def _lost_time(
    rows: IntervalRows, durations_s: np.ndarray, path: Path
) -> tuple[np.ndarray | None, float]:
    """Return the time lost before each interval, s, and the start of the first, by the clock."""
    for clock in rows.clocks:
        found = lost_before(clock, durations_s, certain=rows.certain)
        if found is not None:
            return found
    if len(rows.clocks):
        _log.info(
            "%s: no column of times agrees with the intervals: they are placed one after another",
            path.name,
        )
    return None, 0.0


def lost_before(
    clock: np.ndarray, durations_s: np.ndarray, *, certain: bool = False
) -> tuple[np.ndarray | None, float] | None:
    """Find lost time by a clock that has a time for each interval.

    Parameters
    ----------
    clock : array (n,)
        Time of each row, at the begin or the end of its interval, in any unit.
    durations_s : array (n,)
        Duration of each interval, s.
    certain : bool
        The clock is the device's own, at the end of each interval, in seconds.

    Returns
    -------
    lost_s, start_s : (array (n,), float) or None
        Time lost before each interval, s, and the begin of the first. None if the clock does not
        fit the intervals: it has other steps, or is a row number.
    """
    if not len(clock) or not np.isfinite(clock).all():
        return None
    times = clock if certain else clock * _unit_s(clock, durations_s)
    if len(clock) < 3:
        gained = np.diff(times) - durations_s[1:]
        return np.r_[0.0, np.where(gained > _LEAST_LOST_S, gained, 0.0)], _start(
            times[0] - durations_s[0]
        )
    ahead = _least_varying(times, durations_s)
    step = np.diff(ahead)
    # the clock can only gain on the intervals where some are missing: a loss is its jitter
    jitter = float(np.quantile(np.maximum(-step, 0), 0.99))
    if not certain and ahead[-1] - ahead[0] < -_OFF * float(np.sum(durations_s)) - jitter:
        return None  # it stands still
    if not certain and np.median(np.abs(step)) > max(_OFF * float(np.median(durations_s)), jitter):
        return None
    apart = _stays_ahead(ahead, max(_LEAST_LOST_S, jitter))
    run = np.cumsum(apart)
    offset = np.array([np.median(ahead[run == k]) for k in range(run[-1] + 1)])
    lost = np.zeros(len(clock))
    lost[apart] = np.maximum(np.diff(offset), _LEAST_LOST_S)
    return lost, _start(float(offset[0]))


def _start(first_s: float) -> float:
    """Return the begin of the first interval, s; 0 if the clock has dates."""
    return first_s if 0 <= first_s < _LATEST_START_S else 0.0


def _unit_s(clock: np.ndarray, durations_s: np.ndarray) -> float:
    """Return the seconds of a clock's unit (s, ms, µs, ns) by its typical step."""
    step = float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0
    if not step > 0:
        return 1.0
    off = {
        unit: abs(np.log(step * unit / np.median(durations_s))) for unit in (1, 1e-3, 1e-6, 1e-9)
    }
    return min(off, key=lambda unit: off[unit])


def _least_varying(times_s: np.ndarray, durations_s: np.ndarray) -> np.ndarray:
    """How far the clock is ahead of the sum of the intervals, s, (n,), at their begin or end."""
    summed = np.cumsum(durations_s)
    both = (times_s - summed, times_s - (summed - durations_s))
    return min(both, key=lambda ahead: float(np.median(np.abs(np.diff(ahead)))))


def _stays_ahead(ahead_s: np.ndarray, least_s: float) -> np.ndarray:
    """Find the rows from which a clock is ahead by more than before, and stays so, bool (n,)."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    width = min(_AROUND, len(ahead_s))
    before = maximum_filter1d(ahead_s, width, origin=(width - 1) // 2, mode="nearest")
    after = minimum_filter1d(ahead_s, width, origin=-(width // 2), mode="nearest")
    out = np.zeros(len(ahead_s), dtype=bool)
    out[1:] = after[1:] - before[:-1] > least_s
    return out
