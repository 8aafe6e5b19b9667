"""Conversion measures what a checkpoint does not state: sign, delay, wave or derivative."""

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.errors import InputError
from emotion_rppg.pulse import conversion_check
from emotion_rppg.pulse.conversion_check import Measured, measure
from emotion_rppg.pulse.convert import convert, parse_trained_on
from emotion_rppg.pulse.inference.trained_network import BUNDLED, Network, load_network
from emotion_rppg.pulse.networks.physnet import PhysNet, load_public
from emotion_rppg.pulse.training.train import TrainingConfig, synthetic_clips, train
from emotion_rppg.runtime.model_folders import load_tensors, read_config
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip

SIZE, RATE = 16, 30.0
CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


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


@pytest.mark.slow
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


# ---- public checkpoints by their published names, keys and shapes -------------------------------

PUBLIC = {  # file -> whether its keys begin with "module." and it normalises differences itself
    "BP4D_PseudoLabel_PhysNet_DiffNormalized.pth": False,
    "MA-UBFC_physnet_DiffNormalized.pth": False,
    "PURE_PhysNet_DiffNormalized.pth": False,
    "SCAMPS_PhysNet_DiffNormalized.pth": False,
    "UBFC-rPPG_PhysNet_DiffNormalized.pth": False,
    "PURE_PhysNet_Raw.pth": True,
    "SCAMPS_PhysNet_Raw.pth": True,
    "UBFC-rPPG_PhysNet_Raw.pth": True,
    "UBFC-rPPG_Intra_PhysNet_Raw.pth": True,
    "iBVP_PhysNet_Raw.pth": True,
}


def published(*, module: bool) -> dict[str, torch.Tensor]:
    """Make a state dict with the published keys and shapes."""
    channels = (3, 16, 32, *[64] * 7)
    state: dict[str, torch.Tensor] = {}
    draw = torch.Generator().manual_seed(0)

    def add(name: str, norm: str, shape: tuple[int, ...], out: int) -> None:
        state[f"{name}.weight"] = torch.randn(shape, generator=draw) * 0.05
        state[f"{name}.bias"] = torch.zeros(out)
        if norm:
            add_norm(norm, out)

    def add_norm(norm: str, out: int) -> None:
        state.update({f"{norm}.weight": torch.ones(out), f"{norm}.bias": torch.zeros(out)})
        state.update({f"{norm}.running_mean": torch.zeros(out)})
        state.update({f"{norm}.running_var": torch.ones(out)})
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    for k in range(1, 10):
        kernel = (1, 5, 5) if k == 1 else (3, 3, 3)
        shape = (channels[k], channels[k - 1], *kernel)
        add(f"ConvBlock{k}.0", f"ConvBlock{k}.1", shape, channels[k])
    for name in ("upsample", "upsample2"):
        add(f"{name}.0", f"{name}.1", (64, 64, 4, 1, 1), 64)
    add("ConvBlock10", "", (1, 64, 1, 1, 1), 1)
    assert len(state) == 79
    if module:
        add_norm("norm", 3)
    return {f"module.{k}" if module else k: v for k, v in state.items()}


@pytest.mark.parametrize(("name", "module"), PUBLIC.items(), ids=PUBLIC)
def test_every_public_checkpoint_is_converted_and_marked_as_not_checked(
    name, module, tmp_path
) -> None:
    torch.save(published(module=module), tmp_path / name)
    found = convert(tmp_path / name, tmp_path / "m", trained_on="unknown", check=None)
    config = read_config(tmp_path / "m")
    normalisation, output = (
        ("diff_batchnorm", "wave") if module else ("diff_normalised", "derivative")
    )
    assert (config["normalisation"], config["size"], config["rate_hz"]) == (normalisation, 72, 30)
    assert (config["output"], config["polarity"], config["lag_s"]) == (output, 1, 0.0)
    assert config["check"] == {"on": "not checked", "assumed": True}
    assert config["source"] == {"file": name, "sha256": digest(tmp_path / name)}
    assert found.r is None
    assert "- on: not checked" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    clip = np.random.default_rng(0).integers(0, 255, (32, 72, 72, 3), np.uint8)
    assert np.isfinite(load_network(tmp_path / "m", device="cpu")(clip)).all()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def public(tmp_path) -> Path:
    torch.save(published(module=False), tmp_path / "public.pth")
    return tmp_path / "public.pth"


