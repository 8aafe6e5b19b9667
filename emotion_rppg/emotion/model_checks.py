"""Check an emotion model of unknown origin: its config.json, heads and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier

from emotion_rppg.emotion.calibration import PROBABILITIES
from emotion_rppg.emotion.design_matrix import token_groups
from emotion_rppg.errors import InputError
from emotion_rppg.runtime.config_checks import (
    Rule,
    check_entries,
    integer,
    mapping,
    number,
    one_of,
    or_null,
    people,
    text,
    texts,
)

if TYPE_CHECKING:
    from emotion_rppg.emotion.model import Model

MAX_TOKENS = 200_000  # beats in a row: a whole day of a fast heart
_DAY_S = 86_400.0
_RULES = {
    "targets": Rule(
        'a JSON object of names without "/", at least one',
        lambda value: isinstance(value, Mapping) and bool(value) and all(map(_is_name, value)),
    ),
    "features": texts(),
    "channels": or_null(texts(64)),
    "longest": integer(0, MAX_TOKENS),
    "lengths": Rule(
        "a list of at most 64 numbers of tokens",
        lambda value: (
            isinstance(value, list)
            and len(value) <= 64
            and all(type(n) is int and 0 <= n <= MAX_TOKENS for n in value)
        ),
        optional=True,
    ),
    "ranges": or_null(mapping()),
    "made_from": mapping(),
    "extraction": or_null(mapping()),
    "trained_on": people(unknown=False),
    "training": mapping(optional=True),
    "note": text(optional=True),
    "calibration_s": or_null(number(1, _DAY_S)),
    "probabilities": one_of(tuple(PROBABILITIES), optional=True),
}
_TARGET = {"classes": texts(1000), "coding": text()}
_MADE_FROM = {
    "method": text(),
    "source": text(),
    "network": text(optional=True),
    "encoder": text(optional=True),
    "length_s": or_null(number(1e-3, _DAY_S)),
}


def check_config(config: Mapping[str, Any], where: str) -> None:
    """Check the entries of an emotion model's config.json; ``where`` names it in the message.

    Raises
    ------
    InputError
        Entries are missing, have another type or a size out of bounds: all of them.
    """
    check_entries(config, _RULES, where)
    check_entries(config["made_from"], _MADE_FROM, f"made_from in {where}")
    for name, facts in config["targets"].items():
        if not isinstance(facts, Mapping):
            raise InputError(f"{where} has no classes for the target {name!r}")
        check_entries(facts, _TARGET, f"target {name!r} in {where}")


def check_heads(model: Model, where: str) -> None:
    """Check that heads, features, classes and ranges belong together.

    Raises
    ------
    InputError
        A head takes another number of columns or gives other classes than config.json states; or
        the ranges are those of another number of features.
    """
    if model.ranges is not None:
        check_width(where, "ranges", len(model.ranges.low), len(model.names))
    if model.lengths and max(model.lengths) != model.longest:
        check_width(where, "the longest sequence", max(model.lengths), model.longest)
    groups = token_groups(model.channels or ())
    if model.lengths or {group.name for group in groups} - {"beats"}:
        check_width(where, "lengths", len(model.lengths), len(groups))
    channels = 0 if model.channels is None else len(model.channels)
    for target, head in model.heads.items():
        if model.channels is not None or not model.longest:
            width = len(model.names) + model.longest * channels
            check_width(where, f"the head of {target!r}", _columns_of(head, width), width)
        classes = model.classes[target]
        if is_classifier(head) is not bool(classes) or not _fit(classes, head):
            raise InputError(
                f"{where} has the classes {', '.join(classes) or '(a number)'} for {target!r}, "
                "which are not those of its head: copy the model folder again"
            )


def check_width(where: str, what: str, found: int, wanted: int) -> None:
    """Compare the columns of a part of the model with those that config.json lists."""
    if found != wanted:
        raise InputError(
            f"{where} lists {wanted} columns, and {what} has {found}: copy the model folder again"
        )


def finite(values: np.ndarray, target: str) -> np.ndarray:
    """Return the numbers that a head gives.

    Raises
    ------
    InputError
        A number is not finite.
    """
    if not np.isfinite(values).all():
        raise InputError(
            f"the head of {target!r} gives numbers that are not finite: its weights are damaged; "
            "copy the model folder or fit the model again"
        )
    return values


def _is_name(name: str) -> bool:
    return bool(name) and not set(name) & set("/\\\0") and not name.startswith(".")


def _columns_of(head: Any, default: int) -> int:
    try:
        return int(getattr(head, "n_features_in_", default))
    except AttributeError:  # a property of an unfitted part
        return default


def _fit(classes: tuple[str, ...], head: Any) -> bool:
    """Tell whether the class numbers of a head are places in the list of names."""
    if not classes:
        return True
    numbers = np.asarray(getattr(head, "classes_", ()))
    if numbers.dtype.kind not in "iuf" or not len(numbers):
        return False
    return bool(np.all((numbers >= 0) & (numbers < len(classes)) & (numbers % 1 == 0)))
