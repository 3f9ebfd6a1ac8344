"""``Source`` for an array of a Zarr store: a folder or a zip archive, format 2 or 3."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays.axes import Array, Stored, empty_window
from ..errors import BadData, BadInput, InputChanged
from ..untrusted.hdf5_packing import packing_of, packing_of_tokens, reading_notes, whole_numbers
from ..untrusted.kept_chunks import KeptChunks
from ..untrusted.zarr import Chunked, Store, ZarrArray, arrays_in, is_text, open_array, open_store, stand_in
from .base import Bare
from .container import Container, Described
from .form import PADDED, Form
from .hdf5_choice import DEFAULT, choose_among
from .identity import identify
from .layout import check_layout, dtype_notes
from .npy import to_native
from .writers import doubt_of

__all__ = ["ZarrSource", "describe_zarr"]

# One row of chunks stays unpacked between reads, up to this many bytes.
MOST_CACHE = 64 * 2**20
LEAST_CACHE = 2**20
# Chunks of nothing but the fill value are usually not written, so that sparse arrays are much smaller than they claim.
SMALL, MOST_CLAIMED = 64 * 2**20, 10_000


class ZarrSource(Bare):
    """An array of a Zarr store; see ``Source`` for the attributes.

    Parameters
    ----------
    path : str or path
    dataset : str or None
        Its name; None: ``inputs``, else the only one that fits, or the store itself if it is an array.
    form : Form

    Raises
    ------
    MissingInput, BadInput, OptionError
    EngineUnavailable
        Its chunks need the package zarr, which is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> None:
        with open_store(path, BadInput) as store:
            self._store = store
            array = _choose(store, dataset, form)
            self._array, self.name = array, _called(store, array.name)
            self.container: Container | None = _container(store, array.name)
            self._known = _known(store, array, self.name, BadInput)
            self.axes = form.axes_of(array.shape, array.dtype, self.name, self.container)
            self.shape = self.axes.shape
            check_layout(self.axes, array.dtype, self.name, tokens=form.tokens)
            self.doubt = None if self.axes.is_given else doubt_of(array, self.axes.letters, self.name)
            self._interpret()
        self.rows_together, self.steps_together = (self._chunk(letter) for letter in "NT")
        size = math.prod(array.chunks) * array.dtype.itemsize
        self._kept = KeptChunks(array.chunks, _cache(array) // size, Chunked(store, array, self.name, BadInput))
        known = self._known | self.axes.identity()
        self.identity = identify("zarr", self.shape, array.dtype, path=str(path), dataset=array.name, **known)

    def _interpret(self) -> None:
        array, files = self._array, self._known["files"]
        unwritten = array.files - int(str(files))
        with stand_in(array, self.name, BadInput, unwritten=unwritten > 0) as dataset:
            find = packing_of if len(self.shape) == 3 else packing_of_tokens
            self._packing = find(dataset, self.name, BadInput)
            notes = reading_notes(dataset, self._packing, self.name)
        self.dtype: np.dtype[Any] = array.dtype
        if self._packing is not None and len(self.shape) == 3:
            self.dtype = self._packing.dtype(array.dtype)
        self.notes = dtype_notes(self.shape, array.dtype, self.name) + notes
        if 2 * unwritten > array.files:
            self.notes += (
                f"{self.name}: {unwritten} of {array.files} chunks were never written; they are read as {array.fill}.",
            )
        size = math.prod(array.chunks) * array.dtype.itemsize
        if size > MOST_CACHE:
            self.notes += (f"{self.name} has chunks of {size} bytes; about 1 MiB is faster and needs less memory.",)

    def _chunk(self, letter: str) -> int:
        axis = self.axes.stored_axis(letter)
        if axis is None:
            return 1
        return max(1, min(self._array.chunks[axis], self._array.shape[axis]))

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...] in native byte order, packed values decoded."""
        place = self.axes.place(rows, steps)
        block = empty_window(tuple(part.stop - part.start for part in place), self._array.dtype)
        if block.size:
            self._kept.read_into(block, place)
        block = self.axes.turn(to_native(block))
        if self._packing is None:
            return block
        return self._packing.decode(block) if block.ndim == 3 else self._packing.decode_ids(block)

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if a file of the array has changed since it was opened."""
        now = _known(self._store, self._array, self.name, BadInput)
        if now != self._known:
            raise InputChanged(
                f"{self.name}: had {self._known['files']} chunks and {self._known['size']} bytes when it was opened, "
                f"has {now['files']} and {now['size']} now, or other ones; something changes it while it is read. "
                "Start again when it is complete."
            )

    def close(self) -> None:
        """Close the store; safe to call twice."""
        self._store.close()


