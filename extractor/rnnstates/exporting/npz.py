"""Writes ``.npz``: arrays by name, uncompressed, with the ids and the provenance as texts."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

from .content import Arrays, LazyArray
from .npy import write_array

__all__ = ["write"]


def write(content: Arrays, path: Path) -> None:
    """Write every array as a member ``NAME.npy`` of a zip file."""
    with ZipFile(path, "w") as archive:
        for array in _arrays(content):
            with archive.open(ZipInfo(f"{array.name}.npy"), "w", force_zip64=True) as member:
                write_array(member, array)  # type: ignore[arg-type]


def _arrays(content: Arrays) -> Iterator[LazyArray]:
    yield from content.arrays
    if content.ids:
        yield content.ids.as_array()
    if content.provenance:
        text = np.array([content.provenance])
        # One text without axes.
        yield LazyArray("provenance", (), text.dtype.newbyteorder("<"), (), 0, lambda: text)
