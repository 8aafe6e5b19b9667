"""Reconstruct the even clock of samples that share timestamps.

Rounding (to seconds or hundredths, or an epoch in single precision) gives neighbouring samples one
timestamp. A radio link gives all samples of a packet its time of arrival. In both cases the samples
were taken at an even rate, which follows from the number of samples between two changes of the
timestamp. Averaging the samples of one timestamp would destroy the wave, and a line from the first
timestamp to the last is wrong by up to one step of the timestamp at either end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MIN_CHANGES = 3  # changes of the timestamp, so that two steps can be compared
_MIN_SAMPLES = 200  # between the first and the last change: the rate is then accurate to 0.5 %
_MULTIPLE_TOLERANCE = 1e-3  # relative deviation of a step from a multiple of the smallest step
_PACKET_SHARE = 0.5  # share of repeated timestamps from which on samples came in packets
_MIN_PACKETS = 5  # of a segment; fewer may be late packets
_MAX_DELAY_S = 2.0  # longest delay of a packet


@dataclass(frozen=True)
class EvenClock:
    """Time (s) of each sample, (n,), and the rate; ``certain`` is False next to lost samples."""

    times_s: np.ndarray
    certain: np.ndarray
    rate_hz: float


def repeated_share(stamps_s: np.ndarray) -> float:
    """Return the share (0–1) of samples with the same timestamp as the sample before."""
    return float((np.diff(stamps_s) == 0).mean()) if len(stamps_s) > 1 else 0.0


def even_clock(stamps_s: np.ndarray) -> EvenClock | None:
    """Reconstruct the even clock of repeated, sorted timestamps (n,); None if there is none.

    Where samples are lost, the clock jumps. Within the timestamp in which samples were lost the
    position of the loss is unknown, so the times of its samples are not certain.
    """
    first = np.r_[0, np.flatnonzero(np.diff(stamps_s) > 0) + 1]  # first sample of each timestamp
    # the first timestamp may have begun before the recording: only later ones are complete
    index, change_s = first[1:].astype(float), stamps_s[first[1:]]
    if len(index) < _MIN_CHANGES or index[-1] - index[0] < _MIN_SAMPLES:
        return None
    quantum = float(np.diff(change_s).min())
    multiples = np.diff(change_s) / quantum
    rounded = bool(
        (np.abs(multiples - np.round(multiples)) <= _MULTIPLE_TOLERANCE * multiples).all()
    )
    if not rounded and repeated_share(stamps_s) < _PACKET_SHARE:
        # six digits, of which growing times lose decimals: 99.992, then 100.01
        rounded, quantum = True, float(np.median(np.diff(change_s)))
    step_s = _estimate_step(index, change_s)
    segments = np.zeros(len(index), dtype=int)
    for _ in range(3):
        segments = _number_segments(index, change_s, step_s, rounded=rounded)
        step_s = _refine_step(index, change_s, segments, step_s)
    delay_s = change_s - index * step_s
    offset_s = np.array([np.median(delay_s[segments == k]) for k in range(segments[-1] + 1)])
    # a segment begins with the first sample of its first timestamp
    segment_of_sample = np.r_[0, segments][
        np.searchsorted(first, np.arange(len(stamps_s)), "right") - 1
    ]
    times = offset_s[segment_of_sample] + np.arange(len(stamps_s)) * step_s
    certain = _certain(first, segments, len(stamps_s), rounded=rounded)
    if certain.mean() < 0.5 or (np.diff(times) <= 0).any():
        return None
    error_s, packet_s = np.abs(times - stamps_s)[certain], step_s * float(np.median(np.diff(index)))
    max_error_s = quantum + 1.01 * step_s if rounded else _MAX_DELAY_S
    usual_error_s = max_error_s if rounded else 0.05 + 2 * packet_s
    if error_s.max() > max_error_s or np.quantile(error_s, 0.9) > usual_error_s:
        return None
    return EvenClock(times, certain, 1 / step_s)


def _estimate_step(index: np.ndarray, change_s: np.ndarray) -> float:
    """Estimate the step (s) as the median over spans of a sixth of the recording.

    Most of these spans are free of losses.
    """
    span = max(1, len(index) // 6)
    slopes = (change_s[span:] - change_s[:-span]) / (index[span:] - index[:-span])
    return float(np.median(slopes))


def _number_segments(
    index: np.ndarray, change_s: np.ndarray, step_s: float, *, rounded: bool
) -> np.ndarray:
    """Return for each timestamp the number of its segment, a stretch without lost samples.

    A late packet is followed by punctual ones; after a loss all packets are later. So the minimum
    delay of all following packets increases only at a loss.
    """
    delay_s = change_s - index * step_s
    min_later_delay_s = np.minimum.accumulate(delay_s[::-1])[::-1]
    packet_samples = float(np.median(np.diff(index)))
    max_increase_s = step_s * (1.5 if rounded else max(1.5, 0.5 * packet_samples))
    return np.r_[0, np.cumsum(np.diff(min_later_delay_s) > max_increase_s)]


def _refine_step(
    index: np.ndarray, change_s: np.ndarray, segments: np.ndarray, step_s: float
) -> float:
    """Fit one step (s) to all segments by least squares, each segment with its own offset."""
    centred_index, centred_s = index.copy(), change_s.copy()
    for k in range(segments[-1] + 1):
        inside = segments == k
        centred_index[inside] -= centred_index[inside].mean()
        centred_s[inside] -= centred_s[inside].mean()
    total = float(centred_index @ centred_index)
    return float(centred_index @ centred_s) / total if total else step_s


def _certain(first: np.ndarray, segments: np.ndarray, n: int, *, rounded: bool) -> np.ndarray:
    """Mark samples (n,) whose side of every loss is certain."""
    certain = np.ones(n, dtype=bool)
    if not rounded:  # a segment of a few packets may be late packets, not a loss
        short = np.bincount(segments)[segments] < _MIN_PACKETS
        short &= segments > 0
        bounds = np.r_[first[1:], n]
        for k in np.flatnonzero(short):
            certain[bounds[k] : bounds[k + 1]] = False
        return certain
    for k in np.flatnonzero(np.diff(segments) > 0):  # lost after timestamp k began, before k + 1
        certain[first[k + 1] : first[k + 2]] = False
    return certain
