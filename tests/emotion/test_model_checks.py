"""Emotion models from strangers: a folder that cannot be right is refused in one sentence."""

import hashlib
import json
import math
import shutil
import zipfile

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from emotion_rppg import load
from emotion_rppg.emotion import persistence
from emotion_rppg.emotion.deep.net import SequenceNet
from emotion_rppg.emotion.model import BUNDLED, Model
from emotion_rppg.emotion.model_checks import check_heads, finite
from emotion_rppg.emotion.persistence import load_head, save_head
from emotion_rppg.errors import InputError

CONFIG = json.loads((BUNDLED["stress"] / "config.json").read_text())
CLASSES = {"classes": ["low", "high"], "coding": "a rule"}
FAULTS = [
    ("targets", {}),
    ("targets", {"../../x": CLASSES}),
    ("targets", {"stress": {"classes": [1, 2], "coding": "a rule"}}),
    ("targets", {"stress": 3}),
    ("features", "hr_bpm"),
    ("features", ["hr_bpm", "hr_bpm"]),
    ("channels", [f"c{k}" for k in range(1000)]),
    ("longest", 10**9),
    ("longest", -1),
    ("made_from", {}),
    ("made_from", CONFIG["made_from"] | {"length_s": "x"}),
    ("made_from", CONFIG["made_from"] | {"length_s": math.nan}),
    ("trained_on", {"a": 5}),
    ("trained_on", "unknown"),
    ("note", 5),
    ("calibration_s", -1),
    ("probabilities", "other"),
    ("ranges", []),
    ("extraction", []),
]


def changed(folder, **changes):
    """Copy the bundled model with another config.json."""
    shutil.copytree(BUNDLED["stress"], folder)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder


@pytest.mark.parametrize(("name", "value"), FAULTS)
def test_an_absurd_entry_is_refused_before_a_head_is_read(name, value, tmp_path, monkeypatch):
    monkeypatch.setattr(persistence, "load_head", None)
    with pytest.raises(InputError, match=r"config\.json in .* (cannot be used|has no classes)"):
        load(changed(tmp_path / "model", **{name: value}))


@pytest.mark.slow
def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    faults = {
        "features": CONFIG["features"][:5],
        "longest": CONFIG["longest"] + 1,
        "targets": {"stress": {"classes": ["low"], "coding": ""}},
        "ranges": {"low": [1], "middle": [1], "high": [1], "positive": [True], "limit": 1},
    }
    for name, value in faults.items():
        with pytest.raises(InputError, match="copy the model folder again"):
            load(changed(tmp_path / name, **{name: value}))
    limit = CONFIG["ranges"] | {"limit": math.nan}
    with pytest.raises(InputError, match="limit"):
        load(changed(tmp_path / "limit", ranges=limit))


def model_of(head, classes):
    return Model(
        **{"heads": {"a": head}, "classes": {"a": classes}, "codings": {"a": ""}},
        **{"names": ("x",), "longest": 0, "made_from": {}, "trained_on": {}},
    )


def test_a_classifier_needs_its_classes_and_a_regressor_none():
    X, y = np.arange(6.0)[:, None], np.array([0, 1] * 3)
    classifier, regressor = LogisticRegression().fit(X, y), DummyRegressor().fit(X, y)
    check_heads(model_of(classifier, ("low", "high")), "m")
    check_heads(model_of(regressor, ()), "m")
    for head, classes in ((classifier, ()), (classifier, ("low",)), (regressor, ("low", "high"))):
        with pytest.raises(InputError, match="not those of its head"):
            check_heads(model_of(head, classes), "m")


def test_weights_and_predictions_that_are_not_finite_are_refused(tmp_path):
    head = Ridge().fit(np.arange(6.0)[:, None], np.arange(6.0))
    head.coef_ = np.array([np.nan])
    save_head(head, tmp_path, "a")
    with pytest.raises(InputError, match="weights that are not finite"):
        load_head(tmp_path, "a")
    with pytest.raises(InputError, match="numbers that are not finite"):
        finite(np.array([0.5, np.nan]), "a")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    save_head(Ridge().fit(np.zeros((2, 1)), [0, 1]), tmp_path, "a")
    file = tmp_path / "a.skops"
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(10**6))
    facts = json.loads((tmp_path / "a.json").read_text())
    facts["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "a.json").write_text(json.dumps(facts))
    monkeypatch.setattr(persistence, "MAX_UNPACKED", 10**5)
    with pytest.raises(InputError, match="unpacks to"):
        load_head(tmp_path, "a")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("parameters", "hidden", 10**6),
        ("parameters", "layers", 10**6),
        ("fitted", "n_outputs_", 10**9),
        ("fitted", "n_features_in_", -1),
        ("fitted", "pretrained_", {"channels": 10**9}),
        ("fitted", "factor_", math.nan),
    ],
)
def test_a_deep_head_of_absurd_size_is_not_built(part, name, value, tmp_path, monkeypatch):
    fitted = {"n_features_in_": 1, "n_outputs_": 2, "pretrained_": {}, "classes_": [0, 1]}
    facts = {"kind": "head", "type": "SequenceHead", "file": "a.safetensors"}
    facts |= {"parameters": {}, "fitted": fitted, "sha256": hashlib.sha256(b"x").hexdigest()}
    facts[part] = facts[part] | {name: value}
    (tmp_path / "a.json").write_text(json.dumps(facts))
    (tmp_path / "a.safetensors").write_bytes(b"x")
    monkeypatch.setattr(SequenceNet, "build", None)
    with pytest.raises(InputError, match=f"has {name}"):
        load_head(tmp_path, "a")
