"""Extract features of new recordings with the options of a model's training table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import EVERYBODY, Extraction, NotStored
from emotion_rppg.features import check_families, kinds_of
from emotion_rppg.features.baseline_columns import VS_BASELINE
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import PULSE
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.signals import Pulse
from emotion_rppg.study.acquisition import Progress, Reading, as_recordings
from emotion_rppg.study.corrections import PulseBeats, beats_with_edits
from emotion_rppg.study.event_rows import check_events
from emotion_rppg.study.feature_rows import features_of_all, read_pulse
from emotion_rppg.study.feature_table import complete_table, failure_message, or_failure_reason
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
    face: int | str | None = None,
    edits: bool | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Extract one feature table of several recordings as the model's training table was extracted.

    Returns
    -------
    table, failures
        The rows of all recordings that could be read; name and reason of the others.

    Raises
    ------
    InputError
        No recording could be read, or something that the model needs is missing.
    """
    options = extraction_for(
        model, recordings, weights=weights, region=region, face=face, edits=edits
    )
    tables: list[pd.DataFrame] = []
    failures: list[dict[str, str]] = []
    for number, recording in enumerate(recordings):
        inner = progress if len(recordings) == 1 else None
        outcome = or_failure_reason(partial(_rows, model, recording, options, device, inner, None))
        if isinstance(outcome, str):
            failures.append({"recording": recording.name, "reason": outcome})
        else:
            tables.append(outcome[0])
        if progress is not None and inner is None:
            progress(number + 1, len(recordings))
    if not tables:
        raise InputError(failure_message(failures))
    return complete_table(tables, options), failures


