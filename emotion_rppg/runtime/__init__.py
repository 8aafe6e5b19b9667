"""Files that appear whole, cache, locks, parallel jobs, provenance, devices and tables."""
