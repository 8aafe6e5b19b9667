"""Pretraining: writing orders, masked beats, scheduled sampling, and resuming after a kill."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from emotion_rppg.emotion.deep.encoders import Encoder, Stem
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder
from emotion_rppg.emotion.deep.pretraining import _mask_tokens, pretrain
from emotion_rppg.emotion.deep.seq2seq import Autoencoder, in_writing_order
from emotion_rppg.emotion.design_matrix import lengths_of
from emotion_rppg.errors import InputError

SMALL = {"trained_on": "unknown", "hidden": 8, "batch": 16}


def lines(n, *, longest=20, shortest=10):
    """Straight lines of random offset and slope, (n, longest, 1), NaN-padded."""
    draw = np.random.default_rng(0)
    out = np.full((n, longest, 1), np.nan)
    for row in out:
        steps = draw.integers(shortest, longest + 1)
        row[:steps, 0] = draw.normal(800, 100) + draw.normal(0, 60) * np.linspace(-1, 1, steps)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("order", ["reverse", "forward"])
def test_the_decoder_writes_in_its_order_and_reconstructs_in_time_order(order):
    values = np.tile(np.linspace(700, 900, 8), (16, 1))[..., None]
    values += np.random.default_rng(0).normal(0, 5, (16, 1, 1))
    made = pretrain(values, order=order, epochs=40, learning_rate=0.02, **SMALL)
    first = made.network(torch.tensor(values), torch.full((16,), 8), 8)[:, 0, 0]
    assert bool((first > 0).all()) == (order == "reverse")  # which end it began with
    assert np.abs(made.reconstruct(values) - values).mean() < 20  # in time's order all the same


def test_reversing_twice_restores_and_padding_stays_at_the_end():
    values = lines(5)
    once = in_writing_order(values, "reverse")
    np.testing.assert_array_equal(lengths_of(once), lengths_of(values))
    assert once[0, 0, 0] == values[0, lengths_of(values)[0] - 1, 0]
    np.testing.assert_array_equal(in_writing_order(once, "reverse"), values)
    np.testing.assert_array_equal(in_writing_order(values, "forward"), values)


def test_only_a_decoder_with_feedback_uses_the_previous_value():
    torch.manual_seed(0)
    vector, truth = torch.randn(4, 6), torch.randn(4, 5, 2)
    with_feedback = Autoencoder(Encoder(2, hidden=6), 2, feedback=True)
    free_running, teacher_forced = (
        with_feedback.decode(vector, 5),
        with_feedback.decode(vector, 5, truth, 1.0),
    )
    torch.testing.assert_close(
        free_running[:, 0], teacher_forced[:, 0]
    )  # before it there is nothing to tell
    assert not torch.allclose(free_running[:, 1:], teacher_forced[:, 1:])
    torch.testing.assert_close(with_feedback.decode(vector, 5, truth, 0.0), free_running)
    by_hand = [teacher_forced[:, 0]]
    _, state = with_feedback.decoder(
        torch.cat([vector, torch.zeros(4, 2)], 1)[:, None],
        (torch.tanh(with_feedback.begin(vector))[None], torch.zeros(1, 4, 6)),
    )
    states, _ = with_feedback.decoder(torch.cat([vector, truth[:, 0]], 1)[:, None], state)
    by_hand.append(with_feedback.write(states[:, 0]))
    torch.testing.assert_close(torch.stack(by_hand, 1), teacher_forced[:, :2])
    without_feedback = Autoencoder(Encoder(2, hidden=6), 2)
    torch.testing.assert_close(
        without_feedback.decode(vector, 5, truth, 1.0), without_feedback.decode(vector, 5)
    )


@pytest.mark.slow
def test_scheduled_sampling_learns_to_decode_without_the_truth(tmp_path):
    values = lines(64, longest=8, shortest=5)
    made = pretrain(values, scheduled_sampling=True, epochs=30, learning_rate=0.02, **SMALL)
    again = load_encoder(made.save(tmp_path / "e"))
    new = lines(96, longest=8, shortest=5)[64:]
    error = np.nanmean((again.reconstruct(new) - new) ** 2)
    assert error < 0.3 * np.nanvar(new)


def test_a_masked_beat_is_not_revealed_by_the_next_difference():
    torch.manual_seed(0)
    tokens = torch.rand(50, 30, 3) + 1
    visible = _mask_tokens(tokens, 0.3, 1)
    masked = visible[..., 0].isnan()
    assert float(masked.float().mean()) == pytest.approx(0.3, abs=0.05)
    assert visible[masked].isnan().all()
    assert visible[:, 1:, 1][masked[:, :-1]].isnan().all()
    assert torch.equal(visible[:, :, 2][~masked], tokens[:, :, 2][~masked])
    assert torch.equal(_mask_tokens(tokens, 0.0, 1), tokens)


@pytest.mark.slow
def test_masked_beats_are_reconstructed_from_their_neighbours():
    made = pretrain(lines(128), masked=0.4, epochs=30, learning_rate=0.02, **SMALL)
    new = lines(160)[128:]
    draw = np.random.default_rng(1)
    hidden = (draw.random(new.shape) < 0.4) & np.isfinite(new)
    hidden[:, [0, -1]] = False
    visible = np.where(hidden, np.nan, new)
    decoded = made.reconstruct(visible, steps=new.shape[1])  # the length of what was shown
    whole = lengths_of(new) == new.shape[1]
    error = (decoded - new)[whole][hidden[whole]]
    assert np.mean(error**2) < 0.3 * np.nanvar(new)


@pytest.mark.slow
def test_training_resumes_after_a_kill_with_the_same_result(tmp_path):
    values = lines(40)
    np.save(tmp_path / "values.npy", values)
    options = {**SMALL, "epochs": 5, "masked": 0.2, "scheduled_sampling": True}
    path = tmp_path / ".e.checkpoint.pt"
    killed = f"""
