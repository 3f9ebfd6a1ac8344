"""Lays out a states file: creates every dataset, dimension and attribute, and returns where each dataset's bytes begin.

All shapes are known before the first state is computed, so HDF5's metadata is written exactly once: the datasets are
contiguous, allocated early and never filled. Holes in a sparse file read as zero and use no disk.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays.axes import Names
from ..runtime.signals import signals_wait
from .carried import HasEntries, blocks_of, dimensions_of, path_of, shape_of
from .content import content_digest
from .format import FORMAT, INPUT_LENGTHS, DatasetSpec, Shape, version_of
from .integrity import CONTENT, INTEGRITY, MEANING, PLACES, REST, REST_BYTES, SUMS
from .kept.parts import EVERYTHING, HasParts, Kept, StoredParts, group_name
from .patient_file import PatientFile
from .system import System

__all__ = [
    "Contents", "Ids", "attach", "contiguous", "encoded", "lay_out", "make_places", "write_places", "write_text",
    "write_texts",
]  # fmt: skip

# What netCDF writes as the name of a dimension without values of its own.
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable. {:>9d}"
# Dimensions of the whole file; those of units belong to a layer, those of checksums to their own group.
SHARED = ("sequence", "time", "step", "boundary")
ROWS_AT_ONCE = 65536


class Ids(Protocol):
    """The names of the sequences, from any source: int64 or fixed-width UTF-8 bytes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """``int64`` or ``S<k>``."""

    @property
    def ascii(self) -> bool:
        """Whether all are ASCII."""

    def blocks(self, rows: int) -> Iterator[tuple[int, Names]]:
        """Yield (first row, array of at most ``rows``) from the first to the last."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a states file holds besides the states.

    Parameters
    ----------
    specs : tuple of DatasetSpec
    shape : Shape
    network : HasParts
    ids : Ids or None
    provenance : mapping
        How it was made, in JSON types; other types are converted by ``str``.
    window_rows : int
        Number of sequences in a window, the unit of the sums.
    kept : Kept
        What is stored of the network.
    carried : tuple of HasEntries
        What is copied from the input.
    """

    specs: tuple[DatasetSpec, ...]
    shape: Shape
    network: HasParts
    ids: Ids | None
    provenance: Mapping[str, Any]
    window_rows: int
    kept: Kept = EVERYTHING
    carried: tuple[HasEntries, ...] = ()

    @property
    def stored(self) -> StoredParts:
        """The parts whose states are stored."""
        return StoredParts(self.network, self.kept)

    @property
    def version(self) -> int:
        """The version of the format."""
        return version_of(self.kept, self.shape.kept, self.specs)

    @property
    def windows(self) -> int:
        """The number of windows."""
        return -(-self.shape.sequences // self.window_rows)


def lay_out(system: System, descriptor: int, contents: Contents) -> dict[str, int]:
    """Write everything except states and sums into an empty file.

    Parameters
    ----------
    system : System
    descriptor : int
        Of an empty file that we made, open for reading and writing.
    contents : Contents

    Returns
    -------
    dict
        Position of each dataset's first byte by name, including those of the checksums; 0 for one without bytes.

    Raises
    ------
    OSError
        The disk is full or failing.
    """
    disk = PatientFile(system, descriptor)
    try:
        with signals_wait():
            return _lay_out(disk, contents)
    finally:
        # Raise what went wrong first, not HDF5's consequent error.
        disk.leave()


def encoded(provenance: Mapping[str, Any]) -> str:
    """Encode provenance as one JSON object."""
    text = json.dumps(provenance, sort_keys=True, ensure_ascii=False, default=str)
    # A file name that is not UTF-8: Python keeps its bytes as lone surrogates, which UTF-8 cannot encode.
    return re.sub("[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", text)


def _lay_out(disk: PatientFile, contents: Contents) -> dict[str, int]:
    with h5py.File(disk, "w") as file:
        _write_attributes(file, contents)
        _write_small_datasets(file, contents)
        made = {spec.name: _create(file, spec) for spec in contents.specs}
        made |= _make_integrity(file, contents)
        file.flush()
        offsets = {name: dataset.id.get_offset() or 0 for name, dataset in made.items()}
        write_places(file, [spec.name for spec in contents.specs])
        return offsets


def _make_integrity(file: h5py.File, contents: Contents) -> dict[str, h5py.Dataset]:
    """Create the datasets for the sums of each window and the digest of all the rest."""
    group = file.create_group(INTEGRITY)
    group.attrs.create("window_rows", contents.window_rows, dtype="<i8")
    write_text(group, "meaning", MEANING)
    write_texts(group, "datasets", [spec.name for spec in contents.specs])
    sums = contiguous(group, "sums", (contents.windows, len(contents.specs), 2), np.dtype("<u8"))
    rest = contiguous(group, "rest", (REST_BYTES,), np.dtype("u1"))
    attach(group, sums, ("window", "dataset", "sum"))
    attach(group, rest, ("byte",))
    make_places(group, len(contents.specs))
    return {SUMS: sums, REST: rest}


def make_places(group: h5py.Group, count: int) -> None:
    """Create the datasets for the places of a number of datasets, and for the digest by value."""
    attach(group, contiguous(group, "places", (count,), np.dtype("<i8")), ("dataset",))
    attach(group, contiguous(group, "content", (REST_BYTES,), np.dtype("u1")), ("byte",))


def write_places(file: h5py.File, states: list[str]) -> None:
    """Write where the datasets of states begin, then the digest of everything else by value."""
    if states:
        file[PLACES][...] = [file[name].id.get_offset() or 0 for name in states]
    digest = content_digest(file, file.filename, states)
    file[CONTENT][...] = np.frombuffer(bytes.fromhex(digest), np.uint8)
    file.flush()


def _write_attributes(file: h5py.File, contents: Contents) -> None:
    write_text(file, "format", FORMAT)
    file.attrs.create("format_version", contents.version, dtype="<i8")
    write_text(file, "layout", contents.shape.layout)
    write_text(file, "padding", contents.shape.padding)
    write_text(file, "provenance", encoded(contents.provenance))
    for name, steps in contents.shape.kept.named().items():
        file.attrs.create(name, steps, dtype="<i8")
    parts, stored = list(contents.stored.parts()), {spec.part for spec in contents.specs}
    others = [part for part in contents.stored.others() if part[0] in stored]
    write_texts(file, "layers", [group_name(part) for part, *_ in parts])
    for part, layer, direction, weights in (*parts, *others):
        group = file.require_group(group_name(part))
        described: Mapping[str, str] = {"cell_type": weights.cell, "direction": direction, "layer_name": layer.name}
        for name, value in described.items():
            write_text(group, name, value)
        group.attrs.create("units", weights.units, dtype="<i8")


def _write_small_datasets(file: h5py.File, contents: Contents) -> None:
    _small(file, "lengths", contents.shape.stored_lengths, "sequence")
    if not contents.shape.kept.all:
        _small(file, INPUT_LENGTHS, contents.shape.lengths, "sequence")
    if contents.shape.layout == "packed":
        _small(file, "offsets", contents.shape.offsets, "boundary")
    for carried in contents.carried:
        _copy(file, carried, contents.shape)
    if contents.ids is None:
        return
    stored = _type_of(contents.ids)
    dataset = file.create_dataset("ids", (contents.shape.sequences,), stored)
    attach(file, dataset, ("sequence",))
    for start, block in contents.ids.blocks(ROWS_AT_ONCE):
        # With the type's own character set: HDF5 does not convert between ASCII and UTF-8.
        dataset[start : start + len(block)] = block.astype(stored)


def _copy(file: h5py.File, carried: HasEntries, shape: Shape) -> None:
    group_name, _, name = path_of(carried).rpartition("/")
    group = file.require_group(group_name)
    stored = _type_of(carried)
    dataset = group.create_dataset(name, shape_of(carried, shape), stored)
    attach(group, dataset, dimensions_of(carried, shape))
    for start, block in blocks_of(carried, shape):
        if block.size:
            dataset[start : start + len(block)] = block.astype(stored)


def _type_of(ids: "Ids | HasEntries") -> "np.dtype[Any]":
    """Choose the type of stored text: ASCII if possible, because GNU Octave reads no other strings."""
    if ids.dtype.kind != "S":
        return ids.dtype.newbyteorder("<")
    stored: np.dtype[Any] = h5py.string_dtype("ascii" if ids.ascii else "utf-8", ids.dtype.itemsize)
    return stored


def _small(file: h5py.File, name: str, values: Annotated[npt.NDArray[np.int64], "_"], dimension: str) -> None:
    dataset = file.create_dataset(name, data=values, dtype="<i8")
    attach(file, dataset, (dimension,))


def _create(file: h5py.File, spec: DatasetSpec) -> h5py.Dataset:
    group_path, _, name = spec.name.rpartition("/")
    group = file[group_path or "/"]
    if spec.units is not None and spec.dimensions[-1] not in group:
        coordinate(group, spec.dimensions[-1], spec.units)
    dataset = contiguous(group, name, spec.shape, spec.dtype)
    attach(group, dataset, spec.dimensions)
    return dataset


def coordinate(group: h5py.Group, name: str, values: Sequence[int] | Annotated[npt.NDArray[np.int64], "_"]) -> None:
    """Create a dimension whose entries have numbers, as netCDF writes it."""
    scale = group.create_dataset(name, data=np.array(values, "<i8"), track_times=False)
    scale.make_scale(name)


def contiguous(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> h5py.Dataset:
    """Create a dataset that is allocated at once and not filled."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(dtype, logical=True)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, properties))


def attach(group: h5py.Group, dataset: h5py.Dataset, dimensions: tuple[str, ...]) -> None:
    """Name the axes: dimensions of the whole file are at the root, all others in their group."""
    write_text(dataset, "axes", " ".join(dimensions))
    for axis, (name, size) in enumerate(zip(dimensions, dataset.shape, strict=True)):
        owner = group.file if name in SHARED else group
        if name not in owner:
            scale = owner.create_dataset(name, (size,), ">f4", track_times=False)
            scale.make_scale(NO_VARIABLE.format(size))
        dataset.dims[axis].attach_scale(owner[name])


def write_text(target: h5py.Group, name: str, value: str) -> None:
    """Write one text."""
    write_texts(target, name, value)


def write_texts(target: h5py.Group, name: str, value: "str | list[str]") -> None:
    """Write fixed-length UTF-8, the only kind of string that all readers of HDF5 understand."""
    encoded = np.array([text.encode() for text in ([value] if isinstance(value, str) else value)])
    data = encoded[0] if isinstance(value, str) else encoded
    target.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, encoded.dtype.itemsize)))
