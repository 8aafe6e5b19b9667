"""Where the stages are joined: recordings → feature table → fitted model → predictions."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from emotion_rppg.baselines import beside_baseline
from emotion_rppg.cache import Cache
from emotion_rppg.checkpoints import read_config
from emotion_rppg.errors import InputError
from emotion_rppg.fingerprints import fingerprint
from emotion_rppg.parallel import as_done
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.signals import PULSE_KINDS, Beats, Signal
from emotion_rppg.windows import EMBEDDING, IDENTITY, LABEL, SCALE, cut

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.encoder import Pretrained
    from emotion_rppg.emotion.model import Model

_log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """How a recording becomes a pulse; every part travels into the table and the model."""

    method: str | Path | Callable[..., np.ndarray] = "pos"
    source: str = "auto"
    region: str = "face"
    face: int | None = None
    weights: str | Path | None = None
    device: str = "auto"

    def kind(self, recording: Recording) -> str:
        """Which of the recording's views of the heart is read: its video if it has one."""
        has = (["rppg"] if recording.video is not None else []) + list(recording.signals)
        if self.source == "auto":
            for kind in PULSE_KINDS:
                if kind in has:
                    return kind
            raise InputError(f"{recording.name} has neither a video nor a pulse (bvp, ecg, rppg)")
        if self.source not in PULSE_KINDS:
            raise InputError(
                f"unknown source {self.source!r}; known: auto, {', '.join(PULSE_KINDS)}"
            )
        if self.source not in has:
            raise InputError(
                f"{recording.name} has no {self.source}; it has: {', '.join(has) or 'nothing'}"
            )
        return self.source

    def wave(self, recording: Recording, progress: Progress | None = None) -> Signal:
        """The pulse wave, with a quality for each sample where the wave is a pulse."""
        kind = self.kind(recording)
        if kind == "rppg" and recording.video is not None:
            from emotion_rppg.pulse.inference import estimate

            return estimate(
                recording.video,
                self.method,
                device=self.device,
                region=self.region,
                face=self.face,
                weights=self.weights,
                progress=progress,
            )
        signal = recording.read(kind)
        if kind == "ecg" or signal.quality is not None:
            return signal
        from emotion_rppg.quality import per_sample

        return replace(signal, quality=per_sample(signal))

    def facts(self, recording: Recording) -> dict[str, object]:
        """Identity columns: who, what, and which trained network looked at whom before."""
        kind = self.kind(recording)
        camera = kind == "rppg" and recording.video is not None
        network, trained_on = _provenance(self.method, self.weights) if camera else ("", "")
        known: dict[str, object] = {
            "dataset": recording.dataset,
            "subject": recording.subject,
            "session": recording.session,
            "trial": recording.trial,
            "source": kind,
            "method": method_name(self.method) if camera else "",
            "network": network,
            "trained_on": trained_on,
        }
        known |= {LABEL + name: value for name, value in recording.labels.items()}
        known |= {SCALE + name: f"{a:g}..{b:g}" for name, (a, b) in recording.scales.items()}
        return known


def method_name(method: str | Path | Callable[..., np.ndarray]) -> str:
    """What the column ``method`` calls it."""
    if callable(method):
        return getattr(method, "__name__", type(method).__name__)
    return Path(method).name if Path(method).is_dir() else str(method)


def _provenance(method: object, weights: object) -> tuple[str, str]:
    """Name of the network's folder and whom it was trained on; empty for a classic method."""
    for given in (weights, method):
        if isinstance(given, str | Path) and Path(given).is_dir():
            config = read_config(given)
            people_seen = config.get("trained_on", "unknown")
            text = people_seen if isinstance(people_seen, str) else json.dumps(people_seen)
            return Path(given).resolve().name, text
    return "", ""


def as_recordings(given: Iterable[Recording] | str | Path | Video) -> list[Recording]:
    """A data set, a list of recordings, a folder, a video or a signal file: as recordings."""
    from emotion_rppg.datasets.folder import Folder, recording_of

    if isinstance(given, Video):
        return [Recording(given.path.parent.name, given.path.stem, video=given)]
    if isinstance(given, str | Path):
        return list(Folder(given)) if Path(given).is_dir() else [recording_of(given)]
    return list(given)


