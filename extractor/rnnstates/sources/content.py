"""What a file is by its first bytes, whatever it is called; and what to do with one that cannot be read."""

import os
from pathlib import Path
from typing import BinaryIO

from ..files import missing_told

__all__ = ["FIRST_BYTES", "UTF8_MARK", "describe", "is_foreign", "open_binary"]

# Enough to know every kind below, and to show the start of a text.
FIRST_BYTES = 64

# Editors of some systems put it before a text in UTF-8.
UTF8_MARK = b"\xef\xbb\xbf"

_PICKLE = (
    "a Python pickle, which is never loaded because it can run any code",
    "Load it where you trust it and save the array with np.save.",
)
_COMPRESSED = ("a compressed file", "Unpack it first, or pipe the .npy in: gzip -dc FILE | rnnstates extract - OUTPUT.")

# Start of the file: what it is, and how to make an input of it.
FOREIGN: dict[bytes, tuple[str, str]] = {
    b"PK\x03\x04": (
        "a zip archive such as .npz or .keras",
        "Take one array out of it: np.save('inputs.npy', np.load('file.npz')['inputs']).",
    ),
    b"PK\x05\x06": ("an empty zip archive", "Make the file again."),
    # An array pickled by protocol 0 or 1.
    b"cnumpy.core.multiarray\n": _PICKLE,
    b"cnumpy._core.multiarray\n": _PICKLE,
    b"\x80\x02": _PICKLE,
    b"\x80\x03": _PICKLE,
    b"\x80\x04": _PICKLE,
    b"\x80\x05": _PICKLE,
    b"\x1f\x8b": _COMPRESSED,
    b"\x28\xb5\x2f\xfd": _COMPRESSED,
    b"BZh": _COMPRESSED,
    b"\xfd7zXZ": _COMPRESSED,
    b"MATLAB 5": ("a MATLAB file of version 5", "Save it from MATLAB with -v7.3, which is HDF5."),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "Copy the dataset into the file of the input and give its name."),
    b"\xff\xfe": ("text in UTF-16", "Save it as UTF-8."),
}


def open_binary(path: str | os.PathLike[str], expected: str) -> BinaryIO:
    """Open a file for reading, unbuffered.

    Raises
    ------
    MissingInput
        It is absent, a directory or unreadable.
    """
    with missing_told(path, expected):
        return Path(path).open("rb", buffering=0)


def is_foreign(start: bytes) -> bool:
    """Tell whether these first bytes belong to a known kind of file that is neither .npy nor text."""
    return start.startswith(tuple(FOREIGN))


def describe(start: bytes, expected: str) -> str:
    """Say what a file with these first bytes is, what was expected and what to do.

    Examples
    --------
    >>> describe(b"", "a .npy file")
    'empty, not one byte; expected a .npy file. Make it again.'
    """
    if not start:
        return f"empty, not one byte; expected {expected}. Make it again."
    for magic, (found, mend) in FOREIGN.items():
        if start.startswith(magic):
            return f"{found}; expected {expected}. {mend}"
    if _is_text(start):
        line = start.decode("utf-8", "ignore").splitlines()[0][:40]
        return (
            f"text that starts with {line!r}; expected {expected}. Read it with np.loadtxt, give it its shape with "
            ".reshape and save it with np.save."
        )
    return f"starts with {start[:8]!r}, which is no kind known here; expected {expected}."


def _is_text(start: bytes) -> bool:
    text = start.removeprefix(UTF8_MARK).decode("utf-8", "ignore")
    # A letter may be cut at the end of what was read: up to three bytes fall away.
    complete = len(text.encode()) + 3 >= len(start)
    return complete and bool(text.strip()) and all(letter.isprintable() or letter in "\t\r\n" for letter in text)
