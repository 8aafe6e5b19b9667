"""Folded, laid out anew or run by OpenVINO, a network reads the same wave."""

import numpy as np
import pytest
import torch

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.inference.accelerate import Accelerated, OpenVino, folded
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.physnet import PhysNet


def trained(network, **options) -> torch.nn.Module:
    """Random weights, and BatchNorms that have seen something."""
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


def same(found: torch.Tensor, want: torch.Tensor) -> None:
    assert found.shape == want.shape
    assert want.std() > 0.01
    np.testing.assert_allclose(found.numpy(), want.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_folds_to_itself(name) -> None:
    module = trained(NETWORKS[name])
    with torch.inference_mode():
        same(Accelerated(module, "cpu")(clip(32, 16)), module(clip(32, 16)))


@pytest.mark.parametrize("normalisation", ["raw", "temporal", "diff_batchnorm"])
@pytest.mark.parametrize(("frames", "size"), [(24, 16), (33, 20), (50, 36)])
def test_physnet_reads_the_same_at_any_size(normalisation, frames, size) -> None:
    module = trained(PhysNet, normalisation=normalisation)
    with torch.inference_mode():
        same(Accelerated(module, "cpu")(clip(frames, size)), module(clip(frames, size)))


def test_no_batchnorm_behind_a_convolution_is_left_and_the_original_is_untouched() -> None:
    module = trained(PhysNet, normalisation="diff_batchnorm")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    left = [m for m in folded(module).modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert len(left) == 1  # the one on the input's differences
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.slow
def test_openvino_reads_the_same_whatever_the_length() -> None:
    pytest.importorskip("openvino")
    module = trained(PhysNet, normalisation="temporal")
    fast = OpenVino(module)
    with torch.inference_mode():
        for frames in (24, 33):
            same(fast(clip(frames, 20)), module(clip(frames, 20)))


def test_without_openvino_the_message_says_how_to_get_it(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"emotion-rppg\[fast\]"):
        OpenVino(PhysNet())