def extract(
    recordings: Iterable[Recording] | str | Path | Video,
    *,
    method: str | Path | Callable[..., np.ndarray] = "pos",
    length_s: float | None = 60.0,
    step_s: float | None = 30.0,
    families: Sequence[str] = ("hrv", "sequence"),
    baseline: str | float | None = None,
    encoder: Any = None,
    source: str = "auto",
    region: str = "face",
    face: int | None = None,
    weights: str | Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    cache: Cache | str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Feature table of a study: one row a window.

    Beats are found once a recording, so no window has filter edges. Windows of a camera wave
    that shows no pulse to trust keep their row, with empty features and the reason.

    Parameters
    ----------
    recordings : iterable of Recording, or path
        A data set, a list, or the path of a folder, a video or a signal CSV.
    method : str, path or function
        How a video is read: a name of ``METHODS``, a network's folder, or a function
        ``(rgb (n, 3), rate_hz) -> (n,)``.
    length_s : float or None
        Window length in seconds; None: the whole recording.
    families : sequence of str
        Names in ``FAMILIES``.
    baseline : str or float, optional
        The name of a trial, or each recording's first so many seconds: beside every feature stands
        its difference from there, ``rmssd_ms_vs_baseline`` (:mod:`emotion_rppg.baselines`).
    encoder : folder or Pretrained, optional
        A trained beat encoder; its embeddings become the columns ``emb_000`` …
    source : {"auto", "rppg", "bvp", "ecg"}
        Which view of the heart to read; auto: the video if there is one.
    workers : int
        Processes.
    scheduler : str, optional
        ``tcp://host:port`` of a Dask scheduler, whose workers take the place of ``workers``.
    cache : Cache or folder, optional
        Keeps each recording's rows and camera wave as soon as they are done, and gives them back
        as long as input, parameters and code are the same (:mod:`emotion_rppg.cache`).

    Returns
    -------
    DataFrame
        ``attrs["failures"]`` lists the recordings that could not be read, with the reason.

    Raises
    ------
    InputError
        If no recording could be read at all.
    """
    items = as_recordings(recordings)
    if not items:
        raise InputError("there is no recording to extract from")
    reading = Reading(method, source, region, face, weights, device)
    _check_families(families)
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    window = (length_s, step_s, tuple(families))
    found: dict[int, pd.DataFrame | str] = {}
    for number, outcome in _outcomes(items, reading, window, store, workers, scheduler):
        found[number] = outcome
        if isinstance(outcome, str):
            _log.warning("%s: %s", items[number].name, outcome)
        if progress is not None:
            progress(len(found), len(items))
    outcomes = [found[number] for number in range(len(items))]
    tables = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    failures = [
        {"recording": recording.name, "reason": outcome}
        for recording, outcome in zip(items, outcomes, strict=True)
        if isinstance(outcome, str)
    ]
    if not tables:
        raise InputError(all_failed(failures))
    table = _joined(tables)
    if baseline is not None:
        table = beside_baseline(table, baseline)
    if encoder is not None:
        table = _embedded(table, encoder)
    table.attrs["failures"] = failures
    return table


def _check_families(families: Sequence[str]) -> None:
    from emotion_rppg.features import FAMILIES

    for name in families:
        if name not in FAMILIES:
            raise InputError(f"unknown feature family {name!r}; known: {', '.join(FAMILIES)}")


def all_failed(failures: list[dict[str, str]]) -> str:
    """One sentence of why nothing could be read."""
    first = failures[0]
    if len(failures) == 1:
        return first["reason"]
    return (
        f"none of {len(failures)} recordings could be read; the first, {first['recording']}: "
        f"{first['reason']}"
    )


def _outcomes(
    items: Sequence[Recording],
    reading: Reading,
    window: tuple[Any, ...],
    store: Cache | None,
    workers: int,
    scheduler: str | None,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """Each recording's number with its rows, or why there are none; the kept ones come first."""
    import pandas as pd

    keys = [None if store is None else _rows_key(r, reading, window) for r in items]
    todo = []
    for number, key in enumerate(keys):
        kept = None if store is None else store.get(key)
        if isinstance(kept, pd.DataFrame):
            yield number, kept
        else:
            todo.append(number)
    jobs = (
        (items[n], reading, _kept_wave(items[n], reading, store), store is not None, *window)
        for n in todo
    )
    for position, outcome in as_done(_guarded, jobs, workers=workers, scheduler=scheduler):
        number = todo[position]
        if isinstance(outcome, str):
            yield number, outcome
            continue
        rows, wave = outcome
        if store is not None:
            if wave is not None:
                store.keep(_wave_key(items[number], reading), wave)
            store.keep(keys[number], rows)
        yield number, rows


def view(recording: Recording, reading: Reading) -> list[Any]:
    """What of the recording is read, and how; an error where there is nothing to read."""
    kind = reading.kind(recording)
    camera = kind == "rppg" and recording.video is not None
    folders = {
        name: Path(given)
        for name, given in (("method", reading.method), ("weights", reading.weights))
        if isinstance(given, str) and Path(given).is_dir()
    }  # a network counts by its files
    seen = recording.video if camera else recording.signals[kind]
    return [kind, seen, replace(reading, **folders)]  # type: ignore[arg-type]


def _wave_key(recording: Recording, reading: Reading) -> str | None:
    """Fingerprint of a camera's wave; None for a contact signal, which is quick to read again."""
    if recording.video is None or reading.kind(recording) != "rppg":
        return None
    return fingerprint("wave", view(recording, reading))


def _rows_key(recording: Recording, reading: Reading, window: tuple[Any, ...]) -> str | None:
    try:
        return fingerprint("rows", view(recording, reading), reading.facts(recording), window)
    except InputError:
        return None  # it will be said when it is read


def _kept_wave(recording: Recording, reading: Reading, store: Cache | None) -> Signal | None:
    """The recording's camera wave, if it is kept."""
    try:
        kept = None if store is None else store.get(_wave_key(recording, reading))
    except InputError:
        return None
    return kept if isinstance(kept, Signal) else None


def waves(
    recordings: Iterable[Recording] | str | Path | Video,
    *,
    method: str | Path | Callable[..., np.ndarray] = "pos",
    source: str = "auto",
    region: str = "face",
    face: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    cache: Cache | str | Path | None = None,
) -> Iterator[tuple[Recording, Signal]]:
    """Each recording with the wave that `extract` reads from it; unreadable ones are left out.

    Parameters are those of `extract`; a camera wave that its ``cache`` has is not read again.
    """
    reading = Reading(method, source, region, face, weights, device)
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    for recording in as_recordings(recordings):
        try:
            wave = _kept_wave(recording, reading, store)
            yield recording, reading.wave(recording) if wave is None else wave
        except InputError as error:
            _log.warning("%s: %s", recording.name, error)


def or_reason(work: Callable[[], T]) -> T | str:
    """What the work gives, or why it gave nothing: one bad file does not stop a study."""
    try:
        return work()
    except InputError as error:
        return str(error)
    except Exception as error:  # a fault of ours in one file must not cost the others
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        return f"unexpected {type(error).__name__} in {where}: {error}; please report it"


def _guarded(
    recording: Recording, reading: Reading, known: Signal | None, with_wave: bool, *window: Any
) -> tuple[pd.DataFrame, Signal | None] | str:
    """One recording's rows, and its wave if that is to be kept, or why there are none."""

    def read() -> tuple[pd.DataFrame, Signal]:
        wave = reading.wave(recording) if known is None else known
        return features_of(recording, wave, reading, *window), wave

    done = or_reason(read)
    if isinstance(done, str):
        return done
    rows, wave = done
    fresh = with_wave and known is None and wave.kind == "rppg" and recording.video is not None
    return rows, wave if fresh else None


def features_of(
    recording: Recording,
    wave: Signal,
    reading: Reading,
    length_s: float | None,
    step_s: float | None,
    families: Sequence[str],
) -> pd.DataFrame:
    """Feature rows of one recording whose wave has been read."""
    import pandas as pd

    from emotion_rppg.features import FAMILIES
    from emotion_rppg.features.beats import find_beats

    facts = reading.facts(recording)
    beats = find_beats(wave)
    windows = cut(beats, wave, length_s=length_s, step_s=step_s, facts=facts)
    table = windows.table
    table.insert(0, "quality", [_mean_quality(signal) for signal in windows.signals])
    table.insert(1, "timing_sd_ms", [_timing_sd_ms(part) for part in windows.beats])
    parts = [FAMILIES[name](windows.beats, windows.signals) for name in families]
    table = pd.concat([table, *parts], axis=1)
    reasons = [_distrust(signal) for signal in windows.signals]
    table["reason"] = reasons
    blank = np.array([reason != "" for reason in reasons])
    if blank.any():
        measured = [c for part in parts for c in part if c not in ("coverage", "corrected_share")]
        for column in measured:
            empty = np.nan if table[column].dtype.kind in "fi" else ""
            table[column] = table[column].mask(blank, empty)
    return ordered(table)


def _mean_quality(signal: Signal | None) -> float:
    if signal is None or signal.quality is None or not len(signal):
        return float("nan")
    return float(np.mean(signal.quality))


def _timing_sd_ms(beats: Beats) -> float:
    """Root mean square of the standard errors of a window's beats, NaN where none is known."""
    if beats.timing_sd_s is None or not np.isfinite(beats.timing_sd_s).any():
        return float("nan")
    return 1e3 * float(np.sqrt(np.nanmean(beats.timing_sd_s**2)))


def _distrust(signal: Signal | None) -> str:
    """Why a camera wave is not to be trusted, or nothing. Contact sensors speak for themselves."""
    if signal is None or signal.kind != "rppg":
        return ""
    from emotion_rppg.quality import judge

    return judge(signal).reason or ""


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of identity first, then labels with their scales, then what was measured."""
    first = [c for c in IDENTITY if c in table]
    labels = [c for c in table if c.startswith((LABEL, SCALE))]
    rest = [c for c in table if c not in first and c not in labels]
    return table[first + labels + rest]


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows; a column that only some recordings have is empty for the others."""
    import pandas as pd

    columns = list(dict.fromkeys(c for table in tables for c in table))
    return ordered(
        pd.DataFrame(
            {
                c: pd.concat(
                    [t[c] if c in t else pd.Series(np.nan, t.index, dtype=object) for t in tables],
                    ignore_index=True,
                )
                for c in columns
            }
        ).infer_objects()
    )


def _embedded(table: pd.DataFrame, encoder: Any) -> pd.DataFrame:
    import pandas as pd

    from emotion_rppg.emotion.encoder import load_encoder

    trained = load_encoder(encoder) if isinstance(encoder, str | Path) else encoder
    vectors = trained.embed(trained.tokens(table))
    names = [f"{EMBEDDING}{i:03d}" for i in range(vectors.shape[1])]
    seen = trained.trained_on
    return table.assign(
        encoder=Path(encoder).name if isinstance(encoder, str | Path) else "encoder",
        encoder_trained_on=seen if isinstance(seen, str) else json.dumps(seen),
    ).join(pd.DataFrame(vectors, columns=names, index=table.index))


def fit(
    table: pd.DataFrame,
    *,
    target: str | Sequence[str],
    head: Any = "logistic",
    coding: str = "midpoint",
    encoder: Any = None,
    normalise: str = "none",
    random_state: int = 0,
) -> Model:
    """Fit a head on every labelled row of the table, one for each target.

    How well it does on people it never saw is for ``evaluate`` to say, not for this.

    Parameters
    ----------
    target : str or sequence of str
        ``"arousal"`` for the column ``label_arousal``.
    head : str or estimator
        A name of ``HEADS`` or a scikit-learn estimator.
    encoder : folder or Pretrained, optional
        The encoder that made the table's embeddings; it travels inside the model, so that
        ``predict`` can read a video.
    normalise : {"none", "calibration"}
        ``"calibration"``: features are differences from each person's first four minutes;
        ``predict`` then needs a recording of rest.
    """
    from emotion_rppg.emotion.model import fit as fit_model

    return fit_model(
        table,
        target=target,
        head=head,
        coding=coding,
        encoder=encoder,
        normalise=normalise,
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
) -> pd.DataFrame:
    """Arousal, valence or whatever the model was fitted to, one row a window.

    A video (or signal CSV) is read the way the model's training table was. Where the model
    cannot say anything its columns are empty and ``reason`` says why.

    Parameters
    ----------
    model : Model, folder or name
        ``"stress"`` comes along; see its card.
    calibrate : file, Video or table, optional
        The same person at rest, for a model fitted with ``normalise="calibration"``.

    Returns
    -------
    DataFrame
        ``start_s, duration_s, hr_bpm, quality``; for each target ``<target>`` (the class's name)
        and ``<target>_p_<class>``; ``reason``.
    """
    from emotion_rppg.emotion.model import Model as ModelType

    trained = model if isinstance(model, ModelType) else load(model)
    how: dict[str, Any] = {"device": device, "weights": weights, "region": region, "face": face}
    table, rest = (
        read_like(trained, given, **how)[0] if isinstance(given, str | Path | Video) else given
        for given in (video_or_table, calibrate)
    )
    assert table is not None
    for shift in {trained.shift(source) for source in set(table["source"])} - {""}:
        _log.warning("%s", shift)
    return trained.predict(table, rest=rest)


def read_like(
    model: Model, given: str | Path | Video, *, progress: Progress | None = None, **reading: Any
) -> tuple[pd.DataFrame, Signal]:
    """Feature table and wave of one video or signal file, read as the model's training table was.

    A file shorter than the model's window gives one row, which the model will not judge.
    """
    recording = as_recordings(given)[0]
    made = model.made_from
    if made["network"] and not reading.get("weights"):
        raise InputError(
            f"the model learned from pulses that the network {made['network']!r} read: "
            "give its folder as weights (--weights DIR)"
        )
    length_s = made["length_s"]
    step_s = None if length_s is None else length_s / 2
    how = Reading(method=made["method"] or "pos", **reading)
    wave = how.wave(recording, progress)
    table = features_of(recording, wave, how, length_s, step_s, made["families"])
    return table if model.encoder is None else _embedded(table, model.encoder), wave


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
