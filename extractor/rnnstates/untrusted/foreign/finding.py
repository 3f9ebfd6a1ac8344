"""Finds the kind of a file from its path or first bytes: content decides, not the suffix."""

import os
import re
import stat
from pathlib import Path

from ...errors import BadData
from ..hdf5 import is_hdf5
from ..zip import zip_names
from .archives import kind_of_archive
from .folders import kind_of_folder, kind_of_sibling
from .kind import Kind, Wanted
from .models import MODELS
from .pickles import kind_of_pickle
from .protobufs import kind_of_message
from .starts import NPY, kind_of_start
from .texts import UTF8_MARK, is_text, kind_of_mark_up, kind_of_prose
from .values import VALUES

__all__ = ["FIRST_BYTES", "KINDS", "describe", "kind_of_bytes", "kind_of_path", "refuse_foreign", "unknown"]

KINDS: dict[str, Kind] = MODELS | VALUES
# Enough to recognise every kind, including by the keys of a JSON text.
FIRST_BYTES = 2**14
_LARGEST_NPY_HEADER, _LARGEST_SAFETENSORS_HEADER = 10_000, 100_000_000
_HEADER = re.compile(rb"\{'descr': '[<>|=]?[a-zA-Z](\d+)', 'fortran_order': \w+, 'shape': \(([\d, ]*)\)")


def kind_of_path(path: str | os.PathLike[str]) -> Kind | None:
    """Find the kind of a file or folder; None if it is unknown, absent, or neither.

    Only its first bytes, the names in it and, for a folder, one text in it are read.

    Raises
    ------
    OSError
        It may not be read.
    """
    where = os.fspath(path)
    if not os.path.lexists(where):
        return None
    mode = Path(where).stat().st_mode
    if stat.S_ISDIR(mode):
        return KINDS.get(kind_of_folder(where))
    if not stat.S_ISREG(mode):
        return None
    with Path(where).open("rb") as file:
        start = file.read(FIRST_BYTES)
        if start.startswith(NPY) and b"{'descr': '|O'" in start[:32]:
            return KINDS["npy of objects"]
        if start.startswith(NPY):
            end = _end_of_array(start)
            if end > os.fstat(file.fileno()).st_size:
                return KINDS["npy"]
            file.seek(end)
            return KINDS["equinox" if file.read(len(NPY)) == NPY else "npy"]
    if start.startswith(b"PK\x03\x04"):
        return kind_of_archive(zip_names(where) or ())
    if is_hdf5(where):
        # Whatever the user block before it contains.
        return KINDS["hdf5"]
    return kind_of_bytes(start) or KINDS.get(kind_of_sibling(where))


def kind_of_bytes(start: bytes) -> Kind | None:
    """Find the kind of file that starts with these bytes; None if unknown."""
    if not start:
        return KINDS["empty"]
    if start.startswith(b"PK\x05\x06"):
        return KINDS["empty zip"]
    if start.startswith(b"PK\x03\x04"):
        return KINDS["npz"]._replace(found="a zip archive such as .npz or .keras", mend=_TAKE_ONE)
    if name := _name_of(start):
        return KINDS[name]
    return kind_of_prose(start) if is_text(start) else None


def _name_of(start: bytes) -> str:
    # First, because its length may look like any short magic number.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LARGEST_SAFETENSORS_HEADER:
        return "safetensors"
    found = _is_equinox(start) or kind_of_start(start) or kind_of_pickle(start) or kind_of_message(start)
    return found or (kind_of_mark_up(start) if is_text(start) or b"<" in start[:64] else "")


def describe(start: bytes, expected: str, wanted: Wanted = Wanted.INPUTS) -> str:
    """Say what a file with these first bytes is, what was expected and what to do.

    Examples
    --------
    >>> describe(b"", "a .npy file")
    'empty, not one byte; expected a .npy file. Make it again.'
    """
    kind = kind_of_bytes(start)
    return kind.message(expected, wanted) if kind else unknown(start, expected)


def unknown(start: bytes, expected: str) -> str:
    """Say what a file of unknown kind starts with."""
    return f"starts with {start[:8]!r}, which is not a known kind of file; expected {expected}."


def refuse_foreign(path: str | os.PathLike[str], expected: str, wanted: Wanted, error: type[BadData]) -> None:
    """Refuse a file of a known kind that cannot be read where it was given.

    Raises
    ------
    error
        Names the kind and what to do.
    OSError
        It may not be read.
    """
    kind = kind_of_path(path)
    if kind is not None and kind.is_foreign(wanted):
        raise error(f"{os.fspath(path)}: {kind.message(expected, wanted)}")


_TAKE_ONE = "Take one array out of it: np.save('inputs.npy', np.load('file.npz')['inputs'])."


def _is_equinox(start: bytes) -> str:
    """Recognise a line of JSON followed by arrays, as Equinox' tutorial saves a model and its sizes."""
    line, ends, rest = start.removeprefix(UTF8_MARK).partition(b"\n")
    return "equinox" if ends and line[:1] == b"{" and rest.startswith(NPY) else ""


def _end_of_array(start: bytes) -> int:
    """Return the end of the first array of a .npy stream; 1 if its header is unusual."""
    wide = start[6:7] != b"\x01"
    size = int.from_bytes(start[8:12] if wide else start[8:10], "little")
    begin = 12 if wide else 10
    found = _HEADER.match(start[begin : begin + _LARGEST_NPY_HEADER])
    if found is None:
        # The bytes there are part of the first array, not the start of a second one.
        return 1
    count = int(found[1])
    for axis in found[2].split(b","):
        count *= int(axis) if axis.strip() else 1
    return begin + size + count
