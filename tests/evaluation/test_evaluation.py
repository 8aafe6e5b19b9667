"""Evaluation cannot fool its user: splits, refusals, chance on noise, the same numbers always."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import emotion_rppg
from emotion_rppg.emotion import DUMMIES
from emotion_rppg.emotion.subject_baseline import ends_s
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation import SPLITS, Evaluation
from emotion_rppg.evaluation.run import Leak
from emotion_rppg.evaluation.splits import UNITS, Split
from emotion_rppg.evaluation.statistics import BASELINES, bootstrap_ci, holm, paired_test
from emotion_rppg.windows import people

evaluate = partial(emotion_rppg.evaluate, permutations=0)  # scores; p has tests of its own
QUICK = {"logistic": OnFeatures(LogisticRegression())}


def study(n_people: int = 8, trials: int = 6, effect: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Windows of trials rated on 1–9; ``hr_bpm`` follows the rating by ``effect``."""
    draw = np.random.default_rng(seed)
    rows = []
    for person in range(n_people):
        level = draw.normal(70, 15)
        for trial in range(trials):
            rating = float(draw.uniform(6, 9) if trial % 2 else draw.uniform(1, 4))
            for window in range(3):
                rows.append(  # noqa: PERF401 — the draws must stay in this order
                    {
                        "dataset": "d",
                        "subject": f"s{person}",
                        "session": "1",
                        "trial": str(trial),
                        "start_s": 30.0 * window,
                        "duration_s": 60.0,
                        "source": "bvp",
                        "method": "",
                        "network": "",
                        "trained_on": "",
                        "label_arousal": rating,
                        "scale_arousal": "1..9",
                        "quality": draw.uniform(),
                        "hr_bpm": level + effect * (rating - 5) + draw.normal(0, 1),
                        "rmssd_ms": draw.normal(40, 5),
                    }
                )
    return pd.DataFrame(rows)


def mean_of(results: Evaluation, head: str, metric: str = "balanced_accuracy") -> float:
    return float(results.scores.loc[results.scores["head"] == head, metric].mean())


# ---- splits ------------------------------------------------------------------------------------

WHOLE_PEOPLE = {n: split for n, split in SPLITS.items() if split.unit in ("person", "dataset")}
EACH = pytest.mark.parametrize("split", WHOLE_PEOPLE.values(), ids=WHOLE_PEOPLE)


def two_studies(first: int = 4, second: int = 3) -> pd.DataFrame:
    """People of two data sets, called alike, in one table; the second rated on 1–5."""
    other = study(second, seed=1).assign(dataset="e", scale_arousal="1..5")
    other["label_arousal"] = (other["label_arousal"] + 1) / 2
    return pd.concat([study(first), other], ignore_index=True)


@EACH
def test_no_person_is_in_training_and_test_and_all_are_tested_once(split) -> None:
    table = two_studies()
    tested: list[int] = []
    for train, test in split(table, seed=3):
        assert not set(people(table)[train]) & set(people(table)[test])
        assert set(train) | set(test) == set(range(len(table)))
        tested += list(test)
    assert sorted(tested) == list(range(len(table)))


@EACH
def test_the_order_of_rows_does_not_change_who_is_tested_together(split) -> None:
    table = two_studies()
    mixed = table.sample(frac=1, random_state=1).reset_index(drop=True)

    def together(t: pd.DataFrame) -> set[frozenset[str]]:
        return {frozenset(people(t)[test]) for _, test in split(t, seed=3)}

    assert together(table) == together(mixed)


@EACH
def test_one_person_cannot_be_split(split) -> None:
    with pytest.raises(InputError, match="needs two or more"):
        list(split(study(1), seed=0))


def test_a_data_set_is_tested_by_heads_fitted_on_the_other() -> None:
    table = two_studies()
    folds = list(SPLITS["datasets"](table))
    sets = table["dataset"].to_numpy()
    assert [(set(sets[train]), set(sets[test])) for train, test in folds] == [
        ({"e"}, {"d"}),
        ({"d"}, {"e"}),
    ]
    with pytest.raises(InputError, match=r"1 data set with labels \(d\).* needs two or more"):
        evaluate(study(4), target="arousal", heads=QUICK, split="datasets")
    unrated = table.assign(label_arousal=table["label_arousal"].where(table["dataset"] == "d"))
    with pytest.raises(InputError, match=r"1 data set with labels \(d\)"):
        evaluate(unrated, target="arousal", heads=QUICK, split="datasets")


