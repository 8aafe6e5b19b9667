"""Times whose unit is not in their name: Unix times, dates, and rows that arrive late."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_files import signals_in
from emotion_rppg.formats.time_columns import clock_of, order_late_rows
from tests.formats.waves import pulse, rate_of

UNIX_S = 1_590_567_062.0


def write(path, name: str, cells: list[str]):
    rows = [f"{cell},{v:.3f}" for cell, v in zip(cells, pulse(72, 50), strict=True)]
    path.write_text("\n".join([f"{name},ppg", *rows]))
    return path


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_the_unit_of_a_unix_time_follows_from_its_size(scale, tmp_path) -> None:
    times = [f"{(UNIX_S + k / 50) * scale:.3f}" for k in range(2000)]
    wave = signals_in(write(tmp_path / "a.csv", "timestamp", times))["bvp"]()
    assert wave.rate_hz == pytest.approx(50, rel=1e-3)
    assert wave.start_s == pytest.approx(UNIX_S)
    assert rate_of(wave) == pytest.approx(72, abs=0.5)


def test_dates_with_times_of_day_are_read(tmp_path) -> None:
    times = [f"2022-04-25T11:{39 + k // 3000}:{k / 50 % 60:06.3f}" for k in range(2000)]
    wave = signals_in(write(tmp_path / "a.csv", "datetime", times))["bvp"]()
    assert wave.rate_hz == pytest.approx(50, rel=1e-3)
    times[5] = "yesterday"
    with pytest.raises(InputError, match="line 7: 'yesterday', want a date and time"):
        signals_in(write(tmp_path / "b.csv", "datetime", times))["bvp"]()


@pytest.mark.parametrize("name", ["time", "timestamp", "timer"])
def test_a_time_whose_unit_is_unknown_is_refused(name, tmp_path) -> None:
    path = write(tmp_path / "a.csv", name, [f"{k * 20}" for k in range(2000)])
    with pytest.raises(InputError, match="want a header with time_s"):
        signals_in(path)


def test_only_usual_names_of_times_are_times() -> None:
    assert clock_of("ppg", "1590567062") is None
    assert clock_of("Time", "1590567062000") == "time_ms"
    assert clock_of("date", "2016-11-24") is None  # a day is no clock


def test_late_rows_are_put_in_order_and_a_clock_set_back_is_refused(tmp_path, caplog) -> None:
    rows = [*range(100), *range(101, 104), 100, *range(104, 2000)]
    times = UNIX_S + np.array(rows) / 50
    wave = pulse(72, 50)[rows]
    lines = [f"{t:.3f},{v:.3f}" for t, v in zip(times, wave, strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,ppg", *lines]))
    read = signals_in(path)["bvp"]()
    np.testing.assert_allclose(read.samples, pulse(72, 50), atol=0.2)
    assert "1 late rows are read in the order of their times" in caplog.text
    set_back = np.r_[times[:1000], times[1000:] - 1.0]
    assert order_late_rows(set_back, "a.csv") is None
    assert order_late_rows(times[::-1], "a.csv") is None
