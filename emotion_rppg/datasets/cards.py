"""Describe data sets as text or plain values: cards, citations, the content of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

from emotion_rppg._version import __version__
from emotion_rppg.datasets import DATASETS, find
from emotion_rppg.datasets.folder_layout import count_patterns, without_folder
from emotion_rppg.datasets.validation import (
    RatesOf,
    list_matches,
    list_problems,
    measure,
    measure_durations,
    measure_rates,
    people_with_same_pulse,
    summarise_differences,
    summarise_rates,
)
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card, Recording

if TYPE_CHECKING:
    import pandas as pd

_MOST_VALUES = 20  # of a label; a continuous rating is listed as its range
VERIFIED = {  # begin of Card.verified -> what tables say
    "verified on real files": "on real files",
    "verified in part on real files": "in part on real files",
}
_HEADINGS = {
    "a person": "recordings per person",
    "views": "recordings with",
    "rates_hz": "rates (Hz)",
    "durations_s": "durations (s)",
    "heart_rates_bpm": "heart rates (bpm)",
    "rate_differences_bpm": "differences of heart rates (bpm)",
}


def cards_of(table: pd.DataFrame) -> list[Card]:
    """List the cards of the readers that made a table's rows, by its column ``reader``.

    The data set's name cannot identify the reader: a user's own folder may have the name of a
    published data set.
    """
    readers = set(table["reader"].dropna().astype(str)) if "reader" in table else set()
    return [DATASETS[name].card for name in sorted(readers & set(DATASETS))]


def all_cards() -> list[dict[str, Any]]:
    """List all cards as plain values, in the order of DATASETS."""
    return [asdict(reader.card) for reader in DATASETS.values()]


def cards_as_text() -> str:
    """Format all cards as a table, one line per data set."""
    rows = [("name", "people", "what", "labels", "verified", "access")]
    for reader in DATASETS.values():
        card: Card = reader.card
        people = "any" if card.people is None else str(card.people)
        labels = ", ".join(card.scales) or "–"
        modalities = ", ".join(card.modalities)
        rows.append((card.name, people, modalities, labels, verification(card), card.access))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def verification(card: Card) -> str:
    """Return what the reader was checked against: real files, a part of them, or documents."""
    for found, words in VERIFIED.items():
        if card.verified.startswith(found):
            return words
    return "from documents"


def citation(name: str) -> str:
    """Return the BibTeX entry of a data set, or its reference if there is none.

    Raises
    ------
    InputError
        No such data set, or one without a publication.
    """
    card: Card = find(name).card
    if not card.reference:
        raise InputError(f"{name} has no publication: there is nothing to cite")
    return card.bibtex or card.reference


def describe(
    name: str,
    root: Path | None,
    others: Mapping[str, Path] | None = None,
    *,
    rates_of: RatesOf | None = None,
) -> dict[str, Any]:
    """Return the facts of a card and, with a root, of the recordings found there.

    No fact contains the path of the root, so that the result can be sent to others.

    Parameters
    ----------
    root : Path, optional
        Folder to list; ``"found"`` then has people, recordings, signals, labels and problems.
    others : mapping, optional
        Name of another data set -> its folder, searched for people with the same pulse.
    rates_of : function, optional
        Returns the heart rate (bpm, NaN: withheld) by kind of the signals of one recording.
    """
    reader = find(name)
    facts: dict[str, Any] = asdict(reader.card)
    if root is None:
        return facts
    recordings = list(reader(root))
    other_sets = [list(find(other)(folder)) for other, folder in (others or {}).items()]
    measured = measure(recordings, rates_of=rates_of)
    problems = list_problems(reader.card, recordings, measured)
    problems += people_with_same_pulse([recordings, *other_sets])
    facts["found"] = {
        "checked with": _software(),
        "people": len({r.person for r in recordings}),
        "recordings": len(recordings),
        "a person": _recordings_per_person(recordings),
        "views": _count_kinds(recordings),
        "labels": _count_labels(recordings),
        "rates_hz": measure_rates(measured),
        "durations_s": measure_durations(measured),
        "heart_rates_bpm": summarise_rates(measured),
        "rate_differences_bpm": summarise_differences(measured),
        "files": count_patterns(root),
        "matches": list_matches(reader.card, recordings, measured),
        "problems": list(dict.fromkeys(without_folder(problem, root) for problem in problems)),
    }
    return facts


def refusal(name: str, root: Path, error: Exception) -> dict[str, Any]:
    """Return the facts of a card and of a folder that its reader refuses."""
    found = {"checked with": _software(), "files": count_patterns(root)}
    found |= {"problems": [without_folder(str(error), root)]}
    return asdict(find(name).card) | {"found": found}


def _software() -> str:
    return f"emotion_rppg {__version__}, Python {python_version()}"


def _count_kinds(recordings: list[Recording]) -> dict[str, int]:
    """Count the recordings that have each kind of signal, or a video."""
    counts = Counter(kind for r in recordings for kind in r.signals)
    counts["video"] = sum(r.video is not None for r in recordings)
    return {kind: n for kind, n in counts.items() if n}


def _count_labels(recordings: list[Recording]) -> dict[str, dict[str, int]]:
    """Count the recordings with each value of each label, or with any of many numbers."""
    counts: dict[str, Counter[str]] = {}
    for recording in recordings:
        for label, value in recording.labels.items():
            counts.setdefault(label, Counter())[str(value)] += 1
    return {label: _few_values(values) for label, values in counts.items()}


def _few_values(values: Counter[str]) -> dict[str, int]:
    """Return the counts by value, or of more than 20 numbers the sum of the counts by range."""
    if len(values) <= _MOST_VALUES:
        return dict(sorted(values.items()))
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return dict(sorted(values.items()))
    return {f"{min(numbers):g} to {max(numbers):g}": values.total()}


def _recordings_per_person(recordings: list[Recording]) -> str:
    """Return the number of recordings of each person, such as 40, or fewest–most."""
    counts = sorted(Counter(r.person for r in recordings).values())
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def description_as_text(facts: dict[str, Any]) -> str:
    """Format the facts that `describe` returns, one per line."""
    lines = [
        f"{key:<11} {_formatted(value)}"
        for key, value in facts.items()
        if value and key not in ("found", "bibtex")
    ]
    if "found" not in facts:
        return "\n".join(lines)
    found = dict(facts["found"])
    problems, matches = found.pop("problems"), found.pop("matches", [])
    for key, value in found.items():
        if value or key in ("people", "recordings"):
            lines.append(f"found {_HEADINGS.get(key, key):<11} {_formatted(value)}")
    lines += [f"agrees with the card: {match}" for match in matches]
    lines.append(f"problems: {len(problems)}" if problems else "no problems found")
    return "\n".join([*lines, *(f"  {problem}" for problem in problems)])


def _formatted(value: Any) -> str:
    if isinstance(value, dict):
        nested = any(isinstance(v, dict) for v in value.values())
        return ("; " if nested else ", ").join(f"{k}: {_formatted(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        if any(isinstance(v, str) for v in value):
            return "; ".join(str(v) for v in value)
        return "–".join(f"{v:.4g}" for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