def test_data_sets_with_other_scales_and_subject_baselines_are_evaluated_together() -> None:
    """Each scale is halved at its own middle; subject baselines are subtracted without labels."""
    table = two_studies(6, 6)
    other = table["dataset"] == "e"
    rating = table["label_arousal"].where(~other, 2 * table["label_arousal"] - 1)
    table["hr_bpm"] += 8.0 * (rating - 5) + 40.0 * other
    how = {"target": "arousal", "heads": QUICK, "split": "datasets"}
    results = evaluate(table, **how, normalise="transductive")
    truth = results.predictions.set_index("row")["truth"]
    assert (truth == (rating > 5)[truth.index]).all()
    assert len(results.scores) == 12 * 5
    assert mean_of(results, "logistic") > 0.9
    assert mean_of(evaluate(table, **how), "logistic") < 0.8  # 40 bpm apart: all high, all low


def test_every_split_has_a_description_and_a_known_unit() -> None:
    assert {split.unit for split in SPLITS.values()} == set(UNITS)
    assert len({split.description for split in SPLITS.values()}) == len(SPLITS)
    assert [name for name, split in SPLITS.items() if split.leaky] == ["leaky_windows"]
    assert SPLITS["leaky_windows"].description.startswith("LEAKY")
    with pytest.raises(InputError, match="has the unit 'people'; known: dataset, person"):
        Split("mine", SPLITS["loso"], "people", "by people")


def test_the_same_id_in_two_data_sets_is_two_people() -> None:
    table = pd.concat([study(2), study(2).assign(dataset="other")])
    assert len(list(SPLITS["loso"](table.reset_index(drop=True)))) == 4


# ---- what is found and what is not -------------------------------------------------------------


@pytest.mark.slow
def test_a_planted_effect_is_found_and_noise_is_not() -> None:
    found = evaluate(study(effect=8.0), target="arousal", heads=QUICK)
    assert mean_of(found, "logistic") > 0.8
    chance = [
        mean_of(evaluate(study(10, seed=s), target="arousal", heads=QUICK), "logistic")
        for s in range(4)
    ]
    assert abs(np.mean(chance) - 0.5) < 0.06


def test_a_split_of_windows_inflates_the_score_and_is_refused() -> None:
    """Features that only tell people and trials apart: windows leak, people do not."""
    table = study(8, trials=4)
    draw = np.random.default_rng(5)
    for name in ("sdnn_ms", "cvnn", "cvsd", "hf_ms2", "lf_ms2", "lf_hf"):
        each = draw.normal(0, 1, (8, 4)).repeat(3)
        table[name] = each + draw.normal(0, 0.05, len(table))

    from sklearn.neighbors import KNeighborsClassifier

    heads = {"near": OnFeatures(KNeighborsClassifier(1))}

    def leaky(t: pd.DataFrame, *, seed: int = 0):
        order = np.random.default_rng(seed).permutation(len(t))
        for fold in np.array_split(order, 5):
            yield np.setdiff1d(order, fold), fold

    with pytest.raises(Leak, match="is in the training and in the test"):
        evaluate(table, target="arousal", heads=heads, split=leaky)
    honest = mean_of(evaluate(table, target="arousal", heads=heads), "near")
    from emotion_rppg.emotion.design_matrix import matrix

    X = matrix(table).X
    X = (X - X.mean(0)) / X.std(0)
    y = (table["label_arousal"] > 5).to_numpy()
    hits = []
    for train, test in leaky(table):
        hits += list(KNeighborsClassifier(1).fit(X[train], y[train]).predict(X[test]) == y[test])
    assert np.mean(hits) > 0.8
    assert honest < 0.65


@pytest.mark.slow
def test_a_cluster_gives_the_same_numbers(scheduler) -> None:
    options = {"target": "arousal", "heads": QUICK, "permutations": 3}
    here = evaluate(study(4), **options)
    there = evaluate(study(4), **options, scheduler=scheduler)
    pd.testing.assert_frame_equal(there.scores, here.scores)
    pd.testing.assert_frame_equal(there.null, here.null)


def test_dummies_are_scored_and_are_at_chance() -> None:
    results = evaluate(study(effect=8.0), target="arousal", heads=QUICK)
    assert set(DUMMIES) < set(results.scores["head"])
    assert mean_of(results, "majority") == pytest.approx(0.5, abs=0.01)


def test_numbers_are_scored_as_numbers() -> None:
    results = evaluate(study(effect=8.0), target="arousal", heads="ridge", coding="as_is")
    assert set(results.scores["head"]) == {"mean", "quality_alone", "ridge"}
    assert mean_of(results, "ridge", "rmse") < mean_of(results, "mean", "rmse")


