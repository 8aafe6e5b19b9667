"""Recordings → feature table: a row a window, resumable, one bad file does not stop a study."""

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
from emotion_rppg.extraction import ATTRIBUTE, Extraction
from emotion_rppg.features.baseline_columns import add_baseline_columns
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.trust import beats_of, check_min_quality, quality_of, withhold
from emotion_rppg.pulse import canonical
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.parallel import map_unless_cached
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study.acquisition import (
    Progress,
    Reading,
    as_recordings,
    kept_wave,
    view,
    wave_key,
)
from emotion_rppg.windows import EMBEDDING, IDENTITY, LABEL, SCALE, cut, trusted

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")
_Outcome: TypeAlias = "tuple[pd.DataFrame, Signal | None] | str"


def _fields_from_extraction(function: Callable[P, T]) -> Callable[P, T]:
    """Take what is not given by keyword from ``extraction``, the second argument, where it is."""

    @wraps(function)
    def filled(*given: P.args, **named: P.kwargs) -> T:
        extraction = given[1] if len(given) > 1 else named.get("extraction")
        if isinstance(extraction, Extraction):
            for field in fields(extraction):
                named.setdefault(field.name, getattr(extraction, field.name))
        elif extraction is not None:
            raise InputError(
                f"extraction is an Extraction, got {type(extraction).__name__}: write "
                "extract(recordings, Extraction(…)), and other parameters by their names"
            )
        return function(*given, **named)

    return filled


@_fields_from_extraction
def extract(
    recordings: Iterable[Recording] | str | Path | Video,
    extraction: Extraction | None = None,
    *,
    method: str | Path | Callable[..., np.ndarray] = "pos",
    length_s: float | None = 60.0,
    step_s: float | None = 30.0,
    families: Sequence[str] = ("hrv", "sequence"),
    min_quality: float | None = None,
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
    channel: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Feature table of a study: one row a window.

    Beats are detected once a recording, so no window has filter edges. A window of any source that
    shows no pulse to trust keeps its row, with empty features and the reason; single features whose
    standard error outweighs them are withheld alike.

    Parameters
    ----------
    recordings : iterable of Recording, or path
        A data set, a list, or the path of a folder, a video or a signal CSV.
    extraction : Extraction, optional
        How to extract, as one value, such as that of another table (`extraction_of`) or of a model;
        what is given by keyword takes the place of its field.
    method : str, path or function
        How a video is read: a name of ``METHODS``, a network's folder, or a function
        ``(rgb (n, 3), rate_hz) -> (n,)``.
    length_s : float or None
        Window length in seconds; None: the whole recording.
    families : sequence of str
        Names in ``FAMILIES``.
    min_quality : float, optional
        Windows of a lower quality are withheld (empty features, the reason). Default: 0.6 of a
        camera, 0.3 of a contact PPG, 0.5 of an ECG.
    baseline : str or float, optional
        The name of a trial, or each recording's first so many seconds: beside every feature stands
        its difference from there, ``rmssd_ms_vs_baseline``
        (:mod:`emotion_rppg.features.baseline_columns`).
    encoder : folder or Pretrained, optional
        A trained beat encoder; its embeddings become the columns ``emb_000`` …
    source : str
        Which view of the heart to read: ``"rppg"``, ``"bvp"``, ``"ecg"`` or another name in
        ``KINDS``; ``"auto"``: the video if there is one.
    workers : int
        Processes.
    scheduler : str, optional
        ``tcp://host:port`` of a Dask scheduler, whose workers take the place of ``workers``.
    cache : Cache or folder, optional
        Keeps each recording's rows and camera wave as soon as they are done, and gives them back
        as long as input, parameters and code are the same (:mod:`emotion_rppg.runtime.cache`).
    channel : str, optional
        Name of the column or channel to read, of signal files with several; ``source`` says what
        it holds, where its name does not tell.

    Returns
    -------
    DataFrame
        ``attrs["failures"]`` lists the recordings that could not be read, with the reason;
        `extraction_of` gives how it was extracted, which ``fit`` stores and ``predict`` uses.

    Raises
    ------
    InputError
        If no recording could be read at all.
    """
    items = as_recordings(recordings, channel=channel, kind=source.lower())
    if not items:
        raise InputError("there is no recording to extract from")
    how = Extraction(
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
    )
    from emotion_rppg.features import check_families

    check_families(how.families)
    check_min_quality(min_quality)
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    found: dict[int, pd.DataFrame | str] = {}
    for number, outcome in _outcomes(items, how, device, store, workers, scheduler):
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
    table = completed(tables, how)
    table.attrs |= {"failures": failures, ATTRIBUTE: how.to_dict()}
    return table


def completed(tables: list[pd.DataFrame], extraction: Extraction) -> pd.DataFrame:
    """One table of the rows of recordings, with its differences from a baseline and embeddings."""
    from emotion_rppg.features import compared

    table = joined(tables)
    if extraction.baseline is not None:
        table = add_baseline_columns(table, extraction.baseline, columns=compared(table))
    return table if extraction.encoder is None else embedded(table, extraction.encoder)


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
    how: Extraction,
    device: str,
    store: Cache | None,
    workers: int,
    scheduler: str | None,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """Each recording's number with its rows, or why there are none; the kept ones come first."""
    import pandas as pd

    reading = Reading.of(how, device)
    keys = [None if store is None else _rows_key(r, reading, how) for r in items]

    def kept(number: int) -> _Outcome | None:
        rows = None if store is None else store.get(keys[number])
        return (rows, None) if isinstance(rows, pd.DataFrame) else None

    jobs = [(item, reading, how, store) for item in items]
    run = map_unless_cached(_guarded, jobs, kept, workers=workers, scheduler=scheduler)
    for number, outcome, new in run:
        if isinstance(outcome, str):
            yield number, outcome
            continue
        rows, wave = outcome
        if store is not None and new:
            if wave is not None:
                store.keep(wave_key(items[number], reading), wave)
            store.keep(keys[number], rows)
        yield number, rows


def _rows_key(recording: Recording, reading: Reading, how: Extraction) -> str | None:
    from emotion_rppg.features import FAMILIES

    window = (how.length_s, how.step_s, how.families, how.min_quality)
    try:
        seen, facts = view(recording, reading), reading.facts(recording)
        # a family or a kind from outside the package may change unseen: its rows are not cached
        records = [KINDS[reading.kind(recording)], *(FAMILIES[name] for name in how.families)]
        return fingerprint("rows", seen, facts, window, records)
    except InputError:
        return None  # it will be said when it is read


def or_failure_reason(work: Callable[[], T]) -> T | str:
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
    recording: Recording, reading: Reading, how: Extraction, store: Cache | None
) -> _Outcome:
    """One recording's rows, and its wave if that is to be kept, or why there are none."""
    known = kept_wave(recording, reading, store)

    def read() -> tuple[pd.DataFrame, Signal]:
        wave = reading.wave(recording) if known is None else known
        return features_of(recording, wave, reading, how), wave

    done = or_failure_reason(read)
    if isinstance(done, str):
        return done
    rows, wave = done
    camera = reading.is_camera(recording)
    return rows, wave if camera and store is not None and known is None else None


