"""The card of a model has the score of an evaluation that belongs to it, and of no other."""

import json

import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from emotion_rppg import evaluate, fit, load
from emotion_rppg.cli import app
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.model_scores import with_scores
from emotion_rppg.runtime.tables import write_table

from .test_evaluation import study

HEAD = {"mine": OnFeatures(LogisticRegression())}


@pytest.fixture(scope="module")
def table():
    return study(6, effect=4.0)


@pytest.fixture(scope="module")
def results(table):
    return evaluate(table, target="arousal", heads=HEAD, permutations=9)


@pytest.fixture(scope="module")
def model(table):
    return fit(table, target="arousal", head=HEAD["mine"])


def test_the_card_states_score_interval_p_dummies_and_the_share_withheld(
    results, model, tmp_path
) -> None:
    row = results.summary().set_index("head").loc["mine"]
    made = with_scores(model, results.save(tmp_path / "result"), head="mine")
    assert "A fit has no score" in model.card()
    again = load(made.save(tmp_path / "model"))
    for card in (made.card(), again.card()):
        wanted = (
            f"- on people left out, arousal: balanced accuracy {row['mean']:.3f} "
            f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}] (95 % interval over 6 people; split "
            f"loso; p = {row['p']:.3f} (label permutation); beside majority 0.500, "
        )
        assert wanted in card
        assert "0% of the windows withheld)" in card
        assert "A fit has no score" not in card
        assert "without the people who tested them" in card
    assert again.predict(study(2))["arousal"].tolist() == made.predict(study(2))["arousal"].tolist()


OTHERS = {
    "coding is 'subject_median' there and 'midpoint' in the model": {"coding": "subject_median"},
    "normalise is 'transductive' there and 'none' in the model": {"normalise": "transductive"},
    "probabilities is 'own' there and 'temperature' in the model": {"probabilities": "own"},
    "its split 'leaky_windows' does not leave people out": {"split": "leaky_windows"},
    "its split 'trials_within' does not leave people out": {"split": "trials_within"},
    "no head 'mine', but majority": {"heads": []},
    "it was run without quality": {"ablate": ("quality",)},
}


@pytest.mark.parametrize(("fault", "options"), OTHERS.items())
def test_an_evaluation_with_other_options_is_refused(table, model, fault, options) -> None:
    other = evaluate(table, **{"target": "arousal", "heads": HEAD, "permutations": 0, **options})
    with pytest.raises(InputError, match=fault):
        with_scores(model, other, head="mine")


def test_an_evaluation_of_other_people_or_targets_is_refused(table, model) -> None:
    renamed = table.assign(subject="x" + table["subject"])
    renamed["label_valence"] = renamed["label_arousal"]
    renamed["scale_valence"] = renamed["scale_arousal"]
    other = evaluate(renamed, target="valence", heads=HEAD, permutations=0)
    with pytest.raises(InputError) as error:
        with_scores(model, other, head="mine")
    assert "it has no target arousal, but valence" in str(error.value)
    assert "people whom the model was not trained on (d/xs" in str(error.value)


@pytest.mark.slow
def test_the_verb_takes_the_folder_of_an_evaluation(table, tmp_path) -> None:
    path, result = write_table(table, tmp_path / "t.csv"), tmp_path / "result"
    words = f"--table {path} --target arousal --probabilities own"
    scored = f"evaluate {words} --heads logistic --permutations 0 --out {result}"
    fitted = f"train emotion {words} --head logistic --evaluation {result} --out {tmp_path / 'm'}"
    for line in (scored, fitted):
        run = CliRunner().invoke(app, line.split())
        assert run.exit_code == 0, run.output
    assert "not tested against chance" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    record = json.loads((tmp_path / "m" / "run.json").read_text())
    assert [facts.get("folder", facts.get("file")) for facts in record["inputs"]] == [
        "t.csv",
        "result",
    ]
    other = CliRunner().invoke(app, fitted.replace("--head logistic", "--head lda").split())
    assert other.exit_code
    assert "it has no head 'lda'" in " ".join(other.output.split())
