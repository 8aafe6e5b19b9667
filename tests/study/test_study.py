"""Tables have identities, reasons and provenance; models refuse what they cannot predict."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import extract, fit, load, predict
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.errors import InputError
from emotion_rppg.features import FAMILIES, columns
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.signals import Signal
from emotion_rppg.study import pretrain_encoder
from emotion_rppg.windows import IDENTITY

CLIP = Path(__file__).parents[2] / "data" / "synthetic_clip.mp4"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("s") / "study"
    return write_study(folder, people=4, trials=4, duration_s=60.0, video=False)


@pytest.fixture(scope="module")
def table(study) -> pd.DataFrame:
    return extract(Folder(study), length_s=60, step_s=30)


@pytest.mark.slow
def test_a_row_has_identities_times_and_provenance(table) -> None:
    assert list(table)[: len(IDENTITY)] == list(IDENTITY)
    assert {"quality", "timing_sd_ms", "coverage", "rmssd_se_ms"} <= set(table)
    assert len(table) == 16
    assert (table["dataset"] == "synthetic").all()
    assert set(table["source"]) == {"bvp"}
    assert set(table["scale_arousal"]) == {"1..9"}
    assert table["hr_bpm"].between(45, 120).all()
    assert (table["quality"] > 0.5).all()


@pytest.mark.slow
def test_the_signals_of_one_heart_agree_on_its_rate(study, table) -> None:
    by_ecg = extract(Folder(study), source="ecg", length_s=60)
    assert (by_ecg["hr_bpm"] - table["hr_bpm"]).abs().max() < 0.5
    assert (by_ecg["rmssd_ms"] - table["rmssd_ms"]).abs().median() < 5


def test_windows_slide_by_their_step(study) -> None:
    rows = extract(list(Folder(study))[:1], length_s=30, step_s=15)
    assert rows["start_s"].tolist() == [0.0, 15.0, 30.0]
    whole = extract(list(Folder(study))[:1], length_s=None)
    assert whole["duration_s"].tolist() == [pytest.approx(60.0, abs=0.1)]


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(study, table) -> None:
    pd.testing.assert_frame_equal(extract(Folder(study), workers=2), table)


@pytest.mark.slow
def test_a_cluster_gives_the_same_table(study, table, scheduler) -> None:
    pd.testing.assert_frame_equal(extract(Folder(study), scheduler=scheduler), table)


@pytest.mark.slow
def test_cached_results_give_the_same_table(study, table, tmp_path) -> None:
    for _ in range(2):
        pd.testing.assert_frame_equal(extract(Folder(study), cache=tmp_path), table)


def test_a_bug_in_one_recording_is_reported_with_its_line(study) -> None:
    def broken():
        raise ZeroDivisionError("oh")

    bad = Recording("synthetic", "x", signals={"bvp": broken})
    rows = extract([bad, *list(Folder(study))[:1]])
    assert len(rows) == 1
    assert "ZeroDivisionError in test_study.py" in rows.attrs["failures"][0]["reason"]


def test_an_unreadable_recording_is_reported_and_the_others_are_extracted(study, caplog) -> None:
    bad = Recording("synthetic", "x", video=Video(Path("nowhere.mp4")))
    rows = extract([bad, *list(Folder(study))[:2]])
    assert len(rows) == 2
    assert rows.attrs["failures"][0]["recording"] == "synthetic/x/1/1"
    assert "nowhere.mp4" in caplog.text
    with pytest.raises(InputError, match=r"nowhere\.mp4"):
        extract([bad])


def test_a_camera_wave_without_a_pulse_has_a_row_with_a_reason() -> None:
    noise = Signal(np.random.default_rng(0).normal(0, 1, 1800), 30.0, kind="rppg")
    families = [name for name, family in FAMILIES.items() if family.kind == "pulse"]
    row = extract([Recording("d", "1", signals={"rppg": noise})], families=families).iloc[0]
    assert "no clear pulse" in row["reason"]
    of_pulse = {name: column for name, column in columns().items() if column.kind == "pulse"}
    given = {name for name in of_pulse if row[name] != "" and not pd.isna(row[name])}
    assert given <= {name for name, column in of_pulse.items() if column.always}
    assert row["duration_s"] == pytest.approx(60.0)


def test_unknown_names_and_empty_studies_are_refused(study) -> None:
    with pytest.raises(InputError, match="known: hrv, sequence"):
        extract(Folder(study), families=["ecg"])
    with pytest.raises(InputError, match="no recording"):
        extract([])
    with pytest.raises(InputError, match="has no rppg; it has: bvp, ecg"):
        extract(Folder(study), source="rppg")


# ---- models ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_saved_model_gives_the_same_predictions(table, tmp_path) -> None:
    model = fit(table, target=["arousal", "valence"], head="logistic")
    model.save(tmp_path / "m")
    predictions = predict(table, load(tmp_path / "m"))
    pd.testing.assert_frame_equal(predictions, predict(table, model))
    assert set(predictions["arousal"]) == {"low", "high"}
    both = predictions[["arousal_p_low", "arousal_p_high"]].sum(axis=1)
    np.testing.assert_allclose(both, 1.0)
    assert (predictions["reason"] == "ok").all()


def test_a_model_of_synthetic_people_has_a_note(table, tmp_path) -> None:
    model = fit(table, target="arousal")
    model.save(tmp_path / "m")
    assert "synthetic people" in load(tmp_path / "m").note
    assert "synthetic people" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    assert load(tmp_path / "m").trained_on == {"synthetic": ["1", "2", "3", "4"]}
    assert fit(table.assign(dataset="mine"), target="arousal").note == ""


@pytest.mark.slow
def test_a_short_video_has_a_rate_but_no_prediction(table) -> None:
    row = predict(CLIP, fit(table.assign(method="pos"), target="arousal")).iloc[0]
    assert row["hr_bpm"] == pytest.approx(72, abs=2)
    assert row["arousal"] == ""
    assert np.isnan(row["arousal_p_high"])
    assert "too short" in row["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("head", ["logistic", "forest", "knn", "lstm"])
def test_a_window_without_a_trusted_pulse_is_not_predicted(table, tmp_path, head) -> None:
    """A flat wave has no beats, no coverage and no quality, so nothing is predicted."""
    t = np.arange(70 * 32) / 32
    flat = pd.DataFrame({"time_s": t, "bvp": np.full(len(t), 3.0)})
    flat.to_csv(tmp_path / "flat.csv", index=False)
    model = fit(table, target=["arousal", "valence"], head=head)
    predictions = predict(tmp_path / "flat.csv", model)
    assert set(predictions["arousal"]) == set(predictions["valence"]) == {""}
    assert predictions.filter(like="_p_").isna().all(axis=None)
    assert predictions["reason"].str.contains("pulse").all()
    holes = table.assign(hr_bpm=table["hr_bpm"].where(table["subject"] != "1"))
    holes.loc[holes["subject"] == "1", "reason"] = "electrode off"
    mixed = predict(holes, model)
    assert ((mixed["arousal"] == "") == (holes["subject"] == "1")).all()
    assert set(mixed["reason"]) == {"ok", "electrode off"}


def test_rows_without_a_trusted_pulse_are_not_used_for_training(table) -> None:
    odd = table[table["subject"] == "1"].assign(label_arousal=9.0, hr_bpm=np.nan)
    odd["trial"] = "odd " + odd["trial"].astype(str)
    more = pd.concat([table, odd], ignore_index=True)
    pd.testing.assert_frame_equal(
        predict(table, fit(more, target="arousal")), predict(table, fit(table, target="arousal"))
    )


def test_a_table_without_the_trained_columns_is_refused(table) -> None:
    model = fit(table, target="arousal")
    name = next(n for n in model.names if not n.startswith("seq_"))
    with pytest.raises(InputError, match=name):
        predict(table.drop(columns=name), model)


def test_a_target_with_one_class_is_refused(table) -> None:
    with pytest.raises(InputError, match="only one class"):
        fit(table.assign(label_arousal=8.0), target="arousal")


def test_a_numeric_target_has_numeric_predictions(table) -> None:
    predictions = predict(table, fit(table, target="arousal", head="ridge", coding="as_is"))
    assert predictions["arousal"].between(-5, 15).all()


@pytest.mark.slow
def test_an_encoder_is_stored_in_the_model(study, tmp_path) -> None:
    families = Folder(study)
    encoder = pretrain_encoder([extract(families)], epochs=2, hidden=4)
    assert encoder.trained_on == {"synthetic": ["1", "2", "3", "4"]}
    encoder.save(tmp_path / "encoder")
    embedded = extract(families, encoder=tmp_path / "encoder")
    assert [c for c in embedded if c.startswith("emb_")] == [f"emb_{k:03d}" for k in range(4)]
    assert json.loads(embedded["encoder_trained_on"].iloc[0]) == encoder.trained_on
    fit(embedded, target="arousal", encoder=encoder).save(tmp_path / "m")
    signal = sorted((study / "signals").iterdir())[0]
    (tmp_path / "one.csv").write_text(
        "\n".join(",".join(line.split(",")[:2]) for line in signal.read_text().splitlines())
    )
    predictions = predict(tmp_path / "one.csv", tmp_path / "m")
    assert predictions["arousal"].iloc[0] in ("low", "high")


def test_a_model_trained_on_pulses_of_a_network_needs_that_network(table) -> None:
    model = fit(table.assign(network="mine", method="physnet"), target="arousal")
    with pytest.raises(InputError, match="--weights DIR"):
        predict(CLIP, model)


def test_a_folder_that_is_no_emotion_model_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"kind": "pulse"}')
    with pytest.raises(InputError, match="want an emotion model"):
        load(tmp_path)
    (tmp_path / "config.json").write_text('{"kind": "emotion"}')
    with pytest.raises(InputError, match="cannot be used: it lacks targets, features"):
        load(tmp_path)
