"""Convolutions by fewer multiplications give what the plain ones do."""

import numpy as np
import pytest
import torch
from torch import nn

from emotion_rppg.pulse.inference.accelerate import Accelerated
from emotion_rppg.pulse.inference.winograd import TILE, Convolution, Traceable, fits, replaced
from emotion_rppg.pulse.networks import NETWORKS
from emotion_rppg.pulse.networks.physnet import PhysNet


def layer(**options) -> nn.Conv3d:
    torch.manual_seed(3)
    return nn.Conv3d(5, 7, **({"kernel_size": 3, "padding": 1} | options)).eval()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 11, 4 * TILE, 4 * TILE + 1, 8 * TILE + 6])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("kind", [Convolution, Traceable])
def test_any_number_of_frames_in_either_layout(kind, frames, layout) -> None:
    conv = layer()
    x = torch.randn(2, 5, frames, 6, 4, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        found, want = kind(conv)(x.to(memory_format=layout)), conv(x)
    assert found.shape == want.shape
    np.testing.assert_allclose(found.numpy(), want.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [Convolution, Traceable])
def test_the_input_is_left_as_it_was(kind) -> None:
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
def test_other_layers_do_not_fit(options) -> None:
    assert fits(layer())
    assert not fits(layer(**options))
    assert not fits(nn.BatchNorm3d(3))


def test_on_a_cpu_all_of_physnets_layers_that_fit_are_replaced() -> None:
    found = Accelerated(PhysNet(), "cpu").module
    assert sum(isinstance(part, Convolution) for part in found.modules()) == 8
    assert not any(fits(part) for part in found.modules())
    assert replaced(found, Traceable) is found
    assert not any(isinstance(part, Traceable) for part in found.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_made_ready_can_be_made_ready_again(name) -> None:
    once = Accelerated(NETWORKS[name]().eval(), "cpu")
    clip = torch.rand(1, 3, 24, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(Accelerated(once.module, "cpu")(clip), once(clip))
