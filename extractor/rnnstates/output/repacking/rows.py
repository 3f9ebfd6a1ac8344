"""Writes rows of a dataset in order: into chunks, each compressed once, or at their position in a contiguous one."""

from typing import Protocol

import h5py
import numpy as np

from ...arrays.axes import Table
from ...arrays.copying import copy_rows
from ...runtime.signals import signals_wait
from ..format import DatasetSpec
from ..system import System, Writeback, write_all
from .cuts import chunks_of, place_of
from .moving import Stretches

__all__ = ["ChunkedRows", "ContiguousRows", "NewRows"]


class NewRows(Protocol):
    """Receives the valid rows of a dataset in ascending order."""

    def put(self, values: Table, where: Stretches) -> None:
        """Write stretches of ``values`` [k, width], in the dataset's dtype.

        Raises
        ------
        OSError
            The disk is full or failing.
        """

    def close(self) -> None:
        """Write what is left."""


class ContiguousRows:
    """The rows of a contiguous dataset; padding stays a hole.

    Parameters
    ----------
    system : System
    descriptor : int
    offset : int
        Position of the dataset's first byte.
    """

    def __init__(self, system: System, descriptor: int, offset: int) -> None:
        self._system, self._descriptor, self._offset = system, descriptor, offset
        self._writeback = Writeback(descriptor)

    def put(self, values: Table, where: Stretches) -> None:
        """Write stretches; adjacent ones in one call."""
        if not len(where.rows):
            return
        rows, places, counts = where
        apart = (rows[1:] != rows[:-1] + counts[:-1]) | (places[1:] != places[:-1] + counts[:-1])
        firsts = np.concatenate([[0], np.flatnonzero(apart) + 1])
        sizes = np.add.reduceat(counts, firsts)
        row_bytes = values.shape[1] * values.itemsize
        data = values.reshape(-1).view(np.uint8).data
        for row, place, count in zip(rows[firsts].tolist(), places[firsts].tolist(), sizes.tolist(), strict=True):
            piece = data[row * row_bytes : (row + count) * row_bytes]
            write_all(self._system, self._descriptor, piece, self._offset + place * row_bytes)
            self._writeback.wrote(len(piece))

    def close(self) -> None:
        """Do nothing: all is written."""


class ChunkedRows:
    """The rows of a chunked dataset; each chunk is written whole, padding included.

    Parameters
    ----------
    dataset : h5py.Dataset
    spec : DatasetSpec
    writeback : Writeback
    """

    def __init__(self, dataset: h5py.Dataset, spec: DatasetSpec, writeback: Writeback) -> None:
        self._dataset, self._spec, self._writeback = dataset, spec, writeback
        _, self._chunks = chunks_of(spec)
        self._begin, self._end, self._buffer = 0, 0, np.empty((0, spec.width), spec.dtype)

    def put(self, values: Table, where: Stretches) -> None:
        """Write stretches."""
        rows, places, counts = where
        while len(rows):
            taken = np.clip(self._end - places, 0, counts)
            here = np.flatnonzero(taken)
            if len(here):
                copy_rows(values, rows[here], self._buffer, places[here] - self._begin, taken[here])
            left = taken < counts
            rows, places, counts = ((rows + taken)[left], (places + taken)[left], (counts - taken)[left])
            if len(rows):
                self._next()

    def close(self) -> None:
        """Write the last chunks."""
        while self._next():
            continue

    def _next(self) -> bool:
        """Write the current chunk, and begin the next; False if there is none."""
        if self._end > self._begin:
            place = place_of(self._spec.shape, self._begin, self._end)
            # HDF5 may not be left by an exception.
            with signals_wait():
                self._dataset[place] = self._buffer.reshape([part.stop - part.start for part in place])
            self._writeback.wrote(self._buffer.nbytes)
        self._begin, self._end = next(self._chunks, (0, 0))
        self._buffer = np.zeros((self._end - self._begin, self._spec.width), self._spec.dtype)
        return self._end > self._begin
