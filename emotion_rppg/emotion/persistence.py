"""Save and load fitted heads, in files that cannot run code.

A head has two files: ``NAME.json`` (its type, and the digest of the other file) and either
``NAME.safetensors`` (weights of a deep head, whose parameters are in the JSON) or ``NAME.skops`` (a
classic head). A skops file may only name types of a fixed list, those below and those in the tables
of heads. The file itself cannot extend this list: one that names any other type is rejected.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from emotion_rppg.emotion.deep.estimator import (
    MultiTaskHead,
    MultiTaskRegressor,
    SequenceHead,
    SequenceRegressor,
)
from emotion_rppg.emotion.deep.net import SequenceNet
from emotion_rppg.emotion.heads import own_classes
from emotion_rppg.errors import InputError
from emotion_rppg.runtime.atomic_files import atomic_file, write_json
from emotion_rppg.runtime.config_checks import (
    MAX_NAMES,
    MAX_OPTION,
    check_entries,
    integer,
    network_options,
    number,
    or_null,
)
from emotion_rppg.runtime.json_text import parse_json

DEEP: dict[str, type[Any]] = {
    "SequenceHead": SequenceHead,
    "SequenceRegressor": SequenceRegressor,
    "MultiTaskHead": MultiTaskHead,
    "MultiTaskRegressor": MultiTaskRegressor,
}
MAX_COLUMNS = 1_000_000  # of a head's input: features, and tokens times their channels
MAX_UNPACKED = 2 * 10**9  # bytes of a skops file's arrays
_FITTED: tuple[str, ...] = ("n_features_in_", "n_outputs_", "n_epochs_", "pretrained_")
_FITTED += ("classes_", "mean_", "scale_", "factor_")
_RULES = {  # sizes that a deep head's JSON may state
    "parameters": {
        "n_features": or_null(integer(0, MAX_NAMES)),
        "n_token_channels": integer(0, 64, optional=True),
        "hidden": integer(1, MAX_OPTION, optional=True),
        "layers": integer(1, 32, optional=True),
    },
    "fitted": {
        "n_features_in_": integer(0, MAX_COLUMNS),
        "n_outputs_": integer(1, MAX_OPTION),
        "pretrained_": or_null(network_options()),
        "factor_": number(1e-9, 1e9, optional=True),
        "mean_": number(-1e12, 1e12, optional=True),
        "scale_": number(0, 1e12, optional=True),
    },
}
_WEIGHTS = ("coef_", "intercept_", "dual_coef_", "support_vectors_", "theta_", "beta_")
# In addition to the types of scikit-learn and NumPy that skops itself trusts.
TRUSTED = (
    # a deep head within another head: stored as arrays
    *(f"emotion_rppg.emotion.deep.estimator.{name}" for name in DEEP),
    "emotion_rppg.emotion.ensemble.Average",
    "emotion_rppg.emotion.wrappers.Calibrated",
    "emotion_rppg.emotion.wrappers.EqualPriors",
    "emotion_rppg.emotion.wrappers.OnFeatures",
    "emotion_rppg.emotion.calibration.Platt",
    "emotion_rppg.emotion.nested_selection.Selected",
    "sklearn.calibration._CalibratedClassifier",  # a head with its calibrator
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "numpy.dtype",  # stored by SimpleImputer; it only names a number type
    # compiled code follows the indices in the next two: they are checked after loading
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)


def has_network(head: Any) -> bool:
    """Tell whether an estimator is or contains a deep head, which is slow to fit."""
    return any(isinstance(part, SequenceNet) for part in (head, *head.get_params().values()))


def _deep_types() -> dict[str, type[Any]]:
    """List the deep heads that can be loaded, by name: those above and those in the tables."""
    own = {name: cls for name, cls in own_classes().items() if issubclass(cls, SequenceNet)}
    return DEEP | own


def _trusted_types() -> list[str]:
    """List the types that a skops file may name: those above and those in the tables of heads."""
    own = [f"{cls.__module__}.{cls.__qualname__}" for cls in own_classes().values()]
    return sorted({*TRUSTED, *own})


def save_head(head: Any, folder: str | Path, name: str) -> None:
    """Write a fitted head as ``folder/name.json`` and a file with its fitted values beside it.

    Raises
    ------
    InputError
        The head contains a type that `load_head` would reject.
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
    """Load a head that `save_head` wrote; it predicts exactly as before.

    Raises
    ------
    InputError
        Missing or damaged files; a file that names a type outside the fixed list.
    """
    path = Path(folder) / f"{name}.json"
    try:
        facts = parse_json(path.read_text(encoding="utf-8"))
        kind, file, digest = facts["type"], Path(folder) / Path(facts["file"]).name, facts["sha256"]
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing: the model folder is incomplete") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); copy the model folder again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{file} is damaged or was replaced; copy the model folder again")
    if file.suffix != ".safetensors":
        return _read_skops(content, file)
    try:
        return _rebuilt(_deep_types()[kind], facts, content, str(file))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path} is damaged ({error}); copy the model folder again") from error


