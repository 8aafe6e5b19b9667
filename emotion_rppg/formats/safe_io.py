"""Read files of unknown origin safely: no file can run code, fill the memory or leave its folder.

Pickles may contain only NumPy arrays and plain containers. MATLAB, HDF5, EDF/BDF, JSON, XML and zip
files are read within limits of size and depth. Every problem with a file raises an `InputError`
that names the file.
"""

from __future__ import annotations

import json
import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from emotion_rppg.errors import InputError
from emotion_rppg.formats.edf import read_channel, read_header
from emotion_rppg.formats.mat5 import read_mat
from emotion_rppg.signals import Signal

if TYPE_CHECKING:
    import h5py

GB, MB = 10**9, 10**6
MAX_DEPTH = 100  # levels of XML and HDF5
MAX_MEMBERS = 200_000  # of a zip archive, or of an HDF5 file
# A file may unpack to a gigabyte, or to a hundred times its size, within a limit for all.
MAX_UNPACKED, MAX_RATIO = 8 * GB, 100
# Names that the pickle of an array refers to, in Python 2 and 3 and in NumPy 1 and 2.
_ARRAY_NAMES = {
    f"{package}.{name}": name.rsplit(".", 1)[-1]
    for package in ("numpy", "numpy.core", "numpy._core")
    for name in (
        "ndarray",
        "dtype",
        "multiarray._reconstruct",
        "multiarray.scalar",
        "numeric._frombuffer",
    )
}
_OPCODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
_CONTAINER_NAMES = {"builtins.set", "builtins.frozenset", "builtins.complex", "builtins.slice"}
_CONTAINER_NAMES |= {"collections.OrderedDict", "_codecs.encode"}


@contextmanager
def as_input_error(path: Path, what: str) -> Iterator[None]:
    """Convert any error that a damaged file raises to an `InputError` that names the file."""
    try:
        yield
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply to be {what}: download it again") from error
    except MemoryError as error:
        raise InputError(
            f"{path} needs more memory than is available: it may be damaged, download it again"
        ) from error
    except Exception as error:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            f"{path} cannot be read as {what} ({message}): it may be cut off; download it again"
        ) from error


