"""Which heads stand in an evaluation: names, one's own estimators, the dummies, ``selected``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emotion_rppg.emotion import DUMMIES, DUMMIES_REGRESSION, WITH_ENCODER, heads_for
from emotion_rppg.emotion.calibration import with_probabilities
from emotion_rppg.emotion.nested_selection import Selected
from emotion_rppg.emotion.persistence import has_network
from emotion_rppg.errors import InputError

SELECTED = "selected"


def chosen_heads(
    heads: Any,
    classification: bool,
    *,
    several: bool = False,
    encoder: str | Path | None = None,
    probabilities: str = "own",
) -> dict[str, Any]:
    """Heads by name, the dummies first.

    ``"all"`` is every head of the table and ``"selected"``; ``"multitask"`` only where there are
    ``several`` targets: of one it is what ``"lstm"`` is. With an encoder's folder there is
    ``"lstm_pretrained"``, too. Candidates of ``"selected"`` are the heads it is named with; alone
    or with all, those that are no networks (which would be fitted some five times for each fold).
    ``probabilities`` are those of `platt.PROBABILITIES`.
    """
    dummies = DUMMIES if classification else DUMMIES_REGRESSION
    made = _named(heads, heads_for(numbers=not classification, encoder=encoder), dummies, several)
    return dummies | {
        name: head
        if name in dummies
        else with_probabilities(head, probabilities, numbers=not classification)
        for name, head in made.items()
    }


def _named(
    heads: Any, known: Mapping[str, Any], dummies: Mapping[str, Any], several: bool
) -> dict[str, Any]:
    classic = {n: head for n, head in known.items() if not has_network(head)}
    if isinstance(heads, Mapping):
        return dict(heads)
    if isinstance(heads, str) and heads == "all":
        whole = {n: h for n, h in known.items() if several or not hasattr(h, "several_targets")}
        return {**whole, SELECTED: Selected(list(classic.items()))}
    if isinstance(heads, str) or not isinstance(heads, Sequence):
        heads = [heads]
    chosen: dict[str, Any] = {}
    for head in heads:
        if not isinstance(head, str):
            chosen[_free_name(type(head).__name__, chosen)] = head
        elif head in known:
            chosen[head] = known[head]
        elif head not in (*dummies, SELECTED):
            every = ", ".join([*known, *dummies, SELECTED])
            raise InputError(f"unknown head {head!r}; known: {every}; {WITH_ENCODER}")
    if SELECTED in [head for head in heads if isinstance(head, str)]:
        candidates = chosen if len(chosen) > 1 else classic
        chosen = {**chosen, SELECTED: Selected(list(candidates.items()))}
    return chosen


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """The name, numbered where it is taken: two estimators of one class are two heads."""
    numbered = (f"{name}_{k}" for k in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)
