"""Columns of features that other programs measured: ``joined_SOURCE_COLUMN_mean`` and ``…_sd``.

They are means and standard deviations, over a window, of the columns of a CSV file that was joined
to the table (`emotion_rppg.study.joining`). The source is a family and a kind of signal of its own.
"""

from __future__ import annotations

import re

from emotion_rppg.features.family import QUALITY_GROUP, Column
from emotion_rppg.windows import OUTSIDE

MEAN, SD, QUALITY, REASON = "_mean", "_sd", "_quality", "_reason"
_SOURCE = re.compile(r"[a-z][a-z0-9]*")


def is_source_name(name: str) -> bool:
    """Tell whether a name can be that of a joined source: lower-case letters and digits."""
    return _SOURCE.fullmatch(name) is not None


def plain_name(text: str) -> str:
    """Reduce the name of a column to lower-case letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")


def outside_column(name: str) -> Column | None:
    """Return the record of a joined column, or None for any other column.

    Examples
    --------
    >>> outside_column("joined_openface_au12_r_mean").kind
    'openface'
    >>> outside_column("rmssd_ms") is None
    True
    """
    if not name.startswith(OUTSIDE):
        return None
    source, _, rest = name.removeprefix(OUTSIDE).partition("_")
    if not is_source_name(source):
        return None
    if "_" + rest == QUALITY:
        return Column(
            "1",
            f"share of the window in which {source} has values, 0–1",
            role="recording",
            group=QUALITY_GROUP,
            always=True,
        )
    for ending, words in ((MEAN, "mean"), (SD, "standard deviation")):
        what = rest.removesuffix(ending)
        if what and what != rest:
            text = f"{words} over the window of the column {what} of {source}, in its own unit"
            return Column("", text, group=source, kind=source)
    return None
