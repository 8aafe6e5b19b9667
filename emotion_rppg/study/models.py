"""Feature tables → models and encoders; videos and signals → predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.signals import Signal
from emotion_rppg.study.extraction import all_failed, embedded, features_of, joined, or_reason
from emotion_rppg.study.readings import Progress, Reading, as_recordings

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.encoder import Pretrained
    from emotion_rppg.emotion.model import Model
    from emotion_rppg.pulse.inference import Seen

_log = logging.getLogger(__name__)


def fit(
    table: pd.DataFrame,
    *,
    target: str | Sequence[str],
    head: Any = "logistic",
    coding: str = "midpoint",
    encoder: Any = None,
    normalise: str = "none",
    calibration_s: float = 240.0,
    probabilities: str = "temperature",
    extra_features: Sequence[str] = (),
    random_state: int = 0,
) -> Model:
    """Fit a head on every labelled row of the table that has a trusted pulse, one for each target.

    Features are the columns of the feature families, their differences from a baseline, and
    embeddings: those that nine in ten training windows of every class hold together. Columns that
    describe the recording (duration, number of beats, quality …) are none.

    How well it does on people it never saw is for ``evaluate`` to say, not for this.

    Parameters
    ----------
    target : str or sequence of str
        ``"arousal"`` for the column ``label_arousal``.
    head : str or estimator
        A name of ``HEADS`` or a scikit-learn estimator. ``"multitask"`` learns all targets
        together.
    encoder : folder or Pretrained, optional
        The encoder that made the table's embeddings; it travels inside the model, so that
        ``predict`` can read a video. As a folder also what ``"lstm_pretrained"`` begins with.
    normalise : {"none", "calibration"}
        ``"calibration"``: features are differences from each person's first ``calibration_s``;
        ``predict`` then needs a recording of rest.
    probabilities : {"temperature", "own", "platt"}
        Calibrated on training people whom the head had not seen, as the head gives them, or by a
        sigmoid (:mod:`emotion_rppg.emotion.platt`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) that are features all the same.
    """
    from emotion_rppg.emotion.model import fit as fit_model
    from emotion_rppg.emotion.table_checks import checked

    targets = [target] if isinstance(target, str) else list(target)
    return fit_model(
        checked(table, targets=targets, coding=coding),
        target=target,
        head=head,
        coding=coding,
        encoder=encoder,
        normalise=normalise,
        calibration_s=calibration_s,
        probabilities=probabilities,
        extra_features=extra_features,
        random_state=random_state,
    )


def load(folder: str | Path) -> Model:
    """A model folder as ``Model.save`` or ``emotion-rppg train emotion`` wrote it."""
    from emotion_rppg.emotion.model import load as load_model

    return load_model(folder)


def predict(
    video_or_table: str | Path | Video | pd.DataFrame,
    model: Model | str | Path,
    *,
    calibrate: str | Path | Video | pd.DataFrame | None = None,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str = "face",
    face: int | None = None,
    channel: str | None = None,
) -> pd.DataFrame:
    """Arousal, valence or whatever the model was fitted to, one row a window.

    A video (or signal file) is read the way the model's training table was, and of a folder every
    recording. Nothing is predicted for a window without a trusted pulse, a shorter one, or one far
    outside what the model was trained on: its columns are empty and ``reason`` says why, else
    ``"ok"``.

    Parameters
    ----------
    model : Model, folder or name
        ``"stress"`` comes along; see its card.
    calibrate : file, Video or table, optional
        The same person at rest, for a model fitted with ``normalise="calibration"``.
    channel : str, optional
        Name of the column or channel to read, of a signal file with several.

    Returns
    -------
    DataFrame
        ``attrs["failures"]`` lists the recordings of a folder that could not be read. Columns:
        ``start_s, duration_s, hr_bpm, quality``; for each target ``<target>`` (the class's name)
        and ``<target>_p_<class>``; ``reason``.
    """
    from emotion_rppg.emotion.model import Model as ModelType
    from emotion_rppg.emotion.table_checks import checked

    trained = model if isinstance(model, ModelType) else load(model)
    how: dict[str, Any] = {"device": device, "weights": weights, "region": region, "face": face}
    failures: list[dict[str, str]] = []
    if isinstance(video_or_table, str | Path | Video):
        found = as_recordings(video_or_table, channel=channel)
        table, failures = read_all_like(trained, found, **how)
    else:
        table = checked(video_or_table)
    rest = calibrate
    if isinstance(calibrate, str | Path | Video):
        rest = read_like(trained, calibrate, **how)[0]
    for shift in {trained.shift(source) for source in set(table["source"])} - {""}:
        _log.warning("%s", shift)
    rows = trained.predict(table, rest=rest)
    rows.attrs["failures"] = failures
    return rows


def read_all_like(
    model: Model,
    recordings: Sequence[Recording],
    *,
    progress: Progress | None = None,
    **reading: Any,
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Feature table of several recordings, each read as the model's training table was.

    Returns
    -------
    table, failures
        The rows of all that could be read; of the others the name and the reason.

    Raises
    ------
    InputError
        No recording could be read.
    """
    if len(recordings) == 1:
        return read_like(model, recordings[0], **reading, progress=progress)[0], []
    tables: list[pd.DataFrame] = []
    failures: list[dict[str, str]] = []
    for number, recording in enumerate(recordings):
        read = or_reason(partial(read_like, model, recording, **reading))
        if isinstance(read, str):
            failures.append({"recording": recording.name, "reason": read})
        else:
            tables.append(read[0])
        if progress is not None:
            progress(number + 1, len(recordings))
    if not tables:
        raise InputError(all_failed(failures))
    return joined(tables), failures


def read_like(
    model: Model,
    given: str | Path | Video | Recording,
    *,
    channel: str | None = None,
    progress: Progress | None = None,
    seen: Seen | None = None,
    **reading: Any,
) -> tuple[pd.DataFrame, Signal]:
    """Feature table and wave of one video or signal file, read as the model's training table was.

    A file shorter than the model's window gives one row, which the model will not judge.
    """
    recording = given if isinstance(given, Recording) else _only(given, channel)
    made = model.made_from
    if made["network"] and not reading.get("weights"):
        raise InputError(
            f"the model learned from pulses that the network {made['network']!r} read: "
            "give its folder as weights (--weights DIR)"
        )
    length_s = made["length_s"]
    step_s = None if length_s is None else length_s / 2
    how = Reading(method=made["method"] or "pos", **reading)
    wave = how.wave(recording, progress, seen)
    table = features_of(recording, wave, how, length_s, step_s, made["families"])
    return table if model.encoder is None else embedded(table, model.encoder), wave


def _only(given: str | Path | Video, channel: str | None) -> Recording:
    found = as_recordings(given, channel=channel)
    if len(found) != 1:
        raise InputError(f"{given} holds {len(found)} recordings: want one; give the file itself")
    return found[0]


def pretrain_encoder(
    tables: Sequence[pd.DataFrame],
    *,
    reads: str = "beats",
    writes: str | None = None,
    **options: Any,
) -> Pretrained:
    """A beat encoder pretrained on the tables' sequences, without their labels.

    ``reads`` is what the encoder is given and ``writes`` what the decoder is to write, names of
    ``features.sequences.INPUTS``; default: what was read.

    The people in them are written down in ``trained_on``: ``evaluate`` refuses to test them on
    its embeddings. Options are those of :func:`emotion_rppg.emotion.pretraining.pretrain`.
    """
    import pandas as pd

    from emotion_rppg.emotion.pretraining import pretrain
    from emotion_rppg.features.sequences import INPUTS

    writes = reads if writes is None else writes
    for name in (reads, writes):
        if name not in INPUTS:
            raise InputError(f"unknown sequence {name!r}; known: {', '.join(INPUTS)}")
    table = pd.concat(list(tables), ignore_index=True)
    people = {str(d): sorted(set(t["subject"].astype(str))) for d, t in table.groupby("dataset")}
    targets = None if writes == reads else INPUTS[writes](table)
    return pretrain(
        INPUTS[reads](table), targets=targets, reads=reads, trained_on=people, **options
    )
