"""Event files have every step once, also after a resume; unusable folders are refused first."""

import errno
import os
import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorboardX
from tensorboardX.proto.event_pb2 import Event, SessionLog

from emotion_rppg.errors import InputError
from emotion_rppg.pulse.training.tensorboard import event_file
from emotion_rppg.pulse.training.train import TrainingConfig, sources, train

RECIPE = TrainingConfig(size=16, frames=32, steps=6, batch_size=2, validation=0.5, validate_every=2)
CLIPS, HELD_OUT, _ = sources(None, RECIPE)


def trained(out: Path, clips=CLIPS, **options) -> Path:
    settings = {"recipe": RECIPE, "validation": HELD_OUT, "device": "cpu", **options}
    return train(clips, out, tensorboard=out.parent / "runs", **settings)


def events(folder: Path) -> list[Event]:
    """Read the events of the only event file in a folder."""
    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read steps and values of each curve from the event file."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return curves


def in_csv(path: Path) -> list[tuple[int, float]]:
    return [tuple(row) for row in np.loadtxt(path, delimiter=",", skiprows=1)]


class Killed(BaseException):
    pass


def dies_at_step_4(index: int):
    if index >= 4 * RECIPE.batch_size:
        raise Killed
    return CLIPS(index)


@pytest.mark.slow
def test_the_event_file_has_the_curves_of_the_training(tmp_path) -> None:
    out = trained(tmp_path / "net")
    found = scalars(tmp_path / "runs")
    assert set(found) == {"loss", "learning_rate", "validation_loss"}
    for tag, name in (("loss", "curve"), ("validation_loss", "validation")):
        np.testing.assert_allclose(found[tag], in_csv(out / f"{name}.csv"), atol=1e-5)
    rates = [(step, RECIPE.learning_rate_at(step)) for step in range(RECIPE.steps)]
    np.testing.assert_allclose(found["learning_rate"], rates, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_every", [3, 100], ids=["after one", "before the first"])
def test_a_resumed_training_has_every_step_once(checkpoint_every, tmp_path) -> None:
    with pytest.raises(Killed):
        trained(tmp_path / "net", dies_at_step_4, checkpoint_every=checkpoint_every)
    steps = [step for step, _ in scalars(tmp_path / "runs")["loss"]]
    assert steps == [0, 1, 2, 3], "written during training, also after the checkpoint"
    out = trained(tmp_path / "net", resume=True)
    found = scalars(tmp_path / "runs")
    assert [step for step, _ in found["loss"]] == list(range(RECIPE.steps))
    assert [step for step, _ in found["validation_loss"]] == [1, 3, 5]
    np.testing.assert_allclose(found["loss"], in_csv(out / "curve.csv"), atol=1e-5)
    # makes a running TensorBoard discard the steps it read before
    assert [e.step for e in events(tmp_path / "runs") if e.session_log.status] == [0]
    assert events(tmp_path / "runs")[1].session_log.status == SessionLog.START


def test_other_event_files_in_the_folder_are_unchanged(tmp_path) -> None:
    others = ("events.out.tfevents.1700000000.host", "events.out.tfevents.1700000000.7.my.net")
    for name in others:
        (tmp_path / name).write_text("mine")
    for _ in range(2):
        with event_file(tmp_path, "net", RECIPE.learning_rate_at) as write_events:
            write_events([(0, 1.0)], [])
    names = {path.name for path in tmp_path.iterdir()}
    assert names > set(others)
    assert len(names) == len(others) + 1


def test_events_are_in_the_file_before_training_ends(tmp_path) -> None:
    with event_file(tmp_path, "net", RECIPE.learning_rate_at) as write_events:
        write_events([(0, 0.75)], [])
        assert scalars(tmp_path)["loss"] == [(0, 0.75)]


def refused(tmp_path: Path, folder: Path, why: str) -> None:
    with pytest.raises(InputError, match=why):
        train(
            lambda index: pytest.fail("a clip was made"),
            tmp_path / "net",
            recipe=replace(RECIPE, validation=0.0),
            tensorboard=folder,
        )


def test_without_the_package_training_does_not_start(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    refused(tmp_path, tmp_path / "runs", r"pip install 'emotion-rppg\[curves\]'")
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_take_events_is_refused(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "runs", Path("/proc/runs")):
        refused(tmp_path, folder, "cannot write event files in")
    for folder in (tmp_path / "net", tmp_path / "net" / "runs", tmp_path / "x" / ".." / "net"):
        refused(tmp_path, folder, "would lie in .*net, which is written as a whole")
    assert not (tmp_path / "net").exists()


ENDS = "the event file of TensorBoard ends here: [Errno 28] No space left on device"


@pytest.mark.slow
def test_a_full_disk_ends_the_event_file_and_not_the_training(
    tmp_path, monkeypatch, caplog
) -> None:
    real, written = tensorboardX.RecordWriter.write, []

    def write(self, data: bytes) -> None:
        if len(written) == 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(data)
        real(self, data)

    monkeypatch.setattr(tensorboardX.RecordWriter, "write", write)
    out = trained(tmp_path / "net")
    assert caplog.messages.count(ENDS) == 1
    assert [step for step, _ in in_csv(out / "curve.csv")] == list(range(RECIPE.steps))
    assert len(events(tmp_path / "runs")) == 8, "complete events, closed file"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("flushed_each_s", [0.0, 1e9], ids=["at a flush", "at the end"])
def test_a_full_disk_gives_one_warning_and_nothing_hangs(
    flushed_each_s, tmp_path, monkeypatch, caplog
) -> None:
    real = tensorboardX.RecordWriter
    monkeypatch.setattr(tensorboardX, "RecordWriter", lambda path: real("/dev/full"))
    monkeypatch.setattr("emotion_rppg.pulse.training.tensorboard.FLUSHED_EACH_S", flushed_each_s)
    with event_file(tmp_path, "net", RECIPE.learning_rate_at) as write_events:
        for step in range(10):
            write_events([(k, 1.0) for k in range(step)], [])
            assert (ENDS in caplog.messages) == (step > 0 and flushed_each_s == 0)
    assert caplog.messages == [ENDS]
