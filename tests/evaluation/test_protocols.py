"""Splits of every kind keep apart what they say; each leak, planted, is refused or named."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import emotion_rppg
from emotion_rppg.emotion.nested_selection import Selected
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.evaluation import SPLITS, fold_cache
from emotion_rppg.evaluation.leakage import Leak, make_folds, refuse_scored_calibration
from emotion_rppg.evaluation.learning_curve import learning_curve
from emotion_rppg.evaluation.splits import FIRST_S, unit_names
from emotion_rppg.windows import people

from .test_evaluation import QUICK, mean_of, study
from .test_permutation import slow

evaluate = partial(emotion_rppg.evaluate, permutations=0)  # scores alone


def all_rows(table):
    return {"labelled": np.ones(len(table), bool), "unscored": np.zeros(len(table), bool)}


@pytest.mark.parametrize(
    ("split", "unit"), [("trials_within", "trial"), ("sessions_within", "session")]
)
def test_splits_within_people_train_on_other_trials_or_sessions_of_the_person(split, unit) -> None:
    table = study(3).assign(session=lambda t: (t["trial"].astype(int) // 2).astype(str))
    names, person, tested = unit_names(table, unit), people(table).to_numpy(), []
    for train, test in SPLITS[split](table):
        assert len(set(person[train]) | set(person[test])) == 1
        assert not set(names[train]) & set(names[test])
        tested += list(test)
    assert sorted(tested) == list(range(len(table)))
    with pytest.raises(Exception, match="leaves nothing"):
        list(SPLITS[split](table.assign(session="1", trial="1")))


def test_first_minutes_train_on_the_persons_beginning_only() -> None:
    table = slow(np.random.default_rng(0), trials=2)
    table["start_s"] += 480.0 * table["trial"].astype(int)
    table["trial"] = "1"
    for train, test in SPLITS["first_minutes"](table):
        (own,) = set(people(table)[test])
        mine = table.iloc[train][(people(table) == own).to_numpy()[train]]
        assert len(mine) == FIRST_S / 60
        assert (mine["start_s"] + mine["duration_s"]).max() <= table["start_s"].iloc[test].min()


@pytest.mark.slow
def test_leaky_windows_are_far_above_loso_on_labels_that_mean_nothing_and_say_so() -> None:
    table = slow(np.random.default_rng(3), n_people=6, trials=6, memory=0.99, features=8)
    heads = {"near": OnFeatures(KNeighborsClassifier(1))}
    honest = evaluate(table, target="stress", heads=heads)
    leaky = evaluate(table, target="stress", heads=heads, split="leaky_windows")
    assert mean_of(leaky, "near") > mean_of(honest, "near") + 0.15
    assert mean_of(honest, "near") < 0.62
    scores = leaky.scores
    assert scores["leaky"].all()
    assert leaky.summary()["leaky"].all()
    assert set(scores["split"]) == {"leaky_windows"} == {leaky.settings.split}
    assert not honest.scores["leaky"].any()
    assert scores.loc[scores["head"] == "near", "n"].sum() == len(table)


def test_overlapping_windows_are_purged_from_training() -> None:
    """Within one trial, windows of 60 s every 30 s: the neighbours of the tested ones go."""
    table = study(2, trials=1)
    table = pd.concat(
        [table.assign(start_s=lambda t, k=k: t["start_s"] + 90 * k) for k in range(3)]
    )
    table = table.sort_values(["subject", "start_s"]).reset_index(drop=True)

    def by_moment(t, *, seed=0):
        yield np.r_[0:4, 6:18], np.array([4, 5])

    by_moment.unit = "moment"
    folds = make_folds(table, by_moment, seed=0, **all_rows(table))
    assert folds.purged == 2
    assert set(folds.pairs[0][0]) == set(range(18)) - {3, 4, 5, 6}


def test_a_trial_on_both_sides_is_refused_where_the_split_promises_trials() -> None:
    table = study(2)

    def careless(t, *, seed=0):
        yield np.arange(1, len(t)), np.array([0])

    units = {"trial": "d/s0/1/0", "session": "d/s0/1", "person": "d/s0", "dataset": "d"}
    for unit, what in units.items():
        careless.unit = unit
        with pytest.raises(Leak, match=f"^{what} is in the training and in the test"):
            make_folds(table, careless, seed=0, **all_rows(table))

    def twice(t, *, seed=0):
        yield np.arange(len(t)), np.array([0])

    twice.unit = "moment"
    with pytest.raises(Leak, match="row 0"):
        make_folds(table, twice, seed=0, **all_rows(table))


def test_scored_calibration_is_refused(monkeypatch) -> None:
    unscored = np.array([True, False, False])
    refuse_scored_calibration(np.array([1, 2]), unscored)
    with pytest.raises(Leak, match="1 windows of the calibration would be scored"):
        refuse_scored_calibration(np.array([0, 1]), unscored)
    # planted in the evaluation itself: folds that forget what must not be scored
    from emotion_rppg.evaluation import plans

    def forgetful(table, split, *, unscored, **options):
        return make_folds(table, split, unscored=np.zeros_like(unscored), **options)

    monkeypatch.setattr(plans, "make_folds", forgetful)
    with pytest.raises(Leak, match="would be scored"):
        evaluate(study(4), target="arousal", heads=QUICK, normalise="calibration")


def test_a_normalisation_that_reads_labels_is_refused() -> None:
    def by_label(inputs, table):
        raise AssertionError(table["label_arousal"])

    with pytest.raises(Leak, match="label_arousal"):
        evaluate(study(4), target="arousal", heads=QUICK, normalise=by_label)

    def nothing(inputs, table):
        return inputs, np.zeros(len(table), bool)

    table = study(4, effect=2.0)
    own = evaluate(table, target="arousal", heads=QUICK, normalise=nothing)
    assert set(own.scores["normalise"]) == {"nothing"} == {own.settings.normalise}
    plain = evaluate(table, target="arousal", heads=QUICK)
    np.testing.assert_array_equal(own.scores["auroc"], plain.scores["auroc"])


# ---- choosing inside the folds -----------------------------------------------------------------

TWO = {
    "blind": OnFeatures(DummyClassifier(strategy="prior")),
    "sighted": OnFeatures(LogisticRegression()),
}


@pytest.mark.slow
def test_the_choice_is_made_without_the_tested_person() -> None:
    """Whatever the tested person's labels are, what is chosen and said of them stays."""
    table = study(5, effect=3.0)
    heads = {"selected": Selected(list(TWO.items()), folds=3)}
    turned = table.copy()
    one = (turned["subject"] == "s2").to_numpy()
    turned.loc[one, "label_arousal"] = 10 - turned.loc[one, "label_arousal"]
    rows = [
        evaluate(t, target="arousal", heads=heads, normalise="transductive").predictions
        for t in (table, turned)
    ]
    a, b = [r[(r["subject"] == "d/s2") & (r["head"] == "selected")] for r in rows]
    assert a["chosen"].tolist() == b["chosen"].tolist() == ["sighted"] * len(a)
    np.testing.assert_array_equal(a["p_1"], b["p_1"])


