"""Read and write tables and waves: CSV or Parquet by file extension, or one file per person."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import ATTRIBUTE, Extraction, merge_records
from emotion_rppg.runtime.atomic_files import (
    PACKAGE,
    TABLE_FACTS,
    atomic_file,
    atomic_folder,
    check_folder,
    write_json,
)
from emotion_rppg.runtime.json_text import parse_json
from emotion_rppg.runtime.sequence_files import (
    ENDING,
    sequence_columns,
    sequences_beside,
    with_sequences,
    write_sequences,
)
from emotion_rppg.signals import UNITS, Beats, Signal
from emotion_rppg.windows import (
    CHANGE_REASON,
    EVENT,
    EVENT_BEATS,
    LABEL,
    PARTICIPANT,
    SCALE,
    SEQUENCE,
    SEQUENCES_FAULT,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_log = logging.getLogger(__name__)
ENDINGS = (".csv", ".parquet")
MAX_CELLS = 500_000_000  # of a Parquet table: a million windows of 500 columns
_METADATA = PACKAGE.encode()  # key in the schema of a Parquet file
# options for every CSV: numbers are read exactly, by the one pandas parser that does not crash on
# an exponent of ten digits (5e3081327832, in a damaged file)
AS_WRITTEN: dict[str, Any] = {"encoding": "utf-8-sig", "float_precision": "round_trip"}
_TEXT = (
    "dataset",
    "subject",
    "session",
    "trial",
    "source",
    "method",
    "network",
    "trained_on",
    "encoder",
    "encoder_trained_on",
    "reason",
    "reader",
    *(EVENT, "event_value", EVENT_BEATS, CHANGE_REASON),
)
# words for a missing value in numeric columns; in identities and labels they are names
_MISSING = (
    *("", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>"),
    *("null", "NULL", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)


def check_ending(path: str | Path) -> Path:
    """Check that a path ends with .csv or .parquet and return it.

    Raises
    ------
    InputError
        It has another ending.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"unknown format of {str(path)!r}: end the name with .csv or .parquet")
    return path


