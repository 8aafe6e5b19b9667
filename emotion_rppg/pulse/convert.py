"""Convert a public PhysNet checkpoint to a model folder; measure its polarity, lag and output.

Checkpoints differ in sign, in delay, and in whether they output the pulse wave or its derivative,
and do not state it. Here the network is compared with POS on synthetic clips; POS is neither
inverted nor late.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.metrics import pearson
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.pulse.methods import detrend, pos
from emotion_rppg.pulse.networks import save_network
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.networks.physnet import SMALLEST, load_public
from emotion_rppg.runtime.atomic_files import atomic_folder, check_folder
from emotion_rppg.signals import Signal
from emotion_rppg.synthesis.clips import training_clip

CLIPS, SECONDS = 12, 12.0
FIRST_SEED = 900_000_000  # between the seeds of people and those of training clips
MOST_LAG_S = 0.5
BAND_HZ = (0.6, 4.0)
LEAST_R = 0.3  # by chance the mean of 12 clips stays below 0.15
LEAST_GAIN = 0.05  # in r, by which the integrated wave must be better to be chosen
_IN_NETWORK = "diff_batchnorm"


class Measured(NamedTuple):
    """Output, polarity and lag of a network relative to POS; ``r`` is their mean correlation."""

    output: str
    polarity: int
    lag_s: float
    r: float


def convert(
    checkpoint: str | Path,
    out: str | Path,
    *,
    trained_on: str | Sequence[str],
    size: int = 72,
    rate_hz: float = 30.0,
    normalisation: str | None = None,
) -> Measured:
    """Convert a public checkpoint of PhysNet to a model folder, and return what was measured.

    Parameters
    ----------
    checkpoint : path
        See :func:`emotion_rppg.pulse.networks.physnet.load_public`. Nothing in it is executed.
    out : path
        The model folder.
    trained_on : "unknown", or one or more "SET:ID,ID…"
        Subjects in its training; ``evaluate`` refuses to test on them.
    size, rate_hz : int, float
        Pixels a side and frames a second of the clips it was trained on.
    normalisation : str, optional
        That of its input, a name of ``NORMALISATIONS``. Default: ``diff_batchnorm`` if the
        checkpoint contains it, else ``diff_normalised``, that of most public checkpoints.

    Raises
    ------
    InputError
        A checkpoint that cannot be read or has other tensors; impossible values of size, rate or
        normalisation; a network whose output does not follow the pulse.
    """
    people = parse_trained_on(trained_on)
    _check_input(size, rate_hz, normalisation)
    check_folder(out)
    module = load_public(checkpoint)
    inside = module.normalisation == _IN_NETWORK
    selected = normalisation or (_IN_NETWORK if inside else "diff_normalised")
    if inside != (selected == _IN_NETWORK):
        raise InputError(
            f"{checkpoint} {'has' if inside else 'lacks'} the norm.* of diff_batchnorm, which "
            f"{'excludes' if inside else 'is needed for'} --normalisation {selected}"
        )
    if selected == "temporal":  # it has no parameters
        module.normalisation = selected
    options = {"normalisation": selected} if inside or selected == "temporal" else {}
    config = {"rate_hz": rate_hz, "size": size, "normalisation": selected, "polarity": 1}
    found = measure(Network(module, config, "cpu"))
    if abs(found.r) < LEAST_R:
        raise InputError(
            f"{checkpoint} does not follow the pulse of {CLIPS} synthetic clips (|r| with POS "
            f"{abs(found.r):.2f}, want {LEAST_R}): try another --normalisation than {selected} "
            f"({', '.join(NORMALISATIONS)}) and the --size and --rate it was trained with"
        )
    with atomic_folder(out) as fresh:
        save_network(
            fresh,
            module,
            network="physnet",
            options=options,
            rate_hz=rate_hz,
            size=size,
            normalisation=selected,
            trained_on=people,
            training={"converted_from": Path(checkpoint).name, "r_with_pos": round(found.r, 4)},
            output=found.output,
            polarity=found.polarity,
            lag_s=round(found.lag_s, 4),
        )
    return found


def parse_trained_on(values: str | Sequence[str]) -> dict[str, list[str]] | str:
    """Parse subjects: ``["ubfc:1,2", "pure:3"]`` -> ``{"ubfc": ["1", "2"], "pure": ["3"]}``.

    ``unknown`` stays ``unknown``.

    Raises
    ------
    InputError
        Another form.
    """
    values = [values] if isinstance(values, str) else list(values)
    if values == ["unknown"]:
        return "unknown"
    people: dict[str, list[str]] = {}
    for value in values:
        dataset, _, ids = value.partition(":")
        subjects = [name.strip() for name in ids.split(",") if name.strip()]
        if not dataset.strip() or not subjects:
            raise InputError(
                f"--trained-on {value!r} names no subjects: want SET:ID,ID… (repeat the option for "
                "more sets), or unknown alone"
            )
        people[dataset.strip()] = people.get(dataset.strip(), []) + subjects
    if not people:
        raise InputError("--trained-on is empty: want SET:ID,ID…, or unknown")
    return people


def _check_input(size: int, rate_hz: float, normalisation: str | None) -> None:
    """Raise InputError for a size, rate or normalisation that is not possible."""
    if size < SMALLEST:
        raise InputError(f"size must be {SMALLEST} pixels or more, got {size}")
    if not 10 <= rate_hz <= 240:
        raise InputError(f"rate must be 10 to 240 frames a second, got {rate_hz:g}")
    if normalisation is not None and normalisation not in NORMALISATIONS:
        raise InputError(
            f"unknown normalisation {normalisation!r}; known: {', '.join(NORMALISATIONS)}"
        )


def measure(network: Network) -> Measured:
    """Measure output, polarity and lag of a network against POS on the same synthetic clips.

    For each delay within ±0.5 s the correlation is averaged over the clips; the delay with the
    largest absolute mean is selected. With one clip, an inverted wave would look like one half a
    beat late; clips of different heart rates distinguish them.
    """
    pairs = [_waves_of_clip(network, seed) for seed in range(FIRST_SEED, FIRST_SEED + CLIPS)]
    direct = _best(pairs, network.rate_hz, "wave")
    summed = [(_integrated(wave, network.rate_hz), truth) for wave, truth in pairs]
    integrated = _best(summed, network.rate_hz, "derivative")
    return integrated if abs(integrated.r) > abs(direct.r) + LEAST_GAIN else direct


def _waves_of_clip(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the network's wave of one clip, and that of POS from the centre of its frames."""
    frames = max(round(SECONDS * network.rate_hz), 300)
    clip, _ = training_clip(seed, frames=frames, size=network.size, rate_hz=network.rate_hz)
    near, far = network.size * 3 // 10, -(-network.size * 7 // 10)
    skin = clip[:, near:far, near:far].reshape(frames, -1, 3).mean(axis=1)
    return network(clip), pos(skin, network.rate_hz)


