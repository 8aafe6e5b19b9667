"""Training: the loss falls, a resumed run is identical, subjects are recorded, bf16 and two
processes work on a CPU."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_rppg.emotion.model import BUNDLED as MODELS
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import NETWORKS
from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.pulse.inference.trained_network import BUNDLED
from emotion_rppg.pulse.training import clips as pulse_sources
from emotion_rppg.pulse.training.skipping import MOST_IN_A_ROW
from emotion_rppg.pulse.training.train import (
    TrainingConfig,
    _loader,
    negative_pearson,
    recording_clips,
    sources,
    synthetic_clips,
)
from emotion_rppg.pulse.training.train import train as run_training
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.devices import fabric_devices
from emotion_rppg.runtime.model_folders import checkpoint_beside, load_tensors
from emotion_rppg.signals import Signal

ROOT = Path(__file__).parents[3]
CLIP = ROOT / "data" / "synthetic_clip.mp4"
STRESS = MODELS["stress"]  # an emotion model
SMALL = TrainingConfig(size=16, frames=32, steps=6, batch_size=2)


def train(clips, out, **options):
    return run_training(clips, out, device="cpu", **options)


@pytest.mark.slow
def test_the_loss_falls(tmp_path) -> None:
    recipe = TrainingConfig(size=16, frames=64, steps=30, batch_size=4)
    clips, _ = synthetic_clips(recipe)
    out = train(clips, tmp_path / "net", recipe=recipe)
    loss = np.loadtxt(out / "curve.csv", delimiter=",", skiprows=1)[:, 1]
    assert loss[-10:].mean() < 0.7 * loss[:5].mean()


@pytest.mark.slow
def test_training_starts_from_a_given_network_and_adds_its_subjects(tmp_path) -> None:
    clips, people = synthetic_clips(SMALL)
    first = train(clips, tmp_path / "first", recipe=SMALL, trained_on=people)
    one = replace(SMALL, size=20, steps=1, learning_rate=1e-9, seed=1)
    clips, others = synthetic_clips(one)
    second = train(clips, tmp_path / "second", recipe=one, trained_on=others, init=first)
    for name, tensor in load_tensors(second).items():
        if name.endswith(("weight", "bias")):
            torch.testing.assert_close(tensor, load_tensors(first)[name], atol=1e-6, rtol=0)
    recorded = json.loads((second / "config.json").read_text())["trained_on"]
    assert recorded == {"synthetic-clips": [*people["synthetic-clips"], *others["synthetic-clips"]]}
    third = train(clips, tmp_path / "third", recipe=one, trained_on="unknown", init=first)
    assert json.loads((third / "config.json").read_text())["trained_on"] == "unknown"


def test_training_starts_from_the_bundled_network_by_its_name(tmp_path, monkeypatch) -> None:
    one = replace(SMALL, steps=1, learning_rate=1e-9)
    clips, people = synthetic_clips(one)
    (tmp_path / "bundled").mkdir()  # the name has priority over a folder
    monkeypatch.chdir(tmp_path)
    out = train(clips, tmp_path / "net", recipe=one, trained_on=people, init="bundled")
    for name, tensor in load_tensors(out).items():
        if name.endswith(("weight", "bias")):
            want = load_tensors(BUNDLED["physnet"])[name]
            torch.testing.assert_close(tensor, want, atol=1e-6, rtol=0)
    bundled_people = json.loads((BUNDLED["physnet"] / "config.json").read_text())["trained_on"]
    recorded = json.loads((out / "config.json").read_text())["trained_on"]
    seeds = sorted(bundled_people["synthetic-clips"] + people["synthetic-clips"])
    assert recorded == bundled_people | {"synthetic-clips": seeds}
    with pytest.raises(InputError, match=r"no config\.json in 'bundled'"):
        train(clips, tmp_path / "net", recipe=one, init=Path("bundled"))


def test_a_missing_or_other_initial_network_is_refused_before_training(tmp_path) -> None:
    def start(init, recipe=SMALL):
        out = tmp_path / "net"
        train(lambda index: pytest.fail("a clip was made"), out, recipe=recipe, init=init)

    with pytest.raises(InputError, match=r"no folder '.*bundeld' to begin with: .* or 'bundled'"):
        start(tmp_path / "bundeld")
    with pytest.raises(InputError, match="no trained cnn3d is bundled: give the folder"):
        start("bundled", replace(SMALL, network="cnn3d", normalisation="diff_normalised"))
    bundled = BUNDLED["physnet"]
    with pytest.raises(InputError, match="holds the network 'physnet' and 'cnn3d' is to be"):
        start(bundled, replace(SMALL, network="cnn3d"))
    with pytest.raises(InputError, match="holds a model of kind 'emotion', want a pulse network"):
        start(STRESS)


class Halved(torch.nn.Module):
    """(batch, 3, frames, height, width) -> (batch, frames / 2): a wrong output length."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 3, 4))[:, ::2]


