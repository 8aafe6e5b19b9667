"""Names of files and people in BIDS: entities, labels, and the folders whose files apply."""

from __future__ import annotations

import re
from pathlib import Path

from emotion_rppg.errors import InputError

DESCRIPTION = "dataset_description.json"


def bids_label(text: str) -> str:
    """Return the letters and digits of a name, which is what BIDS allows in file names."""
    label = re.sub(r"[^0-9A-Za-z]", "", text)
    if not label:
        raise InputError(
            f"{text!r} has no letter or digit, which a BIDS file name needs: rename it"
        )
    return label


def bids_entities(path: Path) -> dict[str, str]:
    """Parse a file name: ``sub-01_task-rest_physio.json`` -> ``{"sub": "01", "task": "rest"}``."""
    parts = (part.partition("-") for part in path.name.split("_"))
    return {key: value for key, dash, value in parts if dash}


def folders_above(path: Path) -> list[Path]:
    """List the file's folder and those above it, up to the data set's root.

    Without a root (a folder with dataset_description.json) only the file's folder counts.
    """
    out = []
    for folder in list(path.parents)[:5]:
        out.append(folder)
        if (folder / DESCRIPTION).is_file():
            return out
    return out[:1]
