"""The wheel contains weights, cards, templates and types; the sdist what the tests read."""

import ast
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emotion_rppg"
# added by the builder anyway, or of no use outside a checkout
EXCLUDED = {".ci", ".gitignore", "LICENSE", "pyproject.toml"}


def test_the_wheel_contains_every_file_that_the_package_reads() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout: git says which files it ignores")
    data = [p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    assert PACKAGE / "py.typed" in data
    names = [str(path.relative_to(ROOT)) for path in data]
    assert {".safetensors", ".skops", ".json", ".html"} <= {path.suffix for path in data}
    command = ["git", "-C", str(ROOT), "check-ignore", "--no-index", *names]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (1, ""), answer.stderr  # 1: none is ignored
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert settings["targets"]["wheel"] == {"packages": ["emotion_rppg"]}
    assert "exclude" not in settings


@pytest.mark.slow
def test_the_wheel_contains_no_fake_data() -> None:
    """Code that writes fake data sets has "fake" in its name and is in tests."""
    defined = (ast.FunctionDef, ast.ClassDef)
    for path in PACKAGE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [path.stem, *(node.name for node in nodes if isinstance(node, defined))]
        assert not [name for name in names if "fake" in name.lower()], path
        modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        modules += [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
        assert "tests" not in {module.split(".")[0] for module in modules}, path


def test_the_sdist_has_all_that_git_tracks() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout: git says which files it tracks")
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tracked = {path.split("/")[0] for path in listed.split("\0") if path}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    patterns = [pattern.removeprefix("/") for pattern in settings["targets"]["sdist"]["include"]]
    assert {"tests", "benchmarks", "docs", "mkdocs.yml"} <= tracked
    excluded = {n for n in tracked if not any(fnmatch(n, pattern) for pattern in patterns)}
    assert excluded == EXCLUDED
