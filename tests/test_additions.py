"""Each addition is one entry in one table; the verbs then accept its name.

A feature family and a signal kind have tests of their own (`tests/features`).
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.base import DatasetReader
from emotion_rppg.emotion import HEADS
from emotion_rppg.emotion.wrappers import OnFeatures
from emotion_rppg.evaluation import SPLITS, Split
from emotion_rppg.evaluation.normalisation import NORMALISE, Normalisation
from emotion_rppg.pulse import METHODS, NETWORKS
from emotion_rppg.pulse.training.losses import LOSSES, Loss
from emotion_rppg.recordings import Card, Recording
from emotion_rppg.signals import Signal
from emotion_rppg.windows import people

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
TRAIN = ("train", "pulse", "--steps", 1, "--batch-size", 2, "--size", 16, "--frames", 16)


def run(*words: object) -> str:
    """Run a verb that must succeed and return its standard output."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def evaluated(folder: Path, *words: object, **columns: object) -> tuple[pd.DataFrame, str]:
    """Run `evaluate` on a small study whose heart rate follows the rating; results and report."""
    table, out = folder / "table.csv", folder / "result"
    study().assign(**columns).to_csv(table, index=False)
    options = ("--table", table, "--target", "arousal", "--permutations", 0, "--out", out)
    run("evaluate", *options, *words)
    text = (out / "report.html").read_text(encoding="utf-8")
    return pd.read_csv(out / "results.csv"), " ".join(text.split())


def study() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    common = {"dataset": "d", "session": "1", "start_s": 0.0, "duration_s": 60.0, "source": "bvp"}
    common |= {"method": "", "network": "", "trained_on": "", "scale_arousal": "1..9"}
    rows = [
        {
            **common,
            "subject": f"s{person}",
            "trial": str(trial),
            "label_arousal": 3.0 + 4 * (trial % 2),
            "quality": 0.9,
            "hr_bpm": 60 + 10 * (trial % 2) + draw.normal(0, 1),
            "rmssd_ms": draw.normal(40, 5),
        }
        for person in range(4)
        for trial in range(6)
    ]
    return pd.DataFrame(rows)


# ---- one of each ---------------------------------------------------------------------------------


