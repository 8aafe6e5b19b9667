"""Convert a public PhysNet checkpoint to a model folder, with its provenance and a check."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.conversion_check import (
    BY_CHANCE_R,
    CLIPS,
    LEAST_R,
    Measured,
    assumed,
    measure,
    measure_on_videos,
)
from emotion_rppg.pulse.inference.trained_network import Network
from emotion_rppg.pulse.networks import save_network
from emotion_rppg.pulse.networks.input_normalisation import NORMALISATIONS
from emotion_rppg.pulse.networks.physnet import SMALLEST, PhysNet, is_keras, load_public
from emotion_rppg.runtime.atomic_files import atomic_folder, check_folder
from emotion_rppg.runtime.hub import checked_file, downloaded, is_address
from emotion_rppg.video.face_tracking import WIDEN

_log = logging.getLogger(__name__)
_IN_NETWORK = "diff_batchnorm"


class Family(NamedTuple):
    """Input of the public checkpoints of one origin: normalisation, pixels a side, crop width."""

    name: str
    normalisation: str
    size: int
    crop_width: float  # in widths of the face's box


FAMILIES = {
    "plain": Family("rPPG-Toolbox", "diff_normalised", 72, WIDEN),
    "norm": Family("FactorizePhys", _IN_NETWORK, 72, WIDEN),
    "keras": Family("open-rppg", "channel_standardised", 32, 1.05),
}


def convert(
    checkpoint: str | Path,
    out: str | Path,
    *,
    trained_on: str | Sequence[str],
    size: int | None = None,
    rate_hz: float = 30.0,
    normalisation: str | None = None,
    crop_width: float | None = None,
    check: Sequence[str | Path] | None = (),
    sha256: str | None = None,
) -> Measured:
    """Convert a public checkpoint of PhysNet to a model folder, and return what was measured.

    Parameters
    ----------
    checkpoint : path, or "hub:OWNER/REPO@REVISION/FILE"
        See :func:`emotion_rppg.pulse.networks.physnet.load_public`. Nothing in it is executed. A
        file of the Hugging Face hub (extra ``hub``) is downloaded, compared with ``sha256``,
        converted and deleted.
    out : path
        The model folder.
    trained_on : "unknown", or one or more "SET:ID,ID…"
        Subjects in its training; ``evaluate`` refuses to test on them.
    size, rate_hz, crop_width : int, float, float, optional
        Pixels a side and frames a second of the clips it was trained on, and their width in widths
        of the face's box. Default: 72, 30 and 1.65; for Keras weights of open-rppg 32, 30 and 1.05.
    normalisation : str, optional
        That of its input, a name of ``NORMALISATIONS``. Default: ``channel_standardised`` for Keras
        weights, ``diff_batchnorm`` if the checkpoint contains it, else ``diff_normalised``, that of
        most public checkpoints.
    check : sequence of paths, or None
        Real videos of faces that polarity, lag and output are measured on, by comparison with POS.
        Default: synthetic clips, on which networks trained on real people may be poor; a weak
        result is reported and conventional values are assumed. None: no check; conventional values
        are assumed.
    sha256 : str, optional
        Hash that the checkpoint must have; required for a file of the hub.

    Raises
    ------
    InputError
        A checkpoint that cannot be read, or has other tensors or another hash; impossible values of
        size, rate, crop width or normalisation; a network whose output does not follow the pulse.
    """
    people = parse_trained_on(trained_on)
    _check_input(size, rate_hz, normalisation, crop_width)
    check_folder(out)
    with ExitStack() as temporary:
        if is_address(checkpoint):
            source = temporary.enter_context(downloaded(str(checkpoint), sha256=sha256))
        else:
            source = checked_file(checkpoint, sha256=sha256)
        module = load_public(source.path)
    family = _family(module, source.path)
    selected = normalisation or family.normalisation
    _set_normalisation(module, selected, checkpoint)
    network: dict[str, Any] = {
        "rate_hz": rate_hz,
        "size": size or family.size,
        "normalisation": selected,
        "crop_width": crop_width or family.crop_width,
    }
    found = _check(Network(module, {**network, "polarity": 1}, "cpu"), check, str(checkpoint))
    inside = module.normalisation == selected and selected in (_IN_NETWORK, "temporal")
    with atomic_folder(out) as fresh:
        save_network(
            fresh,
            module,
            network="physnet",
            options={"normalisation": selected} if inside else {},
            **network,
            trained_on=people,
            training={"converted_from": source.path.name, "published_with": family.name},
            output=found.output,
            polarity=found.polarity,
            lag_s=round(found.lag_s, 4),
            source=source.facts,
            check=_facts(found),
        )
    return found


def _family(module: PhysNet, path: Path) -> Family:
    """Recognise the origin of a checkpoint by its format and layers."""
    if is_keras(path):
        return FAMILIES["keras"]
    return FAMILIES["norm" if module.normalisation == _IN_NETWORK else "plain"]


def _set_normalisation(module: PhysNet, selected: str, checkpoint: str | Path) -> None:
    """Raise InputError where normalisation and layers exclude each other; set ``temporal``."""
    inside = module.normalisation == _IN_NETWORK
    if inside != (selected == _IN_NETWORK):
        raise InputError(
            f"{checkpoint} {'has' if inside else 'lacks'} the norm.* of diff_batchnorm, which "
            f"{'excludes' if inside else 'is needed for'} --normalisation {selected}"
        )
    if selected == "temporal":  # it has no parameters
        module.normalisation = selected


def _check(network: Network, check: Sequence[str | Path] | None, checkpoint: str) -> Measured:
    """Measure output, polarity and lag as requested; refuse a network that reads no pulse."""
    normalisation = str(network.config["normalisation"])
    if check is None:
        return assumed(normalisation)
    found = measure_on_videos(network, check) if check else measure(network)
    assert found.r is not None
    least = LEAST_R if check else BY_CHANCE_R
    if abs(found.r) < least:
        clips = f"{found.used} real videos" if check else f"{CLIPS} synthetic clips"
        raise InputError(
            f"{checkpoint} does not follow the pulse of {clips} (|r| with POS {abs(found.r):.2f}, "
            f"want {least}): try another --normalisation than {normalisation} "
            f"({', '.join(NORMALISATIONS)}) and the --size, --rate and --crop-width it was trained "
            f"with; {'other' if check else 'real'} videos of still faces (--check VIDEO); or "
            "--no-check"
        )
    if abs(found.r) >= LEAST_R:
        return found
    _log.warning(
        "%s follows synthetic clips weakly (|r| with POS %.2f), as some networks do that were "
        "trained on real people: conventional polarity and lag are assumed; measure them on real "
        "videos of still faces (--check VIDEO)",
        checkpoint,
        abs(found.r),
    )
    return assumed(normalisation, found)


def _facts(found: Measured) -> dict[str, Any]:
    """Make the entry ``check`` of config.json."""
    if found.r is None or found.median_r is None:
        return {"on": found.on, "assumed": found.assumed}
    return {
        "on": found.on,
        "clips": found.clips,
        "used": found.used,
        "median_r_with_pos": round(found.median_r, 4),
        "r_with_pos": round(found.r, 4),
        "assumed": found.assumed,
    }


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


def _check_input(
    size: int | None, rate_hz: float, normalisation: str | None, crop_width: float | None
) -> None:
    """Raise InputError for a size, rate, crop width or normalisation that is not possible."""
    if size is not None and size < SMALLEST:
        raise InputError(f"size must be {SMALLEST} pixels or more, got {size}")
    if not 10 <= rate_hz <= 240:
        raise InputError(f"rate must be 10 to 240 frames a second, got {rate_hz:g}")
    if crop_width is not None and not 0.3 <= crop_width <= 5:
        raise InputError(f"crop width must be 0.3 to 5 face widths, got {crop_width:g}")
    if normalisation is not None and normalisation not in NORMALISATIONS:
        raise InputError(
            f"unknown normalisation {normalisation!r}; known: {', '.join(NORMALISATIONS)}"
        )
