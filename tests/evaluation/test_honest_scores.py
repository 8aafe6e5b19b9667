"""Scores that a sceptic cannot tear: one class, chance, withheld windows, p values by default."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

import emotion_rppg
from emotion_rppg import metrics
from emotion_rppg.emotion.wrappers import Calibrated, OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation import permutation
from emotion_rppg.evaluation.scoring import group_score, scores_of_counts, scores_of_people
from emotion_rppg.windows import people

evaluate = partial(emotion_rppg.evaluate, permutations=0)
QUICK = {"logistic": OnFeatures(LogisticRegression())}


def windows(labels, *, effect=0.0, seed=0, features=("hr_bpm", "rmssd_ms")) -> pd.DataFrame:
    """One window a trial; ``labels[person]`` lists the labels of that person's trials."""
    draw = np.random.default_rng(seed)
    rows = [
        {
            "dataset": "d",
            "subject": f"s{person:02}",
            "session": "1",
            "trial": str(trial),
            "start_s": 0.0,
            "duration_s": 60.0,
            "label_state": float(label),
            "scale_state": "0..1",
            **{name: effect * label + draw.normal() for name in features},
        }
        for person, own in enumerate(labels)
        for trial, label in enumerate(own)
    ]
    return pd.DataFrame(rows)


def between(n=20, trials=5, **how) -> pd.DataFrame:
    return windows([[k % 2] * trials for k in range(n)], **how)


def within(n=10, trials=6, **how) -> pd.DataFrame:
    return windows([np.arange(trials) % 2] * n, **how)


# ---- labels that never vary inside a person ------------------------------------------------------


@pytest.mark.slow
def test_one_label_a_person_is_scored_over_people_and_noise_is_chance() -> None:
    results = evaluate(between(30), target="state", heads=QUICK)
    scores = results.scores
    assert scores["balanced_accuracy"].isna().all()
    assert set(scores["one_class"]) == {"low", "high"}
    means = results.summary().set_index("head")
    assert (means["unit"] == "over people").all()
    for dummy in ("majority", "subject_prior"):  # leaving one out would make them 0
        assert means.loc[dummy, "mean"] == 0.5
    assert means.loc["stratified", "mean"] == pytest.approx(0.5, abs=0.02)
    assert means.loc["stratified", "ci_low"] < 0.45 < 0.55 < means.loc["stratified", "ci_high"]
    own = scores[scores["head"] == "logistic"].set_index("subject")
    by_hand = own.groupby("one_class")["accuracy"].mean().mean()
    assert means.loc["logistic", "mean"] == pytest.approx(by_hand)
    assert means.loc["logistic", "ci_low"] < by_hand < means.loc["logistic", "ci_high"]


@pytest.mark.slow
@pytest.mark.parametrize("head", ["fast", "slow"])
def test_an_effect_between_people_is_found_by_permuting_people(head) -> None:
    heads = {"fast": QUICK["logistic"], "slow": OnFeatures(RandomForestClassifier(15))}
    for effect, sure in ((3.0, True), (0.0, False)):
        table = between(16, effect=effect)
        results = emotion_rppg.evaluate(table, target="state", heads={head: heads[head]})
        row = results.summary().set_index("head").loc[head]
        assert results.null["test"].unique() == ["refit" if head == "fast" else "forward"]
        assert (row["p"] < 0.05) == sure


def test_one_number_a_person_is_scored_over_people() -> None:
    draw = np.random.default_rng(0)
    table = windows([[draw.uniform(1, 9)] * 3 for _ in range(20)], effect=1.0)
    results = evaluate(table, target="state", coding="as_is", heads={"ridge": OnFeatures(Ridge())})
    assert results.scores["ccc"].isna().all()
    row = results.summary().set_index("head")
    assert row.loc["ridge", "mean"] > 0.7
    assert row.loc["mean", "mean"] == pytest.approx(0, abs=1e-9)  # leaving one out: below zero


def test_a_split_within_people_of_one_label_each_is_refused() -> None:
    with pytest.raises(InputError, match="no fold of the split 'trials_within' has two classes"):
        evaluate(between(6), target="state", heads=QUICK, split="trials_within")


# ---- people of one class among others ------------------------------------------------------------


def test_people_of_one_class_are_marked_and_their_recall_is_not_averaged() -> None:
    table = windows([[0, 1] * 3] * 6 + [[1] * 6] * 3, effect=1.0)
    results = evaluate(table, target="state", heads=QUICK)
    own = results.scores[results.scores["head"] == "logistic"].set_index("subject")
    assert own["one_class"].tolist() == [""] * 6 + ["high"] * 3
    assert own["classes"].tolist() == [2] * 6 + [1] * 3
    assert own["balanced_accuracy"].isna().tolist() == [False] * 6 + [True] * 3
    assert own["macro_f1"].isna().tolist() == [False] * 6 + [True] * 3
    assert own["accuracy"].notna().all()
    means = results.summary().set_index("head")
    assert means.loc["logistic", "people"] == 6
    assert means.loc["logistic", "one_class"] == 3
    assert means.loc["majority", "mean"] == 0.5
    assert means.loc["logistic", "mean"] == pytest.approx(own["balanced_accuracy"].mean())


