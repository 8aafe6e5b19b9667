"""Classic pulse methods: compute a pulse wave from mean skin colours, without training.

All take ``rgb`` (n, 3), the mean red, green and blue of skin for each frame (any positive unit),
and ``rate_hz``, and return a wave (n,) in which **more blood is up**. Time and memory are
proportional to n. They raise InputError for another shape, for NaN (pass each stretch with a face
by itself) and for less than one window of 1.6 s.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from sklearn.decomposition import FastICA

WINDOW_S = 1.6  # Wang et al. 2017: 32 frames at 20 Hz, one slow heart beat
BAND_HZ = (0.7, 2.5)  # in which chrom balances its two colour signals
SLOWEST_HZ, FASTEST_HZ = 40 / 60, 210 / 60  # of a pulse, in which ica looks for its rhythm
SMOOTHNESS = 100.0  # of the detrending before ica, at 30 Hz


def green(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return the inverted green channel, relative to its mean (Verkruysse et al. 2008).

    Blood absorbs green light, so more blood makes a pixel darker.

    References
    ----------
    Verkruysse et al. 2008. Remote plethysmographic imaging using ambient light. Optics
    Express 16, 21434–21445.
    """
    channel = _checked(rgb, rate_hz)[:, 1]
    return (channel.mean() - channel) / _divisor(float(channel.mean()))


