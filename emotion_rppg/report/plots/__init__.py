"""Figures of reports and predictions; each function takes data and returns a Figure."""
