"""What differs on Windows and macOS, as far as it can be tested here: text, names, paths, spawn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotion_rppg.cli.verbs import app, train
from emotion_rppg.datasets.folder import Folder
from emotion_rppg.errors import InputError
from emotion_rppg.formats.bids import physio_path
from emotion_rppg.recordings import Recording
from emotion_rppg.runtime.tables import read_table, write_partitioned
from emotion_rppg.signals import Signal
from tests.datasets.test_fuzz import BESIDE, PARSERS

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{n}{k}" for n in ("COM", "LPT") for k in range(1, 10))}
TEXTS = [name for name, (_, content, _) in PARSERS.items() if isinstance(content, bytes)]
VERBS = [[c.name or c.callback.__name__] for c in app.registered_commands]
VERBS += [["train", c.name or c.callback.__name__] for c in train.registered_commands]


def run(*words: str, encoding: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process whose streams have this encoding, as in a pipe there."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "emotion_rppg.cli", *words]
    return subprocess.run(command, capture_output=True, env=environment, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("verb", [[], *VERBS], ids=" ".join)
def test_the_help_of_a_verb_prints_on_a_console_of_windows(verb) -> None:
    done = run(*verb, "--help", encoding="cp1252")
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert b"Usage" in done.stdout


def write_wave(path: Path) -> Path:
    t = np.arange(60 * 64) / 64
    pd.DataFrame({"time_s": t, "bvp": np.sin(2 * np.pi * 1.2 * t)}).to_csv(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_survive_in_json_on_a_console_that_lacks_their_letters(tmp_path, encoding) -> None:
    path = write_wave(tmp_path / "Ørsted → 心.csv")
    done = run("inspect", str(path), "--json", encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["path"] == str(path)
    done = run("inspect", str(path), encoding=encoding)
    assert done.returncode == 0, done.stderr
    if encoding == "cp1252":  # click prints UTF-8 where it is told ASCII
        assert b"?" in done.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_file_with_the_line_ends_of_windows_is_read(name, tmp_path) -> None:
    file, content, read = PARSERS[name]
    for other, text in BESIDE.items():
        (tmp_path / other).write_bytes(text.replace(b"\n", b"\r\n"))
    (tmp_path / file).write_bytes(content.replace(b"\n", b"\r\n"))
    read(tmp_path / file)


def study(folder: Path, name: str) -> Path:
    (folder / "waves").mkdir()
    write_wave(folder / "waves" / "a.csv")
    (folder / "manifest.csv").write_text(f"subject,trial,signal\n1,1,{name}\n")
    return folder


def test_a_manifest_of_windows_is_read_everywhere(tmp_path) -> None:
    (recording,) = Folder(study(tmp_path, r"waves\a.csv"))
    assert recording.read_pulse("bvp").rate_hz == pytest.approx(64)


@pytest.mark.parametrize(
    "name", [r"C:\study\a.csv", r"..\a.csv", r"\\server\a.csv", r"waves\b.csv"]
)
def test_a_path_of_windows_outside_of_the_study_or_to_no_file_is_refused(tmp_path, name) -> None:
    inside = tmp_path / "study"
    inside.mkdir()
    write_wave(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"manifest\.csv, line 2: .*(outside|no file|not a file)"):
        list(Folder(study(inside, name)))


@pytest.mark.parametrize("person", ["CON", "nul", "a:b", "a?b*", "x.", "LPT1"])
def test_no_file_of_a_person_has_a_name_that_windows_reserves(tmp_path, person) -> None:
    rows = {"dataset": "aux", "subject": person, "session": "1", "trial": "1"}
    rows |= {"start_s": 0.0, "duration_s": 60.0}
    write_partitioned(pd.DataFrame([rows]), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")["subject"].tolist() == [person]
    wave = Signal(np.zeros(64), 32.0, kind="bvp")
    paths = [p.relative_to(tmp_path) for p in tmp_path.rglob("*")]
    paths.append(physio_path(Recording("d", person, trial="1"), wave))
    for part in (part for path in paths for part in path.parts):
        assert part.split(".")[0].upper() not in RESERVED
        assert not set(part) & set('<>:"|?*')
        assert not part.endswith((".", " "))
