"""Test whether what moves with a wave is distributed over the pictures as blood is.

No wave can tell by itself whether it is a pulse: a lamp, a hand that trembles and a film that is
shown again and again have a rhythm, too. The pictures can. Blood darkens all parts of the face in
the same phase, green more than red, and nothing outside of it. Light changes the background as
well, or all colours alike; motion darkens one side of each edge and lightens the other.

Each stretch of ten seconds is tested at the wave's own rate. A test speaks against the wave only
where it is significant against what the same cells do in other phases of the same rate, so that
noise decides nothing: whether there is a rhythm at all is for `emotion_rppg.signal_quality` to say.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from emotion_rppg.signal_quality import FASTEST_HZ, SLOWEST_HZ
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import FaceFrame, face_cells, skin_of

RATE_HZ = 15.0  # at most so many frames a second are looked at: pulses have 3.5 Hz at most
CELLS, ZONES = 16, 4  # a side of the face's box
GRID = 8  # a side of the picture, of which the outer cells are background
BACKGROUND = [(i, j) for i in range(GRID) for j in range(GRID) if {i, j} & {0, GRID - 1}]
AROUND, ABOVE = 0.7, 0.7  # face sizes from the face's middle that are no background, nor below
SAMPLES = 64  # pixels along the shorter side from which background is averaged

WINDOW_S, STEP_S = 10.0, 2.5
LEAST_S = 4.0  # shorter stretches are not tested
LEAST_SEEN = 0.6  # of the frames of the shortest stretch
NEAR_STEPS = (-1.0, 0.0, 1.0)  # frequencies about the rate, in 1 / window
PHASES = 2 * len(NEAR_STEPS) - 1  # that the wave does not have
SIGNIFICANT = 6.0  # times the mean power of the other five phases: one in twenty by chance
APART_SIGNIFICANT = 3.0  # the same for a sum over zones, which scatters less
COLOURS = (np.array([0.0, 1.0, 0.0]), np.array([-1.0, 1.0, 0.0]))  # that blood changes most
LEAST_SKIN = 0.25  # of the zone that has most, below it a zone is left out
LEAST_ZONES, LEAST_CELLS = 4, 3
MOST_APART = 1.2  # square of zones' differences over that of their mean; blood: up to 1.0
MOST_BACKGROUND = 0.5  # of the face's relative change
GREY = 1e-3  # a difference of red and green of less: a picture without colours
MOST_RED = 0.7  # of green's relative change; blood: 0.2 to 0.6, light: about 1
LEAST_LEVEL = 8.0  # of 255: a darker cell's relative change is a codec's

_ZONES, _CELLS = ZONES * ZONES, len(BACKGROUND)
_ROW = 1 + 4 * _ZONES + 3 * _CELLS  # time; colours and skin of zones; colours of background


class Pictures:
    """What `against` needs to know of the frames of a video: 600 bytes each, 15 a second."""

    def __init__(self) -> None:
        # in one block: between small arrays the memory of the pictures would never be used again
        self.rows = array("f")
        self.start_s, self.due_s = np.nan, -np.inf

    def add(self, look: FaceFrame, cells: np.ndarray | None = None) -> None:
        """The next frame; ``cells``: its `face_cells`, 32 a side, where they are known already."""
        if look.time_s < self.due_s:
            return
        if np.isnan(self.start_s):
            self.start_s = look.time_s
        # a frame comes a hair before its due time when the rate does not divide the step
        self.due_s = look.time_s + 1 / RATE_HZ - 5e-3
        if look.box is not None:
            zones = _zones(face_cells(look, CELLS) if cells is None else _halved(cells), look)
            row = np.r_[look.time_s - self.start_s, zones, _background(look)]
            self.rows.frombytes(row.astype(np.float32).tobytes())

    def against(self, wave: Signal) -> np.ndarray:
        """Whether the pictures speak against each sample of a wave being pulse, bool (n,)."""
        rows = np.reshape(self.rows, (-1, _ROW))
        times = rows[:, 0] + self.start_s if len(rows) else np.zeros(0)
        votes, windows = np.zeros(len(wave)), np.zeros(len(wave))
        for first, stop in _windows(wave):
            start, end = (wave.start_s + i / wave.rate_hz for i in (first, stop))
            inside = slice(*np.searchsorted(times, (start, end)))
            if len(times[inside]) < LEAST_SEEN * RATE_HZ * LEAST_S:
                continue
            piece = np.interp(times[inside], wave.times_s[first:stop], wave.samples[first:stop])
            votes[first:stop] += cause(_shown(rows[inside], times[inside], piece)) is not None
            windows[first:stop] += 1
        return votes > windows / 2


def _windows(wave: Signal) -> list[tuple[int, int]]:
    """First and stop of stretches of ten seconds, every 2.5 s, without NaN; or of a shorter run."""
    found: list[tuple[int, int]] = []
    length, step = (max(round(s * wave.rate_hz), 1) for s in (WINDOW_S, STEP_S))
    for first, stop in wave.runs():
        if stop - first >= LEAST_S * wave.rate_hz:
            starts = range(first, max(stop - length, first) + 1, step)
            found += [(start, min(start + length, stop)) for start in starts]
            if found[-1][1] < stop:
                found.append((stop - length, stop))
    return found


def _halved(cells: np.ndarray) -> np.ndarray:
    return np.asarray(cells.reshape(CELLS, 2, CELLS, 2, 3).mean(axis=(1, 3)))


def _zones(cells: np.ndarray, look: FaceFrame) -> np.ndarray:
    """Colours of the zones of a face and how much skin each has, (4 · 16,)."""
    side, weights = CELLS // ZONES, skin_of(look, CELLS)
    skin = weights.reshape(ZONES, side, ZONES, side).sum(axis=(1, 3))
    sums = (cells * weights[..., None]).reshape(ZONES, side, ZONES, side, 3).sum(axis=(1, 3))
    return np.r_[(sums / np.maximum(skin, 1e-9)[..., None]).ravel(), skin.ravel() / side**2]


def _background(look: FaceFrame) -> np.ndarray:
    """Colours of the picture's outer cells, NaN where the face or what is below it may be."""
    import cv2

    height, width = look.image.shape[:2]
    every = max(min(height, width) // SAMPLES, 1)
    few = look.image[::every, ::every].astype(np.float32)
    colours = cv2.resize(few, (GRID, GRID), interpolation=cv2.INTER_AREA)
    assert look.box is not None
    x, y, w, h = look.box
    left, right = (GRID / width * (x + w * (0.5 + side * AROUND)) for side in (-1, 1))
    top = GRID / height * (y + h * (0.5 - ABOVE))
    for i, j in BACKGROUND:
        if i + 1 > top and j + 1 > left and j < right:
            colours[i, j] = np.nan
    return np.concatenate([colours[i, j] for i, j in BACKGROUND])


# ---- one window ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Shown:
    """Relative changes at a wave's rate: with the wave, and in the five phases that it has not.

    ``zones`` (k, 3) and their ``skin`` (k,), which sums to one; ``cells`` (m, 3) of the background;
    the same with five rows before in ``other_zones``, ``other_cells``.
    """

    zones: np.ndarray
    other_zones: np.ndarray
    skin: np.ndarray
    cells: np.ndarray
    other_cells: np.ndarray


def _shown(rows: np.ndarray, times_s: np.ndarray, wave: np.ndarray) -> Shown:
    zones, skin, cells = np.split(rows[:, 1:].astype(float), [3 * _ZONES, 4 * _ZONES], axis=1)
    skin = skin.mean(axis=0)
    used = skin >= LEAST_SKIN * max(float(skin.max()), 1e-9)
    basis = _phases(times_s, wave)
    own = basis.T @ _tapered(wave[:, None], times_s)[:, 0]
    own = own / max(float(np.linalg.norm(own)), 1e-12)
    parts = []
    for colours, keep in ((zones, used), (cells, np.ones(_CELLS, dtype=bool))):
        levels = colours.mean(axis=0).reshape(-1, 3)
        keep &= np.nan_to_num(levels[:, :2]).min(axis=1) >= LEAST_LEVEL
        colours = colours.reshape(len(rows), -1, 3)[:, keep] / np.maximum(levels[keep], 1) - 1
        change = basis.T @ _tapered(colours.reshape(len(rows), -1), times_s)
        change = change.reshape(len(basis.T), -1, 3)
        with_wave = np.einsum("p,pkc->kc", own, change)
        parts += [with_wave, change - own[:, None, None] * with_wave]
    skin = skin[used] / max(float(skin[used].sum()), 1e-12)
    return Shown(parts[0], parts[1], skin, parts[2], parts[3])


def _tapered(x: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """x (n, m) without its cubic trend, under a Hann window."""
    at = 2 * (times_s - times_s[0]) / (times_s[-1] - times_s[0]) - 1
    trend = np.linalg.qr(np.polynomial.chebyshev.chebvander(at, 3))[0]
    return np.asarray((x - trend @ (trend.T @ x)) * np.cos(np.pi / 2 * at[:, None]) ** 2)


def _phases(times_s: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Orthonormal basis (n, 6) of what is near the rate of a wave."""
    span = times_s[-1] - times_s[0]
    hz = np.arange(SLOWEST_HZ, FASTEST_HZ, 0.25 / span)
    turns = np.exp(-2j * np.pi * hz[:, None] * (times_s - times_s[0]))
    power = np.abs(turns @ _tapered(wave[:, None], times_s)[:, 0]) ** 2 * hz
    near = hz[power.argmax()] + np.array(NEAR_STEPS) / span
    angle = 2 * np.pi * near * (times_s - times_s[0])[:, None]
    return np.linalg.qr(_tapered(np.hstack([np.cos(angle), np.sin(angle)]), times_s))[0]


def cause(shown: Shown) -> str | None:
    """What speaks against blood, None if nothing does.

    ``"nothing"``: no colour of the face goes with the wave; else what does: ``"motion"``,
    ``"light"`` or another ``"colour"``.
    """
    if not len(shown.skin):
        return None
    mean, other = shown.skin @ shown.zones, np.einsum("k,pkc->pc", shown.skin, shown.other_zones)
    if not any(_significant((mean @ c) ** 2, ((other @ c) ** 2).sum()) for c in COLOURS):
        return "nothing"
    if len(shown.skin) >= LEAST_ZONES and _is_motion(shown, mean, other):
        return "motion"
    if len(shown.cells) >= LEAST_CELLS and _is_light(shown, mean):
        return "light"
    return "colour" if _is_no_blood(mean, other) else None


def _is_motion(shown: Shown, mean: np.ndarray, other: np.ndarray) -> bool:
    """Whether zones differ in green by more than they have in common."""
    apart = float(shown.skin @ (shown.zones[:, 1] - mean[1]) ** 2)
    spread = (shown.other_zones[..., 1] - other[:, 1:2]) ** 2 @ shown.skin
    return apart > MOST_APART * mean[1] ** 2 and apart > APART_SIGNIFICANT * spread.sum() / PHASES


def _is_light(shown: Shown, mean: np.ndarray) -> bool:
    """Whether the background has half of the face's green, in the same phase."""
    behind = float(np.median(shown.cells[:, 1]))
    other = np.median(shown.other_cells[..., 1], axis=1)
    share = behind * mean[1] / max(mean[1] ** 2, 1e-24)
    return share > MOST_BACKGROUND and _significant(behind**2, (other**2).sum())


def _is_no_blood(mean: np.ndarray, other: np.ndarray) -> bool:
    """Whether red changes nearly as green does, or against it, where green goes with the wave."""
    if not _significant(mean[1] ** 2, (other[:, 1] ** 2).sum()):
        return mean[0] * mean[1] < 0 and _significant(mean[0] ** 2, (other[:, 0] ** 2).sum())
    red = mean[0] / mean[1]
    return not 0 <= red <= MOST_RED and abs(red - 1) > GREY


def _significant(power: float, others: float) -> bool:
    """Against the sum of the other five phases."""
    return power > SIGNIFICANT * others / PHASES
