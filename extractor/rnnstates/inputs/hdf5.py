"""``Source`` for an HDF5 dataset: contiguous, chunked or compressed."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..arrays.axes import Stored, empty_window
from ..errors import BadData, BadInput
from ..untrusted.hdf5 import check_dataset, datasets, find, open_hdf5, reading
from ..untrusted.hdf5_filters import check_filters
from ..untrusted.hdf5_inflated import InflatedChunks
from ..untrusted.hdf5_packing import packing_of, packing_of_tokens, reading_notes
from ..untrusted.missing import open_file
from .base import Bare
from .container import Container, Series
from .form import PADDED, Form
from .hdf5_choice import NO_DTYPE, UNKNOWN, choose, describe_dtype
from .identity import check_unchanged, identify, sample_file
from .layout import ACCEPTED, check_layout, dtype_notes
from .writers import doubt_in

__all__ = ["Hdf5Container", "Hdf5Source", "checked", "reading"]

# One row of chunks stays decompressed between reads, up to this many bytes.
MOST_CACHE = 64 * 2**20
LEAST_CACHE = 2**20


class Hdf5Source(Bare):
    """A dataset of an HDF5 file, open until ``close``; see ``Source`` for the attributes.

    Parameters
    ----------
    path : str or path
    dataset : str or None
        Its name; None: ``inputs``, else the only one that fits.
    form : Form

    Attributes
    ----------
    refuses_missing : bool
        Whether ``read`` refuses missing values in [N, T] instead of returning them as the token id -1.

    Raises
    ------
    MissingInput, BadInput, OptionError
    """

    refuses_missing = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        dataset: str | None = None,
        form: Form = PADDED,
    ) -> None:
        self.path = str(path)
        with open_file(path, "an HDF5 file") as raw:
            sample = sample_file(raw)
        self.file: h5py.File = open_hdf5(path, BadInput)
        try:
            self._describe(path, dataset, form, sample)
        except BaseException:
            self.file.close()
            raise

    def _describe(
        self, path: str | os.PathLike[str], dataset: str | None, form: Form, sample: dict[str, object]
    ) -> None:
        """Choose the dataset, and find out what there is to know before it is read."""
        with reading(self.path, BadInput):
            key = choose(self.file, self.path, dataset, form, self._container)
            self.name = f"{path}: dataset '{key}'"
            self.container: Container | None = self._container(key)
            self._dataset = self._open(key, form)
        self.rows_together, self.steps_together = (
            _chunk_size(self._dataset, self.axes.stored_axis(letter)) for letter in "NT"
        )
        chunk_bytes = _chunk_bytes(self._dataset)
        self._inflated: InflatedChunks | None = None
        if InflatedChunks.can_read(self._dataset):
            self._inflated = InflatedChunks(self._dataset, self.name, _cache_bytes(self._dataset))
        stored = self._dataset.dtype
        known = sample | self.axes.identity()
        self.identity = identify("hdf5", self.shape, stored, path=self.path, dataset=key, **known)
        with reading(self.name, BadInput):
            notes = reading_notes(self._dataset, self._packing, self.name)
        self.notes = dtype_notes(self.shape, stored, self.name) + notes
        if chunk_bytes > MOST_CACHE:
            self.notes += (
                f"{self.name} has chunks of {chunk_bytes} bytes; about 1 MiB is faster and needs less memory.",
            )

    def _container(self, key: str) -> "Hdf5Container":
        return Hdf5Container(self.file, self.path, tuple(key.split("/")[:-1]))

    def _open(self, key: str, form: Form) -> h5py.Dataset:
        dataset = checked(find(self.file, key, self.path, BadInput), self.name, BadInput)
        called = describe_dtype(dataset)
        if called in NO_DTYPE:
            raise BadInput(f"{self.name}: dtype {called}; expected {ACCEPTED}. Pad the sequences into one such array.")
        self.axes = form.axes_of(dataset.shape, dataset.dtype, self.name, self.container)
        self.shape: tuple[int, ...] = self.axes.shape
        check_layout(self.axes, dataset.dtype, self.name, tokens=form.tokens)
        self.doubt = None if self.axes.is_given else doubt_in(dataset, self.axes.letters, self.name)
        unpacked = packing_of if len(self.shape) == 3 else packing_of_tokens
        self._packing = unpacked(dataset, self.name, BadInput)
        self.dtype: np.dtype[Any] = dataset.dtype
        if self._packing is not None and len(self.shape) == 3:
            self.dtype = self._packing.dtype(dataset.dtype)
        return _with_cache(dataset)

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...] in native byte order, packed values decoded."""
        self._check_unchanged(sampled=False)
        place = self.axes.place(rows, steps)
        with reading(f"{self.name}, rows {rows.start} to {rows.stop}", BadInput):
            block = empty_window(tuple(part.stop - part.start for part in place), self._dataset.dtype)
            if block.size and self._inflated is not None:
                self._inflated.read_into(block, place)
            elif block.size:
                self._dataset.read_direct(block, place)
        block = self.axes.turn(block.astype(block.dtype.newbyteorder("="), copy=False))
        if self._packing is None:
            return block
        if block.ndim == 3:
            return self._packing.decode(block)
        if self.refuses_missing:
            self._packing.check_present(block, self.name, BadInput, first=rows.start)
        return self._packing.decode_ids(block)

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self._check_unchanged(sampled=True)

    def _check_unchanged(self, *, sampled: bool) -> None:
        # Other drivers have no file descriptor.
        if self.file.driver == "sec2":
            check_unchanged(self.file.id.get_vfd_handle(), self.identity, self.name, sampled=sampled)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self.file.close()


