"""Delineate pulses: cut them from a wave, foot to foot, and measure their fiducial points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.signals import Beats, Signal

READ_HZ = 500.0  # of the resampled wave
HIGHEST_HZ = 10.0  # of the low-pass filter
BEFORE = 0.6  # of an interval before a beat, in which its foot is searched
AROUND = 0.2  # of an interval to either side of a beat, in which its peak is searched
LONGEST_S = 2.0
# Range of the end of systole after the foot at 60 beats a minute, s; it scales with √interval
SYSTOLE_S = 0.22, 0.55


@dataclass(frozen=True, eq=False)
class Pulses:
    """Pulses of a wave: rows are pulses, columns are samples after the foot.

    ``wave`` (k, m): height above the line between the feet, NaN after the next foot;
    ``second_derivative`` (k, m), per s²; ``peak`` (k,): column of the systolic peak; ``length``
    (k,): columns from foot to foot; ``beat`` (k,): index of the beat of each pulse.
    """

    wave: np.ndarray
    second_derivative: np.ndarray
    peak: np.ndarray
    length: np.ndarray
    beat: np.ndarray


def cut_pulses(beats: Beats, signal: Signal) -> Pulses:
    """Cut the complete pulses of a wave; none beside a gap, a corrected or an ectopic beat."""
    smooth = signal
    if signal.rate_hz > 2.2 * HIGHEST_HZ:
        smooth = signal.lowpass(HIGHEST_HZ)
    wave = smooth.resample(READ_HZ)
    if len(beats) < 3 or not len(wave):
        return _none()
    foot, peak, level = _feet_and_peaks(beats, wave)
    # a pulse ends at the foot of the next beat, which is unknown for a corrected beat
    valid = np.isfinite(foot)
    for excluded in (beats.corrected, beats.ectopic):
        valid &= True if excluded is None else ~excluded
    longest = min(LONGEST_S, 1.6 * float(np.median(np.diff(beats.times_s))))
    length = np.diff(foot)
    with np.errstate(invalid="ignore"):
        good = (length <= longest * READ_HZ) & (peak[:-1] < foot[1:])
    good &= beats.joined & valid[:-1] & valid[1:]
    beat = np.flatnonzero(good)
    if not len(beat):
        return _none()
    feet, peaks, lengths = (x[beat].astype(int) for x in (foot, peak, length))
    return _rows(wave, feet, peaks, lengths, np.stack([level[beat], level[beat + 1]]), beat)


def _none() -> Pulses:
    """No pulses."""
    empty = np.zeros(0, dtype=int)
    return Pulses(np.zeros((0, 1)), np.zeros((0, 1)), empty, empty, empty)


def _feet_and_peaks(beats: Beats, wave: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample of each beat's foot (NaN if not in the wave) and peak, and the level of the foot.

    The foot is the intersection of the tangent at the steepest rise with the level of the minimum
    before it (Chiu et al. 1991, Am Heart J 121, 1460–1470). For a flat foot this varies less than
    the position of the minimum.
    """
    interval = np.diff(beats.times_s)
    usual = np.clip(float(np.median(interval)), 0.3, LONGEST_S)
    before = np.clip(np.r_[usual, interval], 0.6 * usual, 1.6 * usual)
    after = np.clip(np.r_[interval, usual], 0.6 * usual, 1.6 * usual)
    at = np.rint((beats.times_s - wave.start_s) * READ_HZ).astype(int)
    back = np.rint(BEFORE * before * READ_HZ).astype(int)
    reach = np.rint(AROUND * np.minimum(before, after) * READ_HZ).astype(int)
    offsets = np.arange(-back.max() - reach.max(), reach.max() + 1)
    index = at[:, None] + offsets
    inside = (index >= 0) & (index < len(wave))
    cut = np.where(inside, wave.samples[np.clip(index, 0, len(wave) - 1)], np.nan)
    near = np.abs(offsets) <= reach[:, None]
    top = np.where(near & np.isfinite(cut), cut, -np.inf).argmax(axis=1)
    from_peak = offsets - offsets[top][:, None]
    before_peak = (from_peak <= 0) & (from_peak >= -back[:, None])
    low = np.where(before_peak & np.isfinite(cut), cut, np.inf).argmin(axis=1)
    rows = np.arange(len(beats))
    complete = np.isfinite(np.where(before_peak, cut, 0.0)).all(axis=1)
    complete &= (low < top) & (cut[rows, low] < cut[rows, top])
    rise = np.where((np.arange(len(offsets)) >= low[:, None]) & (from_peak <= 0), cut, np.nan)
    slope = np.gradient(rise, axis=1)
    steep = np.where(np.isfinite(slope), slope, -np.inf).argmax(axis=1)
    height = cut[rows, steep] - cut[rows, low]
    lead = height / np.where(complete & (slope[rows, steep] > 0), slope[rows, steep], np.nan)
    foot = np.maximum(index[rows, steep] - lead, index[rows, low])
    return np.rint(foot), index[rows, top].astype(float), cut[rows, low]