def read_like(
    model: Model,
    given: str | Path | Video | Recording,
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | str | None = None,
    channel: str | None = None,
    edits: bool | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> tuple[pd.DataFrame, Pulse]:
    """Extract feature table and pulse of one recording as the model's training table was extracted.

    A file shorter than the model's window gives one row, for which nothing is predicted. For a
    model of the faces of everybody, the largest face is read.
    """
    recording = given if isinstance(given, Recording) else _single_recording(model, given, channel)
    options = extraction_for(
        model, [recording], weights=weights, region=region, face=face, edits=edits
    )
    if options.face == EVERYBODY:
        options = replace(options, face=None)
    rows, pulses = _rows(model, recording, options, device, progress, preview)
    if not pulses:
        raise InputError(
            f"{recording.name} has no pulse, which is drawn beside the prediction: extract a "
            "feature table and predict its rows"
        )
    return complete_table([rows], options), pulses[0]


def read_people_like(
    model: Model,
    recording: Recording,
    *,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | str | None = None,
    edits: bool | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, Sequence[Pulse]]:
    """Extract features and pulses of one recording: several waves with ``face="all"``.

    The rows of the n-th wave have n in their column ``person``.
    """
    options = extraction_for(
        model, [recording], weights=weights, region=region, face=face, edits=edits
    )
    rows, pulses = _rows(model, recording, options, device, progress, None)
    return complete_table([rows], options), pulses


def beats_like(
    model: Model,
    recording: Recording,
    pulses: Sequence[Pulse],
    *,
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | str | None = None,
    edits: bool | None = None,
) -> list[PulseBeats]:
    """Detect the beats of the pulses of `read_people_like`, corrected as in its table."""
    options = extraction_for(
        model, [recording], weights=weights, region=region, face=face, edits=edits
    )
    reading, recording = Reading.of(options), _with_trained_signals(model, recording)
    people = reading.reads_people(recording)
    return [
        beats_with_edits(
            recording, pulse, reading, edits=options.edits, person=number if people else None
        )
        for number, pulse in enumerate(pulses, 1)
    ]


def recordings_like(
    model: Model, given: str | Path | Video, *, channel: str | None = None
) -> list[Recording]:
    """List the recordings of a file or folder, with the channel of the model's training table."""
    channel, kind = channel_like(model, [given], channel)
    return as_recordings(given, channel=channel, kind=kind)


def channel_like(
    model: Model, given: Sequence[str | Path | Video], channel: str | None
) -> tuple[str | None, str]:
    """Choose the channel of signal files and its kind: the given one, else the training's."""
    from emotion_rppg.formats.signal_files import is_signal_file

    if channel is None and all(
        isinstance(item, str | Path) and (Path(item).is_dir() or is_signal_file(Path(item)))
        for item in given
    ):
        channel = recorded_extraction(model).channel
    return channel, recorded_extraction(model).source


def recorded_extraction(model: Model) -> Extraction:
    """Return how the model's training table was extracted.

    Raises
    ------
    InputError
        The model does not record it.
    """
    if model.extraction is None:
        raise InputError(
            "the model does not record how its training table was extracted (an old model, or a "
            "table without that record), so recordings cannot be read as its training data: "
            "extract a feature table and predict its rows, or fit the model again with "
            "fit(…, extraction=…)"
        )
    return model.extraction


def extraction_for(
    model: Model,
    recordings: Sequence[Recording],
    *,
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | str | None = None,
    edits: bool | None = None,
) -> Extraction:
    """Prepare the options of the model's training table for new recordings, before any is read.

    ``face`` and ``edits`` (whether corrected beats are used) concern the new recordings; None: as
    in the training.

    Raises
    ------
    InputError
        The recordings cannot be read with these options; the message lists all reasons.
    """
    options = _locate_network(model, weights)
    if not options.families:
        raise InputError("the model lists no feature families, so no recording can be read for it")
    check_families(options.families)
    faults = [
        *_not_stored(model, options),
        *_other_region(options, region),
        *_missing_baseline(model, options, recordings),
        *_missing_events(options, recordings),
    ]
    if faults:
        raise InputError("; ".join(faults))
    compares = any(name.endswith(VS_BASELINE) for name in model.names)
    return replace(
        options,
        region=region or options.region,
        face=options.face if face is None else face,
        edits=options.edits if edits is None else edits,
        baseline=options.baseline if compares else None,
        encoder=model.encoder,
    )


def _locate_network(model: Model, weights: str | Path | None) -> Extraction:
    """Set the folder of the network of the training table, wherever it is stored now."""
    from emotion_rppg.pulse.inference.trained_network import BUNDLED_NAME

    options, network = recorded_extraction(model), model.made_from["network"]
    own_folder = Path(str(options.method)).name == network or options.weights is not None
    if not network or (network == BUNDLED_NAME and not own_folder):
        return options if weights is None else replace(options, weights=weights)
    method = str(options.method)
    is_folder = options.weights is None and (Path(method).is_dir() or Path(method).name == network)
    place = weights or (method if is_folder else options.weights)
    if place is None or not Path(place).is_dir():
        raise InputError(
            f"the model was trained on pulses that the network {network!r} estimated: "
            "give its folder as weights (--weights DIR)"
        )
    return (
        replace(options, method=place, weights=None)
        if is_folder
        else replace(options, weights=place)
    )


def _not_stored(model: Model, options: Extraction) -> list[str]:
    faults = [options.method.refusal()] if isinstance(options.method, NotStored) else []
    if model.encoder is None and any(name.startswith(EMBEDDING) for name in model.names):
        faults.append(
            "the model needs embeddings and does not contain their encoder: fit it again with "
            "encoder=DIR (--encoder DIR)"
        )
    return faults


def _other_region(options: Extraction, region: str | None) -> list[str]:
    trained = options.region
    if region is None or region == trained:
        return []
    return [
        f"the model was trained on the region {trained!r}, got {region!r}: omit the region, or "
        "fit a model on a table of that region"
    ]


def _missing_baseline(
    model: Model, options: Extraction, recordings: Sequence[Recording]
) -> list[str]:
    """Report a baseline trial that is not among the recordings."""
    trial = options.baseline
    compares = any(name.endswith(VS_BASELINE) for name in model.names)
    if not compares or trial in {recording.trial for recording in recordings}:
        return []
    if trial is None:
        return [
            "the model compares features with a baseline that it does not store: give a feature "
            "table, extracted with that baseline, instead of the recordings"
        ]
    if not isinstance(trial, str):
        return []
    trials = ", ".join(dict.fromkeys(recording.trial for recording in recordings))
    return [
        f"the model compares each person with the trial {trial!r}, which is missing (trials: "
        f"{trials}): give a folder that contains that trial as well (named in manifest.csv or by "
        "its file), or a feature table extracted with that baseline"
    ]


def _missing_events(options: Extraction, recordings: Sequence[Recording]) -> list[str]:
    """Report that no recording has the events about which the training windows are."""
    if options.events is None:
        return []
    try:
        check_events(recordings, options)
    except InputError as error:
        return [
            f"the model was trained on windows about events, which recordings need, too: {error}"
        ]
    return []


def _rows(
    model: Model,
    recording: Recording,
    options: Extraction,
    device: str,
    progress: Progress | None,
    preview: Preview | None,
) -> tuple[pd.DataFrame, Sequence[Pulse]]:
    """Extract rows and pulses of one recording, without baseline and embeddings."""
    reading, recording = Reading.of(options, device), _with_trained_signals(model, recording)
    pulses, reason = read_pulse(recording, reading, options, progress=progress, preview=preview)
    return features_of_all(recording, pulses, reading, options, no_pulse=reason), pulses


def _with_trained_signals(model: Model, recording: Recording) -> Recording:
    """Restrict a recording to the signal kinds of the training table, if it has one of them.

    A training with ``source="auto"`` may have read contact pulses only. A new recording that also
    has a video is then read by its contact pulse. A recording without any of the training's kinds
    is read by another one (`Model.shift` warns). A source that was chosen by name is never
    replaced.
    """
    extraction = recorded_extraction(model)
    source = extraction.source
    if PULSE not in kinds_of(extraction.families):  # a pulse is used if there is one
        return recording
    available: list[Any] = [kind for kind in KINDS if kind in recording.signals]
    available += ["rppg"] if recording.video is not None else []
    if source != "auto":
        if source in available:
            return recording
        if len(kinds_of(extraction.families)) > 1:
            return recording  # its other signals are used; what needs the pulse is withheld
        raise InputError(
            f"{recording.name} has no {source}, which the model was trained on; it has: "
            f"{', '.join(dict.fromkeys(available)) or 'nothing'}; to try the model on that, "
            "extract a feature table with source=… (--source) and predict its rows"
        )
    trained = model.made_from["source"].split(", ")
    wanted = [kind for kind in available if kind in trained]
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


def _single_recording(model: Model, given: str | Path | Video, channel: str | None) -> Recording:
    """List the only recording of a path; an error if there are several."""
    recordings = recordings_like(model, given, channel=channel)
    if len(recordings) != 1:
        raise InputError(
            f"{given} contains {len(recordings)} recordings; want one: give the path of its file"
        )
    return recordings[0]
