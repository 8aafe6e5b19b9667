"""What messages and docstrings name is there: each option and verb is one of the command line's."""

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
        yield " ".join(words), {text for each in command.params for text in each.opts} | {"--help"}
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))

    return dict(walk(get_command(app), ()))


VERBS = commands()
OPTIONS = set().union(*VERBS.values())


def texts(path: Path) -> Iterator[str]:
    """Every text in a file, docstrings too; what an f-string fills in is a blank."""
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
    """Options that no verb has, verbs that are not there, options that the named verb lacks."""
    found = [option for option in OPTION.findall(text) if option not in OPTIONS | FOREIGN]
    for words, rest in VERB.findall(text):
        named = longest_verb(words.split())
        if not named:
            found.append(f"emotion-rppg {words.strip()}")
        else:
            lacks = set(OPTION.findall(rest)) - VERBS[named] - FOREIGN
            found += [f"emotion-rppg {named} {option}" for option in sorted(lacks)]
    return found


def longest_verb(words: list[str]) -> str:
    """The verb that a command line begins with; "" where there is none."""
    starts = (" ".join(words[:n]) for n in range(len(words), 0, -1))
    return next((start for start in starts if start in VERBS), "")


def test_what_is_not_there_is_noticed() -> None:
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
def test_no_message_names_a_way_that_does_not_exist(path: Path) -> None:
    assert not [fault for text in texts(path) for fault in wrong(text)]


def test_many_messages_name_a_way() -> None:
    """Else the law above would hold of nothing."""
    every = [text for path in FILES for text in texts(path)]
    assert sum(len(OPTION.findall(text)) for text in every) > 50
    assert sum(len(VERB.findall(text)) for text in every) > 20
