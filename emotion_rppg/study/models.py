"""Feature tables → models and encoders; videos and signals → predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import Extraction, extraction_of
from emotion_rppg.recordings import Video
from emotion_rppg.study.replay import read_all_like, recordings_like

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
    extraction: Extraction | None = None,
    seed: int = 0,
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
        ``predict`` can read a video. Default: the folder that ``extract`` was given, if it is still
        there. As a folder also what ``"lstm_pretrained"`` begins with.
    normalise : {"none", "calibration"}
        ``"calibration"``: features are differences from each person's first ``calibration_s``;
        ``predict`` then needs a recording of rest.
    probabilities : {"temperature", "own", "platt"}
        Calibrated on training people whom the head had not seen, as the head gives them, or by a
        sigmoid (:mod:`emotion_rppg.emotion.calibration`).
    extra_features : sequence of str
        Numeric columns outside the feature families (``"age"``) that are features all the same.
    extraction : Extraction, optional
        How the table was extracted, which ``predict`` repeats on new recordings. Default: what the
        table carries (`extraction_of`).

    Raises
    ------
    InputError
        The table is joined from tables that were extracted in different ways.
    """
    from emotion_rppg.emotion.model import fit as fit_model
    from emotion_rppg.emotion.table_checks import checked_table

    targets = [target] if isinstance(target, str) else list(target)
    if extraction is None and (extraction := extraction_of(table)) is None:
        _log.warning(
            "the table does not carry how it was extracted (an old file, or lost when tables were "
            "merged): predict can only guess it from the columns; give fit(…, extraction=…)"
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
        extraction=extraction,
        seed=seed,
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
    region: str | None = None,
    face: int | None = None,
    channel: str | None = None,
) -> pd.DataFrame:
    """Predict arousal, valence or whatever the model was fitted to, one row a window.

    A video (or signal file) is read as the model's training table was (``model.extraction``), and
    of a folder every recording. Nothing is predicted for a window without a trusted pulse, a
    shorter one, or one far outside what the model was trained on: its columns are empty and
    ``reason`` says why, else ``"ok"``.

    Parameters
    ----------
    model : Model, folder or name
        ``"stress"`` comes along; see its card.
    calibrate : file, Video or table, optional
        The same person at rest, for a model fitted with ``normalise="calibration"``.
    device, weights :
        Where networks run, and where the folder of the pulse network lies now.
    region : str, optional
        That of the training; another one is refused unless the model is too old to know its own.
    face, channel : int, str, optional
        Which face of this video, or which column or channel of this signal file. Default: as in
        the training.

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
    how: dict[str, Any] = {"device": device, "weights": weights, "region": region, "face": face}
    failures: list[dict[str, str]] = []
    if isinstance(video_or_table, str | Path | Video):
        found = recordings_like(trained, video_or_table, channel=channel)
        table, failures = read_all_like(trained, found, **how)
    else:
        table = checked_table(video_or_table)
    rest = calibrate
    if isinstance(calibrate, str | Path | Video):
        found = recordings_like(trained, calibrate, channel=channel)
        rest, _ = read_all_like(trained, found, **how)
    for shift in {trained.shift(source) for source in set(table["source"])} - {""}:
        _log.warning("%s", shift)
    rows = trained.predict(table, rest=rest)
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
    """Pretrain a beat encoder on the tables' sequences, without their labels.

    ``reads`` is what the encoder is given and ``writes`` what the decoder is to write, names of
    ``features.sequences.INPUTS``; default: what was read. ``hidden`` to ``seed`` are those
    of `emotion_rppg.emotion.deep.pretraining.Recipe`, the others those of `pretrain` there.

    The people in them are written down in ``trained_on``: ``evaluate`` refuses to test them on
    its embeddings.
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
