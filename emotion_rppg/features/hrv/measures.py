"""Heart-rate variability (HRV) of windows of beats: one fixed schema, units in the names.

From a camera or a contact PPG these are measures of pulse-rate variability (PRV): the pulse transit
time varies, too, which increases the short-term features (Schäfer and Vagedes 2013).

Minimum durations follow the Task Force (1996) for spectra and histograms (two minutes for LF, five
for VLF, total power and histogram). Below that, they are the shortest windows that agree with five
minutes: 10 s for the heart rate, 30 s for RMSSD, 60 s for pNN50 (Baek et al. 2015), and for SDNN
the shortest of the 60 to 240 s that Shaffer and Ginsberg (2017) report.

Values equal those of NeuroKit2 on the same beats where the definitions agree. Differences:

- ``pnn20_pct``, ``pnn50_pct``: percentage of the successive differences; NeuroKit2 divides by their
  number plus one.
- ``tinn_ms``: the least-squares triangle over all pairs of feet; the search of NeuroKit2 does not
  restart the right foot for each left foot.
- ``total_power_ms2`` is VLF + LF + HF; ``lf_nu`` and ``hf_nu`` are percentages of LF + HF (Task
  Force 1996). NeuroKit2 uses all power below 0.5 Hz and gives fractions of it.
- ``vlf_ms2``: all of 0.0033–0.04 Hz; NeuroKit2 excludes frequencies below two cycles per segment.
- Band powers are in ms², as in NeuroKit2 with ``normalize=False``.
- Variability is that of normal-to-normal (NN) intervals: intervals beside an ectopic beat are
  excluded. The heart rate counts every beat.
- No interval, difference, pair or spectrum crosses a gap; NeuroKit2 fills gaps.

References
----------
Baek et al. 2015, Telemed J E Health 21, 404–414. Billman 2013, Front Physiol 4, 26. Brennan et al.
2001, IEEE Trans Biomed Eng 48, 1342–1347. Higuchi 1988, Physica D 31, 277–283. Lomb 1976, Astrophys
Space Sci 39, 447–462. Mietus et al. 2002, Heart 88, 378–380. Nunan et al. 2010, Pacing Clin
Electrophysiol 33, 1407–1417. Peng et al. 1995, Chaos 5, 82–87. Pincus 1991, PNAS 88, 2297–2301.
Richman and Moorman 2000, Am J Physiol Heart Circ Physiol 278, H2039–H2049. Scargle 1982, Astrophys
J 263, 835–853. Schäfer and Kratky 2008, Ann Biomed Eng 36, 476–485. Schäfer and Vagedes 2013, Int J
Cardiol 166, 15–29. Shaffer and Ginsberg 2017, Front Public Health 5, 258. Task Force 1996,
Circulation 93, 1043–1065. Toichi et al. 1997, J Auton Nerv Syst 62, 79–84.
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
_BR, _TO, _LS = "Brennan et al. 2001", "Toichi et al. 1997", "Lomb 1976, Scargle 1982"

COLUMNS: dict[str, Column] = {
    "hr_bpm": Column("1/min", "mean heart rate: 60,000 / mean interval, all beats", _SG, 10),
    "mean_nn_ms": Column("ms", "mean NN interval", _SG, 10),
    "sdnn_ms": Column("ms", "SDNN: standard deviation of NN intervals (n - 1)", _TF, 60),
    "rmssd_ms": Column(
        "ms", "RMSSD: root mean square of successive differences of NN intervals", _TF, 30
    ),
    "sdsd_ms": Column("ms", "SDSD: standard deviation of successive differences (n - 1)", _TF, 30),
    "pnn20_pct": Column(
        "%", "pNN20: percentage of successive differences above 20 ms", "Mietus et al. 2002", 30
    ),
    "pnn50_pct": Column("%", "pNN50: percentage of successive differences above 50 ms", _TF, 60),
    "cvnn": Column("1", "coefficient of variation: sdnn_ms / mean_nn_ms", _SG, 60),
    "cvsd": Column(
        "1", "coefficient of variation of successive differences: rmssd_ms / mean_nn_ms", _SG, 30
    ),
    "median_nn_ms": Column("ms", "median NN interval", _SG, 10),
    "mad_nn_ms": Column(
        "ms", "1.4826 × median absolute deviation of NN intervals from their median", _SG, 60
    ),
    "iqr_nn_ms": Column("ms", "interquartile range of NN intervals", _SG, 60),
    "hti": Column(
        "1",
        "HRV triangular index: number of NN intervals / highest bin of their histogram (bins of "
        "1/128 s)",
        _TF,
        300,
    ),
    "tinn_ms": Column("ms", "TINN: base of the least-squares triangle of that histogram", _TF, 300),
    "vlf_ms2": Column("ms²", "VLF: power of NN intervals in 0.0033–0.04 Hz (Welch)", _TF, 300),
    "lf_ms2": Column("ms²", "LF: power of NN intervals in 0.04–0.15 Hz (Welch)", _TF, 120),
    "hf_ms2": Column("ms²", "HF: power of NN intervals in 0.15–0.4 Hz (Welch)", _TF, 30),
    "total_power_ms2": Column("ms²", "total power: vlf_ms2 + lf_ms2 + hf_ms2", _TF, 300),
    "lf_hf": Column(
        "1",
        "LF/HF: lf_ms2 / hf_ms2; not a measure of sympatho-vagal balance (Billman 2013)",
        _TF,
        120,
    ),
    "lf_nu": Column("%", "LF in normalised units: 100 × LF / (LF + HF)", _TF, 120),
    "hf_nu": Column("%", "HF in normalised units: 100 × HF / (LF + HF)", _TF, 120),
    "ln_hf": Column("ln ms²", "natural logarithm of hf_ms2", _SG, 30),
    "lf_peak_hz": Column("Hz", "frequency of the highest power in 0.04–0.15 Hz (Welch)", _SG, 120),
    "hf_peak_hz": Column("Hz", "frequency of the highest power in 0.15–0.4 Hz (Welch)", _SG, 30),
    "lf_lomb_ms2": Column(
        "ms²", "LF from the Lomb–Scargle periodogram of the NN intervals, not resampled", _LS, 120
    ),
    "hf_lomb_ms2": Column(
        "ms²", "HF from the Lomb–Scargle periodogram of the NN intervals, not resampled", _LS, 30
    ),
    "sd1_ms": Column(
        "ms", "SD1: standard deviation across the identity line of the Poincaré plot", _BR, 30
    ),
    "sd2_ms": Column(
        "ms", "SD2: standard deviation along the identity line of the Poincaré plot", _BR, 60
    ),
    "sd1_sd2": Column("1", "sd1_ms / sd2_ms", _BR, 60),
    "csi": Column("1", "cardiac sympathetic index: sd2_ms / sd1_ms", _TO, 60),
    "cvi": Column("1", "cardiac vagal index: log10(16 × sd1_ms × sd2_ms)", _TO, 60),
    "apen": Column(
        "1", "approximate entropy, m = 2, r = 0.2 SDNN; at least 100 beats", "Pincus 1991", 120
    ),
    "sampen": Column(
        "1",
        "sample entropy, m = 2, r = 0.2 SDNN; at least 100 beats",
        "Richman and Moorman 2000",
        120,
    ),
    "dfa_alpha1": Column(
        "1",
        "DFA α1: exponent of detrended fluctuation analysis over 4–11 beats; at least 100 beats",
        "Peng et al. 1995",
        120,
    ),
    "higuchi": Column(
        "1",
        "Higuchi fractal dimension, k from 1 to 10; at least 100 beats",
        "Higuchi 1988",
        120,
    ),
    "resp_rate_per_min": Column(
        "1/min",
        "respiration rate from respiratory sinus arrhythmia: 60 × frequency of the highest power "
        "of the NN intervals (Lomb–Scargle) in 0.1–0.5 Hz; empty if that is below 0.15 Hz",
        "Schäfer and Kratky 2008",
        60,
    ),
    "hr_se_bpm": Column("1/min", "standard error of hr_bpm", "", 10),
    "mean_nn_se_ms": Column("ms", "standard error of mean_nn_ms", "", 10),
    "sdnn_se_ms": Column("ms", "standard error of sdnn_ms", "", 60),
    "rmssd_se_ms": Column("ms", "standard error of rmssd_ms", "", 30),
    "n_beats": Column("1", "number of beats in the window", "", 0),
    "coverage": Column("1", "share of the window outside gaps, 0–1", "", 0),
    "corrected_share": Column(
        "1", "share of detections that were rejected, or of beats that were corrected, 0–1", "", 0
    ),
    "ectopic_share": Column(
        "1", "share of ectopic beats (early and followed by a pause), 0–1", "", 0
    ),
}
ABOUT = ("n_beats", "coverage", "corrected_share", "ectopic_share")  # the window, not the heart
_SPECTRUM = (
    "vlf_ms2 lf_ms2 hf_ms2 total_power_ms2 lf_hf lf_nu hf_nu ln_hf lf_peak_hz hf_peak_hz "
    "lf_lomb_ms2 hf_lomb_ms2 resp_rate_per_min"
)
_TIME = "sdnn_ms rmssd_ms sdsd_ms pnn20_pct pnn50_pct cvnn cvsd mad_nn_ms iqr_nn_ms hti tinn_ms"
_NONLINEAR = "sd1_ms sd2_ms sd1_sd2 csi cvi apen sampen dfa_alpha1 higuchi"
_QUALITY = "coverage corrected_share ectopic_share hr_se_bpm mean_nn_se_ms sdnn_se_ms rmssd_se_ms"
# The standard error that withholds a feature: that of fast (RMSSD) or of all variability (SDNN)
_FAST = (
    "rmssd_ms sdsd_ms pnn20_pct pnn50_pct cvsd hf_ms2 ln_hf hf_peak_hz hf_lomb_ms2 lf_hf lf_nu "
    "hf_nu sd1_ms sd1_sd2 csi cvi apen sampen dfa_alpha1 higuchi resp_rate_per_min"
)
_ALL = (
    "sdnn_ms cvnn mad_nn_ms iqr_nn_ms hti tinn_ms vlf_ms2 lf_ms2 total_power_ms2 lf_peak_hz "
    "lf_lomb_ms2 sd2_ms"
)
# Measures of the Poincaré plot follow from SDNN and RMSSD (Brennan et al. 2001) and the number of
# beats: rmssd_ms / sdsd_ms is sqrt(1 - 1 / n). The frequency step of the spectral peaks is the
# inverse of the length.
_REVEAL_LENGTH = "sdsd_ms sd1_ms sd2_ms sd1_sd2 csi cvi lf_peak_hz hf_peak_hz"
# Limits of the standard errors as large as the differences between people: twice the standard
# deviation of RMSSD (and SDNN) over healthy adults at rest, 15 ms (Nunan et al. 2010)
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
    ("pnn20_pct pnn50_pct", {"step": 5.0}),  # the resolution is 100 / number of beats
    ("resp_rate_per_min", {"step": 1.0}),
    (" ".join(ABOUT), {"always": True}),
    *((name, {"withholds": rule}) for name, rule in _WITHHOLD.items()),
)
for _names, _facts in _FACTS:
    COLUMNS |= {name: replace(COLUMNS[name], **_facts) for name in _names.split()}

LEAST_BEATS = 3
TOLERANCE = 0.02  # a minute of video at 30 Hz may be 59.9 s long
BIN_MS = 1000 / 128
CELLS = 2_000_000  # values of a padded block, so that memory stays bounded


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the HRV features of each window, one row each: ``COLUMNS`` in order, float64.

    A value is NaN if the window spans less than ``minimum_s`` of its column, has fewer than three
    beats, or leaves it undefined. Gaps are never bridged. Spectra and nonlinear features are those
    of the longest stretch without a gap, and NaN if that is shorter than 90 % of their minimum.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window.
    signals : ignored
        The waves of the windows, as every family receives them.
    """
    import pandas as pd

    names = [name for name in COLUMNS if name not in ABOUT]
    values = {name: np.full(len(list_of_beats), np.nan) for name in names}
    for rows, intervals, nn in _blocks(list_of_beats):
        for name, column in _time_domain(intervals, nn).items():
            values[name][rows] = column
    spans = np.array([beats.duration_s for beats in list_of_beats])
    for i, beats in enumerate(list_of_beats):
        if len(beats) >= LEAST_BEATS:
            errors = standard_errors(beats)._asdict()
            for name, value in (_of_one(beats, spans[i]) | errors).items():
                values[name][i] = value
    too_few = np.array([len(beats) < LEAST_BEATS for beats in list_of_beats], dtype=bool)
    for name in names:
        values[name][too_few | (spans < COLUMNS[name].minimum_s * (1 - TOLERANCE))] = np.nan
    values["n_beats"] = np.array([float(len(beats)) for beats in list_of_beats])
    values["coverage"] = np.array([beats.coverage for beats in list_of_beats], dtype=float)
    values["corrected_share"] = np.array([_rejected(beats) for beats in list_of_beats], float)
    values["ectopic_share"] = np.array([_ectopic(beats) for beats in list_of_beats], float)
    return pd.DataFrame({name: values[name] for name in COLUMNS}, dtype=float)