def _described(head: Any) -> dict[str, Any]:
    """Describe a deep head without its weights, as values for a JSON file."""
    fitted = {name: getattr(head, name) for name in _FITTED if hasattr(head, name)}
    if "classes_" in fitted:
        fitted["classes_"] = fitted["classes_"].tolist()
    # the weights include those of a pretrained encoder: the path of its folder is not needed
    return {"parameters": {**head.get_params(), "encoder": None}, "fitted": fitted}


def _rebuilt(kind: type[Any], facts: dict[str, Any], content: bytes, where: str) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load

    for part, rules in _RULES.items():
        if not isinstance(facts.get(part), dict):
            raise InputError(f"the description of {where} lacks {part}; copy the folder again")
        check_entries(facts[part], rules, f"the description of {where}")
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
            "that can be loaded; use an estimator of scikit-learn"
        )
    return content


def _read_skops(content: bytes, file: Path) -> Any:
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise InputError(
                f"{file} unpacks to {unpacked / 1e9:.1f} GB, want at most {MAX_UNPACKED / 1e9:g} GB"
            )
        with warnings.catch_warnings():  # of another version of scikit-learn: it is checked below
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            head = skops.io.loads(content, trusted=_trusted_types())
    except UntrustedTypesFoundException as error:
        raise InputError(
            f"{file} names types that no head of this version has, so it was not loaded ({error}): "
            "if an earlier version saved it, fit the model again"
        ) from error
    except InputError:
        raise
    except Exception as error:  # a damaged archive may raise anything in skops
        raise InputError(f"{file} is damaged ({error}); copy the model folder again") from error
    from sklearn.tree._tree import Tree

    sound = all(_is_sound(part) for part in _parts(head) if isinstance(part, Tree))
    boosted = (part for part in _parts(head) if hasattr(part, "_predictors"))
    if not (sound and all(_boosting_is_sound(part) for part in boosted)):
        raise InputError(
            f"{file} contains a decision tree with invalid indices, which this package cannot have "
            "written: copy the model folder again"
        )
    if not all(_is_finite(getattr(part, name, 0)) for part in _parts(head) for name in _WEIGHTS):
        raise InputError(
            f"{file} contains weights that are not finite numbers: copy or fit the model again"
        )
    return head


def _is_finite(values: Any) -> bool:
    """Check an array of weights; parameters of the same name that are no numbers pass."""
    if not isinstance(values, np.ndarray | float) or np.asarray(values).dtype.kind != "f":
        return True
    return bool(np.isfinite(values).all())


def _parts(part: Any) -> Iterator[Any]:
    """Iterate over an estimator and all its parts, itself first."""
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


def _boosting_is_sound(head: Any) -> bool:
    """Check the trees of histogram gradient boosting as `_is_sound`; none splits categories."""
    for tree in (tree for iteration in head._predictors for tree in iteration):
        nodes, index = tree.nodes, np.arange(len(tree.nodes))
        inner = nodes["is_leaf"] == 0
        inside = (nodes["left"] > index) & (nodes["left"] < len(nodes))
        inside &= (nodes["right"] > index) & (nodes["right"] < len(nodes))
        inside &= (nodes["feature_idx"] >= 0) & (nodes["feature_idx"] < head.n_features_in_)
        if nodes["is_categorical"].any() or not len(nodes) or not np.all(inside[inner]):
            return False
    return True


def _is_sound(tree: Any) -> bool:
    """Check that each index of a tree points forward and inside; compiled code does not check."""
    nodes = np.arange(tree.node_count)
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    inside = (left > nodes) & (left < len(nodes)) & (right > nodes) & (right < len(nodes))
    column = (tree.feature >= 0) & (tree.feature < tree.n_features)
    return bool(np.all(inside[inner] & column[inner]))
