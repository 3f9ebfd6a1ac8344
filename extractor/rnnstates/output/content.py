"""The digest of what a states file holds beside the states, by value: it does not depend on how HDF5 stores it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ..errors import BadStates
from ..untrusted.hdf5 import check_dataset, datasets, find
from ..untrusted.hdf5_attributes import fixed_attributes, is_scale
from .format import FORMAT_VERSION
from .integrity import CONTENT, PLACES, REST, SUMS

__all__ = ["content_digest", "coordinates", "groups_of", "is_compressed", "is_moved"]

ROWS_AT_ONCE = 65536
CHECKSUMS = (SUMS, REST, CONTENT)


def content_digest(file: h5py.File, where: str, states: list[str]) -> str:
    """Digest names, attributes, shapes and types of everything in a file, and the values of all but the states.

    Parameters
    ----------
    file : h5py.File
    where : str
        For messages.
    states : list of str
        The datasets whose values do not count: they have sums.

    Returns
    -------
    str
        SHA-256, hexadecimal. What netCDF writes for itself, in attributes that begin with an underscore and in
        dimension scales without values of their own, does not count.
    """
    digest = hashlib.sha256()
    found, scales = _walked(file, where)
    for path in sorted(groups_of([*found, SUMS])):
        group = find(file, path, where, BadStates)
        if group is not None:
            digest.update(_encoded("group", path, _attributes(group)))
    for name, dataset in sorted(found.items()):
        about = [list(dataset.shape or ()), _kind(dataset.dtype), _attributes(dataset)]
        digest.update(_encoded("dataset", name, about))
        for block in [] if name in states else _blocks(dataset):
            digest.update(block)
    for name, scale in _with_values(scales, where):
        digest.update(_encoded("coordinate", name, [int(value) for value in scale[()]]))
    return digest.hexdigest()


def coordinates(file: h5py.File, where: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield the dimension scales that have values, the numbers of units, with their names in order."""
    yield from _with_values(_walked(file, where)[1], where)


def _walked(file: h5py.File, where: str) -> tuple[dict[str, h5py.Dataset], dict[str, h5py.Dataset]]:
    """Return the datasets whose names and shapes count, and the dimension scales, each by name."""
    counted: dict[str, h5py.Dataset] = {}
    scales: dict[str, h5py.Dataset] = {}
    for name, found in datasets(file, where, BadStates):
        if name not in CHECKSUMS:
            (scales if is_scale(found) else counted)[name] = found
    return counted, scales


def _with_values(scales: dict[str, h5py.Dataset], where: str) -> Iterator[tuple[str, h5py.Dataset]]:
    for name, found in sorted(scales.items()):
        if found.ndim == 1 and found.dtype.kind == "i":
            check_dataset(found, f"{where}: '{name}'", BadStates)
            yield name, found


def groups_of(names: list[str]) -> set[str]:
    """Return the paths of all groups that datasets lie in.

    Examples
    --------
    >>> sorted(groups_of(["lengths", "layer0/forward/cell"]))
    ['', 'layer0', 'layer0/forward']
    """
    return {"/".join(name.split("/")[:depth]) for name in names for depth in range(name.count("/") + 1)}


def is_moved(file: h5py.File, where: str, states: list[str]) -> bool:
    """Return whether another program has rewritten a file, so that its bytes say nothing.

    That is so if a dataset is not contiguous, or begins elsewhere than the file says.
    """
    offsets = []
    for name in (*states, SUMS):
        dataset = find(file, name, where, BadStates)
        if not isinstance(dataset, h5py.Dataset) or dataset.chunks is not None:
            return isinstance(dataset, h5py.Dataset)
        offsets.append(dataset.id.get_offset() or 0)
    places = find(file, PLACES, where, BadStates)
    if not isinstance(places, h5py.Dataset):
        return False
    return bool(places.shape != (len(states),) or places[()].tolist() != offsets[:-1])


def is_compressed(file: h5py.File, where: str, version: int) -> bool:
    """Return whether we wrote a file in compressed chunks: then it has no digest by bytes, and later versions only."""
    return version > FORMAT_VERSION and find(file, REST, where, BadStates) is None


def _encoded(*about: object) -> bytes:
    return json.dumps(about, sort_keys=True).encode() + b"\n"


def _attributes(attached: h5py.Group | h5py.Dataset) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for name in fixed_attributes(attached):
        if not name.startswith("_"):
            value = np.asarray(attached.attrs[name])
            found[name] = [list(value.shape), _kind(value.dtype), value.tobytes().hex()]
    return found


def _kind(dtype: "np.dtype[Any]") -> str:
    return dtype.newbyteorder("<").str


def _blocks(dataset: h5py.Dataset) -> Iterator[bytes]:
    if dataset.shape == ():
        yield np.asarray(dataset[()]).tobytes()
        return
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        yield np.asarray(dataset[start : start + ROWS_AT_ONCE]).tobytes()
