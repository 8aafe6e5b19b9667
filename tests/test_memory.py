"""The tasks of the memory benchmark need information from the start of the sequence."""

import numpy as np
import torch

from benchmarks import memory


def test_the_adding_task_is_the_sum_of_two_marked_numbers() -> None:
    x, wanted = memory.adding(20, np.random.default_rng(0))
    marked = x[..., 1] == 1
    assert (marked[:, :10].sum(1) == 1).all()
    assert (marked[:, 10:].sum(1) == 1).all()
    torch.testing.assert_close((x[..., 0] * marked).sum(1, keepdim=True), wanted)
    always_one = memory.loss_and_score(memory.adding, torch.ones(32, 1, 1), wanted)[1]
    assert abs(always_one) < 0.7  # 0 but for the draw of 32
    assert memory.loss_and_score(memory.adding, wanted[:, None], wanted)[1] == 1


def test_the_copying_task_shows_its_symbols_only_at_the_start() -> None:
    x, wanted = memory.copying(15, np.random.default_rng(0))
    assert x.shape == (32, 15 + 2 * memory.SHOWN, memory.SYMBOLS + 2)
    symbols = x[..., : memory.SYMBOLS]
    assert torch.equal(symbols[:, : memory.SHOWN].argmax(2), wanted)
    assert not symbols[:, memory.SHOWN :].any()
    right = torch.nn.functional.one_hot(wanted, memory.SYMBOLS).float()
    assert memory.loss_and_score(memory.copying, right, wanted)[1] == 1


def test_the_gradient_of_an_lstm_reaches_further_than_that_of_a_plain_rnn() -> None:
    plain, gated = (memory.reach(n) for n in ("RNN, PyTorch's start", "LSTM, forget bias 1"))
    assert plain[0] == gated[0] == 1
    assert plain[50] < 1e-6 * gated[50]
