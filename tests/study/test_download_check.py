"""Checking a download with the heart rates of its signals, and writing what was found."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study.download_check import check_download, heart_rates
from tests.datasets.fakes import FAKES
from tests.datasets.fakes.shared import rate_of


def wave(bpm: float, *, start_s: float = 0.0, seconds: float = 60.0) -> Signal:
    times_s = np.arange(int(64 * seconds)) / 64
    return Signal(np.sin(2 * np.pi * bpm / 60 * times_s), 64, kind="bvp", start_s=start_s)


def test_heart_rates_are_of_the_seconds_that_all_signals_have() -> None:
    """The belt and the device begin a minute earlier, when the rate is another."""
    belt = Beats(np.r_[np.arange(0, 60, 60 / 50), np.arange(60, 119, 0.75)])
    device = Signal(np.r_[np.full(30, 50.0), np.full(30, 81.0)], 0.5, kind="hr")
    rates = heart_rates({"bvp": wave(80, start_s=60), "rr": belt, "hr": device, "eda": wave(55)})
    assert rates == pytest.approx({"bvp": 80, "rr": 80, "hr": 81}, abs=0.5)


def test_a_rate_that_cannot_be_trusted_is_missing() -> None:
    noise = Signal(np.random.default_rng(0).normal(size=64 * 60), 64, kind="bvp")
    assert np.isnan(heart_rates({"bvp": noise})["bvp"])
    apart = heart_rates({"bvp": wave(80), "ecg": wave(80, start_s=100)})
    assert np.isnan(list(apart.values())).all()
    assert heart_rates({"eda": noise}) == {}


def test_rates_of_a_device_and_of_its_pulse_are_compared(tmp_path) -> None:
    found = check_download("welltory", FAKES["welltory"](tmp_path / "w", seconds=60))["found"]
    planted = rate_of(1) - rate_of(0)
    assert found["rate_differences_bpm"]["rppg and rr"]["median"] == pytest.approx(planted, abs=0.3)


@pytest.mark.parametrize("name", ["check.txt", "check.json"])
def test_what_was_found_is_written_to_a_file(tmp_path, name) -> None:
    root, out = FAKES["welltory"](tmp_path / "w"), tmp_path / name
    run = CliRunner().invoke(app, ["datasets", "welltory", "--root", str(root), "--out", str(out)])
    assert run.exit_code == 0, run.output
    text = out.read_text(encoding="utf-8")
    assert "3 people, the card says 13" in text
    assert str(tmp_path) not in text
    if name.endswith(".json"):
        assert json.loads(text)["found"]["people"] == 3


def test_what_a_reader_refuses_is_written_too_and_is_an_error(tmp_path) -> None:
    root, out = FAKES["welltory"](tmp_path / "w"), tmp_path / "check.txt"
    run = CliRunner().invoke(app, ["datasets", "deap", "--root", str(root), "--out", str(out)])
    assert run.exit_code == 2
    assert str(out) in run.output.replace("\n", "")
    text = out.read_text(encoding="utf-8")
    assert "subject_#/PPG.csv: 3" in text
    assert "no deap files under the folder" in text
    for arguments in (["datasets", "deap"], ["datasets"]):
        assert CliRunner().invoke(app, [*arguments, "--out", str(out)]).exit_code == 2
