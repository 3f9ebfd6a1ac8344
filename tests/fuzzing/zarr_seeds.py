"""Small Zarr stores for fuzzing, as packed folders and as zip archives."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from .forms import FORMS, pack
from .seeds import FEATURES, values

__all__ = ["folders", "zips"]


def folders():
    """Stores in folders: both formats, compressed and not, in shards, with lengths and ids."""
    return [pack(parts) for parts in _stores()]


def zips():
    """The same in archives."""
    return [FORMS["zip"].join(parts) for parts in _stores()]


def _stores():
    zarr = pytest.importorskip("zarr", minversion="3")
    checked = {"compressors": [zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()]}
    ways = ((2, {}), (2, {"compressors": None, "order": "F"}), (3, checked), (3, {"shards": (4, 4, 2)}))
    for form, options in ways:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            # Of zarr: what no specification contains.
            warnings.simplefilter("ignore")
            group = zarr.open_group(folder, mode="w", zarr_format=form)
            made = group.create_array("inputs", shape=(2, 3, FEATURES), chunks=(2, 2, 2), dtype="f4", **options)
            made[:] = values(2, 3, FEATURES)
            made.attrs["_FillValue"] = -1.0
            group.create_array("lengths", data=np.array([3, 2]))
            ids = group.create_array("ids", shape=(2,), dtype=str if form == 3 else "S2")
            ids[:] = np.array(["a", "bc"])
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            yield {str(path.relative_to(folder)): path.read_bytes() for path in files}