def test_the_columns_of_results_are_the_documented_ones() -> None:
    results = evaluate(study(4), target="arousal", heads=QUICK).scores
    first = ["target", "coding", "split", "normalise", "head", "subject", "n"]
    assert list(results)[:7] == first
    assert {"balanced_accuracy", "macro_f1", "auroc"} < set(results)
    assert {"one_class", "coverage", "withheld_of_class", "balanced_accuracy_good"} < set(results)
    assert len(results) == 4 * 5


# ---- honesty of the protocol -------------------------------------------------------------------


def test_labels_of_tested_people_do_not_change_predictions() -> None:
    table = study(5, effect=3.0)
    before = evaluate(table, target="arousal", heads=QUICK, normalise="transductive")
    turned = table.copy()
    one = turned["subject"] == "s2"
    turned.loc[one, "label_arousal"] = 10 - turned.loc[one, "label_arousal"]
    after = evaluate(turned, target="arousal", heads=QUICK, normalise="transductive")

    def predictions(results: Evaluation) -> np.ndarray:
        p = results.predictions
        return p[(p["subject"] == "d/s2") & (p["head"] == "logistic")]["p_1"].to_numpy()

    np.testing.assert_array_equal(predictions(before), predictions(after))


def test_a_network_trained_on_a_tested_person_is_refused() -> None:
    table = study(4)
    for column in ("trained_on", "encoder_trained_on"):
        with pytest.raises(Leak, match="d/s3"):
            evaluate(
                table.assign(**{column: json.dumps({"d": ["s3"]})}), target="arousal", heads=QUICK
            )
        evaluate(
            table.assign(**{column: json.dumps({"other": ["s3"]})}), target="arousal", heads=QUICK
        )


def test_a_network_of_unknown_training_is_refused_unless_allowed() -> None:
    table = study(4).assign(trained_on="unknown")
    with pytest.raises(Leak, match="allow_unknown_training"):
        evaluate(table, target="arousal", heads=QUICK)
    allowed = evaluate(table, target="arousal", heads=QUICK, allow_unknown_training=True)
    assert allowed.scores["unknown_training"].all()
    assert not evaluate(study(4), target="arousal", heads=QUICK).scores["unknown_training"].any()


@pytest.mark.parametrize("text", ["{broken", "[1]", '{"d": "s3"}'])
def test_an_unreadable_trained_on_is_an_error(text) -> None:
    with pytest.raises(InputError, match=r"trained_on of the network .* says"):
        evaluate(study(4).assign(trained_on=text), target="arousal", heads=QUICK)


def test_two_estimators_of_one_class_are_two_heads() -> None:
    heads = [OnFeatures(LogisticRegression(C=c)) for c in (1.0, 1e-6)]
    results = evaluate(study(4), target="arousal", heads=heads)
    assert set(results.scores["head"]) - set(BASELINES) == {"OnFeatures", "OnFeatures_2"}


def test_calibration_windows_are_not_scored() -> None:
    table = study(5, effect=8.0)
    results = evaluate(
        table, target="arousal", heads=QUICK, normalise="calibration", calibration_s=240
    )
    scored = results.predictions["row"]
    assert (ends_s(table)[np.unique(scored)] > 240).all()
    excluded = results.excluded.set_index(["target", "reason"])["rows"]
    assert excluded["arousal", "calibration"] == (ends_s(table) <= 240).sum() > 0
    with pytest.raises(InputError, match="larger calibration_s"):
        evaluate(table, target="arousal", heads=QUICK, normalise="calibration", calibration_s=5)


def test_windows_that_reach_into_the_calibration_are_not_scored_either() -> None:
    """The window at 195–255 s holds 45 s of the first 240 s."""
    table = study(4)
    table["start_s"] += 120.0 * table["trial"].astype(int)
    table["start_s"] += 15.0 * (table["start_s"] > 0)
    table["trial"] = "1"
    assert 195 in set(table["start_s"])
    results = evaluate(table, target="arousal", heads=QUICK, normalise="calibration")
    assert table["start_s"][results.predictions["row"]].min() == 255


def test_the_calibration_does_not_depend_on_interleaved_rows_of_trials() -> None:
    table = study(3)
    first_rows = table.groupby(["subject", "trial"], sort=False).head(1).index
    mixed = table.loc[[*first_rows, *table.index.difference(first_rows)[::-1]]]
    expected = pd.Series(ends_s(table), index=table.index)
    np.testing.assert_allclose(ends_s(mixed), expected[mixed.index])