def check_out(path: str | Path, *, partitioned: bool = False) -> Path:
    """Check, before any work, that a table can be written to a path, and return it.

    Raises
    ------
    InputError
        The path is a folder, has another ending, or is not an output that may be replaced.
    """
    path = check_ending(path)
    if not partitioned:
        if path.is_dir():
            raise InputError(f"{path} is a folder; want the name of a file to write")
    elif path.suffix.lower() != ".parquet":
        raise InputError(f"{str(path)!r} cannot be partitioned: end its name with .parquet")
    else:
        check_folder(path)
    return path


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a feature or result table, with the record of its extraction if it has one.

    The record goes into the schema of a Parquet file, or into ``TABLE.extraction.json`` beside a
    CSV; the sequences (``seq_…``) of a CSV go into ``TABLE.sequences.parquet``
    (`emotion_rppg.runtime.sequence_files`). Both are removed before the CSV is replaced, so that an
    interruption leaves a table without them and never one with those of another table.
    """
    path = check_ending(path)
    if path.suffix.lower() == ".csv":
        beside, record = extraction_beside(path), table.attrs.get(ATTRIBUTE)
        with atomic_file(path) as fresh:
            table.drop(columns=sequence_columns(table)).to_csv(fresh, index=False)
            beside.unlink(missing_ok=True)
            sequences_beside(path).unlink(missing_ok=True)
        write_sequences(table, path)
        if record is not None:
            write_json(beside, {"written_by": PACKAGE, ATTRIBUTE: record})
        return path
    import pyarrow.parquet as pq

    with atomic_file(path) as fresh:
        pq.write_table(_arrow(table), fresh)
    return path


def extraction_beside(path: str | Path) -> Path:
    """Name the file with the extraction of a CSV: ``table.extraction.json`` for ``table.csv``."""
    return Path(path).with_suffix(".extraction.json")


def _arrow(table: pd.DataFrame) -> Any:
    """Convert a table for Parquet, with its extraction in the metadata of the schema."""
    import pyarrow as pa

    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    if (record := table.attrs.get(ATTRIBUTE)) is None:
        return arrow
    text = json.dumps({ATTRIBUTE: record}, ensure_ascii=False, allow_nan=False)
    return arrow.replace_schema_metadata({**arrow.schema.metadata, _METADATA: text.encode()})


def write_partitioned(table: pd.DataFrame, path: str | Path) -> Path:
    """Write one file per person, ``path/dataset-NAME/00000-SUBJECT.parquet``, atomically.

    Every file has all columns, including data set and person, because most readers convert the 07
    of a folder ``subject=07`` to a number. `read_table` and other Parquet readers read the folder
    as one table.
    """
    import pyarrow.parquet as pq

    path = check_out(path, partitioned=True)
    arrow = _arrow(table)  # one schema for all files
    with atomic_folder(path) as fresh:
        groups = table.groupby(["dataset", "subject"], sort=False, dropna=False).indices
        for number, ((dataset, subject), rows) in enumerate(groups.items()):
            folder = fresh / f"dataset-{quote(str(dataset), safe='')}"
            folder.mkdir(exist_ok=True)
            file = folder / f"{number:05}-{quote(str(subject), safe='')}.parquet"
            pq.write_table(arrow.take(rows), file)
        if not groups:
            pq.write_table(arrow, fresh / "empty.parquet")
        write_json(fresh / TABLE_FACTS, {"written_by": PACKAGE})
    return path


def is_feature_table(path: str | Path) -> bool:
    """Tell whether a path is a feature table (Parquet, or a CSV with its header), not a signal."""
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return True
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline().strip().split(",")
    except (OSError, UnicodeDecodeError):
        return False
    return {"subject", "start_s", "duration_s"} <= set(header)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a feature table from a CSV file, a Parquet file or a partitioned folder.

    Identities remain text (``"01"`` is not 1), and empty text remains empty; a person or a label
    called NA, None or nan retains that name. A label column is numeric if its cells are numbers or
    words for a missing value, else text. The record of the extraction is read as well
    (`emotion_rppg.extraction_of`), and the sequences beside a CSV. If these are missing or belong
    to other rows, the table has none, and whatever needs them fails with the reason.

    Raises
    ------
    InputError
        The file does not exist, is not a table, or its record is damaged.
    """
    path = check_ending(path)
    if path.name.endswith(ENDING):
        raise InputError(
            f"{path} has the sequences of a table, not the table: give "
            f"{path.name.removesuffix(ENDING)}.csv"
        )
    if not path.exists():
        raise InputError(f"no table {str(path)!r}: make one with `emotion-rppg features`")
    try:
        if path.suffix.lower() == ".parquet":
            table, record = read_parquet(path), _record_in(path)
        else:
            table, record = _read_csv(path), _record_beside(path)
    except InputError:  # about the record; it is a ValueError, too
        raise
    except (ValueError, OSError) as error:  # parse errors of pandas and pyarrow
        raise InputError(
            f"{path} is not a table that can be read ({error}): want a CSV or Parquet file of "
            "`emotion-rppg features`"
        ) from error
    table.attrs = {} if record is None else {ATTRIBUTE: record}
    if path.suffix.lower() == ".csv":
        table = with_sequences(table, path, expected=_has_sequences(record))
    return table


