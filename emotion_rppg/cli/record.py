"""`record`: a face video, with the time of each frame and the settings of the camera."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_rppg.cli.checks import run_checks
from emotion_rppg.cli.console import count, print_result, user_errors
from emotion_rppg.cli.options import Camera, Json, LslMarkers, Paced
from emotion_rppg.cli.verbs import app
from emotion_rppg.errors import InputError

if TYPE_CHECKING:
    from emotion_rppg.video.frames import Frame
    from emotion_rppg.video.live_capture import FrameClock
    from emotion_rppg.video.recorder import Codec, Recorded
    from emotion_rppg.video.recording_checks import Check


def _parse_size(text: str | None) -> tuple[int, int] | None:
    """Parse --size."""
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise InputError(f"--size {text}: want WIDTHxHEIGHT in pixels, such as 640x480")
    return int(width), int(height)


@app.command()
def record(
    out: Annotated[
        Path, typer.Option("--out", help="Video file to write, NAME.mkv; never overwritten.")
    ],
    camera: Camera = "0",
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Stop after this many seconds. Default: record until Ctrl-C."),
    ] = None,
    codec: Annotated[
        str,
        typer.Option(help="ffv1 (lossless), mjpeg (near-lossless) or h264 (CRF 12, small files)."),
    ] = "ffv1",
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Frame size to request. Default: the camera's own."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Frames per second to request. Default: the camera's own."),
    ] = None,
    exposure: Annotated[
        float | None,
        typer.Option(help="Exposure to fix, in units of the driver. Default: the automatic's."),
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Gain to fix, likewise. Default: as it is.")
    ] = None,
    white_balance: Annotated[
        float | None,
        typer.Option(help="White balance to fix, in kelvin. Default: the automatic's."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check/--no-check",
            help="Refuse to record if light, face or frame rate are not good enough, or record "
            "all the same.",
        ),
    ] = True,
    to_lsl: Annotated[
        bool,
        typer.Option(
            "--lsl",
            help="Send the number of each frame as a stream of the lab streaming layer "
            "(extra lsl).",
        ),
    ] = False,
    lsl_name: Annotated[
        str, typer.Option("--lsl-name", help="How the name of this stream begins.")
    ] = "emotion-rppg",
    lsl_markers: LslMarkers = None,
    screen: Annotated[
        Path | None,
        typer.Option(
            metavar="STIMULI.csv",
            help="Show pictures on the whole screen: a table with onset, duration, trial_type and "
            "value, the picture's file. The onsets are saved as events.",
        ),
    ] = None,
    paced: Paced = True,
    as_json: Json = False,
) -> None:
    """Record a face video from a camera, with fixed settings and the time of each frame.

    Light, face and frame rate are checked for five seconds first. Beside NAME.mkv are written
    NAME.frames.csv (times), NAME.record.json (settings, checks) and NAME_events.csv (markers).
    Ctrl-C ends. Needs the extra record.

    Example: emotion-rppg record --camera 0 --seconds 300 --out study/anna/rest.mkv
    """
    with user_errors():
        from emotion_rppg.video.recorder import CODECS, import_av
        from emotion_rppg.video.screen import read_stimuli

        codec = codec.lower()
        wanted = {"exposure": exposure, "gain": gain, "white_balance": white_balance}
        wishes = {name: value for name, value in wanted.items() if value is not None}
        run_checks(
            partial(_check_out, out),
            partial(_check_camera, camera, [*wishes, *(["size"] if size else [])]),
            partial(_check_codec, codec, tuple(CODECS)),
            partial(_parse_size, size),
            import_av,
            partial(_check_now, to_lsl, lsl_markers, screen, paced=paced or camera.isdigit()),
        )
        beside: dict[str, Any] = {
            "markers": lsl_markers,
            "lsl_name": lsl_name if to_lsl else None,
            "stimuli": None if screen is None else read_stimuli(screen),
        }
        if beside["stimuli"] and seconds is None:
            seconds = max(event.onset_s + event.duration_s for event, _ in beside["stimuli"])
        source = _Source(camera, paced=paced, size=_parse_size(size), rate_hz=rate, wishes=wishes)
        with _ending_by_signals(), source:
            checks, rate_hz = _checks(source, CODECS[codec], seconds, out)
            _say(checks, refuse=check)
            facts = {**source.facts, "checks": [vars(one) for one in checks]}
            recorded, counts = _record(source, out, CODECS[codec], rate_hz, seconds, facts, beside)
        _finish(recorded, counts, codec, source, as_json=as_json)


def _check_out(out: Path) -> None:
    from emotion_rppg.live.log import check_new, events_path
    from emotion_rppg.recorded_times import frame_table_path
    from emotion_rppg.video.recorder import ENDING, facts_path

    if out.suffix.lower() != ENDING:
        raise InputError(f"--out {out}: end the name with {ENDING}, which survives a crash")
    check_new(out, frame_table_path(out), facts_path(out), events_path(out))


def _check_camera(camera: str, wishes: Sequence[str]) -> None:
    if camera.isdigit():
        return
    if not Path(camera).is_file():
        raise InputError(f"--camera {camera}: want the number of a camera, or a video file")
    if wishes:
        raise InputError(f"--{wishes[0].replace('_', '-')} is for a camera, not for a file")


def _check_codec(codec: str, known: Sequence[str]) -> None:
    if codec not in known:
        raise InputError(f"unknown codec {codec!r}; known: {', '.join(known)}")


def _check_now(to_lsl: bool, markers: str | None, screen: Path | None, *, paced: bool) -> None:
    """Check the options that need the clock of now."""
    named = {"--lsl": to_lsl, "--lsl-markers": markers, "--screen": screen}
    given = [option for option, value in named.items() if value]
    if given and not paced:
        raise InputError(f"{given[0]} has the clock of now: leave out --no-paced")
    if screen is not None:
        from emotion_rppg.video.screen import read_stimuli

        read_stimuli(screen)
    if to_lsl or markers is not None:
        from emotion_rppg.live.lsl import import_pylsl

        import_pylsl()


class _Source:
    """A camera with fixed settings, or a file in its place."""

    def __init__(
        self,
        camera: str,
        *,
        paced: bool,
        size: tuple[int, int] | None,
        rate_hz: float | None,
        wishes: dict[str, float],
    ) -> None:
        self.camera, self.paced = camera, paced
        self.is_camera = camera.isdigit()
        self.facts: dict[str, Any] = {"camera": camera if self.is_camera else Path(camera).name}
        self._capture: Any = None
        self._size, self._rate_hz, self._wishes = size, rate_hz, wishes

    def __enter__(self) -> _Source:
        if self.is_camera:
            from emotion_rppg.video.camera_settings import fix_settings
            from emotion_rppg.video.live_capture import open_camera

            number = int(self.camera)
            self._capture = open_camera(number, size=self._size, rate_hz=self._rate_hz)
            settings = fix_settings(self._capture, self._wishes)
            for setting in settings:
                typer.echo(f"  {setting}", err=True)
            self.facts["settings"] = [vars(setting) for setting in settings]
            self.facts["driver"] = self._capture.getBackendName()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._capture is not None:
            self._capture.release()

    def frames(
        self, clock: FrameClock, *, paced: bool | None = None
    ) -> Generator[Frame, None, None]:
        """Yield frames from now on, or those of the file from its start."""
        from emotion_rppg.video.live_capture import captured_frames, replayed

        if self.is_camera:
            return captured_frames(self._capture, int(self.camera), clock=clock)
        paced = self.paced if paced is None else paced
        return replayed(Path(self.camera), paced=paced, clock=clock)


def _checks(
    source: _Source, codec: Codec, seconds: float | None, out: Path
) -> tuple[list[Check], float]:
    """Look at the first seconds; return the checks and the frame rate."""
    from contextlib import closing

    from emotion_rppg.video.live_capture import FrameClock
    from emotion_rppg.video.recorder import encoding_cost
    from emotion_rppg.video.recording_checks import check_encoder, check_recording, observe

    typer.echo("checking light, face and frame rate …", err=True)
    with closing(source.frames(FrameClock(), paced=False)) as frames:
        observed = observe(frames)
    checks = check_recording(observed)
    rate_hz = observed.rate_hz
    if not rate_hz > 0:
        return checks, 30.0
    time_s, size_bytes = encoding_cost(observed.sample, codec)
    there = next(folder for folder in out.resolve().parents if folder.exists())
    on_the_encoder = check_encoder(
        time_s if source.is_camera else None,  # a file waits
        size_bytes,
        rate_hz=rate_hz,
        codec=codec.name,
        free_bytes=shutil.disk_usage(there).free,
        seconds=seconds,
    )
    return [*checks, *on_the_encoder], rate_hz


def _say(checks: Sequence[Check], *, refuse: bool) -> None:
    """Print the checks; raise one error for all that failed."""
    for check in checks:
        typer.echo(f"  {'ok  ' if check.ok else 'BAD '} {check.name}: {check.text}", err=True)
    faults = [check.name for check in checks if not check.ok]
    if faults and refuse:
        raise InputError(
            f"not recorded because of {', '.join(faults)}: do what is said above, or record all "
            "the same with --no-check"
        )


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let a terminal that closes and a request to terminate end a recording as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    for name in names:
        signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _record(
    source: _Source,
    out: Path,
    codec: Codec,
    rate_hz: float,
    seconds: float | None,
    facts: dict[str, Any],
    beside: dict[str, Any],
) -> tuple[Recorded, dict[str, int]]:
    """Record; return the numbers of markers and stimuli as well, as far as asked for."""
    from emotion_rppg.cli.record_beside import Beside
    from emotion_rppg.video.live_capture import FrameClock
    from emotion_rppg.video.recorder import record as record_frames

    clock = FrameClock()
    companion = Beside(out, clock, source=source.camera, **beside)
    typer.echo(f"recording → {out} (Ctrl-C ends)", err=True)
    recorded = record_frames(
        source.frames(clock),
        out,
        clock=clock,
        codec=codec,
        rate_hz=rate_hz,
        seconds=seconds,
        facts=facts,
        on_frame=companion.on_frame,
    )
    return recorded, companion.finish()


def _finish(
    recorded: Recorded, counts: dict[str, int], codec: str, source: _Source, *, as_json: bool
) -> None:
    """Print what was recorded; a fault is an error after the recording."""
    from emotion_rppg.runtime.provenance import write_run

    rate = (recorded.frames - 1) / recorded.seconds if recorded.seconds else 0.0
    text = (
        f"{count(recorded.frames, 'frame')} in {recorded.seconds:.1f} s ({rate:.1f} a second, "
        f"{recorded.dropped} dropped) → {recorded.path}"
    )
    text += "".join(f", {kind}: {number}" for kind, number in counts.items())
    if recorded.fault:
        kept = f"{text}; what was recorded is kept" if recorded.frames else "nothing was recorded"
        raise InputError(f"{recorded.fault}. {kept}")
    write_run(recorded.path, "record", {"camera": source.facts["camera"], "codec": codec})
    result = {
        "file": str(recorded.path),
        "frames": recorded.frames,
        "seconds": round(recorded.seconds, 3),
        "dropped": recorded.dropped,
        "ended": recorded.ended,
        "markers": counts.get("markers"),
        "stimuli": counts.get("stimuli"),
    }
    print_result(text, as_json, result)
