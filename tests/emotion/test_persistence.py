"""Saved heads predict as before; a damaged or hostile file is rejected."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from emotion_rppg.emotion import HEADS, HEADS_REGRESSION
from emotion_rppg.emotion.calibration import Platt
from emotion_rppg.emotion.persistence import load_head, save_head
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError

ALL = {**HEADS, **{f"{name} of a number": head for name, head in HEADS_REGRESSION.items()}}
FEATURES, CHANNELS = 4, 2


def fitted(name, *, words=False):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, FEATURES + 5 * CHANNELS))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (rng.random(50) < 0.5).astype(int)
    layout = {
        "n_features": FEATURES,
        "n_token_channels": CHANNELS,
        "max_epochs": 3,
        "n_estimators": 10,
    }
    head = clone(ALL[name])
    head.set_params(
        **{k: layout[v] for k in head.get_params() if (v := k.rpartition("__")[2]) in layout}
    )
    return head.fit(X, np.array(["low", "high"])[y] if words else y), X


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"), [*((name, False) for name in ALL), *((name, True) for name in HEADS)]
)
def test_a_head_predicts_the_same_after_a_round_trip(tmp_path, name, words):
    head, X = fitted(name, words=words)
    save_head(head, tmp_path, "arousal")
    again = load_head(tmp_path, "arousal")
    assert type(again) is type(head)
    np.testing.assert_array_equal(again.predict(X), head.predict(X))
    if hasattr(head, "predict_proba"):
        np.testing.assert_array_equal(again.predict_proba(X), head.predict_proba(X))
        assert again.classes_.tolist() == head.classes_.tolist()
    assert repr(again.get_params()) == repr(head.get_params())


def test_heads_of_several_targets_share_a_folder(tmp_path):
    for target, name in (("arousal", "logistic"), ("valence", "lstm")):
        save_head(fitted(name)[0], tmp_path, target)
    assert type(load_head(tmp_path, "arousal")).__name__ == "OnFeatures"
    assert type(load_head(tmp_path, "valence")).__name__ == "SequenceHead"


@pytest.mark.parametrize("name", ["logistic", "lstm"])
def test_a_flipped_byte_is_detected_anywhere(tmp_path, name):
    save_head(fitted(name)[0], tmp_path, "arousal")
    file = next(p for p in tmp_path.iterdir() if p.suffix != ".json")
    whole = file.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 20).astype(int):
        broken = bytearray(whole)
        broken[place] ^= 1
        file.write_bytes(bytes(broken))
        with pytest.raises(InputError, match="damaged"):
            load_head(tmp_path, "arousal")


def plant(folder, content, *, suffix=".skops", **facts):
    """A file with a digest that fits: whoever plants one can count."""
    (folder / f"x{suffix}").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    facts = {"kind": "head", "type": "OnFeatures", "file": f"x{suffix}", "sha256": digest, **facts}
    (folder / "x.json").write_text(json.dumps(facts))


def test_a_file_that_names_a_command_is_rejected_before_loading(tmp_path):
    mark = tmp_path / "was-run"
    for hostile in (
        FunctionTransformer(func=os.system),
        OnFeatures(FunctionTransformer(func=os.remove)),
        Commanding(str(mark)),
    ):
        plant(tmp_path, skops.io.dumps(hostile))
        with pytest.raises(InputError, match="not loaded"):
            load_head(tmp_path, "x")
    assert not mark.exists()


class Commanding:
    """An object whose mere construction from a file would do something."""

    def __init__(self, mark):
        self.mark = mark

    def __setstate__(self, state):
        open(state["mark"], "w").close()


def test_a_pickle_is_rejected(tmp_path):
    import pickle

    plant(tmp_path, pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="damaged"):
        load_head(tmp_path, "x")


@pytest.mark.parametrize(("wrong", "inside"), [(-5, False), (10**6, False), (0, False), (0, True)])
def test_a_tree_with_invalid_indices_is_rejected(tmp_path, wrong, inside):
    """Compiled code would follow the index into memory that is not the tree's, or for ever."""
    head, X = fitted("forest")
    if inside:
        whole = Platt(HEADS["forest"], folds=2).set_params(estimator__estimator__n_estimators=2)
        whole.fit(X, np.arange(50) % 2)
        head = whole.estimator_.calibrated_classifiers_[0].estimator
    tree = head.pipeline_[-1].estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"]["right_child"][0] = wrong
    tree.__setstate__(state)
    plant(tmp_path, skops.io.dumps(whole if inside else head))
    with pytest.raises(InputError, match="invalid indices"):
        load_head(tmp_path, "x")


@pytest.mark.parametrize(("field", "wrong"), [("left", 10**6), ("right", 0), ("feature_idx", 99)])
def test_a_boosted_tree_with_invalid_indices_is_rejected(tmp_path, field, wrong):
    head, _ = fitted("boosting")
    nodes = head.pipeline_[-1]._predictors[0][0].nodes
    assert nodes["is_leaf"][0] == 0
    nodes[field][0] = wrong
    plant(tmp_path, skops.io.dumps(head))
    with pytest.raises(InputError, match="invalid indices"):
        load_head(tmp_path, "x")


def test_a_head_that_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="cannot be saved"):
        save_head(OnFeatures(FunctionTransformer(func=os.getcwd)), tmp_path, "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.pop("sha256"),
        lambda facts: facts.update(type="Popen"),
        lambda facts: facts["parameters"].update(cell="transformer"),
        lambda facts: facts["parameters"].update(hidden=5),
        lambda facts: facts["parameters"].update(unheard_of=5),
        lambda facts: facts["fitted"].update(n_features_in_=3),
        lambda facts: facts["fitted"].pop("classes_"),
        lambda facts: facts.pop("parameters"),
    ],
)
def test_parameters_that_do_not_fit_are_rejected(tmp_path, change):
    save_head(fitted("lstm")[0], tmp_path, "arousal")
    path = tmp_path / "arousal.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError):
        load_head(tmp_path, "arousal")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"arousal\.json is missing"):
        load_head(tmp_path, "arousal")
    save_head(fitted("lstm")[0], tmp_path, "arousal")
    (tmp_path / "arousal.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors is missing"):
        load_head(tmp_path, "arousal")
    (tmp_path / "arousal.json").write_text("[1")
    with pytest.raises(InputError, match="damaged"):
        load_head(tmp_path, "arousal")


def test_the_files_named_inside_stay_inside_the_folder(tmp_path):
    inner = tmp_path / "model"
    inner.mkdir()
    save_head(fitted("lstm")[0], tmp_path, "x")
    facts = json.loads((tmp_path / "x.json").read_text())
    facts["file"] = "../x.safetensors"
    (inner / "x.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="missing"):
        load_head(inner, "x")


@pytest.mark.slow
def test_a_stored_head_predicts_without_the_trainers(tmp_path):
    """Lightning Fabric, skorch and NeuroKit2 take seconds to import and are for training alone."""
    for name in HEADS:
        save_head(fitted(name)[0], tmp_path, name)
    width = FEATURES + 5 * CHANNELS
    script = (
        "import sys, numpy as np\n"
        "from emotion_rppg.emotion.persistence import load_head\n"
        f"for name in {list(HEADS)}:\n"
        f"    load_head({str(tmp_path)!r}, name).predict_proba(np.zeros((3, {width})))\n"
        "trainers = {'lightning_fabric', 'lightning', 'skorch', 'neurokit2'}\n"
        "print(*trainers & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
