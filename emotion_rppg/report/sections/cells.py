"""Numbers of a table as text."""

from __future__ import annotations

from typing import Any


def fixed(value: float, digits: int) -> str:
    """Write a number with so many decimals; never "-0.00"."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def p_text(value: Any) -> str:
    """Write a p value with three decimals; empty where there is none."""
    return "" if value != value else "< 0.001" if value < 0.001 else f"{value:.3f}"
