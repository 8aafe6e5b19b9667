"""Models with a subject baseline, and the bundled stress model."""

import logging

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Signal, fit, load, predict
from emotion_rppg.emotion.model import BUNDLED
from emotion_rppg.errors import InputError
from emotion_rppg.features import describes_recording
from emotion_rppg.windows import trusted


def study(people: int = 6, *, level_spread: float = 50.0, seed: int = 0) -> pd.DataFrame:
    """Twelve windows of one minute: four at rest, then low and high arousal in turn.

    High arousal adds 8 bpm; the differences between people are much larger.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        mean_bpm = 80 + level_spread * draw.uniform(-0.5, 0.5)
        for k in range(12):
            high = k >= 4 and k % 2 == 1
            rows.append(
                {
                    "dataset": "made",
                    "subject": f"{person}",
                    "session": "1",
                    "trial": "1",
                    "start_s": 60.0 * k,
                    "duration_s": 60.0,
                    "source": "bvp",
                    "method": "",
                    "network": "",
                    "trained_on": "",
                    "hr_bpm": mean_bpm + 8 * high + draw.normal(0, 1),
                    "label_arousal": 8.0 if high else 2.0,
                    "scale_arousal": "1..9",
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def model():
    return fit(study(), target="arousal", head="logistic", normalise="calibration")


def test_the_subject_baseline_removes_differences_between_people(model) -> None:
    new = study(people=8, seed=1)
    rest, rest_of_it = new[new["start_s"] < 240], new[new["start_s"] >= 240]
    predictions = model.predict(rest_of_it, rest=rest)
    right = (predictions["arousal"] == "high") == (rest_of_it["label_arousal"] > 5)
    assert right.mean() > 0.95
    plain = fit(study(), target="arousal", head="logistic").predict(rest_of_it)
    assert ((plain["arousal"] == "high") == (rest_of_it["label_arousal"] > 5)).mean() < 0.8


def test_one_person_needs_no_common_name(model) -> None:
    new = study(people=1, seed=2)
    rest = new[new["start_s"] < 240].assign(subject="the file of rest")
    pd.testing.assert_frame_equal(
        model.predict(new, rest=rest), model.predict(new, rest=new[new["start_s"] < 240])
    )


def test_rest_is_required_with_a_subject_baseline_and_rejected_without(model) -> None:
    new = study(people=2, seed=3)
    with pytest.raises(InputError, match=r"uses a subject baseline: give a recording"):
        predict(new, model)
    with pytest.raises(InputError, match="has no subject baseline: omit"):
        predict(new, fit(study(), target="arousal"), calibrate=new)
    with pytest.raises(InputError, match="rest can be used for made/1"):
        predict(new, model, calibrate=new[new["subject"] == "0"])
    with pytest.raises(InputError, match="rest can be used for made/0"):
        predict(new, model, calibrate=new.assign(duration_s=20.0))
    with pytest.raises(InputError, match="cannot be fitted with the normalisation 'transductive'"):
        fit(study(), target="arousal", normalise="transductive")


def test_labels_of_the_first_minutes_are_not_learned() -> None:
    """Other labels in the first minutes give the same model."""
    odd = study()
    odd.loc[odd["start_s"] < 240, "label_arousal"] = 9.0
    new = study(people=4, seed=4)
    predictions = [
        fit(t, target="arousal", normalise="calibration").predict(new, rest=new)
        for t in (odd, study())
    ]
    pd.testing.assert_frame_equal(*predictions)


def test_a_saved_model_keeps_its_subject_baseline(model, tmp_path) -> None:
    new = study(people=2, seed=5)
    again = load(model.save(tmp_path / "m"))
    assert again.calibration_s == 240
    assert "needs a recording of rest" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    pd.testing.assert_frame_equal(again.predict(new, rest=new), model.predict(new, rest=new))


def test_another_kind_of_signal_is_warned_of(model, caplog) -> None:
    new = study(people=1)
    with caplog.at_level(logging.WARNING):
        predict(new, model, calibrate=new)
        assert not caplog.records
        predict(new.assign(source="rppg"), model, calibrate=new)
    assert "trained on bvp and the input is rppg" in caplog.text


# ---- the bundled model -------------------------------------------------------------------------


def wrist(bpm: float, windows: int = 3) -> pd.DataFrame:
    """Windows in the middle of the stress model's training ranges, with another heart rate."""
    ranges, names = load("stress").ranges, load("stress").names
    middle = np.where(ranges.positive, np.exp(ranges.middle), ranges.middle)
    row = dict(zip(names, middle, strict=True)) | {"hr_bpm": bpm}
    row |= dict.fromkeys(("mean_nn_ms", "median_nn_ms"), 60000 / bpm)
    row |= {"seq_ibi_ms": " ".join(["800.0"] * 60), "duration_s": 60.0, "source": "bvp"}
    row |= {"dataset": "wrists", "subject": "1", "session": "1", "trial": "1"}
    return pd.DataFrame([{**row, "start_s": 60.0 * k} for k in range(windows)])


