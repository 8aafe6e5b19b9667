"""An evaluation is a value: shown in a line, saved whole, loaded as it was, refused if damaged."""

import json
import re
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from emotion_rppg import Evaluation, evaluate
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation import result
from emotion_rppg.evaluation.statistics import between_heads, summary
from emotion_rppg.report.evaluation import write_evaluation
from emotion_rppg.runtime.parallel import map_in_order

from .test_evaluation import study

TABLES = tuple(result.FILES)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """People and a trial whose names a careless reader takes for numbers or missing values."""
    names = {"s0": "01", "s1": "NA", "s2": 'a "quoted", name', "s3": "None"}
    table = study(4, effect=2.0)
    table = table.assign(subject=table["subject"].map(names), label_valence=table["label_arousal"])
    table["label_valence"] = table["label_valence"].iloc[::-1].to_numpy()
    return table.assign(scale_valence="1..9")


@pytest.fixture(scope="module")
def results(table: pd.DataFrame) -> Evaluation:
    heads = {
        "plain": OnFeatures(LogisticRegression()),
        "strict": OnFeatures(LogisticRegression(C=0.01)),
    }
    how = {"normalise": "calibration", "calibration_s": 100.0, "extra_features": ("quality",)}
    return evaluate(
        table, target=["arousal", "valence"], heads=heads, permutations=3, importance=1, **how
    )


@pytest.fixture(scope="module")
def bare(table: pd.DataFrame) -> Evaluation:
    """Of numbers, without p values and importance."""
    heads = {"ridge": OnFeatures(Ridge())}
    return evaluate(table, target="arousal", coding="as_is", heads=heads, permutations=0, seed=3)


def assert_same(one: Evaluation, other: Evaluation) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.settings == other.settings


# ---- the value -----------------------------------------------------------------------------------


def test_every_table_has_its_columns_even_if_empty(results, bare) -> None:
    for found in (results, bare):
        assert list(found.null) == ["target", "head", "observed", "score", "p", "test"]
        assert list(found.importance) == ["target", "head", "subject", "group", "drop"]
        assert list(found.excluded) == ["target", "reason", "rows"]
        assert "task" not in found.scores
        assert found.scores.attrs == found.predictions.attrs == {}
    assert len(results.null) == 2 * 2 * 3
    assert len(results.importance)
    assert len(bare.null) == len(bare.importance) == 0


def test_the_settings_are_the_arguments(results, bare) -> None:
    how = results.settings
    assert how.targets == ("arousal", "valence")
    assert (how.split, how.coding, how.normalise) == ("loso", "midpoint", "calibration")
    assert (how.calibration_s, how.extra_features) == (100.0, ("quality",))
    assert (how.permutations, how.importance, how.seed) == (3, 1, 0)
    assert set(how.heads) == set(results.scores["head"])
    assert "C=0.01" in how.heads["strict"]
    assert (bare.settings.coding, bare.settings.seed) == ("as_is", 3)


def test_it_is_frozen_and_equal_to_itself_alone(results) -> None:
    with pytest.raises(FrozenInstanceError):
        results.scores = results.null
    with pytest.raises(FrozenInstanceError):
        results.settings.seed = 1
    assert results == results
    assert results != replace(results)


def test_its_summary_is_that_of_its_tables(results, bare) -> None:
    for found, metric in ((results, "balanced_accuracy"), (bare, "ccc")):
        assert found.metric == metric
        means = summary(found.scores, null=found.null)
        pd.testing.assert_frame_equal(found.summary(), means)
        pairs = between_heads(found.scores, metric=metric)
        pd.testing.assert_frame_equal(found.between_heads(), pairs)
    assert set(results.summary(metrics=["auroc"])["metric"]) == {"auroc"}
    assert results.summary()["p"].notna().sum() == 2 * 2
    assert "p_permutation" not in summary(results.scores)


def test_it_is_shown_with_heads_beside_dummies(results, bare) -> None:
    means = results.summary().set_index(["target", "head"])["mean"]
    line = repr(results)
    assert "\n" not in line
    assert f"Evaluation(loso, 4 people; arousal: plain {means['arousal', 'plain']:.2f}" in line
    assert f" beside majority {means['arousal', 'majority']:.2f}" in line
    assert f"valence: plain {means['valence', 'plain']:.2f}" in line
    assert "\n" not in repr(bare)
    html = results._repr_html_()
    cells = [re.findall("<td>(.*?)</td>", row) for row in html.split("<tr>")[1:]]
    assert [row[:3] for row in cells] == [
        [target, head, "dummy or baseline" if dummy else "head"]
        for target, head, dummy in results.summary()[["target", "head", "dummy"]].to_numpy()
    ]
    named = replace(results, scores=results.scores.replace({"head": {"plain": "<b>plain</b>"}}))
    assert "<b>" not in named._repr_html_()


@pytest.mark.slow
def test_a_worker_process_returns_it_unchanged(results) -> None:
    for returned in map_in_order(replace, [(results,), (results,)], workers=2):
        assert_same(returned, results)