def test_scores_of_counts_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    for classes in (2, 3):
        for _ in range(20):
            truth = draw.integers(0, classes, 12)
            truth[:2] = 0, 1
            predicted = draw.integers(0, classes, 12)
            counts = np.zeros((1, classes, classes), dtype=int)
            np.add.at(counts[0], (truth, predicted), 1)
            found = scores_of_counts(counts)
            wanted = {
                "accuracy": reference.accuracy_score(truth, predicted),
                "balanced_accuracy": reference.recall_score(
                    truth, predicted, average="macro", labels=np.unique(truth), zero_division=0
                ),
                "macro_f1": reference.f1_score(truth, predicted, average="macro"),
                "mcc": reference.matthews_corrcoef(truth, predicted)
                if len(np.unique(predicted)) > 1
                else np.nan,
            }
            assert {name: score[0] for name, score in found.items()} == pytest.approx(
                wanted, nan_ok=True
            )
            person = np.zeros(12)
            assert group_score(
                truth, predicted, person, classes=classes, over_people=False
            ) == pytest.approx(metrics.balanced_accuracy(truth, predicted))


# ---- dummies -------------------------------------------------------------------------------------


def test_random_draws_have_a_mean_and_spread_independent_of_seed_and_order() -> None:
    table = within(12)
    for seed in (0, 5):
        results = evaluate(table, target="state", heads=[], seed=seed)
        row = results.summary().set_index("head").loc["stratified"]
        assert row["mean"] == pytest.approx(0.5, abs=0.02)
        sd = 0.5 / np.sqrt(12 * 6)  # of the mean over people of 6 independent draws each
        assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * 1.96 * sd, rel=0.1)
        mixed = table.sample(frac=1, random_state=seed)
        again = evaluate(mixed, target="state", heads=[], seed=seed).summary().set_index("head")
        assert again.loc["stratified", "mean"] == row["mean"]


def test_random_draws_of_one_person_do_not_depend_on_other_people() -> None:
    def drawn(table: pd.DataFrame) -> np.ndarray:
        predicted = evaluate(table, target="state", heads=[]).predictions
        own = predicted[(predicted["head"] == "stratified") & (predicted["subject"] == "d/s01")]
        return own["predicted"].to_numpy()

    table = within(8)
    np.testing.assert_array_equal(drawn(table), drawn(table[table["subject"] != "s05"]))
    assert (
        len(set(map(tuple, [drawn(table), drawn(table.assign(trial=table["trial"] + "b"))]))) == 2
    )


@pytest.mark.slow
def test_quality_that_follows_the_label_is_detected_by_the_quality_baseline() -> None:
    table = within(8)
    table["quality"] = 0.5 + 0.3 * table["label_state"]
    table["acc_mean"] = np.random.default_rng(1).normal(size=len(table))
    means = evaluate(table, target="state", heads=QUICK).summary().set_index("head")
    assert list(means.index)[3:] == ["quality_alone", "movement_alone", "logistic"]
    assert means.loc["quality_alone", "mean"] == 1.0
    assert means.loc["movement_alone", "mean"] < 0.8
    assert means.loc[["quality_alone", "movement_alone"], "dummy"].all()
    without = evaluate(within(8), target="state", heads=QUICK).scores
    assert not set(without["head"]) & {"quality_alone", "movement_alone"}


# ---- windows that are withheld -------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_where_pulses_are_missing_is_no_information(classes) -> None:
    """Neither a constant for the lost windows nor half a point for each would be at chance."""
    draw = np.random.default_rng(0)
    n = 3000
    truth = np.where(draw.uniform(size=n) < 0.6, 0, draw.integers(1, classes, n))
    lost = (truth == 0) & (draw.uniform(size=n) < 0.7)
    guess = draw.integers(0, classes, n).astype(float)  # at chance where there is a pulse
    windows = pd.DataFrame(
        {
            "subject": "1",
            "truth": truth,
            "predicted": np.where(lost, np.nan, guess),
            "has_features": ~lost,
            "good_quality": ~lost,
            "n_train": 1,
            "chosen": "",
            **{f"p_{k}": np.where(lost, np.nan, 1 / classes) for k in range(classes)},
        }
    )
    (row,) = scores_of_people(windows, [str(k) for k in range(classes)])
    assert row["balanced_accuracy"] == pytest.approx(1 / classes, abs=0.03)
    constant = metrics.balanced_accuracy(truth, np.where(lost, 0, guess))
    assert constant > 1 / classes + 0.1
    assert row["accuracy"] == pytest.approx((guess == truth)[~lost].mean())
    shares = [float(share) for share in row["withheld_of_class"].split()]
    assert shares == pytest.approx([0.7, *[0.0] * (classes - 1)], abs=0.05)
    whole = group_score(
        truth,
        windows["predicted"].to_numpy(),
        np.zeros(n),
        classes=classes,
        over_people=False,
        usable=~lost,
    )
    assert whole == pytest.approx(row["balanced_accuracy"])