def test_the_stress_model_compares_a_wrist_with_its_own_rest() -> None:
    predictions = predict(wrist(90), "stress", calibrate=wrist(66))
    calm = predict(wrist(66), "stress", calibrate=wrist(66))
    assert set(predictions["reason"]) == {"ok"}
    assert set(predictions["stress"]) <= {"low", "high"}
    own = predict(wrist(90), "stress", calibrate=wrist(90))
    assert abs(predictions["stress_p_high"].mean() - own["stress_p_high"].mean()) > 1e-3
    assert abs(own["stress_p_high"].mean() - calm["stress_p_high"].mean()) < 0.1
    with pytest.raises(InputError, match="person at rest"):
        predict(wrist(90), "stress")


def test_the_stress_model_withholds_predictions_for_a_finger() -> None:
    """A finger at rest has pulse shapes, amplitudes and variability unlike any training wrist."""
    finger = wrist(66).assign(pulse_width_50_ms=150.0, pulse_fullness=0.25, rmssd_ms=12.0)
    for name in (c for c in finger if "_au" in c):
        finger[name] /= 40
    predictions = predict(finger, "stress", calibrate=wrist(66))
    assert set(predictions["stress"]) == {""}
    assert predictions["stress_p_high"].isna().all()
    assert predictions["reason"].str.contains("unlike the windows the model was trained on").all()
    with pytest.raises(InputError, match=r"rest can be used for wrists/1 \(unlike the windows"):
        predict(wrist(66), "stress", calibrate=finger)


@pytest.mark.parametrize("bpm", [62, 95])
def test_rest_without_a_pulse_is_no_rest(tmp_path, bpm) -> None:
    flat = tmp_path / "flat.csv"
    t = np.arange(70 * 32) / 32
    pd.DataFrame({"time_s": t, "bvp": np.full(len(t), 3.0)}).to_csv(flat, index=False)
    with pytest.raises(InputError, match=r"no window of the recording of rest .*pulse"):
        predict(wrist(bpm), "stress", calibrate=flat)
    predictions = predict(
        flat, "stress", calibrate=wrist(bpm).assign(subject="flat", dataset="flat")
    )
    assert predictions["stress"].tolist() == [""]
    assert "pulse" in predictions["reason"].iloc[0]


@pytest.mark.slow
def test_the_stress_model_accepts_real_wrists_and_rejects_real_fingers(real_data) -> None:
    from emotion_rppg import extract
    from emotion_rppg.recordings import Recording

    samples = np.loadtxt(
        real_data / "wesad" / "S2" / "S2_E4_Data" / "BVP.csv", skiprows=2, max_rows=64 * 900
    )
    finger = pd.read_csv(real_data / "contact" / "neurokit" / "bio_resting_5min_100hz.csv")["PPG"]
    refused = []
    for wave in (Signal(samples, 64, kind="bvp"), Signal(finger.to_numpy(), 100, kind="bvp")):
        recording = Recording("d", "1", signals={"bvp": lambda wave=wave: wave})
        table = extract([recording], families=("hrv", "sequence", "morphology"))
        predictions = predict(table, "stress", calibrate=wrist(66).assign(dataset="d"))
        refused.append((predictions["stress"] == "")[trusted(table)].mean())
    assert refused[0] < 0.2
    assert refused[1] == 1


def test_the_stress_model_states_its_origin_and_accuracy() -> None:
    model = load("stress")
    assert not any(map(describes_recording, model.names)), (
        "a description of the recording is no sign of stress"
    )
    assert model.ranges is not None
    assert model.probabilities == "temperature"
    for words in ("wrists", "unproven on cameras", "balanced accuracy", "0.5 is chance"):
        assert words in model.note
    assert set(model.trained_on) == {"stress-predict"}
    card = (BUNDLED["stress"] / "MODEL_CARD.md").read_text(encoding="utf-8")
    body = card.split("---\n\n", 1)[1]  # after the fields of the hub
    lines, written = (text.splitlines() for text in (model.card(), body))
    assert [s for s in lines if "Made with" not in s] == [
        s for s in written if "Made with" not in s
    ]
    size = sum(p.stat().st_size for p in BUNDLED["stress"].iterdir())
    assert size < 300_000