def _rows(
    wave: Signal,
    foot: np.ndarray,
    peak: np.ndarray,
    length: np.ndarray,
    level: np.ndarray,
    beat: np.ndarray,
) -> Pulses:
    """Cut the pulses from the wave, on the line between their feet."""
    column = np.arange(int(length.max()) + 1)
    index = np.minimum(foot[:, None] + column, len(wave) - 1)
    inside = column <= length[:, None]
    second_derivative = np.gradient(np.gradient(wave.samples, 1 / READ_HZ), 1 / READ_HZ)
    line = level[0][:, None] + (level[1] - level[0])[:, None] * column / length[:, None]
    shape = np.where(inside, wave.samples[index] - line, np.nan)
    complete = np.isfinite(shape).sum(axis=1) == length + 1
    complete &= np.nan_to_num(shape[np.arange(len(foot)), peak - foot]) > 0
    curve = np.where(inside, second_derivative[index], np.nan)
    return Pulses(
        shape[complete], curve[complete], (peak - foot)[complete], length[complete], beat[complete]
    )


def coarse_features(pulses: Pulses) -> dict[str, np.ndarray]:
    """Measure height, times, widths and areas, which a low sampling rate supports, (k,) each."""
    height = _at(pulses.wave, pulses.peak)
    column = np.arange(pulses.wave.shape[1])
    rise = np.nansum(np.where(column <= pulses.peak[:, None], pulses.wave, 0.0), axis=1) / READ_HZ
    decay = np.nansum(np.where(column > pulses.peak[:, None], pulses.wave, 0.0), axis=1) / READ_HZ
    values = {
        "pulse_amplitude_au": height,
        "pulse_rise_ms": 1e3 * pulses.peak / READ_HZ,
        "pulse_decay_ms": 1e3 * (pulses.length - pulses.peak) / READ_HZ,
        "pulse_area_au_s": rise + decay,
        "pulse_area_rise_au_s": rise,
        "pulse_area_decay_au_s": decay,
        "pulse_fullness": (rise + decay) / (height * pulses.length / READ_HZ),
    }
    for percent in (25, 50, 75):
        width = 1e3 * _width(pulses, 0.01 * percent * height) / READ_HZ
        values[f"pulse_width_{percent}_ms"] = width
    return values