def test_a_weak_result_on_synthetic_clips_assumes_conventional_values(
    public, tmp_path, monkeypatch, caplog
) -> None:
    weak = Measured("wave", -1, 0.2, -0.2, median_r=0.22)
    monkeypatch.setattr("emotion_rppg.pulse.convert.measure", lambda network: weak)
    found = convert(public, tmp_path / "m", trained_on="unknown")
    assert (found.output, found.polarity, found.lag_s, found.assumed) == ("derivative", 1, 0, True)
    check = read_config(tmp_path / "m")["check"]
    assert check["on"] == "synthetic clips"
    assert (check["r_with_pos"], check["median_r_with_pos"], check["assumed"]) == (-0.2, 0.22, True)
    assert "--check VIDEO" in caplog.text
    monkeypatch.setattr(
        "emotion_rppg.pulse.convert.measure", lambda network: weak._replace(r=-0.14)
    )
    with pytest.raises(InputError, match=r"0\.14, want 0\.15.*--check VIDEO.*--no-check"):
        convert(public, tmp_path / "n", trained_on="unknown")


@pytest.mark.slow
def test_real_videos_measure_sign_and_delay() -> None:
    config = {"rate_hz": RATE, "size": 32, "normalisation": "raw", "polarity": 1}
    network = Network(ReadsGreen(sign=1, late=4), config, "cpu")
    found = conversion_check.measure_on_videos(network, [CLIP])
    assert (found.polarity, found.output) == (-1, "wave")
    assert found.lag_s == pytest.approx(4 / RATE, abs=0.5 / RATE)
    assert (found.on, found.clips, found.used) == ("real videos", 1, 1)
    assert found.r is not None
    assert found.median_r == pytest.approx(abs(found.r))
    assert abs(found.r) > 0.5


@pytest.mark.slow
def test_a_video_without_a_common_rate_of_two_methods_is_no_reference(monkeypatch) -> None:
    rates = iter([60.0, 70.0])
    monkeypatch.setattr(conversion_check, "heart_rate", lambda wave: next(rates))
    config = {"rate_hz": RATE, "size": 32, "normalisation": "raw", "polarity": 1}
    with pytest.raises(InputError, match=r"none of 1 videos.*--no-check"):
        conversion_check.measure_on_videos(Network(ReadsGreen(), config, "cpu"), [CLIP])


def test_a_network_that_real_videos_contradict_is_refused(public, tmp_path, monkeypatch) -> None:
    real = Measured("wave", 1, 0.0, 0.2, median_r=0.2, on="real videos", clips=2, used=2)
    monkeypatch.setattr("emotion_rppg.pulse.convert.measure_on_videos", lambda network, paths: real)
    with pytest.raises(InputError, match=r"of 2 real videos.*0\.20, want 0\.3"):
        convert(public, tmp_path / "m", trained_on="unknown", check=["a.mp4", "b.mp4"])
    assert not (tmp_path / "m").exists()


def test_the_network_of_contrast_phys_is_refused_by_name(tmp_path) -> None:
    names = ("start.0.weight", "loop1.1.weight", "decoder1.0.weight", "end.1.weight")
    torch.save({name: torch.zeros(2) for name in names}, tmp_path / "model_weights.pt")
    with pytest.raises(InputError, match=r"Contrast-Phys.*cannot be converted"):
        convert(tmp_path / "model_weights.pt", tmp_path / "m", trained_on="unknown")


