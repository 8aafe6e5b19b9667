"""What a feature family is: a function, and a record of each column that it computes.

Whatever is decided by column (data dictionary, importance groups, baseline columns, which columns
a head may use and how) derives from these records and stands nowhere else.
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

Role = Literal["heart", "recording", "sequence"]
QUALITY_GROUP = "signal quality"


@dataclass(frozen=True)
class StandardError:
    """When a standard error withholds the features that name it as their ``Column.error``.

    Parameters
    ----------
    of : str
        Column whose standard error it is.
    name : str
        What the reason calls that column.
    most : float
        Value above which the features are withheld, in the column's unit.
    normal : bool
        Whether they need normal-to-normal intervals: many ectopic beats withhold them, too.
    """

    of: str
    name: str
    most: float
    normal: bool = False


@dataclass(frozen=True)
class Column:
    """Facts of one column of a feature table.

    Parameters
    ----------
    unit, definition, source : str
        As the data dictionary gives them; ``source`` is the reference.
    minimum_s : float
        Shortest window that supports it, s; in shorter ones it is NaN.
    error : str
        Column of the standard error that it stands or falls with: its own, or that of a feature it
        depends on.
    role : {"heart", "recording", "sequence"}
        ``"heart"``: a feature. ``"recording"``: how long, how clear, how many, standard errors;
        a feature only when named by ``extra_features``. ``"sequence"``: numbers as text, in a
        column named ``seq_…``.
    group : str
        Columns that are permuted together for feature importance; default: the family's name.
    step : float, optional
        Steps to which heads round it, where its own steps depend on the window's length.
    reveals_length : bool
        Whether it reveals the window's length beside other columns: no feature unless named.
    needs_shape : bool
        Whether it is withheld of waves without the pulse's own shape (`SignalKind.shape`).
    always : bool
        Whether it is given for a window without a trusted pulse, too.
    withholds : StandardError, optional
        Of a standard error: what it withholds, and when.
    """

    unit: str
    definition: str
    source: str = ""
    minimum_s: float = 0.0
    error: str = ""
    _: KW_ONLY
    role: Role = "heart"
    group: str = ""
    step: float | None = None
    reveals_length: bool = False
    needs_shape: bool = False
    always: bool = False
    withholds: StandardError | None = None

    @property
    def is_feature(self) -> bool:
        """Whether heads use it without being told to."""
        return self.role == "heart" and not self.reveals_length


@dataclass(frozen=True, eq=False)
class Family:
    """A feature family; calling it computes its table and checks the table's columns.

    Parameters
    ----------
    name : str
        Its key in ``FAMILIES``.
    compute : function
        ``(list of Beats, list of Signal or None) -> DataFrame``, one row each, the same columns
        whatever it is given.
    columns : mapping of str to Column
        Every column of that table, in order.

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

    def __post_init__(self) -> None:
        faults = [
            f"{name!r} is of the role {column.role!r}: text columns, and they alone, have the "
            f"role 'sequence' and a name that begins with {SEQUENCE}"
            for name, column in self.columns.items()
            if name.startswith(SEQUENCE) != (column.role == "sequence")
        ]
        faults += [
            f"{name!r} names {column.error!r} as its standard error, which is no column with "
            "withholds=StandardError(…)"
            for name, column in self.columns.items()
            if column.error
            and (column.error not in self.columns or not self.columns[column.error].withholds)
        ]
        faults += [
            f"{name!r} withholds by {column.withholds.of!r}, which is no column"
            for name, column in self.columns.items()
            if column.withholds and column.withholds.of not in self.columns
        ]
        if faults:
            raise InputError(f"the feature family {self.name!r}: {'; '.join(faults)}")
        grouped = {n: replace(c, group=c.group or self.name) for n, c in self.columns.items()}
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
            ``compute`` returned other columns than those of the records, or another number of rows.
        """
        signals = [None] * len(list_of_beats) if signals is None else list(signals)
        table = self.compute(list_of_beats, signals)
        if list(table.columns) != list(self.columns):
            raise InputError(
                f"the feature family {self.name!r} computed the columns "
                f"{', '.join(map(str, table.columns))}; its records are of "
                f"{', '.join(self.columns)}: make the two the same, in this order"
            )
        if len(table) != len(list_of_beats):
            raise InputError(
                f"the feature family {self.name!r} computed {len(table)} rows for "
                f"{len(list_of_beats)} windows: want one row each"
            )
        return table


# Columns of every feature table, whatever its families
OF_EVERY_TABLE: dict[str, Column] = {
    "quality": Column(
        "1",
        "pulse quality of the window, 0–1; of an ECG the beats' confidence × coverage",
        role="recording",
        group=QUALITY_GROUP,
        always=True,
    ),
    "timing_sd_ms": Column(
        "ms",
        "standard error of beat times by the noise of the wave, root mean square; without delays "
        "between heart and sensor; empty for an ECG",
        role="recording",
        group=QUALITY_GROUP,
    ),
}
