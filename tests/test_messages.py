"""Options and verbs that messages and docstrings name exist on the command line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import emotion_rppg
from emotion_rppg.cli import app

PACKAGE = Path(emotion_rppg.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
VERB = re.compile(r"`?\bemotion-rppg ((?:[a-z]+ ?)+)([^`\n]*)")
FOREIGN = {"--force-reinstall"}  # pip's


def commands() -> dict[str, set[str]]:
    """Options of each verb by its words: ``{"train pulse": {"--out", …}, …}``; "" has the app's."""

    def walk(command, words: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
        yield (
            " ".join(words),
            {"--help"}
            | {n for option in command.params for n in (*option.opts, *option.secondary_opts)},
        )
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))

    return dict(walk(get_command(app), ()))


VERBS = commands()
OPTIONS = set().union(*VERBS.values())


def texts(path: Path) -> Iterator[str]:
    """Yield each string of a file, docstrings too; values in an f-string become "…"."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def wrong(text: str) -> list[str]:
    """Return unknown options, unknown verbs, and options that the named verb does not have."""
    faults = [option for option in OPTION.findall(text) if option not in OPTIONS | FOREIGN]
    for words, rest in VERB.findall(text):
        named = longest_verb(words.split())
        if not named:
            faults.append(f"emotion-rppg {words.strip()}")
        else:
            missing = set(OPTION.findall(rest)) - VERBS[named] - FOREIGN
            faults += [f"emotion-rppg {named} {option}" for option in sorted(missing)]
    return faults


def longest_verb(words: list[str]) -> str:
    """Return the verb that a command line begins with, or ""."""
    starts = (" ".join(words[:n]) for n in range(len(words), 0, -1))
    return next((start for start in starts if start in VERBS), "")


def test_an_unknown_option_or_verb_is_detected() -> None:
    assert wrong("give it with --weigths DIR") == ["--weigths"]
    assert wrong("`emotion-rppg trian pulse` makes one") == ["emotion-rppg trian pulse"]
    assert wrong("`emotion-rppg train emotion --network cnn3d` makes one") == [
        "emotion-rppg train emotion --network"
    ]
    assert not wrong("`emotion-rppg train pulse --network cnn3d` makes one; see --weights DIR")


def test_the_command_line_was_read() -> None:
    assert {"", "pulse", "train", "train pulse", "train emotion"} <= set(VERBS)
    assert "--network" in VERBS["train pulse"]
    assert "--network" not in VERBS["train emotion"]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_messages_name_only_options_and_verbs_that_exist(path: Path) -> None:
    assert not [fault for text in texts(path) for fault in wrong(text)]


def test_many_messages_name_an_option_or_a_verb() -> None:
    """Otherwise the test above would test nothing."""
    all_texts = [text for path in FILES for text in texts(path)]
    assert sum(len(OPTION.findall(text)) for text in all_texts) > 50
    assert sum(len(VERB.findall(text)) for text in all_texts) > 20