def test_check_and_no_check_exclude_each_other(public, tmp_path) -> None:
    words = ["convert", public, tmp_path / "m", "--trained-on", "unknown", "--no-check"]
    result = CliRunner().invoke(app, [str(word) for word in [*words, "--check", CLIP]])
    assert result.exit_code == 2
    assert "give one or the other" in result.stderr


# ---- Keras weights ------------------------------------------------------------------------------


def write_keras(path: Path, network: PhysNet) -> None:
    """Write the weights of a network as Keras does, in the layout of open-rppg's file."""
    h5py = pytest.importorskip("h5py")

    def arrays(part: nn.Module) -> list[np.ndarray]:
        if isinstance(part, nn.BatchNorm3d):
            tensors = [part.weight, part.bias, part.running_mean, part.running_var]
            return [tensor.detach().numpy() for tensor in tensors]
        axes = (2, 3, 4, 1, 0)  # (out, in, t, h, w) -> (t, h, w, in, out), and in/out swapped
        return [part.weight.detach().numpy().transpose(axes), part.bias.detach().numpy()]

    with h5py.File(path, "w") as file:

        def write(group: str, part: nn.Module) -> None:
            for k, array in enumerate(arrays(part)):
                file[f"{group}/vars/{k}"] = array

        blocks = {f"ConvBlock{k}": network.get_submodule(f"ConvBlock{k}") for k in range(1, 10)}
        blocks |= {"layers/sequential_9": network.upsample}
        blocks |= {"layers/sequential_10": network.upsample2}
        for name, block in blocks.items():
            conv = "conv3d" if name.startswith("Conv") else "conv3d_transpose"
            write(f"{name}/layers/{conv}", block[0])
            write(f"{name}/layers/batch_normalization", block[1])
        write("convBlock10", network.ConvBlock10)
        file.create_group("layers/average_pooling3d/vars")


@pytest.fixture
def with_statistics() -> PhysNet:
    """Make a network whose BatchNorms differ from the identity, with the epsilon of Keras."""
    torch.manual_seed(1)
    network = PhysNet().eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm3d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.0, 0.01)  # so small that the epsilon matters
            part.eps = 1e-3
    return network


def test_keras_weights_compute_the_same_wave(with_statistics, tmp_path) -> None:
    path = tmp_path / "physnet.pure.weights.h5"
    write_keras(path, with_statistics)
    clip = torch.randn(1, 3, 16, 32, 32)
    with torch.inference_mode():
        expected, found = with_statistics(clip), load_public(path)(clip)
    scale = float(expected.std())
    torch.testing.assert_close(found / scale, expected / scale, atol=1e-3, rtol=0)
    convert(path, tmp_path / "m", trained_on="unknown", check=None)
    config = read_config(tmp_path / "m")
    facts = (config["normalisation"], config["size"], config["crop_width"], config["output"])
    assert facts == ("channel_standardised", 32, 1.05, "wave")


