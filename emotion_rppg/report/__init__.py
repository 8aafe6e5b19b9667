"""Figures, the HTML report, the data dictionary and the data sets' cards."""