def _rejected(beats: Beats) -> float:
    """Share of rejected detections, or of beats that an external correction moved or inserted."""
    corrected = 0.0 if beats.corrected is None or not len(beats) else float(beats.corrected.mean())
    if not len(beats) and not beats.rejected_share:
        return float("nan")
    return max(corrected, beats.rejected_share)


def _ectopic(beats: Beats) -> float:
    """Share of ectopic beats; NaN without beats."""
    if not len(beats):
        return float("nan")
    return 0.0 if beats.ectopic is None else float(beats.ectopic.mean())


def _intervals(beats: Beats, selected: np.ndarray) -> np.ndarray:
    """Intervals, ms, (n - 1,), NaN if not selected; rounded to a nanosecond: 50 ms is 50."""
    return np.where(selected, np.round(1e3 * np.diff(beats.times_s), 6), np.nan)


def _blocks(list_of_beats: list[Beats]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Row numbers, and their intervals and NN intervals padded with NaN, (rows, longest) each.

    Windows of similar length share a block.
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
    """Time-domain and Poincaré features of intervals and NN intervals (rows, n), with NaN."""
    diff = np.diff(nn, axis=1)
    sum_x1, sum_x2 = _std(diff / np.sqrt(2)), _std((nn[:, 1:] + nn[:, :-1]) / np.sqrt(2))
    mean, sdnn, rmssd = _mean(nn), _std(nn), np.sqrt(_mean(diff**2))
    ordered = np.sort(nn, axis=1)
    median = _quantile(ordered, 0.5)
    deviation = np.sort(np.abs(nn - median[:, None]), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
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
            "mad_nn_ms": 1.4826 * _quantile(deviation, 0.5),
            "iqr_nn_ms": _quantile(ordered, 0.75) - _quantile(ordered, 0.25),
            "sd1_ms": sum_x1,
            "sd2_ms": sum_x2,
            "sd1_sd2": sum_x1 / sum_x2,
            "csi": sum_x2 / sum_x1,
            "cvi": np.log10(16 * sum_x1 * sum_x2),
        }
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in values.items()}


