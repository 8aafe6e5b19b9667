"""Estimate the pulse wave of every person in a video, with one decoding and one face detection."""

from __future__ import annotations

import logging
import math
from array import array
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.pulse import DEFAULT_METHOD
from emotion_rppg.pulse.estimate import (
    SHORTEST_RUN_S,
    Method,
    NetworkWave,
    resolve_method,
    wave_of_colours,
    with_progress,
    with_quality,
)
from emotion_rppg.pulse.evidence import FrameEvidence
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.parallel import prefetch
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import CELLS, FaceFrame, face_cells, skin_mean_of
from emotion_rppg.video.people_tracking import track_people

log = logging.getLogger(__name__)


def estimate_people(
    video: Video | str | Path,
    method: str | Path | Method = DEFAULT_METHOD,
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    detector: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[PersonWave]:
    """Estimate the pulse wave of every person in a video; more blood is up.

    Person 1 is the first of the list. People are in the order in which they appear, the larger face
    first; those who are visible for less than 1.6 s, in which no pulse can be estimated, are left
    out if there are others. A person who leaves and returns has one wave only if the face is
    recognised beyond doubt, else two (:mod:`emotion_rppg.video.people_tracking`).

    Parameters
    ----------
    video, method, device, weights, detector, progress :
        As for :func:`emotion_rppg.estimate`.

    Returns
    -------
    list of PersonWave
        Signals as from :func:`emotion_rppg.estimate`, with the place of the person's face in the
        picture. All have the same length: each wave covers the whole video and is NaN where its
        person is not visible.

    Raises
    ------
    InputError
        Unreadable video, no face in it, unknown method, missing weights.
    """
    video = video if isinstance(video, Video) else Video(Path(video))
    frames = prefetch(track_people(video, detector=detector))
    resolved = resolve_method(method, weights, device)
    times = array("d")
    people: dict[int, _PersonWave] = {}
    for frame in with_progress(frames, video, progress):
        times.append(frame.time_s)
        for number, face in frame.people.items():
            others = [other for n, other in frame.people.items() if n != number]
            person = people.setdefault(number, _PersonWave(resolved, times))
            person.add(face, others)
        for number, person in people.items():
            if number not in frame.people:
                person.leave()
    shortest = SHORTEST_RUN_S / float(np.median(np.diff(times)))
    long_enough = [people[n] for n in sorted(people) if people[n].count >= shortest]
    if len(long_enough) < len(people):
        log.info(
            "%s: %d people are visible too briefly", video.path, len(people) - len(long_enough)
        )
    return [person.wave() for person in long_enough or people.values()]


class _PersonWave:
    """Collect the frames of one person; ``times`` are those of all frames of the video so far."""

    def __init__(self, method: Network | Method, times: array[float]) -> None:
        self.method, self.times = method, times
        self.count = 0  # frames with the person
        self.last = -1  # index of the last frame that was added
        self.evidence = FrameEvidence()
        # frame index and colour, in one block of memory as in `estimate`
        self.colours = array("d")
        self.boxes = array("d")  # middle x, middle y and height as shares of the picture
        self.seen = array("d")  # times of the frames with the person
        self.network: NetworkWave | None = None
        self.before = 0  # samples of a network's wave before the person appeared

    def add(self, face: FaceFrame, others: list[FaceFrame]) -> None:
        """Add the current frame."""
        index = len(self.times) - 1
        cells = None
        if isinstance(self.method, Network):
            self._add_to_network(self.method, face, index)
        else:
            cells = face_cells(face, CELLS)
            self.colours.extend((index, *skin_mean_of(cells, face)))
        self.evidence.add(face, cells, others)
        if face.box is not None:
            x, y, w, h = face.box
            rows, columns = face.image.shape[:2]
            self.boxes.extend(((x + w / 2) / columns, (y + h / 2) / rows, h / rows))
            self.seen.append(face.time_s)
        self.count, self.last = self.count + 1, index

    def leave(self) -> None:
        """Add the first frame without the person, so that a network needs no memory until later."""
        index = len(self.times) - 1
        if self.network is not None and self.last == index - 1:
            self._add_absence(self.network, index)

    def _add_to_network(self, network: Network, face: FaceFrame, index: int) -> None:
        if self.network is None:
            self.network = NetworkWave(network)
            if index > 0:
                self.before = self.network.even.begin(self.times[0], self.times[index - 1])
        elif self.last < index - 1:
            self._add_absence(self.network, index - 1)
        self.network.add(face)

    def _add_absence(self, network: NetworkWave, index: int) -> None:
        """Add a frame without the person, who is missing since the last frame that was added."""
        if self.times[index] > network.even.last_s:
            network.add(FaceFrame(self.times[index], np.empty((0, 0, 3), np.uint8), None))

    def wave(self) -> PersonWave:
        """Compute the wave, NaN where the person is not visible; call it once."""
        wave = self._by_network() if self.network else self._by_colour()
        wave = with_quality(wave, self.evidence)
        face_x, face_y, face_height = np.median(np.reshape(self.boxes, (-1, 3)), axis=0)
        return PersonWave(
            **{field.name: getattr(wave, field.name) for field in fields(wave)},
            face_x=float(face_x),
            face_y=float(face_y),
            face_height=float(face_height),
            seen_s=(self.seen[0], self.seen[-1]),
        )

    def _by_colour(self) -> Signal:
        assert not isinstance(self.method, Network)
        rows = np.reshape(self.colours, (-1, 4))
        rgb = np.full((len(self.times), 3), np.nan)
        rgb[rows[:, 0].astype(int)] = rows[:, 1:]
        return wave_of_colours(np.array(self.times), rgb, self.method)

    def _by_network(self) -> Signal:
        """Compute a network's wave with NaN before and after the person."""
        assert self.network is not None
        wave, even = self.network.wave(), self.network.even
        duration_s = self.times[-1] - self.times[0]
        samples = np.full(math.ceil(duration_s * even.rate_hz) + 1, np.nan)
        part = wave.samples[: len(samples) - self.before]
        samples[self.before : self.before + len(part)] = part
        return replace(wave, samples=samples)
