"""The record of a feature family: its function, and a record of each column that it computes.

Everything that depends on the column (data dictionary, importance groups, baseline columns, which
columns a head uses and how) derives from these records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Literal

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.windows import SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["feature", "recording", "sequence"]
QUALITY_GROUP = "signal quality"
PULSE = "pulse"  # kind of the families that are computed from beats and the pulse wave


@dataclass(frozen=True)
class StandardError:
    """Limits of a standard error: above them it withholds the features with its ``Column.error``.

    Parameters
    ----------
    of : str
        Column whose standard error it is.
    name : str
        Name of that column in the reason.
    most : float
        Standard error above which the features are withheld, in the unit of the column.
    normal : bool
        Whether the features need normal-to-normal (NN) intervals: many ectopic beats withhold them,
        too.
    """

    of: str
    name: str
    most: float
    normal: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a feature table: unit, definition, and how it is used.

    Parameters
    ----------
    unit, definition, source : str
        For the data dictionary; ``source`` is the reference.
    minimum_s : float
        Shortest window that supports it, s; in shorter windows it is NaN.
    error : str
        Column of the standard error that withholds it: its own, or that of a feature it depends on.
    role : {"feature", "recording", "sequence"}
        ``"feature"``: used by heads. ``"recording"``: length, quality, counts, standard errors;
        a feature only when named in ``extra_features``. ``"sequence"``: numbers as text, in a
        column named ``seq_…``.
    group : str
        Columns that are permuted together for feature importance; default: the family's name.
    step : float, optional
        Step to which heads round it, if its resolution depends on the length of the window.
    reveals_length : bool
        Whether it reveals the length of the window together with other columns; then it is a
        feature only when named in ``extra_features``.
    needs_shape : bool
        Whether it needs the shape of the arterial pulse (`SignalKind.shape`) and is withheld
        otherwise.
    always : bool
        Whether it also has a value in a window whose signal is not trusted.
    needs_pulse : bool
        Whether it needs a trusted pulse; always true in a family of kind ``"pulse"``.
    minimum_hz : float
        Lowest sampling rate that supports it, Hz.
    kind : str
        Kind of the signal that it is computed from; set by its family.
    withholds : StandardError, optional
        Only for a standard error: the limits above which it withholds features.
    """

    unit: str
    definition: str
    source: str = ""
    minimum_s: float = 0.0
    error: str = ""
    _: KW_ONLY
    role: Role = "feature"
    group: str = ""
    step: float | None = None
    reveals_length: bool = False
    needs_shape: bool = False
    always: bool = False
    withholds: StandardError | None = None
    needs_pulse: bool = False
    minimum_hz: float = 0.0
    kind: str = PULSE

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of signal that must be trusted in a window for it to have a value."""
        return (self.kind, PULSE) if self.needs_pulse and self.kind != PULSE else (self.kind,)

    @property
    def is_feature(self) -> bool:
        """Whether heads use it by default."""
        return self.role == "feature" and not self.reveals_length


@dataclass(frozen=True, eq=False)
class Family:
    """A feature family: calling it computes its table and checks the columns of the table.

    Parameters
    ----------
    name : str
        Its key in ``FAMILIES``.
    compute : function
        ``(list of Beats, list of Signal or None) -> DataFrame``: one row each, and always the same
        columns. The signals are the pulse waves, or those of ``kind``.
    columns : mapping of str to Column
        Every column of that table, in order.
    kind : str
        Kind of the signal that it is computed from: ``"pulse"`` (beats, and the wave that they were
        detected in), or a name in ``SENSORS`` (``"eda"``). In a recording without that signal its
        columns are empty.

    Examples
    --------
    >>> from emotion_rppg.features import FAMILIES
    >>> FAMILIES["hrv"]
    Family('hrv', 44 columns)
    >>> FAMILIES["hrv"].columns["rmssd_ms"].minimum_s
    30
    """

    name: str
    compute: Callable[[list[Beats], Sequence[Signal | None]], pd.DataFrame]
    columns: Mapping[str, Column]
    kind: str = PULSE

    def __post_init__(self) -> None:
        faults = [
            f"{name!r} has the role {column.role!r}: text columns, and only these, have the "
            f"role 'sequence' and a name that begins with {SEQUENCE}"
            for name, column in self.columns.items()
            if name.startswith(SEQUENCE) != (column.role == "sequence")
        ]
        faults += [
            f"{name!r} names {column.error!r} as its standard error, which is no column with "
            "withholds=StandardError(…): add that column or remove error="
            for name, column in self.columns.items()
            if column.error
            and (column.error not in self.columns or not self.columns[column.error].withholds)
        ]
        faults += [
            f"{name!r} is the standard error of {column.withholds.of!r}, which is no column"
            for name, column in self.columns.items()
            if column.withholds and column.withholds.of not in self.columns
        ]
        if faults:
            raise InputError(f"feature family {self.name!r}: {'; '.join(faults)}")
        grouped = {
            n: replace(c, group=c.group or self.name, kind=self.kind)
            for n, c in self.columns.items()
        }
        object.__setattr__(self, "columns", grouped)

    def __repr__(self) -> str:
        return f"Family({self.name!r}, {len(self.columns)} columns)"

    def __call__(
        self, list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
    ) -> pd.DataFrame:
        """Compute the features of each window, one row each.

        Raises
        ------
        InputError
            ``compute`` returned columns that differ from the records, or a wrong number of rows.
        """
        signals = [None] * len(list_of_beats) if signals is None else list(signals)
        table = self.compute(list_of_beats, signals)
        if list(table.columns) != list(self.columns):
            raise InputError(
                f"the feature family {self.name!r} computed the columns "
                f"{', '.join(map(str, table.columns))}; its records describe "
                f"{', '.join(self.columns)}: make the two the same, in the same order"
            )
        if len(table) != len(list_of_beats):
            raise InputError(
                f"the feature family {self.name!r} computed {len(table)} rows for "
                f"{len(list_of_beats)} windows: want one row per window"
            )
        return table


# Columns of every feature table, whatever its families
OF_EVERY_TABLE: dict[str, Column] = {
    "quality": Column(
        "1",
        "pulse quality of the window, 0–1, which min_quality is compared with: of a camera that of "
        "the spectrum, of a contact PPG the mean over the samples, of an ECG the beats' "
        "confidence × coverage, of a device's intervals the share of time that they cover",
        role="recording",
        group=QUALITY_GROUP,
        always=True,
    ),
    "timing_sd_ms": Column(
        "ms",
        "standard error of beat times by the noise of the wave, root mean square; without delays "
        "between heart and sensor; empty for an ECG; of a device's intervals by its resolution and "
        "its own estimate",
        role="recording",
        group=QUALITY_GROUP,
    ),
}