def halves(table: pd.DataFrame, *, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    del seed
    train = people(table).to_numpy() > "d/s1"
    yield np.flatnonzero(train), np.flatnonzero(~train)


def a_split(folder: Path, add: Callable[..., None]) -> None:
    add(SPLITS, "halves", Split("halves", halves, "person", "half of the people are tested"))
    results, report = evaluated(folder, "--heads", "logistic", "--split", "halves")
    assert set(results["split"]) == {"halves"}
    assert set(results["subject"]) == {"d/s0", "d/s1"}
    assert "“halves”: half of the people are tested." in report


def doubled(inputs, table: pd.DataFrame):
    from dataclasses import replace

    return replace(inputs, X=2 * inputs.X), table["trial"].astype(str).to_numpy() == "5"


def a_normalisation(folder: Path, add: Callable[..., None]) -> None:
    words = "every feature counts twice"
    add(NORMALISE, "doubled", Normalisation("doubled", doubled, words))
    results, report = evaluated(folder, "--heads", "logistic", "--normalise", "doubled")
    assert set(results["normalise"]) == {"doubled"}
    assert set(results["n"]) == {5}  # the sixth trial is not scored
    assert f"“doubled”: {words}." in report


class Nearest(ClassifierMixin, BaseEstimator):
    """The class whose mean lies nearest (Nobody 1901).

    References
    ----------
    Nobody 1901. On means. A journal 1, 1–2.
    """

    def fit(self, X, y) -> "Nearest":
        X, y = validate_data(self, X, y)
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict_proba(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        weights = np.exp(-np.linalg.norm(X[:, None] - self.means_, axis=2))
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def a_head(folder: Path, add: Callable[..., None]) -> None:
    add(HEADS, "nearest", OnFeatures(Nearest()))
    results, report = evaluated(folder, "--heads", "nearest")
    own = results[results["head"] == "nearest"]
    assert own["balanced_accuracy"].mean() > 0.9
    assert "Nearest: The class whose mean lies nearest (Nobody 1901)" in report
    assert "Nobody 1901. On means. A journal 1, 1–2." in report
    table, model = folder / "table.csv", folder / "model"
    fitted = ("--target", "arousal", "--head", "nearest", "--out", model)
    run("train", "emotion", "--table", table, *fitted)
    run("predict", table, "--model", model, "--out", folder / "predicted")
    predictions = pd.read_csv(next((folder / "predicted").glob("*.csv")))
    assert ((predictions["arousal"] == "high") == (study()["label_arousal"] > 5)).all()


def squared(predicted: Tensor, truth: Tensor, rate_hz: float) -> Tensor:
    return (predicted - truth).square().mean()


def a_loss(folder: Path, add: Callable[..., None]) -> None:
    add(LOSSES, "squared", Loss("squared", squared))
    for name in ("squared", "pearson+squared"):
        run(*TRAIN, "--loss", name, "--out", folder / name)
        config = json.loads((folder / name / "config.json").read_text(encoding="utf-8"))
        assert config["training"]["loss"] == name


class MeanColour(nn.Module):
    """(batch, 3, frames, height, width) -> (batch, frames)."""

    def __init__(self, *, normalisation: str = "raw") -> None:
        super().__init__()
        self.mix = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x.mean((3, 4)).transpose(1, 2)).flatten(1)


def a_network(folder: Path, add: Callable[..., None]) -> None:
    add(NETWORKS, "mean_colour", MeanColour)
    words = ("--network", "mean_colour", "--normalisation", "raw", "--loss", "pearson")
    run(*TRAIN, *words, "--out", folder / "net")
    config = json.loads((folder / "net" / "config.json").read_text(encoding="utf-8"))
    assert config["network"] == "mean_colour"
    for method in (("--method", folder / "net"), ("--method", "mean_colour", "--weights", "net")):
        options = [folder / word if word == "net" else word for word in method]
        result = json.loads(run("pulse", CLIP, *options, "--json").splitlines()[-1])
        assert result["rate_hz"] == 30.0


def inverse_green(rgb: np.ndarray, rate_hz: float) -> np.ndarray:
    """Green, turned over (Nobody 1902).

    References
    ----------
    Nobody 1902. On green. A journal 2, 1–2.
    """
    return -rgb[:, 1] / rgb[:, 1].mean()


def a_method(folder: Path, add: Callable[..., None]) -> None:
    add(METHODS, "inverse_green", inverse_green)
    result = json.loads(run("pulse", CLIP, "--method", "inverse_green", "--json").splitlines()[-1])
    assert result["method"] == "inverse_green"
    assert result["hr_bpm"] == pytest.approx(72.0, abs=2.0)
    _, report = evaluated(folder, "--heads", "logistic", method="inverse_green", source="rppg")
    assert "rPPG method inverse_green: Green, turned over (Nobody 1902)." in report
    assert "Nobody 1902. On green. A journal 2, 1–2." in report


class Waves(DatasetReader):
    """Pulse waves in text files, one a person."""

    card = Card(
        name="waves",
        title="Waves",
        people=4,
        modalities=("bvp",),
        rates_hz={"bvp": 50.0},
        scales={"arousal": (1, 9)},
        access="open",
        licence="none",
        reference="Nobody N (1903). Waves of nobody.",
        url="https://example.org/waves",
        traps=("nobody took part",),
        bibtex="@misc{nobody1903}",
    )
    expected = "*.txt"

    def recordings(self) -> Iterator[Recording]:
        for path in sorted(self.root.glob(self.expected)):
            wave = Signal(np.loadtxt(path), 50.0, kind="bvp")
            label = {"arousal": 3.0 + 4 * (path.stem[-1] == "1")}
            yield Recording("waves", path.stem[0], trial=path.stem[-1], labels=label,
                            scales=dict(self.card.scales), signals={"bvp": wave})  # fmt: skip


def a_data_set(folder: Path, add: Callable[..., None]) -> None:
    add(DATASETS, "waves", Waves)
    times = np.arange(0, 60, 1 / 50.0)
    for person in range(3):
        for trial in range(2):
            rate = (60 + 20 * trial + 3 * person) / 60
            pulse = np.sin(2 * np.pi * rate * times) + 0.4 * np.sin(4 * np.pi * rate * times + 0.7)
            np.savetxt(folder / f"{person}-{trial}.txt", pulse)
    assert "waves" in run("datasets")
    assert "nobody took part" in run("datasets", "waves", "--root", folder)
    assert "nobody1903" in run("datasets", "waves", "--cite")
    dataset = ("--dataset", "waves", "--root", folder, "--length", 30, "--step", 30)
    run("features", *dataset, "--out", folder / "table.csv")
    assert set(pd.read_csv(folder / "table.csv")["reader"]) == {"waves"}
    options = ("--target", "arousal", "--heads", "logistic", "--permutations", 0)
    run("evaluate", *dataset, *options, "--out", folder / "result")
    report = (folder / "result" / "report.html").read_text(encoding="utf-8")
    assert "Known pitfalls of these data: nobody took part." in report
    assert "Waves: Nobody N (1903). Waves of nobody." in report


ADDITIONS = (a_split, a_normalisation, a_head, a_loss, a_network, a_method, a_data_set)


@pytest.mark.slow
@pytest.mark.parametrize("addition", ADDITIONS, ids=[addition.__name__ for addition in ADDITIONS])
def test_one_entry_in_one_table_is_enough(addition, tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    addition(tmp_path, monkeypatch.setitem)
