"""Average the heart rate about events: within each person first, then over people with an interval.

The instantaneous heart rate at a time is 60 s over the normal-to-normal interval that contains it;
gaps are not bridged. Of each event its mean over the seconds before the onset (the baseline) is
subtracted. A person's curve is the mean over their events; the curve of all people is the mean over
persons, so that a person with many events does not count more. Its 95 % confidence interval is the
t interval over people at each time (pointwise, not for the curve as a whole). This cardiac response
to events was described by Graham 1978, Psychophysiology 15, 492–495.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.features.event_beats import rate_on_grid
from emotion_rppg.runtime.tables import AS_WRITTEN
from emotion_rppg.windows import EVENT, EVENT_BEATS, EVENT_NUMBER, people

if TYPE_CHECKING:
    import pandas as pd

PEOPLE, PERSON_LEVEL = "people", "person"  # values of the column ``level``
CHANGE_COLUMN = "hr_change_bpm"
COLUMNS = (
    *("level", "person", "time_s", CHANGE_COLUMN, "ci_low_bpm", "ci_high_bpm"),
    *("n_people", "n_events", "n_withheld"),
)
LEAST_BASELINE = 0.5  # share of the seconds before the onset that needs intervals
LEVEL = 0.95
_ONSET = ("event_onset_s", "start_s", "duration_s")


def event_curves(table: pd.DataFrame, *, rate_hz: float = 4.0, by: str = EVENT) -> pd.DataFrame:
    """Average the change of the heart rate about events, 1/min: of each person, then over people.

    Parameters
    ----------
    table : DataFrame
        Windows about events, as ``extract(…, events=…)`` returns them.
    rate_hz : float
        Times per second at which the curves are computed.
    by : str
        Column whose values have curves of their own: the kind of event, or a label.

    Returns
    -------
    DataFrame
        One row per curve and time, in the columns ``by`` and ``COLUMNS``. ``level`` is ``"people"``
        for the mean over people, with its 95 % interval, or ``"person"`` for the mean over the
        events of a person (``person`` is ``dataset/subject``). ``n_people`` and ``n_events`` count
        what has a value at that time, ``n_withheld`` the events of the curve that are not used.
        ``attrs["withheld"]`` lists these events, each with its reason.

    Raises
    ------
    InputError
        Not a table of events with beats, windows of different lengths, no seconds before the onset,
        or no event that can be used.
    """
    import pandas as pd

    _check(table, rate_hz, by)
    before_s, after_s = _limits(table)
    times = -before_s + np.arange(round((before_s + after_s) * rate_hz)) / rate_hz
    changes, withheld = _changes(table, times)
    if len(withheld) == len(table):
        (reason, count), *_ = Counter(entry["reason"] for entry in withheld).most_common(1)
        raise InputError(
            f"none of {len(table)} events has a heart-rate curve; of {count} the reason is: "
            f"{reason}"
        )
    parts = []
    groups, who = table[by].astype(str).to_numpy(), people(table).to_numpy()
    for group in dict.fromkeys(groups):
        rows = {one: (groups == group) & (who == one) for one in dict.fromkeys(who)}
        own = [_of_person(one, changes[at]) for one, at in rows.items() if at.any()]
        shown = [_over_people(own), *(curve for curve in own if curve.n_events.any())]
        parts += [curve.table(times).assign(**{by: group}) for curve in shown]
    out = pd.concat(parts, ignore_index=True)[[by, *COLUMNS]]
    out.attrs["withheld"] = withheld
    return out


@dataclass(frozen=True, eq=False)
class _Curve:
    """The curve of a person or of all people: arrays (times,), and the events without one."""

    level: str
    person: str
    mean: np.ndarray
    n_people: np.ndarray
    n_events: np.ndarray
    n_withheld: int
    half_width: np.ndarray

    def table(self, times: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        columns = (
            *(self.level, self.person, times.round(6), self.mean),
            *(self.mean - self.half_width, self.mean + self.half_width),
            *(self.n_people, self.n_events, self.n_withheld),
        )
        return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _check(table: pd.DataFrame, rate_hz: float, by: str) -> None:
    missing = [n for n in (EVENT, *_ONSET, EVENT_BEATS, by) if n not in table]
    if missing:
        raise InputError(
            f"the table has no column {', '.join(dict.fromkeys(missing))}: want windows about "
            "events of recordings with a pulse, as `emotion-rppg features --events` writes them"
        )
    if not (np.isfinite(rate_hz) and 0 < rate_hz <= 100):
        raise InputError(f"rate_hz is a number from 0 to 100, got {rate_hz!r}")


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return the seconds before and after the onset, which are those of every window."""
    onset, start, duration = (table[name].to_numpy(dtype=float) for name in _ONSET)
    before, after = onset - start, start + duration - onset
    if np.ptp(before) > 1e-6 or np.ptp(after) > 1e-6:
        raise InputError(
            "the windows of the events have different lengths: extract all events with one "
            "before_s and after_s"
        )
    if before[0] <= 1e-6:
        raise InputError(
            "the windows begin at the onsets, so that the events have no baseline: extract them "
            "with before_s above zero (--before)"
        )
    return round(float(before[0]), 6), round(float(after[0]), 6)


