"""Fitted heads on disk, in files that cannot run code.

A head is two files: ``NAME.json`` (what it is, and the digest of the other) and either
``NAME.safetensors`` (numbers of a deep head, whose parameters stand in the JSON) or ``NAME.skops``
(a classic head). A skops file is read with a list of types that it has no part in, those below and
those that the tables of heads are made of: what else it names is refused, never approved.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.emotion import own_classes
from emotion_rppg.emotion.deep.estimator import (
    MultiTaskHead,
    MultiTaskRegressor,
    SequenceHead,
    SequenceRegressor,
)
from emotion_rppg.emotion.deep.net import SequenceNet
from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import atomic_file, write_json

DEEP: dict[str, type[Any]] = {
    "SequenceHead": SequenceHead,
    "SequenceRegressor": SequenceRegressor,
    "MultiTaskHead": MultiTaskHead,
    "MultiTaskRegressor": MultiTaskRegressor,
}
_FITTED: tuple[str, ...] = ("n_features_in_", "n_outputs_", "n_epochs_", "pretrained_")
_FITTED += ("classes_", "mean_", "scale_", "factor_")
# Beside scikit-learn's own estimators and NumPy's arrays, which skops knows to be harmless.
TRUSTED = (
    # a deep head within another one: its arrays alone
    *(f"emotion_rppg.emotion.deep.estimator.{name}" for name in DEEP),
    "emotion_rppg.emotion.ensemble.Average",
    "emotion_rppg.emotion.wrappers.Calibrated",
    "emotion_rppg.emotion.wrappers.EqualPriors",
    "emotion_rppg.emotion.wrappers.OnFeatures",
    "emotion_rppg.emotion.calibration.Platt",
    "emotion_rppg.emotion.nested_selection.Selected",
    "sklearn.calibration._CalibratedClassifier",  # the calibration and the head it belongs to
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "numpy.dtype",  # SimpleImputer remembers one; it only names a kind of number
    # the next two are arrays walked by index: the indices are checked after loading
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)


def has_network(head: Any) -> bool:
    """Whether an estimator is a deep head or is made of one: slow to fit."""
    return any(isinstance(part, SequenceNet) for part in (head, *head.get_params().values()))


def _deep_types() -> dict[str, type[Any]]:
    """The deep heads that are read back, by name: those above and those of the tables."""
    own = {n: each for n, each in own_classes().items() if issubclass(each, SequenceNet)}
    return DEEP | own


def _trusted_types() -> list[str]:
    """Types that a skops file may name: those above and those that the tables' heads have."""
    own = [f"{each.__module__}.{each.__qualname__}" for each in own_classes().values()]
    return sorted({*TRUSTED, *own})


def save_head(head: Any, folder: str | Path, name: str) -> None:
    """Write a fitted head as ``folder/name.json`` and its numbers beside it.

    Raises
    ------
    InputError
        A head of a type that could not be read back.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"kind": "head", "type": type(head).__name__}
    if facts["type"] in _deep_types():
        from safetensors.torch import save

        content = save({k: v.contiguous() for k, v in head.module_.state_dict().items()})
        facts |= {"file": f"{name}.safetensors", **_described(head)}
    else:
        content = _skops(head)
        facts |= {"file": f"{name}.skops"}
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    with atomic_file(folder / facts["file"]) as fresh:
        fresh.write_bytes(content)
    write_json(folder / f"{name}.json", facts)


def load_head(folder: str | Path, name: str) -> Any:
    """Read a head that `save_head` wrote; it predicts as before.

    Raises
    ------
    InputError
        Missing or damaged files; a file that names a type beyond the fixed list.
    """
    path = Path(folder) / f"{name}.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        kind, file, digest = facts["type"], Path(folder) / Path(facts["file"]).name, facts["sha256"]
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing: the model folder is incomplete") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); copy the model folder again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{file} is damaged or was exchanged; copy the model folder again")
    if file.suffix != ".safetensors":
        return _read_skops(content, file)
    try:
        return _rebuilt(_deep_types()[kind], facts, content, str(file))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} is damaged ({error}); copy the model folder again") from error


def _described(head: Any) -> dict[str, Any]:
    """What a deep head is beside its numbers, in JSON's terms."""
    fitted = {name: getattr(head, name) for name in _FITTED if hasattr(head, name)}
    if "classes_" in fitted:
        fitted["classes_"] = fitted["classes_"].tolist()
    # the encoder it began with is in the numbers now; where that lay is of no use to others
    return {"parameters": {**head.get_params(), "encoder": None}, "fitted": fitted}