def _above(diff: np.ndarray, ms: float) -> np.ndarray:
    """Whether absolute differences exceed a limit, as 0 or 1; NaN stays."""
    return np.where(np.isnan(diff), np.nan, np.abs(diff) > ms)


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean of each row, NaN ignored."""
    n = np.isfinite(x).sum(axis=1)
    return np.asarray(np.where(n > 0, np.nansum(x, axis=1) / np.maximum(n, 1), np.nan))


def _std(x: np.ndarray) -> np.ndarray:
    """Standard deviation (n - 1) of each row, NaN ignored."""
    n = np.isfinite(x).sum(axis=1)
    square = np.nansum((x - _mean(x)[:, None]) ** 2, axis=1)
    return np.asarray(np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan))


def _quantile(ordered: np.ndarray, q: float) -> np.ndarray:
    """Quantile of each row, sorted with NaN last, by linear interpolation."""
    n = np.isfinite(ordered).sum(axis=1)
    at = q * np.maximum(n - 1, 0)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    rows = np.arange(len(ordered))
    a, b = ordered[rows, low], ordered[rows, high]
    return np.asarray(a + (at - low) * (b - a))


def _of_one(beats: Beats, span_s: float) -> dict[str, float]:
    """Histogram, spectral and nonlinear features of one window."""
    values: dict[str, float] = {}
    duration_s = span_s / (1 - TOLERANCE)
    nn = _intervals(beats, beats.normal)
    if duration_s >= COLUMNS["hti"].minimum_s and np.isfinite(nn).any():
        values.update(_histogram(nn[np.isfinite(nn)]))
    if duration_s >= COLUMNS["hf_ms2"].minimum_s:
        values.update(spectra.lomb(beats.times_s[1:], nn, respiration=duration_s >= 60))
    stretch = _longest(nn)
    covers_s = stretch.sum() / 1e3
    for names, minimum_s, compute in (
        (("hf_ms2", "hf_peak_hz", "ln_hf"), 30, spectra.welch),
        (("lf_ms2", "lf_hf", "lf_nu", "hf_nu", "lf_peak_hz"), 120, spectra.welch),
        (("vlf_ms2", "total_power_ms2"), 300, spectra.welch),
        (("apen", "sampen", "dfa_alpha1", "higuchi"), 120, nonlinear.nonlinear_features),
    ):
        if duration_s >= minimum_s and covers_s >= 0.9 * minimum_s:
            computed = compute(stretch)
            values.update({name: computed[name] for name in names})
    return values


def _longest(nn: np.ndarray) -> np.ndarray:
    """The longest stretch (in time) of intervals without NaN."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.isfinite(nn).astype(int), 0])).reshape(-1, 2)
    if not len(edges):
        return nn[:0]
    first, stop = max(edges, key=lambda e: nn[e[0] : e[1]].sum())
    return nn[first:stop]


