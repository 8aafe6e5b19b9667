"""Platt scaling: fitted on held-out people, and named in every output."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from typer.testing import CliRunner

from emotion_rppg import evaluate, fit, metrics
from emotion_rppg.cli import app
from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.calibration import Platt
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.model import load_model
from emotion_rppg.emotion.nested_selection import Selected
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.statistics import summary
from emotion_rppg.report.evaluation import protocol
from emotion_rppg.runtime.tables import read_table, write_table

TREE = OnFeatures(DecisionTreeClassifier(random_state=0))  # overconfident


def windows(n=400, *, shift=1.0, seed=0):
    draw = np.random.default_rng(seed)
    y = draw.integers(0, 2, n)
    X = draw.normal(size=(n, 5))
    X[:, 0] += shift * y
    return X, y, np.arange(n) // 20


def study(n_people=6):
    draw = np.random.default_rng(1)
    rows = [
        {
            "dataset": "d",
            "subject": f"s{person}",
            "session": "1",
            "trial": str(trial),
            "start_s": 0.0,
            "duration_s": 60.0,
            "source": "bvp",
            "label_arousal": 2.0 + 6 * (trial % 2),
            "scale_arousal": "1..9",
            "hr_bpm": 60 + 5 * (trial % 2) + draw.normal(0, 5),
            "pulse_rise_ms": draw.normal(),
        }
        for person in range(n_people)
        for trial in range(12)
    ]
    return pd.DataFrame(rows)


def test_platt_scaling_corrects_overconfident_probabilities():
    X, y, people = windows()
    new, truth, _ = windows(seed=1)
    own = clone(TREE).fit(X, y).predict_proba(new)[:, 1]
    scaled = Platt(TREE).fit(X, y, groups=people).predict_proba(new)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    assert metrics.ece(truth, own) > 0.25
    assert metrics.ece(truth, scaled[:, 1]) < 0.1


def test_the_sigmoid_is_fitted_on_held_out_people():
    """A head that memorises people is always right for them and never for others."""
    people = np.arange(1200) // 20
    y = np.random.default_rng(0).integers(0, 2, 1200)
    turned = np.random.default_rng(1).integers(0, 2, 60)[people]
    X = np.column_stack([people + (y ^ turned) / 2, np.zeros(1200)])
    by_heart = OnFeatures(DecisionTreeClassifier(random_state=0))
    kept_whole = Platt(by_heart).fit(X, y, groups=people).predict_proba(X)
    mixed = Platt(by_heart).fit(X, y).predict_proba(X)
    assert np.abs(kept_whole - 0.5).mean() < 0.2
    assert np.abs(mixed - 0.5).mean() > 0.3


def test_platt_scaling_weighs_classes_equally():
    X, y, people = windows(shift=2.0)
    rare = np.flatnonzero((y == 0) | (np.arange(len(y)) % 8 == 0))
    predictions = Platt(HEADS["logistic"]).fit(X[rare], y[rare], groups=people[rare]).predict(X)
    assert np.mean(predictions[y == 1] == 1) > 0.6


def test_with_too_few_people_probabilities_stay_uncalibrated():
    X, y, _ = windows(40)
    own = clone(HEADS["logistic"]).fit(X, y).predict_proba(X)
    one = Platt(HEADS["logistic"]).fit(X, y, groups=np.zeros(40)).predict_proba(X)
    np.testing.assert_array_equal(own, one)


@pytest.mark.slow
def test_platt_scaling_wraps_a_selection_and_a_network():
    X, y, people = windows(120)
    candidates = [("a", HEADS["logistic"]), ("b", TREE)]
    fitted = Platt(Selected(candidates, folds=2), folds=2).fit(X, y, groups=people)
    assert fitted.chosen_ == "a"
    network = Platt(SequenceHead(max_epochs=2), folds=2).fit(X, y, groups=people)
    assert np.isfinite(network.predict_proba(X)).all()


@pytest.mark.slow
def test_an_evaluation_names_the_calibration_in_every_output():
    heads = {"tree": TREE}
    own, platt = (
        evaluate(study(), target="arousal", heads=heads, probabilities=name)
        for name in ("own", "platt")
    )
    assert own.settings.probabilities == "own"
    assert set(own.scores["probabilities"]) == {"own"}
    assert set(platt.summary()["probabilities"]) == {"platt"}
    assert platt.settings.heads["tree"].startswith("Platt(")
    assert any("Platt-scaled" in text for text in protocol(platt, study()).text)
    assert len(summary(pd.concat([own.scores, platt.scores]))) == 2 * len(own.summary())
    dummies = own.scores["head"] != "tree"
    before, after = own.scores["ece"], platt.scores["ece"]
    pd.testing.assert_series_equal(before[dummies], after[dummies])
    assert after[~dummies].mean() < before[~dummies].mean()


def test_a_saved_model_and_its_card_name_the_calibration(tmp_path):
    for head in ("logistic", SequenceHead(reads="features", max_epochs=2)):
        name = type(head).__name__
        model = fit(study(), target="arousal", head=head, probabilities="platt")
        model.save(tmp_path / name)
        again = load_model(tmp_path / name)
        pd.testing.assert_frame_equal(again.predict(study()), model.predict(study()))
        assert again.probabilities == "platt"
        assert "Probabilities: platt" in (tmp_path / name / "MODEL_CARD.md").read_text()


def test_probabilities_of_a_number_or_of_an_unknown_name_are_rejected():
    options = {"target": "arousal", "heads": "ridge", "coding": "as_is"}
    with pytest.raises(InputError, match="the target is a number"):
        evaluate(study(), **options, probabilities="platt")
    with pytest.raises(InputError, match="known: temperature, own, platt"):
        fit(study(), target="arousal", probabilities="calibrated")


def test_an_estimator_without_a_wrapper_can_be_scaled():
    own = LogisticRegression()
    with pytest.raises(ValueError, match="one class"):
        Platt(own).fit(np.zeros((4, 1)), np.zeros(4))
    X, y, _ = windows(60)
    assert Platt(own).fit(X, y).predict(X).shape == (60,)


@pytest.mark.slow
def test_the_command_line_chooses_families_rest_and_probabilities(tmp_path):
    write_table(study(), tmp_path / "t.csv")
    words = f"--table {tmp_path / 't.csv'} --families hrv --normalise calibration"
    words += " --calibration-s 120 --probabilities platt"
    for verb in ("train emotion --target arousal", "evaluate --target arousal --heads logistic"):
        out = tmp_path / verb.split(maxsplit=1)[0]
        run = CliRunner().invoke(app, [*f"{verb} {words} --out".split(), str(out)])
        assert run.exit_code == 0, run.output
    model = load_model(tmp_path / "train")
    assert (model.calibration_s, model.probabilities, model.names) == (120, "platt", ("hr_bpm",))
    results = read_table(tmp_path / "evaluate" / "results.csv")
    assert set(results["n"]) == {10}  # of twelve minutes two are rest
    assert set(results["probabilities"]) == {"platt"}
    page = (tmp_path / "evaluate" / "report.html").read_text()
    for option in ("--families hrv", "--calibration-s 120.0", "--probabilities platt"):
        assert option in page
