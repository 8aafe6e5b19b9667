"""The pulse wave of one of several people in a video, with the place of the face in the picture."""

from __future__ import annotations

from dataclasses import dataclass

from emotion_rppg.signals import Signal


@dataclass(frozen=True, repr=False, eq=False)
class PersonWave(Signal):
    """Pulse wave of one person, with what tells who of the people in the video it is.

    Parameters
    ----------
    face_x, face_y : float
        Middle of the face, median over its frames: share of the picture's width from the left edge
        and of its height from the top.
    face_height : float
        Height of the face's box as a share of the picture's height, median over its frames.
    seen_s : (float, float)
        First and last time at which the person is visible, on the recording's clock.
    """

    face_x: float
    face_y: float
    face_height: float
    seen_s: tuple[float, float]

    @property
    def place(self) -> str:
        """Describe where and when the person is seen, in words."""
        first, last = self.seen_s
        return (
            f"face {self.face_x:.0%} from the left, {self.face_y:.0%} from the top, "
            f"{self.face_height:.0%} high, {first:.1f}–{last:.1f} s"
        )
