"""The even clock of samples that share timestamps is reconstructed, or none is reported."""

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats import find_beats
from emotion_rppg.formats.shared_timestamps import even_clock
from emotion_rppg.formats.signal_csv import read_signal

RATE_HZ, BPM = 64.0, 72.0
TRUE = 0.37 + np.arange(int(300 * RATE_HZ)) / RATE_HZ  # 300 s, begun within a second
RNG = np.random.default_rng(0)
LATE = np.maximum.accumulate(TRUE[15::16] + RNG.exponential(0.04, len(TRUE) // 16))
STAMPS = {
    "whole seconds": np.floor(TRUE),
    "nearest seconds": np.round(TRUE),
    "hundredths": np.round(TRUE, 2),
    "packets": np.repeat(TRUE[15::16], 16),
    "late packets": np.repeat(LATE, 16),
}


def spread_ms(times_s: np.ndarray, true_s: np.ndarray) -> float:
    """Range of the clock's error (ms); a constant offset changes no interval."""
    return 1e3 * float(np.ptp(times_s - true_s))


@pytest.mark.parametrize("name", STAMPS)
def test_the_even_clock_is_reconstructed(name) -> None:
    found = even_clock(STAMPS[name])
    assert found.rate_hz == pytest.approx(RATE_HZ, rel=2e-4)
    assert spread_ms(found.times_s, TRUE) < 16, "one sample"
    assert found.certain.all()


@pytest.mark.parametrize("name", ["whole seconds", "packets", "late packets"])
@pytest.mark.parametrize("lost", [(1008, 1168), (4000, 4800)])
def test_lost_samples_leave_a_gap_of_their_length(name, lost) -> None:
    present = np.r_[0 : lost[0], lost[1] : len(TRUE)]
    found = even_clock(STAMPS[name][present])
    late = (found.times_s - TRUE[present])[found.certain]
    assert np.ptp(late) < 0.02
    assert found.certain.mean() > 0.98
    assert found.certain[: lost[0] - 64].all()


def test_an_epoch_in_single_precision_is_reconstructed_if_long_enough() -> None:
    long = np.float32(1.6e9 + np.arange(64 * 600) / 64).astype(float)
    assert even_clock(long).rate_hz == pytest.approx(64, rel=1e-3)
    assert even_clock(long[: 64 * 200]) is None, (
        "too few changes of the timestamp to estimate the rate"
    )


def test_timestamps_that_lose_digits_as_they_grow_are_one_clock() -> None:
    true = np.arange(30_000) / 125
    found = even_clock(np.array([float(f"{t:.5g}") for t in true]))
    assert found.certain.all()
    assert spread_ms(found.times_s, true) < 2


def test_timestamps_without_an_even_clock_are_not_reconstructed() -> None:
    drifting = np.cumsum(np.linspace(1 / 40, 1 / 90, 4000))
    assert even_clock(np.floor(drifting)) is None
    late = TRUE.copy()
    late[500:504] = late[500]  # came at once, after a pause
    assert even_clock(late) is None
    assert even_clock(np.floor(TRUE[RNG.random(len(TRUE)) > 0.1])) is None, "lost everywhere"


def written(path, stamps, form="{:.3f}"):
    wave = np.sin(2 * np.pi * BPM / 60 * TRUE[: len(stamps)])
    rows = (form.format(t) + f",{v:.4f}" for t, v in zip(stamps, wave, strict=True))
    path.write_text("time_s,bvp\n" + "\n".join(rows))
    return path


@pytest.mark.parametrize("name", STAMPS)
def test_beats_of_a_file_with_shared_timestamps_are_right_with_a_warning(
    name, tmp_path, caplog
) -> None:
    wave = read_signal(written(tmp_path / "s.csv", STAMPS[name]))
    assert wave.coverage > 0.99
    intervals = find_beats(wave).intervals_ms
    assert 60e3 / np.median(intervals) == pytest.approx(BPM, abs=0.1)
    assert np.std(intervals) < 10
    assert ("even clock of 64" in caplog.text) == (name != "hundredths"), "hundredths do not repeat"


@pytest.mark.parametrize("seconds", [60, 200])
def test_a_clock_that_cannot_be_reconstructed_is_refused_with_a_remedy(tmp_path, seconds) -> None:
    stamps = np.float32(1.6e9 + TRUE[: int(64 * seconds)]).astype(float)
    with pytest.raises(InputError, match=r"single precision.*SamplingFrequency.* in s\.json"):
        read_signal(written(tmp_path / "s.csv", stamps))


SCALES = {"time_s": 1, "time_ms": 1e3, "Time [ms]": 1e3, "time (us)": 1e6, "time_min": 1 / 60}


@pytest.mark.parametrize("header", SCALES)
def test_the_unit_of_a_time_column_is_read_from_its_name(header, tmp_path) -> None:
    path = written(tmp_path / "s.csv", TRUE * SCALES[header], "{:.9f}")
    path.write_text(path.read_text().replace("time_s", header, 1))
    assert read_signal(path).rate_hz == pytest.approx(RATE_HZ, rel=1e-4)


@pytest.mark.parametrize(
    ("scale", "words"),
    [(1e3, "too slow.*time_ms"), (1 / 60, "in minutes.*time_min"), (1e6, "too slow")],
)
def test_another_unit_in_a_column_of_seconds_is_refused(scale, words, tmp_path) -> None:
    path = written(tmp_path / "s.csv", TRUE * scale, "{:.9f}")
    with pytest.raises(InputError, match=words):
        read_signal(path)


def test_a_fast_ecg_is_not_mistaken_for_times_in_minutes(tmp_path) -> None:
    t = np.arange(20_000) / 2000
    beats = np.exp(-(((t % 0.8) - 0.4) ** 2) / 2 / 0.012**2)
    wave = beats + 0.3 * np.sin(2 * np.pi * 50 * t) + 0.2 * np.sin(2 * np.pi * 0.2 * t)
    rows = (f"{a:.4f},{v:.4f}" for a, v in zip(t, wave, strict=True))
    (tmp_path / "s.csv").write_text("time_s,ecg\n" + "\n".join(rows))
    assert read_signal(tmp_path / "s.csv").rate_hz == pytest.approx(2000)
