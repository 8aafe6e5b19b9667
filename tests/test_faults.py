"""Kills, full disks and concurrent processes lose no finished result and leave no partial file.

`make faults` repeats the kill test (``EMOTION_RPPG_KILLS``); by default there is one kill.
"""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.recordings import Recording, Video
from emotion_rppg.runtime.cache import Cache, beside_name
from emotion_rppg.study import Extraction, Reading, feature_table

CLIP = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
KILLS = int(os.environ.get("EMOTION_RPPG_KILLS", "1"))


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


# a process that a shell starts in the background ignores SIGINT, and so would its children
RESTORE_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
VERB = RESTORE_SIGINT + "from emotion_rppg.cli import main; main()"


def started(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-c", VERB, *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("s") / "study"
    return write_study(place, people=4, trials=3, duration_s=60.0, video=False)


WRITTEN = ["run.json", "t.columns.md", "t.csv", "t.extraction.json", "t.sequences.parquet"]


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory) -> bytes:
    out = tmp_path_factory.mktemp("whole") / "t.csv"
    assert run("features", folder, "--out", out).exit_code == 0
    assert sorted(p.name for p in out.parent.iterdir()) == WRITTEN
    return out.read_bytes()


@pytest.fixture
def extracted(monkeypatch) -> list[str]:
    """Collect the names of the recordings that are extracted in this process."""
    names: list[str] = []
    extract_one = feature_table._extract_one

    def counted(recording, *rest):
        names.append(recording.name)
        return extract_one(recording, *rest)

    monkeypatch.setattr(feature_table, "_extract_one", counted)
    return names


def wait_for_results(process: subprocess.Popen, out: Path, count: int) -> int:
    """Wait until a number of results is cached beside the output, or the process has ended."""
    cached = Cache(beside_name(out))
    while process.poll() is None and len(cached.entries()) < count:
        time.sleep(0.002)
    return len(cached.entries())


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(KILLS))
def test_after_a_kill_only_unfinished_recordings_are_extracted_again(
    kill, folder, expected, extracted, tmp_path
) -> None:
    out = tmp_path / "t.csv"
    process = started("features", folder, "--out", out)
    wait_for_results(process, out, random.Random(kill).randint(1, 4))
    ended = process.poll() is not None  # a busy machine may notice too late
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    cached = len(Cache(beside_name(out)).entries())
    assert not out.exists() or cached == 0 or cached == 12
    result = run("features", folder, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(extracted) == len(set(extracted)) == 12 - cached
    if not ended:
        assert 0 < len(extracted) < 12
    assert out.read_bytes() == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == WRITTEN


@pytest.mark.slow
def test_an_interruption_preserves_finished_results(folder, expected, extracted, tmp_path) -> None:
    out = tmp_path / "t.csv"
    process = started("features", folder, "--out", out, "--workers", 2)
    wait_for_results(process, out, 1)
    if process.poll() is not None or out.exists():
        pytest.skip("the machine is so busy that the run ended before it was interrupted")
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=900)
    assert process.returncode == 130, stderr
    assert b"emotion-rppg: interrupted" in stderr, stderr
    assert b"Traceback" not in stderr, stderr
    cached = len(Cache(beside_name(out)).entries())
    assert cached >= 1
    assert run("features", folder, "--out", out).exit_code == 0
    assert len(extracted) == 12 - cached
    assert out.read_bytes() == expected


@pytest.mark.slow
def test_a_changed_file_or_option_is_extracted_again(
    folder, extracted, tmp_path, monkeypatch
) -> None:
    cached = tmp_path / "cached"
    words = ("features", folder, "--out", tmp_path / "t.csv", "--cache", cached)
    assert run(*words).exit_code == 0
    assert len(extracted) == 12
    assert run(*words).exit_code == 0
    assert len(extracted) == 12
    assert run(*words, "--step", 20).exit_code == 0
    assert len(extracted) == 24
    changed = sorted((folder / "signals").iterdir())[0]
    os.utime(changed)
    assert run(*words).exit_code == 0
    assert len(extracted) == 25
    listing = json.loads(run("cache", cached, "--json").stdout)
    assert listing["folders"][0]["results"] == 25
    monkeypatch.setenv("EMOTION_RPPG_CACHE", str(cached))
    assert "25 results" in run("cache", "--clear").stdout
    assert list(cached.iterdir()) == []


