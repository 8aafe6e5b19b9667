"""Signals without beats (EDA, respiration, temperature, acceleration): which samples can be used.

``SENSORS``: kind of signal -> `Sensor`, its unit and the rules that find unusable samples. They are
applied once per recording (`judge`); unusable samples become missing ones. A window is withheld if
less than half of it can be used (`unusable_reason`), and a feature if less than its own minimum
duration can be (`Column.minimum_s`).

References
----------
Kleckner et al. 2018, IEEE Trans Biomed Eng 65, 1460–1467: the rules for EDA (below 0.05 µS, above
60 µS, faster than 10 µS/s, and five seconds around).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.features.family import PULSE, QUALITY_GROUP, Column
from emotion_rppg.signals import UNITS, Beats, Signal
from emotion_rppg.windows import OUTSIDE

if TYPE_CHECKING:
    import pandas as pd

LEAST_USABLE = 0.5  # share of a window, as of the beats of a pulse
USABLE = 0.9  # share of a column's minimum duration that must be usable
TOLERANCE = 0.02  # a minute may be 59.9 s long
QUALITY, REASON = "_quality", "_reason"  # endings of the columns of a sensor
MISSING = "missing samples"
AROUND_S = 5.0  # removed on either side of an EDA fault
# A large response falls by less than 15 % of the level per second; an electrode that loses contact
# by 40 % and more (six of twenty people at the wrist, in more than 1 % of their samples)
FASTEST_FALL, LEAST_FALL_US = 0.2, 0.05
LONGEST_STEP_S = 0.25  # jumps are measured over this time


@dataclass(frozen=True)
class Sensor:
    """A kind of signal without beats: its name and unit, and which of its samples are unusable.

    Parameters
    ----------
    name, unit : str
        For reasons and pages.
    faults : function
        ``signal -> {fault: bool (n,)}``: unusable samples by the sensor's fault, in a few words.
    least_rate_hz : float
        Sampling rate below which the signal is not used, Hz.
    description : str
        The rules in one sentence, for pages.
    """

    name: str
    unit: str
    faults: Callable[[Signal], Mapping[str, np.ndarray]]
    least_rate_hz: float
    description: str


@dataclass(frozen=True, eq=False)
class Judged:
    """A signal in which unusable samples are missing (NaN), and the samples of each fault, (n,)."""

    signal: Signal
    faults: Mapping[str, np.ndarray]


def name_of(kind: str) -> str:
    """Return the name of a kind of signal for reasons: "EDA"; a joined source has its own name."""
    return SENSORS[kind].name if kind in SENSORS else kind


def reason_column(kind: str) -> str:
    """Return the column with the reasons of a kind of signal.

    Examples
    --------
    >>> reason_column("pulse"), reason_column("eda"), reason_column("openface")
    ('reason', 'eda_reason', 'joined_openface_reason')
    """
    if kind == PULSE:
        return REASON.strip("_")
    return f"{kind if kind in SENSORS else OUTSIDE + kind}{REASON}"


def judge(signal: Signal) -> Judged:
    """Remove the samples that the rules of the signal's kind find unusable.

    A signal that is sampled too slowly, or of a kind without rules, has no usable sample.
    """
    sensor = SENSORS.get(signal.kind or "")
    if sensor is None or signal.rate_hz < 0.98 * sensor.least_rate_hz:
        wanted = f", at least {sensor.least_rate_hz:g} are wanted" if sensor else ""
        fault = f"sampled too slowly: {signal.rate_hz:.2g} samples a second{wanted}"
        faults: dict[str, np.ndarray] = {fault: np.ones(len(signal), dtype=bool)}
    else:
        faults = dict(sensor.faults(signal)) if np.isfinite(signal.samples).any() else {}
    unusable = np.zeros(len(signal), dtype=bool)
    for at in faults.values():
        unusable |= at
    return Judged(replace(signal, samples=np.where(unusable, np.nan, signal.samples)), faults)


def usable_s(signal: Signal | None) -> float:
    """Duration of the samples that are not missing, s; 0 without a signal."""
    if signal is None:
        return 0.0
    return float(np.isfinite(signal.samples).sum()) / signal.rate_hz


@dataclass(frozen=True, eq=False)
class SensorWindows:
    """A sensor's signal in the windows of a recording.

    Attributes
    ----------
    kind : str
        Name in ``SENSORS``.
    signals : list of Signal or None
        The signal of each window, with NaN where it cannot be used; None if it is missing.
    durations_s : list of float
    reasons : list of str
        Why the window's signal is not trusted; empty if it is.
    """

    kind: str
    signals: list[Signal | None]
    durations_s: list[float]
    reasons: list[str]


def cut_sensor(
    kind: str, judged: Judged | str, windows: Sequence[tuple[float, float]]
) -> SensorWindows:
    """Cut a judged signal into windows ``(start_s, duration_s)``; a text is why there is none."""
    durations = [duration for _, duration in windows]
    if isinstance(judged, str):
        return SensorWindows(kind, [None] * len(windows), durations, [judged] * len(windows))
    return SensorWindows(
        kind,
        [judged.signal.crop(start, start + duration) for start, duration in windows],
        durations,
        [unusable_reason(judged, start, duration) for start, duration in windows],
    )


def unusable_reason(judged: Judged, start_s: float, duration_s: float) -> str:
    """Return why less than half of a window can be used; an empty text if more can be."""
    part = judged.signal.crop(start_s, start_s + duration_s)
    wanted = max(duration_s * part.rate_hz, 1.0)  # number of samples
    share = float(np.isfinite(part.samples).sum()) / wanted
    if share >= LEAST_USABLE - 1e-6:
        return ""
    first = round((part.start_s - judged.signal.start_s) * part.rate_hz)
    count = {name: int(at[first : first + len(part)].sum()) for name, at in judged.faults.items()}
    fault = max(count, key=lambda name: count[name], default=MISSING)
    if 2 * count.get(fault, 0) < (1 - share) * wanted:
        fault = MISSING
    if ":" in fault:  # a fault of the whole recording
        return fault
    return f"{fault}: {share:.0%} of the window can be used, at least {LEAST_USABLE:.0%} is wanted"


def runs_of(mask: np.ndarray, least: int) -> np.ndarray:
    """Keep only the runs of at least ``least`` true samples, bool (n,)."""
    edges = _edges(mask)
    return _filled(edges[edges[:, 1] - edges[:, 0] >= least], len(mask))


def _edges(mask: np.ndarray) -> np.ndarray:
    """First index and stop of each run of true samples, (runs, 2)."""
    return np.flatnonzero(np.diff(np.r_[0, mask.astype(np.int8), 0])).reshape(-1, 2)


def _filled(edges: np.ndarray, length: int) -> np.ndarray:
    """Mark the samples of runs, which may overlap, bool (length,)."""
    change = np.zeros(length + 1, dtype=int)
    np.add.at(change, edges[:, 0], 1)
    np.add.at(change, edges[:, 1], -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)


def quality_column(name: str) -> Column:
    """Describe the column ``KIND_quality`` of a sensor: a column on the recording, no feature."""
    return Column(
        "1",
        f"share of the window in which the {name} can be used, 0–1",
        role="recording",
        group=QUALITY_GROUP,
        always=True,
    )


def measured(
    list_of_beats: list[Beats],
    signals: Sequence[Signal | None] | None,
    columns: Mapping[str, Column],
    measure: Callable[[Signal, Beats], Mapping[str, float]],
) -> pd.DataFrame:
    """Compute the table of a family from windows of a sensor's signal, one row each, float64.

    A value is NaN if the window is shorter than ``minimum_s`` of its column, if less than that can
    be used (nine tenths are enough), or if the rate is below ``minimum_hz``. The column named
    ``…_quality`` is the share of the window that can be used.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window; ``span_s`` is its span.
    signals : sequence of Signal or None
        The signal of each window, with NaN where it cannot be used (`judge`); None: no signal.
    measure : function
        ``(signal, beats) -> {column: value}`` for a window with usable samples.
    """
    import pandas as pd

    rows = []
    signals = [None] * len(list_of_beats) if signals is None else signals
    for beats, signal in zip(list_of_beats, signals, strict=True):
        span_s, good_s = _span_s(beats, signal), usable_s(signal)
        row = dict.fromkeys(columns, float("nan"))
        if signal is not None and good_s > 0:
            row |= measure(signal, beats)
        for name, column in columns.items():
            if signal is None or not supports(column, span_s, good_s, signal.rate_hz):
                row[name] = float("nan")
            if name.endswith(QUALITY):
                row[name] = min(1.0, round(good_s / span_s, 6)) if span_s > 0 else 0.0
        rows.append(row)
    return pd.DataFrame(rows, columns=list(columns), dtype=float)


def supports(column: Column, span_s: float, good_s: float, rate_hz: float) -> bool:
    """Whether a window's length, usable part and rate suffice for a column."""
    enough_s = column.minimum_s * (1 - TOLERANCE)
    return (
        span_s >= enough_s and good_s >= USABLE * enough_s and rate_hz >= 0.98 * column.minimum_hz
    )


