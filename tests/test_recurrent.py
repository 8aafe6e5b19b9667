"""The readable recurrent cells equal those of torch; gates take values between 0 and 1."""

import pytest
import torch
from torch import nn

from emotion_rppg.recurrent import ConvLSTM, gates, initialise, lstm_cell, rnn_cell

TIME, IN, HIDDEN = 40, 5, 7


@pytest.fixture
def sequence() -> torch.Tensor:
    return torch.randn(TIME, IN, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def lstm() -> nn.LSTM:
    torch.manual_seed(2)
    return nn.LSTM(IN, HIDDEN)


def test_the_lstm_cell_equals_that_of_torch(lstm, sequence) -> None:
    w_ih, w_hh, b_ih, b_hh = lstm.parameters()
    h = c = torch.zeros(1, HIDDEN)
    states = []
    for x in sequence.unsqueeze(1):
        h, c, _ = lstm_cell(x, h, c, w_ih, w_hh, b_ih + b_hh)
        states.append(h)
    wanted, (_, last) = lstm(sequence.unsqueeze(1))
    torch.testing.assert_close(torch.stack(states), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(c[None], last, atol=1e-6, rtol=0)


def test_the_rnn_cell_equals_that_of_torch(sequence) -> None:
    torch.manual_seed(3)
    rnn = nn.RNN(IN, HIDDEN)
    w_ih, w_hh, b_ih, b_hh = rnn.parameters()
    h = torch.zeros(1, HIDDEN)
    states = []
    for x in sequence.unsqueeze(1):
        h = rnn_cell(x, h, w_ih, w_hh, b_ih + b_hh)
        states.append(h)
    torch.testing.assert_close(
        torch.stack(states), rnn(sequence.unsqueeze(1))[0], atol=1e-6, rtol=0
    )


def test_gates_take_continuous_values(lstm, sequence) -> None:
    activity = gates(lstm, sequence)
    assert all(part.shape == (TIME, HIDDEN) for part in activity)
    for part in (activity.input, activity.forget, activity.output):
        assert ((part > 0) & (part < 1)).all()
    assert (activity.candidate.abs() < 1).all()
    assert activity.forget.unique().numel() > 100


def test_the_cell_state_follows_from_the_gates(lstm, sequence) -> None:
    """C_t = f_t ∗ C_{t-1} + i_t ∗ C̃_t and h_t = o_t ∗ tanh C_t, from the gates alone."""
    activity = gates(lstm, sequence)
    c = torch.zeros(HIDDEN)
    for t in range(TIME):
        c = activity.forget[t] * c + activity.input[t] * activity.candidate[t]
    wanted, _ = lstm(sequence.unsqueeze(1))
    torch.testing.assert_close(
        activity.output[-1] * torch.tanh(c), wanted[-1, 0], atol=1e-6, rtol=0
    )


def test_an_lstm_without_bias_has_gates_too(sequence) -> None:
    torch.manual_seed(4)
    lstm = nn.LSTM(IN, HIDDEN, bias=False)
    first = gates(lstm, sequence).output[0]
    wanted = torch.sigmoid((sequence[0] @ lstm.weight_ih_l0.T).chunk(4)[3])
    torch.testing.assert_close(first, wanted)


def test_a_conv_lstm_on_one_pixel_is_an_lstm(sequence) -> None:
    torch.manual_seed(5)
    layer = ConvLSTM(IN, HIDDEN)
    lstm = nn.LSTM(IN, HIDDEN)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(layer.weight_ih[:, :, 1, 1])
        lstm.weight_hh_l0.copy_(layer.weight_hh[:, :, 1, 1])
        lstm.bias_ih_l0.copy_(layer.bias)
        lstm.bias_hh_l0.zero_()
    output = layer(sequence.T[None, :, :, None, None])[0, :, :, 0, 0].T
    wanted, _ = lstm(sequence.unsqueeze(1))
    torch.testing.assert_close(output, wanted[:, 0], atol=1e-6, rtol=0)


def test_the_receptive_field_of_a_conv_lstm_grows_by_a_pixel_per_step() -> None:
    """An impulse in a corner reaches one pixel further with each step."""
    torch.manual_seed(6)
    layer = ConvLSTM(1, 2)
    clip = torch.zeros(1, 1, 3, 6, 6)
    with torch.no_grad():
        silent = layer(clip)
        clip[0, 0, 0, 0, 0] = 1.0
        response = (layer(clip) - silent).abs().sum(1)[0]
    for t in range(3):
        reached = response[t].nonzero().max().item()
        assert reached == t + 1


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, ConvLSTM])
def test_initial_weights_preserve_the_state(make) -> None:
    """Orthogonal state-to-state weights: the norm is preserved; the forget gate starts open."""
    layer = make(IN, HIDDEN)
    initialise(layer)
    weights = dict(layer.named_parameters())
    across = next(w for name, w in weights.items() if name.startswith("weight_hh"))
    for block in across.split(HIDDEN):
        flat = block.flatten(1)
        torch.testing.assert_close(flat @ flat.T, torch.eye(HIDDEN), atol=1e-5, rtol=0)
    bias = sum(w for name, w in weights.items() if name.startswith("bias"))
    wanted = torch.zeros_like(bias)
    if make is not nn.RNN:
        wanted[HIDDEN : 2 * HIDDEN] = 1.0
    assert torch.equal(bias, wanted)


def test_the_forget_gate_of_an_initialised_lstm_is_open(sequence) -> None:
    layer = nn.LSTM(IN, HIDDEN)
    initialise(layer)
    assert gates(layer, sequence * 0).forget[0].min().item() == pytest.approx(0.731, abs=1e-3)
