"""Measure jitter and RMSSD bias on synthetic pulses, beside the lower bound of the jitter.

A functional check, not evidence. ``python -m benchmarks.beats DATA`` prints it and provides the
noise of real camera waves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.metrics import beat_errors, beat_measures
from emotion_rppg.signals import Beats, Signal

LEAST_CONFIDENCE, LEAST_COVERAGE = 0.7, 0.5  # limits of an accepted wave in these benchmarks
BREATH, RANDOM = 0.9, 0.43  # shares of the differences of intervals
RMSSDS_MS, RATES_BPM = (10, 20, 40, 80, 120), (60, 80, 100)
RMSSD_MS, BPM, SNR_DB = 40, 72, 10  # of the jitter


def heart(duration_s: float, bpm: float, rmssd_ms: float, seed: int) -> np.ndarray:
    """Simulate beat times, s, whose differences are nine tenths breathing, the rest random."""
    draw = np.random.default_rng(seed)
    n = int(duration_s * bpm / 60) + 8
    at = np.arange(n) * 60 / bpm
    breath = np.sin(2 * np.pi * draw.uniform(0.2, 0.3) * at + draw.uniform(0, 6.28))
    random = draw.normal(0, 1, n)
    mix = BREATH * breath / np.diff(breath).std() + RANDOM * random / np.diff(random).std()
    mix *= rmssd_ms / 1e3 / np.sqrt(np.mean(np.diff(mix) ** 2))
    return 0.3 + np.cumsum(60 / bpm + mix + 0.02 * np.sin(2 * np.pi * 0.1 * at)) - 60 / bpm


def pulse_of(since_s: np.ndarray) -> np.ndarray:
    """Compute a pulse with a reflected wave at times since its peak, s."""
    return np.asarray(np.exp(-50 * since_s**2) + 0.4 * np.exp(-50 * (since_s - 0.3) ** 2))


def wave_of(beats: np.ndarray, duration_s: float, snr_db: float, seed: int) -> Signal:
    """Simulate the pulses of beats at 30 samples a second in white noise."""
    clean = pulses_of(beats, duration_s)
    noise = np.random.default_rng(seed + 1000).normal(0, 1, len(clean))
    return Signal(clean + scaled(noise, clean, snr_db), 30, kind="rppg")


def pulses_of(beats: np.ndarray, duration_s: float) -> np.ndarray:
    """Simulate the pulses of beats at 30 samples a second without noise."""
    times = np.arange(int(duration_s * 30)) / 30
    return np.asarray(pulse_of(times[:, None] - beats).sum(axis=1))


def scaled(noise: np.ndarray, clean: np.ndarray, snr_db: float) -> np.ndarray:
    """Scale noise of standard deviation 1, (n,), to a signal-to-noise ratio, dB."""
    return np.asarray(noise * clean.std() * 10 ** (-snr_db / 20))


def within(beats: np.ndarray, end_s: float) -> Beats:
    """Return the beats between 0 and ``end_s``, s."""
    return Beats(beats[(beats >= 0) & (beats < end_s)])


def mean_confidence(beats: Beats) -> float:
    """Compute the mean confidence of beats, 0–1; 0 if there is none."""
    confidence = beats.confidence
    return float(confidence.mean()) if confidence is not None and len(beats) else 0.0


def accepted(beats: Beats) -> bool:
    """Return whether the beats have enough confidence and coverage for these benchmarks."""
    return mean_confidence(beats) >= LEAST_CONFIDENCE and beats.coverage >= LEAST_COVERAGE


def bound_ms() -> float:
    """Compute the Cramér–Rao bound of the time of one beat from its own wave, ms.

    No unbiased estimate has a smaller standard deviation. The shape and height of the pulse are
    assumed known; 30 samples a second, white noise.
    """
    fine = np.arange(-1, 2, 1e-3)
    slope = np.gradient(pulse_of(fine), fine)
    noise = pulses_of(heart(60, BPM, RMSSD_MS, 0), 60).std() * 10 ** (-SNR_DB / 20)
    return float(1e3 * noise / np.sqrt(30 * np.sum(slope**2) * 1e-3))


def least_ms(own_ms: float) -> float:
    """Compute the bound of the time of a beat if the rhythm except its random part is known, ms.

    Times that scatter by ``own_ms`` are smoothed optimally; breathing and slow rhythm are known
    exactly, and the unknown rest is a random walk (Wiener 1949).
    """
    step = RANDOM / np.hypot(BREATH, RANDOM) * RMSSD_MS / np.sqrt(2)
    return float(own_ms * np.sqrt(step / np.hypot(step, 2 * own_ms)))


def main(noises: list[tuple[np.ndarray, float]]) -> None:
    """Print jitter and RMSSD bias.

    ``noises``: real noise at 30 Hz, (n,) each with a standard deviation of 1, and its SNR in dB.
    """
    errors = []
    for seed in range(8):
        truth = heart(60, BPM, RMSSD_MS, seed)
        errors.append(beat_errors(find_beats(wave_of(truth, 60, SNR_DB, seed)), within(truth, 60)))
    f1, jitter = np.mean([e.f1 for e in errors]), np.mean([e.jitter_ms for e in errors])
    print("synthetic, 30 fps, white noise at 10 dB")
    print(f"  beat F1 {f1:.3f} (target 0.99)")
    print(
        f"  jitter {jitter:.1f} ms (target 5; Cramér–Rao bound of a single beat {bound_ms():.1f}, "
        f"lower bound with a known rhythm {least_ms(bound_ms()):.1f})"
    )
    rates = ", ".join(str(bpm) for bpm in RATES_BPM)
    print(f"synthetic, bias of RMSSD (target 10 % at each RMSSD) at {rates} bpm, and their median")
    for snr_db in (10, 5):
        _print(f"{snr_db} dB", partial(_in_white, snr_db=snr_db))
    of = f"{len(noises)} camera waves ({np.median([snr for _, snr in noises]):.1f} dB, median)"
    print(f"  noise: residual of {of} after subtracting their mean beat")
    _print("camera", partial(_in_real, noises=noises))


def _print(name: str, bias: Callable[[float, float], list[float]]) -> None:
    """Print the bias of RMSSD in one kind of noise."""
    for rmssd_ms in RMSSDS_MS:
        biases = [bias(rmssd_ms, bpm) for bpm in RATES_BPM]
        numbers = " ".join(f"{100 * np.nanmedian(of_rate):+4.0f} %" for of_rate in biases)
        share = np.isfinite(biases).mean()
        print(
            f"  {name:>7s} {rmssd_ms:3d} ms: {numbers} {100 * np.nanmedian(biases):+6.0f} % "
            f"({share:.0%} accepted)"
        )


def _in_white(rmssd_ms: float, bpm: float, snr_db: float) -> list[float]:
    """Biases of RMSSD in white noise, as shares."""
    hearts = [heart(120, bpm, rmssd_ms, seed) for seed in range(4)]
    return [_bias(wave_of(h, 120, snr_db, k), h) for k, h in enumerate(hearts)]


def _in_real(rmssd_ms: float, bpm: float, noises: list[tuple[np.ndarray, float]]) -> list[float]:
    """Biases of RMSSD in the noise of camera waves, as shares."""
    biases = []
    for k, (noise, snr_db) in enumerate(noises):
        truth = heart(len(noise) / 30, bpm, rmssd_ms, k)
        clean = pulses_of(truth, len(noise) / 30)[: len(noise)]
        wave = Signal(clean + scaled(noise[: len(clean)], clean, snr_db), 30, kind="rppg")
        biases.append(_bias(wave, truth))
    return biases


def _bias(wave: Signal, truth: np.ndarray) -> float:
    """Relative bias of RMSSD; NaN if the beats are not accepted."""
    known, beats = beat_measures(within(truth, wave.duration_s)).rmssd_ms, find_beats(wave)
    return float(beat_measures(beats).rmssd_ms / known - 1) if accepted(beats) else float("nan")
