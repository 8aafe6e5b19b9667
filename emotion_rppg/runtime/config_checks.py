"""Check the config.json of a model folder, which may come from a stranger, before it is used.

Each entry has a `Rule`: what it must be, in words, and a function that tells whether it is. All
faults are listed together. Sizes of networks are bounded before any memory is reserved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.json_text import parse_json

MAX_OPTION = 4096  # of an integer among a network's options: width, hidden, layers …
MAX_ITEMS = 64  # of a list among them
MAX_NAMES = 100_000  # features of a model, subjects of a data set
SHOWN = 40  # characters of a faulty value in a message


@dataclass(frozen=True)
class Rule:
    """State what an entry must be, in words, and test it; an optional entry may be missing."""

    want: str
    holds: Callable[[Any], bool]
    optional: bool = False


def number(low: float, high: float, *, optional: bool = False) -> Rule:
    """Require a finite number from ``low`` to ``high``."""
    want = f"a number from {low:g} to {high:g}"
    return Rule(want, lambda value: _is_number(value) and low <= value <= high, optional)


def integer(low: int, high: int, *, optional: bool = False) -> Rule:
    """Require an integer from ``low`` to ``high``, as 32 or 32.0."""
    want = f"an integer from {low} to {high}"
    return Rule(
        want,
        lambda value: _is_number(value) and low <= value <= high and float(value).is_integer(),
        optional,
    )


def one_of(choices: Sequence[Any], *, optional: bool = False) -> Rule:
    """Require one of the choices, of the same type."""
    want = f"one of {', '.join(map(str, choices))}"
    return Rule(
        want,
        lambda value: not isinstance(value, bool) and any(_same(value, c) for c in choices),
        optional,
    )


def text(*, optional: bool = False) -> Rule:
    """Require a text."""
    return Rule("a text", lambda value: isinstance(value, str), optional)


def texts(most: int = MAX_NAMES, *, optional: bool = False) -> Rule:
    """Require a list of different texts."""
    want = f"a list of at most {most} different texts"
    return Rule(want, lambda value: _are_texts(value, most), optional)


def mapping(*, optional: bool = False) -> Rule:
    """Require a JSON object."""
    return Rule("a JSON object", lambda value: isinstance(value, Mapping), optional)


def or_null(rule: Rule) -> Rule:
    """Allow null, or a missing entry, beside what the rule requires."""
    return Rule(f"{rule.want}, or null", lambda value: value is None or rule.holds(value), True)


def people(*, unknown: bool = True, optional: bool = False) -> Rule:
    """Require ``{data set: [subjects]}``, or with ``unknown`` a text."""

    def holds(value: Any) -> bool:
        if unknown and isinstance(value, str):
            return True
        return isinstance(value, Mapping) and all(
            isinstance(name, str) and _are_texts(subjects, MAX_NAMES, different=False)
            for name, subjects in value.items()
        )

    want = '{"data set": ["subject", …]}' + (' or "unknown"' if unknown else "")
    return Rule(want, holds, optional)


def people_in(text: str, where: str) -> dict[str, list[str]]:
    """Parse a cell of ``trained_on``: JSON of data sets and their subjects.

    Raises
    ------
    InputError
        Anything else; ``where`` names the cell in the message.
    """
    try:
        content = parse_json(text)
        if all(isinstance(subjects, list) for subjects in content.values()):
            return {str(name): list(map(str, subjects)) for name, subjects in content.items()}
    except (ValueError, AttributeError):
        pass
    raise InputError(
        f"{where} says {text[:60]!r}; want JSON such as "
        '{"data set": ["subject", …]}, '
        '"unknown", or an empty cell where nobody was trained on'
    )


def network_options() -> Rule:
    """Require names with texts, booleans, small numbers and short lists of small integers."""

    def small(value: Any) -> bool:
        if value is None or isinstance(value, bool | str):
            return True
        return _is_number(value) and bool(abs(value) <= MAX_OPTION)

    def holds(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            all(map(small, item)) and len(item) <= MAX_ITEMS
            if isinstance(item, list)
            else small(item)
            for item in value.values()
        )

    return Rule(
        f"a JSON object with numbers up to {MAX_OPTION} and lists of up to {MAX_ITEMS}", holds
    )


def check_entries(content: Mapping[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    """Check the entries of a JSON object; ``where`` names it in the message.

    Raises
    ------
    InputError
        Entries are missing or have another value than wanted: all of them in one sentence.
    """
    missing = [name for name, rule in rules.items() if name not in content and not rule.optional]
    faults = [f"lacks {', '.join(missing)}"] if missing else []
    faults += [
        f"has {name} {_shown(content[name])}, want {rule.want}"
        for name, rule in rules.items()
        if name in content and not rule.holds(content[name])
    ]
    if faults:
        raise InputError(f"{where} cannot be used: it {'; it '.join(faults)}")


def _shown(value: Any) -> str:
    printed = repr(value)
    return printed if len(printed) <= SHOWN else f"{printed[:SHOWN]}…"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _same(value: Any, choice: Any) -> bool:
    return isinstance(value, str) is isinstance(choice, str) and bool(value == choice)


def _are_texts(value: Any, most: int, *, different: bool = True) -> bool:
    if not isinstance(value, list) or len(value) > most:
        return False
    if not all(isinstance(item, str) for item in value):
        return False
    return len(set(value)) == len(value) if different else True