def test_clips_the_network_or_loss_cannot_process_are_refused_before_training(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(NETWORKS, "halved", Halved)
    for change, message in (
        ({"frames": 3}, "at least 4 frames, got 3"),
        ({"size": 8}, "at least 16×16 pixels, got 8×8"),
        ({"frames": 16, "loss": "lag_tolerant"}, "16 frames are too short for lag_tolerant"),
        (
            {"network": "halved", "normalisation": "raw"},
            r"'halved' returned \(1, 16\) for one clip of 32 frames",
        ),
    ):
        recipe = replace(SMALL, **change)
        with pytest.raises(InputError, match=message):
            train(lambda _: pytest.fail("a clip was made"), tmp_path / "net", recipe=recipe)
    assert not list(tmp_path.iterdir())


def test_the_requested_share_of_clips_is_varied(monkeypatch) -> None:
    requested: list[bool] = []
    monkeypatch.setattr(
        "emotion_rppg.synthesis.clips.training_clip",
        lambda seed, **options: requested.append(options["varied"]),
    )
    clips, _ = synthetic_clips(replace(SMALL, varied=0.75))
    for index in range(8):
        clips(index)
    assert requested == [False, True, True, True] * 2
    with pytest.raises(InputError, match="varied is a share"):
        replace(SMALL, varied=1.5)


def test_the_requested_shares_of_clips_are_heads_and_without_a_pulse(monkeypatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(
        "emotion_rppg.synthesis.clips.training_clip",
        lambda seed, **options: made.append("varied" if options["varied"] else "plain"),
    )
    monkeypatch.setattr(
        "emotion_rppg.synthesis.head_clips.head_clip",
        lambda seed, **options: made.append("head" if options["pulse"] else "pulseless"),
    )
    clips, _ = synthetic_clips(replace(SMALL, rendered=0.5, pulseless=0.25, varied=0.5))
    for index in range(32):
        clips(index)
    counts = {kind: made.count(kind) for kind in set(made)}
    assert counts == {"head": 12, "pulseless": 4, "varied": 8, "plain": 8}
    for name in ("rendered", "pulseless"):
        with pytest.raises(InputError, match=f"{name} is a share"):
            replace(SMALL, **{name: -0.1})


def test_the_requested_share_of_clips_are_close_ups(monkeypatch) -> None:
    recipe = replace(SMALL, close_ups=0.25, varied=0.0)
    sizes: list[int] = []

    def clip(seed, *, size, frames, **options):
        sizes.append(size)
        return np.zeros((frames, size, size, 3), np.uint8), np.zeros(frames)

    monkeypatch.setattr("emotion_rppg.synthesis.clips.training_clip", clip)
    clips, _ = synthetic_clips(recipe)
    made = [clips(index)[0] for index in range(200)]
    assert {c.shape for c in made} == {(recipe.frames, recipe.size, recipe.size, 3)}
    assert set(sizes) == {recipe.size, 2 * recipe.size}
    assert 30 < sizes.count(2 * recipe.size) < 70
    with pytest.raises(InputError, match="close_ups is a share"):
        replace(SMALL, close_ups=1.5)


def test_training_on_clips_without_a_pulse_has_a_finite_loss(tmp_path) -> None:
    recipe = replace(SMALL, steps=2, rendered=1.0, pulseless=0.5)
    clips, people = synthetic_clips(recipe)
    out = train(clips, tmp_path / "net", recipe=recipe, trained_on=people)
    facts = json.loads((out / "config.json").read_text())["training"]
    assert 0 < facts["loss_of_last_20_steps"] < 2
    assert facts["pulseless"] == 0.5


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path) -> None:
    recipe = replace(SMALL, loss="pearson+lag_tolerant", validation=0.5, validate_every=2)
    clips, held_out, people = sources(None, recipe)
    settings = {"recipe": recipe, "validation": held_out, "trained_on": people}
    uninterrupted = train(clips, tmp_path / "whole", **settings)

    class Killed(BaseException):
        pass

    def dies_at_step_4(index: int):
        if index >= 4 * SMALL.batch_size:
            raise Killed
        return clips(index)

    with pytest.raises(Killed):
        train(dies_at_step_4, tmp_path / "killed", **settings, checkpoint_every=2)
    assert not (tmp_path / "killed").exists()
    requested = []

    def recording_source(index: int):
        requested.append(index)
        return clips(index)

    resumed = train(recording_source, tmp_path / "killed", **settings, resume=True)
    assert min(requested) == 4 * SMALL.batch_size
    a, b = load_tensors(uninterrupted), load_tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
    for name in ("config.json", "curve.csv", "validation.csv"):
        assert (uninterrupted / name).read_text() == (resumed / name).read_text()


def test_resuming_another_training_is_refused(tmp_path) -> None:
    clips, _ = synthetic_clips(SMALL)
    other = TrainingConfig(size=16, frames=32, steps=6, batch_size=2, learning_rate=1e-4)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(clips, tmp_path / "net", recipe=SMALL, checkpoint_every=2, progress=stop)
    with pytest.raises(InputError, match="another training"):
        train(clips, tmp_path / "net", recipe=other, resume=True)
    for changed in ({"init": "bundled"}, {"trained_on": {"pure": ["03"]}}):
        with pytest.raises(InputError, match="another training"):
            train(clips, tmp_path / "net", recipe=SMALL, resume=True, **changed)
    checkpoint = checkpoint_beside(tmp_path / "net")
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"net\.checkpoint\.pt is not a checkpoint of"):
        train(clips, tmp_path / "net", recipe=SMALL, resume=True)


