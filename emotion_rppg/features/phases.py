"""Beats by the phase of a wave's fundamental, cleared of the noise that a camera adds.

White noise moves the top of a camera's pulse by tens of milliseconds, the size of what is to be
measured. But noise falls on the phase of the fundamental and on its amplitude alike, while the
heart moves the phase in narrow bands (breathing, the 0.1 Hz rhythm): so the amplitude tells how
much of the phase is noise, frequency by frequency (spectral subtraction, Boll 1979; Wiener 1949).
"""

from __future__ import annotations

import numpy as np

RATE = 8  # samples a beat of the phase
HALF = 0.5  # of the band about the fundamental, in beats per beat: half of the rate
WINDOW = 32  # beats of the spectra that tell heart from noise
TAIL = (0.3, 0.48)  # cycles a beat, faster than breathing: noise
SMOOTH = 5  # bins to either side over which the spectrum is averaged
SLOW = 0.02  # cycles a beat, below which everything is the heart's
POWER = 2  # of the Wiener gain: noise that is taken for heart costs more than the reverse


def beat_counts(wave: np.ndarray, per_beat: int) -> np.ndarray:
    """Where in ``wave`` each beat has its peak, in beats of the bent clock, increasing.

    Parameters
    ----------
    wave : array (n,)
        On a clock of ``per_beat`` samples for each beat that the rate's path tells of.
    """
    clock, turning = _fundamental(wave, per_beat)
    phase = np.unwrap(np.angle(turning))
    beats = clock + _cleared(phase, np.abs(turning)) / (2 * np.pi)
    beats = np.maximum.accumulate(beats + 1e-9 * np.arange(len(beats)))
    return np.interp(np.arange(np.ceil(beats[0]), np.floor(beats[-1]) + 1), beats, clock)


def _fundamental(wave: np.ndarray, per_beat: int) -> tuple[np.ndarray, np.ndarray]:
    """Beats of the clock (m,) and the fundamental relative to it, complex (m,)."""
    from scipy.signal import butter, sosfiltfilt

    even = np.arange(len(wave)) / per_beat
    turned = wave * np.exp(-2j * np.pi * even)
    sos = butter(4, HALF, fs=per_beat, output="sos")
    pad = min(3 * per_beat, len(wave) - 1)
    real, imaginary = (sosfiltfilt(sos, part, padlen=pad) for part in (turned.real, turned.imag))
    step = per_beat // RATE
    return even[::step], (real + 1j * imaginary)[::step]


def _cleared(phase: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """The phase less its noise, (m,): overlapping windows, a gain for each frequency."""
    length = min(WINDOW * RATE, len(phase)) // 2 * 2
    if length < 8 * RATE:
        return phase
    lead = min(length // 2, len(phase) - 1)
    size = np.log(np.maximum(amplitude, 0.1 * np.median(amplitude)))
    phase = np.pad(phase, lead, mode="reflect", reflect_type="odd")
    size = np.pad(size, lead, mode="reflect")
    out, norm = np.zeros(len(phase)), np.zeros(len(phase))
    weight = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    ends = len(phase) - length
    for start in np.unique(np.r_[np.arange(0, ends, length // 4), ends]):
        part = slice(start, start + length)
        trend, rest = _trend(phase[part])
        spectrum = np.fft.rfft(rest * weight, 2 * length)
        gain = _gain(rest * weight**2, _trend(size[part])[1] * weight**2)
        cleared = np.fft.irfft(spectrum * gain, 2 * length)[:length]
        out[part] += cleared * weight + trend * weight**2
        norm[part] += weight**2
    return np.asarray((out / norm)[lead : len(phase) - lead])


def _trend(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The straight line through x, and what is left."""
    ramp = np.linspace(-1, 1, len(x))
    line = x.mean() + ramp * (x @ ramp) / (ramp @ ramp)
    return line, x - line


def _gain(phase: np.ndarray, size: np.ndarray) -> np.ndarray:
    """0 (noise) to 1 (heart) at each frequency of a window padded to twice its length."""
    at = np.fft.rfftfreq(2 * len(phase), 1 / RATE)
    moved, swollen = (np.abs(np.fft.rfft(x, 2 * len(x))) ** 2 for x in (phase, size))
    near = np.hanning(2 * SMOOTH + 3)[1:-1]
    moved = np.convolve(moved, near / near.sum(), "same")
    tail = (at > TAIL[0]) & (at < TAIL[1])
    noise = min(float(moved[tail].mean()), float(swollen[tail].mean()))
    gain = np.maximum(1 - noise / np.maximum(moved, 1e-30), 0.0) ** POWER
    return np.where(at < SLOW, 1.0, gain)
