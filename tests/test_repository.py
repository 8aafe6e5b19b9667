"""Files, tables, commands and versions that the contributor pages and workflows name exist."""

import re
import tomllib
from pathlib import Path

import pytest

from emotion_rppg.datasets import DATASETS

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
AUTOMATION = [ROOT / ".pre-commit-config.yaml", *sorted(GITHUB.rglob("*.yml"))]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
CONTRIBUTING = PAGES[0].read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def names_of(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))


def jobs() -> dict[str, dict]:
    return yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]


@pytest.mark.parametrize("path", AUTOMATION, ids=names_of(AUTOMATION))
def test_every_workflow_and_template_parses(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_continuous_integration_tests_each_system_with_each_python() -> None:
    matrix = jobs()["test"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    classifiers = "\n".join(PROJECT["project"]["classifiers"])
    assert matrix["python"] == re.findall(r"Python :: (3\.\d+)", classifiers)


@pytest.mark.parametrize("name", jobs())
def test_each_job_checks_out_and_runs_something_that_exists(name: str) -> None:
    steps = jobs()[name]["steps"]
    assert steps[0]["uses"].startswith("actions/checkout@")
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    assert commands
    assert set(re.findall(r"\bmake ([a-z-]+)", commands)) <= targets()
    extras = re.findall(r"\.\[(\w+)\]", commands)
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])


def test_each_field_of_an_issue_template_has_a_name_of_its_own() -> None:
    for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem == "config":
            continue
        assert {"name", "description", "body"} <= set(form), path.name
        fields = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(fields) == len(set(fields)) > 1, path.name
        assert all(field["attributes"] for field in form["body"]), path.name


def test_every_make_target_that_is_named_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *GITHUB.rglob("*.md")]
    for page in pages:
        named = re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))
        assert set(named) <= targets(), page.name


@pytest.mark.parametrize("page", PAGES, ids=names_of(PAGES))
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`([\w./-]+/[\w.-]*)`", page.read_text(encoding="utf-8"))
    paths = {path for path in named if not path.endswith("/mine.py")}  # the reader's own file
    assert len(paths) > 10
    roots = (ROOT, ROOT / "emotion_rppg")
    assert not [path for path in paths if not any((root / path).exists() for root in roots)]


def rows_of_additions() -> dict[str, str]:
    """Rows of the table "How to add …" by their first cell."""
    section = CONTRIBUTING.split("## How to add …")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines[1:]}


KINDS = (
    "rPPG method",
    "pulse network",
    "loss of a pulse network",
    "feature family",
    "head",
    "split",
    "normalisation",
    "data set reader",
    "file format of recorders",
    "signal kind with beats",
    "signal kind without beats",
)


def test_the_page_describes_how_to_add_each_kind() -> None:
    assert tuple(rows_of_additions()) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_each_table_of_names_is_in_the_file_that_the_page_names(kind: str) -> None:
    row = rows_of_additions()[kind]
    located = re.findall(r"`(\w+)` \(`(emotion_rppg/[\w/]+\.py)`\)", row)
    assert located
    for name, path in located:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(def )?{name}\b", text, flags=re.MULTILINE), f"{name} in {path}"


def test_the_example_of_a_reader_exists() -> None:
    assert DATASETS["case"].__module__ == "emotion_rppg.datasets.case"
    assert "`emotion_rppg/datasets/case.py`" in rows_of_additions()["data set reader"]


def test_the_fast_tests_are_all_but_those_marked_slow() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(test|test-fast):.*\n\t(.*)", text, flags=re.MULTILINE))
    assert recipes["test-fast"] == f'{recipes["test"]} -m "not slow"'
    assert PROJECT["tool"]["pytest"]["ini_options"]["markers"][0].startswith("slow:")