def _has_sequences(record: Any) -> bool:
    """Tell whether a table was extracted with sequences, by the record of its extraction."""
    parts = record if isinstance(record, list) else [record or {}]
    return any(str(f).endswith("sequence") for part in parts for f in part.get("families", ()))


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file or folder; any damage raises ValueError or OSError."""
    import pandas as pd
    import pyarrow as pa

    try:
        _check_cells(path)
        return pd.read_parquet(path)
    except (pa.ArrowException, OverflowError) as error:  # not all are ValueErrors
        raise ValueError(str(error)) from error


def _check_cells(path: Path) -> None:
    """Refuse a file that states more cells than a table has; equal cells need almost no bytes.

    Raises
    ------
    ValueError
        As above, or a file that is not Parquet.
    """
    import pyarrow.parquet as pq

    cells = 0
    for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
        facts = pq.read_metadata(file)
        cells += facts.num_rows * facts.num_columns
    if cells > MAX_CELLS:
        raise ValueError(f"{cells} cells, of at most {MAX_CELLS}")


def _record_in(path: Path) -> Any:
    """Read the extraction in the schema of a Parquet file, or of the first file of a folder."""
    import pyarrow.parquet as pq

    if path.is_dir():
        path = next(iter(sorted(path.rglob("*.parquet"))), path)
    text = (pq.read_schema(path).metadata or {}).get(_METADATA)
    return None if text is None else _record(text.decode(), path)


def _record_beside(path: Path) -> Any:
    """Read the extraction beside a CSV; None without one."""
    beside = extraction_beside(path)
    return _record(beside.read_text(encoding="utf-8"), beside) if beside.is_file() else None


def _record(text: str, where: Path) -> Any:
    """Parse and check the extraction, or those of the parts of a joined table."""
    try:
        record = parse_json(text)[ATTRIBUTE]
        for part in record if isinstance(record, list) else [record]:
            Extraction.from_dict(part)
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(
            f"the record in {where} of how the table was extracted is damaged ({error}): extract "
            "the table again, or remove the record"
        ) from error
    return record


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    names = pd.read_csv(path, nrows=0, **AS_WRITTEN).columns
    labels = [name for name in names if name.startswith((LABEL, PARTICIPANT))]
    as_text = dict.fromkeys([*_text_in(names), *labels], str)
    missing = {name: list(_MISSING) for name in names if name not in as_text}
    table = pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=missing, **AS_WRITTEN)
    table = table.fillna(dict.fromkeys(as_text, ""))  # rows with fewer cells
    for name in labels:
        table[name] = _labels(table[name])
    return table


def _labels(cells: pd.Series) -> pd.Series:
    """Convert label cells to numbers or booleans if all are, else leave text; NaN where empty."""
    import numpy as np
    import pandas as pd

    filled = cells[cells != ""]
    if len(filled) and filled.isin(("True", "False")).all():
        return filled.eq("True").reindex(cells.index)
    numbers = pd.to_numeric(filled, errors="coerce")
    words = filled[numbers.isna()]
    if len(filled) and not (numbers.notna().any() and words.isin(_MISSING).all()):
        return cells.where(cells != "", np.nan).astype(object)
    return numbers if len(numbers) == len(cells) else numbers.astype(float).reindex(cells.index)


def read_tables(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read several feature tables as one; columns that a table does not have are empty there.

    A table without a column ``dataset`` becomes a data set with the name of its file.
    """
    import pandas as pd

    tables = [_with_dataset(read_table(path), Path(path).stem) for path in paths]
    _warn_of_shared_names(
        [set(t["dataset"].astype(str)) if "dataset" in t else set() for t in tables]
    )
    table = merge_records(tables, pd.concat(tables, ignore_index=True))
    faults = [t.attrs[SEQUENCES_FAULT] for t in tables if SEQUENCES_FAULT in t.attrs]
    if faults:
        table.attrs[SEQUENCES_FAULT] = "; ".join(faults)
    return table.fillna(dict.fromkeys(_text_in(table.columns), ""))


def _with_dataset(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if "dataset" in table or "subject" not in table:
        return table
    _log.warning(
        "the table %r has no column dataset: its people are identified as %s/SUBJECT", name, name
    )
    table = table.copy()
    table.insert(0, "dataset", name)
    return table


def _warn_of_shared_names(names: Sequence[set[str]]) -> None:
    """Warn of data sets that occur in several tables."""
    shared = [name for name in set().union(*names) if sum(name in own for own in names) > 1]
    for name in sorted(shared):
        _log.warning(
            "the data set %r is in several of the tables: subjects with the same name in two of "
            "them count as one person; rename the data set in one table if they are different",
            name,
        )


def _text_in(names: Iterable[str]) -> list[str]:
    reasons = tuple(f"{kind}_reason" for kind in UNITS)
    return [n for n in names if n in (*_TEXT, *reasons) or n.startswith((SEQUENCE, SCALE))]


def write_wave(signal: Signal, path: str | Path) -> Path:
    """Write a wave with the columns ``time_s, <kind>, quality``; missing samples are empty.

    A CSV is written without pandas, because importing pandas would take longer than the writing.
    """
    import numpy as np

    quality = np.full(len(signal), np.nan) if signal.quality is None else signal.quality
    columns = {
        "time_s": signal.times_s.round(6),
        signal.kind or "rppg": signal.samples,
        "quality": quality.round(4),
    }
    return _write_columns(columns, path)


def write_intervals(beats: Beats, path: str | Path) -> Path:
    """Write intervals: ``time_s`` of the beat that ends each, and ``rr_ms``, none across a gap."""
    columns = {"time_s": beats.interval_times_s.round(6), "rr_ms": beats.intervals_ms.round(3)}
    return _write_columns(columns, path)


def _write_columns(columns: dict[str, np.ndarray], path: str | Path) -> Path:
    """Write columns of numbers; NaN is an empty cell."""
    path = check_ending(path)
    if path.suffix.lower() == ".parquet":
        import pandas as pd

        return write_table(pd.DataFrame(columns), path)
    with atomic_file(path) as fresh, fresh.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            file.write(",".join("" if math.isnan(value) else repr(value) for value in row) + "\n")
    return path
