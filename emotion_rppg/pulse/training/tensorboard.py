"""Write the loss curves of a running training to an event file for TensorBoard."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training.curves import Curve

PREFIX = "events.out.tfevents"  # by which TensorBoard finds event files
FLUSHED_EACH_S = 5.0
_log = logging.getLogger(__name__)

WriteEvents = Callable[[Curve, Curve], None]


def check_events(folder: str | Path, out: str | Path) -> None:
    """Check before training that event files can be written to a folder.

    Raises
    ------
    InputError
        The package tensorboardX is not installed; the folder cannot be written, or is in ``out``.
    """
    _check_package()
    folder, out = Path(folder).resolve(), Path(out).resolve()
    if folder.is_relative_to(out):
        raise InputError(
            f"the event file would lie in {out}, which is written as a whole when training ends: "
            "give another --tensorboard"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"cannot write event files in {folder} ({error.strerror}): give another --tensorboard"
        ) from error


@contextmanager
def event_file(
    folder: str | Path | None, name: str, rate_at: Callable[[int], float]
) -> Iterator[WriteEvents]:
    """Open an event file; yield a function that writes the new steps of both loss curves to it.

    The function takes the training and the validation curve so far.

    Parameters
    ----------
    folder : path or None
        Folder of the event file, checked by `check_events`; None: nothing is written.
    name : str
        Name of the training. Earlier event files of this name in the folder are replaced: a resumed
        training first writes the steps of its checkpoint, so that each step is there once.
    rate_at : function
        From a step to its learning rate.
    """
    if folder is None:
        yield lambda training, validation: None
        return
    with closing(_Writer(Path(folder), name)) as writer:
        written = [0, 0]

        def write_events(training: Curve, validation: Curve) -> None:
            for step, loss in training[written[0] :]:
                writer.scalars(step, loss=loss, learning_rate=rate_at(step))
            for step, loss in validation[written[1] :]:
                writer.scalars(step, validation_loss=loss)
            written[:] = len(training), len(validation)

        yield write_events


class _Writer:
    """Write events in the calling thread by tensorboardX's `RecordWriter`.

    Its `SummaryWriter` writes in a thread, which ends when the disk is full, and then waits for it
    for ever. Here a full disk ends the event file with a warning, and training continues.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        _remove(folder, name)
        path = folder / f"{PREFIX}.{int(time.time())}.{os.getpid()}.{name}"
        self.file = RecordWriter(str(path))
        self.flushed_s = 0.0
        self.full = False
        self._put(file_version="brain.Event:2")
        # makes a running TensorBoard discard the steps of the earlier files
        self._put(step=0, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, **values: float) -> None:
        """Write values of a step, by their tags."""
        from tensorboardX.summary import scalar

        for tag, value in values.items():
            self._put(step=step, summary=scalar(tag, value))
        if time.monotonic() > self.flushed_s + FLUSHED_EACH_S:
            self._try(self.file.flush)
            self.flushed_s = time.monotonic()

    def close(self) -> None:
        self._try(self.file.close)

    def _put(self, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._try(self.file.write, Event(wall_time=time.time(), **content).SerializeToString())

    def _try(self, write: Callable[..., None], *data: bytes) -> None:
        if self.full:
            return
        try:
            write(*data)
        except OSError as error:
            self.full = True
            with suppress(OSError):  # closing writes again what could not be written
                self.file.close()
            _log.warning("the event file of TensorBoard ends here: %s", error)


def _remove(folder: Path, name: str) -> None:
    own = re.compile(rf"{re.escape(PREFIX)}\.\d+\.\d+\.{re.escape(name)}")
    for path in folder.iterdir():
        if own.fullmatch(path.name):
            path.unlink()


def _check_package() -> None:
    try:
        import tensorboardX  # noqa: F401 (of the extra ``curves``)
    except ImportError as error:
        raise InputError(
            "--tensorboard needs the package tensorboardX: pip install 'emotion-rppg[curves]'"
        ) from error
