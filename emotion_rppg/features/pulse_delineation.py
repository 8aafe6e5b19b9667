"""Single pulses cut from a wave, foot to foot, and the points on them; all pulses at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion_rppg.signals import Beats, Signal

READ_HZ = 500.0
HIGHEST_HZ = 10.0
BEFORE = 0.6  # of an interval before a beat, where its foot is looked for
ABOUT = 0.2  # of an interval to either side of a beat, where its peak is looked for
LONGEST_S = 2.0
SYSTOLE_S = 0.22, 0.55  # after the foot, at 60 beats a minute: the end of systole, by √interval


@dataclass(frozen=True, eq=False)
class Pulses:
    """Rows are pulses, columns times after their feet.

    ``wave`` (k, m) over the line between feet, NaN after the next foot; ``bend`` (k, m) its second
    derivative per s²; ``peak`` (k,) column of the systolic peak; ``length`` (k,) columns from foot
    to foot; ``beat`` (k,) whose pulse it is.
    """

    wave: np.ndarray
    bend: np.ndarray
    peak: np.ndarray
    length: np.ndarray
    beat: np.ndarray


def cut(beats: Beats, signal: Signal) -> Pulses:
    """The pulses of beats that lie wholly in the wave, on no gap, moved or ectopic beat."""
    smooth = signal
    if signal.rate_hz > 2.2 * HIGHEST_HZ:
        smooth = signal.lowpass(HIGHEST_HZ)
    wave = smooth.resample(READ_HZ)
    if len(beats) < 3 or not len(wave):
        return _none()
    foot, peak, level = _feet_and_peaks(beats, wave)
    # a pulse ends at the next beat's foot; beside a corrected beat that foot is not its own
    sure = np.isfinite(foot)
    for odd in (beats.corrected, beats.ectopic):
        sure &= True if odd is None else ~odd
    longest = min(LONGEST_S, 1.6 * float(np.median(np.diff(beats.times_s))))
    length = np.diff(foot)
    with np.errstate(invalid="ignore"):
        good = (length <= longest * READ_HZ) & (peak[:-1] < foot[1:])
    good &= beats.joined & sure[:-1] & sure[1:]
    beat = np.flatnonzero(good)
    if not len(beat):
        return _none()
    first, top, long = (x[beat].astype(int) for x in (foot, peak, length))
    return _rows(wave, first, top, long, np.stack([level[beat], level[beat + 1]]), beat)


def _none() -> Pulses:
    empty = np.zeros(0, dtype=int)
    return Pulses(np.zeros((0, 1)), np.zeros((0, 1)), empty, empty, empty)


def _feet_and_peaks(beats: Beats, wave: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples of each beat's foot (NaN where it cannot be seen) and peak, and the foot's level.

    The foot is where the tangent at the steepest rise meets the level of the lowest point before
    it (Chiu et al. 1991): of a flat foot that is steadier than the lowest point itself.
    """
    interval = np.diff(beats.times_s)
    usual = np.clip(float(np.median(interval)), 0.3, LONGEST_S)
    before = np.clip(np.r_[usual, interval], 0.6 * usual, 1.6 * usual)
    after = np.clip(np.r_[interval, usual], 0.6 * usual, 1.6 * usual)
    at = np.rint((beats.times_s - wave.start_s) * READ_HZ).astype(int)
    back = np.rint(BEFORE * before * READ_HZ).astype(int)
    reach = np.rint(ABOUT * np.minimum(before, after) * READ_HZ).astype(int)
    offsets = np.arange(-back.max() - reach.max(), reach.max() + 1)
    index = at[:, None] + offsets
    inside = (index >= 0) & (index < len(wave))
    seen = np.where(inside, wave.samples[np.clip(index, 0, len(wave) - 1)], np.nan)
    near = np.abs(offsets) <= reach[:, None]
    top = np.where(near & np.isfinite(seen), seen, -np.inf).argmax(axis=1)
    since = offsets - offsets[top][:, None]
    ahead = (since <= 0) & (since >= -back[:, None])
    low = np.where(ahead & np.isfinite(seen), seen, np.inf).argmin(axis=1)
    rows = np.arange(len(beats))
    whole = np.isfinite(np.where(ahead, seen, 0.0)).all(axis=1)
    whole &= (low < top) & (seen[rows, low] < seen[rows, top])
    rise = np.where((np.arange(len(offsets)) >= low[:, None]) & (since <= 0), seen, np.nan)
    up = np.gradient(rise, axis=1)
    steep = np.where(np.isfinite(up), up, -np.inf).argmax(axis=1)
    above = seen[rows, steep] - seen[rows, low]
    back_to = above / np.where(whole & (up[rows, steep] > 0), up[rows, steep], np.nan)
    foot = np.maximum(index[rows, steep] - back_to, index[rows, low])
    return np.rint(foot), index[rows, top].astype(float), seen[rows, low]