def _at(rows: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Value of each row at its column, (k,)."""
    return np.asarray(rows[np.arange(len(rows)), column])


def _width(pulses: Pulses, level: np.ndarray) -> np.ndarray:
    """Columns between the last crossing of a level before the peak and the first one after."""
    column = np.arange(pulses.wave.shape[1])
    below = pulses.wave < level[:, None]
    left = np.where(below & (column < pulses.peak[:, None]), column, -1).max(axis=1)
    right = np.where(below & (column > pulses.peak[:, None]), column, len(column)).min(axis=1)
    crossed = (left >= 0) & (right < len(column))
    left, right = np.maximum(left, 0), np.minimum(right, len(column) - 1)
    rising = _share(_at(pulses.wave, left), _at(pulses.wave, left + 1), level)
    falling = _share(_at(pulses.wave, right), _at(pulses.wave, right - 1), level)
    return np.where(crossed, right - falling - left - rising, np.nan)


def _share(low: np.ndarray, high: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Position of a level between two samples, 0–1, by linear interpolation."""
    step = high - low
    return np.divide(level - low, step, out=np.zeros(len(level)), where=step > 0)


def similarity(pulses: Pulses) -> float:
    """Compute the mean correlation of each second derivative with the average of the others."""
    if len(pulses.beat) < 2:
        return 0.0
    rows = pulses.second_derivative[:, : int(np.percentile(0.6 * pulses.length, 25)) + 1]
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows - rows.mean(axis=1, keepdims=True)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    others = unit.sum(axis=0) - unit
    size = np.maximum(np.linalg.norm(others, axis=1), 1e-300)
    return float(np.mean((unit * others).sum(axis=1) / size))


def fine_features(pulses: Pulses) -> dict[str, np.ndarray]:
    """Measure the notch, the reflected wave and the waves a–e of the second derivative, (k,) each.

    a: the maximum up to the systolic peak; b: the minimum between a and just after the peak; e: the
    highest maximum at the end of systole; c: the highest maximum between b and e; d: the minimum
    between c and e (Takazawa et al. 1998). The notch is at e, which also exists in a pulse without
    a visible notch.
    """
    points = _waves(pulses)
    heights = {name: _valued(pulses.second_derivative, at) for name, at in points.items()}
    height = _at(pulses.wave, pulses.peak)
    notch, diastolic = points["e"], _diastolic(pulses, points["e"])
    column = np.arange(pulses.wave.shape[1])
    area = np.nansum(pulses.wave, axis=1)
    before_notch = np.nansum(np.where(column <= notch[:, None], pulses.wave, 0.0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b, c, d, e = (heights[name] for name in "abcde")
        return {
            "notch_time_ms": np.where(notch > 0, 1e3 * notch / READ_HZ, np.nan),
            "notch_height": _valued(pulses.wave, notch) / height,
            "notch_area_ratio": np.where(notch > 0, (area - before_notch) / before_notch, np.nan),
            "reflection_index": _valued(pulses.wave, diastolic) / height,
            "reflection_time_ms": np.where(
                diastolic > 0, 1e3 * (diastolic - pulses.peak) / READ_HZ, np.nan
            ),
            "augmentation_index": _valued(pulses.wave, points["d"])
            / _valued(pulses.wave, points["b"]),
            "apg_b_a": b / a,
            "apg_c_a": c / a,
            "apg_d_a": d / a,
            "apg_e_a": e / a,
            "apg_aging_index": (b - c - d - e) / a,
        }


def _valued(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values at columns, (k,); NaN if the column is 0 (not detected)."""
    return np.where(at > 0, _at(rows, np.maximum(at, 0)), np.nan)


def _waves(pulses: Pulses) -> dict[str, np.ndarray]:
    """Columns of the waves a–e, (k,) each; 0 if not detected."""
    curve, peak = pulses.second_derivative, pulses.peak
    scale = READ_HZ * np.sqrt(pulses.length / READ_HZ)
    tops, none = _maxima(curve), np.zeros(len(peak), dtype=int)
    a = _highest(curve, none, peak)
    b = np.where(a > 0, _highest(-curve, a, peak + int(0.03 * READ_HZ)), 0)
    start = np.maximum(SYSTOLE_S[0] * scale, peak + 0.04 * READ_HZ)
    e = _highest(np.where(tops, curve, np.nan), start, SYSTOLE_S[1] * scale)
    c = np.where(b > 0, _highest(np.where(tops, curve, np.nan), b, e), 0)
    d = np.where(c > 0, _highest(-curve, c, e), 0)
    return {"a": a, "b": b, "c": c, "d": d, "e": e}


def _maxima(rows: np.ndarray) -> np.ndarray:
    """Whether each value is a local maximum of its row, bool (k, m)."""
    maxima = np.zeros(rows.shape, dtype=bool)
    maxima[:, 1:-1] = (rows[:, 1:-1] > rows[:, :-2]) & (rows[:, 1:-1] >= rows[:, 2:])
    return maxima


def _highest(rows: np.ndarray, after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Column of the highest value strictly between two columns, (k,); 0 if there is none."""
    column = np.arange(rows.shape[1])
    inside = (column > after[:, None]) & (column < before[:, None]) & np.isfinite(rows)
    best = np.where(inside, rows, -np.inf).argmax(axis=1)
    return np.where(inside.any(axis=1), best, 0)


def _diastolic(pulses: Pulses, notch: np.ndarray) -> np.ndarray:
    """Column of the diastolic peak, (k,): the maximum after the notch; 0 if not detected.

    If the wave only falls, it is the first point of slowest fall (Millasseau et al. 2002).
    """
    column = np.arange(pulses.wave.shape[1])
    slope = np.gradient(pulses.wave, axis=1)
    after = (column > notch[:, None]) & (column < 0.9 * pulses.length[:, None])
    inflection = (_maxima(slope) & after).argmax(axis=1)
    top = (_maxima(pulses.wave) & after & (column >= inflection[:, None])).argmax(axis=1)
    return np.where(
        (notch > 0) & (inflection > 0), np.where(_at(slope, inflection) > 0, top, inflection), 0
    )
