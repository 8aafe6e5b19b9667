"""Spectra of inter-beat intervals: Welch's on an even grid, Lomb and Scargle's on the raw ones."""

from __future__ import annotations

import functools

import numpy as np

GRID_HZ = 100.0  # NeuroKit2's, so that values are comparable
VLF, LF, HF = (0.0033, 0.04), (0.04, 0.15), (0.15, 0.4)
BREATH = (0.1, 0.5)
DIRECT = 200_000  # products, below which a sum for each frequency is quicker than all by the FFT


def welch(nn: np.ndarray) -> dict[str, float]:
    """Band powers (ms²) and peaks (Hz) of intervals in ms, (n,) without NaN.

    Quadratic spline at 100 Hz, mean taken off, Hann segments of half the length, half
    overlapping, zero-padded to twice theirs (Welch 1967; as NeuroKit2 does).
    """
    hz, power = _psd(nn.tobytes())
    vlf, lf, hf = (_band(hz, power, band) for band in (VLF, LF, HF))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
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
    return {name: float(v) if np.isfinite(v) else float("nan") for name, v in found.items()}


@functools.lru_cache(maxsize=1)  # of one window, asked for band by band
def _psd(intervals: bytes) -> tuple[np.ndarray, np.ndarray]:
    from scipy.interpolate import make_interp_spline

    nn = np.frombuffer(intervals)
    at = np.cumsum(nn / 1000)
    grid = np.arange(at[0], at[-1] + 1 / GRID_HZ, 1 / GRID_HZ)
    even = np.where(grid <= at[-1], make_interp_spline(at, nn, k=2)(grid), nn[-1])
    even = even - even.mean()
    length = int(2 / (2 * GRID_HZ / (len(even) / 2)) * GRID_HZ)  # half, rounded as NeuroKit2 does
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    pieces = np.lib.stride_tricks.sliding_window_view(even, length)[:: length - length // 2]
    hz = np.arange(0, HF[1], GRID_HZ / (2 * length))  # the few that count, of 2 × length
    if len(hz) * length < DIRECT:
        found = (pieces * window) @ _turns(hz, np.arange(length) / GRID_HZ).T
    else:
        found = np.fft.rfft(pieces * window, 2 * length, axis=1)[:, : len(hz)]
    density = 2 * (np.abs(found) ** 2).mean(axis=0) / (GRID_HZ * (window**2).sum())
    return hz, density


def _turns(hz: np.ndarray, at: np.ndarray) -> np.ndarray:
    """exp(2πi·hz·at), (k, n), of even frequencies: each from the one before, which is quicker."""
    step = hz[1] - hz[0] if len(hz) > 1 else 0.0
    turns, turn = np.empty((len(hz), len(at)), dtype=complex), np.exp(2j * np.pi * step * at)
    turns[0] = np.exp(2j * np.pi * hz[0] * at)
    for k in range(1, len(hz)):
        np.multiply(turns[k - 1], turn, out=turns[k])
    return turns


def _band(hz: np.ndarray, power: np.ndarray, band: tuple[float, float]) -> float:
    inside = (hz >= band[0]) & (hz < band[1])
    return float(np.trapezoid(power[inside], hz[inside]))


def _peak(hz: np.ndarray, power: np.ndarray, band: tuple[float, float]) -> float:
    inside = (hz >= band[0]) & (hz < band[1])
    if not inside.any() or not power[inside].max() > 0:
        return float("nan")
    return float(hz[inside][power[inside].argmax()])


def lomb(times_s: np.ndarray, nn: np.ndarray, *, respiration: bool) -> dict[str, float]:
    """LF and HF power (ms²) of intervals at the times of the beats that end them; NaN is left out.

    Lomb 1976, Scargle 1982; density 2 × mean interval × periodogram, integrated over steps of a
    quarter of the resolution. The breathing rate is its highest place in 0.1–0.5 Hz; NaN where that
    lies below 0.15 Hz, where the blood pressure's own rhythm of 0.1 Hz could be taken for breath.
    """
    seen = np.isfinite(nn)
    at, x = times_s[seen] - times_s[0], nn[seen]
    none = {"lf_lomb_ms2": np.nan, "hf_lomb_ms2": np.nan, "resp_rate_per_min": np.nan}
    if len(x) < 8 or np.ptp(x) == 0:
        return none
    span = float(at[-1] - at[0])
    hz = np.arange(LF[0], BREATH[1], max(1 / (4 * span), 1e-3))
    power = 2 * float(x.mean()) / 1e3 * _lomb_scargle(at, x - x.mean(), hz)
    breath = 60 * _peak(hz, power, BREATH) if respiration else float("nan")
    if breath < 60 * HF[0]:
        breath = float("nan")
    return {
        "lf_lomb_ms2": _band(hz, power, LF),
        "hf_lomb_ms2": _band(hz, power, HF),
        "resp_rate_per_min": breath,
    }


def _lomb_scargle(at: np.ndarray, x: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Periodogram (Scargle 1982, eq. 10) at even frequencies (k,)."""
    out = []
    for part in np.array_split(hz, max(1, len(hz) * len(at) // 500_000)):
        turned = _turns(part, at)
        turned *= np.exp(-0.5j * np.angle((turned**2).sum(axis=1)))[:, None]
        cos, sin = turned.real, turned.imag
        cc, ss = (cos**2).sum(axis=1), (sin**2).sum(axis=1)
        out.append(0.5 * ((cos @ x) ** 2 / cc + (sin @ x) ** 2 / np.maximum(ss, 1e-12)))
    return np.concatenate(out)
