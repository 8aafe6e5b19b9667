"""PhysNet has the published layers and names; public checkpoints load without running code."""

import pickle

import numpy as np
import pytest
import torch

from emotion_rppg.errors import InputError
from emotion_rppg.pulse import NETWORKS
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS, detrended
from emotion_rppg.pulse.networks.physnet import PhysNet, load_public

CONVS = {1: (16, 3, 1, 5, 5), 2: (32, 16, 3, 3, 3), 3: (64, 32, 3, 3, 3)}
CONVS |= dict.fromkeys(range(4, 10), (64, 64, 3, 3, 3))


def published() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published state dict (Yu et al. 2019, author's code)."""
    shapes: dict[str, tuple[int, ...]] = {}
    layers = {f"ConvBlock{k}": shape for k, shape in CONVS.items()}
    layers |= dict.fromkeys(("upsample", "upsample2"), (64, 64, 4, 1, 1))
    for name, shape in layers.items():
        width = (shape[0],)
        shapes |= {f"{name}.0.weight": shape, f"{name}.0.bias": width}
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{part}"] = width
        shapes[f"{name}.1.num_batches_tracked"] = ()
    return shapes | {"ConvBlock10.weight": (1, 64, 1, 1, 1), "ConvBlock10.bias": (1,)}


def test_the_79_published_names_and_shapes() -> None:
    state = PhysNet().state_dict()
    assert {name: tuple(t.shape) for name, t in state.items()} == published()
    assert len(state) == 79
    assert sum(p.numel() for p in PhysNet().parameters()) == 768_577


def test_the_diff_variant_adds_only_its_norm() -> None:
    extra = set(PhysNet(normalisation="diff_batchnorm").state_dict()) - set(published())
    assert extra == {
        f"norm.{part}"
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }


def test_time_is_pooled_to_a_quarter_and_restored_with_elu() -> None:
    sizes = {}
    network = PhysNet().eval()
    for name in ("ConvBlock3", "ConvBlock5", "ConvBlock9", "upsample", "upsample2"):
        network.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: sizes.__setitem__(name, tuple(out.shape[2:]))
        )
    network(torch.zeros(1, 3, 32, 32, 32))
    assert sizes["ConvBlock3"] == (32, 16, 16)
    assert sizes["ConvBlock5"] == (16, 8, 8)
    assert sizes["ConvBlock9"] == (8, 2, 2)
    assert sizes["upsample"] == (16, 2, 2)
    assert sizes["upsample2"] == (32, 2, 2)
    assert isinstance(network.upsample[2], torch.nn.ELU)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("frames", [4, 5, 6, 7, 8, 9, 64])
