"""Test whether what changes with a wave is distributed over the frames as blood is.

A wave alone does not show whether it is a pulse: a flickering lamp, a trembling hand and a film in
a loop have a rhythm, too. The frames show it. Blood darkens all parts of the face in the same
phase, green more than red, and nothing outside of the face. Light also changes the background, or
all colours alike. Motion darkens one side of each edge and lightens the other; its displacement,
times the slope of the brightness, explains the change.

Each window of ten seconds is tested at the wave's own rate. A test contradicts the wave only where
it is significant compared with other phases of the same rate in the same cells, so that noise alone
contradicts nothing. Whether there is a rhythm at all is decided in `emotion_rppg.signal_quality`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_rppg.pulse.displacement import Displacement, explained_change
from emotion_rppg.signal_quality import FASTEST_HZ, SLOWEST_HZ
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import CELLS as FINE_CELLS
from emotion_rppg.video.face_tracking import FaceFrame, face_cells, skin_of

RATE_HZ = 15.0  # at most so many frames a second are used: a heart rate is at most 3.5 Hz
CELLS, ZONES = 16, 4  # a side of the face's box
GRID = 8  # cells a side of the frame, of which the outer ones are background
BACKGROUND = [(i, j) for i in range(GRID) for j in range(GRID) if {i, j} & {0, GRID - 1}]
# No background: within so many face sizes beside the face's centre, above it, and all below
AROUND, ABOVE = 0.7, 0.7
SAMPLES = 64  # pixels along the shorter side that the background is averaged from

WINDOW_S, STEP_S = 10.0, 2.5
LEAST_S = 4.0  # shorter stretches are not tested
LEAST_COVERED = 0.6  # share of the frames of the shortest stretch
NEAR_STEPS = (-1.0, 0.0, 1.0)  # frequencies about the rate, in 1 / window
PHASES = 2 * len(NEAR_STEPS) - 1  # orthogonal to the wave
SIGNIFICANT = 6.0  # times the mean power of the other five phases: p = 0.05 by chance
APART_SIGNIFICANT = 3.0  # the same for a sum over zones, which varies less
# Combinations of red, green and blue that blood changes most
COLOURS = (np.array([0.0, 1.0, 0.0]), np.array([-1.0, 1.0, 0.0]))
LEAST_SKIN = 0.25  # of that of the zone with most skin; a zone with less is not used
LEAST_ZONES, LEAST_CELLS = 4, 3
MOST_APART = 1.2  # variance between zones over their squared mean; blood: up to 1.0
MOST_BACKGROUND = 0.5  # of the relative change of the face
# Change of green that the displacement explains, over the change: motion about 1, blood about 0
EXPLAINED = (0.7, 1.4)
GREY = 1e-3  # a smaller difference of red and green: a frame without colours
MOST_RED = 0.7  # of green's relative change; blood: 0.2 to 0.6, light: about 1
LEAST_LEVEL = 8.0  # of 255; relative changes of darker cells come from the codec

_ZONES, _CELLS = ZONES * ZONES, len(BACKGROUND)
# time; change that motion explains; colours and skin of zones; colours of background
_ROW = 2 + 4 * _ZONES + 3 * _CELLS


class FrameEvidence:
    """Collect mean colours of face zones and background: 600 bytes a frame, 15 frames a second."""

    def __init__(self) -> None:
        # in one block of memory: many small arrays would fragment the memory that frames use
        self.rows = array("f")
        self.start_s, self.due_s = np.nan, -np.inf
        self.displacement = Displacement()

    def add(
        self, frame: FaceFrame, cells: np.ndarray | None = None, others: Sequence[FaceFrame] = ()
    ) -> None:
        """Add the next frame.

        ``cells`` are its `face_cells`, 32 a side, if already computed; ``others`` are the faces of
        other people in the frame, which are no background.
        """
        if frame.time_s < self.due_s:
            return
        if np.isnan(self.start_s):
            self.start_s = frame.time_s
        # a frame can come slightly before its due time where the rate does not divide the step
        self.due_s = frame.time_s + 1 / RATE_HZ - 5e-3
        if frame.box is None:
            self.displacement.lose()
            return
        fine = face_cells(frame, FINE_CELLS) if cells is None else cells
        cells, skin = _halved(fine), skin_of(frame, CELLS)
        shift = self.displacement.add(fine.mean(axis=2))
        moved = explained_change(shift, cells[..., 1], skin)
        colours = np.r_[_zones(cells, skin), _background(frame, others)]
        row = np.r_[frame.time_s - self.start_s, moved, colours]
        self.rows.frombytes(row.astype(np.float32).tobytes())

    def contradicts(self, wave: Signal) -> np.ndarray:
        """Tell for each sample of a wave whether the frames contradict a pulse, bool (n,)."""
        rows = np.reshape(self.rows, (-1, _ROW))
        times = rows[:, 0] + self.start_s if len(rows) else np.zeros(0)
        votes, windows = np.zeros(len(wave)), np.zeros(len(wave))
        for first, stop in _windows(wave):
            start, end = (wave.start_s + i / wave.rate_hz for i in (first, stop))
            inside = slice(*np.searchsorted(times, (start, end)))
            if len(times[inside]) < LEAST_COVERED * RATE_HZ * LEAST_S:
                continue
            piece = np.interp(times[inside], wave.times_s[first:stop], wave.samples[first:stop])
            votes[first:stop] += (
                contradiction(_relative_changes(rows[inside], times[inside], piece)) is not None
            )
            windows[first:stop] += 1
        return votes > windows / 2


def _windows(wave: Signal) -> list[tuple[int, int]]:
    """List first and stop of windows of 10 s, every 2.5 s, without NaN; or of a shorter run."""
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
    """Average 2×2 cells: (2n, 2n, 3) -> (n, n, 3)."""
    return np.asarray(cells.reshape(CELLS, 2, CELLS, 2, 3).mean(axis=(1, 3)))


def _zones(cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute mean colours and skin shares of the zones of a face, (4 · 16,)."""
    side = CELLS // ZONES
    skin = weights.reshape(ZONES, side, ZONES, side).sum(axis=(1, 3))
    sums = (cells * weights[..., None]).reshape(ZONES, side, ZONES, side, 3).sum(axis=(1, 3))
    return np.r_[(sums / np.maximum(skin, 1e-9)[..., None]).ravel(), skin.ravel() / side**2]


