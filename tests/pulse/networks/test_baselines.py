"""Laws of every pulse network, and how PhysNet and its baselines differ in time."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import NETWORKS
from emotion_rppg.pulse.estimate import estimate
from emotion_rppg.pulse.inference.trained_network import load_network
from emotion_rppg.pulse.training.train import (
    TrainingConfig,
    initial_network,
    negative_pearson,
    synthetic_clips,
    train,
)
from emotion_rppg.runtime.model_folders import load_tensors

CLIP = Path(__file__).parents[3] / "data" / "synthetic_clip.mp4"
PHYSNET_PARAMETERS = 768_577
# the others use only the past
NON_CAUSAL = {"physnet", "cnn3d", "cnn3d_dilated", "cnn2d_bilstm", "physnet_bilstm"}

every_network = pytest.mark.parametrize("name", NETWORKS)


def planted(batch: int = 2, frames: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Generate noise in which the green of all pixels falls as blood rises -> clip, wave."""
    draw = torch.Generator().manual_seed(0)
    phase = torch.rand(batch, 1, generator=draw) * 6
    wave = torch.sin(2 * torch.pi * torch.arange(frames) / 16 + phase)
    clip = 120 + 2 * torch.randn(batch, 3, frames, 16, 16, generator=draw)
    clip[:, 1] -= 2 * wave[:, :, None, None]
    return clip, wave


def network_of(name: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name](**options)


@every_network
@pytest.mark.parametrize("frames", [*range(4, 10), 33])
def test_networks_return_a_value_for_each_frame_at_any_length_and_size(name, frames) -> None:
    with torch.inference_mode():
        wave = network_of(name).eval()(torch.rand(2, 3, frames, 17, 20))
    assert wave.shape == (2, frames)
    assert torch.isfinite(wave).all()


@every_network
@pytest.mark.parametrize("normalisation", ["raw", "temporal", "diff_batchnorm"])
def test_every_parameter_has_a_gradient_and_a_constant_clip_finite_output(
    name, normalisation
) -> None:
    network = network_of(name, normalisation=normalisation)
    network(torch.rand(2, 3, 9, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    still = torch.full((2, 3, 9, 16, 16), 90.0)
    for mode in (True, False):
        assert torch.isfinite(network.train(mode)(still)).all()


@pytest.mark.slow
@every_network
def test_a_planted_pulse_is_learned_in_a_few_steps(name) -> None:
    clip, wave = planted()
    network = network_of(name, normalisation="temporal")
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(20):
        loss = negative_pearson(network(clip), wave)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < 0.2, losses


@every_network
def test_parameters_match_physnet(name) -> None:
    count = sum(p.numel() for p in network_of(name).parameters())
    assert count == pytest.approx(PHYSNET_PARAMETERS, rel=0.1)


@every_network
def test_a_smaller_width_has_fewer_parameters(name) -> None:
    with torch.inference_mode():
        small = network_of(name, width=16)
        assert small.eval()(torch.rand(1, 3, 5, 16, 16)).shape == (1, 5)
    assert sum(p.numel() for p in small.parameters()) < 0.8 * PHYSNET_PARAMETERS


@every_network
def test_only_non_causal_networks_use_later_frames(name) -> None:
    """A change of the last frame changes the first values only in non-causal networks."""
    network = network_of(name).eval()
    clip = torch.rand(1, 3, 16, 16, 16)
    later = clip.clone()
    later[:, :, -1] += 1
    with torch.inference_mode():
        change = (network(clip) - network(later)).abs()[0]
    assert change[-1] > 0
    assert (change[8:-1].sum() > 0) == (name in NON_CAUSAL)


def receptive_field(name: str, frames: int = 101) -> list[int]:
    """List the frames, relative to the middle one, on which its output depends."""
    clip = torch.rand(1, 3, frames, 16, 16, requires_grad=True)
    network_of(name).eval()(clip)[0, frames // 2].backward()
    assert clip.grad is not None
    used = clip.grad.abs().sum((0, 1, 3, 4)).nonzero().flatten() - frames // 2
    return used.tolist()


def test_receptive_fields_of_the_convolutional_networks() -> None:
    assert receptive_field("cnn3d") == list(range(-8, 9))
    dilated = receptive_field("cnn3d_dilated")
    assert (dilated[0], dilated[-1]) == (-22, 22)
    pooled = receptive_field("physnet")
    assert 45 <= pooled[-1] - pooled[0] + 1 <= 60  # about that of the dilated network


@pytest.mark.slow
@every_network
def test_each_trains_from_the_command_line_and_reads_a_video(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = f"train pulse --network {name} --steps 1 --batch-size 2 --size 16 --frames 18"
    done = CliRunner().invoke(app, [*words.split(), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    folder = tmp_path / name  # its name, without --out
    assert json.loads((folder / "config.json").read_text())["network"] == name
    assert json.loads((folder / "run.json").read_text())["arguments"]["recipe"]["network"] == name
    wave = estimate(CLIP, folder, device="cpu")
    assert len(wave) == 360
    assert np.isfinite(wave.samples).all()


@pytest.mark.slow
@every_network
def test_each_resumes_training_and_starts_only_from_the_same_network(name, tmp_path) -> None:
    recipe = TrainingConfig(
        network=name, normalisation="diff_normalised", steps=2, batch_size=2, frames=16
    )
    clips, _ = synthetic_clips(recipe)
    settings = {"recipe": recipe, "device": "cpu"}
    uninterrupted = train(clips, tmp_path / "whole", **settings)

    def stop(step: int, _: int) -> None:
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(clips, tmp_path / "stopped", checkpoint_every=1, progress=stop, **settings)
    stopped = train(clips, tmp_path / "stopped", resume=True, **settings)
    expected = load_tensors(uninterrupted)
    for key, tensor in load_tensors(stopped).items():
        torch.testing.assert_close(tensor, expected[key], rtol=0, atol=0)
    assert load_network(stopped, device="cpu")(clips(0)[0]).shape == (16,)
    assert initial_network(uninterrupted, recipe) == uninterrupted
    other = next(n for n in NETWORKS if n != name)
    with pytest.raises(InputError, match=f"holds the network '{name}' and '{other}' is to be"):
        initial_network(uninterrupted, replace(recipe, network=other))


@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "physnet"])
def test_clips_of_a_wrong_shape_are_refused(name) -> None:
    for shape, message in (
        ((1, 3, 3, 16, 16), "at least 4 frames, got 3"),
        ((1, 3, 8, 8, 32), "at least 16×16 pixels, got 8×32"),
        ((1, 8, 3, 16, 16), "batch, 3, frames"),
    ):
        with pytest.raises(InputError, match=message):
            network_of(name)(torch.zeros(shape))
