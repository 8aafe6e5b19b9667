"""How well waves read from faces agree with a contact sensor: a row a recording and method.

The reference is the contact PPG of the recording, or its ECG where it has none: rates are counted
from its beats, not read from a spectrum that was filtered like the camera's (which hides errors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.evaluation.leakage import refuse_trained_on
from emotion_rppg.evaluation.result import FAILURES, PulseEvaluation, table_of
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
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.cache import Cache
from emotion_rppg.runtime.cache_keys import fingerprint
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
WINDOW_S = 30.0  # of the rates that are judged window by window; they do not overlap
BAND_HZ = (0.6, 4.0)  # of waves that are compared
LARGEST_LAG_S = 0.25  # more is half a beat of a fast heart: it could not be told from polarity


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
    """Read every recording that has a video and a contact pulse by every method, and compare.

    Parameters
    ----------
    methods : sequence of str, path or function
        As ``estimate`` takes them.
    allow_unknown_training : bool
        Accept a network that does not say whom it was trained on; ``unknown_training`` says so.
    cache : path, optional
        A folder for the finished recordings, so that a run that was stopped goes on there.

    Returns
    -------
    PulseEvaluation
        ``.scores`` has one row per recording and method: identity, labels, what `measured` gives
        for the whole of it, and the errors of its windows' rates (``window_mae_bpm`` …).
        ``.windows`` has one row per window of 30 s, ``.failures`` what could not be read, with the
        reason.

    Raises
    ------
    Leak
        A network was trained on a person of the set, or does not say on whom.
    InputError
        An unknown method or device; no recording could be read.
    """
    import pandas as pd

    from emotion_rppg.pulse.estimate import resolve_method

    _check_names([method_name(method) for method in methods])
    for method in methods:
        resolve_method(method, None, device)  # what is unknown or missing is said before the work
    readings = [Reading(method, "rppg", device=device) for method in methods]
    jobs = [(recording, how) for recording in as_recordings(recordings) for how in readings]
    facts = [or_failure_reason(lambda job=job: _facts(*job)) for job in jobs]  # type: ignore[misc]
    known = pd.DataFrame([fact for fact in facts if not isinstance(fact, str)])
    unknown = bool(len(known)) and refuse_trained_on(
        known, np.ones(len(known), bool), allow_unknown_training
    )
    found: dict[int, pd.DataFrame | str] = {k: f for k, f in enumerate(facts) if isinstance(f, str)}
    left = [k for k in range(len(jobs)) if k not in found]
    store = None if cache is None else Cache(cache)
    for number, rows in _outcomes({k: jobs[k] for k in left}, store, workers, scheduler):
        found[number] = rows
        if progress is not None:
            progress(len(found), len(jobs))
    return _assembled(jobs, found, unknown)


def _outcomes(
    jobs: dict[int, tuple[Recording, Reading]],
    store: Cache | None,
    workers: int,
    scheduler: str | None,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """Each job's number with its rows, or why there are none; the kept ones come first.

    What is left of a recording's jobs is done together: its video is decoded once.
    """
    import pandas as pd

    keys = {number: None if store is None else _key(*job) for number, job in jobs.items()}
    left: dict[int, list[int]] = {}
    for number, (recording, _) in jobs.items():
        rows = None if store is None else store.get(keys[number])
        if isinstance(rows, pd.DataFrame):
            yield number, rows
        else:
            left.setdefault(id(recording), []).append(number)
    together = list(left.values())
    work = [(jobs[numbers[0]][0], [jobs[n][1] for n in numbers]) for numbers in together]
    run = map_unless_cached(_compared, work, lambda _: None, workers=workers, scheduler=scheduler)
    for position, found, _ in run:
        for number, rows in zip(together[position], found, strict=True):
            if store is not None and not isinstance(rows, str):
                store.put(keys[number], rows)
            yield number, rows


def _check_names(names: list[str]) -> None:
    """Rows are told apart by the method's name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not names:
        what = "no method" if twice is None else f"{twice!r} twice"
        raise InputError(f"the methods name {what}: want one or more, each with a name of its own")


def _facts(recording: Recording, how: Reading) -> dict[str, object]:
    """Identity of a recording that can be judged."""
    if recording.video is None:
        raise InputError(f"{recording.name} has no video to read")
    if not set(CONTACT) & set(recording.signals):
        raise InputError(f"{recording.name} has no contact pulse (bvp or ecg) to compare with")
    return how.facts(recording)


def _key(recording: Recording, how: Reading) -> str | None:
    truth = [recording.signals.get(kind) for kind in CONTACT]
    return fingerprint("pulse", wave_inputs(recording, how), how.facts(recording), truth)


def _compared(recording: Recording, readings: Sequence[Reading]) -> list[pd.DataFrame | str]:
    """The rows of each reading, or why there are none."""
    from emotion_rppg.pulse.estimate import estimate_each

    def read() -> list[Callable[[], Signal]]:
        assert recording.video is not None  # by `_facts`
        methods = [how.method for how in readings]
        return estimate_each(recording.video, methods, device=readings[0].device)

    waves = or_failure_reason(read)
    if isinstance(waves, str):
        return [waves] * len(readings)
    return [
        or_failure_reason(lambda wave=wave, how=how: compared(recording, how, wave()))  # type: ignore[misc]
        for how, wave in zip(readings, waves, strict=True)
    ]


