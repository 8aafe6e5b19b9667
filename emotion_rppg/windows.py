"""Windows of a recording (its beats and wave, one table row each) and the table's fixed columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emotion_rppg.errors import InputError
from emotion_rppg.signals import Beats, Signal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

IDENTITY = (
    "dataset",
    "subject",
    "session",
    "trial",
    "start_s",
    "duration_s",
    "source",  # kind of the signal: rppg, bvp, ecg, rr
    "method",  # rPPG method of a video: pos, physnet …; empty for contact signals
    "network",  # folder of the network behind the wave, or bundled; empty for classical methods
    "trained_on",  # JSON {data set: [subjects]} of that network, "unknown", or empty: nobody
    "reader",  # reader of a published data set that listed the recording; empty: user's files
)
# of a table of windows about events: the kind of event, its number among those of its kind in the
# recording (from 1), its onset on the recording's clock, its duration, and its code or picture
EVENT, EVENT_NUMBER = "event", "event_number"
OF_EVENT = (EVENT, EVENT_NUMBER, "event_onset_s", "event_duration_s", "event_value")
EVENT_BEATS = "event_beats_s"  # beat times about the onset as text
CHANGE = "_change"  # ending of a feature's difference: after the onset minus before it
CHANGE_REASON = "change_reason"
PERSON = "person"  # with face="all": number of the person in the video; after ``trial``
FACE_PLACE = ("face_x", "face_y")  # with face="all": where in the picture; after ``person``
# in windows of a recording whose beats a person corrected (`emotion-rppg beats`)
EDITED_BEATS, EDITED_NOISE_S, EDITED_BY = "edited_beats", "edited_noise_s", "edited_by"
LABEL, SCALE, SEQUENCE, EMBEDDING = "label_", "scale_", "seq_", "emb_"  # column prefixes
SEQUENCES_FAULT = "sequences_fault"  # in ``attrs`` of a table: why its sequences are not there
PARTICIPANT = "participant_"  # prefix of columns on the person, such as participant_age
BEATS = "seq_ibi_ms"  # column of the beat sequences; other signals have sequences as well
OUTSIDE = "joined_"  # prefix of columns joined from files of other programs
MAX_WINDOWS = 100_000  # of one recording: a day with a new window every second
OK = "ok"  # the ``reason`` of a window whose pulse is trusted


def sequences_fault(table: pd.DataFrame) -> str:
    """Explain why the sequences of a table could not be read, ``"; …"``; empty if they could."""
    fault = table.attrs.get(SEQUENCES_FAULT, "")
    return f"; {fault}" if fault else ""


def trusted(table: pd.DataFrame) -> np.ndarray:
    """Tell which windows have a trusted pulse, bool (n,): those with a heart rate.

    In a table without ``hr_bpm``: those with beats in their sequences; in a table without either:
    all windows.
    """
    import numpy as np

    if "hr_bpm" in table:
        return np.isfinite(table["hr_bpm"].to_numpy(dtype=float, na_value=np.nan))
    if BEATS not in table:
        return np.ones(len(table), dtype=bool)
    return table[BEATS].fillna("").astype(str).str.len().to_numpy() > 0


def people(table: pd.DataFrame) -> pd.Series:
    """Identify the person of each row, ``dataset/subject``."""
    return table["dataset"].astype(str) + "/" + table["subject"].astype(str)


@dataclass(frozen=True, repr=False)
class Windows:
    """Time windows: one row of ``table`` each, with its ``start_s``, ``duration_s`` and identities.

    ``beats[i]`` and ``signals[i]`` belong to row i; a signal is None for beats without a wave.
    """

    table: pd.DataFrame
    beats: list[Beats]
    signals: list[Signal | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.signals:
            object.__setattr__(self, "signals", [None] * len(self.beats))
        if not len(self.table) == len(self.beats) == len(self.signals):
            raise InputError(
                f"{len(self.table)} rows for {len(self.beats)} beat slices and "
                f"{len(self.signals)} signals: want one of each per window"
            )

    def __len__(self) -> int:
        return len(self.beats)

    def __repr__(self) -> str:
        lengths = sorted(set(self.table["duration_s"])) if "duration_s" in self.table else []
        length = f", {lengths[0]:g}–{lengths[-1]:g} s" if lengths else ""
        waves = sum(signal is not None for signal in self.signals)
        return f"Windows({len(self)} windows{length}, {waves} with a wave)"

    @classmethod
    def concat(cls, parts: Sequence[Windows]) -> Windows:
        """Join the windows of several recordings, in order."""
        import pandas as pd

        return cls(
            pd.concat([part.table for part in parts], ignore_index=True),
            [beats for part in parts for beats in part.beats],
            [signal for part in parts for signal in part.signals],
        )


def cut(
    beats: Beats,
    signal: Signal | None = None,
    *,
    length_s: float | None = 60.0,
    step_s: float | None = 30.0,
    facts: Mapping[str, object] | None = None,
) -> Windows:
    """Cut the beats (and wave) of one recording into time windows.

    The first window begins with the recording, and every window lies inside it. A recording shorter
    than ``length_s`` becomes one window of its own length, so that every trial has a row.

    Parameters
    ----------
    length_s : float or None
        Window length, s; None: one window, the whole recording.
    step_s : float or None
        Time from one window start to the next, s; None: ``length_s`` (no overlap).
    facts : mapping
        Columns with the same value in every window: subject, trial, labels …
    """
    import numpy as np

    span = beats.span_s or ((signal.start_s, signal.end_s) if signal is not None else (0.0, 0.0))
    start, total = span[0], span[1] - span[0]
    if length_s is not None and not length_s > 0:
        raise InputError(
            f"length_s must be seconds above zero, or None for the whole recording; "
            f"got {length_s!r}"
        )
    step = length_s if step_s is None else step_s
    if step is not None and not 0 < step < np.inf:
        raise InputError(f"step_s must be seconds above zero, got {step_s!r}")
    if length_s is None or step is None or total < length_s:
        starts, length = np.array([start]), total
    else:
        n = np.floor((total - length_s) / step + 1e-6) + 1
        if not n <= MAX_WINDOWS:
            raise InputError(
                f"{total:g} s with a window every {step:g} s give {n:.3g} windows: want at most "
                f"{MAX_WINDOWS}; choose a larger step_s (--step)"
            )
        starts, length = start + step * np.arange(n), length_s
    spans = [(float(s), float(length)) for s in starts]
    return cut_at(beats, signal, spans, facts=[facts or {}] * len(spans))


def cut_at(
    beats: Beats,
    signal: Signal | None,
    spans: Sequence[tuple[float, float]],
    *,
    facts: Sequence[Mapping[str, object]],
) -> Windows:
    """Cut given windows ``(start_s, duration_s)`` out of the beats (and wave) of one recording.

    ``facts`` are the other columns of each window.
    """
    import pandas as pd

    rows = [
        {**own, "start_s": start_s, "duration_s": duration_s}
        for (start_s, duration_s), own in zip(spans, facts, strict=True)
    ]
    return Windows(
        pd.DataFrame(rows),
        [beats.crop(a, a + duration_s + 1e-9) for a, duration_s in spans],
        [None if signal is None else signal.crop(a, a + duration_s) for a, duration_s in spans],
    )
