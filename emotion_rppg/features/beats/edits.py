"""The record of one correction of detected beats: what, where, who, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emotion_rppg.errors import InputError

ADD, MOVE, DELETE, NOISE, SIGNAL = "add", "move", "delete", "noise", "signal"
# Each action, and whether it has a second time
ACTIONS = {ADD: False, MOVE: True, DELETE: False, NOISE: True, SIGNAL: True}
MOST_CHARACTERS = {"who": 200, "when": 40, "why": 2000}
_MOST_S = 1e9  # largest time of an edit


@dataclass(frozen=True)
class Edit:
    """One correction of a person.

    Parameters
    ----------
    action : str
        ``"add"``, ``"move"`` or ``"delete"`` a beat; mark a segment as ``"noise"``, or as
        ``"signal"`` again.
    time_s : float
        Time of the beat, or start of the segment, s on the recording's clock.
    to_s : float, optional
        New time of a moved beat, or end of the segment, s.
    who, when, why : str
        Name of the person, time of the edit (ISO 8601 with its zone), and reason; the reason may be
        empty.

    Raises
    ------
    InputError
        A value that is not possible; the message says which.

    Examples
    --------
    >>> Edit("move", 12.0, 12.1, who="AB", when="2026-01-05T10:00:00+00:00").to_s
    12.1
    """

    action: str
    time_s: float
    to_s: float | None = None
    who: str = ""
    when: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        faults = [*_wrong_action(self.action, self.time_s, self.to_s), *_wrong_texts(self)]
        if faults:
            raise InputError(f"this edit cannot be used: {'; '.join(faults)}")

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last time that the edit concerns, s."""
        to_s = self.time_s if self.to_s is None else self.to_s
        return min(self.time_s, to_s), max(self.time_s, to_s)

    def __str__(self) -> str:
        to = "" if self.to_s is None else f"{'→' if self.action == MOVE else '–'}{self.to_s:.2f}"
        return f"{self.action} {self.time_s:.2f}{to} s"


def _wrong_action(action: Any, time_s: Any, to_s: Any) -> list[str]:
    """List what is wrong with an action and its times."""
    if not isinstance(action, str) or action not in ACTIONS:
        return [f"unknown action {action!r}, known: {', '.join(ACTIONS)}"]
    faults = [
        f"{name} is {value!r}, want a number of seconds"
        for name, value, wanted in (("time_s", time_s, True), ("to_s", to_s, ACTIONS[action]))
        if wanted and not _is_time(value)
    ]
    if not ACTIONS[action] and to_s is not None:
        faults.append(f"to_s is {to_s!r}, but {action!r} has one time")
    if action in (NOISE, SIGNAL) and not faults and not time_s < to_s:
        faults.append(f"the segment {time_s:g}–{to_s:g} s is empty, want time_s < to_s")
    return faults


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST_S


def is_text(value: Any, most: int) -> bool:
    """Tell whether a value is a text of at most so many characters that can be written as UTF-8."""
    if not isinstance(value, str) or len(value) > most:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _wrong_texts(edit: Edit) -> list[str]:
    """List what is wrong with the name, date and reason of an edit."""
    texts = {name: getattr(edit, name) for name in MOST_CHARACTERS}
    faults = [
        f"{name} is {str(text)[:40]!a}, want a text of at most {MOST_CHARACTERS[name]} characters"
        for name, text in texts.items()
        if not is_text(text, MOST_CHARACTERS[name])
    ]
    if faults:
        return faults
    try:
        zoned = not edit.when or datetime.fromisoformat(edit.when).tzinfo is not None
    except ValueError:
        zoned = False
    return (
        [] if zoned else [f"when is {edit.when!r}, want a date and time with its zone (ISO 8601)"]
    )
