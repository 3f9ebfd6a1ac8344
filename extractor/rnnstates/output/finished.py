"""Checks every byte of a finished output against its checksums, for ``if_exists="skip"``."""

import os
from functools import partial as fixed
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadStates
from ..untrusted.hdf5 import check_dataset, find
from ..untrusted.hdf5_attributes import fixed_attributes
from .format import DatasetSpec
from .integrity import INTEGRITY, REST, REST_BYTES, SUMS, Read, digest_rest, window_slice, window_sums
from .layout import Contents
from .states import States

__all__ = ["damage", "damage_by_value"]


def damage(file: h5py.File, contents: Contents) -> list[str]:
    """Compare every byte of a finished file with its checksums.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    contents : Contents
        What the job would write.

    Returns
    -------
    list of str
        What is missing, has the wrong form, or has changed since it was written; empty for an intact file.
    """
    where = file.filename
    group = find(file, INTEGRITY, where, BadStates)
    if not isinstance(group, h5py.Group):
        return ["there are no checksums"]
    sums = _dataset(group, "sums", (contents.windows, len(contents.specs), 2), np.dtype("<u8"))
    rest = _dataset(group, "rest", (REST_BYTES,), np.dtype("u1"))
    datasets = [_dataset(file, spec.name, spec.shape, spec.dtype) for spec in contents.specs]
    names = [*(spec.name for spec in contents.specs), SUMS, REST]
    found = [*datasets, sums, rest]
    if missing := [name for name, dataset in zip(names, found, strict=True) if dataset is None]:
        return [f"dataset '{name}' is missing or has the wrong form" for name in missing]
    if "window_rows" not in fixed_attributes(group) or group.attrs["window_rows"] != contents.window_rows:
        return ["its checksums are of different windows"]
    places = [(dataset.id.get_offset() or 0, dataset.nbytes) for dataset in found]
    with Path(where).open("rb") as raw:
        read = fixed(_read, raw.fileno())
        wrong = [
            f"'{spec.name}' is not as it was written"
            for number, (spec, (offset, _)) in enumerate(zip(contents.specs, places, strict=False))
            if not _as_written(read, offset, spec, contents, sums[:, number])
        ]
        if digest_rest(read, os.fstat(raw.fileno()).st_size, places) != rest[()].tobytes().hex():
            wrong.append("something outside the states is not as it was written")
    return wrong


def damage_by_value(file: h5py.File, states: States, contents: Contents) -> list[str]:
    """Compare every value of a compressed file with its checksums; otherwise like ``damage``.

    Parameters
    ----------
    file : h5py.File
    states : States
        The same file.
    contents : Contents
    """
    # Few runs need it.
    from .repacking import read_finished

    old = read_finished(file, states, file.filename, contents.specs)
    if old.window_rows != contents.window_rows:
        return ["its checksums are of different windows"]
    wrong = [
        f"'{spec.name}' is not as it was written"
        for number, spec in enumerate(old.specs)
        if next(old.damaged(number), None) is not None
    ]
    return wrong if old.has_rest() else [*wrong, "something outside the states is not as it was written"]


def _dataset(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Any:
    """Find a contiguous dataset of this shape and dtype; None if there is none."""
    found = find(group, name, group.file.filename, BadStates)
    if not isinstance(found, h5py.Dataset) or found.shape != shape or found.dtype != dtype:
        return None
    check_dataset(found, f"'{name}'", BadStates)
    return found if found.id.get_offset() is not None or not found.nbytes else None


def _as_written(
    read: Read,
    offset: int,
    spec: DatasetSpec,
    contents: Contents,
    stored: Annotated[npt.NDArray[np.uint64], "windows 2"],
) -> bool:
    for window, expected in enumerate(stored.tolist()):
        rows = contents.shape.rows_of(spec, window_slice(contents.shape, window, contents.window_rows))
        if window_sums(read, offset, spec, rows) != tuple(expected):
            return False
    return True


def _read(descriptor: int, count: int, position: int) -> bytes:
    return os.pread(descriptor, count, position)