def test_inner_folds_keep_people_apart_and_results_say_what_was_chosen(monkeypatch) -> None:
    from sklearn.model_selection import GroupKFold

    seen, original = [], GroupKFold.split

    def spy(self, X, y=None, groups=None):
        for train, test in original(self, X, y, groups):
            seen.append(set(groups[train]) & set(groups[test]))
            yield train, test

    monkeypatch.setattr(GroupKFold, "split", spy)
    results = evaluate(
        study(4, effect=8.0), target="arousal", heads=["logistic", "lda", "selected"]
    )
    assert seen
    assert not any(seen)
    chosen = results.scores[results.scores["head"] == "selected"]["chosen"]
    assert set(chosen) <= {"logistic", "lda", "their mean"}
    assert mean_of(results, "selected") > 0.8


# ---- dummies, learning curves, going on --------------------------------------------------------


@pytest.mark.slow
def test_a_dummy_that_knows_people_shows_what_recognising_them_is_worth() -> None:
    """Persons who are nearly always high or low: known people are scored well by their prior."""
    table = study(6)
    rare = table["trial"] == "0"
    high = (table["subject"].str[1:].astype(int) % 2 == 1) ^ rare
    table["label_arousal"] = np.where(high, 8.0, 2.0)
    from emotion_rppg.metrics import auroc

    def pooled(split: str) -> float:
        said = evaluate(table, target="arousal", heads=QUICK, split=split).predictions
        own = said[said["head"] == "subject_prior"]
        return auroc(own["truth"].to_numpy(), own["p_1"].to_numpy())

    assert pooled("leaky_windows") > 0.7
    assert pooled("loso") < 0.55


@pytest.mark.slow
def test_more_people_teach_more() -> None:
    table = study(8, effect=0.4)
    table["hr_bpm"] -= table.groupby("subject")["hr_bpm"].transform("mean")
    curve = learning_curve(table, target="arousal", heads=QUICK, sizes=(1, 7), repeats=2)
    means = curve[curve["head"] == "logistic"].groupby("training_people")["auroc"].mean()
    assert means.loc[7] > means.loc[1]
    assert set(curve.loc[curve["training_people"] == 1, "n_train"]) == {18}
    assert set(
        learning_curve(table, target="arousal", heads=QUICK, repeats=1)["training_people"]
    ) == {2, 4, 7}


@pytest.mark.slow
def test_a_stopped_evaluation_goes_on_where_it_stopped(tmp_path, monkeypatch) -> None:
    table = study(4, effect=2.0)
    whole = evaluate(table, target="arousal", heads=QUICK)
    ran = []

    def counted(job):
        ran.append(job)
        if len(ran) == 7:
            raise KeyboardInterrupt
        return original(job)

    original = fold_cache.run_job
    monkeypatch.setattr(fold_cache, "run_job", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(table, target="arousal", heads=QUICK, cache=tmp_path)
    damaged = sorted(tmp_path.glob("*.kept"))
    assert len(damaged) == 6
    damaged[0].write_bytes(b"half a fil")
    again = evaluate(table, target="arousal", heads=QUICK, cache=tmp_path)
    assert len(ran) == 7 + 20 - 5  # five heads and baselines by four people
    pd.testing.assert_frame_equal(again.scores, whole.scores)
    evaluate(table, target="arousal", heads=QUICK, cache=tmp_path, seed=1)
    assert len(ran) == 22 + 20, "another seed is another result"
