"""Spatial refinement: regress the network output on a 6×6 grid of face colours.

A network has the same weights for every video. Which cells of this video have a pulse, and in which
colours light and codec disturb it, is learned from this video: all cells and colours are combined
by ridge regression to approximate the network's wave (an adaptive array with a pilot signal: Widrow
et al. 1967). The weights for each 2-s stretch are fitted on the surrounding minute without that
stretch, so they cannot reproduce what the network invented in it.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable

import numpy as np

from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, OverlapAdd, standardise
from emotion_rppg.signals import Signal

CELLS = 6  # a side: larger cells have less noise, more cells separate more disturbances
VALUES = CELLS * CELLS * 3  # of a crop: one for each cell and colour channel
BAND_HZ = (0.5, 8.0)  # in which cells and wave are compared
BLOCK_S = 2.0  # stretch that is excluded from the fit of its own weights
MINUTE_S, MARGIN_S = 60.0, 30.0  # weights are fitted on a minute with margins: heads turn
LEAST_S = 8.0  # a shorter stretch is not refined
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # of ridge regression, times the mean power


def wave_of_crops(
    crops: Iterable[np.ndarray | None],
    network: Callable[[np.ndarray], np.ndarray],
    *,
    rate_hz: float,
    lag_s: float = 0.0,
) -> np.ndarray:
    """Compute a network's refined wave (n,) of any number of crops; see `SpatialRefinement`."""
    refinement = SpatialRefinement(network, rate_hz=rate_hz, lag_s=lag_s)
    for image in crops:
        refinement.add(image)
    return refinement.finish()


class SpatialRefinement:
    """Compute a network's wave by `OverlapAdd` and refine it by the cells of all crops.

    ``lag_s`` is the delay of the network's wave in seconds.
    """

    def __init__(
        self, network: Callable[[np.ndarray], np.ndarray], *, rate_hz: float, lag_s: float = 0.0
    ) -> None:
        self.rate_hz, self.lag_s = rate_hz, lag_s
        self.overlap_add = OverlapAdd(network, round(CHUNK_S * rate_hz))
        # in one block of memory: many small arrays would fragment the memory that crops use
        self.cells = array("f")

    def add(self, image: np.ndarray | None) -> None:
        """Add the next crop (size, size, 3), or None where there is none."""
        self.overlap_add.add(image)
        cells = np.full(VALUES, np.nan, np.float32) if image is None else cells_of(image)
        self.cells.frombytes(cells.tobytes())

    def so_far(self) -> np.ndarray:
        """Return the network's wave so far, not refined, since refining each time would be slow."""
        return self.overlap_add.so_far()

    def finish(self) -> np.ndarray:
        """Return the refined wave of all crops."""
        wave = self.overlap_add.finish()
        if not len(wave):
            return wave
        cells = delayed(np.reshape(self.cells, (-1, VALUES)), self.lag_s * self.rate_hz)
        return refine(wave, cells, self.rate_hz)


def cells_of(image: np.ndarray) -> np.ndarray:
    """Compute the mean colours of a crop's 6×6 cells, float32 (108,)."""
    import cv2

    side = (CELLS, CELLS)
    small = cv2.resize(image.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(-1))


def refine(wave: np.ndarray, cells: np.ndarray, rate_hz: float) -> np.ndarray:
    """Predict a wave from the colours of cells, and blend the prediction with it.

    The weights are r² of the prediction and 1 − r² of the wave, where r is their correlation.

    Parameters
    ----------
    wave : array (n,)
        NaN where there is no face; each stretch between is refined by itself.
    cells : array (n, m)
        Mean colours at the same times, NaN where missing.

    Returns
    -------
    array (n,)
        Standardised minute by minute, 0.5–8 Hz. Stretches of less than 8 s are unchanged.
    """
    out = wave.copy()
    for first, stop in Signal(wave + cells.sum(axis=1), rate_hz).runs():
        if stop - first < LEAST_S * rate_hz:
            continue
        count = max(round((stop - first) / (MINUTE_S * rate_hz)), 1)
        margin = round(MARGIN_S * rate_hz)
        for start, end in itertools.pairwise(np.linspace(first, stop, count + 1).astype(int)):
            low, high = max(start - margin, first), min(end + margin, stop)
            refined = _refine_minute(wave[low:high], cells[low:high], rate_hz)
            out[start:end] = refined[start - low : end - low]
    return out


def _refine_minute(wave: np.ndarray, cells: np.ndarray, rate_hz: float) -> np.ndarray:
    """Refine one minute (and its margins) with the penalty that predicts the wave best."""
    target = standardise(band_passed(wave, rate_hz))
    shares = band_passed(cells / np.maximum(cells.mean(axis=0), 1.0), rate_hz)
    shares = shares / np.maximum(shares.std(axis=0), 1e-9)
    predictions = [standardise(row) for row in _predict_left_out(shares, target, rate_hz)]
    r = [float(target @ prediction) / len(target) for prediction in predictions]
    best = int(np.argmax(r))
    weight = max(r[best], 0.0) ** 2
    return standardise(weight * predictions[best] + (1 - weight) * target)


def band_passed(
    x: np.ndarray, rate_hz: float, band_hz: tuple[float, float] = BAND_HZ
) -> np.ndarray:
    """Filter x (n, …) to a band, by default 0.5–8 Hz, in double precision, without delay."""
    from scipy.signal import butter, sosfiltfilt

    high = min(band_hz[1], 0.45 * rate_hz)
    sos = butter(2, (band_hz[0], high), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sosfiltfilt(sos, x.astype(float), axis=0))


def _predict_left_out(x: np.ndarray, y: np.ndarray, rate_hz: float) -> np.ndarray:
    """Predict y (n,) by ridge regression on x (n, m), with one row (n,) for each penalty.

    Each block of two seconds is predicted by a fit on all other blocks:
    ŷ₋ = y − (1 − H)⁻¹ (y − ŷ), where H is the block's part of the hat matrix of all blocks
    (Allen 1974, for more than one row).
    """
    edges = np.linspace(0, len(y), round(len(y) / (BLOCK_S * rate_hz)) + 1).astype(int)
    powers, axes = np.linalg.eigh(x.T @ x)
    rotated = x @ axes
    projection = rotated.T @ y
    predictions = np.empty((len(PENALTIES), len(y)))
    for row, penalty in zip(predictions, PENALTIES, strict=True):
        gain = 1 / (np.maximum(powers, 0.0) + max(penalty * float(powers.mean()), 1e-12))
        residual = y - rotated @ (gain * projection)
        for start, stop in itertools.pairwise(edges):
            part = rotated[start:stop]
            remainder = np.eye(stop - start) - (part * gain) @ part.T
            row[start:stop] = y[start:stop] - np.linalg.solve(remainder, residual[start:stop])
    return predictions


def delayed(cells: np.ndarray, frames: float) -> np.ndarray:
    """Delay the columns of cells (n, m) by a number of frames, which may be a fraction."""
    if frames == 0:
        return cells
    at, delayed = np.arange(len(cells)), np.empty_like(cells)
    for column, original in zip(delayed.T, cells.T, strict=True):
        column[:] = np.interp(at - frames, at, original)
    return delayed
