"""``Source`` for a .npy file: blocks are read at computed offsets, without memory-mapping.

A memory-mapped file that is truncated while it is read kills the process; a read at an offset can be checked.
"""

import math
import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ..arrays.axes import Array, Stored, empty_window
from ..errors import BadData, BadInput, MissingInput, OptionError
from ..untrusted.missing import open_file
from ..untrusted.npy import NpyHeader, check_size, parse_header
from .base import Bare
from .form import PADDED, Form
from .identity import check_unchanged, identify, sample_file
from .layout import check_layout, dtype_notes

__all__ = ["FORTRAN_NOTE", "NpySource", "load_npy", "read_header", "read_place", "read_whole", "to_native"]

# Fills a buffer with the bytes from an offset on.
Fill = Callable[[memoryview, int], None]
FORTRAN_NOTE = "{} is in Fortran order and is read in many small pieces; np.save(np.ascontiguousarray(...)) is faster."


class NpySource(Bare):
    """A .npy file of versions 1 to 3 in C or Fortran order; see ``Source`` for the attributes.

    Parameters
    ----------
    path : str or path
    dataset : None
        A .npy file has no datasets.
    form : Form

    Raises
    ------
    MissingInput, BadInput, OptionError
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        dataset: str | None = None,
        form: Form = PADDED,
    ) -> None:
        self.name = str(path)
        if dataset is not None:
            raise OptionError(
                f"{path}: dataset={dataset!r} names a dataset of an HDF5 file, but a .npy file holds one array; "
                "leave dataset= out."
            )
        self._file = open_file(path, "a .npy file")
        try:
            self._header = read_header(self._file, self.name, BadInput)
            self.axes = form.axes_of(self._header.shape, self._header.dtype, self.name)
            self.shape, self.dtype = self.axes.shape, self._header.dtype
            check_layout(self.axes, self.dtype, self.name, tokens=form.tokens)
            known = sample_file(self._file) | self.axes.identity()
            self.identity = identify("npy", self.shape, self.dtype, path=str(path), **known)
        except BaseException:
            self._file.close()
            raise
        self.rows_together = self.steps_together = 1
        fortran = (FORTRAN_NOTE.format(path),) if self._header.fortran_order else ()
        self.notes: tuple[str, ...] = fortran + dtype_notes(self.shape, self.dtype, self.name)

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...] in native byte order."""
        check_unchanged(self._file.fileno(), self.identity, self.name)
        return self.axes.turn(read_place(self._header, self.axes.place(rows, steps), self._fill))

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        check_unchanged(self._file.fileno(), self.identity, self.name, sampled=True)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()

    def _fill(self, raw: memoryview, offset: int) -> None:
        fill_at(self._file, raw, offset, where=self.name, error=BadInput)


def read_header(file: BinaryIO, where: str, error: type[BadData]) -> NpyHeader:
    """Read the header of an open file and check it against the file's size; nothing is allocated.

    Raises
    ------
    error
        The file is damaged, truncated, not a regular file, or holds pickled objects.
    """
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{where}: a .npy in a pipe or device; expected a regular file. Save it to one.")
    file.seek(0)
    header = parse_header(file, where, error)
    check_size(header, status.st_size, where, error)
    return header


def read_place(header: NpyHeader, place: tuple[slice, ...], fill: Fill) -> Stored:
    """Read a part of an array, given by one slice per stored axis, in native byte order.

    Parameters
    ----------
    header : NpyHeader
    place : tuple of slice
    fill : callable
        Fills a buffer with the bytes from an offset in the file on.
    """
    if header.fortran_order:
        # The same bytes are an array in C order with reversed axes.
        return to_native(_read_box(header, header.shape[::-1], place[::-1], fill).T)
    return to_native(_read_box(header, header.shape, place, fill))


def _read_box(header: NpyHeader, stored: tuple[int, ...], place: tuple[slice, ...], fill: Fill) -> Array:
    """Read a part of an array in C order: each contiguous run in one call."""
    counts = [part.stop - part.start for part in place]
    block = empty_window(tuple(counts), header.dtype)
    # The axes after this one are read whole, so the wanted part of it is contiguous.
    last = max((axis for axis, count in enumerate(counts) if count != stored[axis]), default=0)
    item_bytes = math.prod(stored[last + 1 :]) * header.dtype.itemsize
    for index in np.ndindex(*counts[:last]):
        first = 0
        for axis, number in enumerate((*index, 0)):
            first = first * stored[axis] + place[axis].start + number
        fill(raw_bytes(block[index]), header.offset + first * item_bytes)
    return block


def read_whole(header: NpyHeader, fill: Fill) -> Array:
    """Read a whole array, in native byte order; for small arrays."""
    array = np.empty(header.shape, header.dtype, order="F" if header.fortran_order else "C")
    fill(raw_bytes(array.T if header.fortran_order else array), header.offset)
    return to_native(array)


def load_npy(file: BinaryIO, header: NpyHeader, where: str, error: type[BadData]) -> Array:
    """Read the whole array of an open file, in native byte order; for small arrays."""
    return read_whole(header, lambda raw, offset: fill_at(file, raw, offset, where=where, error=error))


def raw_bytes(contiguous: Array) -> memoryview:
    """Return the bytes of an array in C order."""
    return memoryview(contiguous.reshape(-1).view(np.uint8).data)


def fill_at(file: BinaryIO, raw: memoryview, offset: int, *, where: str, error: type[BadData]) -> None:
    """Fill a buffer with the file's bytes from an offset on, continuing after short reads."""
    done = 0
    while done < len(raw):
        try:
            got = os.preadv(file.fileno(), [raw[done:]], offset + done)
        except OSError as reason:
            raise MissingInput(f"{where}: cannot be read at byte {offset + done} ({reason.strerror}).") from reason
        if not got:
            raise error(
                f"{where}: ends at byte {offset + done}, but was longer when it was opened; something cuts it short "
                "while it is read. Start again when it is complete."
            )
        done += got


def to_native(array: Array) -> Array:
    """Convert an array of our own to native byte order, in place."""
    native: np.dtype[Any] = array.dtype.newbyteorder("=")
    return array if array.dtype == native else array.byteswap(inplace=True).view(native)
