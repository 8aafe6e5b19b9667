"""How a feature table was made from recordings: a value that travels with the table and the model.

In memory it lies in ``table.attrs["extraction"]`` as plain JSON, on disk in the Parquet schema or
in ``TABLE.extraction.json`` beside a CSV (`emotion_rppg.runtime.tables`), and in a model's
config.json.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_log = logging.getLogger(__name__)
ATTRIBUTE = "extraction"  # of DataFrame.attrs; a list where tables of different ones were joined
_NOT_STORED = "not_stored"
_CAMERA = ("method", "weights", "region", "face")  # used where a video is read
# Which person or column of a file: it names a place in that file, not a way to read it
_PLACES = ("face", "channel")
_NUMBER, _TEXT, _NONE = (int, float), (str,), (type(None),)
_TYPES: dict[str, tuple[type, ...]] = {
    "method": (str, dict),
    "source": _TEXT,
    "weights": (*_TEXT, *_NONE),
    "region": _TEXT,
    "face": (int, *_NONE),
    "channel": (*_TEXT, *_NONE),
    "length_s": (*_NUMBER, *_NONE),
    "step_s": (*_NUMBER, *_NONE),
    "families": (list,),
    "baseline": (*_NUMBER, *_TEXT, *_NONE),
    "encoder": (str, dict, *_NONE),
    "min_quality": (*_NUMBER, *_NONE),
}


@dataclass(frozen=True)
class NotStored:
    """Stands for a function or an object of which only the name was stored."""

    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, rgb: np.ndarray, rate_hz: float) -> np.ndarray:
        raise InputError(self.refusal())

    def refusal(self) -> str:
        """Sentence that says why it cannot be used again and what to do."""
        return (
            f"the table was extracted with {self.name!r}, an object of Python, of which only the "
            "name is stored: extract the new recordings with it and give their table instead"
        )


@dataclass(frozen=True)
class Extraction:
    """How a feature table is extracted from recordings; the parameters are those of `extract`.

    Parameters
    ----------
    method : str, path or function
        How a video is read.
    source : str
        Which view of the heart is read: ``"auto"``, ``"rppg"``, ``"bvp"``, ``"ecg"`` or another
        name in ``KINDS``.
    weights : path, optional
        Folder of a trained pulse network.
    region, face :
        Where in the picture, and on whom (1 = the largest face).
    channel : str, optional
        Column or channel of a signal file with several.
    length_s, step_s : float or None
        Window length and step, s; None: the whole recording.
    families : sequence of str
        Feature families.
    baseline : str or float, optional
        Trial or first seconds that features are compared with.
    encoder : path or Pretrained, optional
        Encoder of the embeddings.
    min_quality : float, optional
        Quality below which a window is withheld; None: by the kind of its signal.

    Examples
    --------
    >>> Extraction(source="ECG", step_s=10).source
    'ecg'
    >>> Extraction.from_dict(Extraction(length_s=30).to_dict()) == Extraction(length_s=30)
    True
    """

    method: str | Path | Callable[..., np.ndarray] = "pos"
    source: str = "auto"
    weights: str | Path | None = None
    region: str = "face"
    face: int | None = None
    channel: str | None = None
    length_s: float | None = 60.0
    step_s: float | None = 30.0
    families: Sequence[str] = ("hrv", "sequence")
    baseline: str | float | None = None
    encoder: Any = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.families, str):
            raise InputError(
                f"families is a list of names, got {self.families!r}: write ({self.families!r},)"
            )
        tidy: dict[str, Any] = {
            "source": self.source.lower(),
            "families": tuple(name.lower() for name in self.families),
        }
        for field in fields(self):
            value = tidy.setdefault(field.name, getattr(self, field.name))
            if isinstance(value, Path):
                value = str(value)
            elif isinstance(value, Real) and field.name == "face":
                value = int(value) if isinstance(value, Integral) else value
            elif isinstance(value, Real) and not isinstance(value, bool):
                value = float(value)
            object.__setattr__(self, field.name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; of a function or an encoder in memory the name alone."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Extraction:
        """Read what `to_dict` gave.

        Raises
        ------
        InputError
            Unknown fields, or values of a wrong type: all of them in one message.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"an extraction is a JSON object, got {type(content).__name__}")
        faults = [f"unknown field {name!r}" for name in content if name not in _TYPES]
        faults += [
            f"{name} is {value!r}"
            for name, value in content.items()
            if name in _TYPES and not _fits(name, value)
        ]
        if faults:
            raise InputError(
                f"the record of an extraction cannot be used ({'; '.join(faults)}): it is damaged, "
                "or a later version of emotion_rppg wrote it"
            )
        return cls(**{name: _revived(value) for name, value in content.items()})

    def differences(self, other: Extraction) -> dict[str, str]:
        """Fields in which two differ, with both values: ``{"step_s": "10.0, 30.0"}``."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {n: f"{mine[n]!r}, {theirs[n]!r}" for n in mine if mine[n] != theirs[n]}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return {_NOT_STORED: getattr(value, "__name__", type(value).__name__)}


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, _TYPES[name]):
        return False
    if isinstance(value, dict):
        return list(value) == [_NOT_STORED] and isinstance(value[_NOT_STORED], str)
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)


def _revived(value: Any) -> Any:
    return NotStored(value[_NOT_STORED]) if isinstance(value, dict) else value


def extraction_of(table: pd.DataFrame) -> Extraction | None:
    """How a feature table was extracted; None where the table does not carry it.

    Raises
    ------
    InputError
        Tables of different extractions were joined; the message lists the fields that matter.
    """
    kept, lost, ignored = reconciled(table)
    if lost:
        listed = "; ".join(f"{name}: {values}" for name, values in lost.items())
        raise InputError(
            f"the table is joined from tables that were extracted in different ways ({listed}): "
            "extract all recordings alike, or say how new ones are to be read: "
            "fit(…, extraction=…)"
        )
    if ignored:
        listed = "; ".join(f"{name}: {values}" for name, values in ignored.items())
        _log.warning(
            "the table is joined from tables whose extraction differs in what does not matter to "
            "its features (%s): new recordings are read with the defaults of these",
            listed,
        )
    return kept


def with_extraction(table: pd.DataFrame, extraction: Extraction) -> pd.DataFrame:
    """The table, carrying how it was extracted."""
    table = table.copy(deep=False)
    table.attrs = {**table.attrs, ATTRIBUTE: extraction.to_dict()}
    return table


def reconciled(
    table: pd.DataFrame,
) -> tuple[Extraction | None, dict[str, str], dict[str, str]]:
    """The extraction of a table, and the fields in which its parts differ: what matters, the rest.

    Fields that cannot matter to its rows become those of the default: ``face`` and ``channel``,
    which name a place in one file, and how a video is read where none was.
    """
    record = table.attrs.get(ATTRIBUTE)
    parts = record if isinstance(record, list) else [record]
    if record is None or not parts:
        return None, {}, {}
    first, *others = (Extraction.from_dict(part) for part in parts)
    camera = "method" not in table or bool((table["method"].fillna("") != "").any())
    harmless = _PLACES if camera else (*_PLACES, *_CAMERA)
    differing: dict[str, str] = {}
    for other in others:
        differing = first.differences(other) | differing
    matters = {name: values for name, values in differing.items() if name not in harmless}
    default = Extraction().to_dict()
    rest = {name: values for name, values in differing.items() if name in harmless}
    usual = {name: default[name] for name in rest}
    return Extraction.from_dict(first.to_dict() | usual), matters, rest


def keep_common(parts: Sequence[pd.DataFrame], whole: pd.DataFrame) -> pd.DataFrame:
    """Give a joined table the extractions of its parts; none where a part carries none."""
    found: list[Any] = []
    for part in parts:
        record = part.attrs.get(ATTRIBUTE)
        for each in record if isinstance(record, list) else [record]:
            if each not in found:
                found.append(each)
    whole.attrs.pop(ATTRIBUTE, None)
    if found and None not in found:
        whole.attrs[ATTRIBUTE] = found[0] if len(found) == 1 else found
    return whole
