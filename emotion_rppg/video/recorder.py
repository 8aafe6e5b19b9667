"""Record frames to a video file that survives a crash, with the time stamp of each frame.

The video is a Matroska file whose clusters of one second are written as they are complete, so that
a killed process or a full disk costs a second. Each frame has its own time stamp, to the
millisecond; the table NAME.frames.csv has them in full (`recorded_times`), and NAME.record.json
what is known of camera and recording. Library: PyAV, in the extra ``record``.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from emotion_rppg.errors import InputError
from emotion_rppg.recorded_times import COLUMNS, frame_table_path
from emotion_rppg.runtime.atomic_files import PACKAGE, write_json
from emotion_rppg.runtime.provenance import versions
from emotion_rppg.video.frames import Frame
from emotion_rppg.video.live_capture import FrameClock

ENDING = ".mkv"
CLUSTER_MS = 1000  # of video that a crash can cost
RESERVE_BYTES = 50_000_000  # free space at which a recording ends by itself
_MS = Fraction(1, 1000)  # the resolution of times in Matroska
_THREADS = 4  # slices of a frame that are encoded at once
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CONTAINER = {"cluster_time_limit": str(CLUSTER_MS), "flush_packets": "1"}


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg with its pixel format and options; every frame can be decoded alone."""

    name: str
    encoder: str
    pixels: str
    options: Mapping[str, str]
    description: str


CODECS = {
    codec.name: codec
    for codec in (
        Codec("ffv1", "ffv1", "bgr0", {"level": "3", "slices": "4", "g": "1"}, "lossless"),
        Codec("mjpeg", "mjpeg", "yuvj444p", {"qmin": "2", "qmax": "2"}, "near-lossless, fast"),
        Codec(
            "h264",
            "libx264",
            "yuv444p",
            {"crf": "12", "preset": "veryfast", "tune": "zerolatency"},
            "small files, at a cost for the pulse",
        ),
    )
}


@dataclass(frozen=True)
class Recorded:
    """What was recorded, and why it ended: ``fault`` is None, or what went wrong.

    ``dropped`` is the number of frames that the camera took and a busy computer lost.
    """

    path: Path
    frames: int
    seconds: float
    dropped: int
    ended: str
    fault: str | None = None


def facts_path(video: Path) -> Path:
    """Return NAME.record.json, the facts of the recording NAME.mkv."""
    return video.with_name(f"{video.stem}.record.json")


def import_av() -> ModuleType:
    """Import PyAV.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise InputError("recording needs PyAV: pip install 'emotion-rppg[record]'") from error
    return av


class Encoder:
    """Encode RGB frames of one size, each with its own time, to a file or to memory.

    ``rate_hz`` is what the container states; players use it, times do not depend on it.
    """

    def __init__(self, target: Path | IO[bytes], codec: Codec, rate_hz: float) -> None:
        av = import_av()
        self._av, self._codec, self._last = av, codec, -1
        self._rate = Fraction(rate_hz).limit_denominator(1001)
        place = str(target) if isinstance(target, Path) else target
        self._container = av.open(place, "w", format="matroska", options=_CONTAINER)
        self._stream: Any = None

    def _open_stream(self, width: int, height: int) -> Any:
        stream = self._container.add_stream(
            self._codec.encoder, rate=self._rate, options=dict(self._codec.options)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, self._codec.pixels
        context = stream.codec_context
        # threads that encode whole frames would hold frames back, which a crash then loses
        context.time_base, context.thread_type, context.thread_count = _MS, "SLICE", _THREADS
        return stream

    def add(self, frame: Frame, time_s: float) -> None:
        """Encode and write a frame at a time, s from the first frame."""
        if self._stream is None:
            height, width = frame.image.shape[:2]
            self._stream = self._open_stream(width, height)
        image = self._av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        self._last = max(round(time_s * 1e3), self._last + 1)
        image.pts, image.time_base = self._last, _MS
        self._container.mux(self._stream.encode(image))

    def close(self) -> None:
        """Write what the encoder holds and the end of the file."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def encoding_cost(frames: Iterable[Frame], codec: Codec) -> tuple[float, float]:
    """Measure time (s) and size (bytes) of encoding one of some frames, in memory."""
    frames, memory = list(frames), BytesIO()
    begun = time.perf_counter()
    encoder = Encoder(memory, codec, 30.0)
    for k, frame in enumerate(frames):
        encoder.add(frame, k / 30)
    encoder.close()
    return (time.perf_counter() - begun) / len(frames), memory.tell() / len(frames)