def features_of(
    recording: Recording,
    wave: Signal,
    reading: Reading,
    how: Extraction,
) -> pd.DataFrame:
    """Feature rows of one recording whose wave has been read, without baseline and embeddings."""
    import pandas as pd

    from emotion_rppg.features import FAMILIES, check_families

    check_families(how.families)  # another process knows those of the package alone
    facts = reading.facts(recording)
    beats = beats_of(wave)
    windows = cut(beats, wave, length_s=how.length_s, step_s=how.step_s, facts=facts)
    table, parts = windows.table, zip(windows.beats, windows.signals, strict=True)
    measured = pd.concat(
        [
            pd.DataFrame(
                {
                    "quality": [quality_of(beats, signal) for beats, signal in parts],
                    "timing_sd_ms": [_timing_sd_ms(part) for part in windows.beats],
                }
            ),
            *(FAMILIES[name](windows.beats, windows.signals) for name in how.families),
        ],
        axis=1,
    )
    trusted = withhold(measured, windows.beats, windows.signals, min_quality=how.min_quality)
    return ordered(pd.concat([table, trusted], axis=1))


def _timing_sd_ms(beats: Beats) -> float:
    """Root mean square of the standard errors of a window's beats, NaN where none is known."""
    if beats.timing_sd_s is None or not np.isfinite(beats.timing_sd_s).any():
        return float("nan")
    return 1e3 * float(np.sqrt(np.nanmean(beats.timing_sd_s**2)))


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of identity first, then labels with their scales, then what was measured."""
    first = [c for c in IDENTITY if c in table]
    labels = [c for c in table if c.startswith((LABEL, SCALE))]
    rest = [c for c in table if c not in first and c not in labels]
    return table[first + labels + rest]


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
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


def embedded(table: pd.DataFrame, encoder: Any) -> pd.DataFrame:
    import pandas as pd

    from emotion_rppg.emotion.deep.pretrained_encoder import load_encoder

    trained = load_encoder(encoder) if isinstance(encoder, str | Path) else encoder
    vectors = np.where(trusted(table)[:, None], trained.embed(trained.tokens(table)), np.nan)
    names = [f"{EMBEDDING}{i:03d}" for i in range(vectors.shape[1])]
    seen = trained.trained_on
    return table.assign(
        encoder=Path(encoder).name if isinstance(encoder, str | Path) else "encoder",
        encoder_trained_on=seen if isinstance(seen, str) else json.dumps(seen),
    ).join(pd.DataFrame(vectors, columns=names, index=table.index))
