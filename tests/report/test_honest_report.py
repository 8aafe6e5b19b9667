"""The report and the console say what a sceptic asks: one class, chance, withheld, whose data."""

import html
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from emotion_rppg import evaluate, extract
from emotion_rppg.cli import app
from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.evaluation.result import Evaluation, Settings
from emotion_rppg.report.evaluation import protocol, write_evaluation
from emotion_rppg.report.page import Section
from emotion_rppg.report.plots import evaluation
from emotion_rppg.report.sections import findings
from emotion_rppg.runtime.tables import write_table
from tests.datasets.fakes import FAKES

QUICK = {"plain": OnFeatures(LogisticRegression())}
score = partial(evaluate, target="arousal", heads=QUICK, permutations=0)


def text_of(page) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_people_of_one_class_are_marked_on_the_page(table, tmp_path) -> None:
    marked = table.copy()
    marked.loc[marked["subject"] == "s2", "label_arousal"] = 7.0
    results = score(marked)
    write_evaluation(results, marked, tmp_path / "out", arguments={})
    text = text_of(tmp_path / "out" / "report.html")
    assert "1 of 4 people have one class only (d/s2)" in text
    assert re.search(r"d/s2\s+12\s+12\s+12\s+12\s+0\s+12\s+high", text)
    saved = pd.read_csv(tmp_path / "out" / "results.csv")
    assert saved.loc[saved["subject"] == "d/s2", "one_class"].unique() == ["high"]
    assert saved.loc[saved["subject"] == "d/s2", "balanced_accuracy"].isna().all()
    assert set(pd.read_csv(tmp_path / "out" / "summary.csv")["one_class"]) == {1}


@pytest.mark.slow
def test_a_label_of_people_is_scored_over_people_on_the_page(table, tmp_path) -> None:
    pooled = table.assign(label_arousal=np.where(table["subject"] > "s2", 7.0, 3.0))
    results = score(pooled)
    write_evaluation(results, pooled, tmp_path / "out", arguments={})
    text = text_of(tmp_path / "out" / "report.html")
    assert "no person has two different labels" in text
    scores, means = results.scores, results.summary()
    axis = evaluation.plot_people(scores, means, metric="balanced_accuracy", chance=None).axes[0]
    dots = [line for line in axis.lines if line.get_alpha()]
    own = scores.loc[scores["head"] == "plain", "accuracy"]
    assert sorted(dots[0].get_xdata()) == sorted(own)


def test_chance_is_drawn_where_the_random_draws_are(results) -> None:
    means = results.summary()
    drawn = means.set_index("head").loc["stratified"]
    figure = findings.scores(results, means, {"arousal": ("low", "high")}).figures[0][0]
    (line,) = (line for line in figure.axes[0].lines if line.get_linestyle() == ":")
    assert line.get_xdata()[0] == drawn["mean"]
    (span,) = figure.axes[0].patches
    assert span.get_x() == drawn["ci_low"]
    assert span.get_x() + span.get_width() == pytest.approx(drawn["ci_high"])
    assert drawn["ci_low"] < 0.5 < drawn["ci_high"]


def test_the_table_has_the_share_withheld_and_the_scores_without(results) -> None:
    means = results.summary()
    shown = findings.scores(results, means, {"arousal": ("low", "high")}).table.set_index("head")
    row, wanted = shown.loc["plain"], means.set_index("head").loc["plain"]
    assert row["withheld"] == wanted["withheld"] == pytest.approx(1 / 48)
    assert row["of each class"] == wanted["withheld_of_class"]
    assert row["good quality"] == wanted["mean_good"]
    assert 0 < row["share good"] < 1


@pytest.mark.slow
def test_the_console_shows_scores_and_shares_too(table, tmp_path) -> None:
    path = write_table(table, tmp_path / "t.csv")
    words = f"evaluate --table {path} --target arousal --heads logistic --permutations 0"
    run = CliRunner().invoke(app, [*words.split(), "--out", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    assert "2.1% of the windows have no trusted pulse" in run.output
    saved = Evaluation.load(tmp_path / "out")
    assert (saved.settings.targets, saved.settings.permutations) == (("arousal",), 0)
    assert len(saved.predictions) == 5 * 48
    head, *rows = run.output.splitlines()
    assert head.split()[-3:] == ["p", "good", "quality"] or head.split()[-2:] == ["good", "quality"]
    assert [row.split()[1] for row in rows[:5]] == [
        "majority",
        "stratified",
        "subject_prior",
        "quality_alone",
        "logistic",
    ]
    pooled = table.assign(label_arousal=np.where(table["subject"] > "s2", 7.0, 3.0))
    write_table(pooled, path)
    run = CliRunner().invoke(app, [*words.split(), "--out", str(tmp_path / "out")])
    assert "arousal: no person has two different labels; scores are over people" in run.output


# ---- facts of a data set -------------------------------------------------------------------------


def test_every_reader_of_a_published_set_names_itself_in_its_recordings(tmp_path) -> None:
    root = FAKES["stress-predict"](tmp_path / "fake")
    assert root is not None
    recordings = list(DATASETS["stress-predict"](tmp_path / "fake"))
    assert {recording.reader for recording in recordings} == {"stress-predict"}
    table = extract(recordings[:2], length_s=None, source="bvp")
    assert [card.name for card in cards_of(table)] == ["stress-predict"]
    assert "Known pitfalls of these data" in " ".join(_protocol(table).text)


def test_a_folder_called_as_a_published_set_is_not_taken_for_it(tmp_path) -> None:
    folder = FAKES["folder"](tmp_path / "wesad")
    assert folder is not None
    (tmp_path / "wesad" / "manifest.json").write_text(
        '{"dataset": "wesad", "scales": {"arousal": [1, 9]}}', encoding="utf-8"
    )
    table = extract(tmp_path / "wesad", length_s=None)
    assert set(table["dataset"]) == {"wesad"}
    assert set(table["reader"]) == {""}
    assert cards_of(table) == []
    section = _protocol(table.assign(dataset="synthetic"))
    assert "Known pitfalls of these data" not in " ".join(section.text)
    assert section.warning == ""


def test_a_synthetic_study_has_a_warning_whatever_reads_it(tmp_path) -> None:
    write_study(tmp_path / "mine", people=2, trials=2, duration_s=4.0, video=False)
    table = extract(list(Folder(tmp_path / "mine")), length_s=None)
    assert set(table["reader"]) == {"synthetic"}
    assert "These people are synthetic" in _protocol(table).warning


def _protocol(table: pd.DataFrame) -> Section:
    label = next(c for c in table if c.startswith("label_")).removeprefix("label_")
    settings = Settings(
        targets=(label,),
        heads={},
        split="loso",
        coding="fixed(3)",
        normalise="none",
        calibration_s=240.0,
        probabilities="own",
        ablate=(),
        encoder=None,
        extra_features=(),
        allow_unknown_training=False,
        permutations=0,
        importance=0,
        seed=0,
        over_people=(),
    )
    scores, nothing = pd.DataFrame({"unknown_training": [False], "leaky": [False]}), pd.DataFrame()
    results = Evaluation(scores, nothing, nothing, nothing, nothing, settings)
    return protocol(results, table)