def _changes(
    table: pd.DataFrame, times: np.ndarray
) -> tuple[np.ndarray, list[dict[str, str | int]]]:
    """Compute each event's change from its baseline, (events, times), and list those without."""
    out = np.full((len(table), len(times)), np.nan)
    withheld: list[dict[str, str | int]] = []
    texts = table[EVENT_BEATS].fillna("").astype(str)
    given = table["reason"].fillna("").astype(str) if "reason" in table else texts
    numbers = table[EVENT_NUMBER] if EVENT_NUMBER in table else range(1, len(table) + 1)
    identity = zip(people(table), table[EVENT].astype(str), numbers, strict=True)
    for k, (text, reason, (one, event, number)) in enumerate(
        zip(texts, given, identity, strict=True)
    ):
        rate = rate_on_grid(text, times)
        before = rate[times < 0]
        share = float(np.isfinite(before).mean())
        if not text:
            why = reason or "no beats"
        elif share < LEAST_BASELINE:
            why = (
                f"no baseline: intervals cover {share:.0%} of the {-times[0]:g} s before the "
                f"onset, at least {LEAST_BASELINE:.0%} are wanted"
            )
        else:
            out[k] = rate - np.nanmean(before)
            continue
        withheld.append({"person": one, "event": event, "event_number": int(number), "reason": why})
    return out, withheld


def _of_person(name: str, changes: np.ndarray) -> _Curve:
    """Average the events of a person, (events, times), over those with a value at each time."""
    count = np.isfinite(changes).sum(axis=0)
    left_out = int((~np.isfinite(changes).any(axis=1)).sum())
    no_interval = np.full(changes.shape[1], np.nan)
    at_all = (count > 0).astype(int)
    return _Curve(PERSON_LEVEL, name, _mean(changes), at_all, count, left_out, no_interval)


def _over_people(own: Sequence[_Curve]) -> _Curve:
    """Average the curves of people, with the half width of the t interval; NaN for one person."""
    from scipy.stats import t

    means = np.array([curve.mean for curve in own])
    n = np.isfinite(means).sum(axis=0)
    centred = np.where(np.isfinite(means), means - _mean(means), 0.0)
    several = n > 1
    half = np.full(len(n), np.nan)
    variance = (centred**2).sum(axis=0)[several] / (n[several] - 1)
    half[several] = t.ppf((1 + LEVEL) / 2, n[several] - 1) * np.sqrt(variance / n[several])
    events = np.sum([curve.n_events for curve in own], axis=0)
    left_out = sum(curve.n_withheld for curve in own)
    return _Curve(PEOPLE, "", _mean(means), n, events, left_out, half)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of each column over the rows with a value; NaN without one."""
    finite = np.isfinite(values)
    count, total = finite.sum(axis=0), np.where(finite, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def curves_beside(path: str | Path) -> Path:
    """Name the file with the curves of a table: ``table_curves.csv`` for ``table.parquet``."""
    path = Path(path)
    return path.with_name(f"{path.stem}_curves.csv")


def read_curves(path: str | Path) -> pd.DataFrame:
    """Read curves that were written as CSV; people and events remain text.

    Raises
    ------
    InputError
        No such file, or a file without the columns of curves.
    """
    import pandas as pd

    path = Path(path)
    try:
        names = list(pd.read_csv(path, nrows=0, **AS_WRITTEN).columns)
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise InputError(f"{path} has no curves: no column {', '.join(missing)}")
        text = {n: str for n in names if n not in COLUMNS or n in ("level", "person")}
        numbers = {n: [""] for n in names if n not in text}
        return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=numbers, **AS_WRITTEN)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as curves: {error}") from error