def check_file(path: str | Path, limit_bytes: int) -> Path:
    """Return the path after checking that it is a file no larger than the limit."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: the data set is incomplete, unpack it again")
    size = path.stat().st_size
    if size > limit_bytes:
        raise InputError(
            f"{path} has {size / MB:.0f} MB, more than the {limit_bytes / MB:.0f} MB that such a "
            "file may have: is it the right file?"
        )
    return path


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler of arrays and plain containers; refuses any other name before looking it up."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}".replace("__builtin__.", "builtins.")
        if full in _ARRAY_NAMES:
            return _array_part(_ARRAY_NAMES[full])
        if full == "_codecs.encode":
            return _encode
        if full in _CONTAINER_NAMES:
            return super().find_class(*full.rsplit(".", 1))
        raise InputError(
            f"it contains {module}.{name}, which is neither an array nor a plain container, and "
            "was not opened: want the file as its authors distribute it"
        )


def _array_part(name: str) -> Any:
    if name in ("ndarray", "dtype"):
        return {"ndarray": np.ndarray, "dtype": np.dtype}[name]
    if name == "_frombuffer":
        return np._core.numeric._frombuffer  # type: ignore[attr-defined]
    if name == "scalar":
        return _scalar
    return np._core.multiarray._reconstruct  # type: ignore[attr-defined]


def _scalar(dtype: np.dtype, data: Any = None) -> Any:
    if dtype.hasobject:
        raise InputError(
            "it contains a NumPy scalar of objects and was not opened: want the file as its "
            "authors distribute it"
        )
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype, 1)[0]


def _encode(text: str, encoding: str = "latin1", errors: str = "strict") -> bytes:
    """Restore byte strings as pickle protocol 2 stores them; refuse codecs other than text."""
    if encoding.lower().replace("-", "") not in ("latin1", "utf8", "ascii"):
        raise InputError(
            f"it requires the codec {encoding!r} and was not opened: want the file as its authors "
            "distribute it"
        )
    return text.encode(encoding)


def _check_memo(file: IO[bytes]) -> None:
    """Refuse a pickle that numbers its objects with gaps: room is reserved up to the number."""
    numbered = 0
    while code := file.read(1):
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise ValueError(f"no operation has the code {code!r}")
        if opcode.name == "STRING":  # whose bytes the reader of pickletools takes for ASCII
            file.readline()
        elif opcode.arg is not None:
            number = opcode.arg.reader(file)
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
                if not 0 <= number <= 1000 + 2 * numbered:
                    raise ValueError(f"an object of number {number} after {numbered} others")
                numbered += 1
        elif opcode.name == "STOP":
            return


def load_pickle(path: str | Path, *, limit_bytes: int = 3 * GB) -> Any:
    """Load a pickle of NumPy arrays and plain containers, written by Python 2 or 3.

    Raises
    ------
    InputError
        A missing, too large or damaged file, or one with any other object, which is not created.
    """
    path = check_file(path, limit_bytes)
    with path.open("rb") as file:
        try:
            with as_input_error(path, "a pickle of arrays"):
                _check_memo(file)
                file.seek(0)
                return _ArrayUnpickler(file, encoding="latin1").load()
        except InputError as error:
            raise InputError(f"{path}: {error}") if str(path) not in str(error) else error from None


def load_json(path: str | Path, *, limit_bytes: int = 500 * MB) -> Any:
    """Load a JSON file, UTF-8."""
    path = check_file(path, limit_bytes)
    with as_input_error(path, "JSON"):
        return json.loads(path.read_text(encoding="utf-8-sig"))


def load_xml(path: str | Path, *, limit_bytes: int = 50 * MB) -> ElementTree.Element:
    """Load the root of an XML file; refuse a document type, which could define entities."""
    path = check_file(path, limit_bytes)
    builder = _NoEntities(path, MAX_DEPTH)
    parser = ElementTree.XMLParser(target=builder)
    with as_input_error(path, "XML"):
        parser.feed(path.read_bytes())
        return parser.close()


class _NoEntities(ElementTree.TreeBuilder):
    """XML tree builder that refuses document types and nesting deeper than ``max_depth``."""

    def __init__(self, path: Path, max_depth: int) -> None:
        super().__init__()
        self.path, self.depth, self.max_depth = path, 0, max_depth

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise InputError(
            f"{self.path}: the XML declares a document type ({name}), through which entities could "
            "be expanded, and was not read: want the file as its authors distribute it"
        )

    def start(self, tag: Any, attrs: dict[Any, Any], /) -> ElementTree.Element:
        self.depth += 1
        if self.depth > self.max_depth:
            raise RecursionError
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def load_mat(
    path: str | Path, names: Sequence[str] | None = None, *, limit_bytes: int = 3 * GB
) -> dict[str, Any]:
    """Load variables of a MATLAB file: structs as dicts, cells as object arrays.

    Of version 5 (:mod:`emotion_rppg.formats.mat5`) or of version 7.3, which is HDF5: there
    arrays keep the order of their axes on disk, which is MATLAB's reversed.

    Parameters
    ----------
    names : sequence of str, optional
        Variables to read, each of which must be present; default: all.
    """
    path = check_file(path, limit_bytes)
    if _is_hdf5(path):
        return load_hdf5(path, names, limit_bytes=limit_bytes)
    with as_input_error(path, "a MATLAB file"):
        content = read_mat(path, names, spend=_Budget(path).spend)
    return _require_names(path, content, names)


def _is_hdf5(path: Path) -> bool:
    """Detect the signature of HDF5 at byte 0, 512, 1024 …; MATLAB writes it at 512."""
    with path.open("rb") as file:
        for offset in (0, 512, 1024, 2048):
            file.seek(offset)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return True
    return False


def load_hdf5(
    path: str | Path, names: Sequence[str] | None = None, *, limit_bytes: int = 30 * GB
) -> dict[str, Any]:
    """Load an HDF5 file: arrays, groups as dicts; MATLAB cells as lists, its strings as str."""
    path = check_file(path, limit_bytes)
    import h5py

    with as_input_error(path, "HDF5"), h5py.File(path, "r") as file:
        available = [name for name in file if not name.startswith("#")]
        selected = [n for n in (available if names is None else names) if n in file]
        reader = _Hdf5(file, _Budget(path))
        content = {name: reader.convert(_member(file, name), 0) for name in selected}
    return _require_names(path, content, names)


def read_slabs(
    path: str | Path, name: str, *, axis: int, step: int, limit_bytes: int = 30 * GB
) -> Iterator[np.ndarray]:
    """Yield an array of an HDF5 file in slabs of ``step`` along one axis, to limit memory."""
    path = check_file(path, limit_bytes)
    import h5py

    with as_input_error(path, "HDF5"), h5py.File(path, "r") as file:
        item = _member(file, name) if name in file else None
        if not isinstance(item, h5py.Dataset) or item.ndim <= axis:
            raise InputError(f"{path} has no array {name} of at least {axis + 1} axes")
        if item.is_virtual or item.external:
            raise _refers_elsewhere(path)
        _Budget(path).spend(item.nbytes // max(item.shape[axis], 1) * step)
        for start in range(0, item.shape[axis], step):
            yield item[(slice(None),) * axis + (slice(start, start + step),)]


class _Budget:
    """Count what a file unpacks to, and refuse more than a file of its size can have."""

    def __init__(self, path: Path) -> None:
        self.path, self.bytes, self.members = path, 0, 0
        self.most = min(MAX_UNPACKED, max(GB, MAX_RATIO * path.stat().st_size))

    def spend(self, size: int, members: int = 0) -> None:
        """Count ``size`` more bytes, and more members."""
        self.bytes, self.members = self.bytes + size, self.members + members
        if self.bytes > self.most or self.members > MAX_MEMBERS:
            raise InputError(
                f"{self.path} unpacks to more than {self.most / MB:.0f} MB or {MAX_MEMBERS} "
                "members: is it the right file?"
            )


@dataclass(frozen=True, eq=False)
class _Hdf5:
    """Converter of an open file's members, with a budget for all of them together."""

    file: h5py.File
    budget: _Budget

    def convert(self, item: Any, depth: int) -> Any:
        """Return an array, a text, a list of cells or a dict of members."""
        import h5py

        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(item, h5py.Group):
            self.budget.spend(0, 1)
            return {name: self.convert(_member(item, name), depth + 1) for name in item}
        if item.is_virtual or item.external:
            raise _refers_elsewhere(self.file.filename)
        self.budget.spend(item.nbytes, 1)
        if item.attrs.get("MATLAB_class") == b"char":
            return "".join(map(chr, item[()].ravel()))
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            cells = [self.convert(self.file[ref], depth + 1) for ref in item[()].ravel()]
            return cells[0] if len(cells) == 1 else cells
        return item[()]


