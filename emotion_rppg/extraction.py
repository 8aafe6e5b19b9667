"""How a feature table was extracted from recordings: a value stored with the table and the model.

In memory it is ``table.attrs["extraction"]``, as plain JSON. On disk it is in the Parquet schema or
in ``TABLE.extraction.json`` beside a CSV (`emotion_rppg.runtime.tables`), and in the config.json of
a model.
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
ATTRIBUTE = "extraction"  # key in DataFrame.attrs; a list after tables with different ones joined
DEFAULT_METHOD = "physnet"  # of videos, everywhere; chosen by docs/real_faces.md
EVERYBODY = "all"  # as ``face``: every person in a video
_NOT_STORED = "not_stored"
_CAMERA_FIELDS = ("method", "weights", "region", "face")  # without effect where no video is read
_FILE_FIELDS = ("face", "channel")  # select a person or column of one file, not a processing option
_NUMBER, _TEXT, _NONE = (int, float), (str,), (type(None),)
_TYPES: dict[str, tuple[type, ...]] = {
    "method": (str, dict),
    "source": _TEXT,
    "weights": (*_TEXT, *_NONE),
    "region": _TEXT,
    "face": (int, *_TEXT, *_NONE),
    "channel": (*_TEXT, *_NONE),
    "length_s": (*_NUMBER, *_NONE),
    "step_s": (*_NUMBER, *_NONE),
    "families": (list,),
    "baseline": (*_NUMBER, *_TEXT, *_NONE),
    "encoder": (str, dict, *_NONE),
    "min_quality": (*_NUMBER, *_NONE),
    "events": (list, *_NONE),
    "before_s": _NUMBER,
    "after_s": _NUMBER,
    "edits": (bool,),
}


@dataclass(frozen=True)
class NotStored:
    """Placeholder for a function or object of which only the name was stored."""

    name: str

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, rgb: np.ndarray, rate_hz: float) -> np.ndarray:
        raise InputError(self.refusal())

    def refusal(self) -> str:
        """Explain why it cannot be used again and what to do, in one sentence."""
        return (
            f"the table was extracted with the Python object {self.name!r}, of which only the "
            "name is stored: extract the new recordings with it and give their table instead"
        )


@dataclass(frozen=True, repr=False)
class Extraction:
    """Options with which a feature table is extracted from recordings: those of `extract`.

    Parameters
    ----------
    method : str, path or function
        rPPG method for videos.
    source : str
        Signal to read: ``"auto"``, ``"rppg"``, ``"bvp"``, ``"ecg"``, ``"rr"`` or another name in
        ``KINDS``.
    weights : path, optional
        Folder of a trained pulse network.
    region : str
        Image region: ``"face"``, ``"full"`` or ``"x,y,w,h"`` in pixels.
    face : int or "all", optional
        Number of the face, 1 = the largest; ``"all"``: every person, with the column ``person``.
    channel : str, optional
        Column or channel to read of a signal file with several.
    length_s, step_s : float or None
        Window length and step, s; None: the whole recording.
    families : sequence of str
        Feature families.
    baseline : str or float, optional
        Trial, or first seconds of each recording, with which features are compared.
    encoder : path or Pretrained, optional
        Encoder of the embeddings.
    min_quality : float, optional
        Quality below which a window is withheld; None: the default of its signal kind.
    events : sequence of str, optional
        Kinds of event, or ``("all",)``: one window about each, in place of length and step.
    before_s, after_s : float
        Begin and end of that window, s before and after the onset.
    edits : bool
        Whether beats that a person corrected (``RECORDING.beats.json``) replace the detected ones.

    Examples
    --------
    >>> Extraction(source="ECG", step_s=10).source
    'ecg'
    >>> Extraction(method="chrom", length_s=30)
    Extraction(method='chrom', length_s=30.0)
    >>> Extraction.from_dict(Extraction(length_s=30).to_dict()) == Extraction(length_s=30)
    True
    """

    method: str | Path | Callable[..., np.ndarray] = DEFAULT_METHOD
    source: str = "auto"
    weights: str | Path | None = None
    region: str = "face"
    face: int | str | None = None
    channel: str | None = None
    length_s: float | None = 60.0
    step_s: float | None = 30.0
    families: Sequence[str] = ("hrv", "sequence")
    baseline: str | float | None = None
    encoder: Any = None
    min_quality: float | None = None
    events: Sequence[str] | None = None
    before_s: float = 10.0
    after_s: float = 30.0
    edits: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.families, str):
            raise InputError(
                f"families is a list of names, got {self.families!r}: write ({self.families!r},)"
            )
        if not isinstance(self.edits, bool):
            raise InputError(f"edits is True or False, got {self.edits!r}")
        if isinstance(self.face, str) and self.face.lower() != EVERYBODY:
            raise InputError(f"face is a number from 1 or {EVERYBODY!r}, got {self.face!r}")
        normalised: dict[str, Any] = {
            "source": self.source.lower(),
            "families": tuple(name.lower() for name in self.families),
        }
        if isinstance(self.face, str):
            normalised["face"] = EVERYBODY
        if self.events is not None:
            one = isinstance(self.events, str)
            normalised["events"] = (self.events,) if one else tuple(map(str, self.events))
        for field in fields(self):
            value = normalised.setdefault(field.name, getattr(self, field.name))
            if isinstance(value, Path):
                value = str(value)
            elif isinstance(value, Real) and field.name == "face":
                value = int(value) if isinstance(value, Integral) else value
            elif isinstance(value, Real) and not isinstance(value, bool):
                value = float(value)
            object.__setattr__(self, field.name, value)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON; a function or an encoder in memory becomes its name."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Extraction:
        """Make an extraction from the output of `to_dict`.

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
                "or a later version of emotion_rppg wrote it; extract the table again"
            )
        return cls(**{name: _from_plain(value) for name, value in content.items()})

    def differences(self, other: Extraction) -> dict[str, str]:
        """List the fields in which two differ, with both values: ``{"step_s": "10.0, 30.0"}``."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {n: f"{mine[n]!r}, {theirs[n]!r}" for n in mine if mine[n] != theirs[n]}

    def __repr__(self) -> str:
        values = self.to_dict()
        changed = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Extraction({', '.join(f'{name}={values[name]!r}' for name in changed)})"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return {_NOT_STORED: getattr(value, "__name__", type(value).__name__)}


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool) != (_TYPES[name] == (bool,)) or not isinstance(value, _TYPES[name]):
        return False
    if name == "face" and isinstance(value, str):
        return value == EVERYBODY
    if isinstance(value, dict):
        return list(value) == [_NOT_STORED] and isinstance(value[_NOT_STORED], str)
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)


def _from_plain(value: Any) -> Any:
    return NotStored(value[_NOT_STORED]) if isinstance(value, dict) else value


def extraction_of(table: pd.DataFrame) -> Extraction | None:
    """Look up how a feature table was extracted; None for a table without that record.

    Raises
    ------
    InputError
        The table is joined from tables with different extractions; the message lists the fields.
    """
    extraction, conflicts, ignored = _reconcile(table)
    if conflicts:
        raise InputError(
            "the table is joined from tables that were extracted in different ways "
            f"({_listed(conflicts)}): extract all recordings with the same options, or choose the "
            "options for new recordings with fit(…, extraction=…)"
        )
    if ignored:
        _log.warning(
            "the table is joined from tables that were extracted with different options, which do "
            "not affect its features (%s): new recordings are read with the defaults of these",
            _listed(ignored),
        )
    return extraction


def _listed(differences: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {values}" for name, values in differences.items())


def with_extraction(table: pd.DataFrame, extraction: Extraction) -> pd.DataFrame:
    """Return the table with the record of its extraction attached."""
    table = table.copy(deep=False)
    table.attrs = {**table.attrs, ATTRIBUTE: extraction.to_dict()}
    return table


def _reconcile(
    table: pd.DataFrame,
) -> tuple[Extraction | None, dict[str, str], dict[str, str]]:
    """Merge the extractions of the parts of a table.

    Fields that cannot affect the rows take their defaults: ``face`` and ``channel``, which select a
    person or column of one file, and the options for videos where no video was read.

    Returns
    -------
    extraction, conflicts, ignored
        Fields in which the parts differ, with both values: those that affect the rows, the others.
    """
    record = table.attrs.get(ATTRIBUTE)
    parts = record if isinstance(record, list) else [record]
    if record is None or not parts:
        return None, {}, {}
    first, *others = (Extraction.from_dict(part) for part in parts)
    camera = "method" not in table or bool((table["method"].fillna("") != "").any())
    no_effect = _FILE_FIELDS if camera else (*_FILE_FIELDS, *_CAMERA_FIELDS)
    differing: dict[str, str] = {}
    for other in others:
        differing = first.differences(other) | differing
    conflicts = {name: values for name, values in differing.items() if name not in no_effect}
    ignored = {name: values for name, values in differing.items() if name in no_effect}
    default = Extraction().to_dict()
    reset = {name: default[name] for name in ignored}
    return Extraction.from_dict(first.to_dict() | reset), conflicts, ignored


def merge_records(parts: Sequence[pd.DataFrame], joined: pd.DataFrame) -> pd.DataFrame:
    """Attach the extractions of its parts to a joined table; none if a part has no record."""
    distinct: list[Any] = []
    for part in parts:
        records = part.attrs.get(ATTRIBUTE)
        for record in records if isinstance(records, list) else [records]:
            if record not in distinct:
                distinct.append(record)
    joined.attrs.pop(ATTRIBUTE, None)
    if distinct and None not in distinct:
        joined.attrs[ATTRIBUTE] = distinct[0] if len(distinct) == 1 else distinct
    return joined
