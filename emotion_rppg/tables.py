"""Tables and waves on disk: CSV or Parquet by the file's ending, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.checkpoints import whole_file
from emotion_rppg.errors import InputError
from emotion_rppg.signals import Signal
from emotion_rppg.windows import SCALE, SEQUENCE

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet")
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
)


def check_ending(path: str | Path) -> Path:
    """The path, if its ending says CSV or Parquet; asked before hours of work, not after."""
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"cannot tell the format of {str(path)!r}: end it with .csv or .parquet")
    return path


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a feature or result table."""
    path = check_ending(path)
    with whole_file(path) as fresh:
        if path.suffix.lower() == ".csv":
            table.to_csv(fresh, index=False)
        else:
            table.to_parquet(fresh, index=False)
    return path


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a feature table; identities stay text (``"01"`` is not 1), empty text stays empty."""
    import pandas as pd

    path = check_ending(path)
    if not path.is_file():
        raise InputError(f"no table {str(path)!r}: make one with `emotion-rppg features`")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        names = pd.read_csv(path, nrows=0, **AS_WRITTEN).columns
        text = [c for c in names if c in _TEXT or c.startswith((SEQUENCE, SCALE))]
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), **AS_WRITTEN)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parse errors are both
        raise InputError(f"{path} is not a table that can be read: {error}") from error
    return table.fillna(dict.fromkeys(text, ""))


def write_wave(signal: Signal, path: str | Path) -> Path:
    """Write ``time_s, <kind>, quality`` as CSV; unseen samples are empty."""
    import numpy as np
    import pandas as pd

    quality = np.full(len(signal), np.nan) if signal.quality is None else signal.quality
    table = pd.DataFrame(
        {
            "time_s": signal.times_s.round(6),
            signal.kind or "rppg": signal.samples,
            "quality": quality.round(4),
        }
    )
    return write_table(table, Path(path))
