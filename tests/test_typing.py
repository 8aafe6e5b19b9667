"""A user's script can be type-checked against the installed package (``py.typed``)."""

import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import emotion_rppg

pytest.importorskip("mypy")
SCRIPT = """\
import emotion_rppg
from emotion_rppg import Beats, Signal, find_beats


def rate_bpm(signal: Signal) -> float:
    beats: Beats = find_beats(signal)
    return 60_000 / float(beats.intervals_ms.mean())


reveal_type(emotion_rppg.Signal)
reveal_type(emotion_rppg.find_beats)
reveal_type(emotion_rppg.extract)
reveal_type(emotion_rppg.evaluate)
rate_bpm("wave.csv")  # wrong
"""


def installed_beside(folder: Path) -> Path:
    """Make an environment that finds the package and its libraries; return its interpreter."""
    venv.create(folder, with_pip=False)
    bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = bin_folder / ("python.exe" if sys.platform == "win32" else "python")
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    paths = (Path(emotion_rppg.__file__).parents[1], sysconfig.get_path("purelib"))
    (Path(site) / "beside.pth").write_text("\n".join(map(str, paths)) + "\n", encoding="utf-8")
    return python


def checked(script: str, folder: Path) -> str:
    """Output of ``mypy --strict`` for a user's script."""
    (folder / "user.py").write_text(script, encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\n", encoding="utf-8")
    python = installed_beside(folder / "environment")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)]
    run = subprocess.run([*command, "user.py"], cwd=folder, capture_output=True, text=True)
    return run.stdout + run.stderr


@pytest.mark.slow
def test_a_users_script_sees_the_types_of_the_public_names(tmp_path) -> None:
    output = checked(SCRIPT, tmp_path)
    wrong = SCRIPT.splitlines().index('rate_bpm("wave.csv")  # wrong') + 1
    errors = re.findall(r"user\.py:(\d+): error: .*\[([\w-]+)\]", output)
    assert errors == [(str(wrong), "arg-type")], output
    signal, beats, extract, evaluate = re.findall(r'Revealed type is "(.*)"', output)
    assert "rate_hz: float, *, kind: str | None" in signal
    assert signal.endswith("-> emotion_rppg.signals.Signal")
    assert beats.startswith("def (signal: emotion_rppg.signals.Signal,")
    assert beats.endswith("-> emotion_rppg.signals.Beats")
    assert "length_s: float | None" in extract
    assert evaluate.startswith("def (table: ")
