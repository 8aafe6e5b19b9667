"""Data sets as people read them: the list, one card, and what a folder holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.validation import problems, rates_found, shared_people
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording

if TYPE_CHECKING:
    import pandas as pd


def dataset_class(name: str) -> Any:
    """The reader of a data set, by its name."""
    if name not in DATASETS:
        raise InputError(f"unknown data set {name!r}; known: {', '.join(sorted(DATASETS))}")
    return DATASETS[name]


def card(name: str) -> Card:
    """The card of a data set."""
    return dataset_class(name).card


def cards_of(table: pd.DataFrame) -> list[Card]:
    """Cards of the readers that made a table's rows, by its column ``reader``.

    A folder or a data set of one's own may be called as a published one is: names tell nothing.
    """
    found = set(table["reader"].dropna().astype(str)) if "reader" in table else set()
    return [DATASETS[name].card for name in sorted(found & set(DATASETS))]


def listed() -> list[dict[str, Any]]:
    """Every card as plain values, in the table's order."""
    return [asdict(each.card) for each in DATASETS.values()]


def as_text() -> str:
    """One line a data set."""
    rows = [("name", "people", "what", "labels", "verified", "access")]
    for each in DATASETS.values():
        c: Card = each.card
        people = "any" if c.people is None else str(c.people)
        labels = ", ".join(c.scales) or "–"
        rows.append((c.name, people, ", ".join(c.modalities), labels, verified(c), c.access))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def verified(c: Card) -> str:
    return "on real files" if c.verified.startswith("verified on real files") else "from documents"


def cited(name: str) -> str:
    """What to cite: BibTeX where there is any."""
    c = card(name)
    if not c.reference:
        raise InputError(f"{name} is nobody's publication: there is nothing to cite")
    return c.bibtex or c.reference


def described(
    name: str, root: Path | None, others: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """A card, and with a root what lies there: people, recordings, signals, labels, problems.

    ``others`` are the folders of other sets, by name, in which the same people are looked for.
    """
    facts: dict[str, Any] = asdict(card(name))
    if root is None:
        return facts
    recordings = list(dataset_class(name)(root))
    kinds = Counter(kind for r in recordings for kind in r.signals)
    kinds["video"] = sum(r.video is not None for r in recordings)
    labels: dict[str, Counter[str]] = {}
    for recording in recordings:
        for label, value in recording.labels.items():
            labels.setdefault(label, Counter())[str(value)] += 1
    facts["found"] = {
        "people": len({r.person for r in recordings}),
        "recordings": len(recordings),
        "a person": _trials(recordings),
        "views": {k: n for k, n in kinds.items() if n},
        "labels": {label: dict(sorted(values.items())) for label, values in labels.items()},
        "rates_hz": rates_found(recordings),
        "problems": problems(card(name), recordings)
        + shared_people(
            [recordings, *(list(dataset_class(n)(r)) for n, r in (others or {}).items())]
        ),
    }
    return facts


def _trials(recordings: list[Recording]) -> str:
    """Recordings a person: 40, or the fewest and the most."""
    counts = sorted(Counter(r.person for r in recordings).values())
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def described_as_text(facts: dict[str, Any]) -> str:
    """The same for a person: one fact a line."""
    lines = [
        f"{key:<11} {_shown(value)}"
        for key, value in facts.items()
        if value and key not in ("found", "bibtex")
    ]
    for key, value in facts.get("found", {}).items():
        if key != "problems":
            lines.append(f"found {key:<11} {_shown(value)}")
    if "found" in facts:
        wrong = facts["found"]["problems"]
        lines.append(f"looks wrong: {len(wrong)}" if wrong else "nothing looks wrong")
        lines += [f"  {sentence}" for sentence in wrong]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return (
            "; ".join(str(v) for v in value)
            if any(isinstance(v, str) for v in value)
            else ("–".join(f"{v:g}" for v in value))
        )
    return str(value)
