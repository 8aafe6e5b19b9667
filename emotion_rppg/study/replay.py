"""Read new recordings as the training table of a model was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, NotStored
from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.signals import Signal
from emotion_rppg.study.acquisition import Progress, Reading, as_recordings
from emotion_rppg.study.feature_table import all_failed, completed, features_of, or_failure_reason
from emotion_rppg.windows import EMBEDDING

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model
    from emotion_rppg.pulse.estimate import Preview


def read_all_like(
    model: Model,
    recordings: Sequence[Recording],
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Extract one feature table of several recordings as the model's training table was extracted.

    Returns
    -------
    table, failures
        The rows of all that could be read; of the others the name and the reason.

    Raises
    ------
    InputError
        No recording could be read, or the model needs what is not given.
    """
    how = extraction_for(model, recordings, weights=weights, region=region, face=face)
    tables: list[pd.DataFrame] = []
    failures: list[dict[str, str]] = []
    for number, recording in enumerate(recordings):
        inside = progress if len(recordings) == 1 else None
        read = or_failure_reason(partial(_rows, model, recording, how, device, inside, None))
        if isinstance(read, str):
            failures.append({"recording": recording.name, "reason": read})
        else:
            tables.append(read[0])
        if progress is not None and inside is None:
            progress(number + 1, len(recordings))
    if not tables:
        raise InputError(all_failed(failures))
    return completed(tables, how), failures


def read_like(
    model: Model,
    given: str | Path | Video | Recording,
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | None = None,
    channel: str | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> tuple[pd.DataFrame, Signal]:
    """Extract feature table and wave of one recording as the model's training table was extracted.

    A file shorter than the model's window gives one row, which the model does not judge.
    """
    recording = given if isinstance(given, Recording) else _only(model, given, channel)
    how = extraction_for(model, [recording], weights=weights, region=region, face=face)
    rows, wave = _rows(model, recording, how, device, progress, preview)
    return completed([rows], how), wave


def recordings_like(
    model: Model, given: str | Path | Video, *, channel: str | None = None
) -> list[Recording]:
    """The recordings of a file or folder, with the channel that the model learned from."""
    channel, kind = channel_like(model, [given], channel)
    return as_recordings(given, channel=channel, kind=kind)


def channel_like(
    model: Model, given: Sequence[str | Path | Video], channel: str | None
) -> tuple[str | None, str]:
    """Channel of signal files and what it holds: the one given, else that of the training."""
    from emotion_rppg.formats.signal_files import is_signal_file

    if channel is None and all(
        isinstance(each, str | Path) and (Path(each).is_dir() or is_signal_file(Path(each)))
        for each in given
    ):
        channel = model.extraction.channel
    return channel, model.extraction.source


def extraction_for(
    model: Model,
    recordings: Sequence[Recording],
    *,
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | None = None,
) -> Extraction:
    """The extraction of the model, ready for these recordings; checked before any of them is read.

    Raises
    ------
    InputError
        All that keeps the recordings from being read as the training table was.
    """
    how = _with_network(model, weights)
    faults = [*_unstored(model, how), *_other_region(model, region), *_lacking(model, recordings)]
    if faults:
        raise InputError("; ".join(faults))
    compares = any(name.endswith(VS_BASELINE) for name in model.names)
    return replace(
        how,
        region=region or how.region,
        face=how.face if face is None else face,
        baseline=how.baseline if compares else None,
        encoder=model.encoder,
    )


def _with_network(model: Model, weights: str | Path | None) -> Extraction:
    """With the folder of the network that read the training's videos, wherever it lies now."""
    how, network = model.extraction, model.made_from["network"]
    if not network:
        return how if weights is None else replace(how, weights=weights)
    method = str(how.method)
    is_folder = how.weights is None and (Path(method).is_dir() or Path(method).name == network)
    place = weights or (method if is_folder else how.weights)
    if place is None or not Path(place).is_dir():
        raise InputError(
            f"the model learned from pulses that the network {network!r} read: "
            "give its folder as weights (--weights DIR)"
        )
    return replace(how, method=place, weights=None) if is_folder else replace(how, weights=place)


def _unstored(model: Model, how: Extraction) -> list[str]:
    faults = [how.method.refusal()] if isinstance(how.method, NotStored) else []
    if model.encoder is None and any(name.startswith(EMBEDDING) for name in model.names):
        faults.append(
            "the model reads embeddings and does not contain their encoder: fit it again with "
            "encoder=DIR (--encoder DIR)"
        )
    return faults


def _other_region(model: Model, region: str | None) -> list[str]:
    trained = model.extraction.region
    if region is None or region == trained or not model.extraction_known:
        return []
    return [
        f"the model learned from the region {trained!r}, got {region!r}: leave the region out, or "
        "fit a model on a table of that region"
    ]


def _lacking(model: Model, recordings: Sequence[Recording]) -> list[str]:
    """The baseline that is not among the recordings."""
    trial = model.extraction.baseline
    compares = any(name.endswith(VS_BASELINE) for name in model.names)
    if not compares or trial in {recording.trial for recording in recordings}:
        return []
    if trial is None:
        return [
            "the model compares with a baseline and does not know which: give a feature table, "
            "extracted with that baseline, in place of the recordings"
        ]
    if not isinstance(trial, str):
        return []
    known = ", ".join(dict.fromkeys(recording.trial for recording in recordings))
    return [
        f"the model compares each person with the trial {trial!r}, which is not given (trials: "
        f"{known}): give the folder that holds that trial, too (its manifest.csv or its file "
        "names it), or a feature table extracted with that baseline"
    ]


def _rows(
    model: Model,
    recording: Recording,
    how: Extraction,
    device: str,
    progress: Progress | None,
    preview: Preview | None,
) -> tuple[pd.DataFrame, Signal]:
    """Rows and wave of one recording, without baseline and embeddings."""
    reading, recording = Reading.of(how, device), _as_trained(model, recording)
    wave = reading.wave(recording, progress, preview)
    return features_of(recording, wave, reading, how), wave


def _as_trained(model: Model, recording: Recording) -> Recording:
    """The recording with those of its views that the training read, where it has one of them.

    With ``source="auto"`` a training may have read contact pulses alone: of a recording that has a
    video, too, the same is read. Where none of them is there, another is read (`Model.shift`
    warns). A source that was chosen by name is never exchanged.
    """
    source = model.extraction.source
    has: list[Any] = [kind for kind in KINDS if kind in recording.signals]
    has += ["rppg"] if recording.video is not None else []
    if source != "auto":
        if source in has:
            return recording
        raise InputError(
            f"{recording.name} has no {source}, which the model learned from; it has: "
            f"{', '.join(dict.fromkeys(has)) or 'nothing'}; to try the model on that, extract a "
            "feature table with source=… (--source) and predict its rows"
        )
    taught = model.made_from["source"].split(", ")
    wanted = [kind for kind in has if kind in taught]
    if not wanted:
        return recording
    return replace(
        recording,
        video=recording.video if "rppg" in wanted else None,
        signals={
            kind: signal
            for kind, signal in recording.signals.items()
            if kind in wanted or kind not in KINDS
        },
    )


def _only(model: Model, given: str | Path | Video, channel: str | None) -> Recording:
    found = recordings_like(model, given, channel=channel)
    if len(found) != 1:
        raise InputError(f"{given} holds {len(found)} recordings: want one; give the file itself")
    return found[0]
