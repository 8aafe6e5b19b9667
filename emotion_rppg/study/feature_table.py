"""Extract the feature table of a study: all recordings; a faulty file is only reported."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.extraction import ATTRIBUTE, DEFAULT_METHOD, EVERYBODY, Extraction
from emotion_rppg.features.baseline_columns import add_baseline_columns
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import PULSE
from emotion_rppg.features.sensors import SENSORS
from emotion_rppg.features.trust import (
    check_min_quality,
)
from emotion_rppg.pulse import canonical
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.parallel import map_unless_cached
from emotion_rppg.signals import Pulse, Signal
from emotion_rppg.study.acquisition import (
    Progress,
    Reading,
    as_recordings,
    cacheable,
    cached_waves,
    wave_inputs,
    wave_key,
)
from emotion_rppg.study.corrections import edits_path
from emotion_rppg.study.event_rows import check_event_options, check_events
from emotion_rppg.study.feature_rows import features_of_all, order_columns, read_pulse, sensors_of
from emotion_rppg.windows import EDITED_BEATS, EDITED_BY, EDITED_NOISE_S, EMBEDDING, trusted

if TYPE_CHECKING:
    import pandas as pd


_log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")
_Outcome: TypeAlias = "tuple[pd.DataFrame, list[Signal] | None] | str"


def _fields_from_extraction(function: Callable[P, T]) -> Callable[P, T]:
    """Fill the keywords that are not given from ``extraction``, the second argument, if given."""

    @wraps(function)
    def filled(*positional: P.args, **keywords: P.kwargs) -> T:
        extraction = positional[1] if len(positional) > 1 else keywords.get("extraction")
        if isinstance(extraction, Extraction):
            for field in fields(extraction):
                keywords.setdefault(field.name, getattr(extraction, field.name))
        elif extraction is not None:
            raise InputError(
                f"extraction is an Extraction, got {type(extraction).__name__}: write "
                "extract(recordings, Extraction(…)), and other parameters by their names"
            )
        return function(*positional, **keywords)

    return filled


@_fields_from_extraction
def extract(
    recordings: Iterable[Recording] | str | Path | Video,
    extraction: Extraction | None = None,
    *,
    method: str | Path | Callable[..., np.ndarray] = DEFAULT_METHOD,
    length_s: float | None = 60.0,
    step_s: float | None = 30.0,
    families: Sequence[str] = ("hrv", "sequence"),
    min_quality: float | None = None,
    baseline: str | float | None = None,
    encoder: Any = None,
    events: str | Sequence[str] | None = None,
    before_s: float = 10.0,
    after_s: float = 30.0,
    source: str = "auto",
    region: str = "face",
    face: int | str | None = None,
    weights: str | Path | None = None,
    edits: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
    cache: Cache | str | Path | None = None,
    device: str = "auto",
    channel: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Extract the feature table of a study: one row per window, or per event.

    Beats are detected once per recording, so no window has filter edges. A window of any source
    without a trusted pulse has a row with empty features and a reason. Single features whose
    standard error is too large are withheld as well.

    Families of other signals than the pulse (``"eda"``) are computed in the same windows, whether
    or not the pulse is trusted, and have a reason of their own (``eda_reason``). A recording
    without a pulse has rows, too, if it has one of these signals; the pulse is not read if no
    family needs it.

    Parameters
    ----------
    recordings : iterable of Recording, or path
        A data set, a list, or the path of a folder, a video or a signal CSV.
    extraction : Extraction, optional
        All options as one value, for example those of another table (`extraction_of`) or of a
        model; a keyword replaces its field.
    method : str, path or function
        rPPG method for videos: ``"physnet"``, a name in ``METHODS``, the folder of a network, or a
        function ``(rgb (n, 3), rate_hz) -> (n,)``.
    length_s, step_s : float or None
        Window length and step, s; ``length_s=None``: one window, the whole recording.
    families : sequence of str
        Names in ``FAMILIES``.
    min_quality : float, optional
        Windows of lower quality are withheld (empty features and a reason). Default: 0.6 for a
        camera, 0.3 for a contact PPG, 0.5 for an ECG or intervals.
    baseline : str or float, optional
        Name of a trial, or a duration in s at the start of each recording. For every feature a
        column with its difference from that baseline is added, ``rmssd_ms_vs_baseline``
        (:mod:`emotion_rppg.features.baseline_columns`).
    encoder : folder or Pretrained, optional
        Trained beat encoder; its embeddings become the columns ``emb_000`` …
    events : str or sequence of str, optional
        Kinds of event, or ``"all"``: one row per event, whose window begins ``before_s`` before its
        onset and ends ``after_s`` after it, in place of ``length_s`` and ``step_s``. The columns
        ``NAME_change`` have the change of each feature from the seconds before the onset to those
        after it (:mod:`emotion_rppg.study.event_rows`).
    before_s, after_s : float
        Begin and end of these windows, s before and after the onset.
    source : str
        Signal to read: ``"rppg"``, ``"bvp"``, ``"ecg"``, ``"rr"`` (the intervals that a device
        measured) or another name in ``KINDS``; ``"auto"``: the video if there is one, and a wave
        before intervals.
    region, face :
        Image region (``"face"``, ``"full"`` or ``"x,y,w,h"`` in pixels) and number of the face
        (1 = the largest) in videos. ``face="all"``: every person in a video has rows of their own,
        with their number in the column ``person`` (1, 2 …). The numbers of two videos are not of
        the same people.
    weights : path, optional
        Folder of a trained pulse network.
    edits : bool
        Whether beats that a person corrected (``emotion-rppg beats``, stored in
        ``RECORDING.beats.json``) replace the detected ones. The rows of such a recording have the
        columns ``edited_beats``, ``edited_noise_s`` and ``edited_by``.
    workers : int
        Number of processes.
    scheduler : str, optional
        ``tcp://host:port`` of a Dask scheduler, whose workers replace ``workers``.
    cache : Cache or folder, optional
        Cache for the rows and the camera wave of each recording. They are reused as long as input,
        parameters and code are the same (:mod:`emotion_rppg.runtime.cache`).
    device : str
        Device for networks: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    channel : str, optional
        Name of the column or channel to read of signal files with several; ``source`` says what it
        contains if its name does not.
    progress : function, optional
        Called with the numbers of finished and of all recordings.

    Returns
    -------
    DataFrame
        ``attrs["failures"]`` lists the recordings that could not be read, with the reason.
        `extraction_of` returns the options, which ``fit`` stores and ``predict`` repeats.

    Raises
    ------
    InputError
        An option is invalid, or no recording could be read.
    """
    items = as_recordings(recordings, channel=channel, kind=source.lower())
    if not items:
        raise InputError("no recording to extract from: give at least one")
    options = Extraction(
        method=canonical(method),
        source=source,
        weights=weights,
        region=region,
        face=face,
        channel=channel,
        length_s=length_s,
        step_s=step_s,
        families=families,
        baseline=baseline,
        encoder=encoder,
        min_quality=min_quality,
        events=events,
        before_s=before_s,
        after_s=after_s,
        edits=edits,
    )
    from emotion_rppg.features import check_families

    check_families(options.families)
    check_min_quality(min_quality)
    check_event_options(options)
    _check_people(options)
    check_events(items, options)
    check_signals(items, options, Reading.of(options, device))
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    finished: dict[int, pd.DataFrame | str] = {}
    for number, outcome in _extract_all(items, options, device, store, workers, scheduler):
        finished[number] = outcome
        if isinstance(outcome, str):
            _log.warning("%s: %s", items[number].name, outcome)
        if progress is not None:
            progress(len(finished), len(items))
    outcomes = [finished[number] for number in range(len(items))]
    tables = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    failures = [
        {"recording": recording.name, "reason": outcome}
        for recording, outcome in zip(items, outcomes, strict=True)
        if isinstance(outcome, str)
    ]
    if not tables:
        raise InputError(failure_message(failures))
    table = complete_table(tables, options)
    table.attrs |= {"failures": failures, ATTRIBUTE: options.to_dict()}
    return table


