"""SIGKILL at any moment of a long verb: the same command goes on, and ends with the same numbers.

`make faults` kills often (``EMOTION_RPPG_KILLS``); here each verb is killed once. What `features`
keeps when it is killed is told in test_faults.py.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from emotion_rppg.datasets.synthetic import write_study
from emotion_rppg.study import extract
from emotion_rppg.tables import write_table

KILLS = int(os.environ.get("EMOTION_RPPG_KILLS", "1"))


class Verb(NamedTuple):
    """A command without its --out, and the files whose bytes tell that it gave the same."""

    words: tuple[str, ...]
    files: tuple[str, ...]


VERBS = {
    "evaluate": Verb(
        ("evaluate", "--table", "{table}", "--task", "arousal", "--heads", "logistic,knn"),
        ("results.csv", "predictions.parquet", "summary.csv"),
    ),
    "train pulse": Verb(
        (
            "train",
            "pulse",
            "--steps",
            "8",
            "--size",
            "16",
            "--frames",
            "32",
            "--batch-size",
            "1",
            "--resume",
        ),
        ("model.safetensors",),
    ),
    "train encoder": Verb(
        ("train", "encoder", "--table", "{table}", "--epochs", "8", "--hidden", "8", "--resume"),
        ("model.safetensors",),
    ),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("study")
    folder = write_study(place / "s", people=4, trials=2, duration_s=60.0, video=False)
    return write_table(extract(folder), place / "t.csv")


@pytest.fixture(scope="module")
def undisturbed(table, tmp_path_factory):
    """Seconds that a verb takes, and what its files hold; each verb is run once."""
    done: dict[str, tuple[float, list[bytes]]] = {}

    def of(name: str) -> tuple[float, list[bytes]]:
        if name not in done:
            out, begun = tmp_path_factory.mktemp("whole") / "out", time.monotonic()
            assert started(name, table, out).wait() == 0
            took_s = time.monotonic() - begun
            done[name] = took_s, [(out / file).read_bytes() for file in VERBS[name].files]
        return done[name]

    return of


def started(name: str, table: Path, out: Path) -> subprocess.Popen:
    words = [word.format(table=table) for word in VERBS[name].words]
    command = [sys.executable, "-m", "emotion_rppg.cli", *words, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_verb_goes_on_and_ends_alike(name, kill, table, undisturbed, tmp_path) -> None:
    took_s, whole = undisturbed(name)
    out = tmp_path / "out"
    process = started(name, table, out)
    time.sleep(took_s * random.Random(f"{name} {kill}").uniform(0.2, 1.0))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert started(name, table, out).wait() == 0
    assert [(out / file).read_bytes() for file in VERBS[name].files] == whole
    # a kill while the folder is written leaves that try hidden beside it, and nothing else
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".out-")] == ["out"]
