"""Opens sequences that an HDF5 file stores one by one: a dataset for each in one group, or arrays of varying length."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..arrays.axes import AllLengths, empty_window
from ..errors import BadInput, OptionError
from ..untrusted.hdf5 import datasets, find, open_hdf5, reading
from ..untrusted.hdf5_heaps import check_strings, varying_lengths
from ..untrusted.hdf5_inflated import InflatedChunks
from ..untrusted.hdf5_packing import CHANGING, Packing, packing_of
from ..untrusted.missing import open_file
from .axes import NUMBERS, TOKENS
from .base import Source
from .form import ONE, ONE_OF_NUMBERS, PADDED, Form
from .hdf5 import Hdf5Container, Hdf5Source, checked
from .hdf5_choice import DEFAULT, OTHER, VARYING, describe_dtype
from .identity import check_unchanged, sample_file
from .layout import ACCEPTED, KINDS, is_numeric
from .ragged import RaggedSource, Row
from .writers import doubt_in

__all__ = ["open_group", "open_in_hdf5", "open_varying"]

# The order of axes in which each sequence may be stored; the last one turns it round.
PLAIN, TURNED = (None, NUMBERS, TOKENS, ONE, ONE_OF_NUMBERS), "IT"
# Bytes of decompressed chunks to keep, for the sequence that is read.
CACHE = 2**20


class Member(NamedTuple):
    """One sequence: its name in the group, its shape [steps, ...] or turned round, the dtype of its values."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class OpenFile:
    """An open HDF5 file that sequences are read from; see ``ragged.Rows``."""

    def __init__(self, file: h5py.File, name: str, sample: dict[str, object]) -> None:
        self.file, self.name, self._sample = file, name, sample

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        check_unchanged(self.file.id.get_vfd_handle(), self._sample, self.name, sampled=True)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self.file.close()


class GroupRows(OpenFile):
    """The datasets of a group, opened when they are read: a file may have tens of thousands."""

    def __init__(self, file: h5py.File, name: str, sample: dict[str, object], group: h5py.Group) -> None:
        super().__init__(file, name, sample)
        self._group = group
        self.names: list[str] = []
        self.is_turned = False
        self._open: tuple[int, h5py.Dataset, Packing | None, InflatedChunks | None] | None = None

    def read(self, row: int, steps: slice) -> Row:
        """Return some steps of a sequence, decoded."""
        if self._open is None or self._open[0] != row:
            self._open = self._opened(row)
        _, dataset, packing, inflated = self._open
        count = dataset.shape[-1 if self.is_turned else 0]
        wanted = slice(min(steps.start, count), min(steps.stop, count))
        place = (wanted, *(slice(0, size) for size in dataset.shape[1:]))
        if self.is_turned:
            place = (slice(0, dataset.shape[0]), wanted)
        block = empty_window(tuple(part.stop - part.start for part in place), dataset.dtype)
        with reading(f"{self.name}, '{self.names[row]}'", BadInput):
            if block.size and inflated is not None:
                inflated.read_into(block, place)
            elif block.size:
                dataset.read_direct(block, place)
        block = block.astype(block.dtype.newbyteorder("="), copy=False)
        values = block if packing is None else packing.decode(block)
        return values.T if self.is_turned else values

    def _opened(self, row: int) -> tuple[int, h5py.Dataset, Packing | None, InflatedChunks | None]:
        name = self.names[row]
        where = f"{self.name}, '{name}'"
        with reading(where, BadInput):
            dataset = self._group[name]
            packing = packing_of(dataset, where, BadInput)
            inflated = InflatedChunks(dataset, where, CACHE) if InflatedChunks.can_read(dataset) else None
        return row, dataset, packing, inflated


