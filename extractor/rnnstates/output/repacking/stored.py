"""Reads the rows of a dataset by value, in bounded pieces, however they are stored; sums them as windows are summed."""

import math
from collections.abc import Iterator
from typing import Annotated

import h5py
import numpy as np

from ...arrays.axes import Floats
from ...arrays.checksums import Sums, add, sums
from ...errors import BadStates
from ...untrusted.hdf5 import reading
from ...untrusted.hdf5_chunks import check_frames
from ...untrusted.hdf5_filters import check_filters
from ...untrusted.hdf5_inflated import InflatedChunks
from ..format import DatasetSpec
from .cuts import pieces_of, place_of

__all__ = ["StateRows", "StoredRows"]

StateRows = Annotated[Floats, "_ C"]

# Chunks kept decompressed: those of another program may lie across the pieces that are read (bytes).
MOST_CACHE = 2**26
# Larger chunks are refused: reading one row needs all of it.
MOST_CHUNK = 2**28


class StoredRows:
    """The rows of one dataset of states, seen as [rows, width].

    Parameters
    ----------
    dataset : h5py.Dataset
        Of the shape and dtype that ``spec`` says.
    spec : DatasetSpec
    where : str
        The file, for messages.

    Raises
    ------
    BadStates
        Its filter is unavailable, or its chunks are damaged or too large.
    """

    def __init__(self, dataset: h5py.Dataset, spec: DatasetSpec, where: str) -> None:
        self._dataset, self._spec = dataset, spec
        self._where = f"{where}: '{spec.name}'"
        self._inflated: InflatedChunks | None = None
        if dataset.chunks:
            _check(dataset, self._where)
            if InflatedChunks.can_read(dataset):
                self._inflated = InflatedChunks(dataset, self._where, _cache(dataset), BadStates)

    def pieces(self, rows: tuple[int, int]) -> Iterator[tuple[int, StateRows]]:
        """Yield some rows, sequences from the first to the last step, as (first row, values [k, width]).

        Raises
        ------
        BadStates
            They cannot be read.
        """
        for first, last in pieces_of(self._spec, rows):
            yield first, self._read(first, last)

    def sums(self, rows: tuple[int, int]) -> Sums:
        """Return the sums of some rows."""
        total: Sums = (0, 0)
        for first, values in self.pieces(rows):
            total = add(total, sums(values, first * self._spec.width))
        return total

    def _read(self, first: int, last: int) -> StateRows:
        place = place_of(self._spec.shape, first, last)
        with reading(self._where, BadStates):
            if self._inflated is None:
                block = np.asarray(self._dataset[place])
            else:
                block = np.empty([part.stop - part.start for part in place], self._spec.dtype)
                self._inflated.read_into(block, place)
        values: StateRows = block.reshape(last - first, self._spec.width)
        return values


def _check(dataset: h5py.Dataset, where: str) -> None:
    check_filters(dataset, where, BadStates)
    size = _chunk_bytes(dataset)
    if size > MOST_CHUNK:
        raise BadStates(
            f"{where}: its chunks have {size} bytes; expected at most {MOST_CHUNK}, because reading a state takes a "
            "whole chunk. Make smaller chunks (h5repack -l)."
        )
    check_frames(dataset, where, BadStates)


def _cache(dataset: h5py.Dataset) -> int:
    """Return the bytes of one row of chunks, within bounds."""
    across: int = math.prod(
        -(-axis // chunk) for axis, chunk in zip(dataset.shape[1:], dataset.chunks[1:], strict=True)
    )
    return min(MOST_CACHE, across * _chunk_bytes(dataset))


def _chunk_bytes(dataset: h5py.Dataset) -> int:
    size: int = math.prod(dataset.chunks) * dataset.dtype.itemsize
    return size
