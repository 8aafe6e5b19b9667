"""Reconstruct the even clock of samples that share timestamps.

Rounding (whole seconds, hundredths, an epoch in single precision) gives neighbouring samples one
timestamp; a radio link gives all samples of a packet its time of arrival. Both hide an even clock,
which the numbers of samples between two changes of the timestamp reveal. Averaging the samples of
one timestamp would destroy the wave, and a line from the first timestamp to the last is wrong by up
to a whole step at either end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FEWEST = 3  # changes of the stamp: two steps that agree
_SURE = 200  # samples between the first and the last change: the rate is right to 1/2 percent
_WHOLE = 1e-3  # of a step: how far from a multiple of the smallest it may be
_PACKET = 0.5  # share of samples with the stamp of the one before: two or more a packet
_LAST = 5  # packets
_LATEST_S = 2.0  # a packet that came later than this was not merely late


@dataclass(frozen=True)
class EvenClock:
    """Time (s) of each sample, (n,); ``certain`` is False next to lost samples."""

    times_s: np.ndarray
    certain: np.ndarray
    rate_hz: float


def shared(stamps_s: np.ndarray) -> float:
    """Return the share (0–1) of samples with the timestamp of the one before."""
    return float((np.diff(stamps_s) == 0).mean()) if len(stamps_s) > 1 else 0.0


def even_clock(stamps_s: np.ndarray) -> EvenClock | None:
    """Reconstruct the even clock of repeated, sorted timestamps (n,); None if there is none.

    Where samples are lost, the clock jumps. Within the second (or hundredth …) of a loss the place
    of the loss is unknown, so its samples are not certain.
    """
    first = np.r_[0, np.flatnonzero(np.diff(stamps_s) > 0) + 1]  # sample of each new stamp
    # the first stamp may have begun before the recording did: from the second on they are whole
    index, stamp = first[1:].astype(float), stamps_s[first[1:]]
    if len(index) < _FEWEST or index[-1] - index[0] < _SURE:
        return None
    quantum = float(np.diff(stamp).min())
    multiples = np.diff(stamp) / quantum
    rounded = bool((np.abs(multiples - np.round(multiples)) <= _WHOLE * multiples).all())
    if not rounded and shared(stamps_s) < _PACKET:  # six digits: 99.992, then 100.01
        rounded, quantum = True, float(np.median(np.diff(stamp)))
    step_s = _step(index, stamp)
    pieces = np.zeros(len(index), dtype=int)
    for _ in range(3):
        pieces = _pieces(index, stamp, step_s, rounded=rounded)
        step_s = _refined(index, stamp, pieces, step_s)
    late = stamp - index * step_s
    offsets = np.array([np.median(late[pieces == k]) for k in range(pieces[-1] + 1)])
    # sample -> piece: a new one begins with its first stamp
    of_sample = np.r_[0, pieces][np.searchsorted(first, np.arange(len(stamps_s)), "right") - 1]
    times = offsets[of_sample] + np.arange(len(stamps_s)) * step_s
    certain = _certain(first, pieces, len(stamps_s), rounded=rounded)
    if certain.mean() < 0.5 or (np.diff(times) <= 0).any():
        return None
    off, packet_s = np.abs(times - stamps_s)[certain], step_s * float(np.median(np.diff(index)))
    most = quantum + 1.01 * step_s if rounded else _LATEST_S
    usual = most if rounded else 0.05 + 2 * packet_s
    if off.max() > most or np.quantile(off, 0.9) > usual:
        return None
    return EvenClock(times, certain, 1 / step_s)


def _step(index: np.ndarray, stamp: np.ndarray) -> float:
    """Estimate the step (s) from spans of a sixth of the recording, most of them without a loss."""
    span = max(1, len(index) // 6)
    slopes = (stamp[span:] - stamp[:-span]) / (index[span:] - index[:-span])
    return float(np.median(slopes))


def _pieces(index: np.ndarray, stamp: np.ndarray, step_s: float, *, rounded: bool) -> np.ndarray:
    """Number the stretches without lost samples, for each timestamp.

    A late packet is followed by punctual ones; after a loss all are later. So the least delay of
    all following packets increases only at a loss.
    """
    late = stamp - index * step_s
    least = np.minimum.accumulate(late[::-1])[::-1]
    packet = float(np.median(np.diff(index)))
    most = step_s * (1.5 if rounded else max(1.5, 0.5 * packet))
    return np.r_[0, np.cumsum(np.diff(least) > most)]


def _refined(index: np.ndarray, stamp: np.ndarray, pieces: np.ndarray, step_s: float) -> float:
    """Fit one step (s) to all stretches, each with its own offset."""
    i, t = index.copy(), stamp.copy()
    for k in range(pieces[-1] + 1):
        inside = pieces == k
        i[inside] -= i[inside].mean()
        t[inside] -= t[inside].mean()
    total = float(i @ i)
    return float(i @ t) / total if total else step_s


def _certain(first: np.ndarray, pieces: np.ndarray, n: int, *, rounded: bool) -> np.ndarray:
    """Mark samples (n,) that are certain to lie on one side of a loss."""
    certain = np.ones(n, dtype=bool)
    if not rounded:  # a few packets before a loss, or the end, may be merely late
        of_packet = np.bincount(pieces)[pieces] < _LAST
        of_packet &= pieces > 0
        bounds = np.r_[first[1:], n]
        for k in np.flatnonzero(of_packet):
            certain[bounds[k] : bounds[k + 1]] = False
        return certain
    for k in np.flatnonzero(np.diff(pieces) > 0):  # lost after stamp k began, before k + 1
        certain[first[k + 1] : first[k + 2]] = False
    return certain
