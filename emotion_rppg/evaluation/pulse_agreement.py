"""Compare camera pulse waves with a contact sensor: one row per recording and method.

The reference is the contact PPG of the recording, or its ECG where it has no PPG. Reference rates
come from its beats. A spectrum that was filtered like that of the camera would hide errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.datasets.manifest import SYNTHETIC
from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import refuse_donors, refuse_trained_on
from emotion_rppg.evaluation.result import FAILURES, ORIGINS, PulseEvaluation, table_of
from emotion_rppg.features.beats import find_beats
from emotion_rppg.features.beats.heart_rate import estimate_heart_rate
from emotion_rppg.metrics import (
    beat_errors,
    beat_measures,
    macc,
    macc_chance,
    rate_errors,
    wave_correlation,
)
from emotion_rppg.pulse import canonical
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.runtime.model_folders import read_config
from emotion_rppg.runtime.parallel import map_unless_cached
from emotion_rppg.signal_quality import LEAST_S, heart_rate, snr_db
from emotion_rppg.signals import Beats, Signal
from emotion_rppg.study import (
    Reading,
    as_recordings,
    failure_message,
    method_name,
    or_failure_reason,
    order_columns,
    wave_inputs,
)
from emotion_rppg.windows import SCALE

if TYPE_CHECKING:
    import pandas as pd

CONTACT = ("bvp", "ecg")  # references, the better one first
WINDOW_S = 30.0  # windows without overlap, for the errors of rates
BAND_HZ = (0.6, 4.0)  # both waves are filtered to this band before they are compared
LARGEST_LAG_S = 0.25  # a larger lag is half a beat of a fast heart: confused with polarity


def evaluate_pulse(
    recordings: Iterable[Recording] | str | Path,
    *,
    methods: Sequence[str | Path | Callable[..., np.ndarray]],
    allow_unknown_training: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> PulseEvaluation:
    """Estimate pulse waves from videos by each method and compare them with a contact sensor.

    Recordings need a video and a contact pulse (``bvp`` or ``ecg``).

    Parameters
    ----------
    methods : sequence of str, path or function
        As in ``estimate``.
    allow_unknown_training : bool
        Accept a network whose training people are unknown; the column ``unknown_training`` marks
        the results.
    cache : path, optional
        A folder for finished recordings, so that a stopped run continues where it stopped.

    Returns
    -------
    PulseEvaluation
        ``.scores`` has one row per recording and method: identity, labels, the values of
        `compare_waves` over the complete recording, and the errors of its windows' rates
        (``window_mae_bpm`` …). ``.windows`` has one row per window of 30 s, ``.failures`` the
        recordings that could not be read, with the reason.

    Raises
    ------
    Leak
        A network was trained on one of these people, or its training people are unknown.
    InputError
        An unknown method or device; no recording could be read.
    """
    import pandas as pd

    from emotion_rppg.pulse.estimate import resolve_method

    readings = [Reading(method, "rppg", device=device) for method in methods]
    names = [method_name(reading.method) for reading in readings]
    _check_names(names)
    for method in methods:
        resolve_method(method, None, device)  # an unknown or missing one is an error before work
    jobs = [(recording, reading) for recording in as_recordings(recordings) for reading in readings]
    origins = {name: _Origin.of(r.method) for name, r in zip(names, readings, strict=True)}
    facts = [or_failure_reason(partial(_facts, *job)) for job in jobs]
    known = pd.DataFrame([fact for fact in facts if not isinstance(fact, str)])
    if len(known):
        known["trained_on"] = [origins[name].trained_on for name in known["method"]]
        refuse_trained_on(known, np.ones(len(known), bool), allow_unknown_training)
    videos = {recording.video.path for recording, _ in jobs if recording.video is not None}
    for origin in origins.values():
        refuse_donors(videos, origin.trained_on)
    results: dict[int, pd.DataFrame | str]
    results = {k: fact for k, fact in enumerate(facts) if isinstance(fact, str)}
    remaining = {k: job for k, job in enumerate(jobs) if k not in results}
    store = None if cache is None else Cache(cache)
    for number, rows in _run_jobs(remaining, store, workers, scheduler):
        results[number] = rows
        if progress is not None:
            progress(len(results), len(jobs))
    return _assemble(jobs, results, origins)


def _run_jobs(
    jobs: dict[int, tuple[Recording, Reading]],
    store: Cache | None,
    workers: int,
    scheduler: str | None,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """Yield each job's number with its rows, or the reason why it failed; cached ones come first.

    The remaining jobs of one recording run together, so that its video is decoded once.
    """
    import pandas as pd

    keys = {number: None if store is None else _key(*job) for number, job in jobs.items()}
    remaining: dict[int, list[int]] = {}
    for number, (recording, _) in jobs.items():
        rows = None if store is None else store.get(keys[number])
        if isinstance(rows, pd.DataFrame):
            yield number, rows
        else:
            remaining.setdefault(id(recording), []).append(number)
    by_recording = list(remaining.values())
    calls = [(jobs[numbers[0]][0], [jobs[n][1] for n in numbers]) for numbers in by_recording]
    for position, results, _ in map_unless_cached(
        _compare_readings, calls, lambda _: None, workers=workers, scheduler=scheduler
    ):
        for number, rows in zip(by_recording[position], results, strict=True):
            if store is not None and not isinstance(rows, str):
                store.put(keys[number], rows)
            yield number, rows


def _check_names(names: list[str]) -> None:
    """Raise `InputError` if no method is given or two have one name, which identifies the rows."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not names:
        given = "no method was given" if twice is None else f"the methods name {twice!r} twice"
        raise InputError(f"{given}: want one or more methods with different names")


