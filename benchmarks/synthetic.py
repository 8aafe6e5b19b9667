"""Synthetic pulses, whose every beat is known: jitter, the least there can be, bias of RMSSD.

A functional check, not evidence. Prints by ``python -m benchmarks.beats DATA``, which gives the
noise of real camera waves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from emotion_rppg.features.beats import find_beats
from emotion_rppg.metrics import beat_errors, beat_measures
from emotion_rppg.signals import Beats, Signal

LEAST_CONFIDENCE, LEAST_COVERAGE = 0.7, 0.5  # the gate of these benchmarks
BREATH, CHANCE = 0.9, 0.43  # of the differences of intervals
LEVELS, RATES_BPM = (10, 20, 40, 80, 120), (60, 80, 100)
RMSSD_MS, BPM, SNR_DB = 40, 72, 10  # of the jitter


def heart(duration_s: float, bpm: float, rmssd_ms: float, seed: int) -> np.ndarray:
    """Beat times whose differences are breathing (nine tenths) and chance."""
    draw = np.random.default_rng(seed)
    n = int(duration_s * bpm / 60) + 8
    at = np.arange(n) * 60 / bpm
    breath = np.sin(2 * np.pi * draw.uniform(0.2, 0.3) * at + draw.uniform(0, 6.28))
    chance = draw.normal(0, 1, n)
    mix = BREATH * breath / np.diff(breath).std() + CHANCE * chance / np.diff(chance).std()
    mix *= rmssd_ms / 1e3 / np.sqrt(np.mean(np.diff(mix) ** 2))
    return 0.3 + np.cumsum(60 / bpm + mix + 0.02 * np.sin(2 * np.pi * 0.1 * at)) - 60 / bpm


def pulse_of(since_s: np.ndarray) -> np.ndarray:
    """One beat's wave, a reflected one on its back, at so many seconds from its top."""
    return np.asarray(np.exp(-50 * since_s**2) + 0.4 * np.exp(-50 * (since_s - 0.3) ** 2))


def wave_of(beats: np.ndarray, duration_s: float, snr_db: float, seed: int) -> Signal:
    """Their pulses at 30 samples a second in white noise."""
    clean = pulses_of(beats, duration_s)
    noise = np.random.default_rng(seed + 1000).normal(0, 1, len(clean))
    return Signal(clean + loud(noise, clean, snr_db), 30, kind="rppg")


def pulses_of(beats: np.ndarray, duration_s: float) -> np.ndarray:
    times = np.arange(int(duration_s * 30)) / 30
    return np.asarray(pulse_of(times[:, None] - beats).sum(axis=1))


def loud(noise: np.ndarray, clean: np.ndarray, snr_db: float) -> np.ndarray:
    """Noise of unit size (n,) as loud as a wave's signal-to-noise ratio says."""
    return np.asarray(noise * clean.std() * 10 ** (-snr_db / 20))


def within(beats: np.ndarray, end_s: float) -> Beats:
    return Beats(beats[(beats >= 0) & (beats < end_s)])


def sure(beats: Beats) -> float:
    confidence = beats.confidence
    return float(confidence.mean()) if confidence is not None and len(beats) else 0.0


def kept(beats: Beats) -> bool:
    """The quality gate."""
    return sure(beats) >= LEAST_CONFIDENCE and beats.coverage >= LEAST_COVERAGE


def bound_ms() -> float:
    """Cramér–Rao bound of one beat's time: no unbiased estimate from its own wave scatters less.

    The pulse's shape and height are taken as known; 30 samples a second, white noise.
    """
    fine = np.arange(-1, 2, 1e-3)
    slope = np.gradient(pulse_of(fine), fine)
    noise = pulses_of(heart(60, BPM, RMSSD_MS, 0), 60).std() * 10 ** (-SNR_DB / 20)
    return float(1e3 * noise / np.sqrt(30 * np.sum(slope**2) * 1e-3))


def least_ms(own_ms: float) -> float:
    """What is left to one who knows the rhythm as well, but for its chance: no one can do better.

    Beats whose times each scatter by ``own_ms`` are smoothed as best they can be, given their
    breathing and slow rhythm exactly: what remains unknown is a random walk (Wiener 1949).
    """
    step = CHANCE / np.hypot(BREATH, CHANCE) * RMSSD_MS / np.sqrt(2)
    return float(own_ms * np.sqrt(step / np.hypot(step, 2 * own_ms)))


def main(noises: list[tuple[np.ndarray, float]]) -> None:
    """``noises``: real ones at 30 Hz, each (n,) of unit size, with the dB of the wave above it."""
    errors = []
    for seed in range(8):
        truth = heart(60, BPM, RMSSD_MS, seed)
        errors.append(beat_errors(find_beats(wave_of(truth, 60, SNR_DB, seed)), within(truth, 60)))
    f1, jitter = np.mean([e.f1 for e in errors]), np.mean([e.jitter_ms for e in errors])
    print("synthetic, 30 fps, white noise at 10 dB")
    print(f"  F1 {f1:.3f} (bar 0.99)")
    print(
        f"  jitter {jitter:.1f} ms (bar 5; Cramér–Rao bound of a beat by itself {bound_ms():.1f}, "
        f"of one whose rhythm is known but for its chance {least_ms(bound_ms()):.1f})"
    )
    rates = ", ".join(str(bpm) for bpm in RATES_BPM)
    print(f"synthetic, bias of RMSSD (bar 10 % at every level) at {rates} bpm, and their median")
    for snr_db in (10, 5):
        _print(f"{snr_db} dB", partial(_in_white, snr_db=snr_db))
    of = f"{len(noises)} camera waves ({np.median([snr for _, snr in noises]):.1f} dB, median)"
    print(f"  noise: what is left of {of} when their mean beat is taken away")
    _print("as real", partial(_in_real, noises=noises))


def _print(name: str, bias: Callable[[float, float], list[float]]) -> None:
    for level in LEVELS:
        each = [bias(level, bpm) for bpm in RATES_BPM]
        numbers = " ".join(f"{100 * np.nanmedian(found):+4.0f} %" for found in each)
        share = np.isfinite(each).mean()
        print(
            f"  {name:>7s} {level:3d} ms: {numbers} {100 * np.nanmedian(each):+6.0f} % "
            f"({share:.0%} kept)"
        )


def _in_white(level: float, bpm: float, snr_db: float) -> list[float]:
    hearts = [heart(120, bpm, level, seed) for seed in range(4)]
    return [_bias(wave_of(h, 120, snr_db, k), h) for k, h in enumerate(hearts)]


def _in_real(level: float, bpm: float, noises: list[tuple[np.ndarray, float]]) -> list[float]:
    found = []
    for k, (noise, snr_db) in enumerate(noises):
        truth = heart(len(noise) / 30, bpm, level, k)
        clean = pulses_of(truth, len(noise) / 30)[: len(noise)]
        wave = Signal(clean + loud(noise[: len(clean)], clean, snr_db), 30, kind="rppg")
        found.append(_bias(wave, truth))
    return found


def _bias(wave: Signal, truth: np.ndarray) -> float:
    """NaN where the gate would not keep the wave."""
    known, beats = beat_measures(within(truth, wave.duration_s)).rmssd_ms, find_beats(wave)
    return float(beat_measures(beats).rmssd_ms / known - 1) if kept(beats) else float("nan")