def test_any_number_of_frames_from_four(make, frames) -> None:
    with torch.inference_mode():
        assert make().eval()(torch.rand(2, 3, frames, 16, 18)).shape == (2, frames)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_every_parameter_has_a_gradient(make) -> None:
    network = make()
    network(torch.rand(2, 3, 8, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_too_little_input_says_how_much_is_wanted() -> None:
    with pytest.raises(InputError, match="at least 4 frames, got 3"):
        PhysNet()(torch.zeros(1, 3, 3, 32, 32))
    with pytest.raises(InputError, match="at least 16×16 pixels, got 8×32"):
        PhysNet()(torch.zeros(1, 3, 8, 8, 32))
    with pytest.raises(InputError, match="batch, 3, frames"):
        PhysNet()(torch.zeros(1, 8, 3, 32, 32))


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrap", [None, "state_dict", "model", "net"])
@pytest.mark.parametrize("normalisation", ["raw", "diff_batchnorm"])
def test_public_checkpoints_load(tmp_path, prefix, wrap, normalisation) -> None:
    source = PhysNet(normalisation=normalisation).eval()
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    torch.save({wrap: state} if wrap else state, tmp_path / "net.pth")
    loaded = load_public(tmp_path / "net.pth")
    clip = torch.rand(1, 3, 8, 16, 16)
    assert not loaded.training
    torch.testing.assert_close(loaded(clip), source(clip))


def test_wrappers_inside_wrappers_are_unwrapped(tmp_path) -> None:
    state = PhysNet().state_dict()
    torch.save({"epoch": 3, "model": {"state_dict": state, "lr": 0.1}}, tmp_path / "net.pth")
    assert torch.equal(
        load_public(tmp_path / "net.pth").ConvBlock10.bias, state["ConvBlock10.bias"]
    )


def test_tensors_that_do_not_fit_are_listed_by_name(tmp_path) -> None:
    state = PhysNet().state_dict()
    del state["ConvBlock4.0.bias"]
    state["head.weight"] = torch.zeros(3)
    state["ConvBlock2.0.weight"] = torch.zeros(32, 16, 1, 1, 1)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(InputError) as error:
        load_public(tmp_path / "net.pth")
    for name in ("missing ConvBlock4.0.bias", "unexpected head.weight", "ConvBlock2.0.weight is"):
        assert name in str(error.value)


class _Hostile:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path) -> None:
    trace = tmp_path / "it_ran"
    torch.save({"ConvBlock1.0.weight": _Hostile(str(trace))}, tmp_path / "bad.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(_Hostile(str(trace))))
    (tmp_path / "words.pth").write_text("no checkpoint")
    complete = tmp_path / "whole.pth"
    torch.save(PhysNet().state_dict(), complete, _use_new_zipfile_serialization=False)
    content = complete.read_bytes()
    (tmp_path / "torn.pth").write_bytes(content[: len(content) // 2])
    for name in ("bad.pth", "bare.pth", "words.pth", "torn.pth"):
        with pytest.raises(InputError, match="was not opened"):
            load_public(tmp_path / name)
    assert not trace.exists()


@pytest.mark.parametrize("normalise", NORMALISATIONS.values(), ids=NORMALISATIONS)
def test_normalisations_keep_the_shape_and_stay_finite(normalise) -> None:
    for clip in (torch.rand(2, 3, 6, 4, 4) * 255, torch.zeros(2, 3, 6, 4, 4)):
        out = normalise(clip)
        assert out.shape == clip.shape
        assert torch.isfinite(out).all()


def test_channels_are_standardised_one_by_one_and_clip_by_clip() -> None:
    clips = torch.rand(2, 3, 20, 4, 4) * torch.tensor([50, 100, 150]).view(1, 3, 1, 1, 1) + 20
    found = NORMALISATIONS["channel_standardised"](clips)
    torch.testing.assert_close(found.mean((2, 3, 4)), torch.zeros(2, 3), atol=1e-4, rtol=0)
    deviation = found.std((2, 3, 4), unbiased=False)
    torch.testing.assert_close(deviation, torch.ones(2, 3), atol=1e-3, rtol=0)
    alone = NORMALISATIONS["channel_standardised"](clips[1:])
    torch.testing.assert_close(alone, found[1:])


def test_differences_ignore_gain_and_detrending_ignores_lines() -> None:
    clip = torch.rand(1, 3, 20, 4, 4) * 100 + 50
    diff = NORMALISATIONS["diff_normalised"]
    torch.testing.assert_close(diff(clip), diff(2 * clip), atol=1e-4, rtol=1e-3)
    line = torch.linspace(0, 30, 20).view(1, 1, 20, 1, 1)
    torch.testing.assert_close(detrended(clip), detrended(clip + line), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_detrending_is_the_least_squares_line_of_each_pixel_in_either_layout(layout) -> None:
    clip = torch.rand(2, 3, 20, 4, 5) * 100 + 50
    at = np.arange(20)
    pixels = clip.double().movedim(2, 0).reshape(20, -1).numpy()
    residual = pixels - np.vander(at, 2) @ np.polyfit(at, pixels, 1)
    expected = (residual / np.sqrt((residual**2).mean(0) + 1e-6)).reshape(20, 2, 3, 4, 5)
    found = detrended(clip.contiguous(memory_format=layout)).movedim(2, 0)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
