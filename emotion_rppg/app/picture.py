"""Draw one frame of a video with a numbered box about each face, for the web page only.

The picture shows faces: it is sent to the page, which is on this machine, and written to no file.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from emotion_rppg.pulse.person_wave import PersonWave
from emotion_rppg.video.frames import Frame, opencv, read_frames

WIDTH = 960  # pixels of the picture at most
ASPECT = 0.8  # width of a box about a face as a share of its height


def picture_of(path: Path, people: Sequence[PersonWave]) -> str:
    """Write HTML with the frame in which most of the people are seen; each has a numbered box.

    A box is where the person's face is on average, so that a person who moves is beside it.
    """
    frame = _frame_at(path, most_seen_s(people))
    cv2 = opencv()
    height, width = frame.image.shape[:2]
    scale = min(1.0, WIDTH / width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    data = base64.b64encode(np.asarray(coded).tobytes()).decode("ascii")
    boxes = "".join(_box(n, wave, *size) for n, wave in enumerate(people, 1))
    places = "; ".join(f"person {n}: {wave.place}" for n, wave in enumerate(people, 1))
    items = "".join(f"<li>{escape(wave.place[0].upper() + wave.place[1:])}</li>" for wave in people)
    return (
        f'<svg class="people" role="img" viewBox="0 0 {size[0]} {size[1]}" '
        f'aria-label="A frame at {frame.time_s:.1f} s with a numbered box for {escape(places)}">'
        f'<image href="data:image/jpeg;base64,{data}" width="{size[0]}" height="{size[1]}"/>'
        f"{boxes}</svg><ol>{items}</ol>"
    )


def most_seen_s(people: Sequence[PersonWave]) -> float:
    """Find a time, s, at which most of the people are visible: the middle of that span."""
    starts = sorted(wave.seen_s[0] for wave in people)
    counts = [sum(w.seen_s[0] <= t <= w.seen_s[1] for w in people) for t in starts]
    start = starts[int(np.argmax(counts))]
    end = min(wave.seen_s[1] for wave in people if wave.seen_s[0] <= start <= wave.seen_s[1])
    return (start + end) / 2


def _frame_at(path: Path, time_s: float) -> Frame:
    for frame in read_frames(path):
        last = frame
        if frame.time_s >= time_s:
            break
    return last


def _box(number: int, wave: PersonWave, width: int, height: int) -> str:
    """Draw the box of one face with its number in a filled corner."""
    h = wave.face_height * height
    w = ASPECT * h
    x, y = wave.face_x * width - w / 2, wave.face_y * height - h / 2
    label = max(0.04 * height, 18.0)
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" height="{h:.0f}" fill="none" '
        f'stroke="#fff" stroke-width="{label / 8:.0f}"/>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{label:.0f}" height="{label:.0f}" fill="#fff"/>'
        f'<text x="{x + label / 2:.0f}" y="{y + 0.8 * label:.0f}" text-anchor="middle" '
        f'font-size="{0.8 * label:.0f}" fill="#1f2933">{number}</text>'
    )