def _rebuilt(kind: type[Any], facts: dict[str, Any], content: bytes, where: str) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load

    head, fitted = kind(**facts["parameters"]), facts["fitted"]
    for attribute in _FITTED:
        if attribute in fitted:
            setattr(head, attribute, fitted[attribute])
    if issubclass(kind, SequenceHead):
        head.classes_, head.factor_ = np.array(head.classes_), fitted.get("factor_", 1.0)
    try:
        head.restore(load(content), where)
    except SafetensorError as error:
        raise InputError(f"{where} is damaged ({error}); copy the model folder again") from error
    return head


def _skops(head: Any) -> bytes:
    import skops.io

    content = skops.io.dumps(head, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    unknown = sorted(set(skops.io.get_untrusted_types(data=content)) - set(_trusted_types()))
    if unknown:
        raise InputError(
            f"{type(head).__name__} cannot be saved: {', '.join(unknown)} is not among the types "
            "that are read back; use one of scikit-learn's own estimators"
        )
    return content


def _read_skops(content: bytes, file: Path) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        head = skops.io.loads(content, trusted=_trusted_types())
    except UntrustedTypesFoundException as error:
        raise InputError(
            f"{file} names types that no head of this version has, so it was not opened ({error}): "
            "fit the model again, if an earlier version saved it"
        ) from error
    except Exception as error:  # whatever a garbled archive makes skops stumble over
        raise InputError(f"{file} is damaged ({error}); copy the model folder again") from error
    from sklearn.tree._tree import Tree

    sound = all(_sound(part) for part in _parts(head) if isinstance(part, Tree))
    boosted = (part for part in _parts(head) if hasattr(part, "_predictors"))
    if not (sound and all(_sound_boosting(part) for part in boosted)):
        raise InputError(f"{file} holds a decision tree that leads nowhere: it was not made by us")
    return head


def _parts(part: Any) -> Iterator[Any]:
    """Everything that an estimator is made of, itself first."""
    from sklearn.base import BaseEstimator
    from sklearn.calibration import _CalibratedClassifier

    yield part
    inside: Any = ()
    if isinstance(part, BaseEstimator | _CalibratedClassifier):
        inside = list(vars(part).values())
    elif isinstance(part, list | tuple):
        inside = part
    elif isinstance(part, np.ndarray) and part.dtype == object:
        inside = part.ravel().tolist()
    for item in inside:
        yield from _parts(item)


def _sound_boosting(head: Any) -> bool:
    """As :func:`_sound`, of the trees of histogram gradient boosting; none splits categories."""
    for tree in (tree for each in head._predictors for tree in each):
        nodes, place = tree.nodes, np.arange(len(tree.nodes))
        inner = nodes["is_leaf"] == 0
        inside = (nodes["left"] > place) & (nodes["left"] < len(nodes))
        inside &= (nodes["right"] > place) & (nodes["right"] < len(nodes))
        inside &= (nodes["feature_idx"] >= 0) & (nodes["feature_idx"] < head.n_features_in_)
        if nodes["is_categorical"].any() or not len(nodes) or not np.all(inside[inner]):
            return False
    return True


def _sound(tree: Any) -> bool:
    """Compiled code follows a tree's indices unchecked: each must lead forward and stay inside."""
    nodes = np.arange(tree.node_count)
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    inside = (left > nodes) & (left < len(nodes)) & (right > nodes) & (right < len(nodes))
    column = (tree.feature >= 0) & (tree.feature < tree.n_features)
    return bool(np.all(inside[inner] & column[inner]))
