"""What does each source add: planted sources are found, and a lower score is always said."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from typer.testing import CliRunner

import emotion_rppg
from emotion_rppg import Evaluation
from emotion_rppg.cli import app
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.design_matrix import Matrix
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.result import Settings
from emotion_rppg.evaluation.source_statistics import between_sources, in_words
from emotion_rppg.evaluation.sources import late_fusion, select_kinds
from emotion_rppg.evaluation.statistics import holm
from emotion_rppg.features.sources import chosen_sources, of_sources, sources_in
from emotion_rppg.report.evaluation import write_evaluation
from emotion_rppg.report.sections.sources import figure, sentences
from emotion_rppg.runtime.tables import write_table

from .test_evaluation import study

HEAD = {"logistic": OnFeatures(LogisticRegression())}
evaluate = partial(
    emotion_rppg.evaluate,
    target="arousal",
    heads=HEAD,
    split="subject_folds",
    permutations=0,
    probabilities="own",
)
THREE = ("bvp", "eda", "temp")


def wesad_like(n_people: int = 10, *, eda: float = 1.5, seed: int = 0) -> pd.DataFrame:
    """The pulse and the temperature are noise, EDA follows the rating by ``eda``."""
    draw = np.random.default_rng([seed, 1])
    table = study(n_people, seed=seed)
    high = (table["label_arousal"] > 5).to_numpy(float)
    table["hr_bpm"] = draw.normal(70, 5, len(table))
    table["eda_tonic_us"] = 3.0 + eda * high + draw.normal(0, 1, len(table))
    table["eda_scr_per_min"] = 2.0 + eda * high + draw.normal(0, 1, len(table))
    table["temp_mean_c"] = draw.normal(33, 1, len(table))
    return table.assign(eda_quality=1.0, temp_quality=1.0)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """EDA is missing in every fifth window, the pulse in every seventh; some lack both."""
    table = wesad_like()
    rows = np.arange(len(table))
    table.loc[rows % 5 == 0, ["eda_tonic_us", "eda_scr_per_min"]] = np.nan
    table.loc[rows % 7 == 0, ["hr_bpm", "rmssd_ms"]] = np.nan
    return table


@pytest.fixture(scope="module")
def results(table: pd.DataFrame) -> Evaluation:
    return evaluate(table, sources=THREE)


def means(results: Evaluation, windows: str = "shared") -> dict[tuple[str, str], float]:
    found = results.summary_of_sources()
    found = found[found["windows"] == windows]
    return dict(
        zip(zip(found["fusion"], found["sources"], strict=True), found["mean"], strict=True)
    )


# ---- what is compared ----------------------------------------------------------------------------


def test_the_source_with_the_information_is_found(results) -> None:
    for windows in ("shared", "all"):
        mean = means(results, windows)
        assert mean["alone", "eda"] > 0.75
        assert mean["alone", "bvp"] < 0.65
        assert mean["alone", "temp"] < 0.65
        for fusion in ("early", "late"):
            assert mean[fusion, "bvp+eda+temp"] > mean[fusion, "bvp+temp"] + 0.1
    pairs = results.between_sources()
    pairs = pairs[pairs["windows"] == "shared"].set_index(["fusion", "added"])
    assert pairs.loc[("early", "eda"), "p"] < 0.05
    assert pairs.loc[("early", "eda"), "ci_low"] > 0
    assert pairs.loc[("early", "bvp"), "p"] > 0.05


def test_every_set_of_sources_is_compared_on_both_sets_of_windows(results) -> None:
    sets = {
        *(("alone", name) for name in THREE),
        *(
            (fusion, names)
            for fusion in ("early", "late")
            for names in ("bvp+eda+temp", "eda+temp", "bvp+temp", "bvp+eda")
        ),
    }
    assert set(means(results, "shared")) == set(means(results, "all")) == sets
    pairs = results.between_sources()
    expected = [("early", n) for n in THREE] + [("late", n) for n in (*THREE, "late fusion")]
    for windows in ("shared", "all"):
        own = pairs[pairs["windows"] == windows]
        assert list(zip(own["fusion"], own["added"], strict=True)) == expected


def test_shared_windows_are_those_with_every_source_trusted(table, results) -> None:
    complete = table[["hr_bpm", "eda_tonic_us", "temp_mean_c"]].notna().all(axis=1)
    counts = table[complete].groupby("subject").size()
    shared = results.sources[results.sources["windows"] == "shared"]
    for _, own in shared.groupby(["fusion", "sources"]):
        assert own.set_index("subject")["n"].rename(lambda s: s.removeprefix("d/")).equals(counts)
        assert (own["coverage"] == 1).all()
        assert (own["n_train"] < complete.sum()).all()


def test_late_fusion_uses_the_sources_that_are_there_on_all_windows(table, results) -> None:
    shares = results.summary_of_sources().query("windows == 'all'")
    share = dict(zip(zip(shares["fusion"], shares["sources"]), shares["predicted_share"]))  # noqa: B905
    trusted = table[["hr_bpm", "eda_tonic_us"]].notna()
    assert share["alone", "eda"] == pytest.approx(trusted["eda_tonic_us"].mean())
    assert share["early", "bvp+eda"] == pytest.approx(trusted.all(axis=1).mean())
    assert share["late", "bvp+eda"] == pytest.approx(trusted.any(axis=1).mean())
    assert share["late", "bvp+eda+temp"] == 1


@pytest.mark.slow
def test_two_sources_have_each_alone_and_both(table) -> None:
    results = evaluate(table, sources=("eda", "pulse"))
    assert list(means(results)) == [
        ("alone", "eda"),
        ("alone", "pulse"),
        ("early", "eda+pulse"),
        ("late", "eda+pulse"),
    ]
    pairs = results.between_sources().query("windows == 'shared' and fusion == 'early'")
    assert list(pairs["added"]) == ["eda", "pulse"]
    assert pairs["without"].tolist() == [means(results)["alone", n] for n in ("pulse", "eda")]


@pytest.mark.slow
def test_the_heads_themselves_use_the_columns_of_the_sources_only(table, results) -> None:
    """The evaluation with three sources is that of a table with these three."""
    more = table.assign(acc_rms_g=table["label_arousal"], acc_quality=1.0)
    again = evaluate(more, sources=THREE)
    own = again.scores[again.scores["head"] == "logistic"].reset_index(drop=True)
    was = results.scores[results.scores["head"] == "logistic"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, was)
    assert "movement_alone" in set(again.scores["head"])  # the baseline stays


def test_a_part_has_the_columns_and_tokens_of_its_kinds_only() -> None:
    names = ("rmssd_ms", "breath_rsa_ms", "breath_rate_per_min", "eda_tonic_us", "age")
    tokens = ("ibi_ms", "difference_ms")
    inputs = Matrix(np.arange(22.0).reshape(2, 11), 5, 2, names, tokens)
    breath = select_kinds(inputs, ["resp"])
    assert breath.names == ("breath_rate_per_min", "age")
    assert (breath.longest, breath.channels) == (0, ())
    both = select_kinds(inputs, ["resp", "pulse"])
    assert both.names == ("rmssd_ms", "breath_rsa_ms", "breath_rate_per_min", "age")
    assert both.channels == tokens
    np.testing.assert_array_equal(both.tokens, inputs.tokens)


def test_late_fusion_is_the_mean_over_trusted_sources() -> None:
    def part(trusted: list[bool], high: list[float]) -> pd.DataFrame:
        p = np.array(high)
        facts = {"has_features": trusted, "good_quality": trusted, "predicted": (p > 0.5) * 1.0}
        return pd.DataFrame({**facts, "p_0": 1 - p, "p_1": p})

    fused = late_fusion(
        [
            part([True, True, False, False], [0.9, 0.6, 0.4, 0.4]),
            part([True, False, True, False], [0.2, 0.1, 0.8, 0.4]),
        ],
        2,
    )
    assert fused is not None
    np.testing.assert_allclose(fused["p_1"], [0.55, 0.6, 0.8, np.nan])
    np.testing.assert_allclose(fused["predicted"], [1, 1, 1, np.nan])
    assert fused["has_features"].tolist() == [True, True, True, False]


@pytest.mark.slow
def test_a_head_without_probabilities_has_no_late_fusion(table) -> None:
    results = evaluate(table, sources=THREE, heads={"svc": OnFeatures(LinearSVC())})
    assert set(results.sources["fusion"]) == {"alone", "early"}
    assert "no late fusion, because the head gives no probabilities" in " ".join(sentences(results))


@pytest.mark.slow
def test_numbers_and_labels_of_people_are_compared_too(table) -> None:
    ridge = {"ridge": OnFeatures(Ridge())}
    numbers = evaluate(table, sources=("bvp", "eda"), coding="as_is", heads=ridge)
    assert means(numbers)["late", "bvp+eda"] > means(numbers)["alone", "bvp"] + 0.1
    people = table.assign(label_arousal=2.0 + 5.0 * (table["subject"].str[1:].astype(int) % 2))
    people["eda_tonic_us"] += people["label_arousal"]
    over = evaluate(people, sources=("bvp", "eda"))
    added = over.between_sources().set_index(["windows", "fusion", "added"])
    row = added.loc[("shared", "early", "eda")]
    assert row["with"] > row["without"] + 0.1
    assert row["people"] == 10
    assert np.isfinite(row["p"])


@pytest.mark.slow
def test_a_recurrent_head_reads_the_sequence_of_each_source() -> None:
    """EDA rises or falls about the same mean: no feature shows it, its sequence does."""
    draw = np.random.default_rng(3)
    table = wesad_like(6, eda=0.0)
    rising = np.where(table["label_arousal"] > 5, 1.0, -1.0)
    shape = np.linspace(-1, 1, 40) * rising[:, None] + 0.1 * draw.normal(size=(len(table), 40))
    texts = [" ".join(f"{value:.3f}" for value in row) for row in 3 + shape]
    with_sequences = table.assign(seq_eda_us=texts)
    head = {"lstm": SequenceHead(max_epochs=15, hidden=8, dropout=0.0)}
    mean = means(evaluate(with_sequences, sources=("bvp", "eda"), heads=head))
    assert mean["alone", "eda"] > 0.9
    assert mean["alone", "bvp"] < 0.7
    assert mean["late", "bvp+eda"] > 0.8
    assert mean["early", "bvp+eda"] > 0.8
    without = means(evaluate(table, sources=("bvp", "eda"), heads=head))
    assert without["alone", "eda"] < 0.7
    ablated = evaluate(with_sequences, sources=("bvp", "eda"), heads=head, ablate=("sequence",))
    assert means(ablated) == without


@pytest.mark.slow
def test_a_network_with_several_encoders_predicts_from_the_sources_that_are_there() -> None:
    table = wesad_like(6, eda=0.0)
    rising = np.where(table["label_arousal"] > 5, 1.0, -1.0)
    for column in ("seq_eda_us", "seq_temp_c"):
        rows = 3 + np.linspace(-1, 1, 30) * rising[:, None]
        table[column] = [" ".join(f"{value:.3f}" for value in row) for row in rows]
    lost = np.arange(len(table)) % 3 == 0
    table.loc[lost, [c for c in table if "eda" in str(c) and not str(c).endswith("quality")]] = (
        np.nan
    )
    head = {"lstm": SequenceHead(max_epochs=15, hidden=8, dropout=0.0)}
    results = evaluate(table, sources=("eda", "temp"), heads=head)
    own = results.summary_of_sources().set_index(["windows", "fusion", "sources"])
    assert own.loc[("all", "early", "eda+temp"), "predicted_share"] == 1
    assert own.loc[("all", "alone", "eda"), "predicted_share"] == pytest.approx(2 / 3)
    assert (own.loc["all"]["mean"].dropna() > 0.9).all()  # each where it predicts


# ---- what is said --------------------------------------------------------------------------------


def test_p_is_corrected_over_all_comparisons_of_shared_windows(results) -> None:
    pairs = results.between_sources()
    shared = pairs[pairs["windows"] == "shared"]
    np.testing.assert_allclose(shared["p"], holm(shared["p_uncorrected"].to_numpy()))
    assert pairs.loc[pairs["windows"] == "all", "p"].isna().all()
    np.testing.assert_allclose(pairs["difference"], pairs["with"] - pairs["without"], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "p", "people", "words"),
    [
        (-0.05, 0.2, 12, "lowered balanced accuracy by 0.050 (from 0.600 to 0.550; p = 0.200, no"),
        (-0.05, np.nan, 12, "lowered balanced accuracy by 0.050 (from 0.600 to 0.550; not tested)"),
        (0.05, 0.01, 12, "raised balanced accuracy by 0.050 (from 0.600 to 0.650; p = 0.010)"),
        (0.05, 0.1, 4, "p = 0.100, 4 people are too few for p < 0.05)"),
        (0.0, 1.0, 12, "changed balanced accuracy by less than 0.001 (from 0.600 to 0.600; p ="),
    ],
)
def test_every_change_is_said_in_words(change, p, people, words) -> None:
    row = pd.Series(
        {"fusion": "early", "added": "eda", "to": "bvp", "people": people, "without": 0.6}
        | {"with": 0.6 + change, "difference": change, "p": p}
    )
    text = in_words(row, "balanced accuracy")
    assert text.startswith("early fusion: adding eda to bvp ")
    assert words in text


def test_a_source_that_lowers_the_score_is_in_the_sentences(results) -> None:
    """Whatever the scores are, each comparison has its clause, with the right verb."""
    scores = results.sources.copy()
    worse = scores["sources"].eq("bvp+eda+temp") & scores["fusion"].eq("early")
    scores.loc[worse, "balanced_accuracy"] = 0.1
    changed = Evaluation(
        **{
            name: getattr(results, name)
            for name in ("scores", "predictions", "null", "importance", "excluded", "settings")
        },
        sources=scores,
    )
    text = " ".join(sentences(changed))
    for name, others in (("bvp", "eda+temp"), ("eda", "bvp+temp"), ("temp", "bvp+eda")):
        assert f"early fusion: adding {name} to {others} lowered balanced accuracy by" in text


def test_windows_lost_in_one_class_are_mentioned(table, results) -> None:
    assert "CAUTION" not in " ".join(sentences(results))
    uneven = wesad_like()
    lost = (uneven["label_arousal"] > 5) & (np.arange(len(uneven)) % 3 == 0)
    uneven.loc[lost, ["eda_tonic_us", "eda_scr_per_min"]] = np.nan
    text = " ".join(sentences(evaluate(uneven, sources=("bvp", "eda"))))
    assert "a source is missing in 0% of the windows of one class and in 33% of another" in text


def test_without_shared_windows_it_is_said_and_all_windows_are_compared(table) -> None:
    apart = table.copy()
    half = np.arange(len(apart)) % 2 == 0
    apart.loc[half, ["hr_bpm", "rmssd_ms"]] = np.nan
    apart.loc[~half, ["eda_tonic_us", "eda_scr_per_min"]] = np.nan
    with pytest.raises(InputError, match="no fold of the split 'subject_folds' has two classes"):
        evaluate(apart, sources=("bvp", "eda"))  # early fusion has nothing to learn from
    few = table.copy()
    few.loc[few["subject"] != "s0", ["hr_bpm", "rmssd_ms"]] = np.nan
    few.loc[few["subject"] == "s1", ["hr_bpm", "rmssd_ms"]] = 60.0
    few.loc[few["subject"] == "s1", ["eda_tonic_us", "eda_scr_per_min"]] = np.nan
    results = evaluate(few, sources=("bvp", "eda"))
    assert set(results.sources["windows"]) == {"all"}
    assert "nothing to compare, because fewer than two people" in " ".join(sentences(results))
    assert results.between_sources()["p"].isna().all()
    figure(results, few)


# ---- names and refusals --------------------------------------------------------------------------


def test_sources_are_named_as_in_the_table(table) -> None:
    assert sources_in(table) == {"bvp": "pulse", "eda": "eda", "temp": "temp"}
    for name in ("bvp", "ppg", "pulse"):
        assert chosen_sources(table, [name, "eda"]) == {name: "pulse", "eda": "eda"}
    mixed = table.assign(source=np.where(np.arange(len(table)) % 2, "ecg", "bvp"))
    assert next(iter(sources_in(mixed))) == "pulse"
    kept = of_sources(table, ["eda"])
    assert {"eda_tonic_us", "eda_quality", "temp_quality", "label_arousal"} <= set(kept)
    assert not {"hr_bpm", "temp_mean_c"} & set(kept)


def test_all_faults_of_the_sources_are_listed_together(table) -> None:
    with pytest.raises(InputError) as refused:
        chosen_sources(table.assign(temp_mean_c=np.nan), ["ecg", "acc", "eda", "eda", "temp"])
    message = str(refused.value)
    assert "the pulse of the table is not 'ecg' but 'bvp'" in message
    assert "the table has no feature of 'acc'" in message
    assert "'eda' names a source that was named before" in message
    assert "'temp' is trusted in no window" in message
    assert message.endswith("the table has: bvp, eda, temp")
    with pytest.raises(InputError, match="a comparison needs two sources or more"):
        evaluate(table, sources=["eda"])
    with pytest.raises(InputError, match="sources is a list of names, got 'eda'"):
        evaluate(table, sources="eda")


# ---- saved, loaded, printed ----------------------------------------------------------------------


def test_it_is_saved_and_loaded_whole(table, results, tmp_path) -> None:
    loaded = Evaluation.load(results.save(tmp_path / "e"))
    pd.testing.assert_frame_equal(loaded.sources, results.sources, check_exact=True)
    assert loaded.settings.sources == THREE
    pd.testing.assert_frame_equal(loaded.between_sources(), results.between_sources())
    plain = evaluate(table)
    assert plain.sources.empty
    assert plain.between_sources().empty
    loaded = Evaluation.load(plain.save(tmp_path / "p"))
    pd.testing.assert_frame_equal(loaded.sources, plain.sources)
    assert not (tmp_path / "p" / "sources.csv").exists()


def test_settings_of_an_earlier_version_have_no_sources(results) -> None:
    content = results.settings.to_dict()
    del content["sources"]
    assert Settings.from_dict(content).sources == ()


@pytest.mark.slow
def test_the_report_has_one_section_with_figure_table_and_words(table, results, tmp_path) -> None:
    write_evaluation(results, table, tmp_path / "e", arguments={})
    page = (tmp_path / "e" / "report.html").read_text(encoding="utf-8")
    assert page.count("<h2>What each source adds</h2>") == 1
    assert "early fusion: adding eda to bvp+temp raised balanced accuracy by" in page
    assert (tmp_path / "e" / "sources.png").stat().st_size > 10_000
    pairs = pd.read_csv(tmp_path / "e" / "sources_pairs.csv")
    assert len(pairs) == 2 * 7
    write_evaluation(evaluate(table), table, tmp_path / "p", arguments={})
    assert "What each source adds" not in (tmp_path / "p" / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_the_verb_prints_the_comparison(table, tmp_path) -> None:
    write_table(table, tmp_path / "t.csv")
    words = f"evaluate --table {tmp_path / 't.csv'} --target arousal --heads logistic"
    words += f" --split subject_folds --permutations 0 --sources bvp,eda --out {tmp_path / 'e'}"
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 0, done.output
    assert "early fusion: adding eda to bvp raised balanced accuracy by" in done.output
    assert "late fusion in place of early fusion" in done.output
    done = CliRunner().invoke(app, [*words.split(), "--json"])
    found = json.loads(done.output.splitlines()[-1])
    assert {row["sources"] for row in found["sources"]} == {"bvp", "eda", "bvp+eda"}
    assert found["sources_pairs"][0]["added"] == "bvp"
    run = json.loads((tmp_path / "e" / "run.json").read_text(encoding="utf-8"))
    assert "bvp" in json.dumps(run)
    refused = CliRunner().invoke(app, words.replace("bvp,eda", "bvp,gsr").split())
    assert refused.exit_code == 2
    assert "the table has no feature of 'gsr'" in refused.output


def test_no_comparison_where_nobody_has_both_scores() -> None:
    facts = {"target": "t", "head": "h", "windows": "all", "subject": ["a", "b"], "one_class": ""}
    rows = [
        pd.DataFrame({**facts, "fusion": fusion, "sources": names, "balanced_accuracy": score})
        for fusion, names, score in (
            ("alone", "bvp", [0.5, np.nan]),
            ("alone", "eda", [np.nan, 0.5]),
            ("early", "bvp+eda", [0.5, np.nan]),
        )
    ]
    pairs = between_sources(pd.concat(rows), metric="balanced_accuracy")
    assert list(pairs["people"]) == [0, 1]
    assert "cannot be compared" in in_words(pairs.iloc[0], "balanced accuracy")
    assert pairs["difference"].iloc[1] == 0