class VaryingRows(OpenFile):
    """A dataset of arrays of varying length; each is read whole, because HDF5 reads no part of one."""

    def __init__(
        self, file: h5py.File, name: str, sample: dict[str, object], dataset: h5py.Dataset, lengths: AllLengths
    ) -> None:
        super().__init__(file, name, sample)
        self._dataset, self._lengths = dataset, lengths
        self._open: tuple[int, Row] | None = None

    def read(self, row: int, steps: slice) -> Row:
        """Return some steps of a sequence."""
        if self._open is None or self._open[0] != row:
            with reading(f"{self.name}, row {row}", BadInput):
                values = np.asarray(self._dataset[row])
            # HDF5 reads nothing where the place of the values is lost.
            if len(values) != self._lengths[row]:
                raise BadInput(
                    f"{self.name}: row {row} declares {self._lengths[row]} steps, but HDF5 finds {len(values)}; the "
                    "file is damaged, make it again."
                )
            self._open = row, values
        return self._open[1][steps]


def open_group(file: h5py.File, path: str, key: str, form: Form, sample: dict[str, object]) -> RaggedSource:
    """Open a group with one dataset per sequence, in the order of their names or of their creation, as the file says.

    Parameters
    ----------
    file : h5py.File
        Closed with the source.
    path : str
    key : str
        The path of the group; "" for the root.
    form : Form
        The datasets are [steps, features], or [steps] with ``tokens`` or one feature.
    sample : mapping
        The result of ``sample_file``.

    Raises
    ------
    BadInput
        The group has no datasets, or others than such sequences.
    OptionError
        ``form.axes`` is no order of the axes of one sequence.
    """
    group = file[key or "/"]
    rows = GroupRows(file, f"{path}: group '{key or '/'}'", sample, group)
    rows.is_turned = _is_turned(form, rows.name)
    members = [member for member in _members(group, path, rows.name) if member.name not in OTHER]
    if not members:
        raise BadInput(f"{rows.name}: has no datasets; expected one per sequence. Name another with dataset=.")
    rows.names = [member.name for member in members]
    shapes = [member.shape[::-1] if rows.is_turned else member.shape for member in members]
    features = _features(members, shapes, form, rows.name)
    lengths = np.array([shape[0] for shape in shapes], np.int64)
    dtype = np.result_type(*{member.dtype for member in members}).newbyteorder("=")
    source = _source(rows, lengths, features, dtype, form, path=path, key=key, axes=len(shapes[0]))
    source.own_ids = rows.names
    if len(shapes[0]) > 1 and form.axes is None:
        source.doubt = doubt_in(group[rows.names[0]], ONE, rows.name)
    return source


def open_varying(file: h5py.File, path: str, key: str, form: Form, sample: dict[str, object]) -> RaggedSource:
    """Open a dataset of arrays of varying length: one feature per step, or token ids.

    Raises
    ------
    BadInput
        Its axes or values are others, or its file is damaged.
    """
    dataset = file[key]
    where = f"{path}: dataset '{key}'"
    base = h5py.check_vlen_dtype(dataset.dtype)
    if len(dataset.shape) != 1:
        raise BadInput(
            f"{where}: arrays of varying length of shape {dataset.shape}; expected one per sequence. Reshape it."
        )
    checked(dataset, where, BadInput)
    if named := [name for name in CHANGING if name in dataset.attrs]:
        raise BadInput(
            f"{where}: its attribute {', '.join(named)} changes what the values mean; expected plain numbers in arrays "
            "of varying length. Save the decoded numbers."
        )
    check_strings(dataset, where, BadInput)
    lengths = varying_lengths(dataset, where, BadInput)
    rows = VaryingRows(file, where, sample, dataset, lengths)
    member = Member(key, (0,), np.dtype(base))
    features = _features([member], [(0,)], form, rows.name)
    return _source(rows, lengths, features, member.dtype.newbyteorder("="), form, path=path, key=key, axes=1)


def _source(
    rows: GroupRows | VaryingRows, lengths: AllLengths, features: int | None, dtype: np.dtype[Any], form: Form, *,
    path: str, key: str, axes: int,
) -> RaggedSource:  # fmt: skip
    known: dict[str, Any] = {"kind": "hdf5", "path": path, "dataset": key or "/", **rows._sample}
    if axes == 1 and features is not None:
        known["univariate"] = True
    if form.axes == TURNED:
        known["axes"] = TURNED
    source = RaggedSource(rows, lengths, features, dtype, rows.name, known)
    around = key.split("/") if isinstance(rows, GroupRows) else key.split("/")[:-1]
    source.container = Hdf5Container(rows.file, path, tuple(filter(None, around)))
    return source


