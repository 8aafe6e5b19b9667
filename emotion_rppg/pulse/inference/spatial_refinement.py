"""A network's wave as the cells of the same pictures confirm it: noise of the network's own goes.

A network weighs every video alike; which cells of this one have a pulse, and in which colours light
and codec disturb it, only this video tells. So the network's wave becomes the pilot of a linear
filter: all cells and colours are weighed by least squares to come as near to it as they can (an
adaptive array with a pilot signal: Widrow et al. 1967). The weights for each two seconds come from
the time about them and never from themselves: what the network made up there cannot be learned.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable

import numpy as np

from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, OverlapAdd, standard
from emotion_rppg.signals import Signal

CELLS = 6  # a side: larger ones are less noisy, more of them tell more disturbances apart
MEANS = CELLS * CELLS * 3  # of a picture: a colour channel of a cell each
BAND_HZ = (0.5, 8.0)  # in which cells and wave are compared
BLOCK_S = 2.0  # whose own time is left out of its weights
MINUTE_S, MARGIN_S = 60.0, 30.0  # weights come from this minute and its margins: heads turn
LEAST_S = 8.0  # a shorter stretch is left as the network read it
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # of ridge regression, times the mean power


def wave_of_crops(
    pictures: Iterable[np.ndarray | None],
    network: Callable[[np.ndarray], np.ndarray],
    *,
    rate_hz: float,
    lag_s: float = 0.0,
) -> np.ndarray:
    """A network's wave over any number of pictures, (n,), confirmed; see `SpatialRefinement`."""
    reading = SpatialRefinement(network, rate_hz=rate_hz, lag_s=lag_s)
    for picture in pictures:
        reading.add(picture)
    return reading.finish()


class SpatialRefinement:
    """`OverlapAdd`, whose wave is confirmed by the pictures' cells, of which all are kept.

    ``lag_s`` is how late the network's wave is.
    """

    def __init__(
        self, network: Callable[[np.ndarray], np.ndarray], *, rate_hz: float, lag_s: float = 0.0
    ) -> None:
        self.rate_hz, self.lag_s = rate_hz, lag_s
        self.added = OverlapAdd(network, round(CHUNK_S * rate_hz))
        # in one block: between small arrays the memory of the pictures would never be used again
        self.cells = array("f")

    def add(self, picture: np.ndarray | None) -> None:
        """The next picture (size, size, 3), or None where there is none."""
        self.added.add(picture)
        cells = np.full(MEANS, np.nan, np.float32) if picture is None else cells_of(picture)
        self.cells.frombytes(cells.tobytes())

    def so_far(self) -> np.ndarray:
        """What the network has read, not confirmed yet: it is asked for again and again."""
        return self.added.so_far()

    def finish(self) -> np.ndarray:
        """Of all pictures, confirmed."""
        wave = self.added.finish()
        if not len(wave):
            return wave
        cells = _late(np.reshape(self.cells, (-1, MEANS)), self.lag_s * self.rate_hz)
        return refine(wave, cells, self.rate_hz)


def cells_of(picture: np.ndarray) -> np.ndarray:
    """Mean colours of a picture's 6×6 cells, float32 (108,)."""
    import cv2

    side = (CELLS, CELLS)
    small = cv2.resize(picture.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(-1))


def refine(wave: np.ndarray, cells: np.ndarray, rate_hz: float) -> np.ndarray:
    """What the cells can say of a wave, blended with it by how well they can: r² and 1 − r².

    Parameters
    ----------
    wave : array (n,)
        NaN where nothing was seen; each stretch is taken for itself.
    cells : array (n, m)
        Mean colours at the same times, NaN where not known.

    Returns
    -------
    array (n,)
        Standardised minute by minute, 0.5–8 Hz. Stretches of less than 8 s are left as they are.
    """
    out = wave.copy()
    for first, stop in Signal(wave + cells.sum(axis=1), rate_hz).runs():
        if stop - first < LEAST_S * rate_hz:
            continue
        count = max(round((stop - first) / (MINUTE_S * rate_hz)), 1)
        margin = round(MARGIN_S * rate_hz)
        for start, end in itertools.pairwise(np.linspace(first, stop, count + 1).astype(int)):
            low, high = max(start - margin, first), min(end + margin, stop)
            heard = _confirmed(wave[low:high], cells[low:high], rate_hz)
            out[start:end] = heard[start - low : end - low]
    return out


def _confirmed(wave: np.ndarray, cells: np.ndarray, rate_hz: float) -> np.ndarray:
    own = standard(_banded(wave, rate_hz))
    shares = _banded(cells / np.maximum(cells.mean(axis=0), 1.0), rate_hz)
    shares = shares / np.maximum(shares.std(axis=0), 1e-9)
    found = [standard(each) for each in _by_others(shares, own, rate_hz)]
    r = [float(own @ each) / len(own) for each in found]
    best = int(np.argmax(r))
    trust = max(r[best], 0.0) ** 2
    return standard(trust * found[best] + (1 - trust) * own)


def _banded(x: np.ndarray, rate_hz: float) -> np.ndarray:
    """x (n, …) within the band, in double precision, without delay."""
    from scipy.signal import butter, sosfiltfilt

    high = min(BAND_HZ[1], 0.45 * rate_hz)
    sos = butter(2, (BAND_HZ[0], high), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sosfiltfilt(sos, x.astype(float), axis=0))


def _by_others(x: np.ndarray, y: np.ndarray, rate_hz: float) -> np.ndarray:
    """y (n,) as ridge regression on x (n, m) foretells it, a row (n,) for each penalty.

    Each block of two seconds by all others: ŷ₋ = y − (1 − H)⁻¹ (y − ŷ) of the block, where H is
    its part of the hat matrix of all blocks together (Allen 1974, for more rows than one).
    """
    edges = np.linspace(0, len(y), round(len(y) / (BLOCK_S * rate_hz)) + 1).astype(int)
    powers, axes = np.linalg.eigh(x.T @ x)
    turned = x @ axes
    along = turned.T @ y
    found = np.empty((len(PENALTIES), len(y)))
    for row, penalty in zip(found, PENALTIES, strict=True):
        gain = 1 / (np.maximum(powers, 0.0) + max(penalty * float(powers.mean()), 1e-12))
        rest = y - turned @ (gain * along)
        for start, stop in itertools.pairwise(edges):
            part = turned[start:stop]
            left = np.eye(stop - start) - (part * gain) @ part.T
            row[start:stop] = y[start:stop] - np.linalg.solve(left, rest[start:stop])
    return found


def _late(cells: np.ndarray, frames: float) -> np.ndarray:
    """Cells (n, m) as they were so many frames before."""
    if frames == 0:
        return cells
    at, late = np.arange(len(cells)), np.empty_like(cells)
    for column, known in zip(late.T, cells.T, strict=True):
        column[:] = np.interp(at - frames, at, known)
    return late
