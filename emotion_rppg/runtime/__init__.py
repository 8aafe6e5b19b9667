"""Atomic files, cache, locks, parallel jobs, provenance, devices, model folders and tables."""
