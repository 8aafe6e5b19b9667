"""Deep heads: a pretrained encoder, several targets at once, late fusion."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from emotion_rppg import evaluate, fit
from emotion_rppg.emotion import HEADS, heads_for
from emotion_rppg.emotion.deep.convolutional import Convolutional
from emotion_rppg.emotion.deep.estimator import MultiTaskHead, MultiTaskRegressor, SequenceHead
from emotion_rppg.emotion.deep.losses import Classes, Numbers
from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder
from emotion_rppg.emotion.deep.pretraining import pretrain
from emotion_rppg.emotion.ensemble import Average
from emotion_rppg.emotion.model import load_model
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.heads import chosen_heads
from emotion_rppg.evaluation.run import Leak
from emotion_rppg.features.sequences import tokens

PEOPLE = [f"s{k}" for k in range(6)]


def study(seed=0):
    """Six people, eight windows each, rated twice; beats quicken where arousal is high."""
    draw = np.random.default_rng(seed)
    rows = []
    for person in PEOPLE:
        for trial in range(8):
            high = trial % 2
            ibi = draw.normal(900 - 200 * high, 20, 30)
            rows.append(
                {
                    "dataset": "d",
                    "subject": person,
                    "session": "1",
                    "trial": str(trial),
                    "start_s": 0.0,
                    "duration_s": 60.0,
                    "source": "bvp",
                    "label_arousal": 2.0 + 6 * high,
                    "scale_arousal": "1..9",
                    "label_valence": [2.0, 8.0, np.nan][draw.integers(3)],
                    "scale_valence": "1..9",
                    "hr_bpm": 60e3 / ibi.mean(),
                    "seq_ibi_ms": " ".join(f"{v:.1f}" for v in ibi),
                }
            )
    return pd.DataFrame(rows)


def encoder_of(people, folder, *, seed=0):
    """A pretrained encoder of those people, one epoch old."""
    table = study()
    own = tokens(table[table["subject"].isin(people)])
    trained_on = {"d": list(people)}
    pretrain(own, trained_on=trained_on, epochs=1, hidden=6, seed=seed).save(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return encoder_of(["x1", "s0"], tmp_path_factory.mktemp("encoders") / "e")


# ---- pretrained encoder ------------------------------------------------------------------------


def arrays(head, table):
    read = tokens(table)
    X = np.hstack([table[["hr_bpm"]].to_numpy(), read.reshape(len(table), -1)])
    layout = {"n_features": 1, "n_token_channels": read.shape[2]}
    return head.set_params(**layout), X, (table["label_arousal"] > 5).to_numpy().astype(int)


@pytest.mark.slow
def test_training_begins_with_the_weights_of_the_encoder(folder):
    head, X, y = arrays(SequenceHead(encoder=folder, max_epochs=1, learning_rate=0.0), study())
    given = load_encoder(folder).encoder.recurrent.state_dict()
    got = head.fit(X, y).module_.encoder.recurrent.state_dict()
    for name, weight in given.items():
        torch.testing.assert_close(got[name], weight, atol=1e-6, rtol=0)


def test_an_encoder_of_other_channels_is_rejected(tmp_path):
    two = np.random.default_rng(0).normal(size=(12, 9, 2))
    pretrain(two, trained_on={}, epochs=1, hidden=4).save(tmp_path / "e")
    head, X, y = arrays(SequenceHead(encoder=tmp_path / "e"), study())
    with pytest.raises(InputError, match="of 2 channels"):
        head.fit(X, y)


def test_an_encoder_trained_on_a_tested_person_is_rejected(folder):
    table = study()
    for given in ({"heads": "lstm_pretrained"}, {"heads": {"own": SequenceHead(encoder=folder)}}):
        with pytest.raises(Leak, match="encoder that a head begins with was trained on d/s0"):
            evaluate(table, target="arousal", encoder=folder, **given)
    inside = Average([("a", HEADS["logistic"]), ("b", SequenceHead(encoder=folder))])
    with pytest.raises(Leak, match="d/s0"):
        evaluate(table, target="arousal", heads={"both": inside})


@pytest.mark.slow
def test_an_encoder_with_unknown_people_needs_permission(tmp_path):
    pretrain(tokens(study()), trained_on="unknown", epochs=1, hidden=4).save(tmp_path / "e")
    options = {"target": "arousal", "heads": "lstm_pretrained", "encoder": tmp_path / "e"}
    with pytest.raises(Leak, match="does not say whom"):
        evaluate(study(), **options)
    few = study()[lambda t: t["subject"].isin(["s1", "s2"])]
    allowed = evaluate(few, **options, allow_unknown_training=True)
    assert allowed.scores["unknown_training"].all()


@pytest.mark.slow
def test_an_encoder_of_others_is_scored_beside_the_head_from_scratch(tmp_path):
    encoder = encoder_of(["s0"], tmp_path / "e")
    others = study()[lambda t: t["subject"].isin(["s1", "s2", "s3"])]
    results = evaluate(others, target="arousal", heads=["lstm", "lstm_pretrained"], encoder=encoder)
    means = results.scores.groupby("head")["balanced_accuracy"].mean()
    assert means["lstm_pretrained"] > 0.9
    predictions = results.predictions.set_index("head")["p_1"]
    assert (predictions["lstm"].to_numpy() != predictions["lstm_pretrained"].to_numpy()).any()


@pytest.mark.slow
def test_folds_cached_with_another_encoder_are_not_reused(tmp_path):
    others = study()[lambda t: t["subject"].isin(["s1", "s2"])]
    results = []
    for seed in (0, 1, 1):
        encoder = encoder_of(["s0"], tmp_path / "e", seed=seed)
        head = SequenceHead(encoder=str(encoder), max_epochs=2)
        options = {"heads": {"own": head}, "cache": tmp_path / "kept", "split": "subject_folds"}
        results.append(
            evaluate(others, target="arousal", **options).predictions.query("head == 'own'")["p_1"]
        )
    assert not results[0].equals(results[1])
    assert results[1].equals(results[2])


def test_without_an_encoder_the_pretrained_head_is_unknown():
    with pytest.raises(InputError, match=r"--encoder DIR\) also lstm_pretrained"):
        evaluate(study(), target="arousal", heads="lstm_pretrained")
    with pytest.raises(InputError, match=r"--encoder DIR\) also lstm_pretrained"):
        fit(study(), target="arousal", head="lstm_pretrained")


def test_a_model_lists_its_encoders_people_and_needs_no_encoder_folder(tmp_path):
    encoder = encoder_of(["s0", "x1"], tmp_path / "e")
    table = study()[lambda t: t["subject"] != "s0"]
    model = fit(table, target="arousal", head="lstm_pretrained", encoder=encoder)
    assert {"s0", "x1"} < set(model.trained_on["d"])
    model.save(tmp_path / "model")
    for path in (tmp_path / "e").iterdir():
        path.unlink()
    again = load_model(tmp_path / "model")
    pd.testing.assert_frame_equal(again.predict(table), model.predict(table))
    assert str(tmp_path) not in (tmp_path / "model" / "arousal.json").read_text()


# ---- several targets at once -------------------------------------------------------------------


def test_the_other_target_shapes_the_shared_layers_and_only_them():
    table = study()
    head, X, y = arrays(MultiTaskHead(max_epochs=5), table)
    plain, *_ = arrays(SequenceHead(max_epochs=5), table)
    other = table[["label_valence"]].to_numpy()
    alone = plain.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(head.fit(X, y).predict_proba(X), alone)
    together = head.fit(X, y, others=other)
    assert together.module_.classify[-1].out_features == 4  # two classes of two targets
    assert together.predict_proba(X).shape == alone.shape
    assert not np.allclose(together.predict_proba(X), alone)
    nothing = np.full_like(other, np.nan)
    np.testing.assert_array_equal(head.fit(X, y, others=nothing).predict_proba(X), alone)


def test_a_number_is_learned_together_with_another():
    table = study()
    head, X, _ = arrays(MultiTaskRegressor(max_epochs=30), table)
    y = table["label_arousal"].to_numpy()
    results = head.fit(X, y, others=table[["label_valence"]].to_numpy())
    assert results.module_.classify[-1].out_features == 2
    assert results.score(X, y) > 0.8


@pytest.mark.slow
def test_no_label_of_the_tested_person_reaches_a_multitask_head():
    table = study()
    changed = table.copy()
    last = changed["subject"] == PEOPLE[-1]
    changed.loc[last, "label_valence"] = 10 - changed.loc[last, "label_valence"].fillna(3)
    options = {
        "target": ["arousal", "valence"],
        "heads": {"multitask": MultiTaskHead(max_epochs=3)},
    }
    predictions = [
        evaluate(t, **options).predictions.query("head == 'multitask' & target == 'arousal'")
        for t in (table, changed)
    ]
    own = [part.loc[part["subject"] == f"d/{PEOPLE[-1]}", "p_1"].to_numpy() for part in predictions]
    np.testing.assert_array_equal(*own)
    rest = [
        part.loc[part["subject"] != f"d/{PEOPLE[-1]}", "p_1"].to_numpy() for part in predictions
    ]
    assert (rest[0] != rest[1]).any()  # for the others that person is training


def test_a_multitask_model_is_fitted_by_name_and_saved(tmp_path):
    model = fit(study(), target=["arousal", "valence"], head="multitask")
    assert {head.n_outputs_ for head in model.heads.values()} == {4}
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    pd.testing.assert_frame_equal(again.predict(study()), model.predict(study()))


def test_all_heads_include_multitask_only_with_several_targets():
    for several in (False, True):
        chosen = chosen_heads("all", True, several=several, encoder=None)
        assert ("multitask" in chosen) is several
        assert {"mlp", "lstm", "cnn", "average", "selected"} <= set(chosen)
        slow = {"mlp", "lstm", "cnn", "average", "multitask"}
        assert not slow & {name for name, _ in chosen["selected"].candidates}


def test_losses_ignore_missing_labels():
    scores = torch.tensor([[2.0, 0.0, 1.0, -1.0], [0.0, 1.0, 3.0, 0.0]])
    codes = np.array([[0, -1], [1, 1]])
    loss = Classes(codes, sizes=[2, 2])(scores, torch.tensor(codes))
    each = [-torch.log_softmax(scores[:, :2], 1)[[0, 1], [0, 1]].mean()]
    each.append(-torch.log_softmax(scores[1, 2:], 0)[1])
    torch.testing.assert_close(loss, torch.stack(each).mean())
    targets = torch.tensor([[1.0, torch.nan], [3.0, 2.0]])
    error = Numbers()(torch.zeros(2, 2), targets)
    torch.testing.assert_close(error, torch.tensor((5.0 + 4.0) / 2))


# ---- convolutions, and the average -------------------------------------------------------------


def test_a_convolutional_vector_depends_only_on_its_own_sequence():
    torch.manual_seed(0)
    encoder = Convolutional(2, hidden=5, layers=2)
    read = torch.randn(3, 20, 2)
    lengths = torch.tensor([20, 7, 0])
    together = encoder(read, lengths)
    assert not together[2].any()
    torch.testing.assert_close(encoder(read[1:2, :7], lengths[1:2])[0], together[1])
    read[1, 7:] = 9.0
    padded = torch.cat([read, torch.full((3, 4, 2), 9.0)], dim=1)
    torch.testing.assert_close(encoder(padded, lengths), together)


def test_the_average_is_the_mean_of_its_parts():
    _, X, y = arrays(SequenceHead(), study())
    layout = {"lstm__n_token_channels": 6, "lstm__max_epochs": 3}
    columns = {f"{name}__n_features": 1 for name in ("logistic", "forest", "lstm")}
    average = clone(HEADS["average"]).set_params(**layout, **columns)
    average.fit(X, y, groups=np.arange(len(y)) % 6)
    parts = [part.predict_proba(X) for part in average.estimators_]
    np.testing.assert_allclose(average.predict_proba(X), np.mean(parts, axis=0))
    assert len(parts) == 3


def test_a_head_on_beats_alone_ignores_features_and_needs_beats():
    head, X, y = arrays(SequenceHead(reads="beats", max_epochs=3), study())
    predictions = head.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(head.predict_proba(np.hstack([-X[:, :1], X[:, 1:]])), predictions)
    with pytest.raises(InputError, match="leaves no input"):
        SequenceHead(reads="beats").fit(X[:, :1], y)
    with pytest.raises(InputError, match="unknown reads"):
        SequenceHead(reads="all").fit(X[:, :1], y)


@pytest.mark.slow
def test_embeddings_are_fused_with_features_as_columns():
    """Columns emb_… stand beside the features, for every head; ablation takes them away."""
    table = study()
    table["emb_000"] = (table["label_arousal"] > 5) + 0.1 * np.random.default_rng(0).normal(size=48)
    table["hr_bpm"] = 60.0
    table = table.drop(columns="seq_ibi_ms").assign(encoder_trained_on=json.dumps({"e": ["1"]}))
    table = table[table["subject"].isin(["s1", "s2", "s3"])]
    scores = {}
    for ablate in ((), ("embedding",)):
        results = evaluate(table, target="arousal", heads=["mlp", "logistic"], ablate=ablate).scores
        scores[ablate] = results.groupby("head")["balanced_accuracy"].mean()[["mlp", "logistic"]]
    assert (scores[()] > 0.9).all()
    assert (scores["embedding",] < 0.6).all()


def test_only_multitask_heads_receive_other_targets():
    heads = {n: getattr(h, "estimator", h) for n, h in heads_for(numbers=False).items()}
    receive = {name for name, head in heads.items() if has_fit_parameter(head, "others")}
    assert receive == {"average", "multitask"}
