"""The wheel carries the weights, cards and templates: the builder leaves out what git ignores."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emotion_rppg"


def test_nothing_that_the_package_reads_is_left_out_of_the_wheel() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout: which files git ignores is asked of git")
    data = [p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    names = [str(path.relative_to(ROOT)) for path in data]
    assert {".safetensors", ".skops", ".json", ".html"} <= {path.suffix for path in data}
    asked = ["git", "-C", str(ROOT), "check-ignore", "--no-index", *names]
    answer = subprocess.run(asked, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (1, ""), answer.stderr  # 1: none is ignored
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert settings["targets"]["wheel"] == {"packages": ["emotion_rppg"]}
    assert "exclude" not in settings
