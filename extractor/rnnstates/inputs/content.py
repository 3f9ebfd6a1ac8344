"""Opens files of lengths and ids, and refuses files of other formats."""

import os
from pathlib import Path
from typing import BinaryIO

from ..errors import BadData
from ..untrusted.foreign import FIRST_BYTES, KINDS, UTF8_MARK, Wanted, is_text, kind_of_bytes, kind_of_path, unknown
from ..untrusted.missing import missing_reported, open_file, read_at_most

# A list of N entries may have this many bytes in addition to those of N entries.
MOST_BESIDE, MOST_PER_ENTRY = 2**20, 4096

__all__ = [
    "FIRST_BYTES",
    "UTF8_MARK",
    "first_of_list",
    "of_another_kind",
    "open_list",
    "refuse_all_but_text",
    "rest_of_list",
]

# Texts that cannot be lists of ids or lengths; any other text may be one.
_NO_LISTS = ("an HTML page", "a Git LFS pointer", "a git-annex pointer", "an error message", "a Python pickle")


def open_list(path: str | os.PathLike[str], expected: str, error: type[BadData]) -> BinaryIO:
    """Open a file of lengths or ids; the error names folders of a known kind, and files of several arrays.

    Raises
    ------
    MissingInput
        It is absent, a directory, a device or unreadable.
    error
    """
    with missing_reported(path, expected):
        kind = kind_of_path(path)
        if kind is not None and (Path(path).is_dir() or kind is KINDS["equinox"]):
            raise error(f"{path}: {kind.message(expected, Wanted.LIST)}")
    return open_file(path, expected, pipes=True)


def of_another_kind(
    path: str | os.PathLike[str], start: bytes, expected: str, error: type[BadData], wanted: Wanted = Wanted.INPUTS
) -> BadData:
    """Return the error about a file that cannot be used: names its kind, or its first bytes if that is unknown.

    Raises
    ------
    MissingInput
        It has become unreadable.
    """
    with missing_reported(path, expected):
        kind = kind_of_path(path) or kind_of_bytes(start)
    return error(f"{path}: {kind.message(expected, wanted) if kind else unknown(start, expected)}")


def refuse_all_but_text(path: str | os.PathLike[str], start: bytes, expected: str, error: type[BadData]) -> None:
    """Refuse a file that cannot be a list with one entry per line.

    Parameters
    ----------
    path : str or path
    start : bytes
        Its first bytes, at least one.
    expected : str
    error : type

    Raises
    ------
    error
    """
    kind = kind_of_bytes(start)
    if kind is not None and (not is_text(start) or kind.found.startswith(_NO_LISTS)):
        raise of_another_kind(path, start, expected, error, Wanted.LIST)


def first_of_list(file: BinaryIO, path: str | os.PathLike[str]) -> bytes:
    """Read the first bytes of a list.

    Raises
    ------
    MissingInput
        Reading fails.
    """
    with missing_reported(path, "a list that can be read"):
        return file.read(FIRST_BYTES)


def rest_of_list(
    file: BinaryIO, path: str | os.PathLike[str], entries: int, expected: str, error: type[BadData]
) -> bytes:
    """Read what follows the first bytes of a list of so many entries, one per line.

    Raises
    ------
    MissingInput
        Reading fails.
    error
        It is longer than any such list.
    """
    most = MOST_BESIDE + MOST_PER_ENTRY * entries
    content = read_at_most(file, most, os.fspath(path))
    if content is None:
        raise error(f"{path}: more than {most} bytes for {entries} sequences; expected {expected}. Check the path.")
    return content
