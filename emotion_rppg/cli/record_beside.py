"""What `record` does while frames come: markers, frame numbers for LSL, stimuli, progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from emotion_rppg.recordings import Event

if TYPE_CHECKING:
    import numpy as np

    from emotion_rppg.live import lsl
    from emotion_rppg.video.frames import Frame
    from emotion_rppg.video.live_capture import FrameClock
    from emotion_rppg.video.screen import Screen

LINE_EVERY_S = 10.0  # of progress
MARKERS_EVERY_S = 1.0


class Beside:
    """Events on the clock of the video, saved beside it while they happen.

    Parameters
    ----------
    markers : str, optional
        LSL stream whose markers are saved.
    lsl_name : str, optional
        Send the number of each frame as the LSL stream NAME_frames.
    stimuli : list, optional
        Stimuli to show, of `video.screen.read_stimuli`.
    """

    def __init__(
        self,
        out: Path,
        clock: FrameClock,
        *,
        source: str,
        markers: str | None = None,
        lsl_name: str | None = None,
        stimuli: Sequence[tuple[Event, np.ndarray]] | None = None,
    ) -> None:
        self._out, self._clock, self._first_s = out, clock, 0.0
        self._line_s, self._markers_s = LINE_EVERY_S, 0.0
        self._markers: lsl.LslMarkers | None = None
        self._outlet: lsl.Outlet | None = None
        self._screen: Screen | None = None
        self.counts: dict[str, int] = {}
        self._open(source, markers, lsl_name, stimuli)

    def _open(self, source: str, markers: str | None, name: str | None, stimuli: Any) -> None:
        if markers is not None or name is not None:
            from emotion_rppg.live import lsl

            self._lsl_clock = lsl.LslClock(self._clock, lsl.clock_offset_s())
            if markers is not None:
                self._markers = lsl.LslMarkers(markers, clock=self._lsl_clock)
                self.counts["markers"] = 0
            if name is not None:
                self._outlet = lsl.open_outlet(lsl.frame_numbers(name, source))
        if stimuli is not None:
            from emotion_rppg.video.screen import Screen

            self._screen = Screen(stimuli)
            self.counts["stimuli"] = 0

    def on_frame(self, frame: Frame, time_s: float) -> None:
        """Do what is due after a frame was written at ``time_s`` of the video."""
        self._first_s = frame.time_s - time_s
        if self._outlet is not None:
            self._outlet.push_sample([float(frame.index)], self._lsl_clock.to_lsl(frame.time_s))
        if self._screen is not None:
            from emotion_rppg.video.screen import seconds_since

            shown = self._screen.update(seconds_since(self._clock.start_s + self._first_s))
            self._save("stimuli", [] if shown is None else [shown])
        if self._markers is not None and time_s >= self._markers_s:
            self._save_markers(self._markers)
            self._markers_s = time_s + MARKERS_EVERY_S
        if time_s >= self._line_s:
            typer.echo(f"  {time_s:.0f} s", err=True)
            self._line_s += LINE_EVERY_S

    def finish(self) -> dict[str, int]:
        """Save the last markers; return how many markers and stimuli there were."""
        if self._markers is not None:
            self._save_markers(self._markers)
        if self._screen is not None:
            self._screen.close()
        return self.counts

    def _save_markers(self, markers: lsl.LslMarkers) -> None:
        self._save("markers", [event.shifted(-self._first_s) for event in markers.read()])

    def _save(self, kind: str, events: Sequence[Event]) -> None:
        if events:
            from emotion_rppg.formats.event_tables import append_events
            from emotion_rppg.live.log import events_path

            append_events(events_path(self._out), events)
            self.counts[kind] += len(events)
