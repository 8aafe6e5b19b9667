"""Samples that carry their clock (Signal) and heart beats in seconds (Beats)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.frame_timestamps import frame_times

LONGEST_HOLE_S = 0.5  # of missing samples that interpolation bridges, whatever they come from
_A_BEAT = {  # what Beats may carry for each beat
    "confidence": float,
    "corrected": bool,
    "timing_sd_s": float,
    "difference_sd_s": float,
    "ectopic": bool,
}
SHORTEST_STEP_S = 1e-6  # from one sample to the next; less is another unit, or no clock
_MOST_STEPS = 2**31  # of a grid: twelve days at 2000 Hz, 16 GB


@dataclass(frozen=True, repr=False, eq=False)
class Signal:
    """Evenly sampled values with their clock.

    Parameters
    ----------
    samples : array (n,)
        NaN marks samples that were not seen (a lost face, a sensor that fell off).
    rate_hz : float
        Samples a second, > 0.
    kind : str, optional
        ``"rppg"`` (camera), ``"bvp"`` (contact PPG), ``"ecg"``, or a rating's name.
    start_s : float
        Time of the first sample on the recording's clock.
    quality : array (n,), optional
        0 (no visible pulse) to 1, one value a sample. NaN counts as 0; nothing but NaN, as an
        empty column of a file gives it, is None: the quality is unknown.

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
                    "give one quality value a sample"
                )
            unknown = len(quality) > 0 and bool(np.isnan(quality).all())
            object.__setattr__(self, "quality", None if unknown else np.nan_to_num(quality))

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
        """Put unevenly timed values on an even grid.

        Repeated times are averaged. Between samples the value is interpolated linearly; a hole
        longer than ``longest_gap_s`` (and than three typical steps) becomes NaN, never a line.
        Jittery stamps of a camera (kind ``"rppg"``) are first evened
        (:mod:`emotion_rppg.frame_timestamps`).

        Parameters
        ----------
        times_s, values : arrays (n,)
            Times in seconds, not decreasing.
        rate_hz : float, optional
            Rate of the grid; default: the inverse of the usual step (holes apart).
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
            raise InputError("all samples carry the same time: there is no clock to read")
        if kind == "rppg":
            unique = frame_times(unique)
        seen = np.isfinite(values)
        total = np.bincount(where, weights=np.where(seen, values, 0.0))
        count = np.bincount(where, weights=seen.astype(float))
        mean = np.divide(total, count, out=np.full(len(unique), np.nan), where=count > 0)
        step = float(np.median(np.diff(unique)))
        steps = np.diff(unique)  # their mean keeps the digits that rounded times lose
        span = float(unique[-1] - unique[0])
        if step < SHORTEST_STEP_S or span > _MOST_STEPS * step:
            raise InputError(
                f"times that go by {step:g} over {span:g} are no clock of a pulse: want seconds"
            )
        even = steps[np.abs(steps - step) <= 0.5 * step]
        usual = float(even.mean()) if len(even) else step
        rate = 1.0 / usual if rate_hz is None else float(rate_hz)
        n = int(np.floor(span * rate + 1e-6)) + 1
        grid = unique[0] + np.arange(n) / rate
        known = np.isfinite(mean)
        if not known.any():
            return cls(np.full(n, np.nan), rate, kind=kind, start_s=unique[0])
        kept = unique[known]
        samples = np.interp(grid, kept, mean[known])
        after = np.clip(np.searchsorted(kept, grid - 1e-9), 1, max(len(kept) - 1, 1))
        if len(kept) > 1:
            hole = kept[after] - kept[after - 1] > max(longest_gap_s, 3.0 * step)
            inside = (grid > kept[after - 1] + 1e-9) & (grid < kept[after] - 1e-9)
            samples[hole & inside] = np.nan
        samples[(grid < kept[0] - step) | (grid > kept[-1] + step)] = np.nan
        return cls(samples, rate, kind=kind, start_s=unique[0])

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
        """Time of each sample, seconds, (n,)."""
        return self.start_s + np.arange(len(self)) / self.rate_hz

    @property
    def duration_s(self) -> float:
        return len(self) / self.rate_hz

    @property
    def end_s(self) -> float:
        """One step after the last sample, so that adjoining signals share a border."""
        return self.start_s + self.duration_s

    @property
    def coverage(self) -> float:
        """Share of samples that were seen, 0–1 (0 for an empty signal)."""
        return float(np.isfinite(self.samples).mean()) if len(self) else 0.0

    def runs(self) -> list[tuple[int, int]]:
        """Index ranges ``(first, stop)`` of the stretches without NaN."""
        edges = np.flatnonzero(np.diff(np.r_[0, np.isfinite(self.samples).astype(int), 0]))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    def crop(self, start_s: float, end_s: float) -> Signal:
        """Samples with ``start_s <= time < end_s``, on the same clock."""
        first = int(np.clip(np.ceil((start_s - self.start_s) * self.rate_hz - 1e-6), 0, len(self)))
        stop = int(np.clip(np.ceil((end_s - self.start_s) * self.rate_hz - 1e-6), first, len(self)))
        return replace(
            self,
            samples=self.samples[first:stop],
            start_s=self.start_s + first / self.rate_hz,
            quality=None if self.quality is None else self.quality[first:stop],
        )

    def resample(self, rate_hz: float) -> Signal:
        """The same stretch of time at another rate, by cubic spline within each seen run.

        Going down, a zero-phase low-pass at 0.45 of the new rate keeps aliases out.
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
        """Zero-phase third-order Butterworth band-pass within each seen run.

        Runs too short to filter (under about a period of ``low_hz``) become NaN.
        """
        if not 0 < low_hz < high_hz < self.rate_hz / 2:
            raise InputError(
                f"a band of {low_hz:g}–{high_hz:g} Hz does not fit below half of "
                f"{self.rate_hz:g} Hz: want 0 < low < high < {self.rate_hz / 2:g}"
            )
        return self._filtered((low_hz, high_hz), "bandpass")

    def lowpass(self, high_hz: float) -> Signal:
        """Zero-phase third-order Butterworth low-pass within each seen run."""
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
    """Heart beats of one stretch of time.

    Parameters
    ----------
    times_s : array (n,)
        Increasing seconds; not intervals, not milliseconds.
    confidence : array (n,), optional
        0–1 each.
    gaps : sequence of (start_s, end_s)
        Stretches in which no beat could be seen; no interval bridges one.
    kind : str, optional
        Kind of the signal they were found in (``"rppg"``, ``"bvp"``, ``"ecg"``).
    span_s : (start_s, end_s), optional
        The stretch that was looked at; default: first to last beat.
    corrected : bool array (n,), optional
        Beats that artefact correction moved or put in.
    timing_sd_s : array (n,), optional
        Standard error of each time, s, by the noise of the wave; NaN where it is not known.
    difference_sd_s : array (n,), optional
        Standard error of the difference of the two intervals about each beat, s. Where times were
        denoised together they err alike, and this is less than three independent errors make.
    ectopic : bool array (n,), optional
        Beats that come early and are followed by a pause. They are beats like any other; intervals
        that begin or end with one are not normal-to-normal (NN).
    rejected_s : array (m,), optional
        Times of detections that were rejected as no beats, or as beats whose time is unknown.

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
    _joined: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        times = np.asarray(self.times_s, dtype=float)
        if times.ndim != 1 or not np.all(np.isfinite(times)):
            raise InputError("beat times are a flat list of finite seconds")
        steps = np.diff(times)
        if np.any(steps <= 0):
            raise InputError(
                "beat times must increase; were intervals given? Beats(np.cumsum(intervals_s))"
            )
        if len(times) > 2 and np.median(steps) > 20 and not len(self.gaps):
            raise InputError(
                f"the median step between beats is {np.median(steps):g} s: Beats takes seconds; "
                "were milliseconds given?"
            )
        object.__setattr__(self, "times_s", times)
        for name, kind in _A_BEAT.items():
            value = getattr(self, name)
            if value is None:
                continue
            value = np.asarray(value, dtype=kind)
            if value.shape != times.shape:
                raise InputError(f"{name} has shape {value.shape} for {len(times)} beats")
            object.__setattr__(self, name, value)
        gaps = tuple(sorted((float(a), float(b)) for a, b in self.gaps))
        if any(b < a for a, b in gaps):
            raise InputError("a gap is (start_s, end_s) with start_s <= end_s")
        object.__setattr__(self, "gaps", gaps)
        if self.rejected_s is not None:
            object.__setattr__(self, "rejected_s", np.asarray(self.rejected_s, dtype=float))
        if self.span_s is None and len(times):
            object.__setattr__(self, "span_s", (float(times[0]), float(times[-1])))
        joined = np.ones(max(len(times) - 1, 0), dtype=bool)
        for a, b in gaps:  # an interval that overlaps a gap is not an interval
            joined &= ~((times[:-1] < b) & (times[1:] > a))
        object.__setattr__(self, "_joined", joined)

    def __len__(self) -> int:
        return len(self.times_s)

    def __repr__(self) -> str:
        a, b = self.span_s or (float("nan"), float("nan"))
        kind = f", {self.kind}" if self.kind else ""
        gaps = f", {len(self.gaps)} gaps" if self.gaps else ""
        return f"Beats({len(self)} beats, {a:.2f}–{b:.2f} s{kind}{gaps})"

    @property
    def joined(self) -> np.ndarray:
        """Whether beat i and beat i + 1 are neighbours, bool (n - 1,): False across a gap."""
        return self._joined

    @property
    def intervals_ms(self) -> np.ndarray:
        """Inter-beat intervals in ms; those that would bridge a gap are left out."""
        return 1e3 * np.diff(self.times_s)[self._joined]

    @property
    def normal(self) -> np.ndarray:
        """Whether interval i is normal-to-normal (NN), bool (n - 1,): no gap, no ectopic beat."""
        if self.ectopic is None:
            return self._joined
        return self._joined & ~(self.ectopic[:-1] | self.ectopic[1:])

    @property
    def nn_ms(self) -> np.ndarray:
        """Normal-to-normal intervals in ms: those of ``intervals_ms`` without ectopic beats."""
        return 1e3 * np.diff(self.times_s)[self.normal]

    @property
    def rejected_share(self) -> float:
        """Share of the detections that were rejected, 0–1."""
        rejected = 0 if self.rejected_s is None else len(self.rejected_s)
        return rejected / max(rejected + len(self), 1)

    @property
    def interval_times_s(self) -> np.ndarray:
        """Time of the beat that closes each of ``intervals_ms``."""
        return self.times_s[1:][self._joined]

    @property
    def successive_ms(self) -> np.ndarray:
        """Differences of NN intervals that share a beat, ms: what RMSSD is made of."""
        both = self.normal[:-1] & self.normal[1:]
        return 1e3 * np.diff(self.times_s, n=2)[both]

    @property
    def coverage(self) -> float:
        """Share of the span outside gaps, 0–1."""
        if self.span_s is None or self.span_s[1] <= self.span_s[0]:
            return 0.0
        a, b = self.span_s
        seen, end = 0.0, a
        for start, stop in self.gaps:
            seen += max(min(start, b) - end, 0.0)
            end = max(end, min(stop, b))
        return (seen + max(b - end, 0.0)) / (b - a)

    def crop(self, start_s: float, end_s: float) -> Beats:
        """Beats with ``start_s <= time < end_s``, the gaps cut to that stretch, same clock."""
        keep = (self.times_s >= start_s) & (self.times_s < end_s)
        a, b = self.span_s or (start_s, end_s)
        columns = ((name, getattr(self, name)) for name in _A_BEAT)
        kept: dict[str, Any] = {n: None if each is None else each[keep] for n, each in columns}
        rejected = self.rejected_s
        return replace(
            self,
            times_s=self.times_s[keep],
            **kept,
            rejected_s=None
            if rejected is None
            else rejected[(rejected >= start_s) & (rejected < end_s)],
            gaps=[
                (max(g, start_s), min(h, end_s)) for g, h in self.gaps if h > start_s and g < end_s
            ],
            span_s=(max(a, start_s), max(min(b, end_s), max(a, start_s))),
        )
