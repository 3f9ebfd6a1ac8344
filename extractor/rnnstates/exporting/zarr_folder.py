"""Writes ``.zarr``: a folder of arrays in chunks, format 2, which every reader of Zarr and xarray knows."""

import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import EngineUnavailable
from .content import Arrays, LazyArray
from .reading import boxes

__all__ = ["is_export", "write"]

# Of zarr, which is imported late.
Zarr: TypeAlias = Any

# Bytes of a chunk.
CHUNK = 4 * 2**20
# Where xarray looks for the names of axes.
AXES = "_ARRAY_DIMENSIONS"
MARK = "rnnstates_export"


def write(content: Arrays, path: Path) -> None:
    """Write every array, in groups as in the states file.

    Raises
    ------
    EngineUnavailable
        zarr is not installed.
    """
    zarr = _import()
    with warnings.catch_warnings():
        # Of zarr: that consolidated metadata is no part of a specification.
        warnings.simplefilter("ignore")
        group = zarr.open_group(str(path), mode="w", zarr_format=2)
        group.attrs.update({MARK: 1, "provenance": content.provenance})
        for array in (*content.arrays, *([content.ids.as_array()] if content.ids else [])):
            _write(group, array)
        zarr.consolidate_metadata(group.store, zarr_format=2)


def is_export(folder: Path) -> bool:
    """Return whether a folder was made by ``write``."""
    try:
        attributes = json.loads((folder / ".zattrs").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(attributes, dict) and MARK in attributes


def _write(group: Zarr, array: LazyArray) -> None:
    leading = array.shape[: array.leading]
    whole = list(boxes(leading, array.element_bytes, CHUNK))
    first = whole[0] if whole else (slice(0, 1),) * len(leading)
    chunks = [max(1, one.stop - one.start) for one in first] + [max(1, size) for size in array.shape[array.leading :]]
    made = group.create_array(
        array.name, shape=array.shape, dtype=array.dtype, chunks=tuple(chunks), attributes={AXES: list(array.axes)},
        # A fill value is what xarray takes for missing.
        fill_value=None, config={"write_empty_chunks": True},
    )  # fmt: skip
    for box in whole:
        made[box] = array.read(*box)


def _import() -> Zarr:
    try:
        return import_module("zarr")
    except ImportError as reason:
        raise EngineUnavailable(
            f"Zarr folders need zarr ({reason}); pip install 'rnnstates[zarr]' (from Python 3.11), or export to .npz."
        ) from reason
