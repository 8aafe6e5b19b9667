"""Each loss is 0 for the true wave, ranks errors as intended and has a finite gradient."""

import pytest
import torch

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training.losses import (
    LOSSES,
    named_loss,
    negative_pearson,
    peakedness,
    with_pulseless,
)

RATE_HZ = 30.0


def pulse(bpm: float = 72.0, *, late_s: float = 0.0, frames: int = 128) -> torch.Tensor:
    """Generate two pulse waves with two harmonics, (2, frames)."""
    t = torch.arange(frames) / RATE_HZ - late_s
    phase = 2 * torch.pi * torch.stack([t, t + 0.3]) * bpm / 60
    return torch.sin(phase) + 0.4 * torch.sin(2 * phase + 0.7)


def losses_of(found: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    return {name: loss(found, truth, RATE_HZ).item() for name, loss in LOSSES.items()}


def test_negative_pearson_is_one_minus_r() -> None:
    x = torch.sin(torch.linspace(0, 20, 100))
    pairs = torch.stack([x, x, x]), torch.stack([3 * x + 5, -x, torch.ones(100)])
    each = [negative_pearson(a[None], b[None]).item() for a, b in zip(*pairs, strict=True)]
    assert each == pytest.approx([0.0, 2.0, 1.0], abs=1e-4)


def test_the_true_wave_has_loss_zero_at_any_scale() -> None:
    assert list(losses_of(3 * pulse() + 5, pulse()).values()) == pytest.approx(
        [0] * len(LOSSES), abs=1e-4
    )


def test_the_lag_tolerant_and_the_spectral_loss_ignore_a_late_label() -> None:
    for late_s in (-0.2, 0.2):
        found = losses_of(pulse(late_s=late_s), pulse())
        assert found["pearson"] > 0.6
        assert found["slopes"] > 0.6
        assert found["lag_tolerant"] < 0.01
        assert found["frequency"] < 0.05
    assert losses_of(pulse(late_s=0.38), pulse())["lag_tolerant"] > 0.02  # beyond what it tolerates


def test_lag_tolerant_allows_another_delay_for_each_clip() -> None:
    found = torch.stack([pulse(late_s=0.2)[0], pulse(late_s=-0.1)[1]])
    assert LOSSES["lag_tolerant"](found, pulse(), RATE_HZ) < 0.01


def test_a_wrong_rate_raises_every_loss_and_more_the_farther_it_is() -> None:
    near, far = losses_of(pulse(80), pulse()), losses_of(pulse(110), pulse())
    for name in LOSSES:
        assert far[name] > 0.3, name
    for name in ("frequency", "lag_tolerant"):
        assert far[name] > near[name] > 0.02, name


def test_every_loss_but_the_spectral_one_detects_polarity() -> None:
    found = losses_of(-pulse(72), pulse(72))
    for name, loss in LOSSES.items():
        assert (found[name] > 0.2) == loss.polarity, name
    assert found["frequency"] < 1e-4
    for name in ("frequency", "frequency+frequency"):
        with pytest.raises(InputError, match=r"cannot detect polarity: .* pearson\+frequency"):
            named_loss(name)


def test_a_smoothed_rise_raises_the_slope_loss_more_than_pearson() -> None:
    truth = pulse()
    smooth = torch.nn.functional.avg_pool1d(truth[:, None], 9, 1, 4, count_include_pad=False)[:, 0]
    found = losses_of(smooth, truth)
    assert found["slopes"] > 2 * found["pearson"]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_constant_wave_has_a_finite_loss_and_gradient(loss) -> None:
    flat = torch.zeros(2, 128, requires_grad=True)
    found = loss(flat, pulse(), RATE_HZ)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(flat.grad).all()


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_descent_on_a_wave_lowers_the_loss(loss) -> None:
    wave = torch.randn(2, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimiser = torch.optim.Adam([wave], lr=0.05)
    first = loss(wave, pulse(), RATE_HZ).item()
    for _ in range(120):
        optimiser.zero_grad()
        found = loss(wave, pulse(), RATE_HZ)
        found.backward()
        optimiser.step()
    assert found.item() < 0.3 * first


def test_several_losses_are_averaged_and_unknown_names_refused() -> None:
    found = losses_of(pulse(80), pulse())
    both = named_loss("pearson+frequency")(pulse(80), pulse(), RATE_HZ).item()
    assert both == pytest.approx((found["pearson"] + found["frequency"]) / 2)
    with pytest.raises(InputError, match="unknown loss 'mse'; known: pearson"):
        named_loss("pearson+mse")
    with pytest.raises(InputError, match="too short for lag_tolerant"):
        LOSSES["lag_tolerant"](pulse(frames=18), pulse(frames=18), RATE_HZ)


def test_a_line_is_more_peaked_than_noise() -> None:
    t = torch.arange(300) / 30
    line = torch.sin(2 * torch.pi * 1.3 * t)[None]
    noise = torch.randn(8, 300, generator=torch.Generator().manual_seed(0))
    zero = torch.zeros(1, 300)
    assert peakedness(line, zero, 30.0) > 0.3
    assert peakedness(noise, zero, 30.0) < 0.5 * peakedness(line, zero, 30.0)


def test_clips_without_a_pulse_are_left_out_of_the_loss_and_have_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    found, truth = (torch.randn(4, 200, generator=generator) for _ in range(2))
    truth[1] = truth[3] = 0
    loss = with_pulseless(negative_pearson, 0.5)
    peaked = peakedness(found[1::2], truth[1::2], 30.0)
    want = negative_pearson(found[::2], truth[::2]) + 0.5 * peaked
    assert loss(found, truth, 30.0) == pytest.approx(float(want / 2))
    only_pulse = loss(found[::2], truth[::2], 30.0)
    assert only_pulse == negative_pearson(found[::2], truth[::2])


def test_the_loss_of_clips_without_a_pulse_flattens_their_spectrum() -> None:
    t = torch.arange(200) / 30
    wave = torch.sin(2 * torch.pi * 1.3 * t)[None].requires_grad_()
    loss = with_pulseless(negative_pearson, 1.0)
    before = loss(wave, torch.zeros(1, 200), 30.0)
    (gradient,) = torch.autograd.grad(before, wave)
    assert torch.isfinite(gradient).all()
    after = loss(wave - 0.1 * gradient / gradient.abs().max(), torch.zeros(1, 200), 30.0)
    assert after < before
