"""An accelerated network, by folding, memory layout or OpenVINO, gives the same wave."""

import numpy as np
import pytest
import torch

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.accelerate import Accelerated, OpenVino, fold_batchnorms
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.physnet import PhysNet


def trained_network(network, **options) -> torch.nn.Module:
    """Make a network with random weights and BatchNorm statistics of some clips."""
    torch.manual_seed(0)
    module = network(**options).train()
    with torch.no_grad():
        for _ in range(3):
            module(5 * torch.rand(2, 3, 16, 16, 16))
        for p in module.parameters():
            p += 0.05 * torch.randn_like(p)
    return module.eval()


def clip(frames: int, size: int) -> torch.Tensor:
    return 5 * torch.rand(1, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert expected.std() > 0.01
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_accelerated_network_gives_the_same_wave(name) -> None:
    module = trained_network(NETWORKS[name])
    with torch.inference_mode():
        assert_same(Accelerated(module, "cpu")(clip(32, 16)), module(clip(32, 16)))


@pytest.mark.parametrize("normalisation", ["raw", "temporal", "diff_batchnorm"])
@pytest.mark.parametrize(("frames", "size"), [(24, 16), (33, 20), (50, 36)])
def test_accelerated_physnet_gives_the_same_wave_at_any_size(normalisation, frames, size) -> None:
    module = trained_network(PhysNet, normalisation=normalisation)
    with torch.inference_mode():
        assert_same(Accelerated(module, "cpu")(clip(frames, size)), module(clip(frames, size)))


def test_batchnorms_after_convolutions_are_folded_and_the_original_is_unchanged() -> None:
    module = trained_network(PhysNet, normalisation="diff_batchnorm")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    remaining = [
        m for m in fold_batchnorms(module).modules() if isinstance(m, torch.nn.BatchNorm3d)
    ]
    assert len(remaining) == 1  # the one on the input's differences
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.slow
def test_openvino_gives_the_same_wave_at_any_length() -> None:
    pytest.importorskip("openvino")
    module = trained_network(PhysNet, normalisation="temporal")
    fast = OpenVino(module)
    with torch.inference_mode():
        for frames in (24, 33):
            assert_same(fast(clip(frames, 20)), module(clip(frames, 20)))


def test_without_openvino_the_message_says_how_to_install_it(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"emotion-rppg\[fast\]"):
        OpenVino(PhysNet())
