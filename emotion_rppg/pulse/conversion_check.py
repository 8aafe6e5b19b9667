"""Measure polarity, lag and output of a converted pulse network by comparison with POS.

Checkpoints differ in sign, in delay, and in whether they output the pulse wave or its derivative,
and do not state it. POS is neither inverted nor late. The clips are real videos where the user
gives some, else synthetic clips. Networks that were trained on real people can be poor on synthetic
clips, so a weak result there is no reason to refuse one; the conventional values are then assumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.metrics import pearson
from emotion_rppg.pulse.estimate import read_by_colour
from emotion_rppg.pulse.inference.overlap_add import CHUNK_S, EvenGrid, OverlapAdd, face_crop
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.pulse.methods import chrom, detrend, pos
from emotion_rppg.recordings import Video
from emotion_rppg.signal_quality import heart_rate
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip
from emotion_rppg.video.face_tracking import FaceFrame, skin_mean, track_face

CLIPS, SECONDS = 12, 12.0
FIRST_SEED = 900_000_000  # between the seeds of people and those of training clips
MOST_LAG_S = 0.5
BAND_HZ = (0.6, 4.0)
BY_CHANCE_R = 0.15  # the mean of 12 synthetic clips stays below it
LEAST_R = 0.3  # from which polarity and lag are measured
LEAST_GAIN = 0.05  # in r, by which the integrated wave must be better to be chosen

VIDEO_LAG_S = 0.3  # of real videos: few have one rate each, and half a beat of 90 bpm is 0.33 s
LEAST_VIDEO_S, MOST_VIDEO_S = 8.0, 60.0  # length of the compared part
AGREEMENT_BPM = 3.0  # of POS and CHROM, without which a video is no reference

SYNTHETIC, REAL, NOT_CHECKED = "synthetic clips", "real videos", "not checked"
# Labels of training: normalised differences in rPPG-Toolbox (Liu et al. 2023), else the wave
_OUTPUTS = {"diff_normalised": "derivative"}


class Measured(NamedTuple):
    """Output, polarity and lag of a network, and the comparison with POS that measured them.

    ``r`` is the mean correlation at the common delay and ``median_r`` the median of its absolute
    values, None without a check. ``used`` of ``clips`` clips were compared, which were ``on``
    synthetic clips or real videos. ``assumed``: output, polarity and lag are conventional values.
    """

    output: str
    polarity: int
    lag_s: float
    r: float | None
    median_r: float | None = None
    on: str = SYNTHETIC
    clips: int = CLIPS
    used: int = CLIPS
    assumed: bool = False


def assumed(normalisation: str, check: Measured | None = None) -> Measured:
    """Return the conventional output, polarity and lag of public checkpoints, marked as assumed.

    They were trained on contact PPG, where more blood is up, without a known delay; those on
    normalised frame differences also on differences of the PPG. ``check`` is a comparison that was
    too weak to measure them.
    """
    output = _OUTPUTS.get(normalisation, "wave")
    if check is None:
        check = Measured(output, 1, 0.0, None, on=NOT_CHECKED, clips=0, used=0)
    return check._replace(output=output, polarity=1, lag_s=0.0, assumed=True)


def measure(network: Network) -> Measured:
    """Measure output, polarity and lag of a network against POS on the same synthetic clips.

    For each delay within ±0.5 s the correlation is averaged over the clips; the delay with the
    largest absolute mean is selected. With one clip, an inverted wave would look like one half a
    beat late; clips of different heart rates distinguish them.
    """
    pairs = [_waves_of_clip(network, seed) for seed in range(FIRST_SEED, FIRST_SEED + CLIPS)]
    return _measured(pairs, network.rate_hz, MOST_LAG_S)


def measure_on_videos(network: Network, videos: Sequence[str | Path]) -> Measured:
    """Measure output, polarity and lag of a network against POS on real videos of a face.

    The first minute of each is compared. A video in which the heart rates of POS and CHROM differ
    by more than 3 bpm is not used. Delays are within ±0.3 s.

    Raises
    ------
    InputError
        A video that cannot be read or has no face; no video can be used.
    """
    pairs = [_waves_of_video(network, Path(path)) for path in videos]
    usable = [pair for pair in pairs if pair is not None]
    if not usable:
        raise InputError(
            f"none of {len(videos)} videos can be a reference: want {LEAST_VIDEO_S:g} s or more of "
            f"a still, well-lit face in which POS and CHROM agree within {AGREEMENT_BPM:g} bpm; "
            "give others to --check, or use --no-check"
        )
    found = _measured(usable, network.rate_hz, VIDEO_LAG_S)
    return found._replace(on=REAL, clips=len(videos), used=len(usable))


def _measured(
    pairs: list[tuple[np.ndarray, np.ndarray]], rate_hz: float, most_lag_s: float
) -> Measured:
    """Compare waves of a network, and their integrals, with those of POS."""
    direct = _best(pairs, rate_hz, "wave", most_lag_s)
    summed = [(_integrated(wave, rate_hz), truth) for wave, truth in pairs]
    integrated = _best(summed, rate_hz, "derivative", most_lag_s)
    assert direct.r is not None
    assert integrated.r is not None
    return integrated if abs(integrated.r) > abs(direct.r) + LEAST_GAIN else direct


def _waves_of_clip(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the network's wave of one clip, and that of POS from the centre of its frames."""
    frames = max(round(SECONDS * network.rate_hz), 300)
    clip, _ = training_clip(seed, frames=frames, size=network.size, rate_hz=network.rate_hz)
    near, far = network.size * 3 // 10, -(-network.size * 7 // 10)
    skin = clip[:, near:far, near:far].reshape(frames, -1, 3).mean(axis=1)
    return network(clip), pos(skin, network.rate_hz)


