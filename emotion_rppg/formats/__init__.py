"""Read signal files of any form, such as CSV, EDF, BIDS and MATLAB, without running code."""
