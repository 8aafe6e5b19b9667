"""README and documentation are true: marked examples run, commands parse, links and pages exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer import Exit
from typer.main import get_command
from typer.testing import CliRunner

from emotion_rppg.cli import app
from emotion_rppg.datasets.synthetic import write_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MARKED = re.findall(r"<!-- test: run -->\n```(\w+)\n(.*?)```", README, flags=re.DOTALL)
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "data/README.md")
PAGES = [*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCED = re.compile(r"^```\w*\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


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


@pytest.mark.slow
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


def commands_in(text: str) -> list[str]:
    """Command lines of the package in fenced blocks and in inline code."""
    blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
    lines = re.findall(r"^(?:\.venv/bin/)?(emotion-rppg\b.*)$", blocks, flags=re.MULTILINE)
    inline = re.findall(r"`(emotion-rppg [^`]*)`", FENCED.sub("", text))
    return [" ".join(line.split()) for line in lines + inline]


def refused(line: str) -> str:
    """What the parser says against a command line, or nothing; a verb alone is only named."""
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


def test_a_command_that_is_wrong_is_seen() -> None:
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
    wrong = {line: said for line in lines if (said := refused(line))}
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    inside = [link for link in links if "://" not in link]
    assert not [link for link in inside if not (page.parent / link).exists()]


def test_every_page_of_the_site_is_there() -> None:
    pages = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert len(pages) > 5
    assert not [page for page in pages if not (ROOT / "docs" / page).is_file()]
