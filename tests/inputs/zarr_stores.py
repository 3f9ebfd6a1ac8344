"""Zarr stores in every way that they may be written, for the tests."""

import contextlib
import tracemalloc
import warnings

import numpy as np
import pytest

from .stored import open_

zarr = pytest.importorskip("zarr", minversion="3")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
xarray = pytest.importorskip("xarray")
google_crc32c = pytest.importorskip("google_crc32c")


IDS = ["a", "é", "cc", "d", "e"]
# How a store may be written: format, and arguments of create_array.
WAYS = {
    "2": (2, {}),
    "2, not compressed": (2, {"compressors": None}),
    "2, blosc": (2, {"compressors": numcodecs.Blosc()}),
    "2, zstd": (2, {"compressors": numcodecs.Zstd()}),
    "2, lz4": (2, {"compressors": numcodecs.LZ4()}),
    "2, zlib": (2, {"compressors": numcodecs.Zlib()}),
    "2, gzip": (2, {"compressors": numcodecs.GZip()}),
    "2, bz2": (2, {"compressors": numcodecs.BZ2()}),
    "2, lzma": (2, {"compressors": numcodecs.LZMA()}),
    "2, shuffle": (2, {"filters": [numcodecs.Shuffle(4)]}),
    "2, Fortran": (2, {"order": "F"}),
    "2, folders": (2, {"chunk_key_encoding": {"name": "v2", "separator": "/"}}),
    "3": (3, {}),
    "3, not compressed": (3, {"compressors": None}),
    "3, zstd with a checksum": (3, {"compressors": codecs.ZstdCodec(checksum=True)}),
    "3, gzip": (3, {"compressors": codecs.GzipCodec()}),
    "3, blosc": (3, {"compressors": codecs.BloscCodec(cname="lz4")}),
    "3, crc32c": (3, {"compressors": [codecs.GzipCodec(), codecs.Crc32cCodec()]}),
    "3, crc32c first": (3, {"compressors": [codecs.Crc32cCodec(), codecs.ZstdCodec()]}),
    "3, transposed": (3, {"filters": [codecs.TransposeCodec(order=(2, 0, 1))]}),
    "3, transposed twice": (3, {"filters": [codecs.TransposeCodec(order=order) for order in [(2, 0, 1), (0, 2, 1)]]}),
    "3, shards": (3, {"shards": (4, 8, 4)}),
    "3, names with dots": (3, {"chunk_key_encoding": {"name": "default", "separator": "."}}),
    "3, names of format 2": (3, {"chunk_key_encoding": {"name": "v2", "separator": "."}}),
}
KINDS = ["folder", "zip"]


def store_of(folder, arrays, way="3", *, kind="folder", chunks=None, **more):
    """Write a store of arrays; the options of a way count for the first one only."""
    path = folder / ("x.zarr" if kind == "folder" else "x.zarr.zip")
    form, options = WAYS[way]
    chunks = chunks or ((2, 4, 2) if "shards" in options else None)
    target = str(path) if kind == "folder" else zarr.storage.ZipStore(path, mode="w")
    with warnings.catch_warnings():
        # Of zarr: what no specification contains.
        warnings.simplefilter("ignore")
        group = zarr.open_group(target, mode="w", zarr_format=form)
        for name, values in arrays.items():
            text = isinstance(values, list)
            shape = np.shape(values)
            made = group.create_array(
                name, shape=shape, dtype=str if text else values.dtype, **options, **more,
                chunks=chunks or tuple(max(1, (size + 1) // 2) for size in shape),
            )  # fmt: skip
            if np.size(values):
                made[...] = np.array(values) if text else values
            options, more, chunks = {}, {}, None
        if kind == "zip":
            target.close()
    return path


@contextlib.contextmanager
def below(most):
    """Fail if more bytes than this are held at a time inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def read_all(path, **options):
    with open_(path, **options) as source:
        return source.read(slice(0, source.shape[0]), slice(0, source.shape[1]))
