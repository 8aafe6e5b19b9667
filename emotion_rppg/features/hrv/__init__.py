"""Compute heart-rate variability (HRV) of windows of beats, with standard errors."""

from emotion_rppg.features.hrv.measures import ABOUT, COLUMNS, FAMILY, TOLERANCE, table

__all__ = ["ABOUT", "COLUMNS", "FAMILY", "TOLERANCE", "table"]
