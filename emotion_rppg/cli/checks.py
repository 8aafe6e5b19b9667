"""Check the options of a verb before the first file is read; report all faults in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from emotion_rppg.errors import InputError

_DEVICES = ("auto", "cpu", "cuda", "mps", "openvino")


def run_checks(*checks: Callable[[], object]) -> None:
    """Run every check and raise one error for all that fail.

    Raises
    ------
    InputError
        The message of the failed check; of several, all messages, numbered.
    """
    faults: list[str] = []
    for check in checks:
        try:
            check()
        except InputError as error:
            faults.append(str(error))
    if len(faults) == 1:
        raise InputError(faults[0])
    if faults:
        numbered = "; ".join(f"({k}) {fault}" for k, fault in enumerate(faults, start=1))
        raise InputError(f"{len(faults)} things are wrong: {numbered}")


def signal_checks(
    *,
    method: str | None = None,
    region: str = "face",
    weights: Path | None = None,
    device: str = "auto",
    paths: Sequence[Path] = (),
) -> list[Callable[[], object]]:
    """Return the checks of the options that say how a wave is read."""
    return [
        *(partial(_exists, path) for path in paths),
        partial(_method, method, weights),
        partial(_region, region),
        partial(_folder, "--weights", weights),
        partial(_device, device),
    ]


def window_checks(
    *, length: float, step: float, source: str, families: Sequence[str], encoder: Path | None
) -> list[Callable[[], object]]:
    """Return the checks of the options that say how a wave becomes rows of features."""
    from emotion_rppg.features import check_families

    return [
        partial(_above_zero, "--length", length),
        partial(_above_zero, "--step", step),
        partial(_source, source),
        *(partial(check_families, [name]) for name in families),
        partial(_families, families),
        partial(_folder, "--encoder", encoder),
    ]


def _exists(path: Path) -> None:
    if not path.exists():
        raise InputError(f"no file {str(path)!r}")


def _method(method: str | None, weights: Path | None) -> None:
    """Check a method's name or folder; torch (seconds to load) is imported only for networks."""
    from emotion_rppg.pulse import METHODS, canonical

    name = canonical(method)
    if name is None or name in METHODS or Path(name).is_dir():
        return
    from emotion_rppg.pulse.inference.trained_network import BUNDLED

    if name in BUNDLED:
        return
    from emotion_rppg.pulse import NETWORKS

    if name not in NETWORKS:
        known = ", ".join(sorted([*METHODS, *NETWORKS]))
        raise InputError(
            f"unknown rPPG method {method!r}; known: {known}, or the folder of a network"
        )
    if weights is None:
        from emotion_rppg.pulse.estimate import resolve_method

        resolve_method(name, weights, "cpu")


def _region(region: str) -> None:
    if region in ("face", "full"):
        return
    try:
        x, y, w, h = (float(part) for part in region.split(","))
        valid = x >= 0 and y >= 0 and w >= 1 and h >= 1
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"unknown region {region!r}; want face, full or x,y,w,h in pixels")


def _folder(option: str, folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise InputError(f"{option} {folder}: no such folder")


def _device(device: str) -> None:
    if device.lower().split(":")[0] not in _DEVICES:
        raise InputError(f"unknown device {device!r}; known: {', '.join(_DEVICES)}")


def _above_zero(option: str, seconds: float) -> None:
    if not seconds > 0:
        raise InputError(f"{option} must be seconds above zero, got {seconds:g}")


def _source(source: str) -> None:
    from emotion_rppg.features.beats.kinds import KINDS

    if source.lower() not in ("auto", *KINDS):
        raise InputError(f"unknown source {source!r}; known: auto, {', '.join(KINDS)}")


def _families(families: Sequence[str]) -> None:
    if not families:
        raise InputError("--families is empty: name one or more, such as hrv,sequence")
