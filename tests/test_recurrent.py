"""The readable recurrent cells are torch's own; gates dim between 0 and 1."""

import pytest
import torch
from torch import nn

from emotion_rppg.recurrent import gates, lstm_cell, rnn_cell

TIME, IN, HIDDEN = 40, 5, 7


@pytest.fixture
def sequence() -> torch.Tensor:
    return torch.randn(TIME, IN, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def lstm() -> nn.LSTM:
    torch.manual_seed(2)
    return nn.LSTM(IN, HIDDEN)


def test_the_lstm_cell_is_that_of_torch(lstm, sequence) -> None:
    w_ih, w_hh, b_ih, b_hh = lstm.parameters()
    h = c = torch.zeros(1, HIDDEN)
    found = []
    for x in sequence.unsqueeze(1):
        h, c, _ = lstm_cell(x, h, c, w_ih, w_hh, b_ih + b_hh)
        found.append(h)
    wanted, (_, last) = lstm(sequence.unsqueeze(1))
    torch.testing.assert_close(torch.stack(found), wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(c[None], last, atol=1e-6, rtol=0)


def test_the_rnn_cell_is_that_of_torch(sequence) -> None:
    torch.manual_seed(3)
    rnn = nn.RNN(IN, HIDDEN)
    w_ih, w_hh, b_ih, b_hh = rnn.parameters()
    h = torch.zeros(1, HIDDEN)
    found = []
    for x in sequence.unsqueeze(1):
        h = rnn_cell(x, h, w_ih, w_hh, b_ih + b_hh)
        found.append(h)
    torch.testing.assert_close(torch.stack(found), rnn(sequence.unsqueeze(1))[0], atol=1e-6, rtol=0)


def test_gates_dim_and_do_not_switch(lstm, sequence) -> None:
    found = gates(lstm, sequence)
    assert all(part.shape == (TIME, HIDDEN) for part in found)
    for part in (found.input, found.forget, found.output):
        assert ((part > 0) & (part < 1)).all()
    assert (found.candidate.abs() < 1).all()
    assert found.forget.unique().numel() > 100


def test_gates_build_the_cell_state(lstm, sequence) -> None:
    """C_t = f_t ∗ C_{t-1} + i_t ∗ C̃_t and h_t = o_t ∗ tanh C_t, from the gates alone."""
    found = gates(lstm, sequence)
    c = torch.zeros(HIDDEN)
    for t in range(TIME):
        c = found.forget[t] * c + found.input[t] * found.candidate[t]
    wanted, _ = lstm(sequence.unsqueeze(1))
    torch.testing.assert_close(found.output[-1] * torch.tanh(c), wanted[-1, 0], atol=1e-6, rtol=0)


def test_an_lstm_without_bias_has_gates_too(sequence) -> None:
    torch.manual_seed(4)
    lstm = nn.LSTM(IN, HIDDEN, bias=False)
    first = gates(lstm, sequence).output[0]
    wanted = torch.sigmoid((sequence[0] @ lstm.weight_ih_l0.T).chunk(4)[3])
    torch.testing.assert_close(first, wanted)