@pytest.mark.slow
def test_subtracting_the_subject_baseline_helps_where_people_differ() -> None:
    table = study(8, effect=2.0)
    plain = mean_of(evaluate(table, target="arousal", heads=QUICK), "logistic")
    own = evaluate(table, target="arousal", heads=QUICK, normalise="transductive")
    assert mean_of(own, "logistic") > plain + 0.1


def test_a_person_without_a_predicted_window_has_no_score_and_is_counted() -> None:
    table = study(6, effect=8.0)
    blind = table["subject"] == "s1"
    table.loc[blind, ["hr_bpm", "rmssd_ms"]] = np.nan
    results = evaluate(table, target="arousal", heads=QUICK).scores
    row = results[(results["subject"] == "d/s1") & (results["head"] == "logistic")].iloc[0]
    assert row["coverage"] == 0.0
    assert np.isnan(row["balanced_accuracy"])
    assert row["withheld_of_class"] == "1.00 1.00"
    assert row["n"] == 18


def test_rows_without_a_label_are_excluded_and_counted() -> None:
    table = study(4)
    table.loc[:9, "label_arousal"] = np.nan
    results = evaluate(table, target="arousal", heads=QUICK)
    assert results.excluded.set_index("reason").loc["no label", "rows"] == 10
    scores = results.scores
    assert scores.loc[scores["head"] == "logistic", "n"].sum() == len(table) - 10


@pytest.mark.slow
def test_quality_columns_can_be_ablated() -> None:
    table = study(6)
    table["quality"] = (table["label_arousal"] > 5).astype(float)
    named = {"extra_features": ("quality",)}
    with_it = evaluate(table, target="arousal", heads=QUICK, **named)
    assert mean_of(with_it, "logistic") > 0.95
    for options in ({}, {**named, "ablate": ("quality",)}):
        without = evaluate(table, target="arousal", heads=QUICK, **options)
        assert mean_of(without, "logistic") < 0.7


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_workers() -> None:
    table = study(4, effect=2.0)
    one = evaluate(table, target="arousal", heads=["logistic", "forest"], seed=3)
    two = evaluate(table, target="arousal", heads=["logistic", "forest"], seed=3, workers=2)
    pd.testing.assert_frame_equal(one.scores, two.scores)


def test_unknown_names_list_the_known() -> None:
    table = study(3)
    for options, known in (
        ({"heads": "deep"}, "logistic"),
        ({"heads": QUICK, "split": "random"}, "loso"),
        ({"heads": QUICK, "normalise": "z"}, "transductive"),
    ):
        with pytest.raises(InputError, match=known):
            evaluate(table, target="arousal", **options)
    with pytest.raises(InputError, match="arousal"):
        evaluate(table, target="joy", heads=QUICK)


# ---- statistics --------------------------------------------------------------------------------


def test_the_bootstrap_interval_has_its_nominal_coverage() -> None:
    draw = np.random.default_rng(0)
    inside = 0
    for k in range(200):
        low, high = bootstrap_ci(draw.normal(0.5, 0.1, 15), draws=500, seed=k)
        inside += low <= 0.5 <= high
    assert 0.86 <= inside / 200 <= 0.98


def test_holm_is_the_textbook_example() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_the_paired_test_has_a_direction_and_no_difference_is_no_evidence() -> None:
    base = np.linspace(0.4, 0.6, 12)
    p, effect = paired_test(base + np.linspace(0.05, 0.15, 12), base)
    assert p < 0.001
    assert effect == 1.0
    assert paired_test(base, base) == (1.0, 0.0)
    assert np.isnan(paired_test(base, np.full(12, np.nan))).all()


def test_a_score_that_nobody_has_is_nan_in_the_summary() -> None:
    table = study(4)
    table["label_arousal"] = np.where(people(table) < "d/s2", 2.0, 8.0)
    row = evaluate(table, target="arousal", heads=QUICK).summary(metrics=["mcc"]).iloc[-1]
    assert row["people"] == 0
    assert np.isnan(row["mean"])
    assert np.isnan(row["p"])


@pytest.mark.slow
def test_the_summary_counts_people_and_has_p_of_permutations() -> None:
    table = study(8, effect=8.0)
    results = emotion_rppg.evaluate(table, target="arousal", heads=QUICK, permutations=39)
    means = results.summary()
    row = means.set_index("head").loc["logistic"]
    assert row["people"] == 8
    assert row["ci_low"] < row["mean"] <= row["ci_high"]
    assert row["p"] == row["p_permutation"] == 1 / 40
    assert row["effect"] == 1.0
    assert means.set_index("head")["dummy"].to_dict() == {
        "majority": True,
        "stratified": True,
        "subject_prior": True,
        "quality_alone": True,
        "logistic": False,
    }