class ZarrContainer(NamedTuple):
    """An open store; see ``Container``."""

    store: Store
    path: str
    group: tuple[str, ...]
    noun: str = "dataset"

    def find(self, name: str, error: type[BadData]) -> Array | None:
        """Return the array of a name, read whole; None if there is none.

        Raises
        ------
        error
            It is damaged, packed, lacks values, or is far larger than what is stored.
        """
        array = open_array(self.store, name.strip("/"), error)
        if array is None:
            return None
        where = _called(self.store, array.name)
        known = _known(self.store, array, where, error)
        dtype = np.dtype(object) if is_text(array.dtype) else array.dtype
        values = np.empty(array.shape, dtype)
        if values.size:
            chunks = KeptChunks(array.chunks, 1, Chunked(self.store, array, where, error))
            chunks.read_into(values, tuple(slice(0, size) for size in array.shape))
        if dtype.kind in "iuf":
            values = to_native(values)
            unwritten = array.files > int(str(known["files"]))
            with stand_in(array, where, error, unwritten=unwritten) as dataset:
                packing = whole_numbers(dataset, where, error)
            if packing is not None:
                packing.check_present(values.reshape(-1), where, error)
        return values

    def series(self, name: str, sequences: Sequence[str] | None, error: type[BadData]) -> None:
        """Return None: each array is of all sequences."""

    def present(self, error: type[BadData]) -> dict[str, Described]:
        """Return what describes each array by name."""
        return dict(arrays_in(self.store, error))


def _choose(store: Store, name: str | None, form: Form) -> ZarrArray:
    for wanted in [name.strip("/")] if name else [DEFAULT, ""]:
        if (array := open_array(store, wanted, BadInput)) is not None:
            return array
    present = arrays_in(store, BadInput)
    return present[choose_among(present, store.path, name, form, lambda key: _container(store, key))]


def _container(store: Store, key: str) -> Container:
    return ZarrContainer(store, store.path, tuple(key.split("/")[:-1]))


def _called(store: Store, key: str) -> str:
    return f"{store.path}: dataset '{key}'" if key else store.path


def _known(store: Store, array: ZarrArray, where: str, error: type[BadData]) -> dict[str, object]:
    """Return what is known of an array's files, and refuse one that claims far more than is stored."""
    whole = array.sharding.shape if array.sharding else array.chunks
    last = tuple(max(0, -(-axis // size) - 1) for axis, size in zip(array.shape, whole, strict=True))
    corners = (tuple(0 for _ in last), tuple(number // 2 for number in last), last)
    known = store.known(array.name, error, samples=(array.metadata, *map(array.key, dict.fromkeys(corners))))
    claimed = math.prod(array.shape) * array.dtype.itemsize
    if claimed > SMALL and claimed > MOST_CLAIMED * int(str(known["size"])):
        raise error(
            f"{where}: declares {claimed} bytes but stores {known['size']}, so most of it was never written. Make the "
            "store again."
        )
    return known


def _cache(array: ZarrArray) -> int:
    """Return the bytes of one row of chunks, within bounds."""
    counts = [-(-axis // chunk) for axis, chunk in zip(array.shape[1:], array.chunks[1:], strict=True)]
    across: int = math.prod(counts) * math.prod(array.chunks) * array.dtype.itemsize
    return max(LEAST_CACHE, min(MOST_CACHE, across))


def describe_zarr(path: str | os.PathLike[str]) -> dict[str, object]:
    """List the arrays of a store in JSON types: name, shape, dtype, chunks and compression.

    Raises
    ------
    MissingInput, BadInput
    """
    with open_store(path, BadInput) as store:
        found = arrays_in(store, BadInput)
        size = store.known("", BadInput)["size"]
        store.close()
    return {"bytes": size, "datasets": [_described(array) for array in found.values()]}


def _described(array: ZarrArray) -> dict[str, object]:
    described: dict[str, object] = {"name": array.name, "shape": list(array.shape)}
    described["dtype"] = "string" if is_text(array.dtype) else str(array.dtype)
    described["chunks"] = list(array.chunks)
    if array.sharding is not None:
        described["shards"] = list(array.sharding.shape)
    if array.codecs:
        described["compression"] = ", ".join(codec.name for codec in array.codecs)
    return described
