"""How far back RNN, LSTM and GRU learn to look: the adding and the copying problem.

``python -m benchmarks.memory [FIGURE.svg]`` prints the tables of ``docs/memory.md`` and draws its
figure. *Adding* (Hochreiter & Schmidhuber 1997): the sum of the two marked numbers of a long line.
*Copying* (the same; as Arjovsky et al. 2016 pose it, with fewer symbols): say again what was shown
before a long silence. The longer the line, the further back lies what counts.
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

from emotion_rppg.emotion.deep.encoders import CELLS, small_and_repeatable
from emotion_rppg.recurrent import initialise
from emotion_rppg.runtime.atomic_files import atomic_file

HIDDEN, BATCH, STEPS, RATE = 32, 32, 4000, 5e-3
LENGTHS = (10, 30, 100)
SYMBOLS, SHOWN = 4, 3  # of copying: kinds of symbols, and how many are to be kept
SOLVED = 0.95  # at this score of fresh sequences training ends early
FAR = 100  # steps over which the gradient is followed back

Problem = Callable[[int, np.random.Generator], tuple[Tensor, Tensor]]


def adding(length: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(batch, length, 2): numbers in 0–1 and two marks, one in each half; (batch, 1): their sum."""
    numbers = draw.random((BATCH, length))
    marks = np.zeros((BATCH, length))
    row, half = np.arange(BATCH), length // 2
    marks[row, draw.integers(0, half, BATCH)] = 1
    marks[row, draw.integers(half, length, BATCH)] = 1
    total = (numbers * marks).sum(axis=1, keepdims=True)
    return torch.tensor(np.stack([numbers, marks], axis=2)).float(), torch.tensor(total).float()


def copying(length: int, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Symbols, ``length`` blanks, the last a call, blanks to write in; (batch, shown): symbols."""
    shown = draw.integers(0, SYMBOLS, (BATCH, SHOWN))
    line = np.full((BATCH, SHOWN + length + SHOWN), SYMBOLS)
    line[:, :SHOWN] = shown
    line[:, SHOWN + length - 1] = SYMBOLS + 1
    return functional.one_hot(torch.tensor(line), SYMBOLS + 2).float(), torch.tensor(shown)


SHAPES = {adding: (2, 1, 1), copying: (SYMBOLS + 2, SYMBOLS, SHOWN)}  # in, out, steps written


def usual(recurrent: nn.RNNBase, length: int) -> None:
    """PyTorch's own starting weights: uniform, small."""


def ours(recurrent: nn.RNNBase, length: int) -> None:
    """This package's: orthogonal from state to state, an LSTM's forget bias 1."""
    initialise(recurrent)


def long(recurrent: nn.RNNBase, length: int) -> None:
    """The same with forget biases that keep as long as the line (Tallec & Ollivier 2018)."""
    initialise(recurrent)
    keep = torch.empty(HIDDEN).uniform_(1, length - 1).log()
    with torch.no_grad():
        recurrent.bias_ih_l0[:HIDDEN] = -keep  # input gate
        recurrent.bias_ih_l0[HIDDEN : 2 * HIDDEN] = keep


NETWORKS: dict[str, tuple[str, Callable[[nn.RNNBase, int], None]]] = {
    "RNN, PyTorch's start": ("rnn", usual),
    "RNN, orthogonal start": ("rnn", ours),
    "GRU": ("gru", ours),
    "LSTM, forget bias 1": ("lstm", ours),
    "LSTM, forget bias for the length": ("lstm", long),
}


class Reader(nn.Module):
    """A recurrent layer and a line from its last states."""

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
    """What is minimised, and 0 (knows nothing of the past) to 1 (all of it)."""
    if problem is adding:
        error = (written[:, 0] - wanted).square().mean()
        return error, 1 - 6 * float(error.detach())  # whoever always says 1 errs by 1/6
    right = float((written.argmax(2) == wanted).float().mean())
    loss = functional.cross_entropy(written.flatten(0, 1), wanted.flatten())
    return loss, (right - 1 / SYMBOLS) / (1 - 1 / SYMBOLS)


def train(problem: Problem, name: str, length: int, *, seed: int = 0) -> tuple[float, int]:
    """Score over the last 50 batches, each of sequences never seen before, and steps taken."""
    draw = np.random.default_rng((seed, length))
    with small_and_repeatable(seed):
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
    """Size of the last state's gradient to the state 0 … FAR steps before, untrained: (FAR + 1,).

    Of the cell state for an LSTM, else of the hidden one; mean over a batch of *adding*.
    """
    with small_and_repeatable(0):
        network = Reader(name, FAR, *SHAPES[adding]).recurrent
        x, _ = adding(FAR, np.random.default_rng(0))
        state = torch.zeros(1, BATCH, HIDDEN, requires_grad=True)
        carried = (torch.zeros_like(state), state) if isinstance(network, nn.LSTM) else state
        kept = [state]
        for step in x.split(1, dim=1):
            _, carried = network(step, carried)
            kept.append(carried[1] if isinstance(carried, tuple) else carried)
        gradients = torch.autograd.grad((kept[-1] * torch.randn(HIDDEN)).sum(), kept)
    sizes = torch.stack([gradient[0].norm(dim=1).mean() for gradient in gradients]).flip(0)
    return (sizes / sizes[0]).numpy()


def draw_figure(
    scores: dict[Problem, dict[str, list[float]]], far: dict[str, np.ndarray]
) -> Figure:
    """Scores by length, a panel a problem, and how the gradient fades."""
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
    began = time.process_time()
    scores: dict[Problem, dict[str, list[float]]] = {}
    for problem in (adding, copying):
        print(f"\n| {problem.__name__} | " + " | ".join(map(str, LENGTHS)) + " |")
        print("|---|" + "---|" * len(LENGTHS))
        scores[problem] = {}
        for name in NETWORKS:
            found = [train(problem, name, length) for length in LENGTHS]
            scores[problem][name] = [score for score, _ in found]
            cells = [f"{score:.2f} ({steps})" for score, steps in found]
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
