"""Compare the memory of RNN, LSTM and GRU on the adding and the copying problem.

``python -m benchmarks.memory [FIGURE.svg]`` prints the tables of ``docs/memory.md`` and draws its
figure. *Adding* (Hochreiter and Schmidhuber 1997): output the sum of the two marked numbers of a
sequence. *Copying* (the same paper; in the form of Arjovsky et al. 2016, with fewer symbols):
repeat the symbols shown before many blanks. The longer the sequence, the further back are the
relevant inputs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from emotion_rppg.emotion.deep.encoders import CELLS, deterministic_single_thread
from emotion_rppg.recurrent import initialise
from emotion_rppg.runtime.atomic_files import atomic_file

HIDDEN, BATCH, STEPS, RATE = 32, 32, 4000, 5e-3
LENGTHS = (10, 30, 100)
SYMBOLS, SHOWN = 4, 3  # of copying: kinds of symbols, and the number to repeat
SOLVED = 0.95  # score on new sequences at which training ends early
FAR = 100  # steps over which the gradient is followed back

Problem = Callable[[int, np.random.Generator], tuple[Tensor, Tensor]]


def adding(length: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw numbers in 0–1 with two marks, (batch, length, 2), and the marked sums, (batch, 1).

    There is one mark in each half.
    """
    numbers = draw.random((BATCH, length))
    marks = np.zeros((BATCH, length))
    row, half = np.arange(BATCH), length // 2
    marks[row, draw.integers(0, half, BATCH)] = 1
    marks[row, draw.integers(half, length, BATCH)] = 1
    total = (numbers * marks).sum(axis=1, keepdims=True)
    return torch.tensor(np.stack([numbers, marks], axis=2)).float(), torch.tensor(total).float()


