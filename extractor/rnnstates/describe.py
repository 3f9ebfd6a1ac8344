"""Describes a file (states, weights or sequences, detected from its content): ``rnnstates info``."""

import os
from pathlib import Path
from typing import Any

import h5py

from .errors import BadInput, BadStates
from .errors.arguments import check_arguments
from .inputs.content import FIRST_BYTES, of_another_kind
from .inputs.npy import read_header
from .inputs.writers import shown_attributes
from .output.reader import is_states_file, open_states
from .output.states import States
from .untrusted.foreign import KINDS, Wanted, kind_of_path, refuse_foreign
from .untrusted.hdf5 import datasets, is_hdf5, open_hdf5, reading
from .untrusted.missing import missing_reported, open_file
from .untrusted.npy import MAGIC
from .untrusted.zip import is_zip

__all__ = ["describe"]

EXPECTED = "a .npy, .npz, HDF5, Parquet, Arrow or weights file"


def describe(
    path: str | os.PathLike[str], *, convention: str | None = None, config: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Describe what a file holds, in JSON types.

    Parameters
    ----------
    path : str or path
        A file that ``extract`` reads or writes: sequences (.npy, .npz, HDF5, Parquet, Arrow), weights, states.
    convention : str or None
        What plain names in a weights file mean, as for ``load_weights``.
    config : path or None
        The configuration of a Keras model, as for ``load_weights``.

    Returns
    -------
    dict
        ``file``, ``kind`` (``states``, ``weights`` or ``input``) and ``bytes``, then what that kind of file has:
        datasets with shapes and dtypes, layers, lengths, provenance.

    Raises
    ------
    MissingInput, BadInput, BadWeights, BadStates
    """
    check_arguments(locals(), required=("path",))
    with missing_reported(path, EXPECTED):
        refuse_foreign(path, EXPECTED, Wanted.ANY, BadInput)
        is_zarr = kind_of_path(path) is KINDS["zarr"]
    if is_zarr:
        from .inputs.zarr import describe_zarr

        return {"file": os.fspath(path), "kind": "input", "container": "Zarr"} | describe_zarr(path)
    if not Path(path).is_file() and _holds_weights(path):
        # A folder, or the prefix of a checkpoint's files.
        return {"file": os.fspath(path)} | _of_weights(path, convention, config)
    open_file(path, EXPECTED).close()
    about: dict[str, Any] = {"file": os.fspath(path), "bytes": Path(path).stat().st_size}
    if is_hdf5(path):
        with open_hdf5(path, BadInput) as file, reading(str(path), BadInput):
            states = is_states_file(file)
        if states:
            with reading(str(path), BadStates):
                return about | _of_states(path)
    if _is_table(path):
        # Only such files need what reads them.
        from .inputs.arrow.describing import describe_table

        return about | {"kind": "input"} | describe_table(path)
    if _holds_weights(path):
        return about | _of_weights(path, convention, config)
    if is_hdf5(path):
        with open_hdf5(path, BadInput) as file, reading(str(path), BadInput):
            return about | {"kind": "input", "container": "HDF5", "datasets": _datasets(file, str(path))}
    if is_zip(path):
        from .inputs.npz import describe_npz

        return about | {"kind": "input", "container": "npz", "datasets": describe_npz(path)}
    return about | {"kind": "input", "container": "npy"} | _of_npy(path)


def _is_table(path: str | os.PathLike[str]) -> bool:
    with missing_reported(path, EXPECTED):
        return kind_of_path(path) in (KINDS["parquet"], KINDS["arrow"])


def _holds_weights(path: str | os.PathLike[str]) -> bool:
    if Path(path).is_file():
        with open_file(path, EXPECTED) as file, missing_reported(path, EXPECTED):
            if file.read(FIRST_BYTES).startswith(MAGIC):
                return False
    # Importing all readers and frameworks takes time; states and arrays do not need them.
    from .weights.recognise import is_weights_file

    return is_weights_file(path)


def _of_weights(
    path: str | os.PathLike[str], convention: str | None, config: str | os.PathLike[str] | None
) -> dict[str, Any]:
    from .weights.load import describe_weights

    return {"kind": "weights"} | describe_weights(path, convention=convention, config=config)


def _of_npy(path: str | os.PathLike[str]) -> dict[str, Any]:
    with open_file(path, EXPECTED) as file, missing_reported(path, EXPECTED):
        start = file.read(FIRST_BYTES)
        if not start.startswith(MAGIC):
            raise of_another_kind(path, start, EXPECTED, BadInput)
        file.seek(0)
        header = read_header(file, str(path), BadInput)
    order = "Fortran" if header.fortran_order else "C"
    return {"shape": list(header.shape), "dtype": str(header.dtype), "order": order}


def _of_states(path: str | os.PathLike[str]) -> dict[str, Any]:
    with open_states(path) as states:
        names = ("format", "format_version", "layout", "padding", "layers")
        return {
            "kind": "states",
            **{name: states.attributes[name] for name in names},
            **_counts(states),
            "datasets": [_of_stored(name, data) for name, data in states.datasets.items()],
            "provenance": states.provenance,
        }


def _of_stored(name: str, dataset: h5py.Dataset) -> dict[str, Any]:
    about: dict[str, Any] = {"name": name, "shape": list(dataset.shape), "dtype": str(dataset.dtype)}
    if dataset.chunks:
        # Only compressed files need it.
        from .untrusted.hdf5_filters import compression_of

        about |= {"chunks": list(dataset.chunks), "compression": compression_of(dataset)}
    return about


def _counts(states: States) -> dict[str, Any]:
    lengths = states.lengths
    if not len(lengths):
        return {"sequences": 0, "steps": 0}
    return {
        "sequences": states.sequences,
        "steps": int(lengths.sum()),
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
    }


def _datasets(file: h5py.File, where: str) -> list[dict[str, Any]]:
    return [_dataset(name, dataset) for name, dataset in datasets(file, where, BadInput)]


def _dataset(name: str, dataset: h5py.Dataset) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "shape": list(dataset.shape or ()), "dtype": str(dataset.dtype)}
    if attributes := shown_attributes(dataset):
        described["attributes"] = attributes
    if dataset.chunks:
        described["chunks"] = list(dataset.chunks)
    if dataset.compression:
        described["compression"] = dataset.compression
    return described