def _member(group: h5py.Group, name: str) -> Any:
    """Return a member of a group; raise `InputError` for a link to another file."""
    import h5py

    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        raise _refers_elsewhere(group.file.filename)
    return group[name]


def _refers_elsewhere(path: str | Path) -> InputError:
    return InputError(f"{path} refers to other files and was not read: want one complete file")


def _require_names(
    path: Path, content: dict[str, Any], names: Sequence[str] | None
) -> dict[str, Any]:
    missing = [name for name in names or () if name not in content]
    if missing:
        raise InputError(
            f"{path} does not have {', '.join(missing)}; it has: {', '.join(content) or 'nothing'}"
        )
    return content


def read_edf(
    path: str | Path,
    kinds: Mapping[str, str | None] | None = None,
    *,
    limit_bytes: int = 5 * GB,
) -> dict[str, Signal]:
    """Read channels of an EDF or BDF file in physical units, each at its own rate.

    Parameters
    ----------
    kinds : mapping, optional
        Label of a channel -> the kind of its Signal; only these are read. Default: all but
        annotations, without a kind.

    An interrupted recording (EDF+D) has NaN between its records.

    Raises
    ------
    InputError
        A requested channel is missing (the message lists the available ones), or a damaged file.
    """
    path = check_file(path, limit_bytes)
    with as_input_error(path, "EDF or BDF"):
        header = read_header(path)
        by_label = {channel.label: channel for channel in reversed(header.signals)}
        requested = dict.fromkeys(by_label) if kinds is None else dict(kinds)
        missing = [label for label in requested if label not in by_label]
        if missing:
            raise InputError(
                f"{path} has no channel {', '.join(missing)}; it has: "
                f"{', '.join(channel.label for channel in header.signals)}"
            )
        return {
            label: Signal(read_channel(header, by_label[label]), by_label[label].rate_hz, kind=kind)
            for label, kind in requested.items()
        }


@contextmanager
def open_zip(path: str | Path, *, limit_bytes: int = 50 * GB) -> Iterator[Archive]:
    """Open a zip archive whose members are read in place and never unpacked."""
    path = check_file(path, limit_bytes)
    with as_input_error(path, "a zip archive"):
        archive = zipfile.ZipFile(path)
    with archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise InputError(f"{path} has {len(members)} members: want at most {MAX_MEMBERS}")
        outside = next((m.filename for m in members if _is_outside(m.filename)), None)
        if outside is not None:
            raise InputError(
                f"{path} has a member outside of its folder ({outside!r}) and was not opened"
            )
        yield Archive(path, archive)


def _is_outside(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or name[1:2] == ":"


class Archive:
    """An open zip archive: ``names`` of its files, ``unpacked_bytes`` and `read`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._archive = path, archive
        names = (member.filename for member in archive.infolist())
        self.names = [name for name in names if name and not name.endswith("/")]
        self.unpacked_bytes = sum(member.file_size for member in archive.infolist())

    def read(self, name: str, *, limit_bytes: int = 500 * MB) -> IO[bytes]:
        """Read one member's bytes; refuse more than the limit once unpacked."""
        if name not in self._archive.NameToInfo:
            raise InputError(f"{self.path} has no member {name!r}")
        with as_input_error(self.path, "a zip archive"), self._archive.open(name) as member:
            content = member.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise InputError(
                f"{name!r} in {self.path} unpacks to more than {limit_bytes / MB:.0f} MB"
            )
        return BytesIO(content)
