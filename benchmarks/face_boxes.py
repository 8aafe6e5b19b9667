"""Compare the box of a followed face with that of a face that is detected twice a second.

``python -m benchmarks.face_boxes VIDEO…``. For each video, in turn: detections, processor time of
the tracker, and the RMS of the box (middle, width, height) from 0.7 to 3 Hz, as a share of the
face's width. What of the box varies in that band is an error or motion; both can look like a pulse.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from emotion_rppg.signals import Signal
from emotion_rppg.video.detectors import DetectedFace, as_detector
from emotion_rppg.video.face_motion import Reference
from emotion_rppg.video.face_tracking import track_face_live
from emotion_rppg.video.frames import opencv, read_frames

BAND_HZ = (0.7, 3.0)


@dataclass(frozen=True)
class Track:
    """Detections, processor time in seconds, and RMS of x, y, w, h in percent of the width."""

    detections: int
    seconds: float
    rms: np.ndarray


def track(video: Path) -> Track:
    """Track the face of a video with the current settings."""
    detect, calls = as_detector(None), 0

    def counted(image: np.ndarray) -> Sequence[DetectedFace]:
        nonlocal calls
        calls += 1
        return detect(image)

    frames = list(read_frames(video))
    begun = time.process_time()
    boxes = [
        (frame.time_s, *(frame.box or [np.nan] * 4))
        for frame in track_face_live(frames, delay_s=1.0, detector=counted)
    ]
    return Track(calls, time.process_time() - begun, jitter(np.array(boxes)))


def jitter(rows: np.ndarray) -> np.ndarray:
    """Compute the RMS (4,) in the band, percent of the width, of rows of time, x, y, w, h."""
    times, x, y, w, h = rows.T
    parts = []
    for values in (x + w / 2, y + h / 2, w, h):
        signal = Signal.from_times(times, values / np.nanmedian(w), longest_gap_s=0.2)
        filtered = signal.bandpass(*BAND_HZ)
        edge = round(filtered.rate_hz / 2)
        parts.append(100 * float(np.nanstd(filtered.samples[edge:-edge])))
    return np.array(parts)


def main(videos: Sequence[str]) -> None:
    """Print a row for each video: detected twice a second, then followed."""
    opencv().setNumThreads(1)
    print("| video | detections | processor time, s | RMS of x, y, w, h, % of the width | power |")
    print("|---|---|---|---|---|")
    for video in map(Path, videos):
        with patch.object(Reference, "follow", lambda *_: None):
            often = track(video)
        now = track(video)
        texts = (" ".join(f"{v:.3f}" for v in t.rms) for t in (often, now))
        ratio = (now.rms**2).sum() / (often.rms**2).sum()
        print(
            f"| {video.name} | {often.detections} → {now.detections} | "
            f"{often.seconds:.2f} → {now.seconds:.2f} | {' → '.join(texts)} | {ratio:.2f}× |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
