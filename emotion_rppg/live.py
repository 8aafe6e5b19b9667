"""The pulse while it is seen: frames in, waveform and numbers out within a second of the newest.

Memory does not grow: what is kept is the last minute of colours, and for a network the last
pictures of the face.
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

DELAY_S = 0.5  # a frame waits so long for the next detection of the face
KEEP_S = 60.0  # of colours: what RMSSD needs
RATE_S = 20.0  # of the wave, for the heart rate


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known at ``time_s``, the time of the newest sample of the wave.

    ``delay_s`` is how far behind the newest frame that is; ``hr_bpm`` is None with a ``reason``
    where no pulse is trusted, ``rmssd_ms`` NaN then and until the time it needs is there; ``face``
    the share of the last step in which the face was seen; ``dropped`` frames so far that came too
    fast; ``wave`` the newest piece, a step long.
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
        """Plain values: numbers that are not known are None."""
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
) -> Iterator[Reading]:
    """A Reading every ``step_s`` seconds of video, from the second on in which there is a wave.

    Parameters
    ----------
    frames : iterable of Frame
        `video.live_capture.camera_frames` or `replayed`, or any other.
    method : as in :func:`emotion_rppg.estimate`
        A network reads the last ten seconds anew at each step: on a CPU it needs a quarter to a
        half of each second.
    """
    chosen = resolve_method(method, None, device)
    held = _Held(chosen)
    due = None
    for look in track_face_live(held.counting(frames), delay_s=DELAY_S, region=region):
        picture = None
        if isinstance(chosen, Network) and look.box is not None:
            picture = crop(look, chosen.size)
        held.add(look.time_s, skin_mean(look), picture)
        due = look.time_s + step_s if due is None else due
        if look.time_s >= due - 1e-6:
            due += step_s
            if held.seconds >= SHORTEST_RUN_S + step_s:
                yield held.reading(step_s)


@dataclass(eq=False)
class _Held:
    """The last minute of colours, the last pictures, and what was counted."""

    method: Method | Network
    colours: deque[tuple[float, np.ndarray]] = field(default_factory=deque)
    pictures: deque[tuple[float, np.ndarray | None]] = field(default_factory=deque)
    newest_s: float = 0.0
    index: int = -1
    dropped: int = 0

    def counting(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.dropped += frame.index - self.index - 1
            self.index, self.newest_s = frame.index, frame.time_s
            yield frame

    @property
    def seconds(self) -> float:
        return self.colours[-1][0] - self.colours[0][0]

    def add(self, time_s: float, colour: np.ndarray, picture: np.ndarray | None) -> None:
        self.colours.append((time_s, colour))
        while self.seconds > KEEP_S:
            self.colours.popleft()
        if isinstance(self.method, Network):
            self.pictures.append((time_s, picture))
            while self.pictures[-1][0] - self.pictures[0][0] > CHUNK_S:
                self.pictures.popleft()

    def reading(self, step_s: float) -> Reading:
        now = self.colours[-1][0]
        wave = self._wave()
        recent = wave.crop(max(wave.start_s, now - RATE_S), wave.end_s)
        said, beats = judge(recent), None
        if said.hr_bpm is not None and wave.rate_hz >= LEAST_RATE_HZ:
            beats = find_beats(wave)
            said = estimate_heart_rate(recent, beats.crop(recent.start_s, recent.end_s))
        seen = [np.isfinite(c).all() for t, c in self.colours if t > now - step_s]
        return Reading(
            time_s=now,
            delay_s=self.newest_s - now,
            hr_bpm=said.hr_bpm,
            quality=said.quality,
            reason=said.reason,
            rmssd_ms=np.nan
            if beats is None or said.hr_bpm is None
            else float(withhold(table([beats]), [beats], [wave])["rmssd_ms"].iloc[0]),
            face=float(np.mean(seen)),
            dropped=self.dropped,
            wave=wave.crop(max(wave.start_s, wave.end_s - step_s), wave.end_s),
        )

    def _wave(self) -> Signal:
        if not isinstance(self.method, Network):
            wave = read_by_colour(self.colours, self.method)
        else:
            net = self.method
            start, pictures = crops_at_times(self.pictures, rate_hz=net.rate_hz)
            lag = float(net.config["lag_s"])
            samples = wave_of_crops(pictures, net, rate_hz=net.rate_hz, lag_s=lag)
            wave = Signal(samples, net.rate_hz, kind="rppg", start_s=start - lag)
        return replace(wave, quality=sample_quality(wave))
