"""Signals (evenly sampled values with their clock) and heart beats (times in seconds)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.frame_timestamps import frame_times
from emotion_rppg.interval_timeline import (
    LONGEST_MS,
    SHORTEST_MS,
    beside_interval,
    durations,
    lay_out,
    possible,
)

# Unit of each kind of signal without beats, as a Signal of that kind must have it. A respiration
# belt has an arbitrary unit; acceleration is the magnitude of its axes (`Signal.from_axes`).
UNITS = {"eda": "µS", "resp": "a.u.", "temp": "°C", "acc": "g"}
LONGEST_HOLE_S = 0.5  # longest gap of missing samples that interpolation may bridge
_PER_BEAT = {  # optional fields of Beats with one value per beat
    "confidence": float,
    "corrected": bool,
    "timing_sd_s": float,
    "difference_sd_s": float,
    "ectopic": bool,
    "edited": bool,
}
SHORTEST_STEP_S = 1e-6  # smallest plausible sampling step; a smaller one is in another unit
_MOST_STEPS = 2**31  # longest sampling grid: twelve days at 2000 Hz, 16 GB


@dataclass(frozen=True, repr=False, eq=False)
class Signal:
    """Evenly sampled values with their clock.

    Parameters
    ----------
    samples : array (n,)
        NaN marks missing samples (a lost face, a detached sensor).
    rate_hz : float
        Sampling rate, Hz, > 0.
    kind : str, optional
        ``"rppg"`` (camera), ``"bvp"`` (contact PPG), ``"ecg"``; ``"eda"`` (electrodermal
        activity, µS), ``"resp"`` (respiration, arbitrary unit, inspiration is up), ``"temp"``
        (skin temperature, °C), ``"acc"`` (magnitude of the acceleration, g); or a rating's name.
    start_s : float
        Time of the first sample on the recording's clock.
    quality : array (n,), optional
        Quality of each sample, from 0 (no visible pulse) to 1. NaN counts as 0. If all values are
        NaN (an empty column of a file), the quality is unknown and becomes None.

    Examples
    --------
    >>> Signal(np.zeros(90), 30, kind="rppg")
    Signal(90 samples, 30 Hz, 0.00–3.00 s, rppg)
    >>> Signal(np.zeros(90), 30).crop(1, 2)
    Signal(30 samples, 30 Hz, 1.00–2.00 s)
    """

    samples: np.ndarray
    rate_hz: float
    _: KW_ONLY
    kind: str | None = None
    start_s: float = 0.0
    quality: np.ndarray | None = None

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, dtype=float)
        if samples.ndim != 1:
            raise InputError(f"a Signal is one-dimensional, got samples of shape {samples.shape}")
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise InputError(f"rate_hz must be a positive number of hertz, got {self.rate_hz!r}")
        if not np.isfinite(self.start_s):
            raise InputError(f"start_s must be a number of seconds, got {self.start_s!r}")
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "rate_hz", float(self.rate_hz))
        object.__setattr__(self, "start_s", float(self.start_s))
        if self.quality is not None:
            quality = np.asarray(self.quality, dtype=float)
            if quality.shape != samples.shape:
                raise InputError(
                    f"quality has shape {quality.shape}, the samples have {samples.shape}: "
                    "give one quality value per sample"
                )
            unknown = len(quality) > 0 and bool(np.isnan(quality).all())
            object.__setattr__(
                self, "quality", None if unknown else np.where(np.isnan(quality), 0.0, quality)
            )

    @classmethod
    def from_times(
        cls,
        times_s: np.ndarray,
        values: np.ndarray,
        *,
        rate_hz: float | None = None,
        kind: str | None = None,
        longest_gap_s: float = LONGEST_HOLE_S,
    ) -> Signal:
        """Resample unevenly timed values to an even grid.

        Values at repeated times are averaged. Between samples the value is interpolated linearly; a
        gap longer than ``longest_gap_s`` (and than three median steps) becomes NaN. Jittery camera
        timestamps (kind ``"rppg"``) are corrected first (:mod:`emotion_rppg.frame_timestamps`).

        Parameters
        ----------
        times_s, values : arrays (n,)
            Times in seconds, not decreasing.
        rate_hz : float, optional
            Rate of the grid, Hz; default: the inverse of the mean step outside gaps.

        Raises
        ------
        InputError
            Times that decrease, are not finite, are all the same or are not in seconds.
        """
        times, values = np.asarray(times_s, dtype=float), np.asarray(values, dtype=float)
        if times.shape != values.shape or times.ndim != 1:
            raise InputError(f"{times.shape} times for {values.shape} values: want one time each")
        if len(times) < 2 or not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0):
            raise InputError(
                "times_s must be at least two finite seconds that never decrease; "
                "sort the samples or split the recording where its clock jumps back"
            )
        unique, where = np.unique(times, return_inverse=True)
        if len(unique) < 2:
            raise InputError("all samples have the same time: give increasing times in seconds")
        if kind == "rppg":
            unique = frame_times(unique)
        finite = np.isfinite(values)
        total = np.bincount(where, weights=np.where(finite, values, 0.0))
        count = np.bincount(where, weights=finite.astype(float))
        mean = np.divide(total, count, out=np.full(len(unique), np.nan), where=count > 0)
        step = float(np.median(np.diff(unique)))
        steps = np.diff(unique)
        span = float(unique[-1] - unique[0])
        if step < SHORTEST_STEP_S or span > _MOST_STEPS * step:
            raise InputError(
                f"times with a step of {step:g} over a span of {span:g} are no clock of a pulse: "
                "give them in seconds"
            )
        even = steps[np.abs(steps - step) <= 0.5 * step]
        mean_step = float(even.mean()) if len(even) else step  # the median of rounded times is off
        rate = 1.0 / mean_step if rate_hz is None else float(rate_hz)
        n = int(np.floor(span * rate + 1e-6)) + 1
        grid = unique[0] + np.arange(n) / rate
        valid = np.isfinite(mean)
        if not valid.any():
            return cls(np.full(n, np.nan), rate, kind=kind, start_s=unique[0])
        times = unique[valid]
        samples = np.interp(grid, times, mean[valid])
        after = np.clip(np.searchsorted(times, grid - 1e-9), 1, max(len(times) - 1, 1))
        if len(times) > 1:
            gap = times[after] - times[after - 1] > max(longest_gap_s, 3.0 * step)
            inside = (grid > times[after - 1] + 1e-9) & (grid < times[after] - 1e-9)
            samples[gap & inside] = np.nan
        samples[(grid < times[0] - step) | (grid > times[-1] + step)] = np.nan
        return cls(samples, rate, kind=kind, start_s=unique[0])

    @classmethod
    def from_axes(
        cls, axes: np.ndarray, rate_hz: float, *, kind: str = "acc", start_s: float = 0.0
    ) -> Signal:
        """Compute the magnitude of a signal with several axes: (n, axes) -> (n,), same unit.

        The magnitude does not depend on how the sensor is worn: at rest it is 1 g, whatever the
        direction of gravity. A sample with a missing axis is missing.

        Raises
        ------
        InputError
            Not one row per sample and one column per axis.

        Examples
        --------
        >>> Signal.from_axes(np.array([[0.6, 0.0, 0.8]]), 32).samples.round(3).tolist()
        [1.0]
        """
        axes = np.asarray(axes, dtype=float)
        if axes.ndim != 2 or axes.shape[1] < 2:
            raise InputError(f"want one column per axis, (n, 3), got the shape {axes.shape}")
        return cls(np.sqrt((axes**2).sum(axis=1)), rate_hz, kind=kind, start_s=start_s)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        kind = f", {self.kind}" if self.kind else ""
        return (
            f"Signal({len(self)} samples, {self.rate_hz:g} Hz, "
            f"{self.start_s:.2f}–{self.end_s:.2f} s{kind})"
        )

    @property
    def times_s(self) -> np.ndarray:
        """Time of each sample, s, (n,)."""
        return self.start_s + np.arange(len(self)) / self.rate_hz

    @property
    def duration_s(self) -> float:
        """Number of samples over the rate, s."""
        return len(self) / self.rate_hz

    @property
    def end_s(self) -> float:
        """Time of one step after the last sample, s: where an adjoining signal begins."""
        return self.start_s + self.duration_s

    @property
    def coverage(self) -> float:
        """Share of samples that are not missing, 0–1 (0 for an empty signal)."""
        return float(np.isfinite(self.samples).mean()) if len(self) else 0.0

    def runs(self) -> list[tuple[int, int]]:
        """List the index ranges ``(first, stop)`` of the runs without missing samples."""
        edges = np.flatnonzero(np.diff(np.r_[0, np.isfinite(self.samples).astype(int), 0]))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    def crop(self, start_s: float, end_s: float) -> Signal:
        """Select the samples with ``start_s <= time < end_s``, on the same clock."""
        first = int(np.clip(np.ceil((start_s - self.start_s) * self.rate_hz - 1e-6), 0, len(self)))
        stop = int(np.clip(np.ceil((end_s - self.start_s) * self.rate_hz - 1e-6), first, len(self)))
        return replace(
            self,
            samples=self.samples[first:stop],
            start_s=self.start_s + first / self.rate_hz,
            quality=None if self.quality is None else self.quality[first:stop],
        )

    def resample(self, rate_hz: float) -> Signal:
        """Resample to another rate, Hz, by a cubic spline within each run without missing samples.

        Before a reduction of the rate, a zero-phase low-pass at 0.45 of the new rate prevents
        aliasing.
        """
        from scipy.interpolate import CubicSpline

        if not (np.isfinite(rate_hz) and rate_hz > 0):
            raise InputError(f"rate_hz must be a positive number of hertz, got {rate_hz!r}")
        source = self
        if rate_hz < self.rate_hz:
            source = self._filtered(0.45 * rate_hz, "lowpass")
        n = int(np.floor(len(self) * rate_hz / self.rate_hz + 1e-6))
        new = np.arange(n) / rate_hz
        old = np.arange(len(self)) / self.rate_hz
        samples = np.full(n, np.nan)
        half = 0.5 / self.rate_hz
        for first, stop in source.runs():
            inside = (new >= old[first] - half) & (new < old[stop - 1] + 2 * half + 1e-9)
            if stop - first > 3:
                spline = CubicSpline(old[first:stop], source.samples[first:stop])
                samples[inside] = spline(np.clip(new[inside], old[first], old[stop - 1]))
            else:
                samples[inside] = np.interp(
                    new[inside], old[first:stop], source.samples[first:stop]
                )
        quality = None if self.quality is None else np.interp(new, old, self.quality)
        return replace(self, samples=samples, rate_hz=rate_hz, quality=quality)

    def bandpass(self, low_hz: float, high_hz: float) -> Signal:
        """Band-pass between two frequencies, Hz (zero-phase third-order Butterworth).

        Each run without missing samples is filtered by itself. Runs shorter than about a period of
        ``low_hz`` become NaN.
        """
        if not 0 < low_hz < high_hz < self.rate_hz / 2:
            raise InputError(
                f"a band of {low_hz:g}–{high_hz:g} Hz does not fit below half of "
                f"{self.rate_hz:g} Hz: want 0 < low < high < {self.rate_hz / 2:g}"
            )
        return self._filtered((low_hz, high_hz), "bandpass")

    def lowpass(self, high_hz: float) -> Signal:
        """Low-pass at a frequency, Hz (zero-phase third-order Butterworth, each run by itself)."""
        if not 0 < high_hz < self.rate_hz / 2:
            raise InputError(
                f"a low-pass at {high_hz:g} Hz does not fit below half of {self.rate_hz:g} Hz"
            )
        return self._filtered(float(high_hz), "lowpass")

    def _filtered(self, edge_hz: float | tuple[float, float], btype: str) -> Signal:
        from scipy.signal import butter, sosfiltfilt

        low = edge_hz if isinstance(edge_hz, float) else edge_hz[0]
        sos = butter(3, edge_hz, btype, fs=self.rate_hz, output="sos")
        samples = np.full(len(self), np.nan)
        for first, stop in self.runs():
            run = self.samples[first:stop]
            pad = min(int(self.rate_hz / low), stop - first - 1)
            if btype == "bandpass" and stop - first < self.rate_hz / low:
                continue
            samples[first:stop] = sosfiltfilt(sos, run, padlen=pad)
        return replace(self, samples=samples)


@dataclass(frozen=True, repr=False, eq=False)
class Beats:
    """Heart beats in a span of time.

    Parameters
    ----------
    times_s : array (n,)
        Beat times, increasing seconds (not intervals, not milliseconds).
    confidence : array (n,), optional
        Confidence of each beat, 0–1.
    gaps : sequence of (start_s, end_s)
        Segments in which beats could not be detected; no interval bridges one.
    kind : str, optional
        Kind of the signal in which they were detected (``"rppg"``, ``"bvp"``, ``"ecg"``), or
        ``"rr"``: they are the ends of intervals that a device measured.
    span_s : (start_s, end_s), optional
        The analysed span; default: first to last beat.
    corrected : bool array (n,), optional
        Beats that artefact correction moved or inserted.
    timing_sd_s : array (n,), optional
        Standard error of each time due to noise in the wave, s; NaN where unknown.
    difference_sd_s : array (n,), optional
        Standard error of the difference of the two intervals around each beat, s. The errors of
        times that were denoised together are correlated: it is then smaller than that of three
        independent errors.
    ectopic : bool array (n,), optional
        Ectopic beats: early and followed by a pause. They count as beats, but intervals that begin
        or end with one are not normal-to-normal (NN).
    rejected_s : array (m,), optional
        Times of rejected detections: not beats, or beats whose time is unknown, s.
    edited : bool array (n,), optional
        Beats that a person added or moved (:mod:`emotion_rppg.features.beats.correction`).

    Examples
    --------
    >>> beats = Beats([0.0, 0.8, 1.7, 5.0, 5.9], gaps=[(2.0, 4.5)])
    >>> beats.intervals_ms.round().tolist()
    [800.0, 900.0, 900.0]
    >>> beats.successive_ms.round().tolist()
    [100.0]
    """

    times_s: np.ndarray
    confidence: np.ndarray | None = None
    gaps: Sequence[tuple[float, float]] = ()
    _: KW_ONLY
    kind: str | None = None
    span_s: tuple[float, float] | None = None
    corrected: np.ndarray | None = None
    timing_sd_s: np.ndarray | None = None
    difference_sd_s: np.ndarray | None = None
    ectopic: np.ndarray | None = None
    rejected_s: np.ndarray | None = None
    edited: np.ndarray | None = None
    _joined: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        times = np.asarray(self.times_s, dtype=float)
        if times.ndim != 1 or not np.all(np.isfinite(times)):
            raise InputError(
                f"beat times must be a flat list of finite seconds, got shape {times.shape}"
                + ("" if np.all(np.isfinite(times)) else " with NaN or infinity")
            )
        steps = np.diff(times)
        if np.any(steps <= 0):
            raise InputError(
                "beat times must increase; if these are intervals, "
                "Beats.from_intervals(intervals_ms)"
            )
        if len(times) > 2 and np.median(steps) > 20 and not len(self.gaps):
            raise InputError(
                f"the median step between beats is {np.median(steps):g} s: give times in seconds, "
                "not milliseconds"
            )
        object.__setattr__(self, "times_s", times)
        for name, kind in _PER_BEAT.items():
            value = getattr(self, name)
            if value is None:
                continue
            value = np.asarray(value, dtype=kind)
            if value.shape != times.shape:
                raise InputError(f"{name} has shape {value.shape} for {len(times)} beats")
            object.__setattr__(self, name, value)
        gaps = tuple(sorted((float(a), float(b)) for a, b in self.gaps))
        if any(b < a for a, b in gaps):
            raise InputError(f"a gap is (start_s, end_s) with start_s <= end_s, got {gaps}")
        object.__setattr__(self, "gaps", gaps)
        if self.rejected_s is not None:
            object.__setattr__(self, "rejected_s", np.asarray(self.rejected_s, dtype=float))
        if self.span_s is None and len(times):
            object.__setattr__(self, "span_s", (float(times[0]), float(times[-1])))
        joined = np.ones(max(len(times) - 1, 0), dtype=bool)
        for a, b in gaps:  # an interval never bridges a gap
            joined &= ~((times[:-1] < b) & (times[1:] > a))
        object.__setattr__(self, "_joined", joined)

    @classmethod
    def from_intervals(cls, ms: Any, *, start_s: float = 0.0) -> Beats:
        """Place RR, NN, PP or inter-beat intervals, ms, one after another: n give n + 1 beats.

        A value that is no interval of a heart (below 250 ms, above 2500 ms, NaN) becomes a gap. It
        takes its own time, or the median interval if it cannot be a time. A beat between
        two such values counts as rejected. Nothing is corrected: `extract` marks ectopic beats and
        excludes artefacts
        (:func:`emotion_rppg.features.beats.intervals.accept_intervals`).

        Parameters
        ----------
        ms : array (n,)
            Intervals in milliseconds; those of ``intervals_ms`` give the same features again.
        start_s : float
            Time at which the first interval begins, s.

        Raises
        ------
        InputError
            No value is an interval of a heart in milliseconds.

        Examples
        --------
        >>> beats = Beats.from_intervals([800, 810, 9000, 790], start_s=5)
        >>> beats.times_s.round(2).tolist(), beats.gaps
        ([5.0, 5.8, 6.61, 15.61, 16.4], ((6.61, 15.61),))
        """
        intervals = np.asarray(ms, dtype=float)
        usable = possible(intervals)
        if intervals.ndim != 1 or not usable.any() or not np.isfinite(start_s):
            raise InputError(_no_intervals(intervals, start_s))
        times, gaps, _ = lay_out(durations(intervals), usable, start_s=float(start_s))
        sound = beside_interval(usable)
        return cls(
            times[sound],
            gaps=gaps,
            kind="rr",
            span_s=(float(times[0]), float(times[-1])),
            rejected_s=times[~sound],
        )

    def __len__(self) -> int:
        return len(self.times_s)

    def __repr__(self) -> str:
        a, b = self.span_s or (float("nan"), float("nan"))
        kind = f", {self.kind}" if self.kind else ""
        gaps = f", {len(self.gaps)} gaps" if self.gaps else ""
        return f"Beats({len(self)} beats, {a:.2f}–{b:.2f} s{kind}{gaps})"

    @property
    def joined(self) -> np.ndarray:
        """Whether beats i and i + 1 are successive, bool (n - 1,): False across a gap."""
        return self._joined

    @property
    def intervals_ms(self) -> np.ndarray:
        """Inter-beat intervals, ms, without those that would bridge a gap."""
        return 1e3 * np.diff(self.times_s)[self._joined]

    @property
    def normal(self) -> np.ndarray:
        """Whether interval i is normal-to-normal (NN), bool (n - 1,): no gap, no ectopic beat."""
        if self.ectopic is None:
            return self._joined
        return self._joined & ~(self.ectopic[:-1] | self.ectopic[1:])

    @property
    def nn_ms(self) -> np.ndarray:
        """Normal-to-normal intervals, ms: those of ``intervals_ms`` without ectopic beats."""
        return 1e3 * np.diff(self.times_s)[self.normal]

    @property
    def rejected_share(self) -> float:
        """Share of detections that were rejected, 0–1."""
        rejected = 0 if self.rejected_s is None else len(self.rejected_s)
        return rejected / max(rejected + len(self), 1)

    @property
    def interval_times_s(self) -> np.ndarray:
        """Time of the beat that ends each of ``intervals_ms``, s."""
        return self.times_s[1:][self._joined]

    @property
    def successive_ms(self) -> np.ndarray:
        """Differences of successive NN intervals, ms, of which RMSSD is the root mean square."""
        both = self.normal[:-1] & self.normal[1:]
        return 1e3 * np.diff(self.times_s, n=2)[both]

    @property
    def duration_s(self) -> float:
        """Length of the span, s; 0 without one."""
        return self.span_s[1] - self.span_s[0] if self.span_s else 0.0

    @property
    def coverage(self) -> float:
        """Share of the span outside gaps, 0–1."""
        if self.span_s is None or self.span_s[1] <= self.span_s[0]:
            return 0.0
        a, b = self.span_s
        covered, end = 0.0, a
        for start, stop in self.gaps:
            covered += max(min(start, b) - end, 0.0)
            end = max(end, min(stop, b))
        return (covered + max(b - end, 0.0)) / (b - a)

    def select(self, rows: np.ndarray) -> Beats:
        """Select beats by a mask or an index; gaps and span stay."""
        columns = ((name, getattr(self, name)) for name in _PER_BEAT)
        selected: dict[str, Any] = {n: None if v is None else v[rows] for n, v in columns}
        return replace(self, times_s=self.times_s[rows], **selected)

    def shifted(self, offset_s: float) -> Beats:
        """Move the beats to another clock: every time ``offset_s`` later."""
        return replace(
            self,
            times_s=self.times_s + offset_s,
            gaps=[(a + offset_s, b + offset_s) for a, b in self.gaps],
            span_s=self.span_s and (self.span_s[0] + offset_s, self.span_s[1] + offset_s),
            rejected_s=None if self.rejected_s is None else self.rejected_s + offset_s,
        )

    def crop(self, start_s: float, end_s: float) -> Beats:
        """Select the beats with ``start_s <= time < end_s``; gaps are cut alike, same clock."""
        a, b = self.span_s or (start_s, end_s)
        rejected = self.rejected_s
        return replace(
            self.select((self.times_s >= start_s) & (self.times_s < end_s)),
            rejected_s=None
            if rejected is None
            else rejected[(rejected >= start_s) & (rejected < end_s)],
            gaps=[
                (max(g, start_s), min(h, end_s)) for g, h in self.gaps if h > start_s and g < end_s
            ],
            span_s=(max(a, start_s), max(min(b, end_s), max(a, start_s))),
        )


def _no_intervals(intervals: np.ndarray, start_s: float) -> str:
    """Explain why values are no list of intervals."""
    if intervals.ndim != 1:
        return f"intervals are a flat list of milliseconds, got shape {intervals.shape}"
    if not np.isfinite(start_s):
        return f"start_s must be a number of seconds, got {start_s!r}"
    finite = intervals[np.isfinite(intervals)]
    given = f"a median of {np.median(finite):g}" if len(finite) else "no number"
    seconds = len(finite) and possible(1e3 * finite).any()
    return (
        f"no interval of a heart among {len(intervals)} values ({given}): want milliseconds from "
        f"{SHORTEST_MS:g} to {LONGEST_MS:g}"
        + ("; these look like seconds: multiply them by 1000" if seconds else "")
    )


# What features are computed from: a wave, in which beats are detected, or beats without a wave
Pulse = Signal | Beats
