"""Every command and example that the README marks is run as its reader would run it."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets.synthetic import write_study

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MARKED = re.findall(r"<!-- test: run -->\n```(\w+)\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A reader's folder: a face video and a study of their own."""
    folder = tmp_path_factory.mktemp("desk")
    clip = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
    (folder / "face.mp4").write_bytes(clip.read_bytes())
    write_study(folder / "study", people=2, trials=4, duration_s=16.0, size=96, rate_hz=15.0)
    return folder


def test_the_three_jobs_are_there_as_commands_and_as_short_python() -> None:
    languages = [language for language, _ in MARKED]
    assert languages == ["bash", "python"] * 3
    for language, text in MARKED:
        if language == "python":
            lines = [line for line in text.splitlines() if line.strip()]
            assert len(lines) <= 10


def test_the_examples_run_in_the_order_they_are_read(desk, monkeypatch) -> None:
    monkeypatch.chdir(desk)
    for language, text in MARKED:
        if language == "python":
            exec(compile(text, "README.md", "exec"), {})  # the README is ours
            continue
        for line in text.splitlines():
            verb = shlex.split(line, comments=True)
            assert verb[0] == "emotion-rppg"
            result = CliRunner().invoke(app, verb[1:])
            assert result.exit_code == 0, f"{line}\n{result.output}"
    for made in ("wave.csv", "table.csv", "model/config.json", "result/report.html"):
        assert (desk / made).is_file(), made
