"""Sections of the HTML report of an evaluation."""