def unsupported_reason(
    columns: Mapping[str, Column], signal: Signal | None, duration_s: float
) -> str:
    """Name the columns that a window is long enough for, but not its usable part or its rate."""
    if signal is None:
        return ""
    good_s = usable_s(signal)
    texts: dict[str, list[str]] = {}
    for name, column in columns.items():
        if not column.is_feature or supports(column, duration_s, good_s, signal.rate_hz):
            continue
        if not supports(column, duration_s, duration_s, np.inf):
            continue  # the window is too short, whatever the signal
        if supports(column, duration_s, duration_s, signal.rate_hz):
            why = f"{good_s:.0f} s can be used, {USABLE * column.minimum_s:.0f} s are wanted"
        else:
            why = f"{signal.rate_hz:g} samples a second, {column.minimum_hz:g} are wanted"
        texts.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} withheld: {why}" for why, names in texts.items())


def _span_s(beats: Beats, signal: Signal | None) -> float:
    """Duration of a window, s."""
    if beats.span_s is not None:
        return beats.span_s[1] - beats.span_s[0]
    return 0.0 if signal is None else signal.duration_s


def _flat(signal: Signal, seconds: float) -> np.ndarray:
    """Samples of stretches of one value that last at least ``seconds``."""
    same = np.diff(signal.samples) == 0
    either = np.r_[same, False] | np.r_[False, same]
    return runs_of(either, max(2, round(seconds * signal.rate_hz)))


