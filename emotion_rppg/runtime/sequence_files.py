"""Keep the sequences of a CSV table in a Parquet file beside it: ``TABLE.sequences.parquet``.

A window has hundreds of beats or samples. As text in a CSV they would make it unreadable in a
spreadsheet, so the columns ``seq_…`` are in the file beside it. Each row there has the identity and
the time of its window, by which the rows of the CSV find their sequences again, also after they
were sorted, selected or given more columns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.runtime.atomic_files import PACKAGE, atomic_file
from emotion_rppg.windows import EVENT, EVENT_NUMBER, PERSON, SEQUENCE, SEQUENCES_FAULT

if TYPE_CHECKING:
    import pandas as pd

ENDING = ".sequences.parquet"
_TEXT_KEY = ("dataset", "subject", "session", "trial", "source", "method", EVENT)
_NUMBER_KEY = (PERSON, EVENT_NUMBER, "start_s", "duration_s")
_DIGITS = 6  # of the numbers in a key: microseconds
_REPEAT = "repeat"  # number of a row among those with the same key
_METADATA = PACKAGE.encode()


def sequences_beside(path: str | Path) -> Path:
    """Name the file with the sequences of a CSV: ``table.sequences.parquet`` for ``table.csv``."""
    return Path(path).with_suffix(ENDING)


def sequence_columns(table: pd.DataFrame) -> list[str]:
    """List the columns ``seq_…`` of a table."""
    return [str(name) for name in table.columns if str(name).startswith(SEQUENCE)]


def write_sequences(table: pd.DataFrame, path: str | Path) -> Path | None:
    """Write the sequences of a table beside its CSV, complete or not at all; None without any."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sequence_columns(table)
    if not names:
        return None
    texts = table[names].fillna("").astype(str).reset_index(drop=True)
    arrow = pa.Table.from_pandas(_keys(table).join(texts), preserve_index=False)
    facts = json.dumps({"columns": [str(name) for name in table.columns]}).encode()
    out = sequences_beside(path)
    with atomic_file(out) as fresh:
        pq.write_table(
            arrow.replace_schema_metadata({**arrow.schema.metadata, _METADATA: facts}), fresh
        )
    return out


def with_sequences(table: pd.DataFrame, path: str | Path, *, expected: bool) -> pd.DataFrame:
    """Add the sequences beside a CSV to its rows, at their place among the columns.

    Without the file (though ``expected``), or where it lacks rows of the table, no sequence is
    added, and ``attrs[SEQUENCES_FAULT]`` states why: most uses of a table need none.
    """
    beside = sequences_beside(path)
    if sequence_columns(table):  # written by an earlier version, or merged by the user
        return table
    if not beside.is_file():
        return _without(table, f"{beside} is missing") if expected else table
    try:
        texts, order = _read(beside)
    except (ValueError, OSError, KeyError, TypeError) as error:
        return _without(table, f"{beside} is damaged ({error})")
    names = sequence_columns(texts)
    key = [name for name in texts if name not in names and name != _REPEAT]
    lacking = [name for name in key if name not in table]
    if lacking:
        return _without(table, f"the table lacks {', '.join(lacking)}, which {beside} is joined by")
    own = _keys(table, key)
    found = own.merge(texts, how="left", on=list(own.columns))
    missing = int(found[names[0]].isna().sum())
    if missing:
        return _without(table, f"{beside} has no sequences for {missing} of {len(table)} rows")
    for name in names:
        place = order.index(name)
        before = [n for n in order[:place] if n in table]
        at = table.columns.get_loc(before[-1]) + 1 if before else 0
        table.insert(at, name, found[name].to_numpy(dtype=object))
    return table


def _without(table: pd.DataFrame, fault: str) -> pd.DataFrame:
    table.attrs[SEQUENCES_FAULT] = (
        f"{fault}: keep the sequences beside the CSV that they were written with, extract the "
        "table again, or write it as .parquet"
    )
    return table


def _read(beside: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read keys and sequences, and the order of all columns of the table; ValueError if damaged."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        texts = pd.read_parquet(beside)
        metadata = pq.read_schema(beside).metadata or {}
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(str(error)) from error
    order = json.loads(metadata.get(_METADATA, b"{}"))["columns"]
    names = sequence_columns(texts)
    if not names or _REPEAT not in texts or not set(names) <= set(order):
        raise ValueError("it has no sequences")
    return texts, order


def _keys(table: pd.DataFrame, names: list[str] | None = None) -> pd.DataFrame:
    """Make the columns that identify each row: identity, time, number among equal rows."""
    import pandas as pd

    keys: dict[str, Any] = {}
    for name in (*_TEXT_KEY, *_NUMBER_KEY):
        if name not in table or (names is not None and name not in names):
            continue
        if name in _TEXT_KEY:
            keys[name] = table[name].astype(object).fillna("").astype(str)
        else:
            numbers = pd.to_numeric(table[name], errors="coerce").astype(float)
            keys[name] = numbers.round(_DIGITS).fillna(-1.0)
    out = pd.DataFrame(keys, index=table.index).reset_index(drop=True)
    repeat = out.groupby(list(out.columns)).cumcount() if keys else pd.RangeIndex(len(table))
    return out.assign(**{_REPEAT: repeat})
