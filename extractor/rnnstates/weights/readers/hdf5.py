"""Reads weights in HDF5, such as Keras' .weights.h5 and .h5."""

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights
from ...untrusted.hdf5 import check_dataset, datasets, find, is_hdf5, open_hdf5, reading
from ...untrusted.hdf5_attributes import plain_attributes
from ...untrusted.hdf5_chunks import check_inflated
from ...untrusted.hdf5_heaps import check_heaps
from ...untrusted.hdf5_packing import whole_numbers
from .base import MOST_TENSORS, Container, Tensor, as_floating, from_bfloat16

__all__ = ["from_hdf5", "open_hdf5_weights", "recognise_hdf5"]

# Filters built into HDF5; any other would load a plug-in.
KNOWN_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
# Per object: Keras writes at most ten per group, and layer names, of which the largest models have some thousands.
MOST_ATTRIBUTES, MOST_VALUES = 10_000, 100_000


def recognise_hdf5(path: str) -> bool:
    """Return whether a file is HDF5."""
    return is_hdf5(path)


@contextlib.contextmanager
def open_hdf5_weights(path: str) -> Iterator[Container]:
    """Open an HDF5 file of weights.

    Raises
    ------
    MissingInput, BadWeights
    """
    with open_hdf5(path, BadWeights) as file, Path(path).open("rb") as raw:
        yield from_hdf5(file, raw, path, "HDF5")


def from_hdf5(
    file: h5py.File, raw: BinaryIO, path: str, kind: str, documents: Mapping[str, Any] | None = None
) -> Container:
    """Return the container of an opened file; ``raw`` gives access to its bytes.

    Raises
    ------
    BadWeights
        The file is damaged, or has more objects than any honest one.
    """
    check_heaps(raw, path, BadWeights)
    with reading(path, BadWeights):
        found = datasets(file, path, BadWeights, refuse_links=True)
        tensors = {name: _tensor(name, dataset, path) for name, dataset in itertools.islice(found, MOST_TENSORS + 1)}
    return Container(path, kind, tensors, lambda group: _attributes(file, group, path), documents or {})


def _tensor(name: str, dataset: h5py.Dataset, path: str) -> Tensor:
    return Tensor(name, tuple(dataset.shape or ()), lambda: _read(dataset, f"{path}: '{name}'"))


def _read(dataset: h5py.Dataset, where: str) -> Array:
    with reading(where, BadWeights):
        _check(dataset, where)
        half = _plain_attributes(dataset, where).get("dtype") == "bfloat16" and dataset.dtype.itemsize == 2
        # Before reading: variable-length elements may be far larger than declared.
        if dataset.shape is None or not (half or dataset.dtype.kind == "f"):
            raise BadWeights(f"{where}: has dtype {dataset.dtype}; expected a floating-point type.")
        check_inflated(dataset, where, BadWeights)
        values: Array = dataset[()]
        if half:
            return from_bfloat16(values)
        if (packing := whole_numbers(dataset, where, BadWeights)) is not None:
            packing.check_present(values, where, BadWeights)
    return as_floating(values, where)


def _check(dataset: h5py.Dataset, where: str) -> None:
    if dataset.is_virtual:
        raise BadWeights(f"{where}: a virtual dataset, whose values are elsewhere; copy them into one file (h5repack).")
    foreign = set(_filters(dataset)) - KNOWN_FILTERS
    if foreign:
        raise BadWeights(
            f"{where}: is stored with HDF5 filter {min(foreign)}; expected none, gzip, shuffle or fletcher32. Save the "
            "model again."
        )
    check_dataset(dataset, where, BadWeights)
    if dataset.size and dataset.id.get_storage_size() == 0:
        raise BadWeights(f"{where}: its values, {dataset.shape}, were never written; save the model again.")


def _filters(dataset: h5py.Dataset) -> list[int]:
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]


def _attributes(file: h5py.File, group: str, path: str) -> dict[str, Any]:
    with reading(f"{path}: attributes of '{group}'", BadWeights):
        found = find(file, group, path, BadWeights)
        return {} if found is None else _plain_attributes(found, f"{path}: '{group}'")


def _plain_attributes(attached: h5py.Group | h5py.Dataset, where: str) -> dict[str, Any]:
    """Read the string and number attributes of an object."""
    if len(attached.attrs) > MOST_ATTRIBUTES:
        raise BadWeights(
            f"{where}: has {len(attached.attrs):,} attributes; expected at most {MOST_ATTRIBUTES:,}. Save the "
            "recurrent layers alone."
        )
    names = plain_attributes(attached)
    for name in names:
        count = math.prod(attached.attrs.get_id(name).shape or ())
        if count > MOST_VALUES:
            raise BadWeights(
                f"{where}: its attribute '{name[:80]}' has {count:,} values; expected at most {MOST_VALUES:,}. Save "
                "the model again without it."
            )
    return {name: _plain(attached.attrs[name]) for name in names}


def _plain(value: object) -> Any:
    """Convert HDF5's strings and numbers to Python's."""
    if isinstance(value, np.ndarray):
        return [_plain(element) for element in value.ravel().tolist()]
    if isinstance(value, str):
        # h5py returns bytes that are not UTF-8 as lone surrogates, which cannot be printed.
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value
