"""Write the README's table of data sets and docs/datasets.md from the readers' cards.

`make pages` runs this module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

from emotion_rppg.datasets import DATASETS
from emotion_rppg.datasets.cards import verification
from emotion_rppg.errors import InputError
from emotion_rppg.recordings import Card
from emotion_rppg.runtime.atomic_files import atomic_file

BEGIN = "<!-- data sets: made by `make pages` -->"
END = "<!-- end of data sets -->"
PAGE = "docs/datasets.md"
INTRODUCTION = """# Data sets

`make pages` writes this page from the readers' cards. `emotion-rppg datasets` prints the same
facts, `emotion-rppg datasets NAME --root DIR` checks a download, and `--cite` prints BibTeX.

A reader *verified on real files* has read the data set itself, or, *in part*, the files that its
entry lists. A reader made *from documents* was written from published descriptions of the files,
and its tests read a fake that was written from the same descriptions: both can contain the same
mistake. The reader therefore checks rates, scales, units and lengths, and refuses a file that does
not match.

Your own download verifies a reader:

```bash
emotion-rppg datasets NAME --root DIR --out check.txt
```

The file has what was found (people, recordings, signals, labels, rates, durations, patterns of file
names), what agrees with the card and what does not. Of the first recording of each person it has
the heart rate of each signal with beats over two minutes, and how far two signals of one recording
differ. It has no path outside of DIR and no value of a signal. Read it before you send it: it lists
names of files and values of labels. It is written also if the reader refuses the folder. Please
send it to {report_to}.

We know of no person who took part in two of these data sets, except that `cogwear` and
`cogwear-samsung` are one data set, read from two devices. Where people also took part in a data
set that has no reader here, a trap says so. Subject `s1` of two data sets counts as two people.
"""
HOW_TO_ADD = """## To add a data set: two files and two lines

1. `emotion_rppg/datasets/NAME.py`: a docstring whose first line says what the data set is and whose
   next lines say where its files are; a subclass of `datasets.base.DatasetReader` with a `card`,
   `expected` (a glob that matches at least one file) and `recordings()`, which lists lazy
   `Recording`s and opens only the labels. One line in `DATASETS`, in
   `emotion_rppg/datasets/__init__.py`.
2. `tests/datasets/fakes/NAME.py`: `write(folder, *, seconds=8)` writes the real layout with seconds
   of content, at least two people, a different heart rate in each recording (`shared.rate_of`) and
   `shared.DECOY_BPM` in every other channel. It returns the folder. One line in `FAKES`, in
   `tests/datasets/fakes/__init__.py`.

Every test that iterates over `DATASETS` then checks the reader: order, labels within their scale,
the planted heart rate in each recording and in no other, damaged files named in the message,
columns found by name, `make fuzz`. `make pages` writes the row and the section of the data set.
`case.py` and `dreamer.py` are short examples, as readers and as fakes. Readers open files only with
the functions of `datasets/base.py` and `formats/`, never with `pickle.load`, which can run code.
"""


def readme_table() -> str:
    """Format the README's table in Markdown, one row per data set."""
    rows = ["| name | people | what | rated | access | reader |", "|---|---|---|---|---|---|"]
    for reader in DATASETS.values():
        card: Card = reader.card
        people = "any" if card.people is None else f"{card.people:,}"
        modalities = ", ".join(card.modalities)
        ratings = _scales(card.scales) or "–"
        cells = (_link(card), people, modalities, ratings, card.access, verification(card))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def update_readme(text: str) -> str:
    """Replace the table between the two markers of the README's text.

    Raises
    ------
    InputError
        A marker is missing or occurs twice.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"the README has no table of data sets: want {BEGIN} and {END} once each")
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n{readme_table()}\n{END}", text)


def datasets_page() -> str:
    """Format docs/datasets.md: a section per data set, then how to add one."""
    report_to = next(iter(DATASETS.values())).card.report_to
    sections = [_section(reader) for reader in DATASETS.values()]
    return "\n".join([INTRODUCTION.format(report_to=report_to), *sections, HOW_TO_ADD])


def _section(reader: Any) -> str:
    """Format the section of one data set: description, facts of its card, traps and citation."""
    card: Card = reader.card
    description = cleandoc(sys.modules[reader.__module__].__doc__ or "").replace("``", "`")
    facts = {
        "people": "any" if card.people is None else f"{card.people:,}",
        "signals": ", ".join(card.modalities),
        "rates": ", ".join(f"{kind} {rate:g} Hz" for kind, rate in card.rates_hz.items()),
        "ratings": _scales(card.scales),
        "access": card.access,
        "licence": card.licence,
        "reader": card.verified,
        "recognised by": " or ".join(_patterns(reader)),
    }
    lines = [f"## {card.title} (`{card.name}`)", "", description, ""]
    lines += [f"- {key}: {value}" for key, value in facts.items() if value]
    lines += ["- traps:", *(f"  - {trap}" for trap in card.traps)] if card.traps else []
    if card.reference:
        lines += ["", f"{card.reference} <{card.url}>" if card.url else card.reference]
    lines += ["", "```bibtex", card.bibtex, "```"] if card.bibtex else []
    return "\n".join([*lines, ""])


def _patterns(reader: Any) -> list[str]:
    """List the glob patterns of which one must match a file under the root."""
    expected = getattr(reader, "expected", "")
    inside = getattr(reader, "inside", (".",))
    return [f"`{folder}/{expected}`".replace("`./", "`") for folder in inside] if expected else []


def _scales(scales: Mapping[str, tuple[float, float]]) -> str:
    """Format ratings by scale, such as: arousal, valence 1–9; stress 0–1."""
    names: dict[tuple[float, float], list[str]] = {}
    for name, scale in scales.items():
        names.setdefault((scale[0], scale[1]), []).append(name)
    return "; ".join(
        f"{', '.join(n)} {low:g}–{high:g}".replace("-", "−") for (low, high), n in names.items()
    )


def _link(card: Card) -> str:
    return f"[{card.name}]({card.url})" if card.url else card.name


def write(root: Path) -> None:
    """Rewrite README.md and docs/datasets.md in the repository at ``root``."""
    readme = root / "README.md"
    for path, text in (
        (readme, update_readme(readme.read_text("utf-8"))),
        (root / PAGE, datasets_page()),
    ):
        with atomic_file(path) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path())
