"""Encoders: the vector of a sequence depends on it alone, and suffices to reconstruct it."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils.rnn import pack_padded_sequence

from emotion_rppg.emotion.deep.encoders import CELLS, POOLINGS, Encoder, Standardise
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder
from emotion_rppg.emotion.deep.pretraining import pretrain
from emotion_rppg.emotion.design_matrix import lengths_of
from emotion_rppg.errors import InputError


def hearts(n, rng, *, longest=70, shortest=30):
    """Synthetic tachograms with their own rate, breathing and slow waves; (n, longest, 2), bpm."""
    tokens = np.full((n, longest, 2), np.nan)
    bpm = rng.uniform(50, 100, n)
    for row, rate in zip(tokens, bpm, strict=True):
        beats = rng.integers(shortest, longest + 1)
        time = np.cumsum(np.full(beats, 60 / rate))
        breath = rng.uniform(10, 60) * np.sin(
            2 * np.pi * (rng.uniform(0.15, 0.3) * time + rng.random())
        )
        slow = rng.uniform(10, 60) * np.sin(
            2 * np.pi * (rng.uniform(0.01, 0.04) * time + rng.random())
        )
        row[:beats, 0] = 6e4 / rate + breath + slow + rng.normal(0, 5, beats)
        row[:beats, 1] = rng.uniform(0.8, 1, beats)
    tokens[0, 5:8] = [np.nan, 0.0]  # a gap
    return tokens, bpm


@pytest.fixture(scope="module")
def pretrained():
    tokens, _ = hearts(120, np.random.default_rng(0))
    return pretrain(tokens, trained_on={"synthetic": ["1", "2"]}, epochs=60, seed=0)


every_kind = pytest.mark.parametrize(
    ("cell", "layers", "bidirectional", "pooling"),
    [(c, layers, b, p) for c in CELLS for layers, b in ((1, False), (2, True)) for p in POOLINGS],
)


@every_kind
def test_a_vector_depends_only_on_its_own_sequence(cell, layers, bidirectional, pooling):
    torch.manual_seed(0)
    encoder = Encoder(
        2, hidden=8, cell=cell, layers=layers, bidirectional=bidirectional, pooling=pooling
    ).eval()
    rng = np.random.default_rng(0)
    tokens = torch.tensor(hearts(6, rng)[0] / 800).float()
    lengths = torch.tensor(lengths_of(tokens.numpy()))
    together = encoder(tokens, lengths)
    assert together.shape == (6, encoder.dim)
    for i, n in enumerate(lengths):
        alone = encoder(tokens[i : i + 1, :n], lengths[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], atol=1e-6, rtol=0)
    filled = torch.where(torch.arange(70)[None, :, None] < lengths[:, None, None], tokens, 5.0)
    padded = torch.cat([filled, torch.full((6, 9, 2), 7.0)], dim=1)
    torch.testing.assert_close(encoder(padded, lengths), together, atol=1e-6, rtol=0)


def test_running_over_the_padding_equals_packing():
    torch.manual_seed(1)
    encoder = Encoder(2, hidden=8, pooling="last").eval()
    tokens = torch.tensor(hearts(5, np.random.default_rng(1))[0] / 800).float()
    lengths = torch.tensor(lengths_of(tokens.numpy()))
    packed = pack_padded_sequence(
        encoder.standardise(tokens), lengths, batch_first=True, enforce_sorted=False
    )
    _, (h, _) = encoder.recurrent(packed)
    torch.testing.assert_close(encoder(tokens, lengths), h[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_sequences_without_tokens_give_zeros_and_affect_no_others(bidirectional):
    encoder = Encoder(2, hidden=4, bidirectional=bidirectional, pooling="attention").eval()
    tokens = torch.ones(3, 4, 2)
    vectors = encoder(tokens, torch.tensor([0, 4, 2]))
    assert not vectors[0].any()
    assert vectors[1:].any(dim=1).all()
    torch.testing.assert_close(vectors[1:], encoder(tokens[1:], torch.tensor([4, 2])))
    assert not encoder(tokens, torch.tensor([0, 0, 0])).any()
    assert encoder(tokens[:, :0], torch.tensor([0, 0, 0])).shape == (3, encoder.dim)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_are_finite_with_gaps_padding_and_empty_sequences(pooling):
    encoder = Encoder(2, hidden=4, bidirectional=True, pooling=pooling)
    tokens = torch.tensor(hearts(4, np.random.default_rng(2))[0]).float()
    tokens[3] = torch.nan
    encoder(tokens, torch.tensor(lengths_of(tokens.numpy()))).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_initial_weights_are_orthogonal_with_a_forget_bias_of_one():
    encoder = Encoder(3, hidden=8, layers=2, bidirectional=True)
    for name, weight in encoder.recurrent.named_parameters():
        blocks = weight.detach().split(8)
        if name.startswith("weight_hh"):
            for block in blocks:
                torch.testing.assert_close(block @ block.T, torch.eye(8), atol=1e-5, rtol=0)
        if name.startswith("bias"):  # input, forget, candidate, output
            forget = 1.0 if name.startswith("bias_ih") else 0.0
            assert [float(b.mean()) for b in blocks] == [0.0, forget, 0.0, 0.0]
            assert all((b == b[0]).all() for b in blocks)


def test_gates_are_those_of_the_network():
    encoder = Encoder(2, hidden=5, pooling="last").eval()
    sequence = hearts(1, np.random.default_rng(3))[0][0, :40]
    encoder.standardise.fit(torch.tensor(sequence))
    gates = encoder.gates(sequence)
    assert gates.forget.shape == (40, 5)
    assert ((gates.input >= 0) & (gates.input <= 1)).all()
    cell = torch.zeros(5)
    for f, i, g in zip(gates.forget, gates.input, gates.candidate, strict=True):
        cell = f * cell + i * g
    state = gates.output[-1] * torch.tanh(cell)
    whole = encoder(torch.tensor(sequence).float()[None], torch.tensor([40]))[0]
    torch.testing.assert_close(state, whole, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="'gru'"):
        Encoder(2, cell="gru").gates(sequence)


def test_standardising_handles_missing_constant_and_huge_values():
    values = torch.tensor(
        [[1.0, 5.0, torch.nan], [3.0, 5.0, torch.nan], [torch.nan, 5.0, torch.nan]]
    )
    standard = Standardise(3).fit(values)
    torch.testing.assert_close(standard(values), torch.tensor([[-1.0, 0, 0], [1, 0, 0], [0, 0, 0]]))
    assert standard(torch.tensor([1e12, 5.0, 0.0])).abs().max() <= 8
    assert standard(torch.tensor([2.0, 5.0, 9.0]))[2] == 0  # nothing was learned about it


def test_lengths_count_to_the_last_token_with_a_value():
    tokens = np.full((3, 4, 2), np.nan)
    tokens[0, [0, 2], 1] = 1.0
    tokens[1, :, 0] = 1.0
    assert lengths_of(tokens).tolist() == [3, 4, 0]
    assert lengths_of(tokens[:, :0]).tolist() == [0, 0, 0]


def test_an_unknown_part_lists_the_known_ones():
    with pytest.raises(InputError, match="rnn, lstm, gru"):
        Encoder(2, cell="transformer")
    with pytest.raises(InputError, match="last, mean, attention"):
        Encoder(2, pooling="max")


@pytest.mark.slow
def test_new_sequences_are_reconstructed_from_their_vector(pretrained):
    tokens, _ = hearts(60, np.random.default_rng(1))
    decoded = pretrained.reconstruct(tokens)[..., 0]
    truth = tokens[..., 0]
    np.testing.assert_array_equal(np.isnan(decoded[:, -1]), lengths_of(tokens) < truth.shape[1])
    error = np.nanmean((decoded - truth) ** 2)
    assert error < 0.1 * np.nanvar(truth)  # well below the one mean of everybody


@pytest.mark.slow
def test_variation_within_a_sequence_is_reconstructed():
    """The loss weighs the variation within a sequence as much as its mean."""
    tokens, _ = hearts(200, np.random.default_rng(3), longest=20, shortest=20)
    made = pretrain(tokens[:150, :, :1], trained_on="unknown", epochs=60)
    truth = tokens[150:, :, 0]
    error = np.nanmean((made.reconstruct(tokens[150:, :, :1])[..., 0] - truth) ** 2)
    assert error < 0.79 * np.nanmean(np.nanvar(truth, axis=1))


def test_fast_and_slow_hearts_have_different_vectors(pretrained):
    tokens, bpm = hearts(100, np.random.default_rng(2))
    vectors = pretrained.embed(tokens)
    assert vectors.shape == (100, pretrained.dim)
    design = np.column_stack([vectors[:60], np.ones(60)])
    weights = np.linalg.lstsq(design, bpm[:60], rcond=None)[0]
    guess = np.column_stack([vectors[60:], np.ones(40)]) @ weights
    assert np.corrcoef(guess, bpm[60:])[0, 1] > 0.9


def test_a_row_without_a_beat_has_no_vector(pretrained):
    tokens, _ = hearts(3, np.random.default_rng(4))
    whole = pretrained.embed(tokens)
    tokens[1] = np.nan
    vectors = pretrained.embed(tokens)
    assert np.isnan(vectors[1]).all()
    np.testing.assert_allclose(vectors[[0, 2]], whole[[0, 2]], atol=1e-12)
    assert pretrained.embed(tokens[:, :0]).shape == (3, pretrained.dim)


def test_targets_may_differ_from_the_input_in_length_and_kind():
    rng = np.random.default_rng(5)
    tokens, bpm = hearts(80, rng, longest=30, shortest=10)
    targets = np.repeat(bpm[:, None, None], 50, axis=1) + np.linspace(-3, 3, 50)[None, :, None]
    made = pretrain(tokens, targets=targets, trained_on="unknown", epochs=40, hidden=16)
    decoded = made.reconstruct(tokens, steps=50)
    assert decoded.shape == (80, 50, 1)
    assert np.mean((decoded - targets) ** 2) < 0.2 * np.var(targets)
    assert np.mean(decoded[:, -1] - decoded[:, 0]) > 0  # in the order of time, not backwards


def test_training_is_repeatable_and_leaves_the_global_state(pretrained):
    tokens, _ = hearts(20, np.random.default_rng(6))
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    done = []
    made = [
        pretrain(tokens, trained_on={}, epochs=2, progress=lambda i, n: done.append((i, n)))
        for _ in range(2)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert done == [(1, 2), (2, 2)] * 2
    np.testing.assert_array_equal(made[0].embed(tokens), made[1].embed(tokens))
    other = pretrain(tokens, trained_on={}, epochs=2, seed=1)
    assert not np.allclose(made[0].embed(tokens), other.embed(tokens))


def test_the_loss_falls(pretrained):
    assert pretrained.training["losses"][-1] < 0.6 * pretrained.training["losses"][0]


def test_a_saved_encoder_lists_its_people_and_embeds_the_same(tmp_path, pretrained):
    tokens, _ = hearts(5, np.random.default_rng(7))
    again = load_encoder(pretrained.save(tmp_path / "encoder"))
    np.testing.assert_array_equal(again.embed(tokens), pretrained.embed(tokens))
    np.testing.assert_array_equal(again.reconstruct(tokens), pretrained.reconstruct(tokens))
    config = json.loads((tmp_path / "encoder" / "config.json").read_text())
    assert config["kind"] == "encoder"
    assert config["trained_on"] == again.trained_on == {"synthetic": ["1", "2"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(kind="pulse"), "want an encoder"),
        (lambda config: config.pop("trained_on"), "lacks trained_on"),
        (lambda config: config["options"].update(hidden=3), "does not fit"),
        (lambda config: config["options"].update(cell="tree"), "unknown cell"),
        (lambda config: config["options"].update(unheard_of=3), "options of .* cannot be used"),
    ],
)
def test_a_folder_without_a_valid_encoder_is_rejected(tmp_path, pretrained, change, message):
    path = pretrained.save(tmp_path / "encoder") / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        load_encoder(tmp_path / "encoder")


def test_missing_tensors_are_named(tmp_path, pretrained):
    path = pretrained.save(tmp_path / "encoder") / "model.safetensors"
    tensors = load_file(path)
    del tensors["network.write.bias"]
    save_file(tensors, path)
    with pytest.raises(InputError, match=r"missing network\.write\.bias"):
        load_encoder(tmp_path / "encoder")


def test_unusable_sequences_are_rejected(pretrained):
    with pytest.raises(InputError, match="at least two"):
        pretrain(np.full((5, 3, 2), np.nan), trained_on="unknown")
    with pytest.raises(InputError, match="want one for each"):
        pretrain(np.ones((5, 3, 2)), targets=np.ones((4, 3, 2)), trained_on="unknown")
    with pytest.raises(InputError, match=r"want \(sequences, longest, 2\)"):
        pretrained.embed(np.ones((5, 3, 1)))
