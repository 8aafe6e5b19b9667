"""`live`: show, send and store the pulse of the person before a camera."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotion_rppg.cli.console import count, user_errors
from emotion_rppg.cli.options import Camera, Device, LslMarkers, Method, Paced, Region
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError
from emotion_rppg.extraction import DEFAULT_METHOD

if TYPE_CHECKING:
    from emotion_rppg.live import LiveReading, log, lsl
    from emotion_rppg.video.frames import Frame
    from emotion_rppg.video.live_capture import FrameClock


@app.command()
def live(
    camera: Camera = "0",
    method: Method = DEFAULT_METHOD,
    region: Region = "face",
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this many seconds. Default: run until Ctrl-C."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write while the wave comes: time_s, rppg, quality. Markers go to "
            "NAME_events.csv beside it."
        ),
    ] = None,
    to_lsl: Annotated[
        bool,
        typer.Option(
            "--lsl",
            help="Send wave, beats, heart rate and quality as streams of the lab streaming layer "
            "(extra lsl).",
        ),
    ] = False,
    lsl_name: Annotated[
        str, typer.Option("--lsl-name", help="How the names of these streams begin.")
    ] = "emotion-rppg",
    lsl_markers: LslMarkers = None,
    paced: Paced = True,
    device: Device = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a second.")
    ] = False,
) -> None:
    """Show heart rate, quality and RMSSD of the person before a camera, once a second.

    --lsl sends the numbers to other programs, --out stores the wave. Ctrl-C ends.

    Example: emotion-rppg live --camera 0
    """
    with user_errors():
        from emotion_rppg.cli.checks import run_checks, signal_checks
        from emotion_rppg.live import watch
        from emotion_rppg.live.log import check_wave
        from emotion_rppg.video.live_capture import FrameClock

        files = [] if camera.isdigit() else [Path(camera)]
        run_checks(
            *signal_checks(method=method, region=region, device=device, paths=files),
            *([] if out is None else [partial(check_wave, out)]),
            partial(_check_streams, to_lsl, lsl_markers, out, paced=paced or not files),
        )
        clock = FrameClock()
        sinks = _Sinks.open(
            out,
            lsl_name if to_lsl else None,
            lsl_markers,
            camera=camera,
            method=method,
            clock=clock,
        )
        frames = live_frames(camera, paced=paced, clock=clock)
        source = f"camera {camera}" if camera.isdigit() else camera
        typer.echo(f"reading {source} with {method} (Ctrl-C ends)", err=True)
        with suppress(KeyboardInterrupt):  # the usual end
            for reading in watch(frames, method, region=region, device=device):
                sinks.add(reading)
                typer.echo(json.dumps(reading.as_json()) if as_json else str(reading))
                if seconds is not None and reading.time_s >= seconds:
                    break
        typer.echo(sinks.end(), err=True, nl=out is not None)


def live_frames(camera: str, *, paced: bool, clock: FrameClock) -> Iterator[Frame]:
    """Yield the frames of a camera's number, or of a file."""
    from emotion_rppg.video.live_capture import camera_frames, replayed

    if camera.isdigit():
        return camera_frames(int(camera), clock=clock)
    return replayed(Path(camera), paced=paced, clock=clock)


def _check_streams(to_lsl: bool, markers: str | None, out: Path | None, *, paced: bool) -> None:
    """Check the options of the lab streaming layer."""
    if not to_lsl and markers is None:
        return
    if markers is not None and out is None:
        raise InputError(
            f"--lsl-markers {markers} saves the markers beside the wave: add --out FILE.csv"
        )
    if not paced:
        raise InputError(
            "the lab streaming layer has the clock of now: leave out --no-paced, which replays a "
            "file faster"
        )
    from emotion_rppg.live.lsl import import_pylsl

    import_pylsl()


@dataclass(eq=False)
class _Sinks:
    """Where the readings go besides the screen."""

    log: log.LiveLog | None = None
    outlets: lsl.LslOutlets | None = None
    markers: lsl.LslMarkers | None = None
    saved: int = 0  # markers

    @classmethod
    def open(
        cls,
        out: Path | None,
        name: str | None,
        markers: str | None,
        *,
        camera: str,
        method: str,
        clock: FrameClock,
    ) -> _Sinks:
        """Connect to the marker stream, then make the file."""
        sinks = cls()
        if name is not None or markers is not None:
            from emotion_rppg.live import lsl
            from emotion_rppg.pulse import METHODS, canonical

            lsl_clock = lsl.LslClock(clock, lsl.clock_offset_s())
            if markers is not None:
                sinks.markers = lsl.LslMarkers(markers, clock=lsl_clock)
            if name is not None:
                sinks.outlets = lsl.LslOutlets(
                    name,
                    clock=lsl_clock,
                    method=method,
                    source=camera,
                    is_regular=canonical(method) not in METHODS,
                )
        if out is not None:
            from emotion_rppg.live.log import LiveLog

            sinks.log = LiveLog(out)
        return sinks

    def add(self, reading: LiveReading) -> None:
        """Send and store what is new."""
        if self.outlets is not None:
            self.outlets.push(reading)
        if self.log is not None:
            self.log.add(reading)
        self._save_markers()

    def _save_markers(self) -> None:
        if self.markers is not None and self.log is not None:
            events = self.markers.read()
            self.log.add_events(events)
            self.saved += len(events)

    def end(self) -> str:
        """Store the last markers; say what was stored where."""
        if self.log is None:
            return ""
        self._save_markers()
        markers = "" if self.markers is None else f", {count(self.saved, 'marker')}"
        return f"wave → {self.log.path}{markers}"
