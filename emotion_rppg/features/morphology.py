"""Pulse morphology: heights, times, widths, areas, notch and the waves of the second derivative.

A pulse extends from its foot to the next foot; heights are measured from the line between the two.
The wave is low-pass filtered at 10 Hz and resampled to 500 Hz. Heights are in arbitrary units
(a.u.), because each sensor has its own scale.

Heights, times, widths and areas need 25 samples a second. The notch, the reflected wave and the
waves of the second derivative need 60, and second derivatives that are similar from pulse to pulse
(mean correlation of at least 0.8 with the average of the others), because two derivatives amplify
noise. An ECG has no pulse shape: all values are NaN.

The shape of a camera wave is not measured: all values are NaN. In one person it is 329 ms wide at
half its height where the finger has 145 ms, and in a published comparison of sixteen networks on
153 people none recovered a person's own pulse shape (docs/beats.md).

References
----------
Awad et al. 2007, J Clin Monit Comput 21, 365–372. Elgendi 2012, Curr Cardiol Rev 8, 14–25.
Millasseau et al. 2002, Clin Sci 103, 371–377. Shelley 2007, Anesth Analg 105, S31–S36. Takazawa et
al. 1998, Hypertension 32, 365–370. Wang et al. 2009, Conf Proc IEEE Eng Med Biol Soc, 1746–1749.
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

COARSE_HZ, FINE_HZ = 25.0, 60.0  # least sampling rates; 24.9 and 59.9 pass
ALIKE = 0.8  # least correlation of the second derivatives in a window, for its fine features
FEWEST = 3  # least number of pulses that have a feature (also a third of the pulses)
MINIMUM_S = 10.0
BLOCK, MARGIN_S = 1000, 4.0  # beats of a block, and the wave to either side of them

_EL, _TA = "Elgendi 2012", "Takazawa et al. 1998"
_AW, _MI = "Awad et al. 2007", "Millasseau et al. 2002"


def _coarse(unit: str, definition: str, source: str = _EL) -> Column:
    return Column(unit, definition + "; 25 samples/s or more", source, MINIMUM_S, needs_shape=True)


def _fine(unit: str, definition: str, source: str = _TA) -> Column:
    return Column(unit, definition + "; 60 samples/s or more", source, MINIMUM_S, needs_shape=True)


COARSE: dict[str, Column] = {
    "pulse_amplitude_au": _coarse("a.u.", "height of the systolic peak above the foot line", _AW),
    "pulse_rise_ms": _coarse("ms", "crest time: foot to systolic peak"),
    "pulse_decay_ms": _coarse("ms", "systolic peak to next foot"),
    "pulse_width_25_ms": _coarse("ms", "pulse width at 25 % of the height", _AW),
    "pulse_width_50_ms": _coarse("ms", "pulse width at 50 % of the height", _AW),
    "pulse_width_75_ms": _coarse("ms", "pulse width at 75 % of the height", _AW),
    "pulse_area_au_s": _coarse("a.u. × s", "area above the foot line"),
    "pulse_area_rise_au_s": _coarse("a.u. × s", "area from foot to systolic peak"),
    "pulse_area_decay_au_s": _coarse("a.u. × s", "area from systolic peak to next foot"),
    "pulse_fullness": _coarse("1", "area / (height × time from foot to foot)", ""),
}
FINE: dict[str, Column] = {
    "notch_time_ms": _fine("ms", "foot to dicrotic notch (e wave of the second derivative)"),
    "notch_height": _fine("1", "height at the dicrotic notch / height of the systolic peak"),
    "notch_area_ratio": _fine(
        "1", "area after the dicrotic notch / area before it", "Wang et al. 2009"
    ),
    "reflection_index": _fine(
        "1", "height of the diastolic peak (or inflection) / height of the systolic peak", _MI
    ),
    "reflection_time_ms": _fine("ms", "systolic peak to diastolic peak (or inflection)", _MI),
    "augmentation_index": _fine(
        "1", "height of the pulse at the d wave / height at the b wave (late / early systole)"
    ),
    "apg_b_a": _fine("1", "b / a of the second derivative (acceleration plethysmogram, APG)"),
    "apg_c_a": _fine("1", "c / a of the APG; empty if c and d are not separate"),
    "apg_d_a": _fine("1", "d / a of the APG; empty if c and d are not separate"),
    "apg_e_a": _fine("1", "e / a of the APG"),
    "apg_aging_index": _fine("1", "aging index: (b - c - d - e) / a of the APG"),
}
PER_BEAT = COARSE | FINE
_VARY = "Shelley 2007"
COLUMNS: dict[str, Column] = PER_BEAT | {
    "pulse_amplitude_sd_au": _coarse(
        "a.u.", "standard deviation of pulse_amplitude_au over pulses (n - 1)", _VARY
    ),
    "pulse_amplitude_cv": _coarse(
        "1", "pulse amplitude variability: standard deviation / mean of pulse_amplitude_au", _VARY
    ),
    "pulse_amplitude_cvsd": _coarse(
        "1",
        "root mean square of successive differences of pulse_amplitude_au / its mean",
        _VARY,
    ),
    "n_pulses": Column("1", "number of pulses measured in the window", role="recording"),
}
COLUMNS = {name: replace(column, group="pulse shape") for name, column in COLUMNS.items()}


def table(
    list_of_beats: list[Beats], signals: Sequence[Signal | None] | None = None
) -> pd.DataFrame:
    """Compute the pulse morphology of each window, one row each: ``COLUMNS`` in order, float64.

    Features of ``PER_BEAT`` are medians over the pulses of a window; the others are the variability
    of pulse heights. A value is NaN if fewer than three pulses, or less than a third of them, have
    the feature; if the window spans less than ten seconds; and without a wave of a contact PPG.

    Parameters
    ----------
    list_of_beats : list of Beats
        One per window, timed at the peaks (the default of ``find_beats``).
    signals : sequence of Signal or None
        The wave of each window; default: none, all values are NaN.
    """
    import pandas as pd

    waves = [None] * len(list_of_beats) if signals is None else list(signals)
    rows = [_row(b, w) for b, w in zip(list_of_beats, waves, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=float)


def per_beat(beats: Beats, signal: Signal) -> pd.DataFrame:
    """Compute the morphology of each pulse: ``time_s``, then ``PER_BEAT`` in order, float64.

    A row is NaN if the pulse is not completely in the wave, overlaps a gap, or belongs to a beat
    that a correction moved or inserted.
    """
    import pandas as pd

    values = {"time_s": beats.times_s} | _measured(beats, signal)
    return pd.DataFrame(values, columns=["time_s", *PER_BEAT], dtype=float)


def _row(beats: Beats, signal: Signal | None) -> dict[str, float]:
    """The features of one window."""
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
        finite = value[np.isfinite(value)]
        if len(finite) >= max(FEWEST, row["n_pulses"] / 3):
            row[name] = float(np.median(finite))
    return row | (_variation(height) if np.isfinite(row["pulse_amplitude_au"]) else {})


def _variation(height: np.ndarray) -> dict[str, float]:
    """Variability of pulse heights (n,), NaN where there is no pulse."""
    difference, finite = np.diff(height), height[np.isfinite(height)]
    difference = difference[np.isfinite(difference)]
    sd, mean = float(finite.std(ddof=1)), float(finite.mean())
    rms = float(np.sqrt(np.mean(difference**2))) if len(difference) else float("nan")
    return {
        "pulse_amplitude_sd_au": sd,
        "pulse_amplitude_cv": sd / mean,
        "pulse_amplitude_cvsd": rms / mean,
    }


def _measured(beats: Beats, signal: Signal) -> dict[str, np.ndarray]:
    """All features of all pulses, (n,) each, block by block for bounded memory."""
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
    """Some of the beats, with what morphology needs to know of them."""
    corrected, ectopic = (
        None if flags is None else flags[own] for flags in (beats.corrected, beats.ectopic)
    )
    return Beats(beats.times_s[own], gaps=beats.gaps, corrected=corrected, ectopic=ectopic)


def _block(beats: Beats, signal: Signal) -> dict[str, np.ndarray]:
    """All features of the pulses of a block, (n,) each; only those that the wave supports."""
    pulses = pulse_delineation.cut_pulses(beats, signal)
    measured = pulse_delineation.coarse_features(pulses) if len(pulses.beat) else {}
    fine = signal.rate_hz >= FINE_HZ - 0.5
    if measured and fine and pulse_delineation.similarity(pulses) >= ALIKE:
        measured |= pulse_delineation.fine_features(pulses)
    values = {}
    for name, value in measured.items():
        values[name] = np.full(len(beats), np.nan)
        values[name][pulses.beat] = np.where(np.isfinite(value), value, np.nan)
    return values


FAMILY = Family("morphology", table, COLUMNS)
