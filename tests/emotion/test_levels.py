"""Models that compare people with their own rest, and the one of real people that comes along."""

import logging

import numpy as np
import pandas as pd
import pytest

from emotion_rppg import Signal, fit, load, predict
from emotion_rppg.emotion.model import BUNDLED
from emotion_rppg.errors import InputError
from emotion_rppg.windows import QUALITY


def study(people: int = 6, *, level_spread: float = 50.0, seed: int = 0) -> pd.DataFrame:
    """Eight windows of a minute each: four of rest, then calm and stirred ones by turns.

    Who is stirred beats 8 bpm faster than at rest; people differ by far more.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        level = 80 + level_spread * draw.uniform(-0.5, 0.5)
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
                    "hr_bpm": level + 8 * high + draw.normal(0, 1),
                    "label_arousal": 8.0 if high else 2.0,
                    "scale_arousal": "1..9",
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def model():
    return fit(study(), target="arousal", head="logistic", normalise="calibration")


def test_rest_takes_a_persons_own_level_off(model) -> None:
    new = study(people=8, seed=1)
    rest, rest_of_it = new[new["start_s"] < 240], new[new["start_s"] >= 240]
    told = model.predict(rest_of_it, rest=rest)
    right = (told["arousal"] == "high") == (rest_of_it["label_arousal"] > 5)
    assert right.mean() > 0.95
    plain = fit(study(), target="arousal", head="logistic").predict(rest_of_it)
    assert ((plain["arousal"] == "high") == (rest_of_it["label_arousal"] > 5)).mean() < 0.8


def test_one_person_needs_no_common_name(model) -> None:
    new = study(people=1, seed=2)
    rest = new[new["start_s"] < 240].assign(subject="the file of rest")
    pd.testing.assert_frame_equal(
        model.predict(new, rest=rest), model.predict(new, rest=new[new["start_s"] < 240])
    )


def test_a_model_and_its_rest_go_together(model) -> None:
    new = study(people=2, seed=3)
    with pytest.raises(InputError, match=r"compares people with their own rest: give a recording"):
        predict(new, model)
    with pytest.raises(InputError, match="does not compare people with their own rest"):
        predict(new, fit(study(), target="arousal"), calibrate=new)
    with pytest.raises(InputError, match="rest can be used for made/1"):
        predict(new, model, calibrate=new[new["subject"] == "0"])
    with pytest.raises(InputError, match="rest can be used for made/0"):
        predict(new, model, calibrate=new.assign(duration_s=20.0))
    with pytest.raises(InputError, match="cannot be fitted with the normalisation 'transductive'"):
        fit(study(), target="arousal", normalise="transductive")


def test_the_minutes_of_reference_teach_nothing() -> None:
    """Labels of the first minutes may be anything: they are not learned from."""
    odd = study()
    odd.loc[odd["start_s"] < 240, "label_arousal"] = 9.0
    new = study(people=4, seed=4)
    told = [
        fit(t, target="arousal", normalise="calibration").predict(new, rest=new)
        for t in (odd, study())
    ]
    pd.testing.assert_frame_equal(*told)


def test_it_is_kept_with_the_model(model, tmp_path) -> None:
    new = study(people=2, seed=5)
    again = load(model.save(tmp_path / "m"))
    assert again.calibration_s == 240
    assert "needs a recording of it" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    pd.testing.assert_frame_equal(again.predict(new, rest=new), model.predict(new, rest=new))


def test_another_kind_of_signal_is_said(model, caplog) -> None:
    new = study(people=1)
    with caplog.at_level(logging.WARNING):
        predict(new, model, calibrate=new)
        assert not caplog.records
        predict(new.assign(source="rppg"), model, calibrate=new)
    assert "learned from bvp and is given rppg" in caplog.text


# ---- the model that comes along --------------------------------------------------------------


def wave(bpm: float, seconds: float, seed: int = 0) -> Signal:
    draw = np.random.default_rng(seed)
    times = np.cumsum(60 / bpm * (1 + 0.04 * draw.normal(size=int(seconds * bpm / 60) + 3)))
    t = np.arange(int(64 * seconds)) / 64
    near = t[:, None] - times
    beat = np.exp(-0.5 * (near / 0.1) ** 2) + 0.4 * np.exp(-0.5 * ((near - 0.3) / 0.1) ** 2)
    return Signal(beat.sum(axis=1), 64, kind="bvp")


def test_the_stress_model_reads_a_wrist_and_says_whence_it_is(tmp_path) -> None:
    files = {}
    for name, bpm, seed in (("rest", 62, 0), ("later", 95, 1)):
        files[name] = tmp_path / f"{name}.csv"
        heard = wave(bpm, 150, seed)
        table = pd.DataFrame({"time_s": heard.times_s, "bvp": heard.samples})
        table.to_csv(files[name], index=False)
    told = predict(files["later"], "stress", calibrate=files["rest"])
    assert set(told["stress"]) <= {"low", "high"}
    assert told["stress_p_high"].between(0, 1).all()
    calm = predict(files["rest"], "stress", calibrate=files["rest"])
    assert told["stress_p_high"].mean() > calm["stress_p_high"].mean()
    with pytest.raises(InputError, match="own rest"):
        predict(files["later"], "stress")


def test_its_card_holds_what_a_user_must_know() -> None:
    model = load("stress")
    assert not set(QUALITY) & set(model.names), "how much people move is no stress"
    for words in ("wrists", "unproven on cameras", "balanced accuracy", "0.5 is chance"):
        assert words in model.note
    assert set(model.trained_on) == {"stress-predict"}
    size = sum(p.stat().st_size for p in BUNDLED["stress"].iterdir())
    assert size < 300_000