def test_numbers_are_scored_where_they_are_predicted() -> None:
    draw = np.random.default_rng(1)
    truth = draw.normal(size=200)
    guess = truth + draw.normal(size=200)
    lost = np.arange(200) < 120
    windows = pd.DataFrame(
        {
            "subject": "1",
            "truth": truth,
            "predicted": np.where(lost, np.nan, guess),
            "has_features": ~lost,
            "good_quality": False,
            "n_train": 1,
            "chosen": "",
        }
    )
    (row,) = scores_of_people(windows, [])
    for name in ("ccc", "pearson", "rmse"):
        assert row[name] == pytest.approx(getattr(metrics, name)(truth[~lost], guess[~lost]))
    assert row["coverage"] == pytest.approx(0.4)
    whole = group_score(
        truth,
        windows["predicted"].to_numpy(),
        np.zeros(200),
        classes=0,
        over_people=False,
        usable=~lost,
    )
    assert whole == pytest.approx(row["ccc"])


def test_windows_without_features_are_not_predicted_and_trusted_ones_have_their_own_score() -> None:
    """The pulse of high windows is withheld, other columns are left: nothing can be learned."""
    table = within(8, trials=8, features=("hr_bpm", "rmssd_ms", "n_beats"))
    table["n_beats"] = 70.0
    lost = (table["label_state"] == 1) & (table["trial"].astype(int) > 2)
    table.loc[lost, ["hr_bpm", "rmssd_ms"]] = np.nan
    table.loc[lost, "n_beats"] = 0.0
    table["quality"] = np.where(lost, 0.1, np.where(table["trial"] == "0", 0.5, 0.9))
    results = evaluate(table, target="state", heads=QUICK)
    predicted = results.predictions
    empty = predicted[(predicted["head"] == "logistic") & ~predicted["has_features"]]
    assert len(empty) == lost.sum()
    assert empty[["predicted", "p_0", "p_1"]].isna().all(axis=None)
    row = results.summary().set_index("head").loc["logistic"]
    own = results.scores[results.scores["head"] == "logistic"]
    assert row["withheld"] == pytest.approx(lost.mean())
    assert own["coverage"].mean() == pytest.approx(1 - lost.mean())
    trusted = predicted[(predicted["head"] == "logistic") & predicted["has_features"]]
    by_hand = [
        metrics.balanced_accuracy(t["truth"], t["predicted"]) for _, t in trusted.groupby("subject")
    ]
    assert row["mean"] == pytest.approx(np.mean(by_hand))
    good = trusted[trusted["trial"] != "0"]
    by_hand = [
        metrics.balanced_accuracy(t["truth"], t["predicted"]) for _, t in good.groupby("subject")
    ]
    assert row["mean_good"] == pytest.approx(np.mean(by_hand))
    assert row["good_quality"] == pytest.approx(
        len(good) / len(predicted[predicted["head"] == "logistic"])
    )


# ---- p values ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_p_comes_from_permutations_and_is_missing_without_them() -> None:
    table = within(10, effect=2.0)
    found = emotion_rppg.evaluate(table, target="state", heads=QUICK)
    row = found.summary().set_index("head").loc["logistic"]
    assert row["p"] == 1 / (1 + permutation.PERMUTATIONS)
    assert found.summary().set_index("head").loc["majority":"subject_prior", "p"].isna().all()
    without = evaluate(table, target="state", heads=QUICK).summary()
    assert without["p"].isna().all()
    assert "p_permutation" not in without


@pytest.mark.slow
def test_permutations_end_early_on_noise_and_p_is_their_share() -> None:
    found = emotion_rppg.evaluate(within(10), target="state", heads=QUICK)
    null = found.null
    reached = int((null["score"] >= null["observed"] - 1e-12).sum())
    assert reached == permutation.ENOUGH
    assert null["p"].iloc[0] == pytest.approx(reached / len(null))


