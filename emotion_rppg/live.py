"""Estimate the pulse of a running camera, with a delay of less than one second.

Memory does not grow: the last minute of colours is buffered, and for a network the last 10 s of
face crops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.find import LEAST_RATE_HZ
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.hrv import table
from emotion_rppg.features.trust import withhold
from emotion_rppg.pulse.estimate import SHORTEST_RUN_S, Method, read_by_colour, resolve_method
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, crops_at_times
from emotion_rppg.pulse.inference.spatial_refinement import wave_of_crops
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.signal_quality import judge, sample_quality
from emotion_rppg.signals import Signal
from emotion_rppg.video.face_tracking import crop, skin_mean, track_face_live
from emotion_rppg.video.frames import Frame

DELAY_S = 0.5  # of a frame, to wait for the next face detection
BUFFER_S = 60.0  # of colours, as RMSSD needs
RATE_S = 20.0  # of the wave, for the heart rate


@dataclass(frozen=True, eq=False)
class LiveReading:
    """Pulse and heart rate at ``time_s``, the time of the newest sample of the wave.

    ``delay_s`` is the time from there to the newest frame. ``hr_bpm`` is None with a ``reason``
    where it is withheld; ``rmssd_ms`` is NaN then, and until the wave is long enough for it.
    ``face`` is the share of the last step with a face, ``dropped`` the number of dropped frames so
    far, ``wave`` the last step of the wave.
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
    method: str | Path | Method = "pos",
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
    """Buffer of the last minute of colours and the last crops; it counts dropped frames."""

    method: Method | Network
    colours: deque[tuple[float, np.ndarray]] = field(default_factory=deque)
    crops: deque[tuple[float, np.ndarray | None]] = field(default_factory=deque)
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
            self.crops.append((time_s, face))
            while self.crops[-1][0] - self.crops[0][0] > CHUNK_S:
                self.crops.popleft()

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
            reason=judgement.reason,
            rmssd_ms=np.nan
            if beats is None or judgement.hr_bpm is None
            else float(withhold(table([beats]), [beats], [wave])["rmssd_ms"].iloc[0]),
            face=float(np.mean(covered)),
            dropped=self.dropped,
            wave=wave.crop(max(wave.start_s, wave.end_s - step_s), wave.end_s),
        )

    def _wave(self) -> Signal:
        if not isinstance(self.method, Network):
            wave = read_by_colour(self.colours, self.method)
        else:
            net = self.method
            start, crops = crops_at_times(self.crops, rate_hz=net.rate_hz)
            lag = float(net.config["lag_s"])
            samples = wave_of_crops(crops, net, rate_hz=net.rate_hz, lag_s=lag)
            wave = Signal(samples, net.rate_hz, kind="rppg", start_s=start - lag)
        return replace(wave, quality=sample_quality(wave))
