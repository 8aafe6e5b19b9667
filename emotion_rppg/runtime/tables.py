"""Tables and waves on disk: CSV or Parquet by the ending, in one file or a folder a person."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import ATTRIBUTE, Extraction, keep_common
from emotion_rppg.runtime.atomic_files import (
    PACKAGE,
    TABLE_FACTS,
    check_folder,
    whole_file,
    whole_folder,
    write_json,
)
from emotion_rppg.signals import Signal
from emotion_rppg.windows import LABEL, SCALE, SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
ENDINGS = (".csv", ".parquet")
_METADATA = PACKAGE.encode()  # key in the schema of a Parquet file
# how every CSV is read: numbers to their last digit, by the one of pandas' parsers that an exponent
# of ten digits (5e3081327832, in a damaged file) does not crash
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
)
# words that mean "no value" in a column of numbers; in identities and labels they are names
_MISSING = (
    *("", "nan", "NaN", "-nan", "-NaN", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>"),
    *("null", "NULL", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)


def check_ending(path: str | Path) -> Path:
    """The path, if its ending says CSV or Parquet."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"cannot tell the format of {str(path)!r}: end it with .csv or .parquet")
    return path


def check_out(path: str | Path, *, partitioned: bool = False) -> Path:
    """The path, if a table can be written there; asked before hours of work, not after."""
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
    """Write a feature or result table, and how it was extracted where the table carries it.

    The extraction goes into the schema of a Parquet file, or beside a CSV into
    ``TABLE.extraction.json``, which is gone while the CSV is being replaced: a stop between the two
    leaves a table without a record, never one with that of another.
    """
    path = check_ending(path)
    if path.suffix.lower() == ".csv":
        beside, record = extraction_beside(path), table.attrs.get(ATTRIBUTE)
        with whole_file(path) as fresh:
            table.to_csv(fresh, index=False)
            beside.unlink(missing_ok=True)
        if record is not None:
            write_json(beside, {"written_by": PACKAGE, ATTRIBUTE: record})
        return path
    import pyarrow.parquet as pq

    with whole_file(path) as fresh:
        pq.write_table(_arrow(table), fresh)
    return path


def extraction_beside(path: str | Path) -> Path:
    """Where the extraction of a CSV lies: ``table.extraction.json`` beside ``table.csv``."""
    return Path(path).with_suffix(".extraction.json")


def _arrow(table: pd.DataFrame) -> Any:
    """The table for Parquet, its extraction in the metadata of the schema."""
    import pyarrow as pa

    bare = table.copy(deep=False)
    bare.attrs = {}
    whole = pa.Table.from_pandas(bare, preserve_index=False)
    if (record := table.attrs.get(ATTRIBUTE)) is None:
        return whole
    text = json.dumps({ATTRIBUTE: record}, ensure_ascii=False, allow_nan=False)
    return whole.replace_schema_metadata({**whole.schema.metadata, _METADATA: text.encode()})


def write_partitioned(table: pd.DataFrame, path: str | Path) -> Path:
    """Write ``path/dataset-NAME/00000-SUBJECT.parquet``, a file a person; all or nothing.

    Every file has all columns, data set and person among them: in folders of the kind
    ``subject=07`` most readers take 07 for a number. What reads Parquet takes the folder as one
    table; `read_table` does, too.
    """
    import pyarrow.parquet as pq

    path = check_out(path, partitioned=True)
    whole = _arrow(table)  # one schema for all files
    with whole_folder(path) as fresh:
        groups = table.groupby(["dataset", "subject"], sort=False, dropna=False).indices
        for number, ((dataset, subject), rows) in enumerate(groups.items()):
            folder = fresh / f"dataset-{quote(str(dataset), safe='')}"
            folder.mkdir(exist_ok=True)
            file = folder / f"{number:05}-{quote(str(subject), safe='')}.parquet"
            pq.write_table(whole.take(rows), file)
        if not groups:
            pq.write_table(whole, fresh / "empty.parquet")
        write_json(fresh / TABLE_FACTS, {"written_by": PACKAGE})
    return path


