"""Entropy and fractal features of a stretch of inter-beat intervals."""

from __future__ import annotations

import numpy as np

LEAST_INTERVALS, MOST_INTERVALS = 99, 5000
DFA_BEATS = np.arange(4, 12)
HIGUCHI_K = np.arange(1, 11)


def nonlinear_features(nn: np.ndarray) -> dict[str, float]:
    """Compute ApEn, SampEn, DFA α1 and Higuchi's dimension of intervals (ms), (n,) without NaN.

    NaN for fewer than 100 beats or constant intervals. The entropies assume a stationary stretch
    and take time proportional to its square: above 5,000 intervals they are NaN, too (cut the
    recording into windows).
    """
    nan = float("nan")
    values = {"apen": nan, "sampen": nan, "dfa_alpha1": nan, "higuchi": nan}
    if len(nn) < LEAST_INTERVALS or np.std(nn) < 1e-6:
        return values
    if len(nn) <= MOST_INTERVALS:
        values["apen"], values["sampen"] = entropies(nn, 0.2 * float(np.std(nn, ddof=1)))
    values["dfa_alpha1"] = dfa(nn)
    values["higuchi"] = higuchi(nn)
    return {name: value if np.isfinite(value) else nan for name, value in values.items()}


def entropies(nn: np.ndarray, tolerance: float) -> tuple[float, float]:
    """Compute approximate (Pincus 1991) and sample entropy (Richman and Moorman 2000), m = 2.

    Sample entropy is NaN if there is no match.
    """
    n = len(nn)
    one, two, three = np.zeros(n - 1), np.zeros(n - 1), np.zeros(n - 2)
    for rows in np.array_split(np.arange(n - 1), max(1, n * n // 1_000_000)):
        near = np.abs(nn[rows, None] - nn) <= tolerance
        after = np.abs(nn[rows + 1, None] - nn) <= tolerance
        pair = near[:, :-1] & after[:, 1:]
        two[rows] = pair.sum(axis=1)
        one[rows] = pair[:, :-1].sum(axis=1)
        inner = rows[rows < n - 2]
        last = np.abs(nn[inner + 2, None] - nn[2:]) <= tolerance
        three[inner] = (pair[: len(inner), :-1] & last).sum(axis=1)
    apen = abs(np.log(two / (n - 1)).mean() - np.log(three / (n - 2)).mean())
    matches, longer = (one[: n - 2] - 1).sum(), (three - 1).sum()
    sampen = -np.log(longer / matches) if matches > 0 and longer > 0 else float("nan")
    return float(apen), float(sampen)


def dfa(nn: np.ndarray) -> float:
    """Compute DFA α1: slope of log fluctuation over log box size, 4–11 beats (Peng et al. 1995).

    Boxes overlap by half.
    """
    walk = np.cumsum(nn - nn.mean())
    spread = []
    for box in DFA_BEATS.tolist():
        boxes = np.lib.stride_tricks.sliding_window_view(walk, box)[: len(walk) - box : box // 2]
        ramp = np.arange(box) - (box - 1) / 2
        flat = boxes - boxes.mean(axis=1, keepdims=True)
        flat = flat - (flat @ ramp / (ramp @ ramp))[:, None] * ramp
        variance = (flat**2).mean(axis=1)
        variance = variance[variance > 1e-8]
        spread.append(np.sqrt(variance.mean()) if len(variance) else np.nan)
    return float(np.polyfit(np.log2(DFA_BEATS), np.log2(spread), 1)[0])


def higuchi(nn: np.ndarray) -> float:
    """Compute the fractal dimension: slope of log curve length over log 1/k (Higuchi 1988)."""
    n, lengths = len(nn), []
    for k in HIGUCHI_K:
        length = []
        for m in range(k):
            steps = np.abs(np.diff(nn[m::k]))
            length.append(steps.sum() * (n - 1) / (len(steps) * k) / k)
        lengths.append(np.mean(length))
    if min(lengths) <= 0:
        return float("nan")
    return float(-np.polyfit(np.log(HIGUCHI_K), np.log(lengths), 1)[0])