def _waves_of_video(network: Network, path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Compute the waves of the network and of POS of one video; None if it is no reference."""
    even = EvenGrid(network.rate_hz)
    adder = OverlapAdd(network, round(CHUNK_S * network.rate_hz))
    colours = []
    for frame in _first_minute(track_face(Video(path))):
        colours.append((frame.time_s, skin_mean(frame)))
        face = face_crop(frame, network.size, width=network.crop_width)
        for image in even.add(frame.time_s, face):
            adder.add(image)
    adder.add(even.last())
    wave = Signal(adder.finish(), network.rate_hz, start_s=even.start_s)
    reference = read_by_colour(colours, pos)
    if not abs(heart_rate(reference) - heart_rate(read_by_colour(colours, chrom))) < AGREEMENT_BPM:
        return None
    truth = np.interp(wave.times_s, reference.times_s, reference.samples, left=np.nan, right=np.nan)
    runs = Signal(wave.samples + truth, wave.rate_hz).runs()
    first, stop = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    if stop - first < LEAST_VIDEO_S * wave.rate_hz:
        return None
    return wave.samples[first:stop], truth[first:stop]


def _first_minute(frames: Iterator[FaceFrame]) -> Iterator[FaceFrame]:
    first = next(frames)
    rest = itertools.takewhile(lambda frame: frame.time_s < first.time_s + MOST_VIDEO_S, frames)
    return itertools.chain([first], rest)


def _integrated(wave: np.ndarray, rate_hz: float) -> np.ndarray:
    return detrend(np.cumsum(wave), rate_hz)


def _best(
    pairs: list[tuple[np.ndarray, np.ndarray]], rate_hz: float, output: str, most_lag_s: float
) -> Measured:
    """Find the delay with the largest absolute mean correlation over the clips."""
    reach = round(most_lag_s * rate_hz)
    curves = np.nan_to_num(
        [_correlations(_in_band(a, rate_hz), _in_band(b, rate_hz), reach) for a, b in pairs]
    )
    mean = curves.mean(axis=0)
    top = int(np.abs(mean).argmax())
    shift = 0.0
    if 0 < top < 2 * reach:  # between frames: the peak of a parabola through three of them
        before, peak, after = np.abs(mean[top - 1 : top + 2])
        bend = before - 2 * peak + after
        shift = float(0.5 * (before - after) / bend) if bend < 0 else 0.0
    return Measured(
        output=output,
        polarity=-1 if mean[top] < 0 else 1,
        lag_s=(top - reach + shift) / rate_hz,
        r=float(mean[top]),
        median_r=float(np.median(np.abs(curves[:, top]))),
    )


def _correlations(found: np.ndarray, truth: np.ndarray, reach: int) -> list[float]:
    """Compute Pearson's r at each delay of ``found`` from -reach to reach samples."""
    n = len(found)
    inner = truth[reach : n - reach]
    return [pearson(inner, found[reach + k : n - reach + k]) for k in range(-reach, reach + 1)]


def _in_band(wave: np.ndarray, rate_hz: float) -> np.ndarray:
    return Signal(wave, rate_hz).bandpass(*BAND_HZ).samples