def copying(length: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw one-hot sequences and the symbols to repeat, (batch, shown).

    A sequence has the symbols, ``length`` blanks of which the last is a cue, and blanks for the
    output.
    """
    shown = draw.integers(0, SYMBOLS, (BATCH, SHOWN))
    line = np.full((BATCH, SHOWN + length + SHOWN), SYMBOLS)
    line[:, :SHOWN] = shown
    line[:, SHOWN + length - 1] = SYMBOLS + 1
    return functional.one_hot(torch.tensor(line), SYMBOLS + 2).float(), torch.tensor(shown)


SHAPES = {
    adding: (2, 1, 1),
    copying: (SYMBOLS + 2, SYMBOLS, SHOWN),
}  # channels in, out, output steps


def pytorch_start(recurrent: nn.RNNBase, length: int) -> None:
    """Leave the initial weights of PyTorch: uniform, small."""


def orthogonal_start(recurrent: nn.RNNBase, length: int) -> None:
    """Set the initial weights of this package: orthogonal recurrent weights, LSTM forget bias 1."""
    initialise(recurrent)


def long_start(recurrent: nn.RNNBase, length: int) -> None:
    """Set forget biases that retain the state for the whole sequence (Tallec and Ollivier 2018)."""
    initialise(recurrent)
    forget_bias = torch.empty(HIDDEN).uniform_(1, length - 1).log()
    with torch.no_grad():
        recurrent.bias_ih_l0[:HIDDEN] = -forget_bias  # input gate
        recurrent.bias_ih_l0[HIDDEN : 2 * HIDDEN] = forget_bias


NETWORKS: dict[str, tuple[str, Callable[[nn.RNNBase, int], None]]] = {
    "RNN, PyTorch's start": ("rnn", pytorch_start),
    "RNN, orthogonal start": ("rnn", orthogonal_start),
    "GRU": ("gru", orthogonal_start),
    "LSTM, forget bias 1": ("lstm", orthogonal_start),
    "LSTM, forget bias for the length": ("lstm", long_start),
}


class Reader(nn.Module):
    """A recurrent layer and a linear layer on its last hidden states."""

    def __init__(self, name: str, length: int, channels: int, outputs: int, last: int) -> None:
        super().__init__()
        cell, begin = NETWORKS[name]
        self.recurrent: nn.RNNBase = CELLS[cell](channels, HIDDEN, batch_first=True)
        begin(self.recurrent, length)
        self.write = nn.Linear(HIDDEN, outputs)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, channels) -> (batch, last, outputs)"""
        return self.write(self.recurrent(x)[0][:, -self.last :])


def loss_and_score(problem: Problem, written: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
    """Compute the loss, and a score from 0 (chance) to 1 (solved)."""
    if problem is adding:
        error = (written[:, 0] - wanted).square().mean()
        return error, 1 - 6 * float(error.detach())  # the constant 1 has an error of 1/6
    right = float((written.argmax(2) == wanted).float().mean())
    loss = functional.cross_entropy(written.flatten(0, 1), wanted.flatten())
    return loss, (right - 1 / SYMBOLS) / (1 - 1 / SYMBOLS)


def train(problem: Problem, name: str, length: int, *, seed: int = 0) -> tuple[float, int]:
    """Train a network; return its score on the last 50 batches, all new, and the steps taken."""
    draw = np.random.default_rng((seed, length))
    with deterministic_single_thread(seed):
        network = Reader(name, length, *SHAPES[problem])
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
        scores: list[float] = []
        while len(scores) < STEPS and (len(scores) < 50 or np.mean(scores[-50:]) < SOLVED):
            x, wanted = problem(length, draw)
            loss, score = loss_and_score(problem, network(x), wanted)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            scores.append(score)
    return float(np.mean(scores[-50:])), len(scores)


def reach(name: str) -> np.ndarray:
    """Compute the gradient of the last state by the state 0 … ``FAR`` steps before, (FAR + 1,).

    Before training; relative norm, mean over a batch of *adding*. The state is the cell state of an
    LSTM, otherwise the hidden state.
    """
    with deterministic_single_thread(0):
        network = Reader(name, FAR, *SHAPES[adding]).recurrent
        x, _ = adding(FAR, np.random.default_rng(0))
        state = torch.zeros(1, BATCH, HIDDEN, requires_grad=True)
        carried = (torch.zeros_like(state), state) if isinstance(network, nn.LSTM) else state
        states = [state]
        for step in x.split(1, dim=1):
            _, carried = network(step, carried)
            states.append(carried[1] if isinstance(carried, tuple) else carried)
        gradients = torch.autograd.grad((states[-1] * torch.randn(HIDDEN)).sum(), states)
    sizes = torch.stack([gradient[0].norm(dim=1).mean() for gradient in gradients]).flip(0)
    return (sizes / sizes[0]).numpy()


def draw_figure(
    scores: dict[Problem, dict[str, list[float]]], far: dict[str, np.ndarray]
) -> Figure:
    """Draw scores by length, a panel per problem, and the gradient by distance."""
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    styles = dict(zip(NETWORKS, ("C3:", "C3-", "C2-", "C0-", "C1--"), strict=True))
    widths = dict(zip(NETWORKS, (1.5, 1.5, 6, 3.5, 1.5), strict=True))  # one may hide another
    for axis, (problem, rows) in zip(axes, scores.items(), strict=False):
        for name, row in rows.items():
            axis.plot(
                LENGTHS,
                np.maximum(row, 0),
                styles[name],
                lw=widths[name],
                zorder=9 - widths[name],
                label=name,
            )
        axis.set(xscale="log", xlabel="length", title=problem.__name__, ylim=(-0.05, 1.05))
        axis.set_xticks(LENGTHS, [str(length) for length in LENGTHS], minor=False)
        axis.minorticks_off()
    axes[0].set_ylabel("score")
    for name, row in far.items():
        axes[2].semilogy(row, styles[name], lw=widths[name], zorder=9 - widths[name])
    axes[2].set(xlabel="steps back", title="gradient before training", ylim=(1e-12, 10))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def main(figure: str | None = None) -> None:
    """Print the tables and write the figure."""
    began = time.process_time()
    scores: dict[Problem, dict[str, list[float]]] = {}
    for problem in (adding, copying):
        print(f"\n| {problem.__name__}, length | " + " | ".join(map(str, LENGTHS)) + " |")
        print("|---|" + "---|" * len(LENGTHS))
        scores[problem] = {}
        for name in NETWORKS:
            trained = [train(problem, name, length) for length in LENGTHS]
            scores[problem][name] = [score for score, _ in trained]
            cells = [f"{score:.2f} ({steps})" for score, steps in trained]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    far = {name: reach(name) for name in NETWORKS}
    print("\n| gradient before training | 10 steps back | 30 | 100 |\n|---|---|---|---|")
    for name, row in far.items():
        print(f"| {name} | " + " | ".join(f"{row[n]:.0e}" for n in (10, 30, 100)) + " |")
    print(f"\n{time.process_time() - began:.0f} s of one core")
    if figure is not None:
        with atomic_file(Path(figure)) as fresh:
            draw_figure(scores, far).savefig(fresh)


if __name__ == "__main__":
    main(*sys.argv[1:2])