def _histogram(nn: np.ndarray) -> dict[str, float]:
    """Triangular index and TINN of NN intervals, ms, (n,) without NaN."""
    edges = np.arange(0, nn.max() + BIN_MS, BIN_MS)
    count, _ = np.histogram(nn, bins=edges)
    top = int(count.argmax())
    return {"hti": len(nn) / count[top], "tinn_ms": _tinn(count, top)}


def _tinn(count: np.ndarray, top: int) -> float:
    """Base (ms) of the least-squares triangle with its tip on the highest bin."""
    used = np.flatnonzero(count)
    bins = np.arange(used[0] - 1, used[-1] + 2)
    height = np.where((bins >= 0) & (bins < len(count)), count[np.clip(bins, 0, len(count) - 1)], 0)
    tip, peak = top, float(count[top])
    left = np.arange(bins[0], tip)
    right = np.arange(tip + 1, bins[-1] + 1)
    below, above = bins <= tip, bins > tip
    error_left = [_error(bins[below], height[below], n, tip, peak) for n in left]
    error_right = [_error(bins[above], height[above], m, tip, peak) for m in right]
    return float((right[np.argmin(error_right)] - left[np.argmin(error_left)]) * BIN_MS)


def _error(bins: np.ndarray, height: np.ndarray, foot: int, tip: int, peak: float) -> float:
    """Sum of squared differences of a histogram from one side of a triangle."""
    line = np.clip(peak * (bins - foot) / (tip - foot), 0, None)
    return float(((height - line) ** 2).sum())


FAMILY = Family("hrv", table, COLUMNS)