def test_the_folder_records_the_subjects_of_training(tmp_path) -> None:
    clips, people = synthetic_clips(SMALL)
    out = train(clips, tmp_path / "net", recipe=SMALL, trained_on=people)
    config = json.loads((out / "config.json").read_text())
    assert config["trained_on"] == people
    assert config["kind"] == "pulse"
    assert config["size"] == 16


def test_bf16_runs_on_a_cpu(tmp_path) -> None:
    # oneDNN's bf16 weight gradients read uninitialised memory where a convolution's input is
    # 2×2×2 or smaller; at this size the deepest one's is 4×2×2
    recipe = TrainingConfig(size=32, frames=16, steps=2, batch_size=1)
    clips, _ = synthetic_clips(recipe)
    out = train(clips, tmp_path / "net", recipe=recipe, precision="bf16-mixed")
    assert all(torch.isfinite(t).all() for t in load_tensors(out).values())
    assert json.loads((out / "config.json").read_text())["training"]["skipped_steps"] == 0


def loss_without_gradient_at(steps, monkeypatch) -> None:
    """Make the gradient NaN (infinity times 0) in these steps, without changing the loss."""
    counted = iter(range(1000))

    def loss(found, wave, rate_hz):
        value = negative_pearson(found, wave)
        if not found.requires_grad:  # the check before the first step
            return value
        return value + (found * 0).abs().sum().sqrt() if next(counted) in steps else value

    monkeypatch.setattr("emotion_rppg.pulse.training.config.named_loss", lambda name: loss)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_step_whose_gradient_is_not_finite_is_skipped_and_counted(
    precision, tmp_path, monkeypatch, caplog
) -> None:
    recipe = TrainingConfig(size=32, frames=16, steps=4, batch_size=1)
    clips, _ = synthetic_clips(recipe)
    loss_without_gradient_at({1, 2}, monkeypatch)
    out = train(clips, tmp_path / "net", recipe=recipe, precision=precision)
    assert all(torch.isfinite(t).all() for t in load_tensors(out).values())
    assert json.loads((out / "config.json").read_text())["training"]["skipped_steps"] == 2
    assert [r.getMessage()[:14] for r in caplog.records if "skipped" in r.message] == [
        "step 1 skipped",
        "step 2 skipped",
    ]