def _background(frame: FaceFrame, others: Sequence[FaceFrame]) -> np.ndarray:
    """Compute mean colours of the frame's outer cells, NaN near and below each face."""
    import cv2

    height, width = frame.image.shape[:2]
    every = max(min(height, width) // SAMPLES, 1)
    sampled = frame.image[::every, ::every].astype(np.float32)
    colours = cv2.resize(sampled, (GRID, GRID), interpolation=cv2.INTER_AREA)
    for face in (frame, *others):
        _clear_person(colours, face)
    return np.concatenate([colours[i, j] for i, j in BACKGROUND])


def _clear_person(colours: np.ndarray, face: FaceFrame) -> None:
    """Set cells of the background (8, 8, 3) near and below a face to NaN, in place."""
    height, width = face.image.shape[:2]
    assert face.box is not None
    x, y, w, h = face.box
    if face.turn == 1:  # as numpy.rot90 rotates; the views of colours are changed in place
        x, y, w, h, width, height = y, width - x - w, h, w, height, width
    elif face.turn == -1:
        x, y, w, h, width, height = height - y - h, x, h, w, height, width
    colours = np.rot90(colours, face.turn)
    left, right = (GRID / width * (x + w * (0.5 + side * AROUND)) for side in (-1, 1))
    top = GRID / height * (y + h * (0.5 - ABOVE))
    for i, j in BACKGROUND:
        if i + 1 > top and j + 1 > left and j < right:
            colours[i, j] = np.nan


# ---- one window ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RelativeChanges:
    """Relative colour changes at a wave's rate: in phase with it and in the five other phases.

    ``zones`` (k, 3) are those of the face in phase, with their share of the ``skin`` (k,), which
    sums to 1; ``cells`` (m, 3) those of the background. ``other_zones`` (5, k, 3) and
    ``other_cells`` (5, m, 3) are the same in the other phases. ``moved`` is the change of green
    that the displacement of the face explains, in phase, and ``other_moved`` (5,) in the others.
    """

    zones: np.ndarray
    other_zones: np.ndarray
    skin: np.ndarray
    cells: np.ndarray
    other_cells: np.ndarray
    moved: float
    other_moved: np.ndarray


def _relative_changes(rows: np.ndarray, times_s: np.ndarray, wave: np.ndarray) -> RelativeChanges:
    """Compute the relative changes of one window from rows of zones and background."""
    zones, skin, cells = np.split(rows[:, 2:].astype(float), [3 * _ZONES, 4 * _ZONES], axis=1)
    skin = skin.mean(axis=0)
    used = skin >= LEAST_SKIN * max(float(skin.max()), 1e-9)
    basis = _phases(times_s, wave)
    wave_phase = basis.T @ _tapered(wave[:, None], times_s)[:, 0]
    wave_phase = wave_phase / max(float(np.linalg.norm(wave_phase)), 1e-12)
    parts = []
    for colours, usable in ((zones, used), (cells, np.ones(_CELLS, dtype=bool))):
        mean_colours = colours.mean(axis=0).reshape(-1, 3)
        usable &= np.nan_to_num(mean_colours[:, :2]).min(axis=1) >= LEAST_LEVEL
        colours = (
            colours.reshape(len(rows), -1, 3)[:, usable] / np.maximum(mean_colours[usable], 1) - 1
        )
        change = basis.T @ _tapered(colours.reshape(len(rows), -1), times_s)
        change = change.reshape(len(basis.T), -1, 3)
        with_wave = np.einsum("p,pkc->kc", wave_phase, change)
        parts += [with_wave, change - wave_phase[:, None, None] * with_wave]
    skin = skin[used] / max(float(skin[used].sum()), 1e-12)
    moves = basis.T @ _tapered(rows[:, 1:2].astype(float), times_s)[:, 0]
    moved = float(wave_phase @ moves)
    others = moves - wave_phase * moved
    return RelativeChanges(parts[0], parts[1], skin, parts[2], parts[3], moved, others)


def _tapered(x: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Remove the cubic trend of x (n, m) and apply a Hann window."""
    at = 2 * (times_s - times_s[0]) / (times_s[-1] - times_s[0]) - 1
    trend = np.linalg.qr(np.polynomial.chebyshev.chebvander(at, 3))[0]
    return np.asarray((x - trend @ (trend.T @ x)) * np.cos(np.pi / 2 * at[:, None]) ** 2)


def _phases(times_s: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Compute an orthonormal basis (n, 6) of sinusoids near the rate of a wave."""
    span = times_s[-1] - times_s[0]
    hz = np.arange(SLOWEST_HZ, FASTEST_HZ, 0.25 / span)
    turns = np.exp(-2j * np.pi * hz[:, None] * (times_s - times_s[0]))
    power = np.abs(turns @ _tapered(wave[:, None], times_s)[:, 0]) ** 2 * hz
    near = hz[power.argmax()] + np.array(NEAR_STEPS) / span
    angle = 2 * np.pi * near * (times_s - times_s[0])[:, None]
    return np.linalg.qr(_tapered(np.hstack([np.cos(angle), np.sin(angle)]), times_s))[0]


def contradiction(changes: RelativeChanges) -> str | None:
    """Name what contradicts blood, None if nothing does.

    ``"nothing"``: no colour of the face changes with the wave. Else the cause of the changes:
    ``"motion"``, ``"light"`` or another ``"colour"``.
    """
    if not len(changes.skin):
        return None
    mean, other = (
        changes.skin @ changes.zones,
        np.einsum("k,pkc->pc", changes.skin, changes.other_zones),
    )
    if not any(_significant((mean @ c) ** 2, ((other @ c) ** 2).sum()) for c in COLOURS):
        return "nothing"
    if len(changes.skin) >= LEAST_ZONES and _is_motion(changes, mean, other):
        return "motion"
    if _is_displacement(changes, mean):
        return "motion"
    if len(changes.cells) >= LEAST_CELLS and _is_light(changes, mean):
        return "light"
    return "colour" if _is_no_blood(mean, other) else None


def _is_motion(changes: RelativeChanges, mean: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether zones differ in green by more than they have in common."""
    apart = float(changes.skin @ (changes.zones[:, 1] - mean[1]) ** 2)
    spread = (changes.other_zones[..., 1] - other[:, 1:2]) ** 2 @ changes.skin
    return apart > MOST_APART * mean[1] ** 2 and apart > APART_SIGNIFICANT * spread.sum() / PHASES


def _is_displacement(changes: RelativeChanges, mean: np.ndarray) -> bool:
    """Tell whether the displacement of the face explains its change of green, in the same phase."""
    share = changes.moved * mean[1] / max(mean[1] ** 2, 1e-24)
    low, high = EXPLAINED
    return low < share < high and _significant(changes.moved**2, (changes.other_moved**2).sum())


def _is_light(changes: RelativeChanges, mean: np.ndarray) -> bool:
    """Tell whether the background has half of the face's change of green, in the same phase."""
    behind = float(np.median(changes.cells[:, 1]))
    other = np.median(changes.other_cells[..., 1], axis=1)
    share = behind * mean[1] / max(mean[1] ** 2, 1e-24)
    return share > MOST_BACKGROUND and _significant(behind**2, (other**2).sum())


def _is_no_blood(mean: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether red changes nearly as green does or opposite to it, unlike with blood."""
    if not _significant(mean[1] ** 2, (other[:, 1] ** 2).sum()):
        return mean[0] * mean[1] < 0 and _significant(mean[0] ** 2, (other[:, 0] ** 2).sum())
    red = mean[0] / mean[1]
    return not 0 <= red <= MOST_RED and abs(red - 1) > GREY


def _significant(power: float, others: float) -> bool:
    """Test a power against the sum of those of the other five phases."""
    return power > SIGNIFICANT * others / PHASES
