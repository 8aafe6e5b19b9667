"""Recorded frames are the camera's, with its times; what was recorded survives every end."""

import errno
import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from emotion_rppg.errors import InputError
from emotion_rppg.recorded_times import RecordedTimes, frame_table_path
from emotion_rppg.recordings import Video
from emotion_rppg.runtime.cache_keys import fingerprint
from emotion_rppg.video import recorder
from emotion_rppg.video.frames import Frame, read_frames
from emotion_rppg.video.live_capture import FrameClock

pytest.importorskip("av", reason="needs the extra record")
from emotion_rppg.video.recorder import CODECS, Recorded, encoding_cost, facts_path, record

CLOCK = FrameClock(1000.0, 5000.0)
DRAW = np.random.default_rng(0)
# uneven times of a camera, two frames less than a millisecond apart among them
TIMES = 3.0 + np.sort(np.r_[np.cumsum(DRAW.uniform(0.025, 0.045, 39)), 0.0301, 0.0306])
IMAGES = [DRAW.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in TIMES]


def camera(end: BaseException | None = None) -> list[Frame]:
    """Yield the frames; the tenth is missing; then raise."""
    for k, (time_s, image) in enumerate(zip(TIMES, IMAGES, strict=True)):
        if k != 10:
            yield Frame(k, time_s, image)
    if end is not None:
        raise end


def recorded(path: Path, frames=None, *, codec: str = "ffv1", **how) -> Recorded:
    return record(
        camera() if frames is None else frames,
        path,
        clock=CLOCK,
        codec=CODECS[codec],
        rate_hz=30.0,
        **how,
    )


def facts(path: Path) -> dict:
    return json.loads(facts_path(path).read_text())


def test_ffv1_gives_each_pixel_and_each_time_back(tmp_path) -> None:
    result = recorded(tmp_path / "a.mkv")
    assert (result.frames, result.dropped, result.ended, result.fault) == (40, 1, "complete", None)
    back = list(read_frames(tmp_path / "a.mkv"))
    sent = list(camera())
    assert len(back) == len(sent)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(sent, back, strict=True))
    expected = np.array([frame.time_s for frame in sent]) - TIMES[0]
    assert [frame.time_s for frame in back] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("codec", CODECS)
def test_the_video_alone_has_the_times_to_a_millisecond(codec, tmp_path) -> None:
    recorded(tmp_path / "a.mkv", codec=codec)
    frame_table_path(tmp_path / "a.mkv").unlink()
    back = list(read_frames(tmp_path / "a.mkv"))
    expected = np.delete(TIMES, 10) - TIMES[0]
    assert [frame.time_s for frame in back] == pytest.approx(expected, abs=1.1e-3)
    assert encoding_cost(list(camera())[:5], CODECS[codec])[1] > 1000


def test_the_table_has_the_clocks_of_the_computer(tmp_path) -> None:
    recorded(tmp_path / "a.mkv", facts={"camera": "0"})
    rows = np.loadtxt(tmp_path / "a.frames.csv", delimiter=",", skiprows=1)
    times = np.delete(TIMES, 10)
    assert rows[:, 0] == pytest.approx(np.arange(40))
    assert rows[:, 1] == pytest.approx(times - times[0], abs=1e-6)
    assert rows[:, 2] == pytest.approx(times + 1000.0, abs=1e-6)
    assert rows[:, 3] == pytest.approx(times + 5000.0, abs=1e-6)
    about = facts(tmp_path / "a.mkv")
    assert about["camera"] == "0"
    assert about["first_frame_unix_s"] == pytest.approx(5003.0, abs=0.05)
    assert (about["frames"], about["dropped"], about["ended"]) == (40, 1, "complete")
    assert {"av", "emotion_rppg", "opencv-python"} <= set(about["versions"])


def test_a_recording_ends_after_the_seconds_asked_for(tmp_path) -> None:
    frames = [Frame(k, k / 30, IMAGES[0]) for k in range(90)]
    result = recorded(tmp_path / "a.mkv", iter(frames), seconds=1.0)
    assert result.frames == 30