def _is_turned(form: Form, where: str) -> bool:
    axes = form.axes if form.axes is None else form.axes.upper()
    if axes not in (*PLAIN, TURNED):
        raise OptionError(f'{where}: axes="{form.axes}"; expected "TI" or "IT", the axes of each sequence.')
    return axes == TURNED


def _members(group: h5py.Group, path: str, where: str) -> list[Member]:
    found = []
    for name, dataset in datasets(group, path, BadInput, refuse_links=True):
        if "/" in name:
            raise BadInput(
                f"{where}: has groups ('{name}'); expected one dataset per sequence. Name one with dataset=."
            )
        checked(dataset, f"{where}, '{name}'", BadInput)
        packing = packing_of(dataset, f"{where}, '{name}'", BadInput) if is_numeric(dataset.dtype) else None
        dtype = dataset.dtype if packing is None else packing.dtype(dataset.dtype)
        found.append(Member(name, tuple(dataset.shape), dtype))
    return found


def _turning(shapes: Sequence[tuple[int, ...]]) -> str:
    """Suggest the other order of axes if only the first one is the same for all."""
    is_turned = {len(shape) for shape in shapes} == {2} and len({shape[0] for shape in shapes}) == 1
    return ' axes="IT" reads (features, steps).' if is_turned else ""


def _features(members: Sequence[Member], shapes: Sequence[tuple[int, ...]], form: Form, where: str) -> int | None:
    """Return the features of a step, None for token ids, after checking that all sequences agree."""
    first = members[0]
    for member, shape in zip(members, shapes, strict=True):
        here = f"{where}, '{member.name}'" if len(members) > 1 else where
        if not is_numeric(member.dtype) and member.dtype.kind != "b":
            kind = KINDS.get(member.dtype.kind, "no numbers")
            raise BadInput(f"{here}: dtype {member.dtype} ({kind}); expected {ACCEPTED}. Convert it with .astype.")
        if len(shape) not in (1, 2):
            raise BadInput(
                f"{here}: shape {shape}; expected (steps, features), or (steps,), because a group has one dataset per "
                "sequence. Name one of its datasets to read that alone (dataset=)."
            )
        if len(shape) != len(shapes[0]) or shape[1:] != shapes[0][1:]:
            raise BadInput(
                f"{here}: shape {shape}, but '{first.name}' has shape {shapes[0]}; expected sequences of "
                f"one width. Give them as many features each.{_turning(shapes)}"
            )
    if len(shapes[0]) > 1:
        if not shapes[0][1]:
            raise BadInput(f"{where}: has 0 features per step; expected at least 1.")
        return shapes[0][1]
    if form.tokens and not form.univariate:
        return None
    if form.univariate or (form.features == 1 and first.dtype.kind == "f"):
        return 1
    raise BadInput(
        f"{where}: has one number per step; expected (steps, features). univariate=True reads one feature per step, "
        "weights with an embedding (weights=) read token ids."
    )


def open_in_hdf5(path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> Source:
    """Open sequences of an HDF5 file: one array, a group with one dataset per sequence, or arrays of varying length.

    Raises
    ------
    MissingInput, BadInput, OptionError
    """
    opened = _series(path, DEFAULT if dataset is None else dataset, form)
    return Hdf5Source(path, dataset=dataset, form=form) if opened is None else opened


def _series(path: str | os.PathLike[str], name: str, form: Form) -> RaggedSource | None:
    """Open sequences that are stored one by one; None if they are not, or nothing has this name."""
    with open_file(path, "an HDF5 file") as raw:
        sample = sample_file(raw)
    file, opened, key = open_hdf5(path, BadInput), None, name.strip("/")
    try:
        with reading(str(path), BadInput):
            found = find(file, name, str(path), BadInput)
            if isinstance(found, h5py.Group):
                opened = open_group(file, str(path), key, form, sample)
            elif found is not None and describe_dtype(found) == VARYING:
                opened = open_varying(file, str(path), key, form, sample)
    finally:
        if opened is None:
            file.close()
    return opened