def _integrated(wave: np.ndarray, rate_hz: float) -> np.ndarray:
    return detrend(np.cumsum(wave), rate_hz)


def _best(pairs: list[tuple[np.ndarray, np.ndarray]], rate_hz: float, output: str) -> Measured:
    """Find the delay with the largest absolute mean correlation over the clips."""
    reach = round(MOST_LAG_S * rate_hz)
    curves = [_correlations(_in_band(a, rate_hz), _in_band(b, rate_hz), reach) for a, b in pairs]
    mean = np.nan_to_num(np.array(curves)).mean(axis=0)
    top = int(np.abs(mean).argmax())
    shift = 0.0
    if 0 < top < 2 * reach:  # between frames: the peak of a parabola through three of them
        before, peak, after = np.abs(mean[top - 1 : top + 2])
        bend = before - 2 * peak + after
        shift = float(0.5 * (before - after) / bend) if bend < 0 else 0.0
    polarity = -1 if mean[top] < 0 else 1
    return Measured(output, polarity, (top - reach + shift) / rate_hz, float(mean[top]))


def _correlations(found: np.ndarray, truth: np.ndarray, reach: int) -> list[float]:
    """Compute Pearson's r at each delay of ``found`` from -reach to reach samples."""
    n = len(found)
    inner = truth[reach : n - reach]
    return [pearson(inner, found[reach + k : n - reach + k]) for k in range(-reach, reach + 1)]


def _in_band(wave: np.ndarray, rate_hz: float) -> np.ndarray:
    return Signal(wave, rate_hz).bandpass(*BAND_HZ).samples
