"""Noise like QRS complexes is no heart beat: an ECG's rate is right or withheld."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.features.beats.repetition import repeated
from emotion_rppg.signals import Signal

RATE_HZ, DURATION_S = 250.0, 60.0
NORMAL = ((0.12, -0.17, 0.025), (-0.1, -0.025, 0.008), (1, 0, 0.011), (-0.2, 0.028, 0.01))
WIDE = ((-0.2, -0.05, 0.02), (1.3, 0, 0.022), (-0.5, 0.07, 0.025))  # a ventricular beat
TIMES = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ


def times_of(*intervals_s: float) -> np.ndarray:
    times = 0.5 + np.r_[0, np.cumsum(np.tile(intervals_s, int(DURATION_S / sum(intervals_s)) + 1))]
    return times[times < DURATION_S - 0.4]


def breathing(bpm: float) -> np.ndarray:
    """Beats whose intervals follow breathing by a tenth."""
    count = np.arange(int(DURATION_S * bpm / 60) + 5)
    intervals = 60 / bpm * (1 + 0.1 * np.sin(2 * np.pi * count * 15 / bpm))
    times = 0.5 + np.cumsum(intervals)
    return times[times < DURATION_S - 0.4]


def fibrillation() -> np.ndarray:
    times = 0.5 + np.cumsum(np.random.default_rng(0).uniform(0.5, 1.05, 120))
    return times[times < DURATION_S - 0.4]


def waves(beats: np.ndarray, parts=NORMAL) -> np.ndarray:
    samples = np.zeros(len(TIMES))
    for beat in beats:
        near = np.abs(TIMES - beat) < 0.5
        for height, after, width in parts:
            since = TIMES[near] - beat - after
            samples[near] += height * np.exp(-0.5 * (since / width) ** 2)
    return samples


def ecg(beats: np.ndarray, ectopic: slice | list[int] | None = None) -> np.ndarray:
    """An ECG with little noise, (samples,); the ectopic beats have wide complexes."""
    wide = np.zeros(len(beats), dtype=bool)
    if ectopic is not None:
        wide[ectopic] = True
    samples = waves(beats[~wide]) + waves(beats[wide], WIDE)
    return samples + np.random.default_rng(1).normal(0, 0.01, len(samples))


def electrode_noise(seed: int) -> np.ndarray:
    """Wandering at 1–10 Hz and steep deflections of random shape, sign and height, (samples,)."""
    draw = np.random.default_rng(seed)
    band = butter(2, (1, 10), "bandpass", fs=RATE_HZ, output="sos")
    slow = sosfiltfilt(band, draw.normal(size=len(TIMES)))
    steep = np.zeros(len(TIMES))
    for at in draw.uniform(0, DURATION_S, 120):
        since = (TIMES - at) / draw.uniform(0.008, 0.03)
        bell = np.exp(-0.5 * since**2)
        shape = (bell, 1.6 * since * bell, (since**2 - 1) * bell)[draw.integers(3)]
        steep += draw.choice([-1, 1]) * draw.lognormal(0, 0.5) * shape
    noise = slow / slow.std() + steep / steep.std()
    return noise / noise.std()


def noisy(samples: np.ndarray, snr_db: float, seed: int = 3) -> Signal:
    """With electrode noise; the power of the ECG is that of a sine wave as high as its QRS."""
    scale = 1.2 / np.sqrt(8) / 10 ** (snr_db / 20)
    return Signal(samples + scale * electrode_noise(seed), RATE_HZ, kind="ecg")


# Single deflections of the noise are as single ectopic beats, which an irregular heart may have
MOST_OFF_BPM = {"regular": 3, "fast": 3, "fibrillation": 6}
HEARTS = {"regular": breathing(80), "fast": breathing(150), "fibrillation": fibrillation()}


@pytest.mark.slow
@pytest.mark.parametrize("heart", list(HEARTS))
def test_the_rate_in_electrode_noise_is_right_or_withheld(heart: str) -> None:
    truth = HEARTS[heart]
    reported = []
    for snr_db in (24, 18, 12, 6, 3, 0, -6):
        judged = estimate_heart_rate(noisy(ecg(truth), snr_db))
        if judged.hr_bpm is None:
            assert "beats cover" in (judged.reason or "")
            continue
        reported.append(snr_db)
        off = abs(judged.hr_bpm - 60 / np.diff(truth).mean())
        assert off <= MOST_OFF_BPM[heart], snr_db
    assert {24, 18} <= set(reported)


def test_a_regular_heart_in_loud_electrode_noise_is_withheld() -> None:
    judged = estimate_heart_rate(noisy(ecg(HEARTS["regular"]), 3))
    assert judged.hr_bpm is None
    assert "beats cover" in (judged.reason or "")


def test_without_a_heart_electrode_noise_has_no_rate() -> None:
    assert find_beats(noisy(np.zeros(len(TIMES)), 0)).coverage < 0.1


def test_a_noisy_half_is_a_gap_and_the_other_keeps_its_beats() -> None:
    truth = breathing(80)
    loud = noisy(ecg(truth), -3).samples
    beats = find_beats(Signal(np.where(TIMES < 30, ecg(truth), loud), RATE_HZ, kind="ecg"))
    assert beats.coverage == pytest.approx(0.5, abs=0.1)
    early, true = beats.times_s[beats.times_s < 27], truth[truth < 27]
    np.testing.assert_allclose(early, true, atol=0.01)


@pytest.mark.parametrize(
    ("truth", "ectopic"),
    [
        (breathing(33), None),
        (breathing(60), None),
        (breathing(240), None),
        (fibrillation(), None),
        (fibrillation(), [20]),
        (breathing(70), [30]),
        (breathing(70), slice(5, None, 13)),
        (times_of(1.05, 0.55), slice(2, None, 2)),
        (times_of(0.8, 0.5, 1.1), slice(2, None, 3)),
        (times_of(0.8, 0.8, 0.5, 1.1), slice(3, None, 4)),
    ],
    ids=["33", "60", "240", "AF", "PVC in AF", "PVC", "PVCs", "bi", "tri", "quadrigeminy"],
)
def test_all_beats_of_a_clean_ecg_stay(truth: np.ndarray, ectopic: slice | list[int]) -> None:
    beats = find_beats(Signal(ecg(truth, ectopic), RATE_HZ, kind="ecg"))
    assert beats.coverage >= 0.98
    assert len(beats) >= len(truth) - 1


def test_beats_repeat_in_shape_or_in_time() -> None:
    draw = np.random.default_rng(4)
    regular, irregular = 100 + 200.0 * np.arange(40), 100 + np.cumsum(draw.uniform(100, 300, 40))
    other = sosfiltfilt(
        butter(2, (3, 45), "bandpass", fs=RATE_HZ, output="sos"), draw.normal(size=9000)
    )
    bells = np.exp(-0.5 * ((np.arange(9000)[:, None] - irregular) / 4) ** 2).sum(axis=1)
    assert repeated(bells, irregular, RATE_HZ).all()
    assert repeated(other, regular, RATE_HZ).all()
    assert not repeated(other, irregular, RATE_HZ).any()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_handful_of_beats_is_judged_without_error(count: int) -> None:
    at = 100 + 200.0 * np.arange(count)
    assert repeated(np.cos(np.arange(1000) / 10), at, RATE_HZ).tolist() == [count > 1] * count
