"""A number is reported or withheld with its reason, whatever the source."""

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.trust import kind_of, summary_of_withheld, untrusted_reason, withhold
from emotion_rppg.recordings import Recording
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study import Reading, extract
from emotion_rppg.windows import OK, trusted

FULL = ("hr_bpm", "sdnn_ms", "rmssd_ms", "hf_ms2", "resp_rate_per_min")


def heart(n: int = 80, spread: float = 0.02, seed: int = 0) -> np.ndarray:
    return 0.5 + np.cumsum(0.75 + np.random.default_rng(seed).normal(0, spread, n))


def finger(times: np.ndarray, *, noise: float = 0.0, rate_hz: float = 64.0) -> Signal:
    at = np.arange(0, times[-1] + 0.5, 1 / rate_hz)
    since = at[:, None] - times
    pulse = np.exp(-0.5 * (since / 0.09) ** 2) + 0.3 * np.exp(-0.5 * ((since - 0.3) / 0.1) ** 2)
    draw = np.random.default_rng(7)
    return Signal(pulse.sum(axis=1) + draw.normal(0, noise, len(at)), rate_hz, kind="bvp")


def row(signal: Signal, **options: object) -> pd.Series:
    recording = Recording("d", "1", signals={signal.kind or "": signal})
    return extract([recording], length_s=None, **options).iloc[0]


def test_a_clean_window_is_ok() -> None:
    found = row(finger(heart()))
    assert found["reason"] == OK
    assert found[["hr_bpm", "sdnn_ms", "rmssd_ms", "hr_se_bpm", "rmssd_se_ms"]].notna().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rppg", "bvp", "ecg"])
@pytest.mark.parametrize("samples", ["flat", "noise"])
def test_without_a_pulse_every_source_is_withheld(kind: str, samples: str) -> None:
    noise = np.random.default_rng(0).normal(size=60 * 64)
    found = row(Signal(np.full(60 * 64, 3.0) if samples == "flat" else noise, 64, kind=kind))
    assert found[list(FULL)].isna().all()
    assert found["seq_ibi_ms"] == ""
    assert found["reason"] not in (OK, "")
    assert not trusted(pd.DataFrame([found]))[0]


def test_a_window_with_beats_in_less_than_half_is_withheld() -> None:
    signal = finger(heart())
    signal.samples[: int(0.6 * len(signal))] = np.nan
    found = row(signal, min_quality=0.0)
    assert "of the window, at least 50%" in found["reason"]
    assert np.isnan(found["hr_bpm"])


def test_the_minimum_quality_can_be_set() -> None:
    signal = finger(heart())
    assert np.isnan(row(signal, min_quality=1.0)["hr_bpm"])
    assert "at least 1 is wanted" in row(signal, min_quality=1.0)["reason"]
    with pytest.raises(InputError, match="0 to 1"):
        row(signal, min_quality=60)


def test_a_large_standard_error_withholds_its_feature_and_its_dependants() -> None:
    steady = row(finger(heart(spread=0.0005)))
    assert steady["hr_bpm"] == pytest.approx(80, abs=0.5)
    assert steady[["rmssd_ms", "sd1_ms", "hf_ms2", "pnn20_pct"]].isna().all()
    assert "RMSSD withheld" in steady["reason"]
    assert steady["rmssd_se_ms"] > 0


def test_too_many_ectopic_beats_withhold_variability_but_not_the_rate() -> None:
    times = 0.5 + np.cumsum(np.tile([0.55, 1.05], 38))
    beats = Beats(times, kind="ecg", ectopic=np.arange(len(times)) % 2 == 0, confidence=np.ones(76))
    from emotion_rppg.features import hrv

    table = hrv.table([beats]).assign(quality=1.0)
    found = withhold(table, [beats], [None]).iloc[0]
    assert found["hr_bpm"] == pytest.approx(75, abs=1)
    assert np.isnan(found["rmssd_ms"])
    assert "50% of the beats are ectopic" in found["reason"]


def test_each_kind_has_a_minimum_quality() -> None:
    for kind, least in ((name, kind.min_quality) for name, kind in KINDS.items()):
        poor = Beats(heart(), np.full(80, least - 0.05), kind=kind)
        good = Beats(heart(), np.full(80, least + 0.05), kind=kind)
        assert "quality" in untrusted_reason(poor, None)
        assert untrusted_reason(good, None) == ""


def hidden_pulse(kind: str, *, excluded: float) -> Signal:
    """Make a pulse beneath noise; the video frames contradict it in a share of the samples."""
    wave = finger(heart(), noise=0.8)
    quality = np.where(wave.times_s < excluded * wave.duration_s, 0.0, 0.7)
    return Signal(wave.samples, 64, kind=kind, quality=None if kind == "bvp" else quality)


@pytest.mark.parametrize("kind", ["rppg", "bvp", "ecg"])
@pytest.mark.parametrize("excluded", [0.0, 0.4, 0.9])
def test_the_quality_is_one_number_in_table_recording_and_reason(
    kind: str, excluded: float
) -> None:
    recording = Recording("d", "1", signals={kind: hidden_pulse(kind, excluded=excluded)})
    window = extract([recording], length_s=None).iloc[0]
    rate = estimate_heart_rate(Reading(source=kind).wave(recording))
    assert window["quality"] == pytest.approx(rate.quality, abs=1e-12)
    reasons = [window["reason"], rate.reason or ""]
    figures = [text.split("pulse: quality ")[1][:4] for text in reasons if "pulse: quality" in text]
    assert figures == [f"{window['quality']:.2f}"] * len(figures)


def test_a_camera_window_of_lower_quality_than_the_minimum_says_its_own_quality() -> None:
    recording = Recording("d", "1", signals={"rppg": hidden_pulse("rppg", excluded=0.4)})
    for least in (0.9, 1.0):
        window = extract([recording], length_s=None, min_quality=least).iloc[0]
        expected = f"no clear pulse: quality {window['quality']:.2f}, at least {least:g} is wanted"
        assert window["reason"].startswith(expected)


def test_another_quality_than_the_reported_one_has_another_name() -> None:
    noise = np.random.default_rng(0).normal(size=60 * 64)
    recording = Recording("d", "1", signals={"bvp": Signal(noise, 64, kind="bvp")})
    rate = estimate_heart_rate(Reading(source="bvp").wave(recording))
    assert rate.hr_bpm is None
    assert "quality of the spectrum" in str(rate.reason)


def test_reasons_are_counted_without_their_numbers() -> None:
    assert kind_of("too few beats: they cover 46% of the window, at least 50% is wanted") == (
        kind_of("too few beats: 2 in the window, at least 3 are wanted")
    )
    several = "SDNN withheld: 85 ms with a standard error of 33; RMSSD withheld: 34 ms"
    assert kind_of(several) == "SDNN and RMSSD withheld"


def test_the_summary_counts_reasons_and_lists_what_needs_longer_windows() -> None:
    flat = Signal(np.zeros(64 * 60), 64, kind="bvp")
    recordings = [
        Recording("d", str(k), signals={"bvp": s})
        for k, s in enumerate([flat, flat, finger(heart())])
    ]
    lines = summary_of_withheld(extract(recordings, length_s=None))
    assert any(line.startswith("2 of 3 windows: no clear pulse") for line in lines)
    waiting = [line for line in lines if "need windows of 120 s" in line]
    assert len(waiting) == 1
    assert "lf_ms2" in waiting[0]
    assert "rmssd_ms" not in waiting[0]