def _rows(
    wave: Signal,
    foot: np.ndarray,
    peak: np.ndarray,
    length: np.ndarray,
    level: np.ndarray,
    beat: np.ndarray,
) -> Pulses:
    column = np.arange(int(length.max()) + 1)
    index = np.minimum(foot[:, None] + column, len(wave) - 1)
    inside = column <= length[:, None]
    bend = np.gradient(np.gradient(wave.samples, 1 / READ_HZ), 1 / READ_HZ)
    line = level[0][:, None] + (level[1] - level[0])[:, None] * column / length[:, None]
    shape = np.where(inside, wave.samples[index] - line, np.nan)
    keep = np.isfinite(shape).sum(axis=1) == length + 1
    keep &= np.nan_to_num(shape[np.arange(len(foot)), peak - foot]) > 0
    curve = np.where(inside, bend[index], np.nan)
    return Pulses(shape[keep], curve[keep], (peak - foot)[keep], length[keep], beat[keep])


def coarse(cut: Pulses) -> dict[str, np.ndarray]:
    """What a low rate leaves: height, times, widths, areas, (k,) each."""
    height = _at(cut.wave, cut.peak)
    column = np.arange(cut.wave.shape[1])
    up = np.nansum(np.where(column <= cut.peak[:, None], cut.wave, 0.0), axis=1) / READ_HZ
    down = np.nansum(np.where(column > cut.peak[:, None], cut.wave, 0.0), axis=1) / READ_HZ
    found = {
        "pulse_amplitude_au": height,
        "pulse_rise_ms": 1e3 * cut.peak / READ_HZ,
        "pulse_decay_ms": 1e3 * (cut.length - cut.peak) / READ_HZ,
        "pulse_area_au_s": up + down,
        "pulse_area_rise_au_s": up,
        "pulse_area_decay_au_s": down,
        "pulse_fullness": (up + down) / (height * cut.length / READ_HZ),
    }
    for percent in (25, 50, 75):
        width = 1e3 * _width(cut, 0.01 * percent * height) / READ_HZ
        found[f"pulse_width_{percent}_ms"] = width
    return found


