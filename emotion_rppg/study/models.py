"""Fit models and encoders to feature tables; predict from videos, signals and tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, extraction_of
from emotion_rppg.recordings import Video
from emotion_rppg.study.replay import read_all_like, recordings_like
from emotion_rppg.study.rest import Rest

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.deep.pretrained_encoder import Pretrained
    from emotion_rppg.emotion.model import Model

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
    sources: Sequence[str] = (),
    extraction: Extraction | None = None,
    seed: int = 0,
) -> Model:
    """Fit a head per target to the labelled rows with a trusted pulse of a feature table.

    Features are the columns of the feature families, their differences from a baseline, and
    embeddings, if nine in ten training windows of every class have them together. Columns that
    describe the recording (duration, number of beats, quality …) are not features.

    `evaluate` measures the performance on people who are not in the training data.

    Parameters
    ----------
    target : str or sequence of str
        ``"arousal"`` for the column ``label_arousal``.
    head : str or estimator
        A name in ``HEADS`` or a scikit-learn estimator. ``"multitask"`` learns all targets
        together.
    coding : str
        How ratings become classes, a name in ``CODINGS``; ``"as_is"``: labels are used unchanged.
    encoder : folder or Pretrained, optional
        The encoder of the table's embeddings. It is stored in the model, so that ``predict`` can
        read a video. Default: the folder that ``extract`` used, if it still exists. A folder is
        also the initial state of ``"lstm_pretrained"``.
    normalise : {"none", "calibration"}
        ``"calibration"``: features are differences from each person's first ``calibration_s``
        seconds; ``predict`` then needs a recording at rest.
    probabilities : {"temperature", "own", "platt"}
        Calibration of probabilities: temperature scaling on training people who were excluded from
        the fit, none (those of the head), or a sigmoid (:mod:`emotion_rppg.emotion.calibration`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) to use as features as well.
    sources : sequence of str
        Sources of the table to read, such as ``("bvp", "eda")``; default: the features of all, and
        the sequence of beats. A network on sequences (``"lstm"``, ``"cnn"``) then has an encoder
        for each source with a sequence, and predicts a window from the sources that are trusted
        in it.
    extraction : Extraction, optional
        How the table was extracted, which ``predict`` repeats on new recordings. Default: the
        record of the table (`extraction_of`).
    seed : int
        Seed of the head and of the folds of the calibration.

    Raises
    ------
    InputError
        The table is joined from tables with different extractions, or has no usable labels.
    """
    from emotion_rppg.emotion.model import fit_model
    from emotion_rppg.emotion.table_checks import checked_table

    targets = [target] if isinstance(target, str) else list(target)
    if extraction is None and (extraction := extraction_of(table)) is None:
        _log.warning(
            "the table does not record how it was extracted (an old file, or lost when tables were "
            "merged): the model predicts from feature tables, but not from recordings; for these, "
            "give fit(…, extraction=…)"
        )
    return fit_model(
        checked_table(table, targets=targets, coding=coding),
        target=target,
        head=head,
        coding=coding,
        encoder=encoder,
        normalise=normalise,
        calibration_s=calibration_s,
        probabilities=probabilities,
        extra_features=extra_features,
        sources=sources,
        extraction=extraction,
        seed=seed,
    )


def load(folder: str | Path) -> Model:
    """Load a model from a folder of ``Model.save`` or ``emotion-rppg train emotion``.

    Raises
    ------
    InputError
        The folder is not an emotion model or is damaged.
    """
    from emotion_rppg.emotion.model import load_model

    return load_model(folder)


def predict(
    video_or_table: str | Path | Video | pd.DataFrame,
    model: Model | str | Path,
    *,
    calibrate: str | Path | Video | pd.DataFrame | None = None,
    device: str = "auto",
    weights: str | Path | None = None,
    region: str | None = None,
    face: int | str | None = None,
    channel: str | None = None,
    edits: bool | None = None,
) -> pd.DataFrame:
    """Predict the targets of a model (arousal, valence …), one row per window.

    Features of a video, a signal file or all recordings of a folder are extracted as those of the
    training table (``model.extraction``). A window without a trusted pulse, a shorter window and
    one far outside the range of the training data have empty predictions, and ``reason`` says why;
    of all others ``reason`` is ``"ok"``.

    Parameters
    ----------
    model : Model, folder or name
        The package contains the model ``"stress"``; see its card.
    calibrate : file, Video or table, optional
        The same person at rest, for a model fitted with ``normalise="calibration"``;
        ``"FILE@START-END"`` is a segment of a recording, s.
    device, weights :
        Device for networks, and the current folder of the pulse network.
    region : str, optional
        Image region; another one than in the training is refused.
    face, channel : int or str, str, optional
        Number of the face in this video, or ``"all"`` for every person in it (column ``person``);
        column or channel of this signal file. Default: as in the training.
    edits : bool, optional
        Whether beats that a person corrected (``RECORDING.beats.json``) replace the detected ones.
        Default: as in the training.

    Returns
    -------
    DataFrame
        ``attrs["failures"]`` lists the recordings of a folder that could not be read. Columns:
        ``start_s, duration_s, hr_bpm, quality``; for each target ``<target>`` (the class's name)
        and ``<target>_p_<class>``; ``reason``.
    """
    from emotion_rppg.emotion.model import Model as ModelType
    from emotion_rppg.emotion.table_checks import checked_table

    trained = model if isinstance(model, ModelType) else load(model)
    options: dict[str, Any] = {"device": device, "weights": weights, "region": region, "face": face}
    options["edits"] = edits
    failures: list[dict[str, str]] = []
    if isinstance(video_or_table, str | Path | Video):
        recordings = recordings_like(trained, video_or_table, channel=channel)
        table, failures = read_all_like(trained, recordings, **options)
    else:
        table = checked_table(video_or_table)
    rest, segment = calibrate, None
    if isinstance(calibrate, str | Path):
        segment = Rest.parse(calibrate)
        rest = segment.table(trained, channel=channel, **options)
    elif isinstance(calibrate, Video):
        recordings = recordings_like(trained, calibrate, channel=channel)
        rest, _ = read_all_like(trained, recordings, **options)
    for shift in {trained.shift(source) for source in set(table["source"])} - {""}:
        _log.warning("%s", shift)
    rows = trained.predict(table, rest=rest)
    if segment is not None and isinstance(video_or_table, str | Path):
        rows = segment.withhold_own(rows, rest, [Path(video_or_table)], trained)
    rows.attrs["failures"] = failures
    return rows


def pretrain_encoder(
    tables: Sequence[pd.DataFrame],
    *,
    reads: str = "beats",
    writes: str | None = None,
    hidden: int = 32,
    cell: str = "lstm",
    layers: int = 1,
    bidirectional: bool = False,
    pooling: str = "last",
    strides: tuple[int, ...] = (),
    order: str = "reverse",
    scheduled_sampling: bool = False,
    masked: float = 0.0,
    epochs: int = 60,
    batch: int = 32,
    learning_rate: float = 5e-3,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pretrained:
    """Pretrain a beat encoder on the sequences of feature tables, without labels.

    ``reads`` names the input of the encoder and ``writes`` the output of the decoder (names in
    ``features.sequences.INPUTS``; default: the input). ``hidden`` to ``seed`` are those of
    `emotion_rppg.emotion.deep.pretraining.PretrainingConfig`, the others those of `pretrain` there.

    The people in the tables are stored in ``trained_on``: ``evaluate`` refuses to test them on the
    embeddings.
    """
    import pandas as pd

    from emotion_rppg.emotion.deep.pretraining import pretrain
    from emotion_rppg.features.sequences import INPUTS

    writes = reads if writes is None else writes
    for name in (reads, writes):
        if name not in INPUTS:
            raise InputError(f"unknown sequence {name!r}; known: {', '.join(INPUTS)}")
    table = pd.concat(list(tables), ignore_index=True)
    people = {str(d): sorted(set(t["subject"].astype(str))) for d, t in table.groupby("dataset")}
    targets = None if writes == reads else INPUTS[writes](table)
    return pretrain(
        INPUTS[reads](table),
        targets=targets,
        reads=reads,
        trained_on=people,
        hidden=hidden,
        cell=cell,
        layers=layers,
        bidirectional=bidirectional,
        pooling=pooling,
        strides=strides,
        order=order,
        scheduled_sampling=scheduled_sampling,
        masked=masked,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
