"""Names of a target's classes and its rating scale, as a report writes them.

A label of the values 0 and 1 has the classes low and high in tables and results. Where the card of
the data set names the two values (rest and stress), the report uses these names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emotion_rppg.datasets.cards import cards_of
from emotion_rppg.emotion.tasks import Task, class_names, is_words
from emotion_rppg.windows import LABEL, SCALE

if TYPE_CHECKING:
    import pandas as pd


def shown_names(table: pd.DataFrame, task: Task) -> tuple[str, ...]:
    """List the names of the classes 0, 1 … for a report; empty if the target is a number."""
    return _names_of_values(table, task) or class_names(table, task)


def shown_one_class(one_class: str, table: pd.DataFrame, task: Task) -> str:
    """Translate the class name in the column ``one_class`` of results into that of the report."""
    known = dict(zip(class_names(table, task), shown_names(table, task), strict=True))
    return known.get(one_class, one_class)


def rule_in_words(table: pd.DataFrame, task: Task) -> str:
    """Describe in a sentence how labels become classes, with their names and scale."""
    names = _names_of_values(table, task)
    if names:
        return (
            f"{task.target} is a label of two values: 0 is “{names[0]}”, 1 is “{names[1]}” (low "
            "and high in the tables beside this report)"
        )
    if is_words(table, task):
        return f"{task.target} has the classes {', '.join(class_names(table, task))}"
    scales = _scales(table, task)
    return task.rule(table) + (f"; the scale is {' or '.join(scales)}" if scales else "")


def _names_of_values(table: pd.DataFrame, task: Task) -> tuple[str, ...]:
    """Return the names that the cards give to 0 and 1; empty unless all rows agree on them."""
    if is_words(table, task) or len(class_names(table, task)) != 2:
        return ()
    labelled = table[table[LABEL + task.target].notna()]
    if not set(labelled[LABEL + task.target].astype(float)) <= {0.0, 1.0}:
        return ()
    if task.coding != "midpoint" and not 0 <= (-1.0 if (x := task.threshold) is None else x) < 1:
        return ()
    cards = {card.name: card for card in cards_of(labelled)}
    readers = set(labelled["reader"].astype(str)) if "reader" in labelled else {""}
    names = {cards[r].class_names.get(task.target, ()) if r in cards else () for r in readers}
    return names.pop() if len(names) == 1 else ()


def _scales(table: pd.DataFrame, task: Task) -> list[str]:
    """List the different scales of a rating in words: ``["1 to 9"]``."""
    column = SCALE + task.target
    texts = set(table[column].dropna().astype(str)) - {""} if column in table else set()
    if not texts:
        known = [card.scales[task.target] for card in cards_of(table) if task.target in card.scales]
        texts = {f"{low:g}..{high:g}" for low, high in known}
    return sorted(text.replace("..", " to ") for text in texts)
