"""Check a feature table before any work begins, and list all its faults in one error.

Each check in ``FAULTS`` rejects the table; each check in ``WARNINGS`` only logs a warning.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.windows import EVENT, EVENT_NUMBER, LABEL, PERSON, SCALE, SEQUENCES_FAULT, people

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
REQUIRED = ("subject", "trial", "start_s", "duration_s")
DEFAULTS = {"dataset": "table", "session": "1"}  # values of these columns if they are missing
_CLOCK = ("start_s", "duration_s")
_ROW_KEY = (
    *("subject", "session", "trial", PERSON, "start_s", "duration_s"),
    *("source", "method", "network"),
)
_SHOWN = 4  # names that a message lists


def require_sequences(table: pd.DataFrame, heads: Iterable[Any]) -> None:
    """Refuse heads that read sequences where those of the table could not be read.

    Raises
    ------
    InputError
        The file with the sequences of a CSV is missing, damaged or that of another table.
    """
    from emotion_rppg.emotion.deep.net import reads_sequences

    fault = table.attrs.get(SEQUENCES_FAULT)
    parts = (part for head in heads for part in (head, *head.get_params().values()))
    if fault and any(map(reads_sequences, parts)):
        raise InputError(f"a network on sequences cannot be fitted: {fault}")


def checked_table(
    table: pd.DataFrame, *, targets: Sequence[str] = (), coding: str = "midpoint"
) -> pd.DataFrame:
    """Check a feature table; return it with default identity columns and rows numbered from 0.

    Parameters
    ----------
    targets : sequence of str
        Labels that will be learned or scored; none if the table is only used for prediction.
    coding : str
        How their ratings become classes (`tasks.Task`).

    Raises
    ------
    InputError
        All faults, in one message.
    """
    twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    if twice:  # the other checks select columns by name
        raise InputError(f"the table has two columns {_listed(twice)}: keep one of each")
    if {"feature", "value"} <= set(table.columns):
        raise InputError(
            "the table has a row per window and feature (--layout long), which is for R and SPSS: "
            "extract it without --layout long"
        )
    table = _with_defaults(table)
    faults = [fault for check in FAULTS for fault in check(table)]
    if {"dataset", "subject", "session", "trial"} <= set(table):  # which codings need
        faults += [fault for name in targets for fault in _label_faults(table, name, coding)]
    if len(faults) == 1:
        raise InputError(faults[0])
    if faults:
        listed = "".join(f"\n{k}. {fault}" for k, fault in enumerate(faults, 1))
        raise InputError(f"the table has {len(faults)} faults:{listed}")
    for check in WARNINGS:
        for warning in check(table):
            _log.warning("%s", warning)
    return table


def _with_defaults(table: pd.DataFrame) -> pd.DataFrame:
    missing = {name: value for name, value in DEFAULTS.items() if name not in table}
    if missing and "subject" in table:
        values = ", ".join(f"{name} (all rows: {value!r})" for name, value in missing.items())
        _log.warning("the table has no column %s", values)
        table = table.assign(**missing)
    return table.reset_index(drop=True)


def _missing_columns(table: pd.DataFrame) -> Iterator[str]:
    if not len(table):
        yield "the table has no row"
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        yield (
            f"the table has no column {', '.join(missing)}: want a table as "
            f"`emotion-rppg features` writes it, with {', '.join(REQUIRED)} in each row"
        )


def _types(table: pd.DataFrame) -> Iterator[str]:
    """Find text in numeric columns."""
    for name in (n for n in _numeric_columns() if n in table):
        cells = table[name].dropna()
        if cells.dtype.kind in "fiub":
            continue
        bad = [value for value in cells if not _is_number(value)]
        if bad:
            yield (
                f"{len(bad)} rows of column {name} contain text where numbers are expected "
                f"({_listed(dict.fromkeys(map(repr, bad)))}): write numbers with a decimal point, "
                "and leave a cell empty where there is no value"
            )


def _numeric_columns() -> list[str]:
    from emotion_rppg.features import columns

    return [*_CLOCK, *(name for name, c in columns().items() if c.role != "sequence")]


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _clock(table: pd.DataFrame) -> Iterator[str]:
    for name in _CLOCK:
        if name in table and table[name].isna().any():
            yield f"{int(table[name].isna().sum())} rows have no {name}: give the seconds"


def _empty_people(table: pd.DataFrame) -> Iterator[str]:
    if "subject" in table:
        empty = table["subject"].isna() | (table["subject"].astype(str).str.strip() == "")
        if empty.any():
            yield (
                f"{int(empty.sum())} rows have no subject (first: row {int(np.argmax(empty))}): "
                "name the person of every row"
            )


def _similar_names(table: pd.DataFrame) -> Iterator[str]:
    """Find people under two similar names, who could be in both training and test."""
    if "subject" not in table:
        return
    for dataset, rows in table.dropna(subset=["subject"]).groupby("dataset", sort=False):
        for names in _similar_groups(rows["subject"]):
            yield (
                f"subjects {_listed(map(repr, names))} of {str(dataset)!r} differ only by case, "
                "blanks or leading zeros: if they are one person write one name, else names that "
                "differ more"
            )


def _similar_groups(names: pd.Series) -> list[list[str]]:
    """Group different names that are equal apart from case, blanks and leading zeros."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in set(names.astype(str)):
        plain = "".join(name.split()).casefold()
        groups[plain.lstrip("0") or plain[:1]].add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def _repeated_rows(table: pd.DataFrame) -> Iterator[str]:
    keys = [name for name in ("dataset", *_ROW_KEY, EVENT, EVENT_NUMBER) if name in table]
    if not set(REQUIRED) <= set(keys):
        return
    again = table.duplicated(keys)
    if again.any():
        first = table[again].iloc[0]
        where = ", ".join(f"{k} {first[k]}" for k in ("subject", "session", "trial", "start_s"))
        yield (
            f"{int(again.sum())} rows repeat the person, trial and time of an earlier row "
            f"({where}): keep one of each, or give the trials different names"
        )