def _at(rows: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.asarray(rows[np.arange(len(rows)), column])


def _width(cut: Pulses, level: np.ndarray) -> np.ndarray:
    """Columns between the last crossing of a level before the peak and the first one after."""
    column = np.arange(cut.wave.shape[1])
    below = cut.wave < level[:, None]
    left = np.where(below & (column < cut.peak[:, None]), column, -1).max(axis=1)
    right = np.where(below & (column > cut.peak[:, None]), column, len(column)).min(axis=1)
    known = (left >= 0) & (right < len(column))
    left, right = np.maximum(left, 0), np.minimum(right, len(column) - 1)
    rising = _share(_at(cut.wave, left), _at(cut.wave, left + 1), level)
    falling = _share(_at(cut.wave, right), _at(cut.wave, right - 1), level)
    return np.where(known, right - falling - left - rising, np.nan)


def _share(low: np.ndarray, high: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Where between two samples a level is crossed, 0–1."""
    step = high - low
    return np.divide(level - low, step, out=np.zeros(len(level)), where=step > 0)


def alike(cut: Pulses) -> float:
    """Mean correlation of each pulse's second derivative with the average of the others."""
    if len(cut.beat) < 2:
        return 0.0
    rows = cut.bend[:, : int(np.percentile(0.6 * cut.length, 25)) + 1]
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows - rows.mean(axis=1, keepdims=True)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    others = unit.sum(axis=0) - unit
    size = np.maximum(np.linalg.norm(others, axis=1), 1e-300)
    return float(np.mean((unit * others).sum(axis=1) / size))


def fine(cut: Pulses) -> dict[str, np.ndarray]:
    """Notch, reflected wave and the waves a–e of the second derivative, (k,) each.

    a: its highest point up to the peak; b: its lowest between a and the peak; e: its highest at
    the end of systole; c: the highest maximum between b and e; d: the lowest point between c and
    e (Takazawa et al. 1998). The notch is e, which a wave without a visible notch has as well.
    """
    points = _waves(cut)
    heights = {name: _valued(cut.bend, at) for name, at in points.items()}
    height = _at(cut.wave, cut.peak)
    notch, back = points["e"], _diastolic(cut, points["e"])
    column = np.arange(cut.wave.shape[1])
    area = np.nansum(cut.wave, axis=1)
    early = np.nansum(np.where(column <= notch[:, None], cut.wave, 0.0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b, c, d, e = (heights[name] for name in "abcde")
        return {
            "notch_time_ms": np.where(notch > 0, 1e3 * notch / READ_HZ, np.nan),
            "notch_height": _valued(cut.wave, notch) / height,
            "notch_area_ratio": np.where(notch > 0, (area - early) / early, np.nan),
            "reflection_index": _valued(cut.wave, back) / height,
            "reflection_time_ms": np.where(back > 0, 1e3 * (back - cut.peak) / READ_HZ, np.nan),
            "augmentation_index": _valued(cut.wave, points["d"]) / _valued(cut.wave, points["b"]),
            "apg_b_a": b / a,
            "apg_c_a": c / a,
            "apg_d_a": d / a,
            "apg_e_a": e / a,
            "apg_aging_index": (b - c - d - e) / a,
        }


def _valued(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values at columns (k,), NaN where the column is 0: not found."""
    return np.where(at > 0, _at(rows, np.maximum(at, 0)), np.nan)


def _waves(cut: Pulses) -> dict[str, np.ndarray]:
    """Columns of a–e, (k,) each, 0 where a wave is not there."""
    bend, peak = cut.bend, cut.peak
    scale = READ_HZ * np.sqrt(cut.length / READ_HZ)
    tops, none = _maxima(bend), np.zeros(len(peak), dtype=int)
    a = _highest(bend, none, peak)
    b = np.where(a > 0, _highest(-bend, a, peak + int(0.03 * READ_HZ)), 0)
    start = np.maximum(SYSTOLE_S[0] * scale, peak + 0.04 * READ_HZ)
    e = _highest(np.where(tops, bend, np.nan), start, SYSTOLE_S[1] * scale)
    c = np.where(b > 0, _highest(np.where(tops, bend, np.nan), b, e), 0)
    d = np.where(c > 0, _highest(-bend, c, e), 0)
    return {"a": a, "b": b, "c": c, "d": d, "e": e}


def _maxima(rows: np.ndarray) -> np.ndarray:
    found = np.zeros(rows.shape, dtype=bool)
    found[:, 1:-1] = (rows[:, 1:-1] > rows[:, :-2]) & (rows[:, 1:-1] >= rows[:, 2:])
    return found


def _highest(rows: np.ndarray, after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Column of the highest value strictly between two columns, (k,); 0: there is none."""
    column = np.arange(rows.shape[1])
    inside = (column > after[:, None]) & (column < before[:, None]) & np.isfinite(rows)
    best = np.where(inside, rows, -np.inf).argmax(axis=1)
    return np.where(inside.any(axis=1), best, 0)


def _diastolic(cut: Pulses, notch: np.ndarray) -> np.ndarray:
    """After the notch: the maximum, or, where the wave only falls, where it falls slowest first.

    As Millasseau et al. 2002. 0: neither is there.
    """
    column = np.arange(cut.wave.shape[1])
    slope = np.gradient(cut.wave, axis=1)
    later = (column > notch[:, None]) & (column < 0.9 * cut.length[:, None])
    level = (_maxima(slope) & later).argmax(axis=1)
    top = (_maxima(cut.wave) & later & (column >= level[:, None])).argmax(axis=1)
    return np.where((notch > 0) & (level > 0), np.where(_at(slope, level) > 0, top, level), 0)
