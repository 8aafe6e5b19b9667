"""Define the classic recurrent cells, written for readability.

Elsewhere the package uses `torch.nn.LSTM`, which computes the same and is faster.

LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000)::

    f_t = σ(W_f·[h_{t-1}, x_t] + b_f)        forget gate: share of the old cell state to retain
    i_t = σ(W_i·[h_{t-1}, x_t] + b_i)        input gate: share of the candidate to add
    C̃_t = tanh(W_C·[h_{t-1}, x_t] + b_C)     candidate
    C_t = f_t ∗ C_{t-1} + i_t ∗ C̃_t          cell state
    o_t = σ(W_o·[h_{t-1}, x_t] + b_o)        output gate: share of the cell state to output
    h_t = o_t ∗ tanh C_t                     hidden state, the output

σ is the logistic function, [h, x] the concatenation of two vectors, ∗ the elementwise product.
Gates take any value between 0 and 1: they scale, they do not switch.

ConvLSTM (Shi et al. 2015) replaces vectors by images and matrix products by convolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Gates(NamedTuple):
    """Gate activities of an LSTM, each of the shape of the state, 0–1 (``candidate``: -1–1)."""

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor

    def __repr__(self) -> str:
        return f"Gates({' × '.join(map(str, self.input.shape))})"


def rnn_cell(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    """Compute one step of a plain RNN, h_t = tanh(W·[h_{t-1}, x_t] + b).

    (batch, in), (batch, hidden) -> (batch, hidden)
    """
    return torch.tanh(x @ w_ih.T + h @ w_hh.T + bias)


def lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Gates]:
    """Compute one step of an LSTM: (batch, in), (batch, hidden) ×2 -> h_t, C_t, gates.

    ``w_ih`` (4·hidden, in) and ``w_hh`` (4·hidden, hidden) stack the rows of input gate, forget
    gate, candidate and output gate in that order, as `torch.nn.LSTM` does; ``bias`` is the sum of
    its two biases.
    """
    return _gated(x @ w_ih.T + h @ w_hh.T + bias, c)


def conv_lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Gates]:
    """Compute one step of a ConvLSTM (Shi et al. 2015, without peepholes), on images of any size.

    (batch, in, h, w), (batch, hidden, h, w) ×2 -> h_t, C_t, gates. ``w_ih`` (4·hidden, in, k, k)
    and ``w_hh`` (4·hidden, hidden, k, k) have an odd k and are stacked as in `lstm_cell`. On an
    image of one pixel the two cells are the same.
    """
    from_input = functional.conv2d(x, w_ih, bias, padding="same")
    return _gated(from_input + functional.conv2d(h, w_hh, padding="same"), c)


def _gated(sums: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Gates]:
    """Compute h_t, C_t and the gates from four weighted sums (stacked along axis 1) and C_{t-1}."""
    i, f, g, o = sums.chunk(4, dim=1)
    gates = Gates(torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o))
    c = gates.forget * c + gates.input * gates.candidate
    return gates.output * torch.tanh(c), c, gates


class ConvLSTM(nn.Module):
    """ConvLSTM layer: (batch, in, frames, h, w) -> (batch, hidden, frames, h, w).

    ``kernel`` is odd. The state begins at 0; the weights begin as `initialise` sets them.
    """

    def __init__(self, channels: int, hidden: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.hidden_size = hidden
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, channels, kernel, kernel))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Run over all frames: (batch, in, frames, h, w) -> (batch, hidden, frames, h, w)."""
        h = c = x.new_zeros(x.shape[0], self.hidden_size, *x.shape[3:])
        outputs = []
        for image in x.unbind(2):
            h, c, _ = conv_lstm_cell(image, h, c, self.weight_ih, self.weight_hh, self.bias)
            outputs.append(h)
        return torch.stack(outputs, dim=2)


def initialise(recurrent: nn.RNNBase | ConvLSTM) -> None:
    """Set initial weights: orthogonal state-to-state, Xavier input-to-state, forget bias 1.

    The block of each gate is orthogonal by itself. PyTorch adds two biases: the forget gate's 1 is
    in the first, the second is 0.
    """
    gated = isinstance(recurrent, nn.LSTM | ConvLSTM)
    for name, weight in recurrent.named_parameters():
        for i, block in enumerate(weight.data.split(recurrent.hidden_size)):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(block)
            elif name.startswith("weight"):
                nn.init.xavier_uniform_(block)
            else:
                block.fill_(1.0 if gated and i == 1 and not name.startswith("bias_hh") else 0.0)


def gates(lstm: nn.LSTM, sequence: Tensor) -> Gates:
    """Compute the gate activities of the first layer (forward direction) over a sequence.

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