def complete_table(tables: list[pd.DataFrame], options: Extraction) -> pd.DataFrame:
    """Join the rows of recordings and add baseline differences and embeddings."""
    from emotion_rppg.features import compared

    table = _join(tables)
    if options.baseline is not None:
        table = add_baseline_columns(table, options.baseline, columns=compared(table))
    return table if options.encoder is None else _add_embeddings(table, options.encoder)


def failure_message(failures: list[dict[str, str]]) -> str:
    """Explain in one sentence why no recording could be read."""
    first = failures[0]
    if len(failures) == 1:
        return first["reason"]
    return (
        f"none of {len(failures)} recordings could be read; the first, {first['recording']}: "
        f"{first['reason']}"
    )


def _extract_all(
    items: Sequence[Recording],
    options: Extraction,
    device: str,
    store: Cache | None,
    workers: int,
    scheduler: str | None,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """Extract each recording: yield its number and its rows or a reason; cached ones come first."""
    import pandas as pd

    reading = Reading.of(options, device)
    keys = [None if store is None else _rows_key(r, reading, options) for r in items]

    def cached(number: int) -> _Outcome | None:
        rows = None if store is None else store.get(keys[number])
        return (rows, None) if isinstance(rows, pd.DataFrame) else None

    jobs = [(item, reading, options, store) for item in items]
    run = map_unless_cached(_extract_one, jobs, cached, workers=workers, scheduler=scheduler)
    for number, outcome, new in run:
        if isinstance(outcome, str):
            yield number, outcome
            continue
        rows, waves = outcome
        if store is not None and new:
            if waves is not None:
                item = items[number]
                store.put(wave_key(item, reading), cacheable(item, reading, waves))
            store.put(keys[number], rows)
        yield number, rows


def _rows_key(recording: Recording, reading: Reading, options: Extraction) -> str | None:
    """Compute the cache key of a recording's rows; None if it has no fingerprint."""
    from emotion_rppg.features import FAMILIES, needs_pulse

    window = (options.length_s, options.step_s, options.families, options.min_quality)
    about = () if options.events is None else (options.events, options.before_s, options.after_s)
    records: list[Any] = [FAMILIES[name] for name in options.families]
    sensors = {kind: recording.signals.get(kind) for kind in sensors_of(options)}
    try:
        pulse = needs_pulse(options.families) and (not sensors or reading.available(recording))
        inputs = wave_inputs(recording, reading) if pulse else []
        facts = reading.facts(recording, pulse=pulse)
        events = recording.read_events() if about else ()
        # a family or a kind from outside the package may change unnoticed: it has no fingerprint
        records += [KINDS[reading.kind(recording)]] if pulse else []
        edits = edits_path(recording, reading) if pulse and options.edits else None
        return fingerprint("rows", inputs, facts, window, about, events, records, sensors, edits)
    except InputError:
        return None  # the error is reported when the recording is read


def or_failure_reason(work: Callable[[], T]) -> T | str:
    """Call a function; return its result, or the reason of its failure as text."""
    try:
        return work()
    except InputError as error:
        return str(error)
    except Exception as error:  # a bug of the package in one file must not stop a study
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        return f"unexpected {type(error).__name__} in {where}: {error}; please report it"


def _extract_one(
    recording: Recording, reading: Reading, options: Extraction, store: Cache | None
) -> _Outcome:
    """Extract the rows of a recording, with its waves if these are to be cached, or a reason."""
    cached = cached_waves(recording, reading, store)

    def read() -> tuple[pd.DataFrame, Sequence[Pulse]]:
        pulses, reason = read_pulse(recording, reading, options, cached=cached, cache=store)
        return features_of_all(recording, pulses, reading, options, no_pulse=reason), pulses

    outcome = or_failure_reason(read)
    if isinstance(outcome, str):
        return outcome
    rows, pulses = outcome
    new = cached is None and bool(pulses) and reading.is_camera(recording) and store is not None
    return rows, [p for p in pulses if isinstance(p, Signal)] if new else None


def check_signals(items: Sequence[Recording], options: Extraction, reading: Reading) -> None:
    """Refuse families of signals that no recording has, before any is read.

    Raises
    ------
    InputError
        All such signals, in one message.
    """
    from emotion_rppg.features import kinds_of

    sensors = sensors_of(options)
    faults = [
        f"no recording has the signal {kind!r} ({SENSORS[kind].name}, {SENSORS[kind].unit})"
        for kind in sensors
        if not any(kind in recording.signals for recording in items)
    ]
    wants_pulse = bool(sensors) and PULSE in kinds_of(options.families)
    if wants_pulse and not any(reading.available(recording) for recording in items):
        faults.append(f"no recording has a pulse ({', '.join(KINDS)} or a video)")
    if faults:
        available = sorted({kind for recording in items for kind in recording.signals})
        raise InputError(
            f"{'; '.join(faults)}; the signals are: {', '.join(available) or 'none'}. Omit the "
            "families that need what is missing (families=…, --families)"
        )


def _check_people(options: Extraction) -> None:
    """Refuse a baseline trial with ``face="all"``: people of two videos are not matched."""
    if options.face == EVERYBODY and isinstance(options.baseline, str):
        raise InputError(
            f"baseline {options.baseline!r} with face={EVERYBODY!r}: the people of two videos are "
            "not matched; give the baseline in seconds, or the face of one person"
        )
    if options.face == EVERYBODY and sensors_of(options):
        raise InputError(
            f"families of {', '.join(sensors_of(options))} with face={EVERYBODY!r}: the sensors "
            "are of one person in the video; give the face of that person"
        )


def _join(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Join tables; a column that only some recordings have is empty for the others."""
    import pandas as pd

    columns = list(dict.fromkeys(c for table in tables for c in table))
    empty = {EDITED_BEATS: 0.0, EDITED_NOISE_S: 0.0, EDITED_BY: ""}
    return order_columns(
        pd.DataFrame(
            {
                c: pd.concat(
                    [
                        t[c] if c in t else pd.Series(empty.get(c, np.nan), t.index, dtype=object)
                        for t in tables
                    ],
                    ignore_index=True,
                )
                for c in columns
            }
        ).infer_objects()
    )


def _add_embeddings(table: pd.DataFrame, encoder: Any) -> pd.DataFrame:
    """Add the embeddings of an encoder and whom it was trained on; NaN without a trusted pulse."""
    import pandas as pd

    from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder

    trained = load_encoder(encoder) if isinstance(encoder, str | Path) else encoder
    vectors = np.where(trusted(table)[:, None], trained.embed(trained.tokens(table)), np.nan)
    names = [f"{EMBEDDING}{i:03d}" for i in range(vectors.shape[1])]
    people = trained.trained_on
    return table.assign(
        encoder=Path(encoder).name if isinstance(encoder, str | Path) else "encoder",
        encoder_trained_on=people if isinstance(people, str) else json.dumps(people),
    ).join(pd.DataFrame(vectors, columns=names, index=table.index))
