"""Conversion measures what a checkpoint does not state: sign, delay, wave or derivative."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.pulse.convert import Measured, convert, measure, parse_trained_on
from emotion_rppg.pulse.inference.trained_network import Network, load_network
from emotion_rppg.pulse.networks.physnet import PhysNet
from emotion_rppg.pulse.training.train import TrainingConfig, synthetic_clips, train
from emotion_rppg.runtime.model_folders import load_tensors
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip

SIZE, RATE = 16, 30.0


class ReadsGreen(nn.Module):
    """Output the mean green of the centre, ``late`` frames late, or its derivative.

    Blood darkens green: with ``sign=1`` the output is inverted.
    """

    def __init__(self, *, sign: int = 1, late: int = 0, derivative: bool = False) -> None:
        super().__init__()
        self.sign, self.late, self.derivative = sign, late, derivative

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wave = self.sign * x[:, 1, :, 10:22, 10:22].mean((2, 3)).roll(self.late, dims=1)
        return torch.gradient(wave, dim=1)[0] if self.derivative else wave


def measured(**options) -> Measured:
    config = {"rate_hz": RATE, "size": 32, "normalisation": "raw", "polarity": 1}
    return measure(Network(ReadsGreen(**options), config, "cpu"))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("late", [-7, 0, 5])
@pytest.mark.parametrize("derivative", [False, True])
def test_sign_delay_and_kind_are_measured(sign, late, derivative) -> None:
    found = measured(sign=sign, late=late, derivative=derivative)
    assert found.polarity == -sign
    assert found.output == ("derivative" if derivative else "wave")
    assert found.lag_s == pytest.approx(late / RATE, abs=0.5 / RATE)
    assert abs(found.r) > 0.5


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> PhysNet:
    """Train a PhysNet for a few steps on synthetic clips, more blood up."""
    recipe = TrainingConfig(size=SIZE, frames=64, steps=40, batch_size=4)
    folder = tmp_path_factory.mktemp("taught") / "net"
    train(synthetic_clips(recipe)[0], folder, recipe=recipe, device="cpu")
    module = PhysNet(normalisation="temporal").eval()
    module.load_state_dict(load_tensors(folder))
    return module


@pytest.fixture(params=[1, -1])
def checkpoint(request, trained, tmp_path) -> tuple[Path, int]:
    """Write it as a public checkpoint, with its polarity or inverted."""
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    for name in ("ConvBlock10.weight", "ConvBlock10.bias"):
        state[name] *= request.param
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "net.pth")
    return tmp_path / "net.pth", request.param


@pytest.mark.slow
def test_the_command_corrects_an_inverted_checkpoint(checkpoint, trained, tmp_path) -> None:
    path, sign = checkpoint
    arguments = ["convert", path, tmp_path / "m", "--trained-on", "ubfc:1,2", "--json"]
    arguments += ["--size", SIZE, "--normalisation", "temporal"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout.splitlines()[-1])
    assert (printed["polarity"], printed["output"]) == (sign, "wave")
    assert abs(printed["lag_s"]) < 0.1
    assert Path(printed["out"], "run.json").is_file()
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["polarity"] == sign
    assert config["trained_on"] == {"ubfc": ["1", "2"]}
    clip, _ = training_clip(5, frames=128, size=SIZE, rate_hz=RATE)
    wave = load_network(tmp_path / "m", device="cpu")(clip)
    with torch.inference_mode():
        expected = trained(torch.from_numpy(clip).float().permute(3, 0, 1, 2)[None])[0].numpy()
    assert np.corrcoef(wave, expected)[0, 1] > 0.999  # whatever the polarity of the file


def test_a_derivative_is_integrated_when_it_is_read() -> None:
    clip, _ = training_clip(6, frames=300, size=32, rate_hz=RATE)
    config = {"rate_hz": RATE, "size": 32, "normalisation": "raw", "polarity": -1}
    plain = Network(ReadsGreen(), config, "cpu")
    change = Network(ReadsGreen(derivative=True), {**config, "output": "derivative"}, "cpu")
    a, b = (Signal(net(clip), RATE).bandpass(0.7, 4.0).samples[30:-30] for net in (plain, change))
    assert np.corrcoef(a, b)[0, 1] > 0.95


def test_a_network_whose_output_has_no_pulse_is_refused(tmp_path) -> None:
    torch.manual_seed(0)
    network = PhysNet()
    nn.init.zeros_(network.ConvBlock10.weight)
    torch.save(network.state_dict(), tmp_path / "blind.pth")
    with pytest.raises(InputError, match=r"does not follow the pulse.*--normalisation"):
        convert(tmp_path / "blind.pth", tmp_path / "m", trained_on="unknown", size=16)
    assert not (tmp_path / "m").exists()


def test_the_variant_with_its_own_norm_chooses_its_normalisation(tmp_path) -> None:
    torch.save(PhysNet(normalisation="diff_batchnorm").state_dict(), tmp_path / "d.pth")
    torch.save(PhysNet().state_dict(), tmp_path / "p.pth")
    for name, normalisation, message in (
        ("d.pth", "raw", "which excludes --normalisation raw"),
        ("p.pth", "diff_batchnorm", "is needed for --normalisation diff_batchnorm"),
    ):
        with pytest.raises(InputError, match=message):
            convert(
                tmp_path / name,
                tmp_path / "m",
                trained_on="unknown",
                size=16,
                normalisation=normalisation,
            )


def test_trained_on_lists_subjects_or_is_unknown() -> None:
    assert parse_trained_on("unknown") == "unknown"
    assert parse_trained_on(["ubfc:1, 2", "pure:3", "ubfc:7"]) == {
        "ubfc": ["1", "2", "7"],
        "pure": ["3"],
    }
    for wrong in ("ubfc", "ubfc:", ":1", "", ["unknown", "ubfc:1"], []):
        with pytest.raises(InputError, match="--trained-on"):
            parse_trained_on(wrong)


def test_impossible_settings_are_refused_before_any_work(tmp_path) -> None:
    for options, message in (
        ({"size": 8}, "16 pixels or more"),
        ({"rate_hz": 0.0}, "10 to 240"),
        ({"normalisation": "z"}, "known: raw"),
        ({}, "no checkpoint"),
    ):
        with pytest.raises(InputError, match=message):
            convert(tmp_path / "no.pth", tmp_path / "m", trained_on="unknown", **options)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not an output"):
        convert(tmp_path / "no.pth", folder, trained_on="unknown")
