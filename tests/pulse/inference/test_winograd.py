"""Winograd convolutions give the output of the layers they replace."""

import numpy as np
import pytest
import torch
from torch import nn

from emotion_rppg.pulse.inference.accelerate import Accelerated
from emotion_rppg.pulse.inference.winograd import (
    TILE,
    Convolution,
    Traceable,
    is_supported,
    replace_convolutions,
)
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.physnet import PhysNet


def layer(**options) -> nn.Conv3d:
    torch.manual_seed(3)
    return nn.Conv3d(5, 7, **({"kernel_size": 3, "padding": 1} | options)).eval()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 11, 4 * TILE, 4 * TILE + 1, 8 * TILE + 6])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("kind", [Convolution, Traceable])
def test_output_is_that_of_the_layer_for_any_length_and_layout(kind, frames, layout) -> None:
    conv = layer()
    x = torch.randn(2, 5, frames, 6, 4, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        found, expected = kind(conv)(x.to(memory_format=layout)), conv(x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [Convolution, Traceable])
def test_the_input_is_unchanged(kind) -> None:
    x = torch.randn(1, 5, 12, 6, 4)
    before = x.clone()
    with torch.inference_mode():
        kind(layer())(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": (1, 3, 3), "padding": (0, 1, 1)},
        {"stride": 2},
        {"dilation": (4, 1, 1), "padding": (4, 1, 1)},
        {"padding": 0},
        {"bias": False},
    ],
)
def test_other_layers_are_not_supported(options) -> None:
    assert is_supported(layer())
    assert not is_supported(layer(**options))
    assert not is_supported(nn.BatchNorm3d(3))


def test_on_a_cpu_all_supported_layers_of_physnet_are_replaced() -> None:
    found = Accelerated(PhysNet(), "cpu").module
    assert sum(isinstance(part, Convolution) for part in found.modules()) == 8
    assert not any(is_supported(part) for part in found.modules())
    assert replace_convolutions(found, Traceable) is found
    assert not any(isinstance(part, Traceable) for part in found.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_accelerated_network_can_be_accelerated_again(name) -> None:
    once = Accelerated(NETWORKS[name]().eval(), "cpu")
    clip = torch.rand(1, 3, 24, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(Accelerated(once.module, "cpu")(clip), once(clip))