import os, signal, numpy as np
from emotion_rppg.emotion.deep.pretraining import pretrain
def kill(done, total):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
values = np.load({str(tmp_path / "values.npy")!r})
pretrain(values, checkpoint={str(path)!r}, progress=kill, **{options!r})
"""
    ended = subprocess.run([sys.executable, "-c", killed])
    assert ended.returncode == -signal.SIGKILL
    epochs = []
    resumed = pretrain(
        values,
        checkpoint=path,
        resume=True,
        progress=lambda done, total: epochs.append(done),
        **options,
    )
    assert epochs == [4, 5]
    whole = pretrain(values, **options)
    assert resumed.training == whole.training
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    with pytest.raises(InputError, match="another training"):
        pretrain(values[1:], checkpoint=path, resume=True, **options)


def test_a_stem_downsamples_each_sequence_by_itself():
    torch.manual_seed(0)
    waves = torch.randn(3, 100, 1)
    lengths = torch.tensor([100, 61, 1])
    steps, fewer = Stem(1, 4, (4, 2))(waves, lengths)
    assert fewer.tolist() == [13, 8, 1]
    assert steps.shape == (3, 13, 4)
    for bidirectional in (False, True):
        encoder = Encoder(1, hidden=4, strides=(4, 2), bidirectional=bidirectional).eval()
        together = encoder(torch.cat([waves, torch.full((3, 30, 1), 9.0)], 1), lengths)
        for i, n in enumerate(lengths):
            free_running = encoder(waves[i : i + 1, :n], lengths[i : i + 1])[0]
            torch.testing.assert_close(free_running, together[i], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_waves_are_read_through_a_stem_and_decoded_as_a_short_sequence(tmp_path):
    draw = np.random.default_rng(0)
    bpm = draw.uniform(50, 110, 80)
    time = np.arange(0, 12, 1 / 16)
    waves = np.sin(2 * np.pi * (bpm[:, None] / 60 * time + draw.random((80, 1))))[..., None]
    made = pretrain(
        waves[:60],
        targets=np.repeat(bpm[:60, None, None], 2, axis=1),
        reads="wave",
        strides=(4, 2),
        pooling="mean",
        epochs=60,
        learning_rate=0.02,
        **SMALL,
    )
    again = load_encoder(made.save(tmp_path / "e"))
    guess = again.reconstruct(waves[60:], steps=2)[:, 0, 0]
    assert np.corrcoef(guess, bpm[60:])[0, 1] > 0.8
    assert again.gates(waves[0]).forget.shape == (24, 8)
    with pytest.raises(InputError, match="feature tables do not contain"):
        again.tokens(None)
    with pytest.raises(InputError, match="strides"):
        pretrain(waves, strides=(0,), **SMALL)