def test_a_skipped_step_leaves_the_weights_unchanged(tmp_path, monkeypatch) -> None:
    clips, _ = synthetic_clips(SMALL)
    one, three = replace(SMALL, steps=1), replace(SMALL, steps=3)
    weights = []
    for name, recipe, bad in (("one", one, set()), ("three", three, {1, 2})):
        loss_without_gradient_at(bad, monkeypatch)
        monkeypatch.setattr(TrainingConfig, "learning_rate_at", lambda self, step: 1e-3)
        weights.append(load_tensors(train(clips, tmp_path / name, recipe=recipe)))
    for name, tensor in weights[0].items():
        if name.endswith(("weight", "bias")):
            assert torch.equal(tensor, weights[1][name]), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "cause"),
    [("32-true", "lower the learning rate"), ("bf16-mixed", "train with precision 32-true; bf16")],
)
def test_many_skipped_steps_in_a_row_end_training_and_name_the_cause(
    precision, cause, tmp_path, monkeypatch
) -> None:
    recipe = TrainingConfig(size=16, frames=16, steps=40, batch_size=1)
    clips, _ = synthetic_clips(recipe)
    loss_without_gradient_at({*range(5), *range(6, 40)}, monkeypatch)
    with pytest.raises(InputError, match=rf"in {MOST_IN_A_ROW} steps in a row, .* 25: .*{cause}"):
        train(clips, tmp_path / "net", recipe=recipe, precision=precision)
    assert not (tmp_path / "net").exists()