def _jumps(signal: Signal, per_s: float) -> np.ndarray:
    """Samples beside a change faster than ``per_s`` units per second."""
    lag = max(1, round(LONGEST_STEP_S * signal.rate_hz))
    out = np.zeros(len(signal), dtype=bool)
    if len(signal) <= lag:
        return out
    with np.errstate(invalid="ignore"):
        change = np.abs(signal.samples[lag:] - signal.samples[:-lag]) * signal.rate_hz / lag
    fast = change > per_s
    out[lag:] |= fast
    out[:-lag] |= fast
    return out


def _falls(signal: Signal) -> np.ndarray:
    """Samples beside a fall of skin conductance that is faster than a response recovers."""
    lag = max(1, round(LONGEST_STEP_S * signal.rate_hz))
    out = np.zeros(len(signal), dtype=bool)
    if len(signal) <= lag:
        return out
    before = signal.samples[:-lag]
    fall = before - signal.samples[lag:]
    share = FASTEST_FALL * lag / signal.rate_hz
    fast = (fall > share * before) & (fall > LEAST_FALL_US)
    out[lag:] |= fast
    out[:-lag] |= fast
    return out


def _around(mask: np.ndarray, samples: int) -> np.ndarray:
    """Extend each run of true samples to either side."""
    edges = _edges(mask) + np.array([-samples, samples])
    return _filled(np.clip(edges, 0, len(mask)), len(mask))


def _eda(signal: Signal) -> dict[str, np.ndarray]:
    x = signal.samples
    with np.errstate(invalid="ignore"):
        faults = {
            "electrode off": x < 0.05,
            "out of the range of skin conductance": x > 60,
            "jumps": _jumps(signal, 10.0) | _falls(signal),
            "flat": _flat(signal, FLAT_EDA_S),
        }
    return {name: _around(at, round(AROUND_S * signal.rate_hz)) for name, at in faults.items()}


def _respiration(signal: Signal) -> dict[str, np.ndarray]:
    x = signal.samples
    extreme = (x == np.nanmin(x)) | (x == np.nanmax(x))
    flat = _flat(signal, FLAT_RESPIRATION_S)
    return {
        "flat": flat,
        "saturated": runs_of(extreme, max(3, round(1.0 * signal.rate_hz))) & ~flat,
    }


def _temperature(signal: Signal) -> dict[str, np.ndarray]:
    with np.errstate(invalid="ignore"):
        outside = (signal.samples < 15) | (signal.samples > 45)
    return {"out of the range of skin temperature": outside, "jumps": _jumps(signal, 2.0)}


def _acceleration(signal: Signal) -> dict[str, np.ndarray]:
    x = signal.samples
    with np.errstate(invalid="ignore"):
        weightless = runs_of(x < 0.3, max(2, round(2.0 * signal.rate_hz)))
    worn = x[~weightless & np.isfinite(x)]
    in_g = len(worn) == 0 or 0.5 < float(np.median(worn)) < 2.0
    return {
        "no gravity": weightless,
        "not in g": np.full(len(x), not in_g) & ~weightless,
        "flat": _flat(signal, FLAT_ACCELERATION_S) & ~weightless,
    }


# The resolution of a wristband is about 0.001 µS: the skin conductance of a calm person can be one
# number for some seconds. A breath takes less than ten seconds. A wristband on a table measures one
# number for seconds, but noise changes it within a minute.
FLAT_EDA_S, FLAT_RESPIRATION_S, FLAT_ACCELERATION_S = 30.0, 15.0, 60.0

SENSORS: dict[str, Sensor] = {
    "eda": Sensor(
        "EDA",
        UNITS["eda"],
        _eda,
        2.0,
        "Below 0.05 µS (electrode off), above 60 µS, changes of more than 10 µS/s, falls of more "
        "than 20 % per second, and one value for 30 s, each with 5 s on either side.",
    ),
    "resp": Sensor(
        "respiration",
        UNITS["resp"],
        _respiration,
        3.0,
        "One value for 15 s, and the lowest or highest value for 1 s (saturated).",
    ),
    "temp": Sensor(
        "skin temperature",
        UNITS["temp"],
        _temperature,
        0.2,
        "Below 15 °C, above 45 °C, and changes of more than 2 °C/s.",
    ),
    "acc": Sensor(
        "acceleration",
        UNITS["acc"],
        _acceleration,
        5.0,
        "Less than 0.3 g for 2 s, one value for 60 s, and recordings whose median is not near 1 g.",
    ),
}
