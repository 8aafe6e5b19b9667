"""Read lists and tables of intervals as text, whatever device or program wrote them.

A list has a number per line or all in one line; a table has a header in which a column is named as
intervals (RR, NN, IBI, PPI), below any other text. Beats may have labels (N, V …). Polar's .hrm and
Garmin's rows of name and value are recognised by their words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.beat_labels import ECTOPIC, NO_BEAT, beats_of_list, is_label
from emotion_rppg.formats.interval_clock import IntervalRows, beats_of_rows
from emotion_rppg.formats.interval_text import (
    HEAD_LINES,
    Text,
    clock_of,
    is_number,
    number_of,
    numbers_of,
    read_lines,
    read_text,
)
from emotion_rppg.formats.missing_values import is_missing
from emotion_rppg.formats.text_files import NoSignal
from emotion_rppg.interval_timeline import possible
from emotion_rppg.signals import Beats

# Words that name intervals, the words that may follow, and the units
_NAMES = frozenset(("rr", "rri", "rrs", "nn", "nni", "ibi", "ibis", "pp", "ppi", "r r", "p p"))
_NAMES |= {"n n", "heart rate variability", "inter beat", "interbeat", "beat to beat"}
_FOLLOWING = frozenset(
    ("interval", "intervals", "int", "list", "data", "raw", "series", "duration")
)
_UNITS = {"ms": 1.0, "msec": 1.0, "milliseconds": 1.0, "s": 1e3, "sec": 1e3, "seconds": 1e3}
_OPTICAL = frozenset(("pp", "ppi", "p p"))
_LABELS = frozenset(
    ("label", "labels", "type", "beat", "beat type", "annotation", "symbol", "class")
)
_HRM_BEATS = "238"  # code of Polar's .hrm for beat-to-beat recording
_UNIX_S = 1e8  # a larger number in E4's header is its start
_SMOOTH = 0.7  # correlation of successive steps, from which numbers are a wave


def read_interval_text(path: Path, *, column: str | None = None) -> Beats:
    """Read the intervals of a text file as beats, s; ``column`` names that of a table.

    Raises
    ------
    NoSignal
        Nothing in the file can be intervals.
    InputError
        Intervals whose unit or column cannot be decided, or that cannot be used; the message says
        why.
    """
    if path.suffix.lower() == ".hrm":
        return beats_of_rows(_hrm(path), path)
    text = read_text(path)
    if column is None:
        named = _Named.find(text.rows)
        for read in (_labelled, _name_and_value):
            found = read(text) if named is None or named.values is None else None
            if found is not None:
                return found if isinstance(found, Beats) else beats_of_rows(found, path)
        if named is not None:
            return named.beats(text)
        return beats_of_rows(_unnamed(text), path)
    named = _Named.find(text.rows, column)
    if named is None:
        raise InputError(f"{path} has no column {column!r} with numbers below it")
    return named.beats(text)


def names_intervals(path: Path) -> bool:
    """Return whether a header, a label or the structure of a text file says it has intervals."""
    text = read_text(path, head=True)
    if any(unit_of_name(part) is not None for line in text.comments for part in line.split(":=")):
        return True
    named = _Named.find(text.rows)
    if named is not None and (named.values is None or named.names_unit or named.plausible(text)):
        return True
    return _label_columns(text) is not None or _name_and_value(text) is not None


def lists_intervals(path: Path) -> bool:
    """Return whether a text has one list of numbers that vary as intervals do, not as a wave.

    The steps of a wave are similar to the steps before them; those of a heart are not.
    """
    rows = read_text(path, head=True).rows
    if not rows or (len(rows) > 1 and max(len(row) for row in rows) > 1):
        return False
    values = np.array([number_of(cell) for row in rows for cell in row if cell])
    values = values[np.isfinite(values)]
    listed = any(possible(values * unit).mean() > 0.9 for unit in (1.0, 1e3)) if len(values) else 0
    steps = np.diff(values)
    if not listed or len(steps) < 10 or not np.std(steps) > 0:
        return False
    return bool(np.corrcoef(steps[1:], steps[:-1])[0, 1] < _SMOOTH)


def unit_of_name(cell: str) -> tuple[float | None, bool] | None:
    """Return the unit (ms per unit, None if not named) of a column of intervals, and if optical.

    None if the name is not that of intervals: ``mean RR`` is a result.
    """
    words = re.findall(r"[a-zµ]+", cell.lower())
    unit = None
    while words and (words[-1] in _UNITS or words[-1] in _FOLLOWING):
        unit = _UNITS.get(words.pop(), unit)
    name = " ".join(words)
    return (unit, name in _OPTICAL) if name in _NAMES else None


@dataclass(frozen=True)
class _Named:
    """The header of a table: its cells, the row below it, the columns of intervals and labels."""

    header: list[str]
    first: int
    values: int | None
    label: int | None = None

    @classmethod
    def find(cls, rows: list[list[str]], column: str | None = None) -> _Named | None:
        """Find the first header that names intervals, or the column, above numbers."""
        for at, row in enumerate(rows[:HEAD_LINES]):
            label = next((k for k, c in enumerate(row) if c.lower() in _LABELS), None)
            for k, cell in enumerate(row):
                wanted = unit_of_name(cell) is not None if column is None else _same(cell, column)
                if wanted and _has_numbers(rows[at + 1 : at + 8], k):
                    return cls(row, at + 1, k, label)
            if label is not None and len(row) > 1 and column is None:
                other = next(k for k in range(len(row)) if k != label)
                if _has_numbers(rows[at + 1 : at + 8], other) and all(
                    is_label(r[label]) for r in rows[at + 1 : at + 8] if len(r) > label
                ):
                    return cls(row, at + 1, None, label)
        return None

    @property
    def names_unit(self) -> bool:
        """Whether the header names the unit of the intervals: a column of breaths does not."""
        named = unit_of_name(self.header[self.values]) if self.values is not None else None
        return named is not None and named[0] is not None

    def plausible(self, text: Text) -> bool:
        """Return whether the column's median is an interval, not the rate of breathing."""
        assert self.values is not None
        values = np.array([number_of(row[self.values]) for row in self._body(text.rows)])
        middle = np.median(values[np.isfinite(values)]) if np.isfinite(values).any() else np.nan
        return bool(possible(middle * np.array([1.0, 1e3])).any())

    def beats(self, text: Text) -> Beats:
        """Read the table below the header."""
        rows, path = self._body(text.rows), text.path
        if self.values is None:  # times of beats, and their labels
            assert self.label is not None
            time = next(k for k in range(len(self.header)) if k != self.label)
            labels = [row[self.label] for row in rows]
            return beats_of_list(numbers_of([row[time] for row in rows], path), labels, path)
        named = unit_of_name(self.header[self.values])
        unit, optical = named if named is not None else (None, False)
        e4 = number_of(self.header[0]) > _UNIX_S
        values = numbers_of([row[self.values] for row in rows], path)
        labels = [row[self.label] for row in rows] if self.label is not None else []
        return beats_of_rows(
            IntervalRows(
                values,
                unit_ms=unit,
                clocks=self._clocks(rows),
                flagged=self._flagged(rows) | _are(labels, NO_BEAT, len(rows)),
                error_ms=self._errors(rows),
                ectopic=_are(labels, ECTOPIC, len(rows)) if labels else None,
                optical=optical or e4,
                certain=e4,
            ),
            path,
        )

    def _body(self, rows: list[list[str]]) -> list[list[str]]:
        """Rows below the header, until the table ends; short ones are filled with empty cells."""
        assert self.values is not None or self.label is not None
        key = self.values if self.values is not None else self.label
        width = len(self.header)
        body: list[list[str]] = []
        for row in rows[self.first :]:
            filled = [*row, *[""] * (width - len(row))]
            value = filled[key or 0]
            if not (is_missing(value) or is_label(value) or is_number(value)):
                if body:
                    break
                continue  # units below the names
            body.append(filled)
        while body and is_missing(body[-1][key or 0]):
            body.pop()
        return body

    def _clocks(self, rows: list[list[str]]) -> list[np.ndarray]:
        """Columns before and after the intervals that can be read as times, seconds first."""
        columns = [k for k in range(len(self.header)) if k not in (self.values, self.label)]
        columns.sort(key=lambda k: "since" not in self.header[k].lower())
        clocks = [clock_of([row[k] for row in rows]) for k in columns]
        return [clock for clock in clocks if clock is not None]

    def _column(self, rows: list[list[str]], word: str) -> list[np.ndarray]:
        """Columns whose name contains a word, as numbers."""
        return [
            np.array([number_of(row[k]) for row in rows])
            for k, name in enumerate(self.header)
            if word in name.lower()
        ]

    def _errors(self, rows: list[list[str]]) -> np.ndarray | None:
        columns = self._column(rows, "error estimate") or self._column(rows, "errorestimate")
        return columns[0] if columns else None

    def _flagged(self, rows: list[list[str]]) -> np.ndarray:
        """Rows with the flags of Polar's optical sensors: movement (blocker), no skin contact.

        The second column of contact says whether the sensor can detect contact at all.
        """
        out = np.zeros(len(rows), dtype=bool)
        for blocker in self._column(rows, "blocker")[:1]:
            out |= blocker > 0
        contact = self._column(rows, "contact")
        if contact:
            supported = contact[1] > 0 if len(contact) > 1 else np.ones(len(rows), dtype=bool)
            out |= (contact[0] == 0) & supported
        return out