def _facts(recording: Recording, reading: Reading) -> dict[str, object]:
    """Return the identity of a recording; raise `InputError` without a video or contact pulse."""
    if recording.video is None:
        raise InputError(f"{recording.name} has no video: want one to compare with its sensor")
    if not set(CONTACT) & set(recording.signals):
        raise InputError(f"{recording.name} has no contact pulse (bvp or ecg) to compare with")
    return reading.facts(recording)


def _key(recording: Recording, reading: Reading) -> str | None:
    truth = [recording.signals.get(kind) for kind in CONTACT]
    return fingerprint("pulse", wave_inputs(recording, reading), reading.facts(recording), truth)


def _compare_readings(
    recording: Recording, readings: Sequence[Reading]
) -> list[pd.DataFrame | str]:
    """Estimate and compare a recording's waves: the rows of each reading, or its failure reason."""
    from emotion_rppg.pulse.estimate import estimate_each

    def read() -> list[Callable[[], Signal]]:
        assert recording.video is not None  # by `_facts`
        methods = [reading.method for reading in readings]
        return estimate_each(recording.video, methods, device=readings[0].device)

    waves = or_failure_reason(read)
    if isinstance(waves, str):
        return [waves] * len(readings)
    return [
        or_failure_reason(partial(_compare_when_estimated, recording, reading, wave))
        for reading, wave in zip(readings, waves, strict=True)
    ]


def _compare_when_estimated(
    recording: Recording, reading: Reading, wave: Callable[[], Signal]
) -> pd.DataFrame:
    return compare_recording(recording, reading, wave())


def compare_recording(recording: Recording, reading: Reading, wave: Signal) -> pd.DataFrame:
    """Compare a recording's wave with its contact sensor: complete (first row) and by window."""
    import pandas as pd

    kind = next(kind for kind in CONTACT if kind in recording.signals)
    contact = recording.read(kind)
    beats, truth = find_beats(wave), find_beats(contact)
    start, end = max(wave.start_s, contact.start_s), min(wave.end_s, contact.end_s)
    if end - start < LEAST_S:
        raise InputError(
            f"{recording.name}: its video and its {kind} overlap by {max(end - start, 0):.1f} s: "
            f"want {LEAST_S:g} s on a common clock"
        )
    starts = start + WINDOW_S * np.arange(int((end - start) / WINDOW_S + 1e-6))
    spans = [(start, end), *((at, at + WINDOW_S) for at in starts)]
    rows = [
        {
            "span": "window" if k else "recording",
            "start_s": a,
            "duration_s": b - a,
            "reference": kind,
            **compare_waves(
                wave.crop(a, b),
                beats.crop(a, b),
                contact.crop(a, b) if kind == "bvp" else None,
                truth.crop(a, b),
            ),
        }
        for k, (a, b) in enumerate(spans)
    ]
    return pd.DataFrame(rows).assign(**reading.facts(recording))


def compare_waves(
    wave: Signal, beats: Beats, contact: Signal | None, truth: Beats
) -> dict[str, float | str]:
    """Compare a camera wave and its beats with the reference wave and beats of the same time.

    ``contact`` is the reference wave; None where the reference is an ECG. ``r`` is signed: a
    negative value means an inverted wave. ``lag_ms`` is the delay of the camera wave, ±250 ms at
    most. ``withheld`` is 1 where `estimate_heart_rate` withholds the rate, with its ``reason``; all
    other values are given even then.
    """
    true, estimated, errors = beat_measures(truth), beat_measures(beats), beat_errors(beats, truth)
    rate = estimate_heart_rate(wave, beats)
    return {
        "hr_true_bpm": true.hr_bpm,
        "hr_bpm": heart_rate(wave),
        "beat_hr_bpm": estimated.hr_bpm,
        "snr_db": snr_db(wave, true.hr_bpm),
        **_agreement(wave, contact),
        "beat_f1": errors.f1,
        "beat_jitter_ms": errors.jitter_ms,
        "beat_delay_ms": errors.offset_ms,
        "sdnn_true_ms": true.sdnn_ms,
        "sdnn_ms": estimated.sdnn_ms,
        "rmssd_true_ms": true.rmssd_ms,
        "rmssd_ms": estimated.rmssd_ms,
        "coverage": wave.coverage,
        "beat_coverage": beats.coverage,
        "reference_coverage": truth.coverage,
        "quality": rate.quality,
        "withheld": float(rate.hr_bpm is None),
        "reason": rate.reason or "",
    }