FAULTS: tuple[Callable[[pd.DataFrame], Iterator[str]], ...] = (
    _missing_columns,
    _types,
    _clock,
    _empty_people,
    _similar_names,
    _repeated_rows,
)


def _short_windows(table: pd.DataFrame) -> Iterator[str]:
    bad = table["duration_s"].astype(float) <= 0
    if bad.any():
        yield f"{int(bad.sum())} windows have a duration_s of 0 or less"


def _similar_data_sets(table: pd.DataFrame) -> Iterator[str]:
    for names in _similar_groups(table["dataset"]):
        yield (
            f"data sets {_listed(map(repr, names))} differ only by case, blanks or leading zeros: "
            "their people count as different people"
        )


def _second_readings(table: pd.DataFrame) -> Iterator[str]:
    keys = ["dataset", *(n for n in _ROW_KEY[:6] if n in table)]
    again = int(table.duplicated(keys).sum())
    if again:
        yield (
            f"{again} rows are a second reading (source, method, network or event) of the same "
            "seconds: they count as more windows"
        )


def _scales_differ(table: pd.DataFrame) -> Iterator[str]:
    for name in (str(c) for c in table if str(c).startswith(SCALE)):
        for dataset, rows in table.groupby("dataset", sort=False):
            texts = sorted(set(rows[name].dropna().astype(str)) - {""})
            if len(texts) > 1:
                yield f"{name} of {str(dataset)!r} is {_listed(texts)}: each row uses its own scale"


WARNINGS: tuple[Callable[[pd.DataFrame], Iterator[str]], ...] = (
    _short_windows,
    _similar_data_sets,
    _second_readings,
    _scales_differ,
)


def _label_faults(table: pd.DataFrame, target: str, coding: str) -> Iterator[str]:
    """Find what prevents learning a label: missing, wrong type, outside its scale, one class."""
    from emotion_rppg.emotion.tasks import Task, class_names, code

    task = Task(target, coding)
    try:
        y, names = code(table, task), class_names(table, task)
    except InputError as error:
        yield str(error)
        return
    labels = y[np.isfinite(y)]
    if not len(labels):
        yield f"no row of the table has a label for {target!r}: fill in the column {task.column}"
        return
    outside = _off_scale(table, target) if coding == "midpoint" else ""
    if outside:
        yield outside
    elif len(np.unique(labels)) < 2:
        yield _one_class(table, task.column, coding, names[int(labels[0])] if names else "")


def _off_scale(table: pd.DataFrame, target: str) -> str:
    """Describe ratings that lie outside their scale; empty if there are none."""
    from emotion_rppg.emotion.tasks import FIXED_OPTION

    if SCALE + target not in table:
        return ""
    texts = table[SCALE + target].fillna("").astype(str)
    bounds = {text: [float(part) for part in text.split("..")] for text in set(texts) - {""}}
    low, high = (texts.map({t: b[k] for t, b in bounds.items()}) for k in (0, 1))
    ratings = table[LABEL + target].astype(float)
    off = (ratings < low - 1e-9) | (ratings > high + 1e-9)
    if not off.any():
        return ""
    return (
        f"{int(off.sum())} of {int(ratings.notna().sum())} ratings of {target!r} lie outside their "
        f"scale ({_span(ratings[off])}; {SCALE}{target} is {_listed(sorted(bounds))}): correct the "
        f"scale (in manifest.json) or the ratings, or choose the threshold ({FIXED_OPTION})"
    )


def _one_class(table: pd.DataFrame, column: str, coding: str, name: str) -> str:
    from emotion_rppg.emotion.tasks import FIXED_OPTION

    labels = f"all labels are {name!r}" if name else "all labels are the same number"
    cells = table[column].dropna()
    if cells.dtype.kind in "fiub":
        labels += f" (ratings {_span(cells)}, coding {coding!r})"
    return (
        f"{column} has only one class: {labels}; a classifier needs two or more: choose another "
        f"coding such as 'subject_median' or a threshold ({FIXED_OPTION}), or add rows of another "
        "class"
    )


def _span(values: pd.Series) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _listed(names: object) -> str:
    listed = [str(name) for name in names]  # type: ignore[attr-defined]
    return ", ".join(listed[:_SHOWN]) + (" …" if len(listed) > _SHOWN else "")


def one_label_per_person(table: pd.DataFrame, y: np.ndarray) -> bool:
    """Tell whether every person has a single label: such labels can only be scored over people."""
    labelled = np.isfinite(y)
    person, labels = people(table).to_numpy()[labelled], y[labelled]
    label_of = dict(zip(person, labels, strict=True))
    return all(label_of[name] == label for name, label in zip(person, labels, strict=True))
