"""Track every person in a video; a person is never continued as somebody else.

Faces are detected once for all people. The detections of a face that moves without interruption
form a track. A track begins a new person, unless its face closely resembles one person who has
left, and nobody else who was in the video. Where it is not certain who a face is (two similar faces
meet, a cut, a face replaced by another), the track ends, and a new one begins. So one person may be
counted twice, but two people are not counted as one.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Video
from emotion_rppg.video.detectors import LARGE_WIDTH, DetectedFace, Detector, as_detector
from emotion_rppg.video.face_appearance import Appearance, add_appearance, appearance_of, closest
from emotion_rppg.video.face_history import SMOOTH_S, FaceFinder, FaceHistory
from emotion_rppg.video.face_motion import face_view
from emotion_rppg.video.face_tracking import (
    DETECT_S,
    MOST_MOVE,
    NO_FACE,
    SEARCH_S,
    FaceFrame,
    continues,
    distance_between,
    face_frame,
)
from emotion_rppg.video.frames import Frame, opencv, read_frames

log = logging.getLogger(__name__)

MOST_ABSENT_S = 1.0  # without a detection, after which a track ends
MOST_GROWTH = 1.5  # of a face's size between two detections
NEAR, FAST = 1.2, 0.25  # in face sizes: of two faces, and moved in one step: detections every 0.2 s
COVERED = 0.25  # of the smaller of two boxes by the other: skin of both may be in either

# Least resemblance (`face_appearance`) to one person: anywhere; at the same place within a second
RESEMBLES, RESEMBLES_NEARBY = 0.82, 0.60
# A turning head resembles itself less from one detection to the next, but stays at its place
MOST_MOVE_UNLIKE, LEAST_ALIKE = 0.35, 0.0  # face sizes; resemblance
MARGIN = 0.12  # by which one person must resemble more than any other

# Assignment of detections: distance in face sizes plus this times what is missing to resemblance 1
APPEARANCE_WEIGHT = 0.7
DOUBT = 0.3  # least difference of cost to the exchange of two people

# A face is replaced by another within one frame, as by a cut
SOONEST_S, SAME_VIEW = 0.1, 0.8  # detection where the box correlates less with the last detection
VIEW, MOVED = 16, 2  # pixels a side of a face's box; by which it may move from frame to frame
SUDDEN, SUDDEN_COLOUR = 0.65, 0.25  # correlation with the frame before; logarithm of mean colour


@dataclass(frozen=True, eq=False)
class PeopleFrame:
    """One frame of a video: the `FaceFrame` of each person in it, by the person's number from 1."""

    time_s: float
    people: dict[int, FaceFrame]