def chrom(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute CHROM (de Haan and Jeanne 2013): chrominance that changes of light do not affect.

    In windows of 1.6 s, half overlapping: colours over their mean, X = 3R − 2G and
    Y = 1.5R + G − 1.5B, both band-passed to 0.7–2.5 Hz, X − (std X / std Y) Y, Hann-weighted and
    added. The wave is already band-passed. Public implementations differ: rPPG-Toolbox works in
    windows as here (this one agrees with it to a correlation of 0.999 in band) but omits up to half
    a window at the end; pyVHR processes the complete signal at once, un-normalised and unfiltered,
    and correlates less.

    References
    ----------
    de Haan and Jeanne 2013. Robust pulse rate from chrominance-based rPPG. IEEE
    Transactions on Biomedical Engineering 60, 2878–2886.
    """
    from scipy.signal import butter, filtfilt
    from scipy.signal.windows import hann

    rgb = _checked(rgb, rate_hz)
    n, length = len(rgb), _window(rate_hz)
    length += length % 2
    length = min(length, n - n % 2)
    starts = np.arange(0, n - length + 1, length // 2)
    weights = np.tile(hann(length), (len(starts), 1))
    if starts[-1] + length < n:  # one more window, at the end of the signal
        starts, weights = np.r_[starts, n - length], np.vstack([weights, hann(length)])
        covered = np.zeros(n)
        np.add.at(covered, starts[:-1, None] + np.arange(length), weights[:-1])
        rest = 1.0 - covered[-length:]
        weights[-1, : length // 2] = 1.0
        # cubed, so that it has little effect on the published windows
        weights[-1] = np.clip(np.minimum(rest, weights[-1]), 0.0, 1.0) ** 3
    where = starts[:, None] + np.arange(length)
    colours = rgb[where]
    colours = colours / _divisor(colours.mean(axis=1, keepdims=True))
    r, g, b = np.moveaxis(colours, -1, 0)
    edges = butter(3, _band(rate_hz), "bandpass", fs=rate_hz)
    pad = min(3 * max(len(edges[0]), len(edges[1])), length - 1)
    x, y = (filtfilt(*edges, s, padlen=pad) for s in (3 * r - 2 * g, 1.5 * r + g - 1.5 * b))
    alpha = x.std(axis=1) / _divisor(y.std(axis=1))
    wave = np.zeros(n)
    np.add.at(wave, where, (x - alpha[:, None] * y) * weights)
    return wave


def pos(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute POS (Wang et al. 2017): a projection on the plane orthogonal to the skin tone.

    In every window of 1.6 s: colours over their mean, S1 = G − B, S2 = G + B − 2R,
    S1 + (std S1 / std S2) S2; the sum over windows, inverted. Within a window that is a fixed
    mixture of the three channels, so running sums of their moments give the exact result without
    forming a window. Neither filtered nor detrended: pyVHR does the same (correlation above 0.999
    in band), rPPG-Toolbox detrends and filters inside the method and leaves the last sample empty.
    As in the paper, the first and last 1.6 s lie in fewer windows and are smaller.

    References
    ----------
    Wang et al. 2017. Algorithmic principles of remote PPG. IEEE Transactions on Biomedical
    Engineering 64, 1479–1491.
    """
    rgb = _checked(rgb, rate_hz)
    length = int(WINDOW_S * rate_hz)
    offset = rgb.mean(axis=0)
    low = rgb - offset  # smaller numbers, for the precision of running sums
    mean = _running_sum(low, length) / length
    products = low[:, :, None] * low[:, None, :]
    covariance = _running_sum(products, length) / length - mean[:, :, None] * mean[:, None, :]
    gains = 1.0 / _divisor(mean + offset)
    first = np.array([0.0, 1.0, -1.0]) * gains
    second = np.array([-2.0, 1.0, 1.0]) * gains
    spread = [np.einsum("ni,nij,nj->n", s, covariance, s) for s in (first, second)]
    alpha = np.sqrt(np.clip(spread[0], 0, None) / _divisor(np.clip(spread[1], 0, None)))
    mixture = first + alpha[:, None] * second  # (windows, 3)
    mixture = np.column_stack([mixture, -np.einsum("ni,ni->n", mixture, mean)])  # minus its mean
    total = np.zeros((len(rgb) + 1, 4))
    total[: len(mixture)] += mixture  # a window counts from its first sample …
    total[length : length + len(mixture)] -= mixture  # … to its last
    gathered = np.cumsum(total, axis=0)[:-1]
    return -np.einsum("ni,ni->n", gathered[:, :3], low) - gathered[:, 3]


def ica(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Select the independent component with the clearest rhythm (Poh et al. 2010).

    Channels are detrended and standardised, then unmixed by FastICA (scikit-learn, seeded). The
    component with the largest share of its power in one spectral peak at 40–210 bpm is selected,
    with the sign that is opposite to green.

    References
    ----------
    Poh et al. 2010. Non-contact, automated cardiac pulse measurements using video imaging
    and blind source separation. Optics Express 18, 10762–10774.
    """
    from sklearn.decomposition import FastICA

    rgb = _checked(rgb, rate_hz)
    channels = detrend(rgb, rate_hz)
    spread = channels.std(axis=0)
    spread[spread < 1e-9 * np.abs(rgb).max()] = 0.0  # a rounding error is no signal
    channels = (channels - channels.mean(axis=0)) / _divisor(spread)
    rank = np.linalg.matrix_rank(channels, tol=1e-6 * math.sqrt(len(channels)))
    if rank == 0:
        return np.zeros(len(rgb))
    unmix = FastICA(n_components=rank, whiten="unit-variance", random_state=0, max_iter=1000)
    sources = _quietly(unmix, channels)
    power = np.abs(np.fft.rfft(sources, axis=0)) ** 2
    hz = np.fft.rfftfreq(len(sources), 1 / rate_hz)
    pulse = (hz >= SLOWEST_HZ) & (hz <= FASTEST_HZ)  # a peak elsewhere is drift or breathing
    best = sources[:, np.argmax(power[pulse].max(axis=0) / power[1:].sum(axis=0))]
    return best * (-1.0 if best @ channels[:, 1] > 0 else 1.0)


def lgi(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute LGI (Pilz et al. 2018): green without the main colour direction.

    References
    ----------
    Pilz et al. 2018. Local group invariance for heart rate estimation from face videos in
    the wild. IEEE Conference on Computer Vision and Pattern Recognition Workshops,
    1254–1262.
    """
    rgb = _checked(rgb, rate_hz)
    main = np.linalg.eigh(rgb.T @ rgb)[1][:, -1]
    return -_green_without(rgb, main)


def omit(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute OMIT (Álvarez Casado and Bordallo López 2023): green without the first QR direction.

    For a 3 × n matrix that direction is the colour of the first frame.

    References
    ----------
    Álvarez Casado and Bordallo López 2023. Face2PPG: an unsupervised pipeline for blood
    volume pulse extraction from faces. IEEE Journal of Biomedical and Health Informatics
    27, 5530–5541.
    """
    rgb = _checked(rgb, rate_hz)
    first = rgb[0] / _divisor(float(np.linalg.norm(rgb[0])))
    return -_green_without(rgb, first)


def pbv(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Compute PBV, the blood volume pulse signature method (de Haan and van Leest 2014).

    The signature is estimated as the channels' relative standard deviations. The wave is the
    mixture of channels that has this signature and otherwise least power.

    References
    ----------
    de Haan and van Leest 2014. Improved motion robustness of remote-PPG by using the blood
    volume pulse signature. Physiological Measurement 35, 1913–1926.
    """
    rgb = _checked(rgb, rate_hz)
    relative = rgb / _divisor(rgb.mean(axis=0))
    signature = relative.std(axis=0) / _divisor(math.sqrt(relative.var(axis=0).sum()))
    weights = np.linalg.lstsq(relative.T @ relative, signature, rcond=None)[0]
    wave = relative @ weights / _divisor(signature @ weights)
    wave = wave - wave.mean()
    # the signature has no sign; that of the wave is opposite to green, as with blood
    steady = detrend(relative[:, 1], rate_hz)
    return wave * (-1.0 if detrend(wave, rate_hz) @ steady > 0 else 1.0)


def detrend(channels: np.ndarray, rate_hz: float) -> np.ndarray:
    """Remove slow drift (Tarvainen et al. 2002) by one banded solve: (n, …) -> (n, …).

    x − (I + λ² D₂ᵀD₂)⁻¹ x. λ is 100 at 30 Hz and proportional to the square of the rate, so that
    the same drift in seconds is removed at any rate.
    """
    from scipy.linalg import solveh_banded

    n = len(channels)
    weight = (SMOOTHNESS * (rate_hz / 30.0) ** 2) ** 2
    bands = np.zeros((3, n))  # upper form of I + λ² D₂ᵀD₂, built from its rows [1, −2, 1]
    bands[2] = 1.0
    for i, a in enumerate((1.0, -2.0, 1.0)):
        for j, b in enumerate((1.0, -2.0, 1.0)):
            if j >= i:
                bands[2 - (j - i), j : n - 2 + j] += weight * a * b
    trend: np.ndarray = solveh_banded(bands, channels)
    return channels - trend


def _checked(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Check colours and rate; return the colours as floats."""
    rgb = np.asarray(rgb, dtype=float)
    if rgb.ndim != 2 or rgb.shape[1] != 3:
        raise InputError(f"rgb has shape {rgb.shape}: want (n, 3), one red, green, blue a frame")
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"rate_hz must be a positive number of hertz, got {rate_hz!r}")
    if len(rgb) < _window(rate_hz):
        raise InputError(
            f"{len(rgb)} frames are too few: want at least {_window(rate_hz)}, one window of "
            f"{WINDOW_S:g} s at {rate_hz:g} Hz"
        )
    if not np.isfinite(rgb).all():
        raise InputError(
            "rgb has NaN or infinite values: pass each stretch of frames with a face by itself"
        )
    return rgb


def _window(rate_hz: float) -> int:
    return max(4, math.ceil(WINDOW_S * rate_hz - 1e-6))


def _band(rate_hz: float) -> tuple[float, float]:
    return BAND_HZ[0], min(BAND_HZ[1], 0.45 * rate_hz)


def _divisor(value: np.ndarray | float) -> np.ndarray:
    """Replace values near 0 by infinity, so that a division by them gives 0 and no NaN."""
    value = np.asarray(value, dtype=float)
    return np.where(np.abs(value) > 1e-12, value, np.inf)


def _running_sum(values: np.ndarray, length: int) -> np.ndarray:
    """Sum ``length`` successive values along the first axis: (n, …) -> (n - length + 1, …)."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    return total[length:] - total[:-length]


def _green_without(rgb: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return rgb[:, 1] - (rgb @ direction) * direction[1]


def _quietly(unmix: FastICA, channels: np.ndarray) -> np.ndarray:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last iteration is good enough
        sources: np.ndarray = unmix.fit_transform(channels)
    return sources
