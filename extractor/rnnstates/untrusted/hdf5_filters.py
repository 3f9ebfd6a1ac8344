"""Checks that the compression filters of a dataset are available."""

import contextlib
import importlib

import h5py

from ..errors import BadData

__all__ = ["check_filters", "compression_of"]

# Registered with The HDF Group; hdf5plugin provides them.
FILTERS = {
    4: "szip",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32018: "fcidecomp",
    32024: "sz3",
    32026: "blosc2",
    32028: "sperr",
}
# They change the order of bytes, or add a checksum.
HARMLESS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def check_filters(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse a dataset whose values cannot be decompressed here.

    Raises
    ------
    error
        A filter is unavailable, even with ``hdf5plugin``.
    """
    missing = _missing(dataset)
    if missing:
        with contextlib.suppress(ImportError):
            # Registers its filters when imported.
            importlib.import_module("hdf5plugin")
        missing = _missing(dataset)
    if missing:
        names = ", ".join(f"{FILTERS.get(code, 'unknown')} ({code})" for code in missing)
        raise error(
            f"{where}: compressed with filter {names}, which this HDF5 lacks. Install hdf5plugin, or recompress it "
            "where the filter is available: h5repack -f GZIP=4 OLD NEW."
        )


def _missing(dataset: h5py.Dataset) -> list[int]:
    filters = dataset.id.get_create_plist()
    codes = [int(filters.get_filter(number)[0]) for number in range(filters.get_nfilters())]
    return [code for code in codes if not h5py.h5z.filter_avail(code)]


def compression_of(dataset: h5py.Dataset) -> str:
    """Return what compresses a dataset: ``gzip``, ``zstd``, …, or ``none``."""
    filters = dataset.id.get_create_plist()
    codes = [int(filters.get_filter(number)[0]) for number in range(filters.get_nfilters())]
    found = [FILTERS.get(code, f"filter {code}") for code in codes if code not in HARMLESS]
    return ", ".join("gzip" if code == f"filter {h5py.h5z.FILTER_DEFLATE}" else code for code in found) or "none"
