"""Write reports: HTML pages with figures, data dictionaries and pages on data sets."""
