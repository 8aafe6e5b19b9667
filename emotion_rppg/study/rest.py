"""Read a person's rest, for a model that compares people with it: FILE or FILE@START-END."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.tables import is_feature_table, read_table
from emotion_rppg.signals import Beats, Pulse, Signal
from emotion_rppg.study.acquisition import Progress
from emotion_rppg.study.replay import read_all_like, recordings_like

if TYPE_CHECKING:
    import pandas as pd

    from emotion_rppg.emotion.model import Model

_SEGMENT = re.compile(r"(?P<path>.+)@(?P<start>\d+(\.\d+)?)-(?P<end>\d+(\.\d+)?)")


@dataclass(frozen=True)
class Rest:
    """A recording or feature table, or its segment ``start_s`` to ``end_s``, s on its own clock."""

    path: Path
    start_s: float | None = None
    end_s: float | None = None

    @classmethod
    def parse(cls, text: str | Path) -> Rest:
        """Parse ``FILE`` or ``FILE@START-END`` with both times in seconds.

        Raises
        ------
        InputError
            The end is not after the start, or the text after ``@`` is not two times.

        Examples
        --------
        >>> Rest.parse("anna.csv@0-240").end_s
        240.0
        """
        path = Path(text)
        if path.exists():  # a file's own name can contain an @
            return cls(path)
        match = _SEGMENT.fullmatch(str(text))
        if match:
            start_s, end_s = float(match["start"]), float(match["end"])
            if end_s <= start_s:
                raise InputError(f"the segment {start_s:g}-{end_s:g} s of {text} has no duration")
            return cls(Path(match["path"]), start_s, end_s)
        before, at, segment = str(text).rpartition("@")
        if at and Path(before).exists():
            raise InputError(
                f"{segment!r} is no segment of {before}: want FILE@START-END in seconds, such as "
                f"{before}@0-240"
            )
        return cls(path)

    def table(
        self,
        model: Model,
        *,
        channel: str | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Extract the features of the rest as those of the model's training table.

        Of a feature table, the windows within the segment are taken. ``options`` are those of
        `emotion_rppg.study.read_all_like`.

        Raises
        ------
        InputError
            The recording cannot be read, or a segment of a folder with several is wanted.
        """
        if is_feature_table(self.path):
            return self._windows(read_table(self.path))
        recordings = recordings_like(model, self.path, channel=channel)
        if self.start_s is not None and self.end_s is not None:
            if len(recordings) != 1:
                raise InputError(
                    f"{self.path} contains {len(recordings)} recordings, and a segment belongs to "
                    "one: give the path of its file"
                )
            recordings = [_segment(recordings[0], self.start_s, self.end_s)]
        return read_all_like(model, recordings, progress=progress, **options)[0]

    def withhold_own(
        self, rows: pd.DataFrame, rest: pd.DataFrame, given: Sequence[Path], model: Model
    ) -> pd.DataFrame:
        """Withhold the predictions of windows that overlap the rest they are compared with.

        Parameters
        ----------
        rows : predictions of ``model``
        rest : output of `table`
        given : the files and folders that were predicted

        Raises
        ------
        InputError
            The rest is all that was to be predicted.
        """
        import numpy as np

        own = self.path.resolve()
        if not any(own == path.resolve() or path.resolve() in own.parents for path in given):
            return rows
        names = [c for c in ("dataset", "subject", "session", "trial") if c in rows and c in rest]
        at_rest = set(map(tuple, rest[names].astype(str).to_numpy()))
        same = [name in at_rest for name in map(tuple, rows[names].astype(str).to_numpy())]
        start_s, end_s = self.start_s or 0.0, math.inf if self.end_s is None else self.end_s
        overlap = (rows["start_s"] < end_s) & (rows["start_s"] + rows["duration_s"] > start_s)
        overlap &= np.array(same, dtype=bool)
        if overlap.all():
            raise InputError(
                f"--calibrate {self.path} is the stretch that is to be predicted, and a rest is "
                f"not compared with itself: give a segment of it, such as {self.path}@0-240, or "
                "another recording of the person's rest"
            )
        rows = rows.copy()
        for target in model.targets:
            empty = "" if model.classes[target] else float("nan")
            rows.loc[overlap, target] = empty
            columns = [f"{target}_p_{name}" for name in model.classes[target]]
            rows.loc[overlap, columns] = float("nan")
        rows.loc[overlap, "reason"] = "part of the rest (--calibrate) that it is compared with"
        return rows

    def _windows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Select the windows of a feature table that lie within the segment."""
        if self.start_s is None or self.end_s is None:
            return table
        ends_s = table["start_s"] + table["duration_s"]
        inside = table[(table["start_s"] >= self.start_s) & (ends_s <= self.end_s)]
        if inside.empty:
            raise InputError(
                f"{self.path} has no window within {self.start_s:g}-{self.end_s:g} s: its windows "
                f"are at {table['start_s'].min():g}-{ends_s.max():g} s"
            )
        return inside


def _segment(recording: Recording, start_s: float, end_s: float) -> Recording:
    """Restrict the video and the signals of a recording to a segment, s."""
    video = recording.video
    if video is not None:
        last_s = end_s if video.end_s is None else min(end_s, video.end_s)
        video = replace(video, start_s=max(start_s, video.start_s), end_s=last_s)
    signals = {
        kind: partial(_cropped, pulse, recording.name, start_s, end_s)
        for kind, pulse in recording.signals.items()
    }
    return replace(recording, video=video, signals=signals)


def _cropped(pulse: Pulse | Callable[[], Pulse], name: str, start_s: float, end_s: float) -> Pulse:
    whole = pulse if isinstance(pulse, Signal | Beats) else pulse()
    part = whole.crop(start_s, end_s)
    if not len(part):
        first_s, last_s = whole.times_s[[0, -1]]
        raise InputError(
            f"{name} has nothing at {start_s:g}-{end_s:g} s: its times are "
            f"{first_s:.0f}-{last_s:.0f} s"
        )
    return part
