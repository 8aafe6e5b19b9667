"""Estimate the pulse of a running camera, with a delay of less than one second.

Memory does not grow: the last minute of colours is buffered; for a network the last minute of its
wave, and the last 10 s of face crops. `live.lsl` sends the numbers to other programs, `live.log`
stores them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from emotion_rppg.extraction import DEFAULT_METHOD
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.hrv import table
from emotion_rppg.features.trust import withhold
from emotion_rppg.live.settled import LiveBeat, Settled
from emotion_rppg.pulse.estimate import SHORTEST_RUN_S, Method, read_by_colour, resolve_method
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, SHORTEST_FRAMES, EvenGrid
from emotion_rppg.pulse.inference.spatial_refinement import VALUES, cells_of, delayed, refine
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.signal_quality import LEAST_S, judge, sample_quality
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import NO_FACE, crop, skin_mean, track_face_live
from emotion_rppg.video.frames import Frame

DELAY_S = 0.5  # of a frame, to wait for the next face detection
BUFFER_S = 60.0  # of colours or of a network's wave, as RMSSD needs
RATE_S = 20.0  # of the wave, for the heart rate


@dataclass(frozen=True, eq=False)
class LiveReading:
    """Pulse and heart rate at ``time_s``, the time of the newest sample of the wave.

    ``delay_s`` is the time from there to the newest frame. ``hr_bpm`` is None with a ``reason``
    where it is withheld; ``rmssd_ms`` is NaN then, and until the wave is long enough for it.
    ``face`` is the share of the last step with a face, ``dropped`` the number of dropped frames so
    far, ``wave`` the last step of the wave. ``settled`` and ``beats`` are what later frames no
    longer change (`live.settled`): together, those of all readings are one wave and its beats.
    """

    time_s: float
    delay_s: float
    hr_bpm: float | None
    quality: float
    reason: str | None
    rmssd_ms: float
    face: float
    dropped: int
    wave: Signal
    settled: Signal
    beats: tuple[LiveBeat, ...]

    def __str__(self) -> str:
        rate = "–" if self.hr_bpm is None else f"{self.hr_bpm:.0f}"
        rmssd = "" if np.isnan(self.rmssd_ms) else f" · RMSSD {self.rmssd_ms:.0f} ms"
        why = f" · {self.reason}" if self.reason else ""
        return f"{self.time_s:7.1f} s  {rate} bpm · quality {self.quality:.2f}{rmssd}{why}"

    def as_json(self) -> dict[str, object]:
        """Convert to plain values for JSON; a missing number is None."""
        rmssd = None if np.isnan(self.rmssd_ms) else round(self.rmssd_ms, 1)
        return {
            "time_s": round(self.time_s, 3),
            "delay_s": round(self.delay_s, 3),
            "hr_bpm": None if self.hr_bpm is None else round(self.hr_bpm, 1),
            "quality": round(self.quality, 3),
            "reason": self.reason,
            "rmssd_ms": rmssd,
            "face": round(self.face, 3),
            "dropped": self.dropped,
            "rate_hz": round(self.wave.rate_hz, 3),
            "wave": [None if np.isnan(v) else round(float(v), 4) for v in self.wave.samples],
        }


def watch(
    frames: Iterable[Frame],
    method: str | Path | Method = DEFAULT_METHOD,
    *,
    region: str = "face",
    step_s: float = 1.0,
    device: str = "auto",
) -> Iterator[LiveReading]:
    """Yield a `LiveReading` every ``step_s`` seconds of video, from the first wave on.

    Parameters
    ----------
    frames : iterable of Frame
        For example `video.live_capture.camera_frames` or `replayed`.
    method : as in :func:`emotion_rppg.estimate`
        A network processes the last ten seconds again at each step; on a CPU this takes a quarter
        to a half of each second.
    """
    resolved = resolve_method(method, None, device)
    buffer = _Buffer(resolved)
    due = None
    for frame in track_face_live(buffer.counting(frames), delay_s=DELAY_S, region=region):
        face = None
        if isinstance(resolved, Network) and frame.box is not None:
            face = crop(frame, resolved.size, width=resolved.crop_width)
        buffer.add(frame.time_s, skin_mean(frame), face)
        due = frame.time_s + step_s if due is None else due
        if frame.time_s >= due - 1e-6:
            due += step_s
            if buffer.seconds >= SHORTEST_RUN_S + step_s:
                yield buffer.reading(step_s)


@dataclass(eq=False)
class _Buffer:
    """Buffer of the last minute of colours or of a network's wave; it counts dropped frames."""

    method: Method | Network
    colours: deque[tuple[float, np.ndarray]] = field(default_factory=deque)
    network: _NetworkMinute | None = None
    settled: Settled = field(default_factory=Settled)
    newest_s: float = 0.0
    index: int = -1
    dropped: int = 0

    def counting(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the same frames; count those that were dropped."""
        for frame in frames:
            self.dropped += frame.index - self.index - 1
            self.index, self.newest_s = frame.index, frame.time_s
            yield frame

    @property
    def seconds(self) -> float:
        """Duration of the buffered colours."""
        return self.colours[-1][0] - self.colours[0][0]

    def add(self, time_s: float, colour: np.ndarray, face: np.ndarray | None) -> None:
        """Add mean colour and crop of a frame; drop what is too old."""
        self.colours.append((time_s, colour))
        while self.seconds > BUFFER_S:
            self.colours.popleft()
        if isinstance(self.method, Network):
            self.network = self.network or _NetworkMinute(self.method)
            self.network.add(time_s, face)

    def reading(self, step_s: float) -> LiveReading:
        """Compute wave, heart rate and RMSSD from the buffer."""
        now = self.colours[-1][0]
        wave = self._wave()
        recent = wave.crop(max(wave.start_s, now - RATE_S), wave.end_s)
        judgement, beats = judge(recent), None
        if judgement.hr_bpm is not None and wave.rate_hz >= LEAST_RATE_HZ:
            beats = find_beats(wave)
            judgement = estimate_heart_rate(recent, beats.crop(recent.start_s, recent.end_s))
        covered = [np.isfinite(c).all() for t, c in self.colours if t > now - step_s]
        return LiveReading(
            time_s=now,
            delay_s=self.newest_s - now,
            hr_bpm=judgement.hr_bpm,
            quality=judgement.quality,
            reason=self._reason(judgement.reason),
            rmssd_ms=np.nan
            if beats is None or judgement.hr_bpm is None
            else float(withhold(table([beats]), [beats], [wave])["rmssd_ms"].iloc[0]),
            face=float(np.mean(covered)),
            dropped=self.dropped,
            wave=wave.crop(max(wave.start_s, wave.end_s - step_s), wave.end_s),
            settled=self.settled.samples(wave),
            beats=self.settled.beats(beats if judgement.hr_bpm is not None else None, wave.end_s),
        )

    def _reason(self, reason: str | None) -> str | None:
        """Say, where a heart rate is withheld, how long there has been a face."""
        now = self.colours[-1][0]
        missing = [t for t, colour in self.colours if not np.isfinite(colour).all()]
        face_s = now - (missing[-1] if missing else self.colours[0][0])
        if reason is None or face_s >= LEAST_S:
            return reason
        if face_s <= 0:
            return f"no face: {NO_FACE}"
        return f"the heart rate needs {LEAST_S:g} s of a face: {face_s:.0f} s so far"

    def _wave(self) -> Signal:
        if isinstance(self.method, Network):
            assert self.network is not None
            wave = self.network.wave()
        else:
            wave = read_by_colour(self.colours, self.method)
        return replace(wave, quality=sample_quality(wave))


class _NetworkMinute:
    """The last minute of a network's wave over a stream of face crops.

    Each call of `wave` runs the network on the last ten seconds and adds its wave to those of the
    calls before, weighted by a Hann window.
    """

    def __init__(self, network: Network) -> None:
        self.network, self.even = network, EvenGrid(network.rate_hz)
        self.crops: deque[np.ndarray | None] = deque(maxlen=round(CHUNK_S * network.rate_hz))
        size = round(BUFFER_S * network.rate_hz)
        self.cells: deque[np.ndarray] = deque(maxlen=size)
        self.sums, self.weights = np.zeros(size), np.zeros(size)  # the newest sample is the last
        self.count, self.added = 0, 0  # samples of the grid; those among the sums

    def add(self, time_s: float, face: np.ndarray | None) -> None:
        """Add the crop of a frame, None without a face."""
        for image in self.even.add(time_s, face):
            self.crops.append(image)
            self.cells.append(
                np.full(VALUES, np.nan, np.float32) if image is None else cells_of(image)
            )
            self.count += 1

    def wave(self) -> Signal:
        """Compute the refined wave of the last minute, NaN where there is no face."""
        new = min(self.count - self.added, len(self.sums))
        for sums in (self.sums, self.weights):
            sums[:] = np.r_[sums[new:], np.zeros(new)]
        self.added = self.count
        self._add_chunks(new)
        covered = self.weights > 0
        raw = np.where(covered, self.sums / np.where(covered, self.weights, 1.0), np.nan)
        rate_hz, lag_s = self.network.rate_hz, float(self.network.config["lag_s"])
        cells = delayed(np.reshape(self.cells, (-1, VALUES)), lag_s * rate_hz)
        start_s = self.even.start_s + (self.count - len(cells)) / rate_hz - lag_s
        samples = refine(raw[len(raw) - len(cells) :], cells, rate_hz)
        return Signal(samples, rate_hz, kind="rppg", start_s=start_s)

    def _add_chunks(self, new: int) -> None:
        """Add the network's wave of each stretch of crops that has some of the ``new`` samples."""
        images = [*self.crops, None]
        ends = [k for k, image in enumerate(images) if image is None]
        for first, stop in zip([0, *(k + 1 for k in ends)], ends, strict=False):
            chunk = [image for image in images[first:stop] if image is not None]
            if stop <= len(self.crops) - new or len(chunk) < SHORTEST_FRAMES:
                continue
            window = np.hanning(len(chunk) + 2)[1:-1]
            at = slice(len(self.sums) - len(self.crops) + first, None)
            self.sums[at][: len(chunk)] += window * self.network(np.stack(chunk))
            self.weights[at][: len(chunk)] += window
