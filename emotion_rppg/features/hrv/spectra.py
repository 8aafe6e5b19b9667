"""Spectra of inter-beat intervals: Welch's of resampled intervals, Lomb–Scargle's of raw ones."""

from __future__ import annotations

import functools

import numpy as np

GRID_HZ = 100.0  # as in NeuroKit2, so that values are comparable
VLF, LF, HF = (0.0033, 0.04), (0.04, 0.15), (0.15, 0.4)
RESPIRATION = (0.1, 0.5)
DIRECT = 200_000  # multiplications below which a sum per frequency is faster than the FFT


def welch(nn: np.ndarray) -> dict[str, float]:
    """Compute band powers (ms²) and peaks (Hz) of intervals in ms, (n,) without NaN.

    Resampled to 100 Hz by a quadratic spline, mean subtracted; Hann segments of half the length
    that overlap by half, zero-padded to twice their length (Welch 1967; as in NeuroKit2).
    """
    hz, power = _psd(nn.tobytes())
    vlf, lf, hf = (_band(hz, power, band) for band in (VLF, LF, HF))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "vlf_ms2": vlf,
            "lf_ms2": lf,
            "hf_ms2": hf,
            "total_power_ms2": vlf + lf + hf,
            "lf_hf": np.divide(lf, hf),
            "lf_nu": 100 * np.divide(lf, lf + hf),
            "hf_nu": 100 * np.divide(hf, lf + hf),
            "ln_hf": np.log(hf),
            "lf_peak_hz": _peak(hz, power, LF),
            "hf_peak_hz": _peak(hz, power, HF),
        }
    return {name: float(v) if np.isfinite(v) else float("nan") for name, v in values.items()}


@functools.lru_cache(maxsize=1)  # one window is needed for several bands in turn
def _psd(intervals: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) below 0.4 Hz and the power spectral density there, ms²/Hz."""
    from scipy.interpolate import make_interp_spline

    nn = np.frombuffer(intervals)
    at = np.cumsum(nn / 1000)
    grid = np.arange(at[0], at[-1] + 1 / GRID_HZ, 1 / GRID_HZ)
    even = np.where(grid <= at[-1], make_interp_spline(at, nn, k=2)(grid), nn[-1])
    even = even - even.mean()
    length = int(2 / (2 * GRID_HZ / (len(even) / 2)) * GRID_HZ)  # half, rounded as NeuroKit2 does
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    pieces = np.lib.stride_tricks.sliding_window_view(even, length)[:: length - length // 2]
    hz = np.arange(0, HF[1], GRID_HZ / (2 * length))  # only those in the bands
    if len(hz) * length < DIRECT:
        transforms = (pieces * window) @ _phasors(hz, np.arange(length) / GRID_HZ).T
    else:
        transforms = np.fft.rfft(pieces * window, 2 * length, axis=1)[:, : len(hz)]
    density = 2 * (np.abs(transforms) ** 2).mean(axis=0) / (GRID_HZ * (window**2).sum())
    return hz, density


def _phasors(hz: np.ndarray, at: np.ndarray) -> np.ndarray:
    """exp(2πi·hz·at), (k, n), of evenly spaced frequencies, by a recursion that is faster."""
    step = hz[1] - hz[0] if len(hz) > 1 else 0.0
    phasors = np.empty((len(hz), len(at)), dtype=complex)
    phasors[0], rotation = np.exp(2j * np.pi * hz[0] * at), np.exp(2j * np.pi * step * at)
    for k in range(1, len(hz)):
        np.multiply(phasors[k - 1], rotation, out=phasors[k])
    return phasors


def _band(hz: np.ndarray, power: np.ndarray, band: tuple[float, float]) -> float:
    """Power in a band, ms²."""
    inside = (hz >= band[0]) & (hz < band[1])
    return float(np.trapezoid(power[inside], hz[inside]))


def _peak(hz: np.ndarray, power: np.ndarray, band: tuple[float, float]) -> float:
    """Frequency of the highest power in a band, Hz; NaN without power."""
    inside = (hz >= band[0]) & (hz < band[1])
    if not inside.any() or not power[inside].max() > 0:
        return float("nan")
    return float(hz[inside][power[inside].argmax()])


def lomb(times_s: np.ndarray, nn: np.ndarray, *, respiration: bool) -> dict[str, float]:
    """Compute LF and HF power (ms²) and the respiration rate (1/min) of unevenly spaced intervals.

    The Lomb–Scargle periodogram (Lomb 1976, Scargle 1982), with the density 2 × mean interval ×
    periodogram, integrated in steps of a quarter of the resolution. The respiration rate is its
    maximum in 0.1–0.5 Hz, or NaN if that is below 0.15 Hz: it could be the 0.1-Hz rhythm of the
    blood pressure.

    Parameters
    ----------
    times_s : array (n,)
        Time of the beat that ends each interval, s.
    nn : array (n,)
        Intervals, ms; NaN is ignored.
    respiration : bool
        Whether to estimate the respiration rate; otherwise it is NaN.
    """
    finite = np.isfinite(nn)
    at, x = times_s[finite] - times_s[0], nn[finite]
    none = {"lf_lomb_ms2": np.nan, "hf_lomb_ms2": np.nan, "resp_rate_per_min": np.nan}
    if len(x) < 8 or np.ptp(x) == 0:
        return none
    span = float(at[-1] - at[0])
    hz = np.arange(LF[0], RESPIRATION[1], max(1 / (4 * span), 1e-3))
    power = 2 * float(x.mean()) / 1e3 * _lomb_scargle(at, x - x.mean(), hz)
    per_min = 60 * _peak(hz, power, RESPIRATION) if respiration else float("nan")
    if per_min < 60 * HF[0]:
        per_min = float("nan")
    return {
        "lf_lomb_ms2": _band(hz, power, LF),
        "hf_lomb_ms2": _band(hz, power, HF),
        "resp_rate_per_min": per_min,
    }


def _lomb_scargle(at: np.ndarray, x: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Periodogram (Scargle 1982, eq. 10) at evenly spaced frequencies, (k,)."""
    out = []
    for part in np.array_split(hz, max(1, len(hz) * len(at) // 500_000)):
        phasors = _phasors(part, at)
        phasors *= np.exp(-0.5j * np.angle((phasors**2).sum(axis=1)))[:, None]
        cos, sin = phasors.real, phasors.imag
        cc, ss = (cos**2).sum(axis=1), (sin**2).sum(axis=1)
        out.append(0.5 * ((cos @ x) ** 2 / cc + (sin @ x) ** 2 / np.maximum(ss, 1e-12)))
    return np.concatenate(out)
