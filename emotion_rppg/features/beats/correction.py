"""Apply a person's corrections to detected beats: beats added, moved or deleted, noise marked.

The detection itself is never changed: `correct_beats` computes new `Beats` from it and a list of
edits. The rules are:

- A beat that a person added or moved counts as a beat, with confidence 1 (``Beats.edited``). Its
  timing error is not known to be smaller than that of the wave's other beats: it has their median.
- Gaps stay gaps, with one exception: where a person placed a beat, the interval to the beat before
  and after it counts, if it is an interval of a heart and the wave has samples there.
- Noise becomes a gap, and the wave is missing there. Beats in it are rejected.
- An interval beside an edit that is so long that it contains an undetected beat becomes a gap,
  unless a person placed both its beats. A deleted beat therefore gives a pause only where a pause
  is plausible.
- Ectopic beats are marked anew around edits.

Whether a window is trusted is decided afterwards by the usual rules
(:mod:`emotion_rppg.features.trust`): a corrected window is not trusted because it was corrected.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.after_edits import columns_after, judge_after, placed_by_hand
from emotion_rppg.features.beats.edits import ADD, DELETE, NOISE, SIGNAL, Edit
from emotion_rppg.interval_timeline import LONGEST_MS, SHORTEST_MS
from emotion_rppg.signals import LONGEST_HOLE_S, Beats, Signal

MATCH_S = 0.05  # a time within this distance of a beat means that beat
_LONGEST_S, _SHORTEST_S = LONGEST_MS / 1e3, SHORTEST_MS / 1e3


class Failed(NamedTuple):
    """An edit that does not apply to the detected beats, and why."""

    edit: Edit
    reason: str


@dataclass(frozen=True)
class Corrected:
    """Beats after the edits of a person, and what the edits did.

    ``deleted_s`` are the times of detected beats that were deleted, ``noise`` the segments marked
    as noise, s; ``applied`` and ``failed`` are the edits that apply and that do not.
    """

    beats: Beats
    deleted_s: np.ndarray
    noise: tuple[tuple[float, float], ...]
    applied: tuple[Edit, ...]
    failed: tuple[Failed, ...] = ()

    def without_noise(self, wave: Signal | None) -> Signal | None:
        """Return the wave with missing samples (NaN, quality 0) where a person marked noise."""
        if wave is None or not self.noise:
            return wave
        inside = _inside(wave.times_s, self.noise)
        quality = None if wave.quality is None else np.where(inside, 0.0, wave.quality)
        return replace(wave, samples=np.where(inside, np.nan, wave.samples), quality=quality)

    def changed_beats(self, start_s: float, end_s: float) -> int:
        """Count the beats of a window that were added, moved or deleted."""
        edited = self.beats.times_s[placed_by_hand(self.beats)]
        times = np.r_[edited, self.deleted_s]
        return int(np.sum((times >= start_s) & (times < end_s)))

    def noise_s(self, start_s: float, end_s: float) -> float:
        """Sum the time that is marked as noise in a window, s."""
        return float(sum(max(min(b, end_s) - max(a, start_s), 0.0) for a, b in self.noise))

    def in_words(self) -> str:
        """Count the edits and name the people in one line."""
        people = ", ".join(sorted({edit.who for edit in self.applied}))
        number = len(self.applied)
        return f"beats corrected by hand: {number} edit{'' if number == 1 else 's'} by {people}"

    def authors(self, start_s: float, end_s: float) -> list[str]:
        """List the people whose edits concern a window, in alphabetical order."""
        return sorted(
            {
                edit.who
                for edit in self.applied
                if edit.span_s[0] < end_s and edit.span_s[1] >= start_s
            }
        )


def apply_edits(beats: Beats, edits: Sequence[Edit], *, wave: Signal | None = None) -> Beats:
    """Apply a person's edits to detected beats, s; the detected beats stay unchanged.

    Raises
    ------
    InputError
        Edits that do not apply; the message lists them.

    Examples
    --------
    >>> apply_edits(Beats([0.0, 0.8, 2.4, 3.2]), [Edit("add", 1.6)]).times_s.tolist()
    [0.0, 0.8, 1.6, 2.4, 3.2]
    """
    corrected = correct_beats(beats, edits, wave=wave)
    if corrected.failed:
        raise InputError(list_failed(corrected.failed))
    return corrected.beats


def list_failed(failed: Sequence[Failed], most: int = 3) -> str:
    """Describe the edits that do not apply: their number, and the first ones with the reason."""
    first = "; ".join(f"{edit} ({reason})" for edit, reason in failed[:most])
    more = f"; and {len(failed) - most} more" if len(failed) > most else ""
    one = len(failed) == 1
    return f"{len(failed)} edit{' does' if one else 's do'} not apply: {first}{more}"


def correct_beats(
    beats: Beats,
    edits: Iterable[Edit],
    *,
    wave: Signal | None = None,
    holes: Sequence[tuple[float, float]] | None = None,
) -> Corrected:
    """Apply edits in their order; those that do not apply are listed in ``failed``.

    Parameters
    ----------
    beats : Beats
        The detected beats.
    edits : iterable of Edit
    wave : Signal, optional
        The wave they were detected in: no beat can be placed where its samples are missing.
    holes : sequence of (start_s, end_s), optional
        `holes_of` that wave, in place of it, for many calls.
    """
    if holes is None:
        holes = [] if wave is None else holes_of(wave)
    work = _Work(beats, list(holes))
    applied: list[Edit] = []
    failed: list[Failed] = []
    for edit in edits:
        reason = work.apply(edit)
        if reason:
            failed.append(Failed(edit, reason))
        else:
            applied.append(edit)
    corrected = work.assembled() if applied else beats
    return Corrected(
        corrected, np.array(sorted(work.deleted)), tuple(work.noise), tuple(applied), tuple(failed)
    )


class _Work:
    """Beat times while edits are applied to them, one after another.

    ``source`` is the index of each beat in the detection, -1 for an added one; ``placed`` tells
    whether a person added or moved it.
    """

    def __init__(self, beats: Beats, holes: list[tuple[float, float]]) -> None:
        self.detected, self.holes = beats, holes
        self.times = beats.times_s.tolist()
        self.source = list(range(len(beats)))
        self.placed = [False] * len(beats)
        self.deleted: list[float] = []  # of the detection
        self.removed: list[float] = []  # all deleted times, those of added beats too
        self.noise: list[tuple[float, float]] = []

    def apply(self, edit: Edit) -> str:
        """Apply one edit; return the reason if it does not apply, else an empty text."""
        if edit.action in (NOISE, SIGNAL):
            return self._mark(edit)
        if edit.action == ADD:
            return self._refused(edit.time_s) or self._insert(edit.time_s, -1)
        at = self._find(edit.time_s)
        if at is None:
            return f"no beat at {edit.time_s:.2f} s"
        if edit.action == DELETE:
            self._remove(at)
            return ""
        assert edit.to_s is not None
        reason = self._refused(edit.to_s, besides=at)
        if reason:
            return reason
        source = self.source[at]
        self._pop(at)
        return self._insert(edit.to_s, source)

    def _find(self, time_s: float) -> int | None:
        """Return the index of the beat at a time; None if there is none outside noise."""
        at = bisect_left(self.times, time_s)
        near = [k for k in (at - 1, at) if 0 <= k < len(self.times)]
        near = [k for k in near if abs(self.times[k] - time_s) <= MATCH_S]
        near = [k for k in near if not _within(self.times[k], self.noise)]
        return min(near, key=lambda k: abs(self.times[k] - time_s), default=None)

    def _refused(self, time_s: float, besides: int | None = None) -> str:
        """Say why no beat can be placed at a time, s; an empty text if it can."""
        span = self.detected.span_s
        if span is not None and not span[0] - 1e-6 <= time_s <= span[1] + 1e-6:
            return f"{time_s:.2f} s is outside of the recording"
        if _within(time_s, self.holes):
            return f"the wave has no samples at {time_s:.2f} s"
        if _within(time_s, self.noise):
            return f"{time_s:.2f} s is marked as noise"
        at = bisect_left(self.times, time_s)
        for k in range(max(at - 2, 0), min(at + 2, len(self.times))):
            if k != besides and abs(self.times[k] - time_s) < _SHORTEST_S:
                return f"the beat at {self.times[k]:.2f} s is less than {_SHORTEST_S:g} s away"
        return ""

    def _insert(self, time_s: float, source: int) -> str:
        at = bisect_left(self.times, time_s)
        self.times.insert(at, time_s)
        self.source.insert(at, source)
        self.placed.insert(at, True)
        return ""

    def _pop(self, at: int) -> None:
        for values in (self.times, self.source, self.placed):
            del values[at]

    def _remove(self, at: int) -> None:
        if self.source[at] >= 0:
            self.deleted.append(float(self.detected.times_s[self.source[at]]))
        self.removed.append(self.times[at])
        self._pop(at)

    def _mark(self, edit: Edit) -> str:
        """Mark a segment as noise, or as signal again."""
        assert edit.to_s is not None
        a, b = edit.time_s, edit.to_s
        touching = [(c, d) for c, d in self.noise if c <= b and d >= a]
        if edit.action == SIGNAL and not touching:
            return f"no noise is marked in {a:.2f}–{b:.2f} s"
        others = [part for part in self.noise if part not in touching]
        if edit.action == NOISE:
            pieces = [(min(a, *(c for c, _ in touching), a), max(b, *(d for _, d in touching), b))]
        else:
            pieces = [(c, min(a, d)) for c, d in touching] + [(max(b, c), d) for c, d in touching]
            pieces = [(c, d) for c, d in pieces if d - c > 1e-6]
        self.noise = sorted(others + pieces)
        return ""

    def assembled(self) -> Beats:
        """Make the corrected beats: gaps, confidence, errors and ectopic marks by the rules."""
        times = np.array(self.times, dtype=float)
        inside = _inside(times, self.noise)
        kept = ~inside
        source, placed = np.array(self.source, int)[kept], np.array(self.placed, bool)[kept]
        rejected = self._rejected(times[inside], times[kept][placed])
        times = times[kept]
        beats = replace(
            self.detected,
            times_s=times,
            **columns_after(self.detected, source, placed),
            edited=placed,
            rejected_s=rejected,
            gaps=self._gaps(times, placed),
        )
        return judge_after(beats, np.array(self.removed))

    def _rejected(self, in_noise: np.ndarray, placed_s: np.ndarray) -> np.ndarray:
        """Times of rejected detections, s: without those that a person placed a beat at."""
        before = self.detected.rejected_s
        known = np.zeros(0) if before is None else before
        if len(placed_s) and len(known):
            known = known[np.abs(known[:, None] - placed_s[None, :]).min(axis=1) > MATCH_S]
        return np.sort(np.r_[known, np.array(self.deleted), in_noise])

    def _gaps(self, times: np.ndarray, placed: np.ndarray) -> list[tuple[float, float]]:
        """Gaps of the detection without the intervals beside placed beats, and the noise, s."""
        counts = (placed[1:] | placed[:-1]) & (np.diff(times) <= _LONGEST_S)
        opened = [
            (float(times[k]), float(times[k + 1]))
            for k in np.flatnonzero(counts)
            if not _overlaps(times[k], times[k + 1], self.holes)
        ]
        gaps = list(self.detected.gaps)
        for a, b in opened:
            gaps = [part for gap in gaps for part in _without(gap, a, b)]
        return [*gaps, *self.noise]


def holes_of(wave: Signal) -> list[tuple[float, float]]:
    """List the stretches of missing samples that interpolation does not bridge, s."""
    missing = np.diff(np.r_[0, (~np.isfinite(wave.samples)).astype(int), 0])
    edges = np.flatnonzero(missing).reshape(-1, 2)
    return [
        (wave.start_s + a / wave.rate_hz, wave.start_s + b / wave.rate_hz)
        for a, b in edges
        if b - a > LONGEST_HOLE_S * wave.rate_hz
    ]


def _inside(times_s: np.ndarray, spans: Sequence[tuple[float, float]]) -> np.ndarray:
    """Mark the times that are in one of the spans, bool (n,)."""
    inside = np.zeros(len(times_s), dtype=bool)
    for a, b in spans:
        inside |= (times_s >= a) & (times_s <= b)
    return inside


def _within(time_s: float, spans: Sequence[tuple[float, float]]) -> bool:
    return any(a <= time_s <= b for a, b in spans)


def _overlaps(start_s: float, end_s: float, spans: Sequence[tuple[float, float]]) -> bool:
    return any(a < end_s and b > start_s for a, b in spans)


def _without(gap: tuple[float, float], a: float, b: float) -> list[tuple[float, float]]:
    """Cut the span a–b out of a gap; return the parts that are left."""
    if b <= gap[0] or a >= gap[1]:
        return [gap]
    return [(c, d) for c, d in ((gap[0], a), (b, gap[1])) if d - c > 1e-9]
