"""Shape of each pulse: heights, times, widths, areas, the notch and the second derivative's waves.

Every pulse reaches from its foot to the next one and stands on the line between the two. The wave
is cleared of what lies above 10 Hz and read at 500 Hz. Heights are in the
sensor's own units, which are nobody else's.

Rates and bandwidth. Heights, times, widths and areas need 25 samples a second. The notch, what is
reflected and the second derivative's waves need 60, and second derivatives that are alike from
pulse to pulse (a mean correlation of 0.8 with the average of the others): two derivatives lift
noise until nothing of the artery is left. An ECG has no pulse: all NaN.

A camera's wave is not measured, either: all NaN. Of one person it is 329 ms wide at half its height
where the finger's is 145, and of sixteen networks on 153 people none recovered a person's own pulse
shape (docs/beats.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emotion_rppg.features import pulse_delineation
from emotion_rppg.features.beats.kinds import KINDS
from emotion_rppg.features.family import Column, Family
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import pandas as pd

COARSE_HZ, FINE_HZ = 25.0, 60.0  # least rates; a clock of 24.9 or 59.9 passes
ALIKE = 0.8  # of the second derivatives of a window's pulses, for its fine features
FEWEST = 3  # pulses of a window that hold a feature, and a third of its pulses
MINIMUM_S = 10.0
BLOCK, MARGIN_S = 1000, 4.0  # beats looked at together, wave to either side of them

_EL, _TA = "Elgendi 2012", "Takazawa et al. 1998"
_AW = "Awad et al. 2007"


def _coarse(unit: str, definition: str, source: str = _EL) -> Column:
    return Column(unit, definition + "; from 25 Hz", source, MINIMUM_S, needs_shape=True)


def _fine(unit: str, definition: str, source: str = _TA) -> Column:
    return Column(unit, definition + "; from 60 Hz", source, MINIMUM_S, needs_shape=True)


COARSE: dict[str, Column] = {
    "pulse_amplitude_au": _coarse("sensor's", "height of the peak over the line between feet", _AW),
    "pulse_rise_ms": _coarse("ms", "foot to peak (crest time)"),
    "pulse_decay_ms": _coarse("ms", "peak to next foot"),
    "pulse_width_25_ms": _coarse("ms", "width at 25 % of the height", _AW),
    "pulse_width_50_ms": _coarse("ms", "width at 50 % of the height", _AW),
    "pulse_width_75_ms": _coarse("ms", "width at 75 % of the height", _AW),
    "pulse_area_au_s": _coarse("sensor's × s", "area over the line between feet", _AW),
    "pulse_area_rise_au_s": _coarse("sensor's × s", "area from foot to peak"),
    "pulse_area_decay_au_s": _coarse("sensor's × s", "area from peak to next foot"),
    "pulse_fullness": _coarse("1", "area / (height × time from foot to foot)", ""),
}
FINE: dict[str, Column] = {
    "notch_time_ms": _fine("ms", "foot to dicrotic notch, the e wave of the second derivative"),
    "notch_height": _fine("1", "height at the notch / height of the peak"),
    "notch_area_ratio": _fine("1", "area after the notch / area before it", "Wang et al. 2009"),
    "reflection_index": _fine(
        "1", "height of the diastolic peak, or of its inflection, / of the peak", "Millasseau 2002"
    ),
    "reflection_time_ms": _fine("ms", "peak to diastolic peak or inflection", "Millasseau 2002"),
    "augmentation_index": _fine(
        "1", "height at the d wave / at the b wave: late over early systole, after"
    ),
    "apg_b_a": _fine("1", "b / a of the second derivative (acceleration plethysmogram)"),
    "apg_c_a": _fine("1", "c / a; NaN where c and d have run together"),
    "apg_d_a": _fine("1", "d / a; NaN where c and d have run together"),
    "apg_e_a": _fine("1", "e / a"),
    "apg_aging_index": _fine("1", "(b - c - d - e) / a"),
}
PER_BEAT = COARSE | FINE
_VARY = "Shelley 2007"
COLUMNS: dict[str, Column] = PER_BEAT | {
    "pulse_amplitude_sd_au": _coarse("sensor's", "standard deviation of heights (n - 1)", _VARY),
    "pulse_amplitude_cv": _coarse("1", "that / mean height: pulse amplitude variability", _VARY),
    "pulse_amplitude_cvsd": _coarse(
        "1", "root mean square of successive differences of heights / mean height", _VARY
    ),
    "n_pulses": Column("1", "pulses that were measured", role="recording"),
}
COLUMNS = {name: replace(column, group="pulse shape") for name, column in COLUMNS.items()}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Morphology of each window, one row each: ``COLUMNS`` in order, float64.

    The median over the window's pulses of every feature of ``PER_BEAT``, and how their heights
    vary. NaN where fewer than three pulses, or less than a third of them, hold the feature; where
    the window spans less than ten seconds; without a wave, and for an ECG.

    Parameters
    ----------
    list_of_beats : list of Beats
        One a window, timed at their peaks (``find_beats``'s default).
    signals : sequence of Signal or None
        The wave of each window; default: none is known, all NaN.
    """
    import pandas as pd

    waves = [None] * len(list_of_beats) if signals is None else list(signals)
    rows = [_row(b, w) for b, w in zip(list_of_beats, waves, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=float)


def per_beat(beats: Beats, signal: Signal) -> pd.DataFrame:
    """Morphology of each beat's pulse: ``time_s``, then ``PER_BEAT`` in order, float64.

    A row of NaN for a beat whose pulse is not wholly in the wave, reaches into a gap, or was moved
    or put in by correction.
    """
    import pandas as pd

    values = {"time_s": beats.times_s} | _measured(beats, signal)
    return pd.DataFrame(values, columns=["time_s", *PER_BEAT], dtype=float)


def _row(beats: Beats, signal: Signal | None) -> dict[str, float]:
    row = dict.fromkeys(COLUMNS, float("nan"))
    row["n_pulses"] = 0.0
    if signal is None or len(beats) < FEWEST:
        return row
    values = _measured(beats, signal)
    height = values["pulse_amplitude_au"]
    row["n_pulses"] = float(np.isfinite(height).sum())
    span = beats.span_s or (0.0, 0.0)
    if span[1] - span[0] < 0.98 * MINIMUM_S:
        return row
    for name, value in values.items():
        known = value[np.isfinite(value)]
        if len(known) >= max(FEWEST, row["n_pulses"] / 3):
            row[name] = float(np.median(known))
    return row | (_variation(height) if np.isfinite(row["pulse_amplitude_au"]) else {})


def _variation(height: np.ndarray) -> dict[str, float]:
    """How heights (n,), NaN where there is no pulse, vary over the beats."""
    step, known = np.diff(height), height[np.isfinite(height)]
    step = step[np.isfinite(step)]
    sd, mean = float(known.std(ddof=1)), float(known.mean())
    near = float(np.sqrt(np.mean(step**2))) if len(step) else float("nan")
    return {
        "pulse_amplitude_sd_au": sd,
        "pulse_amplitude_cv": sd / mean,
        "pulse_amplitude_cvsd": near / mean,
    }


def _measured(beats: Beats, signal: Signal) -> dict[str, np.ndarray]:
    """Every feature of every beat, (n,) each, block by block for bounded memory."""
    values = {name: np.full(len(beats), np.nan) for name in PER_BEAT}
    kind = KINDS.get(signal.kind or "")
    if kind is None or not kind.shape or signal.rate_hz < COARSE_HZ - 0.5:
        return values
    for first in range(0, max(len(beats) - 1, 0), BLOCK):
        own = slice(first, first + BLOCK + 1)  # the last one ends the pulse before it
        at = beats.times_s[own]
        near = signal.crop(at[0] - MARGIN_S, at[-1] + MARGIN_S)
        for name, value in _block(_part(beats, own), near).items():
            values[name][own][:BLOCK] = value[:BLOCK]
    return values


def _part(beats: Beats, own: slice) -> Beats:
    corrected, ectopic = (
        None if each is None else each[own] for each in (beats.corrected, beats.ectopic)
    )
    return Beats(beats.times_s[own], gaps=beats.gaps, corrected=corrected, ectopic=ectopic)


def _block(beats: Beats, signal: Signal) -> dict[str, np.ndarray]:
    cut = pulse_delineation.cut(beats, signal)
    found = pulse_delineation.coarse(cut) if len(cut.beat) else {}
    if found and signal.rate_hz >= FINE_HZ - 0.5 and pulse_delineation.alike(cut) >= ALIKE:
        found |= pulse_delineation.fine(cut)
    values = {}
    for name, value in found.items():
        values[name] = np.full(len(beats), np.nan)
        values[name][cut.beat] = np.where(np.isfinite(value), value, np.nan)
    return values


FAMILY = Family("morphology", table, COLUMNS)
