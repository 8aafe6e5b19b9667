"""After SIGKILL at any moment, the same command resumes and ends with the same numbers.

`make faults` repeats it (``EMOTION_RPPG_KILLS``); by default each verb is killed once. For
`features` see test_faults.py.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.runtime.tables import write_table
from emotion_rppg.study import extract

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("EMOTION_RPPG_KILLS", "1"))
IN_A_ROW = min(KILLS, 5)  # kills before a verb may end, so that resumed runs are killed as well


class Verb(NamedTuple):
    """A command without its --out, and the output files that must be the same."""

    words: str
    files: tuple[str, ...]


VERBS = {
    "evaluate": Verb(
        "evaluate --table {table} --target arousal --heads logistic,knn",
        ("results.csv", "predictions.parquet", "summary.csv"),
    ),
    "evaluate --stage pulse": Verb(
        "evaluate --stage pulse --dataset folder --root {videos} --methods pos,green",
        ("results.csv", "windows.csv", "summary.csv"),
    ),
    "train emotion": Verb(
        "train emotion --table {table} --target arousal", ("config.json", "arousal.skops")
    ),
    "train pulse": Verb(
        "train pulse --steps 8 --size 16 --frames 32 --batch-size 1 --resume",
        ("model.safetensors",),
    ),
    "train encoder": Verb(
        "train encoder --table {table} --epochs 8 --hidden 8 --resume", ("model.safetensors",)
    ),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("study")
    folder = write_study(place / "s", people=4, trials=2, duration_s=60.0, video=False)
    return write_table(extract(folder), place / "t.csv")


@pytest.fixture(scope="module")
def given(table, tmp_path_factory) -> dict[str, Path]:
    videos = tmp_path_factory.mktemp("videos") / "s"
    write_study(videos, people=2, trials=1, duration_s=10.0)
    return {"table": table, "videos": videos}


@pytest.fixture(scope="module")
def expected(given, tmp_path_factory):
    """Run each verb once without a kill: its duration, s, and the content of its files."""
    done: dict[str, tuple[float, list[object]]] = {}

    def of(name: str) -> tuple[float, list[object]]:
        if name not in done:
            out, begun = tmp_path_factory.mktemp("expected") / "out", time.monotonic()
            assert started(name, given, out).wait() == 0
            took_s = time.monotonic() - begun
            done[name] = took_s, [content(out / file) for file in VERBS[name].files]
        return done[name]

    return of


def content(path: Path) -> object:
    """Read the bytes of a file; of a skops file its arrays without names and dates."""
    if path.suffix != ".skops":
        return path.read_bytes()
    with ZipFile(path) as parts:
        arrays = [part.CRC for part in parts.infolist() if part.filename.endswith(".npy")]
    assert arrays
    return sorted(arrays)


def started(name: str, given: dict[str, Path], out: Path) -> subprocess.Popen:
    words = VERBS[name].words.format(**given).split()
    command = [sys.executable, "-m", "emotion_rppg.cli", *words, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("row", range(KILLS // IN_A_ROW))
def test_a_killed_verb_resumes_and_gives_the_same_result(
    name, row, given, expected, tmp_path
) -> None:
    took_s, contents = expected(name)
    out, draw = tmp_path / "out", random.Random(f"{name} {row}")
    for _ in range(IN_A_ROW):
        process = started(name, given, out)
        time.sleep(took_s * draw.uniform(0.2, 1.0))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert started(name, given, out).wait() == 0
    assert [content(out / file) for file in VERBS[name].files] == contents
    # a kill while the folder is written leaves only its hidden temporary folder
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".out-")] == ["out"]
