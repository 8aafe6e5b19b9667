"""Select the samples and beats of a running wave that later frames no longer change.

A method computes the newest seconds of its wave again with every step: windows there are not yet
complete. What is sent to other programs or stored must not change afterwards. Each sample and each
beat is therefore returned once, `SETTLE_S` after its time; its time stamp does not change by that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emotion_rppg.signals import Beats, Signal

SETTLE_S = 2.0  # docs/record.md has the error of wave and beats after other times
LEAST_INTERVAL_S = 0.25  # a detection nearer to the beat before is that beat, detected again


@dataclass(frozen=True)
class LiveBeat:
    """A heart beat at ``time_s``; ``interval_ms`` from the beat before, NaN after a gap."""

    time_s: float
    interval_ms: float
    confidence: float


class Settled:
    """Return each sample of a running wave and each of its beats once, in order."""

    def __init__(self) -> None:
        self._wave_s = self._beat_s = self._border_s = -np.inf

    def samples(self, wave: Signal) -> Signal:
        """Return the samples since the last call that are older than `SETTLE_S`.

        A step of the grid may lie between the samples of two calls where the rate changes.
        """
        times = wave.times_s
        after = self._wave_s + 0.5 / wave.rate_hz
        chosen = np.flatnonzero((times > after) & (times <= wave.end_s - SETTLE_S))
        part = slice(chosen[0], chosen[-1] + 1) if len(chosen) else slice(0, 0)
        if len(chosen):
            self._wave_s = float(times[chosen[-1]])
        return replace(
            wave,
            samples=wave.samples[part],
            start_s=float(times[part][0]) if len(chosen) else wave.start_s,
            quality=None if wave.quality is None else wave.quality[part],
        )

    def beats(self, found: Beats | None, end_s: float) -> tuple[LiveBeat, ...]:
        """Return the beats since the last call that are older than ``end_s - SETTLE_S``.

        ``found`` are the beats of the buffer, None where the pulse is withheld: the beats of these
        seconds are then never returned.
        """
        border_s = end_s - SETTLE_S
        after_s = max(self._beat_s, self._border_s - 2 * LEAST_INTERVAL_S) + LEAST_INTERVAL_S
        self._border_s = border_s
        if found is None or not len(found):
            return ()
        intervals = np.r_[np.nan, np.where(found.joined, 1e3 * np.diff(found.times_s), np.nan)]
        sure = np.ones(len(found)) if found.confidence is None else found.confidence
        rows = np.flatnonzero((found.times_s > after_s) & (found.times_s <= border_s))
        beats = tuple(
            LiveBeat(float(found.times_s[k]), float(intervals[k]), float(sure[k])) for k in rows
        )
        if beats:
            self._beat_s = beats[-1].time_s
        return beats