def track_people(
    video: Video | str | Path, *, detector: FaceFinder = None
) -> Iterator[PeopleFrame]:
    """Track every person in a video; yield a `PeopleFrame` for each frame, in order.

    People are numbered from 1 as they appear, the larger face first. The detector runs every 0.5 s,
    every 0.2 s while a face is new, missing, fast or near another one, and after 0.1 s where a box
    shows something else than at the last detection. Its input is 640 pixels wide, which shows faces
    from 3 % of the width of the frame. Boxes are smoothed as by
    :func:`~emotion_rppg.video.face_tracking.track_face`. A frame in which a quarter of a face's box
    is covered by another person's box has no face of either. Up to one second of frames is held in
    memory.

    Parameters
    ----------
    detector : path or function, optional
        See :func:`~emotion_rppg.video.face_tracking.track_face`.

    Raises
    ------
    InputError
        An unreadable video, one whose region is no face; after the last frame: no face in any
        frame.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    if video.region not in (None, "face"):
        raise InputError(
            f"{video.path}: face 'all' detects the faces of the whole frame, and this video "
            f"has the region {video.region!r}: omit one of the two"
        )
    return _track(read_frames(video), video.path, as_detector(detector, width=LARGE_WIDTH))


def _track(frames: Iterable[Frame], path: Path, detector: Detector) -> Iterator[PeopleFrame]:
    """Yield each frame with the people in it, one second after it was read."""
    tracker = _PeopleTracker(detector)
    waiting: deque[Frame] = deque()
    count = 0
    for frame in frames:
        tracker.update(frame)
        waiting.append(frame)
        count += 1
        while waiting[0].time_s <= frame.time_s - SMOOTH_S:
            yield tracker.people_in(waiting.popleft())
        del frame
    while waiting:
        yield tracker.people_in(waiting.popleft())
    if not tracker.people:
        raise InputError(f"{path}: no face was found in {count} frames: {NO_FACE}")
    log.info("%s: %d people", path, len(tracker.people))


# ---- tracks and people -----------------------------------------------------------------------


@dataclass(eq=False)
class _Person:
    number: int
    appearances: list[Appearance] = field(default_factory=list)
    met: set[int] = field(default_factory=set)  # numbers of people visible at the same time


@dataclass(eq=False)
class _Track:
    """The detections of one face without interruption."""

    begin_s: float
    face: DetectedFace  # of the last detection, at ``last_s``
    last_s: float
    history: FaceHistory = field(default_factory=lambda: FaceHistory(uneven=True))
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))  # pixels a second
    appearances: list[Appearance] = field(default_factory=list)
    uncertain_s: set[float] = field(default_factory=set)  # detections covered by another face
    person: _Person | None = None
    ended: bool = False
    alike: float = 1.0  # resemblance of the last detection to those before
    view: np.ndarray | None = None  # the face's box in the last frame
    anchor: np.ndarray | None = None  # and at the last detection

    def add(
        self, time_s: float, face: DetectedFace, appearance: Appearance, *, is_certain: bool
    ) -> None:
        """Add a detection."""
        linked = self.history.is_detected and continues_moving(self, face, time_s)
        if linked and time_s > self.last_s:
            self.speed = (_centre(face) - _centre(self.face)) / (time_s - self.last_s)
        self.history.add(time_s, face, linked=linked)
        self.face, self.last_s, self.view = face, time_s, None
        self.alike = closest(self.appearances[-4:], [appearance]) if self.appearances else 1.0
        if not is_certain:
            self.uncertain_s.add(time_s)
            return
        add_appearance(self.appearances, appearance)
        if self.person is not None:
            add_appearance(self.person.appearances, appearance)

    def predicted(self, time_s: float) -> DetectedFace:
        """Return the face where it is at a time if it moved on."""
        moved = self.face.box.copy()
        moved[:2] += self.speed * min(time_s - self.last_s, 0.6)
        return DetectedFace(moved, self.face.landmarks, turn=self.face.turn)

    def end(self, time_s: float) -> None:
        """End the track: its face is not detected from now on."""
        self.ended = True
        if self.history.is_detected:
            self.history.add(time_s, None, linked=False)

    def at(self, time_s: float) -> DetectedFace | None:
        """Return the smoothed face at a time, None if it is not detected or covered then."""
        if time_s < self.begin_s - 1e-6:  # where it was before is unknown
            return None
        if self.uncertain_s:
            nearest = self.history.nearest_s(time_s)
            if nearest in self.uncertain_s:
                return None
        return self.history.at(time_s)


def continues_moving(track: _Track, face: DetectedFace, time_s: float) -> bool:
    """Tell whether a detection continues a track: near its last place or where it moves to."""
    return continues(face, track.face) or continues(face, track.predicted(time_s))


def _centre(face: DetectedFace) -> np.ndarray:
    return np.asarray(face.box[:2] + face.box[2:] / 2)


class _PeopleTracker:
    """Detect all faces, connect them to tracks, and find the person of each track."""

    def __init__(self, detector: Detector) -> None:
        self._detect = detector
        self._tracks: list[_Track] = []  # those that still have frames to come
        self._due_s = self._detected_s = self._frame_s = -np.inf
        self.people: list[_Person] = []

    # -- detections

    def update(self, frame: Frame) -> None:
        """End tracks whose face was replaced; run the detector on a frame if it is due."""
        before_s, self._frame_s = self._frame_s, frame.time_s
        for track in self._tracks:
            if not track.ended and _is_replaced(track, frame):
                track.end(frame.time_s)
                self._due_s, self._detected_s = -np.inf, before_s
            elif not track.ended and _has_moved(track):
                self._due_s = min(self._due_s, self._detected_s + SOONEST_S)
        if frame.time_s < self._due_s:
            return
        faces = _without_parts(self._detect(frame.image))
        appearances = [appearance_of(frame.image, face) for face in faces]
        open_tracks = [track for track in self._tracks if not track.ended]
        chosen = _assign(open_tracks, faces, appearances, frame.time_s)
        for track in open_tracks:
            if track not in chosen.values() and not track.ended:
                self._miss(track, frame.time_s)
        new = [_Track(frame.time_s, face, frame.time_s) for face in faces]
        for track in new if self._detected_s > -np.inf else ():
            track.history.add(self._detected_s, None, linked=False)
        current = [chosen.get(k, new[k]) for k in range(len(faces))]
        self._tracks += [track for track in current if track not in open_tracks]
        boxes = [face.box for face in faces]
        missing = [t.predicted(frame.time_s).box for t in open_tracks if t not in current]
        for k, (track, face, appearance) in enumerate(
            zip(current, faces, appearances, strict=True)
        ):
            others = [*boxes[:k], *boxes[k + 1 :], *missing]
            is_certain = all(_covered(face.box, other) < COVERED for other in others)
            track.add(frame.time_s, face, appearance, is_certain=is_certain)
            track.view = track.anchor = face_view(frame.image, face, VIEW)
        self._detected_s = frame.time_s
        self._due_s = frame.time_s + self._step_s(frame.time_s) - 1e-3

    def _miss(self, track: _Track, time_s: float) -> None:
        """Note that the face of a track is not detected; end the track after a second."""
        if time_s - track.last_s > MOST_ABSENT_S:
            track.end(time_s)
        elif track.history.is_detected:
            track.history.add(time_s, None, linked=False)

    def _step_s(self, time_s: float) -> float:
        """Choose the time to the next detection, s."""
        tracks = [track for track in self._tracks if not track.ended]
        steady = bool(tracks) and all(
            track.last_s == time_s
            and track.alike >= RESEMBLES_NEARBY
            and time_s - track.begin_s >= SMOOTH_S
            and np.hypot(*track.speed) * DETECT_S < FAST * track.face.box[2:].mean()
            for track in tracks
        )
        apart = all(
            distance_between(a.face, b.face) > NEAR
            for k, a in enumerate(tracks)
            for b in tracks[:k]
        )
        return DETECT_S if steady and apart else SEARCH_S

    # -- people

    def people_in(self, frame: Frame) -> PeopleFrame:
        """Return the people in a frame whose next second has been read."""
        found = [(track, track.at(frame.time_s)) for track in self._tracks]
        visible = [(track, face) for track, face in found if face is not None]
        visible.sort(key=lambda pair: -float(np.prod(pair[1].box[2:])))
        for track, _ in visible:
            if track.person is None:
                self._recognise(track)
        people = {t.person.number: face_frame(frame, face) for t, face in visible if t.person}
        for track, _ in visible:
            if track.person is not None:
                track.person.met |= people.keys() - {track.person.number}
        self._tracks = [
            t for t in self._tracks if not t.ended or t.last_s > frame.time_s - SMOOTH_S
        ]
        return PeopleFrame(frame.time_s, people)

    def _recognise(self, track: _Track) -> None:
        """Find the person of a track among those who have left; else it is a new one.

        The person must resemble the track more than anybody does who is present, or who was visible
        beside that person. Others may be the same person, counted twice.
        """
        present = [other for other in self._tracks if other is not track and _meet(other, track)]
        present_people = [other.person for other in present if other.person is not None]
        away = [person for person in self.people if person not in present_people]
        scores = {
            person.number: closest(track.appearances, person.appearances) for person in self.people
        }
        best = max(away, key=lambda person: scores[person.number], default=None)
        rivals = [closest(track.appearances, other.appearances) for other in present]
        rivals += [scores[person.number] for person in present_people]
        rivals += [] if best is None else [scores[number] for number in best.met]
        needed = max(RESEMBLES, MARGIN + max(rivals, default=-9.0))
        if best is None or scores[best.number] < needed:
            best = _Person(len(self.people) + 1)
            self.people.append(best)
        track.person = best
        for appearance in track.appearances:
            add_appearance(best.appearances, appearance)


def _meet(a: _Track, b: _Track) -> bool:
    """Tell whether two tracks are of the same time."""
    return a.begin_s < b.last_s and b.begin_s < a.last_s


def _assign(
    tracks: Sequence[_Track],
    faces: Sequence[DetectedFace],
    appearances: Sequence[Appearance],
    time_s: float,
) -> dict[int, _Track]:
    """Assign detections to tracks at the least cost; return the track of a detection's number.

    Tracks between which it is in doubt to whom a detection belongs are ended.
    """
    cost = np.array(
        [[_cost(t, f, k, time_s) for f, k in zip(faces, appearances, strict=True)] for t in tracks]
    ).reshape(len(tracks), len(faces))
    pairs = _least_cost(cost)
    chosen = {column: tracks[row] for row, column in pairs}
    for row, column in pairs:
        for other in np.flatnonzero(np.isfinite(cost[:, column])):
            if other == row:
                continue
            others = [c for r, c in pairs if r == other]
            now = cost[row, column] + sum(cost[other, c] for c in others)
            exchanged = cost[other, column] + sum(cost[row, c] for c in others)
            if exchanged - now < DOUBT:
                tracks[row].end(time_s)
                tracks[int(other)].end(time_s)
    return {column: track for column, track in chosen.items() if not track.ended}


def _cost(track: _Track, face: DetectedFace, appearance: Appearance, time_s: float) -> float:
    """Compute the cost of continuing a track with a detection; infinite where it cannot."""
    growth = np.sqrt(np.prod(face.box[2:]) / np.prod(track.face.box[2:]))
    if not 1 / MOST_GROWTH < growth < MOST_GROWTH:
        return np.inf
    distance = distance_between(face, track.predicted(time_s))
    nearest = min(distance, distance_between(face, track.face))
    alike = closest(track.appearances[-4:], [appearance]) if track.appearances else LEAST_ALIKE
    sure = alike >= RESEMBLES_NEARBY
    if nearest >= (MOST_MOVE if sure else MOST_MOVE_UNLIKE):
        return np.inf
    if not sure and (alike < LEAST_ALIKE or not track.history.is_detected):
        return np.inf
    return distance + APPEARANCE_WEIGHT * (1 - alike)


def _least_cost(cost: np.ndarray) -> list[tuple[int, int]]:
    """Match rows with columns at the least sum of finite costs; as many pairs as possible."""
    if not np.isfinite(cost).any():
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e3))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if np.isfinite(cost[row, column])]


def _without_parts(faces: Sequence[DetectedFace]) -> list[DetectedFace]:
    """Drop detections inside another one: parts of one face, or a face hidden by another."""
    ordered = sorted(faces, key=lambda face: -float(np.prod(face.box[2:])))
    found: list[DetectedFace] = []
    for face in ordered:
        if all(_covered(face.box, other.box) < 0.6 for other in found):
            found.append(face)
    return found


def _covered(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the shared area of two boxes as a share of the smaller one."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    return shared / max(float(min(np.prod(a[2:]), np.prod(b[2:]))), 1e-9)


def _is_replaced(track: _Track, frame: Frame) -> bool:
    """Tell whether another picture is suddenly where a track's face was in the last frame.

    The face may have moved by an eighth of its size more than was predicted.
    """
    before, track.view = track.view, face_view(frame.image, track.predicted(frame.time_s), VIEW)
    if before is None or track.view is None:
        return False
    cv2 = opencv()
    inner = before[MOVED:-MOVED, MOVED:-MOVED]
    alike = cv2.matchTemplate(track.view, inner, cv2.TM_CCOEFF_NORMED).max()
    colour = np.abs(np.log((before.mean(axis=(0, 1)) + 1) / (track.view.mean(axis=(0, 1)) + 1)))
    return bool(alike < SUDDEN or colour.max() > SUDDEN_COLOUR)


def _has_moved(track: _Track) -> bool:
    """Tell whether what is in a track's box differs much from what was there at its detection."""
    if track.anchor is None or track.view is None:
        return False
    alike = opencv().matchTemplate(track.view, track.anchor, opencv().TM_CCOEFF_NORMED)
    return bool(alike[0, 0] < SAME_VIEW)
