"""README and docs are true: examples run; commands parse; links, pages and modules exist."""

import importlib
import operator
import re
import shlex
from pathlib import Path

import pytest
from typer import Exit
from typer.main import get_command
from typer.testing import CliRunner

import emotion_rppg
from emotion_rppg.cli import app
from emotion_rppg.datasets.synthetic import write_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MARKED = re.findall(r"<!-- test: run -->\n```(\w+)\n(.*?)```", README, flags=re.DOTALL)
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "data/README.md")
PAGES = [*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FENCED = re.compile(r"^```\w*\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory) -> Path:
    """A user's folder with a face video and a study."""
    folder = tmp_path_factory.mktemp("desk")
    clip = Path(__file__).parents[1] / "data" / "synthetic_clip.mp4"
    (folder / "face.mp4").write_bytes(clip.read_bytes())
    write_study(folder / "study", people=2, trials=4, duration_s=16.0, size=96, rate_hz=15.0)
    return folder


def test_each_of_the_three_jobs_is_shown_as_commands_and_as_short_python() -> None:
    languages = [language for language, _ in MARKED]
    assert languages == ["bash", "python"] * 3
    for language, text in MARKED:
        if language == "python":
            lines = [line for line in text.splitlines() if line.strip()]
            assert len(lines) <= 10


@pytest.mark.slow
def test_the_marked_examples_run_in_order(user_folder, monkeypatch) -> None:
    monkeypatch.chdir(user_folder)
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
        assert (user_folder / made).is_file(), made


def commands_in(text: str) -> list[str]:
    """Return the command lines of the package in fenced blocks and in inline code."""
    blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
    lines = re.findall(r"^(?:\.venv/bin/)?(emotion-rppg\b.*)$", blocks, flags=re.MULTILINE)
    inline = re.findall(r"`(emotion-rppg [^`]*)`", FENCED.sub("", text))
    return [" ".join(line.split()) for line in lines + inline]


def refused(line: str) -> str:
    """Return the parser's error for a command line, or ""; a verb alone is a mention."""
    command, words, context = get_command(app), shlex.split(line, comments=True)[1:], None
    try:
        while words:
            context = command.make_context(command.name or "emotion-rppg", words, parent=context)
            if not hasattr(command, "resolve_command"):
                break
            words = [*context._protected_args, *context.args]
            _, command, words = command.resolve_command(context, words)
        return ""
    except Exit:  # --help, --version
        return ""
    except Exception as error:
        return getattr(error, "message", "") or type(error).__name__


def test_a_wrong_command_is_detected() -> None:
    text = "`emotion-rppg live --camera 0`\n```bash\nemotion-rppg live \\\n  --camra 0\n```\n"
    assert [bool(refused(line)) for line in commands_in(text)] == [True, False]
    for wrong in (
        "emotion-rppg no-verb",
        "emotion-rppg predict a.mp4",
        "emotion-rppg demo --seed x",
    ):
        assert refused(wrong), wrong


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_shown_parses(page: Path) -> None:
    lines = commands_in(page.read_text(encoding="utf-8"))
    wrong = {line: error for line in lines if (error := refused(line))}
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    files = [link for link in links if "://" not in link]
    assert not [link for link in files if not (page.parent / link).exists()]


def test_every_page_of_the_site_exists() -> None:
    pages = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert len(pages) > 5
    assert not [page for page in pages if not (ROOT / "docs" / page).is_file()]


def names_in(text: str) -> set[str]:
    """Return the dotted names of the package's modules, functions and tables in a page."""
    full = re.findall(r"\bemotion_rppg((?:\.[A-Za-z_]\w*)+)", text)
    short = re.findall(r"`((?:[a-z_]+)(?:\.[A-Za-z_]\w*)+)", text)
    imports = re.findall(r"from emotion_rppg([\w.]*) import ([\w, ]+)", text)
    listed = [f"{module}.{name.strip()}" for module, names in imports for name in names.split(",")]
    rooms = {path.stem for path in (ROOT / "emotion_rppg").iterdir()}
    ours = [
        f".{name}"
        for name in short
        if name.split(".")[0] in rooms and not name.endswith((".py", ".avi"))
    ]
    return {name.removeprefix(".") for name in (*full, *listed, *ours)}


def exists(name: str) -> bool:
    """Whether ``pulse.estimate.estimate`` is a module of the package or a name inside one."""
    module, parts = emotion_rppg, name.split(".")
    while parts:
        try:
            module = importlib.import_module(f"{module.__name__}.{parts[0]}")
        except ImportError:
            break
        parts = parts[1:]
    try:
        operator.attrgetter(".".join(parts))(module) if parts else module
    except AttributeError:
        return False
    return True


def test_a_name_that_does_not_exist_is_detected() -> None:
    text = "`pulse.estimate.estimate`, `pulse.gone`, `emotion_rppg.signals.Signals`"
    assert {name for name in names_in(text) if not exists(name)} == {
        "pulse.gone",
        "signals.Signals",
    }


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.name)
def test_every_module_and_function_that_is_named_exists(page: Path) -> None:
    names = names_in(page.read_text(encoding="utf-8"))
    assert not [name for name in sorted(names) if not exists(name)]
