"""Figures of reports and predictions."""
