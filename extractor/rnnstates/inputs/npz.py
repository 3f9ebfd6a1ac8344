"""``Source`` for an array of a .npz archive, stored or compressed."""

import contextlib
import os
import zipfile
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from ..arrays.axes import Array, Stored
from ..errors import BadData, BadInput
from ..untrusted.npy import NpyHeader, check_size, parse_header
from ..untrusted.npz import npz_arrays
from ..untrusted.zip import MOST_COMPRESSION, SMALL, open_zip, zip_members
from ..untrusted.zip_blocks import Bytes, bytes_of
from .base import Bare
from .container import Container, Described
from .form import PADDED, Form
from .hdf5_choice import DEFAULT, choose_among
from .identity import check_unchanged, identify, sample_file
from .layout import check_layout, dtype_notes
from .npy import FORTRAN_NOTE, read_place, read_whole

__all__ = ["NpzSource", "describe_npz"]

SUFFIX = ".npy"
PACKED_NOTE = (
    "{} is compressed and in Fortran order, so that each block needs all of it; np.ascontiguousarray(...) is faster."
)


class NpzSource(Bare):
    """An array of a .npz archive; see ``Source`` for the attributes.

    Parameters
    ----------
    path : str or path
    dataset : str or None
        Its name; None: ``inputs``, else the only one that fits.
    form : Form

    Raises
    ------
    MissingInput, BadInput, OptionError
    """

    def __init__(self, path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> None:
        self._archive = _Archive(str(path))
        try:
            key = _choose(self._archive, dataset, form)
            self.name, self.container = f"{path}: dataset '{key}'", _container(self._archive, key)
            self._header, self._bytes = self._archive.open(key, BadInput)
            self.axes = form.axes_of(self._header.shape, self._header.dtype, self.name, self.container)
            self.shape, self.dtype = self.axes.shape, self._header.dtype
            check_layout(self.axes, self.dtype, self.name, tokens=form.tokens)
            known = sample_file(self._archive.file) | self.axes.identity()
            self.identity = identify("npz", self.shape, self.dtype, path=str(path), dataset=key, **known)
        except BaseException:
            self._archive.file.close()
            raise
        self.rows_together = self.steps_together = 1
        note = PACKED_NOTE if self._archive.is_compressed(key) else FORTRAN_NOTE
        fortran = (note.format(self.name),) if self._header.fortran_order else ()
        self.notes: tuple[str, ...] = fortran + dtype_notes(self.shape, self.dtype, self.name)

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...] in native byte order."""
        check_unchanged(self._archive.file.fileno(), self.identity, self.name)
        return self.axes.turn(read_place(self._header, self.axes.place(rows, steps), self._bytes.fill))

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        check_unchanged(self._archive.file.fileno(), self.identity, self.name, sampled=True)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._archive.file.close()


class _Archive:
    """An open archive of arrays."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open_zip(path, BadInput) as archive:
            members = zip_members(archive, path, BadInput)
            self._members = {name.removesuffix(SUFFIX): one for name, one in members.items() if name.endswith(SUFFIX)}
            # The same file, even if another one has its name by now.
            self.file: BinaryIO = os.fdopen(os.dup(_descriptor(archive)), "rb", buffering=0)
        self.size = os.fstat(self.file.fileno()).st_size

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def is_compressed(self, key: str) -> bool:
        """Return whether an array is compressed."""
        return self._members[key].compress_type != zipfile.ZIP_STORED

    def open(self, key: str, error: type[BadData]) -> tuple[NpyHeader, Bytes]:
        """Return the header of an array, and what reads its bytes.

        Raises
        ------
        error
            It is damaged, or holds Python objects.
        """
        info, where = self._members[key], f"{self.path}: dataset '{key}'"
        content = bytes_of(self.file, info, where, error)
        header = parse_header(_Start(content), where, error)
        check_size(header, content.size, where, error)
        return header, content

    def headers(self, error: type[BadData]) -> dict[str, NpyHeader]:
        """Return the headers of all arrays that can be read, by name; what is wrong with others is said on opening."""
        found = {}
        for key in self._members:
            with contextlib.suppress(error):
                found[key] = self.open(key, error)[0]
        return found


class NpzContainer(NamedTuple):
    """An open archive; see ``Container``."""

    archive: "_Archive"
    path: str
    group: tuple[str, ...]
    noun: str = "dataset"

    def find(self, name: str, error: type[BadData]) -> Array | None:
        """Return the array of a name, read whole; None if there is none.

        Raises
        ------
        error
            It is damaged, holds Python objects, or is far larger than what is stored.
        """
        key = name.strip("/")
        if key not in self.archive:
            return None
        header, content = self.archive.open(key, error)
        most = max(SMALL, MOST_COMPRESSION * self.archive.size)
        if content.size > most:
            raise error(
                f"{self.path}: dataset '{key}': has {content.size} bytes; expected at most {most}, because the file "
                f"has {self.archive.size}. It is refused."
            )
        return read_whole(header, content.fill)

    def series(self, name: str, sequences: Sequence[str] | None, error: type[BadData]) -> None:
        """Return None: each array is of all sequences."""

    def present(self, error: type[BadData]) -> dict[str, Described]:
        """Return the shapes and dtypes of all arrays by name."""
        return dict(self.archive.headers(error))


class _Start:
    """The start of a member, read once from its first byte on."""

    def __init__(self, content: Bytes) -> None:
        self._content, self._place = content, 0

    def read(self, size: int, /) -> bytes:
        taken = bytearray(min(size, self._content.size - self._place))
        self._content.fill(memoryview(taken), self._place)
        self._place += len(taken)
        return bytes(taken)


def _choose(archive: _Archive, name: str | None, form: Form) -> str:
    wanted = (name or DEFAULT).strip("/")
    if wanted in archive:
        return wanted
    return choose_among(archive.headers(BadInput), archive.path, name, form, lambda key: _container(archive, key))


def _container(archive: _Archive, key: str) -> Container:
    return NpzContainer(archive, archive.path, tuple(key.split("/")[:-1]))


def _descriptor(archive: zipfile.ZipFile) -> int:
    if archive.fp is None:
        raise ValueError("the archive is closed")
    return archive.fp.fileno()


def describe_npz(path: str | os.PathLike[str]) -> list[dict[str, object]]:
    """List the arrays of an archive in JSON types: name, shape, dtype and order.

    Raises
    ------
    MissingInput, BadInput
    """
    archive = _Archive(str(path))
    with archive.file:
        headers = archive.headers(BadInput)
        if not any(name.rpartition("/")[2] == "inputs" for name in headers):
            # Of unknown purpose, so every member is checked as those of weights are.
            with npz_arrays(path, BadInput, texts=tuple(headers)):
                pass
        return [
            {
                "name": name,
                "shape": list(header.shape),
                "dtype": str(header.dtype),
                "order": "Fortran" if header.fortran_order else "C",
                **({"compression": "deflate"} if archive.is_compressed(name) else {}),
            }
            for name, header in headers.items()
        ]
