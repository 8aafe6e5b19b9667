"""Nine of ten values lie within two standard errors of the truth."""

import numpy as np
import pytest

from emotion_rppg.features.hrv.standard_errors import standard_errors
from emotion_rppg.metrics import beat_measures
from emotion_rppg.signals import Beats


def heart(seed: int, n: int = 75) -> np.ndarray:
    draw = np.random.default_rng(seed)
    slow = 0.03 * np.sin(2 * np.pi * 0.1 * np.arange(n) + draw.uniform(0, 6))
    breath = 0.025 * np.sin(2 * np.pi * 0.25 * np.arange(n) + draw.uniform(0, 6))
    return 0.4 + np.cumsum(0.8 + slow + breath + draw.normal(0, 0.015, n))


def read(truth: np.ndarray, sd_s: float, missing: tuple[float, float] | None, seed: int) -> Beats:
    """The beats of a heart with timing noise and a missing stretch."""
    times = np.sort(truth + np.random.default_rng(seed + 500).normal(0, sd_s, len(truth)))
    gaps = [] if missing is None else [missing]
    for start, end in gaps:
        times = times[(times < start) | (times > end)]
    sd = np.full(len(times), sd_s)
    return Beats(times, gaps=gaps, kind="bvp", span_s=(0, truth[-1] + 0.4), timing_sd_s=sd)


@pytest.mark.parametrize("missing", [None, (20.0, 38.0)])
@pytest.mark.parametrize("sd_s", [0.0, 0.008, 0.02])
def test_the_truth_lies_within_two_standard_errors(
    sd_s: float, missing: tuple[float, float] | None
) -> None:
    inside = []
    for seed in range(60):
        truth = heart(seed)
        beats, true = read(truth, sd_s, missing, seed), beat_measures(Beats(truth))
        found, errors = beat_measures(beats), standard_errors(beats)
        inside.append(
            (
                abs(found.sdnn_ms - true.sdnn_ms) <= 2 * errors.sdnn_se_ms,
                abs(found.rmssd_ms - true.rmssd_ms) <= 2 * errors.rmssd_se_ms,
                abs(found.hr_bpm - true.hr_bpm) <= 2 * errors.hr_se_bpm + 0.05,
            )
        )
    assert (np.mean(inside, axis=0) >= 0.88).all()


def test_noise_and_missing_beats_make_errors_larger() -> None:
    truth = heart(0)
    clean, noisy = (standard_errors(read(truth, sd, None, 0)) for sd in (0.0, 0.02))
    part = standard_errors(read(truth, 0.0, (10.0, 40.0), 0))
    assert noisy.rmssd_se_ms > 2 * clean.rmssd_se_ms
    assert noisy.sdnn_se_ms > clean.sdnn_se_ms
    for name in ("hr_se_bpm", "mean_nn_se_ms", "sdnn_se_ms", "rmssd_se_ms"):
        assert getattr(part, name) > getattr(clean, name)


def test_an_ecgs_errors_are_smaller_than_a_pulses() -> None:
    truth = heart(1)
    ecg, pulse = (standard_errors(Beats(truth, kind=kind)) for kind in ("ecg", "bvp"))
    assert ecg.rmssd_se_ms < pulse.rmssd_se_ms


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_too_few_beats_have_no_standard_error(n: int) -> None:
    assert np.isnan(standard_errors(Beats(np.arange(n) * 0.8, span_s=(0, 60)))).all()


def test_shared_errors_of_denoised_times_cancel_in_differences() -> None:
    truth = heart(2)
    sd = np.full(len(truth), 0.02)
    alone = Beats(truth, kind="rppg", timing_sd_s=sd)
    alike = Beats(truth, kind="rppg", timing_sd_s=sd, difference_sd_s=sd / 4)
    assert standard_errors(alike).rmssd_se_ms < standard_errors(alone).rmssd_se_ms
