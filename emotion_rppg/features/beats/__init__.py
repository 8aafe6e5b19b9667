"""Detect heart beats in camera waves, contact pulses and ECGs, and judge which to accept."""

from emotion_rppg.features.beats.find import find_beats

__all__ = ["find_beats"]