@pytest.mark.parametrize(
    ("end", "ended", "fault"),
    [
        (KeyboardInterrupt(), "stopped", None),
        (InputError("camera 0 gave no frame for 5 s"), "camera lost", "camera 0 gave no frame"),
        (OSError(errno.ENOSPC, "No space left"), "disk full", "the disk is full"),
    ],
    ids=["Ctrl-C", "unplugged", "disk full"],
)
def test_however_it_ends_what_was_recorded_is_readable(end, ended, fault, tmp_path) -> None:
    result = recorded(tmp_path / "a.mkv", camera(end))
    assert result.ended == facts(tmp_path / "a.mkv")["ended"] == ended
    assert (result.fault or "").startswith(fault or "")
    assert (result.fault is None) == (fault is None)
    assert sum(1 for _ in read_frames(tmp_path / "a.mkv")) == 40


def test_an_error_in_the_program_is_raised_after_the_files_are_complete(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError):
        recorded(tmp_path / "a.mkv", camera(ZeroDivisionError()))
    assert sum(1 for _ in read_frames(tmp_path / "a.mkv")) == 40


def test_a_recording_ends_by_itself_before_the_disk_is_full(tmp_path, monkeypatch) -> None:
    free = iter([10**9, 10**9, 10**7])
    monkeypatch.setattr(
        recorder.shutil, "disk_usage", lambda path: type("Usage", (), {"free": next(free)})
    )
    frames = (Frame(k, k / 30, IMAGES[0]) for k in range(300))
    result = recorded(tmp_path / "a.mkv", frames)
    assert (result.ended, result.frames) == ("disk full", 60)
    assert sum(1 for _ in read_frames(tmp_path / "a.mkv")) == 60


def test_without_pyav_the_message_names_the_extra(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'emotion-rppg\[record\]'"):
        recorder.import_av()


# ---- the table of frames as the clock of a Video ------------------------------------------------


def test_a_half_written_row_is_not_read(tmp_path) -> None:
    recorded(tmp_path / "a.mkv")
    table = tmp_path / "a.frames.csv"
    text = table.read_text()
    table.write_text(text[: text.rindex("\n", 0, -1) + 5])
    assert len(RecordedTimes(table)()) == 39
    back = list(read_frames(tmp_path / "a.mkv"))
    assert len(back) == 40
    assert np.diff([frame.time_s for frame in back]).min() > 0


def test_another_video_of_that_name_has_its_own_times(tmp_path, caplog) -> None:
    recorded(tmp_path / "a.mkv")
    other = [Frame(k, 0.05 * k + 0.02 * (k > 0), IMAGES[0]) for k in range(20)]
    recorded(tmp_path / "b.mkv", iter(other))
    os.replace(tmp_path / "b.mkv", tmp_path / "a.mkv")
    with caplog.at_level(logging.WARNING):
        back = list(read_frames(tmp_path / "a.mkv"))
    assert [f.time_s for f in back] == pytest.approx([f.time_s for f in other], abs=1e-3)
    assert "not in the table of frames" in caplog.text


def test_a_table_of_another_program_is_ignored(tmp_path) -> None:
    recorded(tmp_path / "a.mkv")
    (tmp_path / "a.frames.csv").write_text("index,time\n0,7\n1,8\n")
    assert next(read_frames(tmp_path / "a.mkv")).time_s == 0.0


def test_the_table_is_part_of_the_key_of_cached_results(tmp_path) -> None:
    recorded(tmp_path / "a.mkv")
    before = fingerprint(Video(tmp_path / "a.mkv"))
    with (tmp_path / "a.frames.csv").open("a") as file:
        file.write("40,9.0,9.0,9.0\n")
    assert None not in (before, fingerprint(Video(tmp_path / "a.mkv")))
    assert fingerprint(Video(tmp_path / "a.mkv")) != before


def test_a_folder_of_recordings_is_a_study(tmp_path) -> None:
    from emotion_rppg.datasets.folder import paths_in
    from emotion_rppg.study import as_recordings

    for name in ("rest", "film"):
        recorded(tmp_path / "anna" / f"{name}.mkv")
    (tmp_path / "anna" / "film_events.csv").write_text("onset,duration,trial_type\n0.5,,go\n")
    assert [path.name for path in paths_in(tmp_path)] == ["film.mkv", "rest.mkv"]
    found = as_recordings(tmp_path)
    assert [(r.subject, r.trial) for r in found] == [("anna", "film"), ("anna", "rest")]
    assert [event.name for event in found[0].read_events()] == ["go"]
