"""Choose the heads of an evaluation: by name, user estimators, dummies, ``selected``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emotion_rppg.emotion import DUMMIES, DUMMIES_REGRESSION, heads_for, unknown_head
from emotion_rppg.emotion.calibration import with_probabilities
from emotion_rppg.emotion.nested_selection import Selected
from emotion_rppg.emotion.persistence import has_network

SELECTED = "selected"


def chosen_heads(
    heads: Any,
    classification: bool,
    *,
    several: bool = False,
    encoder: str | Path | None = None,
    probabilities: str = "own",
) -> dict[str, Any]:
    """Map names to unfitted heads, the dummies first.

    Parameters
    ----------
    heads : "all", name, names, estimators or {name: estimator}
        ``"all"`` is every head of the table and ``"selected"``. The candidates of ``"selected"``
        are the heads that are named beside it. Where none is, or all are, its candidates are the
        heads that are no networks: each candidate is fitted about five times in each fold.
    classification : bool
        Whether the target has classes; otherwise it is a number.
    several : bool
        Whether there are several targets. Only then does ``"all"`` include ``"multitask"``, which
        equals ``"lstm"`` for one target.
    encoder : path, optional
        Folder of an encoder; adds ``"lstm_pretrained"``.
    probabilities : str
        A name of `emotion_rppg.emotion.calibration.PROBABILITIES`.

    Raises
    ------
    InputError
        An unknown name.
    """
    dummies = DUMMIES if classification else DUMMIES_REGRESSION
    selected_heads = _named(
        heads, heads_for(numbers=not classification, encoder=encoder), dummies, several
    )
    return dummies | {
        name: head
        if name in dummies
        else with_probabilities(head, probabilities, numbers=not classification)
        for name, head in selected_heads.items()
    }


def _named(
    heads: Any, available: Mapping[str, Any], dummies: Mapping[str, Any], several: bool
) -> dict[str, Any]:
    not_networks = {n: head for n, head in available.items() if not has_network(head)}
    if isinstance(heads, Mapping):
        return dict(heads)
    if isinstance(heads, str) and heads == "all":
        all_heads = {
            n: h for n, h in available.items() if several or not hasattr(h, "several_targets")
        }
        return {**all_heads, SELECTED: Selected(list(not_networks.items()))}
    if isinstance(heads, str) or not isinstance(heads, Sequence):
        heads = [heads]
    chosen: dict[str, Any] = {}
    for head in heads:
        if not isinstance(head, str):
            chosen[_free_name(type(head).__name__, chosen)] = head
        elif head in available:
            chosen[head] = available[head]
        elif head not in (*dummies, SELECTED):
            known = [*available, *dummies, SELECTED]
            raise unknown_head(head, known, numbers="mean" in dummies)
    if SELECTED in [head for head in heads if isinstance(head, str)]:
        candidates = chosen if len(chosen) > 1 else not_networks
        chosen = {**chosen, SELECTED: Selected(list(candidates.items()))}
    return chosen


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """Append a number to a name that is taken: two estimators of one class are two heads."""
    numbered = (f"{name}_{k}" for k in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)