def _agreement(wave: Signal, contact: Signal | None) -> dict[str, float]:
    """Compute correlation and lag where both waves exist, and MACC over the longest such part."""
    no_agreement = dict.fromkeys(("r", "lag_ms", "macc", "macc_chance"), float("nan"))
    if contact is None:
        return no_agreement
    at = np.interp(wave.times_s, contact.times_s, contact.samples, left=np.nan, right=np.nan)
    a = wave.bandpass(*BAND_HZ)
    b = Signal(at, wave.rate_hz).bandpass(*BAND_HZ)
    overlaps = Signal(a.samples + b.samples, wave.rate_hz).runs()
    if not overlaps:
        return no_agreement
    upright, inverted = (
        wave_correlation(sign * a.samples, b.samples, wave.rate_hz, within_s=LARGEST_LAG_S)
        for sign in (1, -1)
    )
    r, lag_s = upright if not inverted[0] > upright[0] else (-inverted[0], inverted[1])
    first, stop = max(overlaps, key=lambda run: run[1] - run[0])
    pair = a.samples[first:stop], b.samples[first:stop]
    return {"r": r, "lag_ms": 1e3 * lag_s, "macc": macc(*pair), "macc_chance": macc_chance(*pair)}


def _assemble(
    jobs: list[tuple[Recording, Reading]],
    results: dict[int, pd.DataFrame | str],
    origins: dict[str, _Origin],
) -> PulseEvaluation:
    """Assemble rows of recordings in the order of the jobs, their windows and the failures."""
    import pandas as pd

    failures = [
        {"recording": recording.name, "method": str(reading.method), "reason": results[k]}
        for k, (recording, reading) in enumerate(jobs)
        if isinstance(results[k], str)
    ]
    in_order = [results[k] for k in range(len(jobs))]
    tables = [_with_window_errors(rows) for rows in in_order if not isinstance(rows, str)]
    if not tables:
        raise InputError(failure_message(failures) if failures else "no recording was given")
    table = order_columns(pd.concat(tables, ignore_index=True))
    table["trained_on"] = [origins[name].trained_on for name in table["method"]]
    table["unknown_training"] = table["trained_on"] == "unknown"
    table = table.drop(columns=[name for name in table if name.startswith(SCALE)])
    is_recording = table["span"] == "recording"
    return PulseEvaluation(
        scores=table[is_recording].drop(columns="span").reset_index(drop=True),
        windows=table[~is_recording].drop(columns=["span", *WINDOW_ERRORS]).reset_index(drop=True),
        failures=table_of(failures, FAILURES),
        origins=table_of([origin.row(name) for name, origin in origins.items()], ORIGINS),
    )


@dataclass(frozen=True)
class _Origin:
    """The weights behind a method: file that they come from, training people (JSON), licence."""

    checkpoint: str = ""
    trained_on: str = ""
    licence: str = ""

    @classmethod
    def of(cls, method: str | Path | Callable[..., np.ndarray]) -> _Origin:
        """Read the origin from the config.json of a network's folder; empty for other methods."""
        from emotion_rppg.pulse.inference.trained_network import BUNDLED, BUNDLED_NAME

        if callable(method):
            return cls()
        folder = Path(method) if Path(method).is_dir() else BUNDLED.get(str(canonical(method)))
        if folder is None:
            return cls()
        config = read_config(folder)
        people, source = config.get("trained_on", "unknown"), config.get("source", {})
        own = BUNDLED_NAME if folder in BUNDLED.values() else folder.resolve().name
        return cls(
            checkpoint=source.get("file", config.get("training", {}).get("converted_from", own)),
            trained_on=people if isinstance(people, str) else json.dumps(people),
            licence=source.get("licence", ""),
        )

    def row(self, method: str) -> dict[str, str]:
        """Make the row of a method in ``PulseEvaluation.origins``."""
        text = self.trained_on or "no training"
        if text.startswith("{"):
            text = "; ".join(
                name if name.startswith(SYNTHETIC) else f"{name} ({len(ids)} people)"
                for name, ids in json.loads(text).items()
            )
        row = {"method": method, "checkpoint": self.checkpoint, "licence": self.licence}
        return {**row, "trained_on": text}


WINDOW_ERRORS = ("window_mae_bpm", "window_rmse_bpm", "window_mape_pct", "window_r")


def _with_window_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Add the errors of the windows' rates to the row of their recording."""
    inside = table[table["span"] == "window"]
    errors = rate_errors(inside["hr_bpm"].to_numpy(), inside["hr_true_bpm"].to_numpy())
    is_recording = table["span"] == "recording"
    values: dict[str, Any] = dict(zip(WINDOW_ERRORS, errors, strict=True))
    return table.assign(**{name: is_recording.map({True: v}) for name, v in values.items()})