def _same(cell: str, column: str) -> bool:
    return cell.strip().lower() == column.strip().lower()


def _has_numbers(rows: list[list[str]], column: int) -> bool:
    """Return whether most of the first rows have a number in a column."""
    numbers = [column < len(row) and is_number(row[column]) for row in rows]
    return sum(numbers) > len(numbers) / 2


def _are(labels: Sequence[str], kind: frozenset[str], count: int) -> np.ndarray:
    if not labels:
        return np.zeros(count, dtype=bool)
    return np.array([label in kind for label in labels], dtype=bool)


def _label_columns(text: Text) -> tuple[int, int] | None:
    """Find the columns of numbers and labels in rows without a header; None if there are none."""
    rows = [row for row in text.rows if len(row) >= 2]
    if len(rows) < 3 or len(rows) < 0.9 * len(text.rows):
        return None
    for number, label in ((0, 1), (1, 0)):
        if all(is_label(row[label]) and number_of(row[number]) >= 0 for row in rows):
            return number, label
    return None


def _labelled(text: Text) -> Beats | IntervalRows | None:
    """Read rows of a number and a label, in either order: times of beats, or intervals."""
    columns = _label_columns(text)
    if columns is None:
        return None
    number, label = columns
    rows = [row for row in text.rows if len(row) >= 2]
    labels = [row[label] for row in rows]
    values = np.array([number_of(row[number]) for row in rows])
    if np.all(np.diff(values) >= 0):
        return beats_of_list(values, labels, text.path)
    return IntervalRows(
        values,
        flagged=_are(labels, NO_BEAT, len(rows)),
        ectopic=_are(labels, ECTOPIC, len(rows)),
    )


