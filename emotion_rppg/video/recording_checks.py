"""Check light, face and frame rate in the first seconds of a camera, before it records.

Each check is one sentence: what was measured, and what to do if that spoils a pulse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from emotion_rppg.video.detectors import Detector, as_detector
from emotion_rppg.video.frames import Frame

CHECK_S = 5.0  # of video to look at
MINUTE_S = 60.0  # for which there must be room where no duration is given
FACE_EVERY_S = 0.5
LEAST_FACES = 0.8  # share of the looks that have a face
LEAST_FACE_PX = 80  # width; smaller ones give the network fewer pixels than it reads
DARK, BRIGHT = 50.0, 225.0  # median green of the face, 0–255
SATURATED, MOST_SATURATED = 250, 0.05  # level of a channel; share of pixels of the face
LEAST_RATE_HZ = 20.0
LATE, MOST_LATE = 1.5, 0.02  # a step of more than 1.5 median steps; share of such steps
BANDS = 8  # horizontal bands whose brightness is followed: lamps flicker in rows
FLICKER, LINE = 0.005, 0.5  # relative amplitude; share of the variance in one spectral line
SAMPLE_FRAMES = 15  # to try the encoder on
MOST_BUSY = 0.8  # share of the time between two frames that encoding may take
SAME_HZ, MOST_BANDS = 0.4, 0.75  # a lamp has one frequency in this share of the bands
FLICKER_HZ = 3.0  # slower: movement, pulse; 100 Hz at 24 to 60 frames a second is 4 Hz or more


@dataclass(frozen=True)
class Check:
    """The result of one check: ``text`` says what was found and, if not ``ok``, what to do."""

    name: str
    ok: bool
    text: str


@dataclass
class Observed:
    """What the checks need to know of the frames that were looked at."""

    times_s: list[float] = field(default_factory=list)
    bands: list[np.ndarray] = field(default_factory=list)
    faces: list[tuple[float, float, float] | None] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    next_face_s: float = -np.inf
    sample: deque[Frame] = field(default_factory=lambda: deque(maxlen=SAMPLE_FRAMES))

    def add(self, frame: Frame, detect: Detector) -> None:
        """Look at a frame; the detector runs twice a second."""
        height, width = frame.image.shape[:2]
        self.size = width, height
        self.times_s.append(frame.time_s)
        self.sample.append(frame)
        rows = frame.image[:, :: max(width // 64, 1), 1].mean(axis=1)
        self.bands.append(np.array([band.mean() for band in np.array_split(rows, BANDS)]))
        if frame.time_s >= self.next_face_s:
            self.next_face_s = frame.time_s + FACE_EVERY_S
            self.faces.append(_look_at_face(frame.image, detect))

    @property
    def rate_hz(self) -> float:
        """Median frame rate, Hz; NaN of fewer than two frames."""
        steps = np.diff(self.times_s)
        return float(1 / np.median(steps)) if len(steps) else np.nan


def observe(frames: Iterable[Frame]) -> Observed:
    """Look at frames up to `CHECK_S` seconds after the first."""
    detect, observed = as_detector(None), Observed()
    for frame in frames:
        observed.add(frame, detect)
        if frame.time_s - observed.times_s[0] >= CHECK_S:
            break
    return observed


def _look_at_face(image: np.ndarray, detect: Detector) -> tuple[float, float, float] | None:
    """Measure the largest face: width in pixels, median green, saturated share; None without."""
    faces = detect(image)
    if not faces:
        return None
    x, y, w, h = max((face.box for face in faces), key=lambda box: box[2] * box[3])
    top, left = max(int(y), 0), max(int(x), 0)
    inside = image[top : max(int(y + h), top + 1), left : max(int(x + w), left + 1)]
    if not inside.size:
        return None
    saturated = float((inside.max(axis=2) >= SATURATED).mean())
    return float(w), float(np.median(inside[..., 1])), saturated


def check_recording(observed: Observed) -> list[Check]:
    """Check frame rate, face, light and flicker."""
    if len(observed.times_s) < 2:
        return [Check("frames", False, "the camera gave fewer than two frames: try another one")]
    return [_rate(observed), _face(observed), *_light(observed), _flicker(observed)]


def check_encoder(
    seconds_a_frame: float | None,
    bytes_a_frame: float,
    *,
    rate_hz: float,
    codec: str,
    free_bytes: float,
    seconds: float | None,
) -> list[Check]:
    """Check that a codec keeps up with the camera and that the recording fits on the disk.

    ``seconds_a_frame`` is None where frames wait for the encoder.
    """
    speed, rate_mb = [], bytes_a_frame * rate_hz / 1e6
    if seconds_a_frame is not None:
        busy = seconds_a_frame * rate_hz
        found = f"{codec} takes {busy:.0%} of the time between frames"
        cure = f": want {MOST_BUSY:.0%} or less; choose --codec mjpeg, or a smaller --size"
        fast = busy <= MOST_BUSY
        speed = [Check("encoder", fast, found if fast else found + cure)]
    left_s = free_bytes / max(bytes_a_frame * rate_hz, 1.0)
    found = f"{rate_mb:.1f} MB a second; the disk has room for {left_s / 60:.0f} minutes"
    if left_s >= (MINUTE_S if seconds is None else seconds):
        return [*speed, Check("disk", True, found)]
    return [*speed, Check("disk", False, f"{found}: free some space, or choose --codec h264")]


def _rate(observed: Observed) -> Check:
    steps, rate = np.diff(observed.times_s), observed.rate_hz
    late = float((steps > LATE * np.median(steps)).mean())
    found = f"{rate:.1f} frames a second, {late:.0%} of them late"
    if rate < LEAST_RATE_HZ:
        cure = (
            f": want {LEAST_RATE_HZ:g} or more; add light (a long exposure slows a camera), "
            "or choose a smaller --size"
        )
        return Check("frame rate", False, found + cure)
    if late > MOST_LATE:
        cure = (
            ": unstable; close other programs, plug the camera into a port of its own, or choose "
            "a smaller --size"
        )
        return Check("frame rate", False, found + cure)
    return Check("frame rate", True, found)


def _face(observed: Observed) -> Check:
    seen = [face for face in observed.faces if face is not None]
    share = len(seen) / len(observed.faces)
    if share < LEAST_FACES:
        cure = "want one that is lit, turned to the camera and not covered"
        return Check("face", False, f"a face in {share:.0%} of the looks: {cure}")
    width = float(np.median([face[0] for face in seen]))
    found = f"{width:.0f} pixels wide in a frame of {observed.size[0]}×{observed.size[1]}"
    if width < LEAST_FACE_PX:
        return Check(
            "face", False, f"{found}: too small, want {LEAST_FACE_PX}; move closer to the camera"
        )
    return Check("face", True, found)


def _light(observed: Observed) -> list[Check]:
    seen = [face for face in observed.faces if face is not None]
    if not seen:
        return []
    green, saturated = (float(np.median([face[k] for face in seen])) for k in (1, 2))
    found = f"the face has a brightness of {green:.0f} of 255, {saturated:.0%} saturated"
    if green < DARK:
        cure = f": too dark, want {DARK:g} or more; light the face from the front"
    elif saturated > MOST_SATURATED or green > BRIGHT:
        cure = ": saturated, no pulse is visible there; less light, or a lower --exposure or --gain"
    else:
        return [Check("light", True, found)]
    return [Check("light", False, found + cure)]


def _flicker(observed: Observed) -> Check:
    """Find a steady oscillation of the brightness of bands of rows, as lamps on mains cause it."""
    times = np.array(observed.times_s)
    lines = np.array([_line(times, band) for band in np.transpose(observed.bands)])
    at_hz = float(np.median(lines[:, 1]))
    same = np.abs(lines[:, 1] - at_hz) <= SAME_HZ
    amplitude = float(np.median(lines[:, 0]))
    if amplitude < FLICKER or same.mean() < MOST_BANDS:  # a movement is in some bands only
        return Check("flicker", True, "no flicker of a lamp")
    return Check(
        "flicker",
        False,
        f"the brightness oscillates by {amplitude:.1%} at {at_hz:.1f} Hz: flicker of a lamp; use "
        "daylight or another lamp, or an exposure of a whole multiple of 10 ms (60 Hz mains: "
        "8.33 ms)",
    )


def _line(times_s: np.ndarray, brightness: np.ndarray) -> tuple[float, float]:
    """Return the relative amplitude and frequency (Hz) of the line that dominates a spectrum.

    The amplitude is 0 where no single line has half of the variance above `FLICKER_HZ`.
    """
    n, mean = len(times_s), float(brightness.mean())
    if n < 16 or mean <= 0:
        return 0.0, 0.0
    even = np.linspace(times_s[0], times_s[-1], n)
    series = np.interp(even, times_s, brightness) / mean
    series = series - np.polyval(np.polyfit(even - even[0], series, 2), even - even[0])
    window = np.hanning(n)
    power = np.abs(np.fft.rfft(series * window)) ** 2
    hz = np.fft.rfftfreq(n, (even[-1] - even[0]) / (n - 1))
    power[hz < FLICKER_HZ] = 0.0
    total, k = float(power.sum()), int(power.argmax())
    line = float(power[max(k - 2, 0) : k + 3].sum())
    if total <= 0 or line < LINE * total:
        return 0.0, 0.0
    return float(2 * np.sqrt(power[k]) / window.sum()), float(hz[k])