@pytest.mark.slow
def test_refits_on_scaled_features_are_the_refits_of_the_head() -> None:
    table = within(6, effect=1.0)
    table.loc[::5, "rmssd_ms"] = np.nan
    heads = {"svm": Calibrated(OnFeatures(SVC())), "logistic": QUICK["logistic"]}
    results = emotion_rppg.evaluate(table, target="state", heads=heads, permutations=3)
    y = table["label_state"].to_numpy()
    for head in heads:
        for k in range(3):
            moved = permutation.permuter(y, table)(np.random.default_rng([0, k]))
            again = evaluate(
                table.assign(label_state=moved), target="state", heads={head: heads[head]}
            ).scores
            score = again.loc[again["head"] == head, "balanced_accuracy"].mean()
            null = results.null.query("head == @head")["score"]
            assert null.iloc[k] == pytest.approx(score)


def test_the_forward_test_never_tests_people_it_was_trained_on() -> None:
    training_sizes = []

    class Watched(LogisticRegression):
        def fit(self, X, y, **how):
            training_sizes.append(len(X))
            return super().fit(X, y, **how)

    table = within(10, effect=2.0)
    head = OnFeatures(Watched())
    results = evaluate(table, target="state", heads={"a": head}, probabilities="own")
    assert len(training_sizes) == 10  # the folds
    from emotion_rppg.emotion.design_matrix import matrix
    from emotion_rppg.evaluation.jobs import Job

    rows, groups = np.arange(len(table)), people(table).to_numpy()
    jobs = [
        Job(
            name="a",
            head=head,
            inputs=matrix(table),
            y=table["label_state"].to_numpy(),
            groups=groups,
            train=rows[groups != name],
            test=rows[groups == name],
            usable=np.ones(len(table), dtype=bool),
            classes=2,
            seed=0,
        )
        for name in np.unique(groups)
    ]
    chain = permutation.forward_jobs(jobs, seed=0, over_people=False)
    assert len(chain) == permutation.BLOCKS - 1
    tested: set[str] = set()
    for job in chain:
        assert not set(groups[job.train]) & set(groups[job.test])
        assert tested <= set(groups[job.train])
        tested |= set(groups[job.test])
    assert permutation.forward_test(jobs, table, over_people=False, seed=0)["p"] < 0.01
    assert results.scores["head"].nunique() == 4


@pytest.mark.slow
def test_a_slow_head_on_a_split_within_people_has_no_p_unless_permutations_are_requested() -> None:
    table = within(4, trials=6)
    heads = {"trees": OnFeatures(RandomForestClassifier(5))}
    how = {"target": "state", "heads": heads, "split": "trials_within"}
    assert np.isnan(emotion_rppg.evaluate(table, **how).summary().iloc[-1]["p"])
    requested = emotion_rppg.evaluate(table, **how, permutations=4)
    assert len(requested.null) == 4
    assert np.isfinite(requested.summary().iloc[-1]["p"])


def test_which_heads_are_slow() -> None:
    from emotion_rppg.emotion import HEADS

    slow = {name for name, head in HEADS.items() if permutation.is_slow(head)}
    assert slow == {"forest", "boosting", "mlp", "lstm", "cnn", "average", "multitask"}
    assert type(permutation.without_calibration(HEADS["svm"])) is OnFeatures


def test_fishers_method_is_the_textbook_example() -> None:
    # chi-square of 2·3 degrees of freedom: -2 (ln .1 + ln .2 + ln .3) = 10.23
    assert permutation.fisher(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.1152, abs=1e-3)
    assert permutation.fisher(np.array([1.0, 1.0])) == 1.0


def test_where_the_pulse_is_missing_is_no_information_for_scores_of_probabilities() -> None:
    """Withheld windows are nearly all of one class, and predictions are noise."""
    draw = np.random.default_rng(5)
    truth = np.tile([0, 0, 1, 1], 40)
    trusted = (truth == 0) | (draw.uniform(size=len(truth)) < 0.3)
    windows = pd.DataFrame(
        {
            "subject": np.repeat(["a", "b"], 80),
            "n_train": 100,
            "chosen": "",
            "truth": truth,
            "has_features": trusted,
            "good_quality": trusted,
            "p_1": np.where(trusted, draw.uniform(0.0, 0.5, len(truth)), 0.9),
        }
    ).assign(predicted=lambda t: (t["p_1"] > 0.5).astype(float))
    rows = scores_of_people(windows, ("low", "high"))
    assert all(0.3 < row["auroc"] < 0.7 for row in rows)
    own = windows[windows["subject"] == "a"]
    known = own[own["has_features"]]
    assert rows[0]["ece"] == pytest.approx(
        metrics.ece(known["truth"].to_numpy(), known["p_1"].to_numpy())
    )
    assert rows[0]["n"] == 80
    nothing = scores_of_people(own.assign(has_features=False), ("low", "high"))[0]
    assert np.isnan(nothing["auroc"])
    assert np.isnan(nothing["ece"])
