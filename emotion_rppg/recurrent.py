"""The classic recurrent cells, written to be read; `torch.nn.LSTM` is the fast path elsewhere.

LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000)::

    f_t = σ(W_f·[h_{t-1}, x_t] + b_f)        how much of the old cell state stays
    i_t = σ(W_i·[h_{t-1}, x_t] + b_i)        how much of the candidate enters
    C̃_t = tanh(W_C·[h_{t-1}, x_t] + b_C)     the candidate
    C_t = f_t ∗ C_{t-1} + i_t ∗ C̃_t
    o_t = σ(W_o·[h_{t-1}, x_t] + b_o)        how much of the cell state is shown
    h_t = o_t ∗ tanh C_t

Gates are continuous between 0 and 1: they dim, they do not switch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Gates(NamedTuple):
    """What one LSTM step decided, each (batch, hidden), in 0–1 (``candidate`` in -1–1)."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor


def rnn_cell(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """One plain RNN step, h_t = tanh(W·[h_{t-1}, x_t] + b).

    (batch, in), (batch, hidden) -> (batch, hidden)
    """
    return torch.tanh(x @ w_ih.T + h @ w_hh.T + bias)


def lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Gates]:
    """One LSTM step: (batch, in), (batch, hidden) ×2 -> h_t, C_t, gates.

    ``w_ih`` (4·hidden, in) and ``w_hh`` (4·hidden, hidden) stack input, forget, candidate and
    output rows in that order, as `torch.nn.LSTM` does; ``bias`` is the sum of its two.
    """
    i, f, g, o = (x @ w_ih.T + h @ w_hh.T + bias).chunk(4, dim=-1)
    gates = Gates(torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o))
    c = gates.forget * c + gates.input * gates.candidate
    return gates.output * torch.tanh(c), c, gates


def gates(lstm: nn.LSTM, sequence: Tensor) -> Gates:
    """Gate activity of the first layer (forward direction) over a sequence.

    (time, in) -> four tensors (time, hidden).
    """
    weights = dict(lstm.named_parameters())
    w_ih, w_hh = weights["weight_ih_l0"], weights["weight_hh_l0"]
    zero = sequence.new_zeros(())
    bias = weights.get("bias_ih_l0", zero) + weights.get("bias_hh_l0", zero)
    h = c = sequence.new_zeros(1, lstm.hidden_size)
    steps = []
    with torch.no_grad():
        for x in sequence.unsqueeze(1):
            h, c, step = lstm_cell(x, h, c, w_ih, w_hh, bias)
            steps.append(step)
    return Gates(*(torch.cat(parts) for parts in zip(*steps, strict=True)))
