"""Report section on withheld values: how many windows, and for which reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emotion_rppg.features.sensors import REASON, SENSORS
from emotion_rppg.features.trust import kind_of
from emotion_rppg.report.page import Section
from emotion_rppg.windows import OK, trusted

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED = 3  # reasons in the closing line


def withheld(table: pd.DataFrame) -> list[Section]:
    """Tabulate the windows with withheld values, by signal and reason; nothing if there are none.

    All windows of the table are counted, also those without a label.
    """
    import pandas as pd

    counts = _counts(table)
    if not counts:
        return []
    rows = [
        {"signal": signal, "reason": reason, "windows": n, "share": f"{n / len(table):.1%}"}
        for (signal, reason), n in counts.items()
    ]
    text = (
        "A value is withheld where the signal does not support it. “No clear pulse” and “too few "
        "beats” withhold all features of the pulse; “RMSSD withheld” withholds RMSSD and what is "
        "computed from it. A withheld value is missing, never 0."
    )
    caption = f"Reasons for withheld values, of all {len(table)} windows."
    return [Section("Withheld values", [text], table=pd.DataFrame(rows), table_caption=caption)]


def closing(table: pd.DataFrame) -> str:
    """State in one line what was withheld and why."""
    counts = _counts(table)
    without = int((~trusted(table)).sum())
    if not counts and not without:
        return f"Withheld: nothing; all {len(table)} windows have a trusted pulse."
    text = (
        f"Withheld: {without} of {len(table)} windows ({without / len(table):.0%}) have no trusted "
        "pulse"
    )
    named = [f"{reason} ({n})" for (_, reason), n in list(counts.items())[:_MOST_NAMED]]
    more = len(counts) - len(named)
    text += f". Reasons: {', '.join(named)}" if named else ""
    text += f" and {more} more, in the table of withheld values" if more > 0 else ""
    return f"{text}. Withheld values are missing in every mean and figure, never 0."


def _counts(table: pd.DataFrame) -> Mapping[tuple[str, str], int]:
    """Count the windows by signal and kind of reason, the most frequent first in each signal."""
    signals = {"reason": "pulse"} | {f"{kind}{REASON}": kind for kind in SENSORS}
    counts = {}
    for column, signal in signals.items():
        if column in table:
            reasons = table[column].fillna("").astype(str).map(kind_of)
            for reason, n in reasons[~reasons.isin(["", OK])].value_counts().items():
                counts[signal, str(reason)] = int(n)
    return counts