def record(
    frames: Iterable[Frame],
    path: Path,
    *,
    clock: FrameClock,
    codec: Codec,
    rate_hz: float,
    seconds: float | None = None,
    facts: Mapping[str, Any] | None = None,
    on_frame: Callable[[Frame, float], None] | None = None,
) -> Recorded:
    """Write frames to a Matroska file and its table until they end, or for some seconds.

    Ctrl-C is a usual end. A full disk or a camera that is lost ends the recording as well; what was
    recorded until then is kept, and ``Recorded.fault`` says what happened.

    Parameters
    ----------
    clock : FrameClock
        The clock of the frames; is read when the first frame comes.
    rate_hz : float
        Frame rate that the container states.
    facts : mapping
        Further content of NAME.record.json, such as the settings of the camera.
    on_frame : function
        Called for each frame that was written, with its time in s from the first frame.
    """
    written = _Written(path, clock, codec, rate_hz, facts or {})
    ended, fault = "complete", None
    try:
        for frame in frames:
            time_s = written.add(frame)
            if on_frame is not None:
                on_frame(frame, time_s)
            if seconds is not None and time_s >= seconds - 1.5 / rate_hz:
                break
    except KeyboardInterrupt:
        ended = "stopped"
    except InputError as error:  # of the camera
        ended, fault = "camera lost", str(error)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        ended, fault = "disk full", "the disk is full"
    finally:
        recorded = written.close(ended, fault)
    return recorded


def _fills_the_disk(write: Callable[[], object]) -> bool:
    """Run a step that writes; return whether the disk had no room for it."""
    try:
        write()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return True
    return False


class _Written:
    """The three files of a recording."""

    def __init__(
        self,
        path: Path,
        clock: FrameClock,
        codec: Codec,
        rate_hz: float,
        facts: Mapping[str, Any],
    ) -> None:
        self.path, self.clock = path, clock
        self.first_s, self.last_s, self.next_look_s = 0.0, 0.0, 0.0
        self.frames, self.dropped, self.index = 0, 0, -1
        self.facts = {
            "written_by": PACKAGE,
            "video": path.name,
            "codec": {"name": codec.name, "encoder": codec.encoder, **codec.options},
            **facts,
            "versions": {**versions(), "av": import_av().__version__},
            "ended": None,  # remains so after a kill
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(facts_path(path), self.facts)
        self.encoder = Encoder(path, codec, rate_hz)
        self.table = frame_table_path(path).open("w", encoding="utf-8", buffering=1)
        self.table.write(",".join(COLUMNS) + "\n")

    def add(self, frame: Frame) -> float:
        """Write a frame; return its time in s from the first one."""
        if not self.frames:
            self.first_s = frame.time_s
        time_s = float(frame.time_s - self.first_s)
        if time_s >= self.next_look_s:
            self._check_space()
            self.next_look_s = time_s + 1.0
        self.encoder.add(frame, time_s)
        host_s = frame.time_s + self.clock.start_s
        unix_s = frame.time_s + self.clock.start_unix_s
        # every digit, so that the pulse of a copy is that of the original to the last digit
        self.table.write(f"{self.frames},{time_s!r},{host_s:.6f},{unix_s:.6f}\n")
        if self.index >= 0:
            self.dropped += frame.index - self.index - 1
        self.index, self.last_s = frame.index, time_s
        self.frames += 1
        return time_s

    def _check_space(self) -> None:
        if shutil.disk_usage(self.path.parent).free < RESERVE_BYTES:
            raise OSError(errno.ENOSPC, "less than 50 MB are free", str(self.path))

    def close(self, ended: str, fault: str | None) -> Recorded:
        """Complete the files; on a full disk as far as there is room."""
        recorded = Recorded(self.path, self.frames, self.last_s, self.dropped, ended, fault)
        is_full = [_fills_the_disk(step) for step in (self.encoder.close, self.table.close)]
        if any(is_full):
            recorded = replace(recorded, ended="disk full", fault="the disk is full")
        _fills_the_disk(partial(self._write_facts, recorded))
        return recorded

    def _write_facts(self, recorded: Recorded) -> None:
        about = {
            "frames": recorded.frames,
            "seconds": round(recorded.seconds, 6),
            "dropped": recorded.dropped,
            "first_frame_unix_s": round(self.first_s + self.clock.start_unix_s, 6)
            if self.frames
            else None,
            "first_frame_monotonic_s": round(self.first_s + self.clock.start_s, 6)
            if self.frames
            else None,
            "ended": recorded.ended,
            "fault": recorded.fault,
        }
        write_json(facts_path(self.path), {**self.facts, **about})
