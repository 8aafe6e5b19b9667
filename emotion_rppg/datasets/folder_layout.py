"""Summarise the files of a folder by the patterns of their names, and remove its path from text."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

MOST_PATTERNS = 40
_MOST_FILES = 200_000


def count_patterns(root: Path) -> dict[str, int]:
    """Count the files by their path within the folder, in which # stands for each number.

    Hidden files are not counted. The most frequent patterns are listed by name, the others and
    what follows the first 200,000 files as a sum.
    """
    counts: Counter[str] = Counter()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        place = Path(folder).relative_to(root)
        counts.update(
            re.sub(r"\d+", "#", (place / name).as_posix())
            for name in files
            if not name.startswith(".")
        )
        if counts.total() > _MOST_FILES:
            break
    listed = dict(sorted(counts.most_common(MOST_PATTERNS)))
    rest = counts.total() - sum(listed.values())
    return listed | ({"others": rest} if rest else {})


def without_folder(text: str, root: Path) -> str:
    """Remove the path of the folder, absolute or as given, from a message."""
    for folder in (str(root.resolve()), str(root.absolute()), str(root)):
        if len(folder) > 1:
            text = text.replace(folder + os.sep, "").replace(repr(folder), "the folder")
            text = text.replace(folder, "the folder")
    return text
