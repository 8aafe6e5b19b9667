"""Heart-rate variability of windows of beats: one fixed schema, units in the names.

From a camera or a contact PPG these are pulse-rate variability (PRV): the pulse's travel time
varies too, which inflates the short-term features (Schäfer and Vagedes 2013).

Minimum durations: Task Force 1996 for spectra and histograms (two minutes for LF, five for VLF,
the total and the histogram); below that, the windows that agree with five minutes: 10 s for the
rate, 30 s for RMSSD, 60 s for pNN50 (Baek et al. 2015), and for SDNN the least of the 60 to 240 s
that Shaffer and Ginsberg 2017 report.

Values equal NeuroKit2's on the same beats where the definitions agree. They do not in:

- ``pnn20_pct``, ``pnn50_pct``: share of the successive differences; NeuroKit2 divides by one more.
- ``tinn_ms``: least squares over whole bins on both sides, searched in full; NeuroKit2's search
  does not start the right side anew for each left side.
- ``total_power_ms2`` is VLF + LF + HF, ``lf_nu`` and ``hf_nu`` are shares of LF + HF (Task Force
  1996) in per cent; NeuroKit2 counts everything below 0.5 Hz and gives fractions of that.
- ``vlf_ms2``: all of 0.0033–0.04 Hz; NeuroKit2 leaves out what lies below two cycles a segment.
- band powers are in ms²: NeuroKit2's with ``normalize=False``.
- variability is that of normal-to-normal intervals: those beside an ectopic beat are left out; the
  heart rate counts every beat.
- across a gap no interval, no difference, no pair, no spectrum reaches: NeuroKit2 fills it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.features.family import QUALITY_GROUP, Column, Family, StandardError
from emotion_rppg.features.hrv import nonlinear, spectra
from emotion_rppg.features.hrv.standard_errors import standard_errors
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd


_TF, _SG = "Task Force 1996", "Shaffer and Ginsberg 2017"
_BR, _TO = "Brennan et al. 2001", "Toichi et al. 1997"

COLUMNS: dict[str, Column] = {
    "hr_bpm": Column("1/min", "60,000 / mean interval, ectopic beats included", _SG, 10),
    "mean_nn_ms": Column("ms", "mean NN interval", _SG, 10),
    "sdnn_ms": Column("ms", "standard deviation of NN intervals (n - 1)", _TF, 60),
    "rmssd_ms": Column("ms", "root mean square of successive differences", _TF, 30),
    "sdsd_ms": Column("ms", "standard deviation of successive differences (n - 1)", _TF, 30),
    "pnn20_pct": Column("%", "successive differences above 20 ms", "Mietus et al. 2002", 30),
    "pnn50_pct": Column("%", "successive differences above 50 ms", _TF, 60),
    "cvnn": Column("1", "sdnn_ms / mean_nn_ms", _SG, 60),
    "cvsd": Column("1", "rmssd_ms / mean_nn_ms", _SG, 30),
    "median_nn_ms": Column("ms", "median interval", _SG, 10),
    "mad_nn_ms": Column("ms", "1.4826 × median absolute deviation from the median", _SG, 60),
    "iqr_nn_ms": Column("ms", "interquartile range of intervals", _SG, 60),
    "hti": Column("1", "intervals / highest bin of their histogram (1/128 s bins)", _TF, 300),
    "tinn_ms": Column("ms", "base of the triangle that fits that histogram best", _TF, 300),
    "vlf_ms2": Column("ms²", "power in 0.0033–0.04 Hz (Welch)", _TF, 300),
    "lf_ms2": Column("ms²", "power in 0.04–0.15 Hz (Welch)", _TF, 120),
    "hf_ms2": Column("ms²", "power in 0.15–0.4 Hz (Welch)", _TF, 30),
    "total_power_ms2": Column("ms²", "vlf_ms2 + lf_ms2 + hf_ms2", _TF, 300),
    "lf_hf": Column("1", "lf_ms2 / hf_ms2; not a balance of anything (Billman 2013)", _TF, 120),
    "lf_nu": Column("%", "100 × LF / (LF + HF)", _TF, 120),
    "hf_nu": Column("%", "100 × HF / (LF + HF)", _TF, 120),
    "ln_hf": Column("ln ms²", "natural logarithm of hf_ms2", _SG, 30),
    "lf_peak_hz": Column("Hz", "frequency of the highest power in LF", _SG, 120),
    "hf_peak_hz": Column("Hz", "frequency of the highest power in HF", _SG, 30),
    "lf_lomb_ms2": Column("ms²", "LF power of the raw intervals", "Lomb 1976, Scargle 1982", 120),
    "hf_lomb_ms2": Column("ms²", "HF power of the raw intervals", "Lomb 1976, Scargle 1982", 30),
    "sd1_ms": Column("ms", "spread across the identity line of the Poincaré plot", _BR, 30),
    "sd2_ms": Column("ms", "spread along the identity line of the Poincaré plot", _BR, 60),
    "sd1_sd2": Column("1", "sd1_ms / sd2_ms", _BR, 60),
    "csi": Column("1", "sd2_ms / sd1_ms", _TO, 60),
    "cvi": Column("1", "log10(16 × sd1_ms × sd2_ms)", _TO, 60),
    "apen": Column("1", "approximate entropy, m 2, r 0.2 sdnn; 100 beats", "Pincus 1991", 120),
    "sampen": Column(
        "1", "sample entropy, m 2, r 0.2 sdnn; 100 beats", "Richman and Moorman 2000", 120
    ),
    "dfa_alpha1": Column(
        "1", "slope of detrended fluctuation over 4–11 beats; 100 beats", "Peng et al. 1995", 120
    ),
    "higuchi": Column("1", "fractal dimension, k up to 10; 100 beats", "Higuchi 1988", 120),
    "resp_rate_per_min": Column(
        "1/min",
        "60 × the frequency of the highest power of the intervals (Lomb) in 0.15–0.5 Hz, where "
        "none of 0.1–0.15 Hz is higher: breathing, where it moves the rate",
        "Schäfer and Kratky 2008",
        60,
    ),
    "hr_se_bpm": Column("1/min", "standard error of hr_bpm", "", 10),
    "mean_nn_se_ms": Column("ms", "standard error of mean_nn_ms", "", 10),
    "sdnn_se_ms": Column("ms", "standard error of sdnn_ms", "", 60),
    "rmssd_se_ms": Column("ms", "standard error of rmssd_ms", "", 30),
    "n_beats": Column("1", "beats in the window", "", 0),
    "coverage": Column("1", "share of the window outside gaps", "", 0),
    "corrected_share": Column("1", "share of detections rejected as artefacts", "", 0),
    "ectopic_share": Column("1", "share of beats that come early, followed by a pause", "", 0),
}
ABOUT = ("n_beats", "coverage", "corrected_share", "ectopic_share")  # a window, not the heart
_SPECTRUM = (
    "vlf_ms2 lf_ms2 hf_ms2 total_power_ms2 lf_hf lf_nu hf_nu ln_hf lf_peak_hz hf_peak_hz "
    "lf_lomb_ms2 hf_lomb_ms2 resp_rate_per_min"
)
_TIME = "sdnn_ms rmssd_ms sdsd_ms pnn20_pct pnn50_pct cvnn cvsd mad_nn_ms iqr_nn_ms hti tinn_ms"
_NONLINEAR = "sd1_ms sd2_ms sd1_sd2 csi cvi apen sampen dfa_alpha1 higuchi"
_QUALITY = "coverage corrected_share ectopic_share hr_se_bpm mean_nn_se_ms sdnn_se_ms rmssd_se_ms"
# Which standard error a feature stands or falls with: that of the fast or of all variability
_FAST = (
    "rmssd_ms sdsd_ms pnn20_pct pnn50_pct cvsd hf_ms2 ln_hf hf_peak_hz hf_lomb_ms2 lf_hf lf_nu "
    "hf_nu sd1_ms sd1_sd2 csi cvi apen sampen dfa_alpha1 higuchi resp_rate_per_min"
)
_ALL = (
    "sdnn_ms cvnn mad_nn_ms iqr_nn_ms hti tinn_ms vlf_ms2 lf_ms2 total_power_ms2 lf_peak_hz "
    "lf_lomb_ms2 sd2_ms"
)
# The Poincaré plot's are SDNN and RMSSD again (Brennan et al. 2001) but for terms of the number of
# beats: rmssd_ms / sdsd_ms is sqrt(1 - 1 / n). The grid of spectral peaks is as wide as one over
# the length.
_REVEAL_LENGTH = "sdsd_ms sd1_ms sd2_ms sd1_sd2 csi cvi lf_peak_hz hf_peak_hz"
# Standard errors as large as the differences between people are: twice the standard deviation of
# 15 ms that RMSSD has over healthy adults at rest, and of SDNN alike (Nunan et al. 2010)
_WITHHOLD = {
    "hr_se_bpm": StandardError("hr_bpm", "heart rate", 5.0),
    "mean_nn_se_ms": StandardError("mean_nn_ms", "mean interval", 50.0),
    "sdnn_se_ms": StandardError("sdnn_ms", "SDNN", 30.0, normal=True),
    "rmssd_se_ms": StandardError("rmssd_ms", "RMSSD", 30.0, normal=True),
}
_FACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("hr_bpm mean_nn_ms median_nn_ms n_beats", {"group": "heart rate"}),
    (_TIME, {"group": "variability in time"}),
    (_SPECTRUM, {"group": "spectrum, breathing"}),
    (_NONLINEAR, {"group": "nonlinear"}),
    (_QUALITY, {"group": QUALITY_GROUP, "role": "recording"}),
    ("n_beats", {"role": "recording"}),
    (_FAST, {"error": "rmssd_se_ms"}),
    (_ALL, {"error": "sdnn_se_ms"}),
    ("hr_bpm", {"error": "hr_se_bpm"}),
    ("mean_nn_ms median_nn_ms", {"error": "mean_nn_se_ms"}),
    (_REVEAL_LENGTH, {"reveals_length": True}),
    ("pnn20_pct pnn50_pct", {"step": 5.0}),  # one beat's share is the finer the more there are
    ("resp_rate_per_min", {"step": 1.0}),
    (" ".join(ABOUT), {"always": True}),
    *((name, {"withholds": rule}) for name, rule in _WITHHOLD.items()),
)
for _names, _facts in _FACTS:
    COLUMNS |= {name: replace(COLUMNS[name], **_facts) for name in _names.split()}

LEAST_BEATS = 3
TOLERANCE = 0.02  # a minute of video at 30 Hz may be 59.9 s long
BIN_MS = 1000 / 128
CELLS = 2_000_000  # of a padded block, so that memory stays bounded


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Features of each window, one row each: ``COLUMNS`` in order, float64.

    A value is NaN where the window spans less than its column's ``minimum_s``, holds fewer than
    three beats, or leaves it undefined. Gaps are never bridged. Spectra and the nonlinear features
    are those of the longest stretch without a gap, and NaN where that is shorter than 90 % of
    their minimum.

    Parameters
    ----------
    list_of_beats : list of Beats
        One a window.
    signals : ignored
        The windows' waves, which every family is given: intervals need none.
    """
    import pandas as pd

    names = [name for name in COLUMNS if name not in ABOUT]
    values = {name: np.full(len(list_of_beats), np.nan) for name in names}
    for rows, intervals, nn in _blocks(list_of_beats):
        for name, column in _time_domain(intervals, nn).items():
            values[name][rows] = column
    spans = np.array([_span(beats) for beats in list_of_beats])
    for i, beats in enumerate(list_of_beats):
        if len(beats) >= LEAST_BEATS:
            errors = standard_errors(beats)._asdict()
            for name, value in (_of_one(beats, spans[i]) | errors).items():
                values[name][i] = value
    few = np.array([len(beats) < LEAST_BEATS for beats in list_of_beats], dtype=bool)
    for name in names:
        values[name][few | (spans < COLUMNS[name].minimum_s * (1 - TOLERANCE))] = np.nan
    values["n_beats"] = np.array([float(len(beats)) for beats in list_of_beats])
    values["coverage"] = np.array([beats.coverage for beats in list_of_beats], dtype=float)
    values["corrected_share"] = np.array([_rejected(beats) for beats in list_of_beats], float)
    values["ectopic_share"] = np.array([_ectopic(beats) for beats in list_of_beats], float)
    return pd.DataFrame({name: values[name] for name in COLUMNS}, dtype=float)


