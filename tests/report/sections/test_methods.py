"""The report says how it was done and how to do it again."""

import re
from dataclasses import replace

import pandas as pd

from emotion_rppg import Evaluation
from emotion_rppg.features import columns
from emotion_rppg.pulse import METHODS
from emotion_rppg.report.sections.methods import command, methods
from emotion_rppg.report.sections.references import REFERENCES


def with_settings(results: Evaluation, **changed: object) -> Evaluation:
    return replace(results, settings=replace(results.settings, **changed))


def test_the_command_is_one_the_command_line_would_take() -> None:
    given = {"table": "my table.csv", "dataset": None, "target": ["arousal", "valence"]}
    given |= {"heads": ["logistic", "lda"], "allow_unknown_training": False, "ablate": []}
    assert command(given | {"seed": 0}) == (
        "emotion-rppg evaluate --table 'my table.csv' --target arousal --target valence "
        "--heads logistic,lda --seed 0"
    )
    assert command({"table": ["a.csv", "b.csv"]}).endswith("evaluate --table a.csv --table b.csv")
    assert command({"allow_unknown_training": True, "ablate": ["quality"]}).endswith(
        "--allow-unknown-training --ablate quality"
    )


def test_the_null_is_described_only_where_there_was_one(results, table) -> None:
    text = " ".join(methods(results, table, {}).text)
    assert "up to 5 times the labels were exchanged" in text
    assert "between people" not in text
    bare = replace(results, null=results.null.iloc[:0])
    assert "No labels were permuted" in " ".join(methods(bare, table, {}).text)
    pooled = with_settings(results, over_people=("arousal",))
    assert "(for arousal: between people)" in " ".join(methods(pooled, table, {}).text)


def test_every_citation_has_a_full_reference(results, table) -> None:
    settings = dict.fromkeys(
        ("OnFeatures", "EqualPriors", "Calibrated", "Sequence", "MultiTask", "Platt", "Selected"),
        "",
    )
    bare = pd.concat([table.assign(source="ecg"), *(table.assign(method=name) for name in METHODS)])
    results = with_settings(results, heads={name: f"{name}()" for name in settings})
    records = columns().values()
    elsewhere = " ".join(f"{record.source}; {record.definition}." for record in records)
    elsewhere += " Fawcett 2006, Hedges 1981, Lakens 2013"
    section = methods(results, bare, {}, elsewhere)
    text, references = section.text, "\n".join(section.references)
    assert references.count("\n") + 1 == len(section.references)  # one line each
    named = re.findall(
        r"([A-Z][\w-]+(?:,? (?:and|et al\.|[A-Z][\w-]+))* \d{4})", " ".join([*text, elsewhere])
    )
    assert len(named) >= 15
    for one in named:
        assert f"{one}. " in references, one
    assert set(REFERENCES) - {"Lin 1989"} == {key for key in REFERENCES if key in references}


def test_the_data_set_and_the_rppg_method_are_cited(results, table) -> None:
    filmed = table.assign(reader="stress-predict", source="rppg", method="pos")
    text = methods(results, filmed, {}).text[0]
    assert "Iqbal T, Simpkin AJ" in text
    assert "POS (Wang et al. 2017)" in text
    assert "counted by the wave's phase" in text
    named = table.assign(dataset="stress-predict")  # a folder of that name is no such data set
    assert "Iqbal" not in methods(results, named, {}).text[0]


def test_ablations_are_stated(results, table) -> None:
    assert "2 columns are features, listed above. " in methods(results, table, {}).text[1]
    less = with_settings(results, ablate=("quality",))
    assert (
        "2 columns are features, listed above (excluded: quality)"
        in methods(less, table, {}).text[1]
    )


def test_settings_are_those_that_were_fitted(results, table) -> None:
    shown = methods(results, table, {}).table.set_index("head")["hyper-parameters"]
    assert shown["plain"] == "Calibrated(estimator=OnFeatures(estimator=LogisticRegression()))"
    assert shown["majority"] == "DummyClassifier()"
