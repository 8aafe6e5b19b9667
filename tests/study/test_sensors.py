"""Signals beside the pulse: no row is lost, each has its reason, models need only their own."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emotion_rppg import Signal, evaluate, extract, extraction_of, fit, load, predict
from emotion_rppg.cli import app
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.errors import InputError
from emotion_rppg.features import FAMILIES, kinds_of_columns
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.tables import read_table, write_table
from emotion_rppg.study import read_all_like
from emotion_rppg.synthesis.people import Person, heart
from emotion_rppg.synthesis.waves import bvp
from emotion_rppg.windows import OK

LENGTH_S = 130.0
WINDOWS = {"length_s": 60.0, "step_s": 30.0}
SENSOR_FAMILIES = tuple(name for name, family in FAMILIES.items() if family.kind != "pulse")
RATES_HZ = {"eda": 4.0, "resp": 25.0, "temp": 4.0, "acc": 32.0}


def sensor(kind: str, level: float = 1.0, duration_s: float = LENGTH_S) -> Signal:
    """Make a signal that no rule finds unusable; the level is in its features."""
    rate_hz = RATES_HZ[kind]
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    waves = {
        "eda": 2 * level + 0.1 * np.clip(np.sin(2 * np.pi * 0.1 * t), 0, None),
        "resp": level * np.sin(2 * np.pi * 0.25 * t),
        "temp": 30 + level + 0.001 * t,
        "acc": 1 + 0.2 * level * np.sin(2 * np.pi * 2 * t),
    }
    return Signal(waves[kind], rate_hz, kind=kind)


def pulse(seed: int = 3) -> Signal:
    return bvp(heart(Person(seed), 5, 5, LENGTH_S), rate_hz=64.0)


def noise() -> Signal:
    samples = np.random.default_rng(0).normal(size=round(64 * LENGTH_S))
    return Signal(samples, 64.0, kind="bvp")


def recording(subject: str, **signals: Signal) -> Recording:
    return Recording("d", subject, signals=signals)


def unreadable(path: str) -> Signal:
    raise InputError(f"{path} is damaged")


def features_of(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[
        [n for n, c in FAMILIES[kind].columns.items() if c.is_feature and not c.needs_pulse]
    ]


@pytest.fixture(scope="module")
def complete() -> pd.DataFrame:
    signals = {kind: sensor(kind) for kind in SENSORS}
    return extract(
        [recording("1", bvp=pulse(), **signals)], families=("hrv", *SENSOR_FAMILIES), **WINDOWS
    )


@pytest.mark.parametrize("kind", SENSORS)
def test_a_usual_signal_has_features_in_every_window(complete, kind) -> None:
    assert len(complete) == 3
    assert set(complete[f"{kind}_reason"]) == {OK}
    assert set(complete[f"{kind}_quality"]) == {1.0}
    assert features_of(complete, kind).notna().any(axis=1).all()


DAMAGES = {
    "missing": lambda signal: None,
    "flat": lambda signal: replace(
        signal, samples=np.full(len(signal), 20.0 if signal.kind == "temp" else 1.0)
    ),
    "short": lambda signal: signal.crop(0, 20),
    "empty": lambda signal: replace(signal, samples=np.full(len(signal), np.nan)),
    "damaged": lambda signal: partial(unreadable, "EDA.csv"),
}


@pytest.mark.parametrize("kind", SENSORS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_signal_keeps_the_rows_and_says_why(complete, kind, damage) -> None:
    bad = DAMAGES[damage](sensor(kind))
    whole = recording("1", bvp=pulse(), **({kind: bad} if bad is not None else {}))
    other = recording("2", **{kind: sensor(kind)})
    table = extract([whole, other], families=("hrv", kind), **WINDOWS)
    rows = table[table["subject"] == "1"].reset_index(drop=True)
    hrv = list(FAMILIES["hrv"].columns)
    pd.testing.assert_frame_equal(rows[hrv], complete[hrv])  # the pulse does not depend on it
    assert (rows["reason"] == complete["reason"]).all()
    if damage == "flat" and kind == "temp":
        return  # a constant temperature is a temperature
    assert features_of(rows, kind).isna().all().all()
    assert (rows[f"{kind}_reason"] != OK).all()
    assert rows[f"{kind}_reason"].str.len().min() > 10
    assert set(table.loc[table["subject"] == "2", f"{kind}_reason"]) == {OK}


@pytest.mark.parametrize("kind", SENSORS)
def test_an_untrusted_pulse_empties_no_other_signal(complete, kind) -> None:
    table = extract(
        [recording("1", bvp=noise(), **{kind: sensor(kind)})], families=("hrv", kind), **WINDOWS
    )
    assert (table["reason"] != OK).all()
    assert table["hr_bpm"].isna().all()
    own = list(features_of(table, kind))
    pd.testing.assert_frame_equal(table[own], complete[own])
    assert set(table[f"{kind}_reason"]) == {OK}


def test_rsa_needs_both_signals(complete) -> None:
    assert complete["breath_rsa_ms"].notna().all()
    table = extract(
        [recording("1", bvp=noise(), resp=sensor("resp"))], families=("resp",), **WINDOWS
    )
    assert table["breath_rsa_ms"].isna().all()
    assert table["breath_rate_per_min"].notna().all()
    assert kinds_of_columns(["breath_rsa_ms"]) == ("resp", "pulse")


@pytest.mark.parametrize("kind", SENSORS)
def test_a_recording_without_a_pulse_has_rows(complete, kind) -> None:
    table = extract([recording("1", **{kind: sensor(kind)})], families=(kind,), **WINDOWS)
    own = list(features_of(table, kind))
    pd.testing.assert_frame_equal(table[own], complete[own])
    assert set(table["source"]) == {""}
    assert table["start_s"].tolist() == [0.0, 30.0, 60.0]


def test_the_pulse_is_not_read_if_no_family_needs_it() -> None:
    one = Recording("d", "1", signals={"bvp": partial(unreadable, "BVP.csv"), "eda": sensor("eda")})
    assert set(extract([one], families=("eda",), **WINDOWS)["reason"]) == {OK}
    table = extract([one], families=("hrv", "eda"), **WINDOWS)
    assert set(table["reason"]) == {"no pulse: BVP.csv is damaged"}
    assert table["eda_tonic_us"].notna().all()


def test_a_recording_of_which_nothing_can_be_read_is_a_failure() -> None:
    bad = Recording("d", "1", signals={"eda": partial(unreadable, "EDA.csv")})
    table = extract([bad, recording("2", eda=sensor("eda"))], families=("eda",), **WINDOWS)
    (failure,) = table.attrs["failures"]
    assert failure["recording"] == "d/1/1/1"
    assert "EDA.csv is damaged" in failure["reason"]


def test_a_signal_that_no_recording_has_is_refused_before_work() -> None:
    one = Recording("d", "1", signals={"bvp": partial(unreadable, "BVP.csv")})
    with pytest.raises(
        InputError, match=r"no recording has the signal 'eda'.*'acc'.*are: bvp\. Omit"
    ):
        extract([one], families=("hrv", "eda", "acc"))
    with pytest.raises(InputError, match="no recording has a pulse"):
        extract([recording("1", eda=sensor("eda"))], families=("hrv", "eda"))
    with pytest.raises(InputError, match="of one person in the video"):
        extract([recording("1", eda=sensor("eda"))], families=("eda",), face="all")


def test_windows_are_on_the_clock_of_the_pulse() -> None:
    late = replace(sensor("temp"), start_s=45.0)  # covers the second half
    table = extract([recording("1", bvp=pulse(), temp=late)], families=("hrv", "temp"), **WINDOWS)
    assert table["start_s"].tolist() == [0.0, 30.0, 60.0]
    np.testing.assert_allclose(table["temp_quality"], [0.25, 0.75, 1.0], atol=0.01)
    assert table["temp_reason"][0].startswith("missing samples: 25%")
    assert table["temp_mean_c"].isna().tolist() == [True, False, False]
    np.testing.assert_allclose(table["temp_mean_c"][2], 31 + 0.001 * (90 - 45), atol=1e-3)


def test_a_part_that_is_too_short_for_a_feature_is_named() -> None:
    holed = sensor("eda")
    samples = holed.samples.copy()
    samples[: 4 * 50] = np.nan
    one = recording("1", eda=replace(holed, samples=samples))
    row = extract([one], families=("eda",), length_s=None).iloc[0]
    assert row["eda_scr_per_min"] > 0
    assert row["eda_reason"] == (
        "eda_sympathetic_us2, eda_sympathetic_nu withheld: 80 s can be used, 108 s are wanted"
    )


def test_a_changed_signal_is_not_answered_from_the_cache(tmp_path) -> None:
    cache = Cache(tmp_path)
    for level in (1.0, 2.0):
        one = recording("1", bvp=pulse(), temp=sensor("temp", level))
        table = extract([one], families=("hrv", "temp"), cache=cache, **WINDOWS)
        assert table["temp_mean_c"][0] == pytest.approx(30 + level, abs=0.1)


def test_a_signal_table_may_hold_all_of_them_and_a_csv_keeps_the_reasons(tmp_path) -> None:
    wave, slow = pulse(), sensor("eda")
    eda = np.full(len(wave), np.nan)
    eda[::16] = slow.samples[: len(eda[::16])]
    columns = {"time_s": wave.times_s, "eda": eda, "bvp": wave.samples, "acc": np.ones(len(wave))}
    pd.DataFrame(columns).to_csv(tmp_path / "one.csv", index=False)
    table = extract(tmp_path / "one.csv", families=("hrv", "eda", "acc"), **WINDOWS)
    assert table["eda_tonic_us"].notna().all()
    assert table["hr_bpm"].notna().all()
    assert table["acc_reason"].str.startswith("flat: 0%").all()
    back = read_table(write_table(table, tmp_path / "t.csv"))
    assert back["acc_reason"].tolist() == table["acc_reason"].tolist()
    pd.DataFrame({"time_s": slow.times_s, "eda": slow.samples}).to_csv(
        tmp_path / "b.csv", index=False
    )
    assert set(next(r for r in Folder(tmp_path) if r.subject == "b").signals) == {"eda"}


# ---- models --------------------------------------------------------------------------------------


def study(pulses: bool = True) -> list[Recording]:
    """Four people whose EDA and heart differ between two trials."""
    return [
        Recording(
            "d",
            str(k),
            trial=trial,
            signals={"eda": sensor("eda", 1.0 + 0.1 * k + level / 4)}
            | ({"bvp": pulse(10 * k + round(level))} if pulses else {}),
            labels={"arousal": level},
            scales={"arousal": (1, 9)},
        )
        for k in range(4)
        for trial, level in (("rest", 2.0), ("task", 8.0))
    ]


def fitted(table: pd.DataFrame):
    return fit(table, target="arousal", head="lda", probabilities="own")


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    return extract(study(), families=("hrv", "eda"), **WINDOWS)


@pytest.mark.slow
def test_a_model_of_eda_does_not_need_the_pulse(mixed, tmp_path) -> None:
    model = fitted(extract(study(pulses=False), families=("eda",), **WINDOWS))
    assert model.kinds == ("eda",)
    model.save(tmp_path / "m")
    bad = Recording("d", "9", signals={"bvp": noise(), "eda": sensor("eda", 1.1 + 2)})
    for table in (
        extract([bad], families=("hrv", "eda"), **WINDOWS),
        extract([bad], families=("eda",), **WINDOWS),
        read_all_like(load(tmp_path / "m"), [bad])[0],
    ):
        rows = predict(table, load(tmp_path / "m"))
        assert set(rows["reason"]) == {OK}
        assert set(rows["arousal"]) == {"high"}
    assert "without trusted EDA" in model.card()


@pytest.mark.slow
def test_a_model_of_eda_withholds_where_the_eda_is_bad(tmp_path) -> None:
    model = fitted(extract(study(pulses=False), families=("eda",), **WINDOWS))
    off = replace(sensor("eda"), samples=np.full(520, 0.01))
    table = extract([recording("9", bvp=pulse(), eda=off)], families=("hrv", "eda"), **WINDOWS)
    rows = predict(table, model)
    assert table["hr_bpm"].notna().all()
    assert set(rows["arousal"]) == {""}
    assert rows["reason"].str.startswith("electrode off: 0% of the window").all()


@pytest.mark.slow
def test_a_mixed_model_needs_both_signals(mixed) -> None:
    model = fitted(mixed)
    assert set(model.kinds) == {"pulse", "eda"}
    for signals, told in (
        ({"bvp": noise(), "eda": sensor("eda", 1.2)}, "no clear pulse"),
        ({"bvp": pulse()}, "EDA: no signal: the recording has no eda"),
        ({"eda": sensor("eda", 1.2)}, "no pulse: the recording has no video or pulse signal"),
    ):
        table, _ = read_all_like(model, [Recording("d", "9", signals=signals)])
        rows = predict(table, model)
        assert set(rows["arousal"]) == {""}
        assert rows["reason"].str.startswith(told).all(), rows["reason"].tolist()
    table, _ = read_all_like(model, [study()[0]])
    assert (predict(table, model)["reason"] == OK).any()


@pytest.mark.slow
def test_a_model_is_fitted_to_the_windows_that_have_all_signals(mixed, caplog) -> None:
    few = mixed.copy()
    hrv = [name for name in FAMILIES["hrv"].columns if FAMILIES["hrv"].columns[name].is_feature]
    few.loc[few["start_s"] > 0, hrv] = np.nan
    with caplog.at_level(logging.WARNING):
        model = fitted(few)
    assert set(model.kinds) == {"pulse", "eda"}
    assert "only 8 of 24 windows have all signals" in caplog.text
    none = mixed.drop(columns=hrv).assign(**dict.fromkeys(hrv, np.nan))
    assert fitted(none).kinds == ("eda",)


@pytest.mark.slow
def test_predict_replays_the_families(tmp_path) -> None:
    for one in study(pulses=False)[:4]:
        wave = one.signals["eda"]
        path = tmp_path / f"{one.subject}{one.trial}.csv"
        pd.DataFrame({"time_s": wave.times_s, "eda": wave.samples}).to_csv(path, index=False)
    table = extract(study(pulses=False), families=("eda",), **WINDOWS)
    model = fitted(table)
    assert model.extraction == extraction_of(table)
    rows = predict(tmp_path, model)
    again = extract(tmp_path, model.extraction)
    pd.testing.assert_frame_equal(rows, model.predict(again))
    assert set(rows["reason"]) == {OK}


@pytest.mark.slow
def test_heads_on_eda_are_scored_beside_movement_alone() -> None:
    def noisy(one: Recording) -> Recording:
        still = replace(sensor("acc"), samples=1 + 0.001 * sensor("acc").samples)
        moving = sensor("acc", 1.0 if one.trial == "task" else 0.5)
        return replace(one, signals={**one.signals, "acc": moving if one.subject == "1" else still})

    recordings = [noisy(one) for one in study(pulses=False)]
    table = extract(recordings, families=("eda", "acc"), **WINDOWS)
    found = evaluate(table, target="arousal", heads=["lda"], permutations=0, probabilities="own")
    by_head = found.scores.groupby("head")["balanced_accuracy"].mean()
    assert by_head["lda"] > 0.8
    assert {"movement_alone", "quality_alone"} <= set(by_head.index)
    assert found.predictions["has_features"].all()


@pytest.mark.slow
def test_the_command_predicts_from_a_file_without_a_pulse(tmp_path) -> None:
    fitted(extract(study(pulses=False), families=("eda",), **WINDOWS)).save(tmp_path / "m")
    wave = sensor("eda", 1.2 + 2)
    file = tmp_path / "one.csv"
    pd.DataFrame({"time_s": wave.times_s, "eda": wave.samples}).to_csv(file, index=False)
    words = ["predict", file, "--model", tmp_path / "m", "--out", tmp_path / "p", "--json"]
    run = CliRunner().invoke(app, [str(word) for word in words])
    assert run.exit_code == 0, run.output
    rows = read_table(next((tmp_path / "p").glob("*.csv")))
    assert set(rows["arousal"]) == {"high"}
    out = tmp_path / "t.csv"
    run = CliRunner().invoke(app, ["features", str(file), "--families", "eda", "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "| eda_reason | | ok where" in (tmp_path / "t.columns.md").read_text(encoding="utf-8")
    run = CliRunner().invoke(
        app, ["features", str(file), "--families", "hrv,temp", "--out", str(out)]
    )
    assert run.exit_code == 2
    assert "no recording has the signal 'temp'" in run.output