def is_feature_table(path: str | Path) -> bool:
    """Tell whether a path is a feature table, by its ending or its header, not a signal."""
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
    """Read a feature table; identities stay text (``"01"`` is not 1), empty text stays empty.

    A person or a label called NA, None or nan keeps its name: in identities only an empty cell is
    empty. Labels are numbers where any cell is one and the others mean "no value", else words. How
    the table was extracted comes back with it (`emotion_rppg.extraction_of`).
    """
    path = check_ending(path)
    if not path.exists():
        raise InputError(f"no table {str(path)!r}: make one with `emotion-rppg features`")
    try:
        if path.suffix.lower() == ".parquet":
            table, record = read_parquet(path), _record_in(path)
        else:
            table, record = _read_csv(path), _record_beside(path)
    except InputError:  # of the record, which says what to do
        raise
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parse errors are both
        raise InputError(f"{path} is not a table that can be read: {error}") from error
    table.attrs = {} if record is None else {ATTRIBUTE: record}
    return table


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file or folder; a ValueError or OSError, whatever is damaged in it."""
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OverflowError) as error:  # not all of pyarrow's are ValueErrors
        raise ValueError(str(error)) from error


def _record_in(path: Path) -> Any:
    """The extraction in the schema of a Parquet file, or of the first of a folder."""
    import pyarrow.parquet as pq

    if path.is_dir():
        path = next(iter(sorted(path.rglob("*.parquet"))), path)
    text = (pq.read_schema(path).metadata or {}).get(_METADATA)
    return None if text is None else _record(text.decode(), path)


def _record_beside(path: Path) -> Any:
    beside = extraction_beside(path)
    return _record(beside.read_text(encoding="utf-8"), beside) if beside.is_file() else None


def _record(text: str, where: Path) -> Any:
    """The extraction, or those of the parts of a joined table; checked before it is used."""
    try:
        record = json.loads(text)[ATTRIBUTE]
        for part in record if isinstance(record, list) else [record]:
            Extraction.from_dict(part)
    except (ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(
            f"the record in {where} of how the table was extracted is damaged ({error}): extract "
            "the table again, or remove that record"
        ) from error
    return record


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    names = pd.read_csv(path, nrows=0, **AS_WRITTEN).columns
    labels = [name for name in names if name.startswith(LABEL)]
    as_text = dict.fromkeys([*_text_in(names), *labels], str)
    missing = {name: list(_MISSING) for name in names if name not in as_text}
    table = pd.read_csv(path, dtype=as_text, keep_default_na=False, na_values=missing, **AS_WRITTEN)
    table = table.fillna(dict.fromkeys(as_text, ""))  # rows that end early
    for name in labels:
        table[name] = _labels(table[name])
    return table


def _labels(cells: pd.Series) -> pd.Series:
    """Numbers or truth values where the cells hold nothing else, else words; NaN where empty."""
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
    """Read feature tables, of several data sets say, as one; what a table lacks is empty there.

    A table without the column ``dataset`` is a data set of its own, called as its file is.
    """
    import pandas as pd

    tables = [_with_dataset(read_table(path), Path(path).stem) for path in paths]
    _warn_of_one_name([set(t["dataset"].astype(str)) if "dataset" in t else set() for t in tables])
    table = keep_common(tables, pd.concat(tables, ignore_index=True))
    return table.fillna(dict.fromkeys(_text_in(table.columns), ""))


def _with_dataset(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if "dataset" in table or "subject" not in table:
        return table
    _log.warning("the table %r has no column dataset: its people are called %s/…", name, name)
    table = table.copy()
    table.insert(0, "dataset", name)
    return table


def _warn_of_one_name(names: Sequence[set[str]]) -> None:
    several = [name for name in set().union(*names) if sum(name in own for own in names) > 1]
    for name in sorted(several):
        _log.warning(
            "the data set %r is in several of the tables: a subject of one name in two of them "
            "counts as one person; rename the data set where they are two",
            name,
        )


def _text_in(names: Iterable[str]) -> list[str]:
    return [name for name in names if name in _TEXT or name.startswith((SEQUENCE, SCALE))]


def write_wave(signal: Signal, path: str | Path) -> Path:
    """Write ``time_s, <kind>, quality``; unseen samples are empty.

    A CSV without pandas, whose loading would take longer than all the rest of it.
    """
    import numpy as np

    path = check_ending(path)
    quality = np.full(len(signal), np.nan) if signal.quality is None else signal.quality
    columns = {
        "time_s": signal.times_s.round(6),
        signal.kind or "rppg": signal.samples,
        "quality": quality.round(4),
    }
    if path.suffix.lower() == ".parquet":
        import pandas as pd

        return write_table(pd.DataFrame(columns), path)
    with whole_file(path) as fresh, fresh.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            file.write(",".join("" if math.isnan(value) else repr(value) for value in row) + "\n")
    return path
