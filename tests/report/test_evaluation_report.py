"""What a reviewer reads in the report is what the evaluation found."""

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import evaluate, metrics
from emotion_rppg.cli import app
from emotion_rppg.recordings import Recording
from emotion_rppg.report.evaluation import protocol
from emotion_rppg.report.plots import evaluation, signals
from emotion_rppg.report.sections import classification, findings
from emotion_rppg.report.sections.examples import examples
from emotion_rppg.report.sections.people import data
from emotion_rppg.runtime.tables import read_table
from emotion_rppg.signals import Signal
from tests.datasets.fakes import FAKES

NAMES = {"arousal": ("low", "high")}


def text_of(folder: Path) -> str:
    page = (folder / "report.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def test_every_scored_window_is_saved_with_person_time_and_prediction(folder, table) -> None:
    predictions = read_table(folder / "predictions.parquet")
    plain = predictions[predictions["head"] == "plain"]
    assert sorted(plain["row"]) == list(table.index[table["label_arousal"].notna()])
    requested = table.loc[plain["row"]]
    for column in ("session", "trial", "start_s", "duration_s"):
        assert (plain[column].to_numpy() == requested[column].to_numpy()).all()
    predicted = plain[plain["has_features"]]
    np.testing.assert_allclose(predicted["p_0"] + predicted["p_1"], 1)
    assert plain.loc[~plain["has_features"], ["predicted", "p_0", "p_1"]].isna().all(axis=None)
    results = read_table(folder / "results.csv")
    for _, row in results[results["head"] == "plain"].iterrows():
        own = plain[plain["subject"] == row["subject"]]
        own = own[own["has_features"]]
        by_hand = metrics.balanced_accuracy(own["truth"], own["predicted"])
        assert by_hand == pytest.approx(row["balanced_accuracy"])


def test_the_page_states_who_was_excluded_and_why(folder) -> None:
    text = text_of(folder)
    assert "60 windows; 12 have no label; 48 were scored." in text
    assert "4 of 5 people were tested" in text
    assert (
        "47 of 48 scored windows have a trusted pulse (coverage 97.9%; lowest coverage of a person "
        "91.7%)" in text
    )
    assert re.search(r"pulse\s+no pulse <to> trust\s+1\s+1.7%", text)
    assert "Withheld: 1 of 60 windows (2%) have no trusted pulse. Reasons: no pulse <to>" in text
    assert re.search(r"d/s0\s+12\s+0\s+0\s+0\s+0\s+0\s+no label", text)
    assert "arousal is high where its rating is strictly above (>) the middle" in text


def test_the_page_has_every_section_and_a_p_beside_the_head(folder, results) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", (folder / "report.html").read_text(encoding="utf-8"))
    assert titles == [
        "Protocol",
        "Data: arousal",
        "Signal quality",
        "Withheld values",
        "Heart rate and RMSSD by class: arousal",
        "Results",
        "Scores of each person: arousal",
        "Scores under label permutation",
        "All scores",
        "ROC and precision–recall curves",
        "Confusion matrices",
        "Calibration of probabilities",
        "Feature importance",
        "Examples: arousal",
        "Features",
        "Methods",
        "Data, code and ethics",
    ]  # one head: no pairs
    assert "International Conference on Pattern Recognition" in text_of(folder)  # references
    p = results.null["p"].iloc[0]
    assert re.search(
        rf"plain\s+4\s+[\d.]+\s+\[[\d., ]+\]\s+[\d.-]+\s+{p:.3f}\s+{p:.3f}", text_of(folder)
    )


def test_confusion_counts_are_the_windows(results) -> None:
    (section,) = classification.confusion(results, NAMES)
    axes = [axis for axis in section.figures[0][0].axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == list(dict.fromkeys(results.scores["head"]))
    predictions = results.predictions
    own = predictions[(predictions["head"] == "plain") & predictions["has_features"]]
    shown = [t.get_text() for t in axes[-1].texts]
    for k, (truth, predicted) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        n = int(((own["truth"] == truth) & (own["predicted"] == predicted)).sum())
        assert shown[k] == f"{n / (own['truth'] == truth).sum():.0%}\n{n}"


def test_calibrated_probabilities_lie_on_the_diagonal() -> None:
    draw = np.random.default_rng(0)
    probability = draw.uniform(size=20000)
    predictions = pd.DataFrame(
        {"head": "h", "truth": draw.uniform(size=20000) < probability, "p_1": probability}
    )
    axis = evaluation.reliability(predictions, ["h"]).axes[0]
    curve = axis.lines[-1].get_xydata()
    assert len(curve) == 10
    assert np.abs(curve[:, 0] - curve[:, 1]).max() < 0.05
    assert "ECE 0.01" in axis.get_title() or "ECE 0.00" in axis.get_title()


def test_probabilities_of_equal_classes_lie_on_the_dashed_line() -> None:
    """High is one row in five: the line is where right odds of equal classes come to lie."""
    draw = np.random.default_rng(0)
    truth = draw.uniform(size=40000) < 0.2
    feature = draw.normal(np.where(truth, 0.7, -0.7))
    predictions = pd.DataFrame(
        {"head": "h", "truth": truth, "p_1": 1 / (1 + np.exp(-2 * 0.7 * feature))}
    )
    axis = evaluation.reliability(predictions, ["h"]).axes[0]
    dashed, curve = axis.lines[1].get_xydata(), axis.lines[2].get_xydata()
    expected = np.interp(curve[:, 0], dashed[:, 0], dashed[:, 1])
    assert np.abs(curve[:, 1] - expected).max() < 0.05


def test_each_person_is_a_dot_and_dummies_are_grey(results) -> None:
    scores, means = results.scores, results.summary()
    axis = evaluation.plot_people(scores, means, metric="balanced_accuracy", chance=0.5).axes[0]
    dots = [line for line in axis.lines if line.get_alpha()]
    assert [len(line.get_xdata()) for line in dots] == [4] * 5
    assert [line.get_color() for line in dots] == [signals.BLUE, *[signals.GREY] * 4]
    assert sorted(dots[0].get_xdata()) == sorted(
        scores.loc[scores["head"] == "plain", "balanced_accuracy"]
    )


def test_a_large_study_lists_only_those_who_were_not_tested(results, table, monkeypatch) -> None:
    from emotion_rppg.report.sections import people

    monkeypatch.setattr(people, "MOST_ROWS", 4)
    (section,) = data(results, table, NAMES)
    assert list(section.table["person"]) == ["d/s0"]
    assert "Only people who were not tested" in section.table_caption


def beating(bpm: float, seconds: float) -> Signal:
    t = np.arange(int(64 * seconds)) / 64
    return Signal(np.sin(2 * np.pi * bpm / 60 * t), 64.0, kind="bvp")


@pytest.mark.slow
def test_examples_are_the_best_the_median_and_the_worst(results, table) -> None:
    requested = []

    def waves(names):
        requested.extend(names)
        for name in names:
            for trial in range(4):
                yield Recording("d", name[2:], "1", str(trial)), beating(75, 120)

    (section,) = examples(results, table, NAMES, waves=waves)
    scores = results.scores.query("head == 'plain'").set_index("subject")["balanced_accuracy"]
    assert scores[requested[0]] == scores.max()
    assert scores[requested[-1]] == scores.min()
    assert len(section.figures) == len(requested) + 1  # the last: their waves
    above, below = section.figures[0][0].axes
    assert len(above.lines) == 4  # beats of four recordings, one behind the other
    begins = [line.get_xdata()[0] for line in above.lines]
    np.testing.assert_allclose(np.diff(begins), 2, atol=0.02)
    intervals = np.concatenate([line.get_ydata() for line in above.lines])
    assert abs(np.nanmedian(intervals) - 800) < 5
    predictions = results.predictions.query("head == 'plain' and subject == @requested[0]")
    assert sorted(below.lines[0].get_ydata()) == sorted(predictions["p_1"])


def test_without_signals_the_examples_come_from_the_table(results, table) -> None:
    (section,) = examples(results, table, NAMES)
    assert len(section.figures) == 3
    assert "heart rate of each window" in section.text[0]


def test_numbers_and_many_classes_are_drawn_over_time() -> None:
    predictions = pd.DataFrame(
        {"middle_s": [30.0, 60.0], "duration_s": 60.0, "hr_bpm": 70.0, "truth": [2.0, 0.0]}
    ).assign(predicted=[1.0, 0.0])
    for names in ((), ("calm", "glad", "tense")):
        below = evaluation.plot_predictions_over_time(predictions, names).axes[1]
        assert list(below.lines[0].get_ydata()) == [2.0, 0.0]
        assert list(below.lines[1].get_ydata()) == [1.0, 0.0]


@pytest.mark.slow
def test_the_command_line_draws_examples_and_says_how_to_repeat_it(tmp_path) -> None:
    root = tmp_path / "fake"
    FAKES["stress-predict"](root)
    words = f"evaluate --dataset stress-predict --root {root} --target stress --heads logistic"
    out = tmp_path / "result"
    run = CliRunner().invoke(
        app, [*words.split(), "--length", "10", "--step", "5", "--out", str(out)]
    )
    assert run.exit_code == 0, run.output
    text = text_of(out)
    assert "intervals between beats" in text
    assert "Known pitfalls of these data: the label is the task, not a rating" in text
    assert "raw p" in text
    assert f"emotion-rppg {words.split(' --target')[0]}" in text
    assert "--source auto --length 10.0 --step 5.0 --target stress" in text


def test_the_protocol_names_the_seconds_of_the_calibration(table) -> None:
    how = {"heads": [], "normalise": "calibration", "calibration_s": 150.0}
    text = " ".join(protocol(evaluate(table, target="arousal", **how), table).text)
    assert "the mean over each person's first 150 s was subtracted" in text


def test_joined_folds_are_stated_only_where_folds_were_joined(results) -> None:
    for permutations, expected in ((None, True), (20, False)):
        settings = replace(results.settings, permutations=permutations)
        (section,) = findings.null(replace(results, settings=settings))
        assert ("at most five folds" in " ".join(section.text)) is expected
