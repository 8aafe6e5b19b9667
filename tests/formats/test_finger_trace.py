"""Finger on a camera: the colour with the pulse is read, more blood is up, the choice is named."""

from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.finger_trace import finger_contents
from emotion_rppg.formats.signal_files import signals_in
from tests.formats.waves import pulse, rate_of

FPS = 30


def colours(with_pulse: str) -> dict[str, np.ndarray]:
    """Return light in which one colour has the pulse, one has noise and one is saturated."""
    rest = [name for name in "RGB" if name != with_pulse]
    noise = np.random.default_rng(0).normal(0, 1, 40 * FPS)
    return {with_pulse: 150 - 0.05 * pulse(72, FPS), rest[0]: 100 + noise, rest[1]: 0 * noise}


def write_trace(folder: Path, with_pulse: str, *, unit: float = 1000.0, head: str = "time,R,G,B"):
    light = colours(with_pulse)
    rows = [
        f"{k / FPS * unit:.6g},{r:.4f},{g:.4f},{b:.4f}"
        for k, (r, g, b) in enumerate(zip(*(light[name] for name in "RGB"), strict=True))
    ]
    path = folder / "PPG.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.mark.parametrize("colour", list("RGB"))
def test_the_colour_with_the_pulse_is_read_and_named(colour, tmp_path, caplog) -> None:
    path = write_trace(tmp_path, colour)
    wave = signals_in(path)["rppg"]()
    assert wave.rate_hz == pytest.approx(FPS, rel=1e-3)
    assert rate_of(wave) == pytest.approx(72, abs=0.5)
    assert np.corrcoef(wave.samples, pulse(72, FPS)[: len(wave)])[0, 1] > 0.99  # less light is more
    assert f"the colour {colour} has the best pulse (quality R" in caplog.text
    assert finger_contents(path).preferred == colour


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_seconds_and_milliseconds_are_told_by_the_time_between_frames(unit, tmp_path) -> None:
    wave = signals_in(write_trace(tmp_path, "G", unit=unit))["rppg"]()
    assert wave.duration_s == pytest.approx(40, abs=0.1)


def test_a_requested_colour_is_read_as_the_requested_kind(tmp_path) -> None:
    path = write_trace(tmp_path, "G")
    assert list(signals_in(path, channel="r")) == ["rppg"]
    wave = signals_in(path, channel="G", kind="bvp")["bvp"]()
    assert (wave.kind, rate_of(wave)) == ("bvp", pytest.approx(72, abs=0.5))


def test_times_that_no_camera_has_are_refused(tmp_path) -> None:
    for unit in (1e6, 0.001):
        with pytest.raises(InputError, match="which is no time between two frames"):
            signals_in(write_trace(tmp_path, "G", unit=unit))


def test_another_table_with_colours_is_no_finger_trace(tmp_path) -> None:
    path = write_trace(tmp_path, "G", head="time,R,G,X")
    with pytest.raises(InputError, match="want a header with time_s"):
        signals_in(path)


@pytest.mark.slow
def test_phones_have_the_heart_rate_of_a_chest_band(real_data) -> None:
    from emotion_rppg import find_beats

    folder = real_data / "welltory" / "subject_06"
    truth = np.array((folder / "RR.txt").read_text().split(), dtype=float)
    beats = find_beats(signals_in(folder / "PPG.csv")["rppg"]())
    assert np.mean(beats.intervals_ms) == pytest.approx(np.mean(truth), rel=0.02)