def checked(dataset: h5py.Dataset, where: str, error: type[BadData]) -> h5py.Dataset:
    """Return a dataset if all its values are in its own file and its filters are available.

    Raises
    ------
    error
    """
    if dataset.shape is None:
        raise error(f"{where}: declared without a shape, so it holds nothing. Make the file again.")
    if describe_dtype(dataset) == UNKNOWN:
        raise error(f"{where}: dtype {UNKNOWN}, such as HDF5's times and 3-byte integers. Save it as numbers.")
    check_dataset(dataset, where, error)
    check_filters(dataset, where, error)
    return dataset


class Hdf5Container(NamedTuple):
    """An open HDF5 file; see ``Container``."""

    file: h5py.File
    path: str
    group: tuple[str, ...]
    noun: str = "dataset"

    def find(self, name: str, error: type[BadData]) -> h5py.Dataset | None:
        """Return the dataset of a name; None if there is none.

        Raises
        ------
        error
            It is a link, or its values are elsewhere or cannot be decompressed.
        """
        with reading(f"{self.path}: '{name}'", error):
            found = find(self.file, name, self.path, error)
            if not isinstance(found, h5py.Dataset):
                return None
            return checked(found, f"{self.path}: dataset '{name}'", error)

    def series(self, name: str, sequences: Sequence[str] | None, error: type[BadData]) -> Series | None:
        """Return arrays of varying length, or those of a group with the names of the sequences; else None."""
        # Few files have any.
        from .hdf5_entries import series_in

        return series_in(self.file, self.path, name, sequences, error)

    def present(self, error: type[BadData]) -> dict[str, h5py.Dataset]:
        """Return all datasets by name."""
        with reading(self.path, error):
            return dict(datasets(self.file, self.path, error))


def _chunk_size(dataset: h5py.Dataset, axis: int | None) -> int:
    """Return the size of a chunk along an axis; 1 for an axis that is not stored."""
    if axis is None or not dataset.chunks:
        return 1
    return max(1, int(min(dataset.chunks[axis], dataset.shape[axis])))


def _chunk_bytes(dataset: h5py.Dataset) -> int:
    return math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0


def _cache_bytes(dataset: h5py.Dataset) -> int:
    """Return the bytes of one row of chunks, within bounds."""
    counts = [-(-axis // chunk) for axis, chunk in zip(dataset.shape[1:], dataset.chunks[1:], strict=True)]
    across: int = math.prod(counts)
    cache = max(LEAST_CACHE, min(MOST_CACHE, across * _chunk_bytes(dataset)))
    if dataset.id.get_create_plist().get_nfilters():
        # HDF5 decompresses a whole chunk to read part of it; keeping the chunk saves repeating that for each block.
        cache = max(cache, _chunk_bytes(dataset))
    return cache


def _with_cache(dataset: h5py.Dataset) -> h5py.Dataset:
    """Reopen a chunked dataset with a cache for one row of chunks, so that none is decompressed twice."""
    if not dataset.chunks:
        return dataset
    cache = _cache_bytes(dataset)
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    # A prime, about a hundred slots per chunk, as the HDF5 manual advises against collisions. With a last number of 1,
    # HDF5 1.14 never drops a chunk of which a part was read.
    access.set_chunk_cache(10_007, cache, 0.75)
    file, name = dataset.file, dataset.name.encode("utf-8", "surrogateescape")
    # HDF5 keeps the cache of the first opening while any handle is open.
    dataset.id.close()
    return h5py.Dataset(h5py.h5d.open(file.id, name, access))