def _name_and_value(text: Text) -> IntervalRows | None:
    """Read rows of a time, the name of a measure and its value, as Garmin's exports have them."""
    named = [
        (row, k)
        for row in text.rows
        for k, cell in enumerate(row)
        if 0 < k < len(row) - 1
        and unit_of_name(cell.replace("_", " ")) is not None
        and is_number(row[k + 1])
    ]
    if len(named) < 3:
        return None
    values = np.array([number_of(row[k + 1]) for row, k in named])
    clock = clock_of([row[0] for row, _ in named])
    return IntervalRows(values, clocks=() if clock is None else (clock,), optical=True)


def _unnamed(text: Text) -> IntervalRows:
    """Read a list without a header: a column, a line, or times beside intervals."""
    rows = [row for row in text.rows if any(is_number(cell) for cell in row)]
    if not rows:
        raise NoSignal(f"{text.path} has no numbers: want a list or table of intervals")
    header = text.rows[0]
    if len(header) > 1 and not any(is_number(cell) for cell in header):
        raise NoSignal(
            f"{text.path} has the columns {', '.join(header[:8])}: none is named as intervals (rr, "
            "nn, ibi, ppi); choose one with --channel (channel=… in Python)"
        )
    width = max(len(row) for row in rows)
    columns = [[row[k] if k < len(row) else "" for row in rows] for k in range(width)]
    numbers = [numbers_of(column, text.path) for column in columns]
    by_unit = [[k for k, c in enumerate(numbers) if _may_be_intervals(c, u)] for u in (1.0, 1e3)]
    fitting = max(by_unit, key=len)
    if width == 1 or len(rows) == 1 or len(fitting) == width:  # a list, perhaps wrapped
        listed = text.rows if width == 1 else rows
        cells = [c for row in listed for c in row if c and (is_number(c) or is_missing(c))]
        return IntervalRows(numbers_of(cells, text.path))
    if len(fitting) != 1:
        raise InputError(
            f"{text.path} has {width} columns without names, {len(fitting)} of them like "
            "intervals: want a header that names one rr_ms"
        )
    clocks = [clock_of(column) for k, column in enumerate(columns) if k not in fitting]
    return IntervalRows(numbers[fitting[0]], clocks=[c for c in clocks if c is not None])


def _may_be_intervals(values: np.ndarray, unit_ms: float) -> bool:
    """Return whether most values are intervals in a unit, and are not times."""
    steady = len(values) > 2 and bool(np.all(np.diff(values[np.isfinite(values)]) > 0))
    return not steady and bool(possible(values * unit_ms).mean() > 0.8)


def _hrm(path: Path) -> IntervalRows:
    """Read Polar's .hrm: the values below [HRData], if its parameters say they are intervals."""
    lines = read_lines(path)
    facts = dict(line.split("=", 1) for line in lines if re.fullmatch(r"\w+=.*", line))
    if "[HRData]" not in lines:
        raise NoSignal(f"{path} has no section [HRData]: it is not a Polar .hrm with intervals")
    if facts.get("Interval", "").strip() != _HRM_BEATS:
        raise InputError(
            f"{path} has a heart rate every {facts.get('Interval', '?')} s, no intervals (Interval="
            f"{_HRM_BEATS}): record with R-R intervals switched on"
        )
    values = lines[lines.index("[HRData]") + 1 :]
    body = [line.split()[0] for line in values if line and not line.startswith("[")]
    return IntervalRows(numbers_of(body, path), unit_ms=1.0)
