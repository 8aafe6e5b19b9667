"""Download one named file from the Hugging Face hub, and check the hash of a file.

Nothing is downloaded unless a call names repository, revision, file and SHA-256. The file lies in a
temporary folder and is deleted after use, whatever happens.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotion_rppg.errors import InputError
from emotion_rppg.runtime.quiet import warnings_silenced

PREFIX = "hub:"
FORM = "hub:OWNER/REPO@REVISION/FILE"
NO_LICENCE = "not stated"
_ADDRESS = re.compile(r"hub:([\w.-]+/[\w.-]+)@([\w.-]+)/(.+)")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SourceFile:
    """A file and its provenance: name, SHA-256 and, from the hub, repository and licence."""

    path: Path
    facts: dict[str, str] = field(default_factory=dict)


def is_address(text: str | Path) -> bool:
    """Tell whether a text names a file of the hub rather than one on this disk."""
    return isinstance(text, str) and text.startswith(PREFIX)


def checked_file(path: str | Path, *, sha256: str | None = None) -> SourceFile:
    """Compute the SHA-256 of a file and compare it with the expected one, if given.

    Raises
    ------
    InputError
        No such file; another hash.
    """
    path = Path(path)
    expected = None if sha256 is None else _normal_hash(sha256)
    if not path.is_file():
        raise InputError(f"no checkpoint {str(path)!r}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected not in (None, found):
        raise InputError(
            f"{path.name} has the SHA-256 {found}, want {expected}: it is another file or damaged; "
            "it was not used"
        )
    return SourceFile(path, {"file": path.name, "sha256": found})


@contextmanager
def downloaded(address: str, *, sha256: str | None) -> Iterator[SourceFile]:
    """Download the file of an address, check it, and delete it after use.

    Parameters
    ----------
    address : "hub:OWNER/REPO@REVISION/FILE"
    sha256 : hash that the file must have

    Raises
    ------
    InputError
        Another form of address; no hash; the package huggingface_hub is not installed; the download
        fails; the file has another hash.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise InputError(f"{address!r} is no address of a file on the hub: want {FORM}")
    if sha256 is None:
        raise InputError(
            f"{address} needs the SHA-256 of the file (--sha256 HASH), which its page on the hub "
            "shows: nothing was downloaded"
        )
    _normal_hash(sha256)
    repository, revision, name = match.groups()
    library = _library()
    with tempfile.TemporaryDirectory(prefix="emotion-rppg-") as folder:
        try:
            with warnings_silenced(library.__name__):  # its retries are not news
                path = library.hf_hub_download(
                    repo_id=repository, filename=name, revision=revision, cache_dir=folder
                )
                licence = _licence(library.HfApi().model_info(repository, revision=revision))
        except Exception as error:  # network, authorisation and names: dozens of classes
            message = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
            raise InputError(
                f"{address} could not be downloaded ({type(error).__name__}: {message}): check the "
                "network and the names of repository, revision and file; nothing was left on disk"
            ) from error
        file = checked_file(path, sha256=sha256)
        origin = {"repository": repository, "revision": revision, "licence": licence}
        yield SourceFile(file.path, {**file.facts, "file": name, **origin})


def _normal_hash(text: str) -> str:
    """Return a SHA-256 in lower case; raise `InputError` for another form."""
    found = text.strip().lower().removeprefix("sha256:")
    if not _HASH.fullmatch(found):
        raise InputError(f"{text!r} is no SHA-256: want 64 hexadecimal digits")
    return found


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError(
            "a file of the Hugging Face hub needs the package huggingface_hub: "
            "pip install 'emotion-rppg[hub]'"
        ) from error
    return huggingface_hub


def _licence(model: Any) -> str:
    """Read the licence in the card of a repository."""
    stated = getattr(getattr(model, "card_data", None), "license", None)
    if isinstance(stated, list):
        stated = ", ".join(map(str, stated))
    return str(stated) if stated else NO_LICENCE
