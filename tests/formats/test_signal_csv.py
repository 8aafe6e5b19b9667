"""Cells of a row stay in their columns, whatever follows the last column."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.formats.signal_csv import read_signal

VALUES = [0.1, 0.4, 0.2, 0.9, 0.5]


@pytest.mark.parametrize("beyond", ["", ",", ",,,", ", "])
def test_empty_cells_beyond_the_header_shift_nothing(tmp_path, beyond) -> None:
    rows = "\n".join(f"{k / 10},{v}{beyond}" for k, v in enumerate(VALUES))
    path = tmp_path / "s.csv"
    path.write_text("time_s,bvp\n" + rows)
    wave = read_signal(path)
    assert wave.rate_hz == pytest.approx(10)
    np.testing.assert_allclose(wave.samples, VALUES)


@pytest.mark.parametrize("line", [2, 4])
@pytest.mark.parametrize("beyond", ["7", "seven"])
def test_a_filled_cell_beyond_the_header_is_refused_by_its_line(tmp_path, line, beyond) -> None:
    rows = [f"{k / 10},{v}" for k, v in enumerate(VALUES)]
    rows[line - 2] += "," + beyond
    path = tmp_path / "s.csv"
    path.write_text("time_s,bvp\n" + "\n".join(rows))
    with pytest.raises(InputError, match=f"line {line}"):
        read_signal(path)


def test_other_columns_may_hold_anything(tmp_path) -> None:
    rows = "\n".join(f"{k / 10},note,{v},," for k, v in enumerate(VALUES))
    path = tmp_path / "s.csv"
    path.write_text("time_s,note,ecg,,\n" + rows)
    np.testing.assert_allclose(read_signal(path).samples, VALUES)


def test_timestamps_that_repeat_only_by_rounding_keep_every_sample(tmp_path, caplog) -> None:
    t = np.arange(1000) / 125
    wave = np.sin(2 * np.pi * 1.2 * t)
    rows = "\n".join(f"{time:.2f},{value:.5f}" for time, value in zip(t, wave, strict=True))
    (tmp_path / "a.csv").write_text(f"time_s,bvp\n{rows}")
    read = read_signal(tmp_path / "a.csv")
    assert read.rate_hz == pytest.approx(125, rel=1e-3)
    assert len(read) == 1000
    np.testing.assert_allclose(read.samples, wave, atol=1e-4)
    assert "repeated" not in caplog.text
    late = t.copy()
    late[500:504] = late[500]  # four samples came at once, after a pause: no rounding
    rows = "\n".join(f"{time:.3f},{value:.5f}" for time, value in zip(late, wave, strict=True))
    (tmp_path / "b.csv").write_text(f"time_s,bvp\n{rows}")
    read_signal(tmp_path / "b.csv")
    assert "3 repeated" in caplog.text
