"""Several encoders in one network: each reads its source alone, and a missing source is zeros."""

import numpy as np
import pytest
import torch

from emotion_rppg.emotion.complete_cases import Layout
from emotion_rppg.emotion.deep.encoders import Encoder
from emotion_rppg.emotion.deep.estimator import SequenceHead
from emotion_rppg.emotion.deep.grouped import DROPPED, Grouped
from emotion_rppg.emotion.design_matrix import Matrix, TokenGroup, token_groups

GROUPS = [TokenGroup("beats", (0, 1)), TokenGroup("eda_us", (2,))]
LENGTHS = torch.tensor([9, 9, 9])


def grouped() -> Grouped:
    torch.manual_seed(0)
    return Grouped(GROUPS, lambda channels: Encoder(channels, hidden=4)).double()


def tokens() -> torch.Tensor:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(3, 9, 3))
    values[:, 5:, :2] = np.nan  # five beats, nine samples
    return torch.tensor(values)


def test_channels_are_grouped_by_source() -> None:
    names = ["ibi_ms", "eda_us", "amplitude", "temp_c"]
    found = {group.name: group.channels for group in token_groups(names)}
    assert found == {"beats": (0, 2), "eda_us": (1,), "temp_c": (3,)}


def test_each_source_has_its_own_encoder_and_length() -> None:
    network = grouped().eval()
    values = tokens()
    out = network(values, LENGTHS)
    assert out.shape == (3, 8)
    beats = network.encoders[0](values[:, :5, :2], torch.tensor([5, 5, 5]))
    torch.testing.assert_close(out[:, :4], beats)
    other = values.clone()
    other[:, :, 2] += 1
    changed = network(other, LENGTHS)
    torch.testing.assert_close(changed[:, :4], out[:, :4])
    assert not torch.allclose(changed[:, 4:], out[:, 4:])


def test_a_missing_source_is_zeros_and_changes_nothing_else() -> None:
    network = grouped().eval()
    values = tokens()
    out = network(values, LENGTHS)
    values[1, :, 2] = torch.nan
    missing = network(values, LENGTHS)
    assert (missing[1, 4:] == 0).all()
    torch.testing.assert_close(missing[1, :4], out[1, :4])
    torch.testing.assert_close(missing[[0, 2]], out[[0, 2]])


def test_training_hides_a_source_at_random_but_never_all() -> None:
    network = grouped().train()
    values = tokens()[:1].repeat(2000, 1, 1)
    values[1000:, :, 2] = torch.nan
    out = network(values, torch.full((2000,), 9))
    hidden = torch.stack([(out[:, :4] == 0).all(1), (out[:, 4:] == 0).all(1)], dim=1)
    assert not hidden.all(dim=1).any()
    share = hidden[:1000].double().mean(0).numpy()
    np.testing.assert_allclose(share, DROPPED * (1 - DROPPED), atol=0.05)
    assert not hidden[1000:, 0].any()  # the only source


def test_mean_and_sd_are_those_of_each_source() -> None:
    network = grouped()
    network.standardise.fit(tokens())
    measured = tokens().numpy()
    mean = network.encoders[1].standardise.mean.item()
    assert mean == pytest.approx(measured[:, :, 2].mean())
    sd = network.encoders[0].standardise.scale.numpy()
    np.testing.assert_allclose(sd, np.nanstd(measured[:, :, :2].reshape(-1, 2), axis=0))


def test_sources_of_unequal_length_are_not_extended_into_each_other() -> None:
    values = tokens().numpy()
    values[1, :, 2] = np.nan  # the longest source is missing in one row
    inputs = Matrix(values.reshape(3, -1), 0, 3, (), ("ibi_ms", "amplitude", "eda_us"))
    both = Layout((), inputs.channels, 9).select(inputs)
    np.testing.assert_array_equal(both.tokens, inputs.tokens)
    beats = Layout((), inputs.channels[:2], 9).select(inputs)
    assert np.isfinite(beats.tokens).all()  # one source is extended to the common length


@pytest.mark.slow
def test_a_head_learns_from_either_source_and_does_without_one() -> None:
    draw = np.random.default_rng(1)
    y = draw.integers(0, 2, 120)
    values = draw.normal(size=(120, 12, 2)) * 0.3
    values += np.linspace(-1, 1, 12)[None, :, None] * (2 * y - 1)[:, None, None]
    X = values.reshape(120, -1)
    head = SequenceHead(
        n_features=0, n_token_channels=2, channels="eda_us,temp_c", max_epochs=40, hidden=8
    ).fit(X, y)
    assert type(head.module_.encoder) is Grouped
    for source in (0, 1):
        lost = values.copy()
        lost[:, :, source] = np.nan
        assert (head.predict(lost.reshape(120, -1)) == y).mean() > 0.9
    again = SequenceHead(**head.get_params()).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), head.predict_proba(X))