def _span(beats: Beats) -> float:
    return beats.span_s[1] - beats.span_s[0] if beats.span_s else 0.0


def _rejected(beats: Beats) -> float:
    """Share of detections rejected, or of beats moved or put in by somebody else's correction."""
    moved = 0.0 if beats.corrected is None or not len(beats) else float(beats.corrected.mean())
    if not len(beats) and not beats.rejected_share:
        return float("nan")
    return max(moved, beats.rejected_share)


def _ectopic(beats: Beats) -> float:
    if not len(beats):
        return float("nan")
    return 0.0 if beats.ectopic is None else float(beats.ectopic.mean())


def _intervals(beats: Beats, which: np.ndarray) -> np.ndarray:
    """Intervals, ms, (n - 1,), NaN where not ``which``; to a nanosecond, so that 50 ms are 50."""
    return np.where(which, np.round(1e3 * np.diff(beats.times_s), 6), np.nan)


def _blocks(list_of_beats: list[Beats]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Row numbers, their intervals and NN intervals padded with NaN (rows, longest) each.

    Like lengths come together.
    """
    lengths = np.array([len(beats) for beats in list_of_beats], dtype=int)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] >= LEAST_BEATS]
    while len(order):
        longest = lengths[order[-1]]
        rows = order[-max(1, CELLS // longest) :]
        order = order[: -len(rows)]
        intervals, nn = np.full((2, len(rows), longest - 1), np.nan)
        for k, row in enumerate(rows):
            beats, own = list_of_beats[row], slice(0, lengths[row] - 1)
            intervals[k, own] = _intervals(beats, beats.joined)
            nn[k, own] = _intervals(beats, beats.normal)
        yield rows, intervals, nn


def _time_domain(intervals: np.ndarray, nn: np.ndarray) -> dict[str, np.ndarray]:
    """Of intervals and NN intervals (rows, n) with NaN where there is none."""
    diff = np.diff(nn, axis=1)
    sum_x1, sum_x2 = _std(diff / np.sqrt(2)), _std((nn[:, 1:] + nn[:, :-1]) / np.sqrt(2))
    mean, sdnn, rmssd = _mean(nn), _std(nn), np.sqrt(_mean(diff**2))
    ordered = np.sort(nn, axis=1)
    median = _quantile(ordered, 0.5)
    away = np.sort(np.abs(nn - median[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "hr_bpm": 60_000 / _mean(intervals),
            "mean_nn_ms": mean,
            "sdnn_ms": sdnn,
            "rmssd_ms": rmssd,
            "sdsd_ms": _std(diff),
            "pnn20_pct": 100 * _mean(_above(diff, 20)),
            "pnn50_pct": 100 * _mean(_above(diff, 50)),
            "cvnn": sdnn / mean,
            "cvsd": rmssd / mean,
            "median_nn_ms": median,
            "mad_nn_ms": 1.4826 * _quantile(away, 0.5),
            "iqr_nn_ms": _quantile(ordered, 0.75) - _quantile(ordered, 0.25),
            "sd1_ms": sum_x1,
            "sd2_ms": sum_x2,
            "sd1_sd2": sum_x1 / sum_x2,
            "csi": sum_x2 / sum_x1,
            "cvi": np.log10(16 * sum_x1 * sum_x2),
        }
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in found.items()}


def _above(diff: np.ndarray, ms: float) -> np.ndarray:
    return np.where(np.isnan(diff), np.nan, np.abs(diff) > ms)


def _mean(x: np.ndarray) -> np.ndarray:
    n = np.isfinite(x).sum(axis=1)
    return np.asarray(np.where(n > 0, np.nansum(x, axis=1) / np.maximum(n, 1), np.nan))


def _std(x: np.ndarray) -> np.ndarray:
    n = np.isfinite(x).sum(axis=1)
    square = np.nansum((x - _mean(x)[:, None]) ** 2, axis=1)
    return np.asarray(np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan))


def _quantile(ordered: np.ndarray, q: float) -> np.ndarray:
    """Of rows sorted with their NaN last, between values linearly."""
    n = np.isfinite(ordered).sum(axis=1)
    at = q * np.maximum(n - 1, 0)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    rows = np.arange(len(ordered))
    a, b = ordered[rows, low], ordered[rows, high]
    return np.asarray(a + (at - low) * (b - a))


def _of_one(beats: Beats, span_s: float) -> dict[str, float]:
    """What is not worth padding: histogram, spectra, nonlinear features."""
    found: dict[str, float] = {}
    long = span_s / (1 - TOLERANCE)
    nn = _intervals(beats, beats.normal)
    if long >= COLUMNS["hti"].minimum_s and np.isfinite(nn).any():
        found.update(_histogram(nn[np.isfinite(nn)]))
    if long >= COLUMNS["hf_ms2"].minimum_s:
        found.update(spectra.lomb(beats.times_s[1:], nn, respiration=long >= 60))
    stretch = _longest(nn)
    covers_s = stretch.sum() / 1e3
    for names, minimum_s, of in (
        (("hf_ms2", "hf_peak_hz", "ln_hf"), 30, spectra.welch),
        (("lf_ms2", "lf_hf", "lf_nu", "hf_nu", "lf_peak_hz"), 120, spectra.welch),
        (("vlf_ms2", "total_power_ms2"), 300, spectra.welch),
        (("apen", "sampen", "dfa_alpha1", "higuchi"), 120, nonlinear.features),
    ):
        if long >= minimum_s and covers_s >= 0.9 * minimum_s:
            value = of(stretch)
            found.update({name: value[name] for name in names})
    return found


def _longest(nn: np.ndarray) -> np.ndarray:
    """The longest stretch (in time) of intervals between NaN."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.isfinite(nn).astype(int), 0])).reshape(-1, 2)
    if not len(edges):
        return nn[:0]
    first, stop = max(edges, key=lambda e: nn[e[0] : e[1]].sum())
    return nn[first:stop]


def _histogram(nn: np.ndarray) -> dict[str, float]:
    edges = np.arange(0, nn.max() + BIN_MS, BIN_MS)
    count, _ = np.histogram(nn, bins=edges)
    top = int(count.argmax())
    return {"hti": len(nn) / count[top], "tinn_ms": _tinn(count, top)}


def _tinn(count: np.ndarray, top: int) -> float:
    """Base (ms) of the best triangle with its tip on the highest bin, by least squares."""
    used = np.flatnonzero(count)
    bins = np.arange(used[0] - 1, used[-1] + 2)
    height = np.where((bins >= 0) & (bins < len(count)), count[np.clip(bins, 0, len(count) - 1)], 0)
    tip, peak = top, float(count[top])
    left = np.arange(bins[0], tip)
    right = np.arange(tip + 1, bins[-1] + 1)
    below, above = bins <= tip, bins > tip
    miss_left = [_miss(bins[below], height[below], n, tip, peak) for n in left]
    miss_right = [_miss(bins[above], height[above], m, tip, peak) for m in right]
    return float((right[np.argmin(miss_right)] - left[np.argmin(miss_left)]) * BIN_MS)


def _miss(bins: np.ndarray, height: np.ndarray, foot: int, tip: int, peak: float) -> float:
    line = np.clip(peak * (bins - foot) / (tip - foot), 0, None)
    return float(((height - line) ** 2).sum())


FAMILY = Family("hrv", table, COLUMNS)