# ---- on disk -------------------------------------------------------------------------------------


def test_a_saved_evaluation_loads_unchanged(results, bare, tmp_path) -> None:
    assert tuple(field.name for field in fields(Evaluation)) == (
        *(*TABLES, "settings", "sources"),  # sources: test_sources.py
    )
    for number, found in enumerate((results, bare)):
        folder = found.save(tmp_path / str(number))
        assert_same(Evaluation.load(folder), found)
    results.save(tmp_path / "1")  # our own folder may be replaced
    assert_same(Evaluation.load(tmp_path / "1"), results)


@pytest.mark.slow
def test_the_folder_of_a_report_is_loaded_too(results, table, tmp_path) -> None:
    out = tmp_path / "out"
    means = write_evaluation(results, table, out, arguments={})
    names = {path.name for path in out.iterdir()}
    assert names == {*result.FILES.values(), result.SETTINGS} | {
        "summary.csv",
        "pairs.csv",
        "report.html",
        "run.json",
    }
    assert_same(Evaluation.load(out), results)
    pd.testing.assert_frame_equal(Evaluation.load(out).summary(), means)


def test_a_folder_of_others_is_not_replaced(results, tmp_path) -> None:
    (tmp_path / "settings.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match="is not an output of emotion-rppg"):
        results.save(tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text()) == {"mine": 1}


def test_nothing_is_written_where_saving_fails(results, tmp_path) -> None:
    wrong = replace(results, null=None)
    with pytest.raises(AttributeError):
        wrong.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*result.FILES.values(), result.SETTINGS])
def test_a_missing_file_is_named(results, tmp_path, name) -> None:
    folder = results.save(tmp_path / "out")
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"it lacks {name};"):
        Evaluation.load(folder)


def test_another_folder_is_refused_with_the_missing_files(tmp_path) -> None:
    with pytest.raises(InputError, match=r"lacks settings\.json, results\.csv, predictions\.parq"):
        Evaluation.load(tmp_path / "none")
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"lacks settings\.json, predictions\.parquet, null\.csv"):
        Evaluation.load(tmp_path)


@pytest.mark.parametrize("name", result.FILES.values())
def test_a_damaged_table_is_refused(results, tmp_path, name) -> None:
    folder = results.save(tmp_path / "out")
    whole = (folder / name).read_bytes()
    wrong = [b"", b"\x80\x04cos\nsystem\n", whole[: len(whole) // 2], b"target\nvalence\n"]
    for content in wrong if name.endswith(".parquet") else (*wrong[:2], wrong[3]):
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            Evaluation.load(folder)


def test_text_in_number_columns_is_refused(results, tmp_path) -> None:
    folder = results.save(tmp_path / "out")
    table = pd.read_csv(folder / "excluded.csv").astype({"rows": object})
    table.loc[0, "rows"] = "many"
    table.to_csv(folder / "excluded.csv", index=False)
    with pytest.raises(InputError, match=r"excluded\.csv cannot be read"):
        Evaluation.load(folder)


def _without_seed(content: dict) -> None:
    del content["settings"]["seed"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(kind="model"), "is not the settings file of an evaluation"),
        (lambda c: c.update(version=2), "has version 2, this package reads 1"),
        (lambda c: c.update(settings=[]), "lacks the settings"),
        (_without_seed, "seed is missing"),
        (lambda c: c["settings"].update(later=1), "unknown field 'later'"),
        (lambda c: c["settings"].update(seed="0"), "seed is '0', want int"),
        (lambda c: c["settings"].update(seed=True), "seed is True, want int"),
        (lambda c: c["settings"].update(heads={"a": 1}), "heads is {'a': 1}, want Mapping"),
        (lambda c: c["settings"].update(ablate="quality"), "ablate is 'quality', want tuple"),
        (lambda c: c["settings"].update(targets=["joy"]), "files of two evaluations are mixed"),
    ],
)
def test_unusable_settings_are_refused_with_the_reason(results, tmp_path, change, says) -> None:
    folder = results.save(tmp_path / "out")
    content = json.loads((folder / result.SETTINGS).read_text())
    change(content)
    (folder / result.SETTINGS).write_text(json.dumps(content))
    with pytest.raises(InputError, match=says):
        Evaluation.load(folder)


def test_settings_that_are_no_json_are_refused(results, tmp_path) -> None:
    folder = results.save(tmp_path / "out")
    for text in ("{half", "[" * 100_000, "[1]"):
        (folder / result.SETTINGS).write_text(text)
        with pytest.raises(InputError, match=r"settings\.json"):
            Evaluation.load(folder)


@pytest.mark.slow
def test_damaged_bytes_in_the_predictions_raise_an_input_error_or_load(results, tmp_path) -> None:
    folder = results.save(tmp_path / "out")
    path = Path(folder / "predictions.parquet")
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(InputError):
            Evaluation.load(folder)
