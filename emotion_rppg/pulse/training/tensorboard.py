"""A training's curves as TensorBoard shows them: an event file that grows while it goes on."""

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

PREFIX = "events.out.tfevents"  # TensorBoard goes by it
FLUSHED_EACH_S = 5.0
_log = logging.getLogger(__name__)

Tell = Callable[[Curve, Curve], None]


def check_events(folder: str | Path, out: str | Path) -> None:
    """Refuse, before any work, a folder that could not take the events of a training.

    Raises
    ------
    InputError
        No package that writes them; the folder cannot be written, or lies in ``out``.
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
) -> Iterator[Tell]:
    """What writes the steps that a training's two curves have gained since it was last called.

    Parameters
    ----------
    folder : path or None
        Where the event file lies, a folder that `check_events` let pass; None: nothing is written.
    name : str
        The training's. Its earlier files in the folder are replaced: the curves of a training that
        goes on begin with the steps that it has kept, so that no step is there twice or never.
    rate_at : function
        The learning rate of a step.
    """
    if folder is None:
        yield lambda training, validation: None
        return
    with closing(_Writer(Path(folder), name)) as writer:
        told = [0, 0]

        def tell(training: Curve, validation: Curve) -> None:
            for step, loss in training[told[0] :]:
                writer.scalars(step, loss=loss, learning_rate=rate_at(step))
            for step, loss in validation[told[1] :]:
                writer.scalars(step, validation_loss=loss)
            told[:] = len(training), len(validation)

        yield tell


class _Writer:
    """Events written one after the other by whoever calls, through tensorboardX's `RecordWriter`.

    Not its `SummaryWriter`: that writes in a thread, which dies on a full disk, and then waits for
    it without end. Here a disk that takes no more ends the file with a warning, not the training.
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
        # a TensorBoard that is watching forgets what it saw of the files before
        self._put(step=0, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, **values: float) -> None:
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
            with suppress(OSError):  # again, of what it could not write
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