def test_keras_files_that_cannot_be_used_say_why(tmp_path, monkeypatch) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["dense/vars/0"] = np.zeros(3)
    with pytest.raises(InputError, match=r"not the PhysNet of open-rppg \(groups: dense\)"):
        load_public(tmp_path / "other.h5")
    (tmp_path / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        load_public(tmp_path / "torn.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"emotion-rppg\[files\]"):
        load_public(tmp_path / "other.h5")


# ---- the Hugging Face hub, replaced by files on this disk ---------------------------------------


@dataclass
class Hub:
    """A stand-in for huggingface_hub that serves one file."""

    content: bytes
    licence: str | None = "apache-2.0"
    error: Exception | None = None
    calls: list[dict] = field(default_factory=list)

    def module(self) -> ModuleType:
        found = ModuleType("huggingface_hub")
        found.hf_hub_download = self.download  # type: ignore[attr-defined]
        card = SimpleNamespace(license=self.licence)
        api = SimpleNamespace(model_info=lambda repo, revision: SimpleNamespace(card_data=card))
        found.HfApi = lambda: api  # type: ignore[attr-defined]
        return found

    def download(self, **call) -> str:
        self.calls.append(call)
        path = Path(call["cache_dir"]) / Path(call["filename"]).name
        path.write_bytes(self.content)
        if self.error is not None:
            raise self.error
        return str(path)


@pytest.fixture
def hub(public, monkeypatch) -> Hub:
    found = Hub(public.read_bytes())
    monkeypatch.setitem(sys.modules, "huggingface_hub", found.module())
    return found


ADDRESS = "hub:someone/rppg-physnet@0123abc/weights/physnet.pth"


def test_a_file_of_the_hub_is_converted_with_its_licence(hub, tmp_path) -> None:
    words = ["convert", ADDRESS, tmp_path / "m", "--trained-on", "unknown", "--no-check"]
    words += ["--sha256", hashlib.sha256(hub.content).hexdigest().upper()]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "licence: apache-2.0" in result.stdout
    (call,) = hub.calls
    named = (call["repo_id"], call["revision"], call["filename"])
    assert named == ("someone/rppg-physnet", "0123abc", "weights/physnet.pth")
    assert not Path(call["cache_dir"]).exists()
    assert read_config(tmp_path / "m")["source"] == {
        "file": "weights/physnet.pth",
        "sha256": hashlib.sha256(hub.content).hexdigest(),
        "repository": "someone/rppg-physnet",
        "revision": "0123abc",
        "licence": "apache-2.0",
    }
    assert "- licence: apache-2.0" in (tmp_path / "m" / "MODEL_CARD.md").read_text()


def test_a_card_without_a_licence_says_so(hub, tmp_path) -> None:
    hub.licence = None
    sys.modules["huggingface_hub"] = hub.module()
    hashed = hashlib.sha256(hub.content).hexdigest()
    convert(ADDRESS, tmp_path / "m", trained_on="unknown", check=None, sha256=hashed)
    assert read_config(tmp_path / "m")["source"]["licence"] == "not stated"


@pytest.mark.parametrize(
    ("address", "sha256", "error", "message", "downloads"),
    [
        (ADDRESS, None, None, "needs the SHA-256.*nothing was downloaded", 0),
        (ADDRESS, "12ab", None, "want 64 hexadecimal digits", 0),
        ("hub:someone/rppg-physnet/physnet.pth", "0" * 64, None, "hub:OWNER/REPO@REVISION", 0),
        (ADDRESS, "0" * 64, None, "has the SHA-256 .*, want 0000", 1),
        (ADDRESS, "0" * 64, OSError("no route to host"), "could not be downloaded.*no route", 1),
    ],
)
def test_a_file_of_the_hub_that_cannot_be_used_leaves_nothing(
    hub, tmp_path, address, sha256, error, message, downloads
) -> None:
    hub.error = error
    with pytest.raises(InputError, match=message):
        convert(address, tmp_path / "m", trained_on="unknown", check=None, sha256=sha256)
    assert len(hub.calls) == downloads
    assert not any(Path(call["cache_dir"]).exists() for call in hub.calls)
    assert not (tmp_path / "m").exists()


def test_the_hub_needs_its_package(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"emotion-rppg\[hub\]"):
        convert(ADDRESS, tmp_path / "m", trained_on="unknown", check=None, sha256="0" * 64)


def test_a_local_checkpoint_of_another_hash_is_refused(public, tmp_path) -> None:
    with pytest.raises(InputError, match="has the SHA-256"):
        convert(public, tmp_path / "m", trained_on="unknown", check=None, sha256="0" * 64)
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_a_real_face_measures_the_bundled_network_as_upright_and_in_time(real_data) -> None:
    path = real_data / "faces" / "known_rate" / "evm_face.mp4"
    if not path.is_file():
        pytest.skip("evm_face.mp4 is missing")
    found = conversion_check.measure_on_videos(load_network(BUNDLED["physnet"]), [path])
    assert (found.polarity, found.output, found.used) == (1, "wave", 1)
    assert abs(found.lag_s) < 0.1
