"""Lays out the new file: the groups, attributes and small datasets of the old one, and empty datasets of states."""

from collections.abc import Mapping
from dataclasses import dataclass

import h5py
import numpy as np

from ...errors import BadStates
from ...errors.choices import Compression
from ...untrusted.hdf5 import datasets
from ...untrusted.hdf5_attributes import fixed_attributes, is_scale, text_of
from ..content import coordinates, groups_of
from ..format import DatasetSpec, Shape
from ..integrity import INTEGRITY, MEANING, MEANING_BY_VALUE, REST_BYTES
from ..layout import attach, contiguous, coordinate, make_places, write_text, write_texts
from .codecs import NONE, codec
from .cuts import chunks_of
from .entries import axes_in, changes_layout, entries_in, shape_in
from .finished import Finished

__all__ = ["NewFile", "lay_out_copy"]

ROWS_AT_ONCE = 65536
# Made again, because they depend on the layout.
OFFSETS = "offsets"


@dataclass(frozen=True, eq=False)
class NewFile:
    """What the new file is to be.

    Parameters
    ----------
    specs : tuple of DatasetSpec
        Its datasets of states.
    shape : Shape
        In its layout.
    compression : str
    root : mapping
        Root attributes that differ from those of the old one.
    """

    specs: tuple[DatasetSpec, ...]
    shape: Shape
    compression: Compression
    root: Mapping[str, str | int]

    @property
    def names(self) -> list[str]:
        """The names of the datasets of states."""
        return [spec.name for spec in self.specs]


def lay_out_copy(old: Finished, file: h5py.File, new: NewFile) -> None:
    """Write everything except states, sums and digests into an empty file, open for writing."""
    for name, value in new.root.items():
        if isinstance(value, str):
            write_text(file, name, value)
        else:
            file.attrs.create(name, value, dtype="<i8")
    others = _others(old)
    for path in sorted(groups_of([name for name, _ in others])):
        _copy_attributes(old.file[path or "/"], file.require_group(path or "/"))
    # The file tells what it is from here on, whatever ends the run.
    file.flush()
    for name, dataset in others:
        if changes_layout(name, old.shape, new.shape):
            _turn(dataset, file, name, old.shape, new.shape)
        elif name not in new.names and name != OFFSETS:
            _copy(dataset, file, name)
    if new.shape.layout == "packed":
        attach(file, file.create_dataset(OFFSETS, data=new.shape.offsets, dtype="<i8"), ("boundary",))
    for name, scale in coordinates(old.file, old.where):
        group_path, _, own = name.rpartition("/")
        coordinate(file.require_group(group_path or "/"), own, scale[()])
    for spec in new.specs:
        _make(file, spec, new.compression)
    _make_integrity(old, file, by_value=new.compression != NONE)


def _others(old: Finished) -> list[tuple[str, h5py.Dataset]]:
    found = datasets(old.file, old.where, BadStates)
    return [(name, one) for name, one in found if not is_scale(one) and not name.startswith(f"{INTEGRITY}/")]


def _copy_attributes(old: h5py.Group, new: h5py.Group) -> None:
    for name in fixed_attributes(old):
        if name not in new.attrs and not name.startswith("_"):
            _copy_attribute(old, new, name)


def _copy_attribute(old: h5py.Group | h5py.Dataset, new: h5py.Group | h5py.Dataset, name: str) -> None:
    """Copy an attribute with its type, which h5py's own strings would lose."""
    given = old.attrs.get_id(name)
    kind = given.get_type()
    made = h5py.h5a.create(new.id, name.encode("utf-8", "surrogateescape"), kind, given.get_space())
    value = np.empty(given.shape, given.dtype)
    given.read(value, mtype=kind)
    made.write(value, mtype=kind)


def _copy(old: h5py.Dataset, file: h5py.File, name: str) -> None:
    """Copy a small dataset, contiguous, block by block."""
    group_path, _, own = name.rpartition("/")
    group = file.require_group(group_path or "/")
    made = group.create_dataset(own, old.shape, old.dtype)
    axes = tuple(text_of(old, "axes").decode("utf-8", "replace").split())
    if len(axes) == old.ndim and axes:
        attach(group, made, axes)
    for attribute in fixed_attributes(old):
        if attribute not in made.attrs and not attribute.startswith("_"):
            _copy_attribute(old, made, attribute)
    if old.shape == ():
        made[()] = old[()]
        return
    for start in range(0, len(old), ROWS_AT_ONCE):
        block = old[start : start + ROWS_AT_ONCE]
        # With the type's own character set: HDF5 does not convert between ASCII and UTF-8.
        made[start : start + len(block)] = block.astype(old.dtype)


def _turn(dataset: h5py.Dataset, file: h5py.File, name: str, old: Shape, new: Shape) -> None:
    """Copy a dataset with an entry for each step into the new layout."""
    group_path, _, own = name.rpartition("/")
    group = file.require_group(group_path)
    made = group.create_dataset(own, shape_in(dataset, old, new), dataset.dtype)
    attach(group, made, axes_in(tuple(text_of(dataset, "axes").decode("utf-8", "replace").split()), old, new))
    for start, block in entries_in(dataset, old, new):
        if block.size:
            made[start : start + len(block)] = block.astype(dataset.dtype)


def _make(file: h5py.File, spec: DatasetSpec, compression: Compression) -> None:
    group_path, _, name = spec.name.rpartition("/")
    group = file.require_group(group_path or "/")
    if compression == NONE or 0 in spec.shape:
        made = contiguous(group, name, spec.shape, spec.dtype)
    else:
        shape, _ = chunks_of(spec)
        made = group.create_dataset(name, spec.shape, spec.dtype, chunks=shape, **codec(compression))
    attach(group, made, spec.dimensions)


def _make_integrity(old: Finished, file: h5py.File, *, by_value: bool) -> None:
    group = file.create_group(INTEGRITY)
    group.attrs.create("window_rows", old.window_rows, dtype="<i8")
    write_text(group, "meaning", MEANING_BY_VALUE if by_value else MEANING)
    write_texts(group, "datasets", [spec.name for spec in old.specs])
    sums = contiguous(group, "sums", old.sums.shape, np.dtype("<u8"))
    attach(group, sums, ("window", "dataset", "sum"))
    if by_value:
        attach(group, contiguous(group, "content", (REST_BYTES,), np.dtype("u1")), ("byte",))
        return
    attach(group, contiguous(group, "rest", (REST_BYTES,), np.dtype("u1")), ("byte",))
    make_places(group, len(old.specs))