def test_the_global_random_state_is_unchanged(tmp_path) -> None:
    clips, _ = synthetic_clips(SMALL)
    before, ours = torch.get_rng_state(), random.getstate()
    train(clips, tmp_path / "net", recipe=SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == ours


def test_a_folder_that_is_no_output_is_refused_before_training(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("three years")
    with pytest.raises(InputError, match="is not an output"):
        train(lambda index: pytest.fail("a clip was made"), tmp_path, recipe=SMALL)


def test_a_loss_that_is_not_finite_ends_training_with_the_reason(tmp_path) -> None:
    clip = np.zeros((32, 16, 16, 3), np.uint8)
    with pytest.raises(InputError, match="loss was nan at step 0: lower the learning rate"):
        train(lambda index: (clip, np.full(32, np.nan)), tmp_path / "net", recipe=SMALL)
    assert not (tmp_path / "net").exists()


def test_a_device_may_be_one_of_several(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert fabric_devices("cuda:1", 1) == {"accelerator": "cuda", "devices": [1]}
    assert fabric_devices("cuda", 2) == {"accelerator": "cuda", "devices": 2}
    assert fabric_devices("cpu", 2) == {"accelerator": "cpu", "devices": 2}


def test_processes_divide_the_clips_of_each_step() -> None:
    requested: list[int] = []

    def clips(index: int):
        requested.append(index)
        return np.zeros((8, 16, 16, 3), np.uint8), np.zeros(8)

    recipe = TrainingConfig(size=16, frames=8, steps=3, batch_size=4)
    loader = _loader(clips, recipe, 1, 0, 2)
    assert loader.batch_size == 2
    assert len(loader.dataset) == 2 * 4  # of the two remaining steps
    assert loader.dataset[0][0].shape == (3, 8, 16, 16)
    assert requested == [4]
    with pytest.raises(InputError, match="cannot be divided between 3"):
        _loader(clips, recipe, 0, 0, 3)


TWO = """
import sys, torch
from pathlib import Path
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from emotion_rppg.pulse.training import tensorboard as events
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.pulse.training.train import TrainingConfig, negative_pearson, sources, train

def same_gradients(k):
    torch.manual_seed(0)
    module, clip, wave = PhysNet().eval(), torch.rand(2, 3, 8, 16, 16), torch.rand(2, 8)
    negative_pearson(module(clip), wave).backward()
    want = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    shared = DistributedDataParallel(module)
    negative_pearson(shared(clip[k:k+1]), wave[k:k+1]).backward()
    for p, grad in zip(module.parameters(), want, strict=True):
        torch.testing.assert_close(p.grad, grad, atol=1e-5, rtol=1e-3)

def main():
    torch.set_num_threads(1)
    options = {"size": 16, "frames": 16, "steps": 4, "batch_size": 2}
    recipe = TrainingConfig(**options, validation=0.5, validate_every=2)
    clips, held_out, _ = sources(None, recipe)
    asked, out = [], Path(sys.argv[1])
    how = {"recipe": recipe, "validation": held_out, "device": "cpu", "devices": 2}
    how["tensorboard"], real, opened = out.parent / "runs", events._Writer, []
    events._Writer = lambda *words: opened.append(words) or real(*words)
    train(lambda i: asked.append(i) or clips(i), out, **how)
    k = distributed.get_rank()
    assert asked == [k, k + 2, k + 4, k + 6], asked
    assert len(opened) == (k == 0), "the first process alone writes the event file"
    same_gradients(k)
    if k == 0:
        print("steps", *(len((out / f"{n}.csv").read_text().splitlines()) - 1
                         for n in ("curve", "validation")))

if __name__ == "__main__":
    main()
"""


# how users start it: Python starts the second process itself, or a launcher starts both
LAUNCHERS = {
    "python": [],
    "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"],
    "fabric": [
        *("-c", "from lightning_fabric.cli import _main; _main()"),
        *["run", "--accelerator=cpu", "--devices=2", "--strategy=ddp"],
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_have_the_gradients_of_one_and_divide_its_steps(launcher, tmp_path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    run = subprocess.run(
        [sys.executable, *LAUNCHERS[launcher], str(script), str(tmp_path / "net")],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
    )
    assert "steps 4 2" in run.stdout, run.stderr[-2000:]
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_recordings_without_video_or_pulse_are_refused() -> None:
    with pytest.raises(InputError, match="a face and a contact pulse"):
        recording_clips([Recording("d", "1")], SMALL)


@pytest.mark.slow
def test_clips_of_recordings_have_the_contact_pulse_of_the_same_time() -> None:
    signals = {"bvp": estimate(CLIP, "pos")}
    one = Recording("d", "1", video=Video(CLIP), signals=signals)
    others = [Recording("d", "2", signals=signals), Recording("e", "3", video=Video(CLIP))]
    recipe = replace(SMALL, frames=120)
    clips, people = recording_clips([one, *others], recipe)
    assert people == {"d": ["1"]}  # no other recording has both
    clip, below = clips(5)
    assert clip.shape == (120, 16, 16, 3)
    assert clip.dtype == np.uint8
    green = Signal(clip[:, 4:12, 4:12, 1].mean((1, 2)), 30.0).bandpass(0.7, 4.0).samples
    assert np.corrcoef(green, below)[0, 1] < -0.5  # more blood is darker, at the same time
    np.testing.assert_array_equal(clip, clips(5)[0])
    assert not np.array_equal(clip, clips(6)[0])


@pytest.mark.slow
def test_faces_are_cached_until_video_or_crop_settings_change(tmp_path, monkeypatch) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP.read_bytes())
    wave = Signal(np.sin(np.arange(1200) / 8), 50.0, kind="bvp")
    one = Recording("d", "1", video=Video(path, region="full"), signals={"bvp": wave})
    tracked = []
    real = pulse_sources.track_face
    monkeypatch.setattr(pulse_sources, "track_face", lambda v: tracked.append(v) or real(v))

    def clips(recipe=SMALL, recording=one, cache=Cache(tmp_path / "cached")):  # noqa: B008
        return recording_clips([recording], recipe, cache=cache)[0](0)

    plain, first, again = clips(cache=None), clips(), clips()
    assert len(tracked) == 2, "cached by the first run with a cache"
    for made in (first, again):
        np.testing.assert_array_equal(made[0], plain[0])
        np.testing.assert_array_equal(made[1], plain[1])
    for entry in Cache(tmp_path / "cached").entries():
        entry.path.write_bytes(entry.path.read_bytes()[:-1])
    clips()
    clips(replace(SMALL, size=20))
    clips(replace(SMALL, rate_hz=25.0))
    clips(recording=replace(one, video=replace(one.video, start_s=1.0)))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    clips()
    assert len(tracked) == 7, "damaged, another size, rate and stretch, another file"
    clips(replace(SMALL, seed=3, frames=40))
    assert len(tracked) == 7, "which clips are drawn changes no face"


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="known: raw, standardised"):
        TrainingConfig(normalisation="z")
    with pytest.raises(InputError, match="seed must be 0 or more"):
        TrainingConfig(seed=-100)


def test_the_model_card_lists_subjects_and_input(tmp_path) -> None:
    clips, people = synthetic_clips(SMALL)
    out = train(clips, tmp_path / "net", recipe=replace(SMALL, steps=1), trained_on=people)
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"- synthetic-clips: {people['synthetic-clips'][0]}" in card
    assert "16×16 pixels, 30 a second" in card
    assert "768,577" in card
    out = train(clips, tmp_path / "net", recipe=replace(SMALL, steps=1))
    assert "- unknown" in (out / "MODEL_CARD.md").read_text(encoding="utf-8")
