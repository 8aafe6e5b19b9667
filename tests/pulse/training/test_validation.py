"""People held out are not in training, stop it early, and are recorded with the weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training.clips import HELD_OUT_CLIPS, sources, split_people
from emotion_rppg.pulse.training.train import TrainingConfig, train
from emotion_rppg.pulse.training.validation import Validation
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.model_folders import load_tensors
from emotion_rppg.signals import Signal

SMALL = TrainingConfig(size=16, frames=32, steps=6, batch_size=2, validation=0.3, validate_every=1)


def recordings(people: int = 10, each: int = 3) -> list[Recording]:
    bvp = {"bvp": Signal(np.zeros(640), 64.0)}
    made = [
        Recording("d", str(p), trial=str(t), video=Video(Path(f"{p}_{t}.mp4")), signals=bvp)
        for p in range(people)
        for t in range(each)
    ]
    return [*made, Recording("d", "blind", signals=bvp)]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_each_person_is_in_one_part_and_no_part_is_empty(share) -> None:
    training, held_out = split_people(recordings(), replace(SMALL, validation=share))
    a, b = ({r.person for r in side} for side in (training, held_out))
    assert a
    assert b
    assert not a & b
    assert a | b == {f"d/{p}" for p in range(10)}
    assert len(training) + len(held_out) == 30
    with pytest.raises(InputError, match="1 people with a video"):
        split_people(recordings(people=1), SMALL)


def test_people_held_out_are_not_in_training_and_all_are_recorded(monkeypatch) -> None:
    def paired(recording: Recording, recipe: TrainingConfig, cache: object):
        grey = np.full((40, 16, 16, 3), int(recording.subject), np.uint8)
        return [(grey, np.zeros(40))]

    monkeypatch.setattr("emotion_rppg.pulse.training.clips._clips_with_pulse", paired)
    found = sources(recordings(), SMALL)
    assert found.validation is not None
    trained, validated = (
        {int(source(k)[0][0, 0, 0, 0]) for k in range(60)}
        for source in (found.clips, found.validation)
    )
    assert len(validated) == 3
    assert len(trained) == 7
    assert not trained & validated
    assert found.people == {"d": sorted(str(p) for p in range(10))}
    assert sources(recordings(), replace(SMALL, validation=0)).validation is None


def test_synthetic_clips_held_out_are_not_in_training_and_are_recorded() -> None:
    clips, held_out, people = sources(None, SMALL)
    assert held_out is not None
    last = SMALL.steps * SMALL.batch_size
    np.testing.assert_array_equal(held_out(0)[0], clips(last)[0])
    first, end = map(int, people["synthetic-clips"][0].split("-"))
    assert end - first + 1 == last + HELD_OUT_CLIPS
    with pytest.raises(InputError, match="share of the people"):
        replace(SMALL, validation=1.0)


def losses(monkeypatch, values: list[float]) -> list[dict[str, torch.Tensor]]:
    """Make validation return these losses; return the list of weights at each validation."""
    weights: list[dict[str, torch.Tensor]] = []

    def computed(self, module):
        weights.append({k: v.clone() for k, v in module.state_dict().items()})
        return values[len(weights) - 1]

    monkeypatch.setattr(Validation, "_loss", computed)
    return weights


def test_training_stops_early_and_saves_the_best_weights(monkeypatch, tmp_path) -> None:
    weights = losses(monkeypatch, [0.9, 0.5, float("nan"), 0.6, 0.1, 0.0])
    recipe = replace(SMALL, patience=2)
    clips, held_out, _ = sources(None, recipe)
    out = train(clips, tmp_path / "net", recipe=recipe, validation=held_out, device="cpu")
    assert len(weights) == 4  # patience 2 after the second
    saved = load_tensors(out)
    assert all(torch.equal(saved[name], weights[1][name]) for name in saved)
    assert not all(torch.equal(saved[name], weights[3][name]) for name in saved)
    assert len((out / "curve.csv").read_text().splitlines()) == 1 + 4
    assert (out / "validation.csv").read_text().splitlines()[:3] == [
        "step,loss",
        "0,0.900000",
        "1,0.500000",
    ]
    assert (out / "curve.png").read_bytes()[:4] == b"\x89PNG"
    facts = json.loads((out / "config.json").read_text())["training"]
    assert facts["lowest_validation_loss"] == 0.5


@pytest.mark.slow
def test_validation_does_not_change_training(tmp_path) -> None:
    recipe = replace(SMALL, steps=3, validate_every=2)
    clips, held_out, _ = sources(None, recipe)
    with_it, without = (
        train(clips, tmp_path / name, recipe=recipe, validation=given, device="cpu")
        for name, given in (("with", held_out), ("without", None))
    )
    assert (with_it / "curve.csv").read_text() == (without / "curve.csv").read_text()


def test_the_best_weights_survive_an_interruption(monkeypatch, tmp_path) -> None:
    weights = losses(monkeypatch, [0.1, 0.5, 0.6, 0.7, 0.8, 0.9])
    clips, held_out, _ = sources(None, SMALL)
    settings = {"recipe": SMALL, "validation": held_out, "device": "cpu"}

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(clips, tmp_path / "net", **settings, checkpoint_every=1, progress=interrupt)
    saved = load_tensors(train(clips, tmp_path / "net", **settings, resume=True))
    assert len(weights) == 6
    assert all(torch.equal(saved[name], weights[0][name]) for name in saved)