def compared(recording: Recording, how: Reading, wave: Signal) -> pd.DataFrame:
    """What `measured` gives for a recording's wave (first row) and for its windows."""
    import pandas as pd

    kind = next(kind for kind in CONTACT if kind in recording.signals)
    contact = recording.read(kind)
    beats, truth = find_beats(wave), find_beats(contact)
    start, end = max(wave.start_s, contact.start_s), min(wave.end_s, contact.end_s)
    if end - start < LEAST_S:
        raise InputError(
            f"{recording.name}: its video and its {kind} share {max(end - start, 0):.1f} s: want "
            f"{LEAST_S:g} s on one clock"
        )
    starts = start + WINDOW_S * np.arange(int((end - start) / WINDOW_S + 1e-6))
    spans = [(start, end), *((at, at + WINDOW_S) for at in starts)]
    rows = [
        {
            "span": "window" if k else "recording",
            "start_s": a,
            "duration_s": b - a,
            "reference": kind,
            **measured(
                wave.crop(a, b),
                beats.crop(a, b),
                contact.crop(a, b) if kind == "bvp" else None,
                truth.crop(a, b),
            ),
        }
        for k, (a, b) in enumerate(spans)
    ]
    return pd.DataFrame(rows).assign(**how.facts(recording))


def measured(
    wave: Signal, beats: Beats, contact: Signal | None, truth: Beats
) -> dict[str, float | str]:
    """What a camera's wave and its beats are worth against the true ones of the same stretch.

    ``contact`` is the true wave, where there is one. ``r`` is signed: below zero the wave is upside
    down; ``lag_ms`` is how late it comes, ±250 ms at most. ``withheld`` is 1 where
    `estimate_heart_rate` gives no rate, as in `pulse`, for the ``reason``; every other number is
    there even then.
    """
    true, own, errors = beat_measures(truth), beat_measures(beats), beat_errors(beats, truth)
    verdict = estimate_heart_rate(wave, beats)
    return {
        "hr_true_bpm": true.hr_bpm,
        "hr_bpm": heart_rate(wave),
        "beat_hr_bpm": own.hr_bpm,
        "snr_db": snr_db(wave, true.hr_bpm),
        **_agreement(wave, contact),
        "beat_f1": errors.f1,
        "beat_jitter_ms": errors.jitter_ms,
        "beat_delay_ms": errors.offset_ms,
        "sdnn_true_ms": true.sdnn_ms,
        "sdnn_ms": own.sdnn_ms,
        "rmssd_true_ms": true.rmssd_ms,
        "rmssd_ms": own.rmssd_ms,
        "coverage": wave.coverage,
        "beat_coverage": beats.coverage,
        "reference_coverage": truth.coverage,
        "quality": verdict.quality,
        "withheld": float(verdict.hr_bpm is None),
        "reason": verdict.reason or "",
    }


def _agreement(wave: Signal, contact: Signal | None) -> dict[str, float]:
    """Correlation and lag over all that both saw; MACC over its longest stretch."""
    nothing = dict.fromkeys(("r", "lag_ms", "macc", "macc_chance"), float("nan"))
    if contact is None:
        return nothing
    at = np.interp(wave.times_s, contact.times_s, contact.samples, left=np.nan, right=np.nan)
    a = wave.bandpass(*BAND_HZ)
    b = Signal(at, wave.rate_hz).bandpass(*BAND_HZ)
    both = Signal(a.samples + b.samples, wave.rate_hz).runs()
    if not both:
        return nothing
    upright, inverted = (
        wave_correlation(sign * a.samples, b.samples, wave.rate_hz, within_s=LARGEST_LAG_S)
        for sign in (1, -1)
    )
    r, lag_s = upright if not inverted[0] > upright[0] else (-inverted[0], inverted[1])
    first, stop = max(both, key=lambda run: run[1] - run[0])
    pair = a.samples[first:stop], b.samples[first:stop]
    return {"r": r, "lag_ms": 1e3 * lag_s, "macc": macc(*pair), "macc_chance": macc_chance(*pair)}


def _assembled(
    jobs: list[tuple[Recording, Reading]], found: dict[int, pd.DataFrame | str], unknown: bool
) -> PulseEvaluation:
    """Rows of recordings in the order of the jobs; the windows and failures beside them."""
    import pandas as pd

    failures = [
        {"recording": recording.name, "method": str(how.method), "reason": found[k]}
        for k, (recording, how) in enumerate(jobs)
        if isinstance(found[k], str)
    ]
    tables = [_with_windows(t) for k in range(len(jobs)) if not isinstance(t := found[k], str)]
    if not tables:
        raise InputError(failure_message(failures) if failures else "there is no recording to read")
    table = order_columns(pd.concat(tables, ignore_index=True).assign(unknown_training=unknown))
    table = table.drop(columns=[name for name in table if name.startswith(SCALE)])
    whole = table["span"] == "recording"
    return PulseEvaluation(
        scores=table[whole].drop(columns="span").reset_index(drop=True),
        windows=table[~whole].drop(columns=["span", *WINDOW_ERRORS]).reset_index(drop=True),
        failures=table_of(failures, FAILURES),
    )


WINDOW_ERRORS = ("window_mae_bpm", "window_rmse_bpm", "window_mape_pct", "window_r")


def _with_windows(table: pd.DataFrame) -> pd.DataFrame:
    """With the errors of the windows' rates in the row of their recording."""
    inside = table[table["span"] == "window"]
    errors = rate_errors(inside["hr_bpm"].to_numpy(), inside["hr_true_bpm"].to_numpy())
    whole = table["span"] == "recording"
    values: dict[str, Any] = dict(zip(WINDOW_ERRORS, errors, strict=True))
    return table.assign(**{name: whole.map({True: v}) for name, v in values.items()})
