"""What a reviewer asks of the report: title, windows, names, quality, effects, people, terms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from emotion_rppg import evaluate
from emotion_rppg.emotion.tasks import Task
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.evaluation.statistics import BOOTSTRAP_DRAWS
from emotion_rppg.report.evaluation import protocol, title
from emotion_rppg.report.sections import classification, findings
from emotion_rppg.report.sections.declarations import declarations
from emotion_rppg.report.sections.feature_list import feature_list
from emotion_rppg.report.sections.heart import heart
from emotion_rppg.report.sections.labels import rule_in_words, shown_names, shown_one_class
from emotion_rppg.report.sections.methods import methods
from emotion_rppg.report.sections.paragraph import paragraph
from emotion_rppg.report.sections.people import data, in_natural_order, scores_of_each
from emotion_rppg.report.sections.quality import quality
from emotion_rppg.report.sections.withheld import closing, withheld

NAMES = {"arousal": ("low", "high")}


@pytest.fixture(scope="module")
def stress(table) -> pd.DataFrame:
    """The table as of Stress-Predict: people 1, 2 and 10, labels 0 and 1, person 2 of one class."""
    stress = table.dropna(subset="label_arousal").query("subject != 's4'").copy()
    stress["label_stress"] = (stress["label_arousal"] > 5).astype(float)
    stress["subject"] = stress["subject"].map({"s1": "1", "s2": "2", "s3": "10"})
    stress.loc[stress["subject"] == "2", "label_stress"] = 1.0
    stress = stress.assign(dataset="stress-predict", reader="stress-predict")
    return stress.drop(columns=["label_arousal", "scale_arousal"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def stress_results(stress):
    heads = {"plain": OnFeatures(LogisticRegression())}
    return evaluate(stress, target="stress", heads=heads, permutations=0)


def test_the_title_names_target_signal_and_data(stress_results, stress, results, table) -> None:
    assert title(stress_results, stress) == (
        "Prediction of stress from contact pulse (PPG) in Stress-Predict"
    )
    filmed = table.assign(source="rppg", dataset=["b"] * 30 + ["a"] * 30)
    assert title(results, filmed) == "Prediction of arousal from camera pulse (rPPG) in a and b"


def test_the_overlap_of_windows_is_stated(results, table) -> None:
    assert "start 30 s apart and overlap by 30 s (50%)" in protocol(results, table).text[0]
    apart = table.assign(duration_s=30.0)
    assert "start 30 s apart and do not overlap" in protocol(results, apart).text[0]
    whole = table.groupby(["subject", "trial"]).head(1).reset_index(drop=True)
    assert "each trial is one window" in protocol(results, whole).text[0]


def test_labels_of_two_values_have_their_own_names(stress, table) -> None:
    for coding in ("midpoint", "fixed(0.5)", "fixed(0)"):
        assert shown_names(stress, Task("stress", coding)) == ("rest", "stress")
    assert shown_one_class("high", stress, Task("stress")) == "stress"
    assert "0 is “rest”, 1 is “stress” (low and high in the" in rule_in_words(
        stress, Task("stress")
    )
    # a median of the person's own, a value between, an unknown reader: no such names
    assert shown_names(stress, Task("stress", "subject_median")) == ("low", "high")
    between = stress.assign(label_stress=stress["label_stress"] / 2)
    assert shown_names(between, Task("stress")) == ("low", "high")
    unknown = stress.assign(reader="", scale_stress="0..1")
    assert shown_names(unknown, Task("stress")) == ("low", "high")
    assert rule_in_words(table, Task("arousal")).endswith("(above 5); the scale is 1 to 9")


def test_the_names_are_those_of_every_figure_and_table(stress_results, stress) -> None:
    names = findings.names_of_classes(stress_results, stress)
    assert names == {"stress": ("rest", "stress")}
    (section,) = classification.confusion(stress_results, names)
    assert [t.get_text() for t in section.figures[0][0].axes[0].get_xticklabels()] == [
        "rest",
        "stress",
    ]
    (section,) = data(stress_results, stress, names)
    assert {"rest", "stress"} < set(section.table)
    assert section.table.set_index("person")["one class"].to_dict() == {
        "stress-predict/1": "",
        "stress-predict/2": "stress",
        "stress-predict/10": "",
    }


def test_people_are_sorted_by_their_numbers(stress_results, stress) -> None:
    order = ["stress-predict/1", "stress-predict/2", "stress-predict/10"]
    assert in_natural_order(reversed(order)) == order
    assert in_natural_order(["b/2", "b/x", "a/10", "a/9"]) == ["a/9", "a/10", "b/2", "b/x"]
    (section,) = scores_of_each(stress_results, stress)
    assert section.table["person"].tolist() == order
    assert section.table["one class"].tolist() == ["", "stress", ""]
    assert "quality_alone" in section.table
    assert "majority" not in section.table
    scores = stress_results.scores.query("head == 'plain'").set_index("subject")
    np.testing.assert_array_equal(
        section.table["plain"], scores.loc[order, "balanced_accuracy"].to_numpy()
    )
    assert np.isnan(section.table["plain"][1])


def test_quality_and_artefacts_are_given_by_class(table) -> None:
    shares = table.assign(corrected_share=0.25, ectopic_share=np.nan, coverage=0.5)
    section = quality(shares, NAMES, coding="midpoint")
    rows = section.table.set_index("windows of")
    assert rows["windows"].to_dict() == {"all windows": 60, "low": 24, "high": 24}
    assert rows.loc["all windows", "trusted pulse"] == "98.3%"
    low = table[table["label_arousal"] <= 5]["quality"]
    assert rows.loc["low", "quality"].startswith(f"{low.median():.2f} [")
    assert rows.loc["low", "rejected or corrected beats"] == "25.0%"
    assert rows.loc["low", "ectopic beats"] == ""  # unknown is not 0


def test_withheld_windows_are_counted_by_reason(table) -> None:
    reasons = ["ok"] * 60
    reasons[:3] = ["too few beats: 2", "too few beats: 1", "no clear pulse: quality 0.1"]
    some = table.assign(reason=reasons, eda_reason=["ok"] * 59 + ["not worn"])
    (section,) = withheld(some)
    assert section.table[["signal", "reason", "windows"]].to_numpy().tolist() == [
        ["pulse", "too few beats", 2],
        ["pulse", "no clear pulse", 1],
        ["eda", "not worn", 1],
    ]
    assert closing(some).startswith(
        "Withheld: 1 of 60 windows (2%) have no trusted pulse. Reasons: too few beats (2), "
    )
    all_trusted = table.dropna(subset="hr_bpm").assign(reason="ok")
    assert withheld(all_trusted) == []
    assert closing(all_trusted) == "Withheld: nothing; all 59 windows have a trusted pulse."


def test_heart_rate_by_class_has_an_effect_inside_people(table) -> None:
    (section,) = heart(table, NAMES, coding="midpoint")
    row = section.table.set_index("feature").loc["heart rate (bpm)"]
    labelled = table.dropna(subset=["label_arousal", "hr_bpm"])
    means = labelled.groupby(["subject", labelled["label_arousal"] > 5])["hr_bpm"].mean().unstack()
    difference = (means[True] - means[False]).to_numpy()
    assert row["first → second"] == "low → high"
    assert row["first"] == f"{means[False].mean():.1f} ({means[False].std():.1f})"
    assert row["difference"].startswith(f"{difference.mean():.1f} [")
    assert row["effect size"].startswith(f"{difference.mean() / difference.std(ddof=1):.2f} [")
    assert (row["measure"], row["people"]) == ("d_z", 4)
    assert f"{BOOTSTRAP_DRAWS} draws of people" in section.table_caption
    assert "Hedges" not in section.table_caption
    left, right = section.figures[0][0].axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("heart rate (bpm)", "RMSSD (ms)")
    drawn = sorted(tuple(line.get_ydata()) for line in left.lines[:4])
    assert drawn == sorted(map(tuple, means.to_numpy()))


def test_heart_rate_against_numbers_is_a_correlation_inside_people(table) -> None:
    (section,) = heart(table, {"arousal": ()}, coding="as_is")
    row = section.table.set_index("feature").loc["heart rate"]
    labelled = table.dropna(subset=["label_arousal", "hr_bpm"])
    r = [np.corrcoef(o["hr_bpm"], o["label_arousal"])[0, 1] for _, o in labelled.groupby("subject")]
    assert row["mean r"].startswith(f"{np.mean(r):.2f} [")
    assert row["people"] == 4


def test_without_heart_rates_there_is_no_such_section(table) -> None:
    assert heart(table.drop(columns=["hr_bpm", "rmssd_ms"]), NAMES, coding="midpoint") == []


def test_curves_are_drawn_for_heads_alone_with_their_areas(results) -> None:
    (section,) = classification.roc_and_precision(results, NAMES)
    roc, precision = (figure for figure, _ in section.figures)
    own = results.predictions.query("head == 'plain' and has_features")
    auroc = np.mean([roc_auc_score(p["truth"], p["p_1"]) for _, p in own.groupby("subject")])
    assert [axis.get_title() for axis in roc.axes] == [f"plain\nAUROC {auroc:.2f}"]
    assert roc.axes[0].get_xlabel() == "false positive rate"
    averages = [average_precision_score(p["truth"], p["p_1"]) for _, p in own.groupby("subject")]
    assert precision.axes[0].get_title() == f"plain\nAP {np.mean(averages):.2f}"
    assert "ROC curves for “high”. Curves of 4 of 4 people" in section.figures[0][1]


def test_curves_do_not_measure_where_the_pulse_is_missing(results) -> None:
    """Heads that know nothing, and withheld windows in one class alone: no curve above chance."""
    draw = np.random.default_rng(5)
    windows = pd.DataFrame(
        {"truth": np.tile([0.0, 1.0], 200), "subject": np.repeat(["a", "b"], 200)}
    )
    missing = (windows["truth"] == 1) & (draw.uniform(size=400) < 0.8)
    known = np.where(missing, 0.9, draw.uniform(size=400))
    windows = windows.assign(target="arousal", head="plain", p_1=known, has_features=~missing)
    assert roc_auc_score(windows["truth"], windows["p_1"]) > 0.75
    (section,) = classification.roc_and_precision(replace(results, predictions=windows), NAMES)
    title = section.figures[0][0].axes[0].get_title()
    assert abs(float(title.split()[-1]) - 0.5) < 0.15
    (section,) = classification.calibration(replace(results, predictions=windows), NAMES)
    assert "with a trusted pulse together" in section.figures[0][1]


def test_several_classes_have_a_curve_each(results) -> None:
    draw = np.random.default_rng(0)
    predictions = results.predictions.query("head == 'plain'").copy()
    predictions["truth"] = draw.integers(0, 3, len(predictions))
    predictions[["p_0", "p_1", "p_2"]] = draw.dirichlet([1, 1, 1], len(predictions))
    many = replace(results, predictions=predictions)
    (section,) = classification.roc_and_precision(many, {"arousal": ("calm", "glad", "tense")})
    axis = section.figures[0][0].axes[0]
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["calm", "glad", "tense"]
    assert classification.calibration(many, {"arousal": ("calm", "glad", "tense")}) == []


def test_features_are_listed_with_unit_and_share_of_windows(results, table) -> None:
    more = table.assign(lf_ms2=np.nan, emb_000=0.1, emb_001=0.2)
    section = feature_list(results, more)
    rows = section.table.set_index("feature")
    assert list(rows.index) == ["hr_bpm", "rmssd_ms", "emb_000 … emb_001"]
    assert rows.loc["rmssd_ms", ["unit", "source", "windows"]].tolist() == [
        "ms",
        "Task Force 1996",
        "98%",
    ]
    assert "no window has a value (most need longer windows): lf_ms2." in section.text[0]


def test_what_the_package_cannot_know_is_left_to_the_authors(stress, table) -> None:
    published = " ".join(declarations(stress).text)
    assert "licence: MIT; https://doi.org/10.3390/s22218135" in published
    assert "Approval and consent for Stress-Predict are described by the authors" in published
    assert "To be stated" not in published
    own = " ".join(declarations(table).text)
    assert "d: to be stated by the authors: where the recordings are available" in own
    assert "Ethics. To be stated by the authors for d: the ethics committee" in own


def test_the_number_of_draws_and_the_tests_are_named(results) -> None:
    means = results.summary()
    section = findings.scores(results, means, NAMES)
    assert f"{BOOTSTRAP_DRAWS} draws of people" in section.figures[0][1]
    assert "permutation test, one-sided" in section.table_caption
    (section,) = findings.null(results)
    assert "plain: permutation test, exact under the null hypothesis" in section.text[0]
    pairs = pd.DataFrame({"target": ["arousal"], "head": ["a"], "other": ["b"], "p": [0.5]})
    (section,) = findings.pairs(pairs)
    assert "two-sided Wilcoxon signed-rank test (exact for up to 25 people" in section.table_caption


def test_the_paragraph_for_a_paper_states_the_study(stress_results, stress, results, table) -> None:
    text = paragraph(stress_results, stress)
    assert "We predicted stress from contact pulse (PPG) of 3 people (Stress-Predict)" in text
    assert "36 windows of 60 s; successive windows of a trial start 30 s apart" in text
    assert "3% of the windows had no trusted pulse. We evaluated plain (scikit-learn" in text
    assert f"bootstrap intervals ({BOOTSTRAP_DRAWS} draws of people" in text
    assert text.endswith("No test was made.")
    assert "label permutation within people (Phipson and Smyth 2010)" in paragraph(results, table)
    pooled = replace(results, settings=replace(results.settings, over_people=("arousal",)))
    assert "label permutation between people" in paragraph(pooled, table)
    section = methods(results, table, {})
    assert paragraph(results, table) in section.text
    assert any(line.startswith("Brodersen et al. 2010. ") for line in section.references)
