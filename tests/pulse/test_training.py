"""Training: the loss falls, resuming changes nothing, people are written down, bf16 and two
processes work on a CPU."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from emotion_rppg.checkpoints import load_tensors
from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training import Recipe, negative_pearson, recording_clips, synthetic_clips
from emotion_rppg.pulse.training import train as run_training
from emotion_rppg.recordings import Recording

SMALL = Recipe(size=16, frames=32, steps=6, batch_size=2)


def train(clips, out, **options):
    return run_training(clips, out, device="cpu", **options)


def test_negative_pearson_is_one_minus_r() -> None:
    x = torch.sin(torch.linspace(0, 20, 100))
    pairs = torch.stack([x, x, x]), torch.stack([3 * x + 5, -x, torch.ones(100)])
    each = [negative_pearson(a[None], b[None]).item() for a, b in zip(*pairs, strict=True)]
    assert each == pytest.approx([0.0, 2.0, 1.0], abs=1e-4)
    flat = torch.zeros(1, 100, requires_grad=True)
    negative_pearson(flat, x[None]).backward()
    assert torch.isfinite(flat.grad).all()


def test_the_loss_falls(tmp_path) -> None:
    recipe = Recipe(size=16, frames=64, steps=30, batch_size=4)
    clips, _ = synthetic_clips(recipe)
    out = train(clips, tmp_path / "net", recipe=recipe)
    loss = np.loadtxt(out / "curve.csv", delimiter=",", skiprows=1)[:, 1]
    assert loss[-10:].mean() < 0.7 * loss[:5].mean()


def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path) -> None:
    clips, who = synthetic_clips(SMALL)
    whole = train(clips, tmp_path / "whole", recipe=SMALL, trained_on=who)

    class Killed(BaseException):
        pass

    def dies_at_step_4(index: int):
        if index >= 4 * SMALL.batch_size:
            raise Killed
        return clips(index)

    with pytest.raises(Killed):
        train(dies_at_step_4, tmp_path / "killed", recipe=SMALL, checkpoint_every=2)
    assert not (tmp_path / "killed").exists()
    asked = []

    def watched(index: int):
        asked.append(index)
        return clips(index)

    resumed = train(watched, tmp_path / "killed", recipe=SMALL, resume=True, trained_on=who)
    assert min(asked) == 4 * SMALL.batch_size
    a, b = load_tensors(whole), load_tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert (whole / "config.json").read_text() == (resumed / "config.json").read_text()


def test_resuming_with_another_recipe_is_refused(tmp_path) -> None:
    clips, _ = synthetic_clips(SMALL)
    other = Recipe(size=16, frames=32, steps=6, batch_size=2, learning_rate=1e-4)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(clips, tmp_path / "net", recipe=SMALL, checkpoint_every=2, progress=stop)
    with pytest.raises(InputError, match="another recipe"):
        train(clips, tmp_path / "net", recipe=other, resume=True)


def test_the_folder_says_who_taught_it(tmp_path) -> None:
    clips, who = synthetic_clips(SMALL)
    out = train(clips, tmp_path / "net", recipe=SMALL, trained_on=who)
    config = json.loads((out / "config.json").read_text())
    assert config["trained_on"] == who
    assert config["kind"] == "pulse"
    assert config["size"] == 16


def test_bf16_runs_on_a_cpu(tmp_path) -> None:
    recipe = Recipe(size=16, frames=8, steps=2, batch_size=1)  # bf16 is slow on most CPUs
    clips, _ = synthetic_clips(recipe)
    out = train(clips, tmp_path / "net", recipe=recipe, precision="bf16-mixed")
    assert all(torch.isfinite(t).all() for t in load_tensors(out).values())


TWO = """
import sys, lightning_fabric, torch
from torch import nn
from emotion_rppg.pulse.physnet import PhysNet
from emotion_rppg.pulse.training import negative_pearson
def main():
    torch.set_num_threads(1)
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    torch.manual_seed(0)
    module = PhysNet()
    clip, wave = torch.rand(2, 3, 8, 16, 16), torch.rand(2, 8)
    network, optimiser = fabric.setup(module, torch.optim.SGD(module.parameters(), lr=0.1))
    network.eval()
    k = fabric.global_rank
    fabric.backward(negative_pearson(network(clip[k:k+1]), wave[k:k+1]))
    if fabric.is_global_zero:
        grads = torch.cat([p.grad.flatten() for p in module.parameters()])
        torch.manual_seed(0)
        alone = PhysNet().eval()
        negative_pearson(alone(clip), wave).backward()
        want = torch.cat([p.grad.flatten() for p in alone.parameters()])
        torch.testing.assert_close(grads, want, atol=1e-5, rtol=1e-3)
        print("same gradients")
if __name__ == "__main__":
    main()
"""


def test_two_processes_give_the_gradients_of_one(tmp_path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    assert "same gradients" in run.stdout, run.stderr[-2000:]


def test_recordings_without_video_or_pulse_are_refused() -> None:
    with pytest.raises(InputError, match="beside a contact pulse"):
        recording_clips([Recording("d", "1")], SMALL)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="known: raw, standardised"):
        Recipe(normalisation="z")
    with pytest.raises(InputError, match="seed must be 0 or more"):
        Recipe(seed=-100)