@pytest.mark.slow
def test_another_window_length_decodes_no_video_again(tmp_path, monkeypatch) -> None:
    words = ("features", CLIP, "--out", tmp_path / "t.csv", "--cache", tmp_path / "cached")
    assert run(*words, "--whole").exit_code == 0
    monkeypatch.setattr("emotion_rppg.pulse.estimate.estimate", None)
    assert run(*words, "--length", 10, "--step", 5).exit_code == 0
    assert run(*words, "--whole", "--method", "green").exit_code == 2


# ---- disks -------------------------------------------------------------------------------------


def full(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["tables.write_table", "provenance.write_run"])
def test_a_full_disk_is_reported_in_one_sentence_and_loses_no_finished_result(
    writer, folder, expected, extracted, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "t.csv"
    with monkeypatch.context() as patch:
        patch.setattr(f"emotion_rppg.runtime.{writer}", full)
        result = run("features", folder, "--out", out)
    assert result.exit_code == 2
    assert result.stderr.startswith("emotion-rppg: cannot write: No space left on device")
    assert run("features", folder, "--out", out).exit_code == 0
    assert len(extracted) == 12
    assert out.read_bytes() == expected


@pytest.mark.slow
def test_a_disk_that_fills_while_writing_leaves_the_old_table(folder, tmp_path) -> None:
    """A limit of the OS on the file size stands for a full disk: the writes fail."""
    out = tmp_path / "t.csv"
    out.write_text("old")
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from emotion_rppg.cli import app\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))\n"
        "app(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "features", str(folder), "--out", str(out)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 2, process.stderr
    assert "cannot write" in process.stderr
    assert "Traceback" not in process.stderr
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".t-*"))


def test_pulse_reports_an_output_that_cannot_be_written(tmp_path, monkeypatch) -> None:
    words = ("pulse", CLIP, "--method", "pos", "--region", "full", "--out")
    nowhere = run(*words, "/proc/w.csv")
    assert nowhere.exit_code == 2
    assert "cannot write" in nowhere.stderr
    out = tmp_path / "w.csv"
    out.write_text("old")
    opened = Path.open

    def full_disk(path: Path, mode: str = "r", **how: object):
        return full() if "w" in mode else opened(path, mode, **how)

    monkeypatch.setattr(Path, "open", full_disk)
    result = run(*words, out)
    assert result.exit_code == 2
    assert result.stderr.startswith("emotion-rppg: cannot write: No space left on device")
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["w.csv"]


@pytest.mark.slow
def test_outputs_made_at_once_in_one_folder_are_all_recorded(tmp_path) -> None:
    """Each process rewrites run.json; none may lose the record of another."""
    words = ("pulse", CLIP, "--method", "green", "--region", "full", "--out")
    runs = [started(*words, tmp_path / f"w{k}.csv") for k in range(3)]
    for process in runs:
        _, stderr = process.communicate(timeout=900)
        assert process.returncode == 0, stderr
    record = json.loads((tmp_path / "run.json").read_text())
    assert {record["output"], *record["others"]} == {"w0.csv", "w1.csv", "w2.csv"}


def test_another_training_of_a_network_changes_the_cache_key(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"trained_on": {}}')
    (tmp_path / "model.safetensors").write_bytes(b"first")
    recording = Recording("d", "1", video=Video(CLIP))
    keys = []
    for weights in (b"first", b"other"):
        (tmp_path / "model.safetensors").write_bytes(weights)
        how = Extraction(method=tmp_path)
        keys.append(feature_table._rows_key(recording, Reading.of(how), how))
    assert None not in keys
    assert keys[0] != keys[1]


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    folder, extracted, tmp_path
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", Path("/proc")):
        result = run("features", folder, "--out", place / "t.csv")
        assert result.exit_code == 2, result.output
        assert "cannot write" in result.stderr
    assert extracted == []
