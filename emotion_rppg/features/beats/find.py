"""Detect the heart beats of a recording, and its gaps.

A recording is cut into stretches without long holes. In each, `detect` finds candidates and
`acceptance` accepts or rejects them; then the stretches are joined again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.acceptance import Judged, judge_beats
from emotion_rppg.features.beats.detect import detect, without_false_ends
from emotion_rppg.features.beats.kinds import KINDS, wave_kinds
from emotion_rppg.features.beats.signal_kind import Detected, no_beats
from emotion_rppg.signals import LONGEST_HOLE_S, Beats, Signal

FIDUCIALS = ("peak", "foot", "slope")
LEAST_RATE_HZ = 10.0
FLAT_S = 2.0  # a longer stretch of one value counts as missing
LEAST_RUN_S = 4.0  # shorter stretches have too few beats to distinguish a pulse from noise


def find_beats(signal: Signal, *, fiducial: str = "peak") -> Beats:
    """Detect the heart beats of a recording, in seconds, by ``signal.kind``.

    Parameters
    ----------
    signal : Signal
        Of a kind in `KINDS` (``"rppg"``, ``"bvp"``, ``"ecg"``), 15–2000 Hz; a pulse wave rises with
        blood volume. Up to half a second of missing samples (NaN) is interpolated; more is a gap.
    fiducial : str
        The point of each pulse that defines its time: ``"peak"``, ``"foot"`` (the minimum before
        it) or ``"slope"`` (the steepest rise between the two). For an ECG it is the R peak.

    Returns
    -------
    Beats
        ``confidence`` 0–1: similarity of each beat's shape to its neighbours; ``timing_sd_s``:
        standard error of each time from the noise of the wave, None for an ECG; ``ectopic``: early
        beats followed by a pause; ``rejected_s``: rejected detections; ``gaps``: stretches that are
        missing, silent or without accepted beats. No beat is moved or inserted.

    Raises
    ------
    InputError
        The kind has no beats, the fiducial is unknown, or the rate is below 10 Hz.
    """
    if signal.kind not in wave_kinds():
        raise InputError(
            f"beats are detected in signals of kind {', '.join(wave_kinds())}; this one is "
            f"{signal.kind!r}: set the kind, such as Signal(…, kind={next(iter(KINDS))!r})"
        )
    if fiducial not in FIDUCIALS:
        raise InputError(f"unknown fiducial {fiducial!r}; known: {', '.join(FIDUCIALS)}")
    if signal.rate_hz < LEAST_RATE_HZ:
        raise InputError(
            f"beats cannot be detected at {signal.rate_hz:g} samples a second: want 15 or more"
        )
    signal = _without_flat(signal)
    parts = [_beats_of_run(signal, first, stop, fiducial) for first, stop in _runs(signal)]
    return _assembled(signal, parts)


def _beats_of_run(signal: Signal, first: int, stop: int, fiducial: str) -> Judged:
    """Accepted beats and gaps of one stretch of samples, on the recording's clock, s."""
    kind = signal.kind or ""
    run = Signal(_filled(signal.samples[first:stop]), signal.rate_hz, kind=kind)
    detector = KINDS[kind].detect
    assert detector is not None
    detected = without_false_ends(detect(run, detector, fiducial), run.duration_s)
    judged = judge_beats(detected, run, signal, first)
    start_s = signal.start_s + first / signal.rate_hz
    return Judged(
        judged.beats._replace(times_s=judged.beats.times_s + start_s),
        judged.ectopic,
        [(a + start_s, b + start_s) for a, b in judged.gaps],
        judged.rejected_s + start_s,
    )


def _runs(signal: Signal) -> list[tuple[int, int]]:
    """Index ranges of stretches of samples; those with only a short hole between are joined."""
    hole = _longest_hole(signal)
    joined: list[tuple[int, int]] = []
    for first, stop in signal.runs():
        if joined and first - joined[-1][1] <= hole:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((first, stop))
    least = LEAST_RUN_S * signal.rate_hz
    return [(first, stop) for first, stop in joined if stop - first >= least]


def _without_flat(signal: Signal) -> Signal:
    """Set long stretches of one value to NaN: the sensor is off, saturated or unplugged."""
    x = signal.samples
    same = np.r_[False, x[1:] == x[:-1], False].astype(int)
    edges = np.flatnonzero(np.diff(same)).reshape(-1, 2)
    edges = edges[np.diff(edges, axis=1)[:, 0] >= FLAT_S * signal.rate_hz]
    if not len(edges):
        return signal
    x = x.copy()
    for first, last in edges:
        x[first : last + 1] = np.nan
    return replace(signal, samples=x)


def _longest_hole(signal: Signal) -> float:
    """Number of missing samples that are interpolated: as many as in `Signal.from_times`."""
    return max(LONGEST_HOLE_S * signal.rate_hz, 3.0) + 1e-6


def _filled(samples: np.ndarray) -> np.ndarray:
    """Samples with linear interpolation over NaN, (n,)."""
    known = np.isfinite(samples)
    return np.interp(np.arange(len(samples)), np.flatnonzero(known), samples[known])


def _assembled(signal: Signal, parts: list[Judged]) -> Beats:
    """Join the beats of all stretches; missing samples between them become gaps."""
    timed = KINDS[signal.kind or ""].pulse_wave
    missing = _missing(signal)
    gaps = [*missing, *(gap for part in parts for gap in part.gaps)]
    if not any(len(part.beats.times_s) for part in parts):
        gaps = [(signal.start_s, signal.end_s)] if len(signal) else []
    columns = [no_beats(), *(part.beats for part in parts)]
    beats = Detected(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    ectopic = np.concatenate([np.zeros(0, dtype=bool), *(part.ectopic for part in parts)])
    valid = (beats.times_s >= signal.start_s) & (beats.times_s < signal.end_s)
    for start, end in missing:
        valid &= ~((beats.times_s > start) & (beats.times_s < end))
    return Beats(
        beats.times_s[valid],
        beats.confidence[valid],
        _merged(gaps),
        kind=signal.kind,
        span_s=(signal.start_s, signal.end_s),
        timing_sd_s=beats.error_s[valid] if timed else None,
        difference_sd_s=beats.difference_s[valid] if timed else None,
        ectopic=ectopic[valid],
        rejected_s=np.concatenate([np.zeros(0), *(part.rejected_s for part in parts)]),
    )


def _merged(gaps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Gaps in order, s; those that overlap or touch are merged."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(gaps):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _missing(signal: Signal) -> list[tuple[float, float]]:
    """Stretches of missing samples without the interpolated holes, s."""
    edges = np.flatnonzero(np.diff(np.r_[0, (~np.isfinite(signal.samples)).astype(int), 0]))
    holes = edges.reshape(-1, 2)
    inner = (holes[:, 0] > 0) & (holes[:, 1] < len(signal))
    holes = holes[~inner | (np.diff(holes, axis=1)[:, 0] > _longest_hole(signal))]
    return [(float(a), float(b)) for a, b in signal.start_s + holes / signal.rate_hz]
