"""Resolves the name given for lengths or ids: a dataset next to the input, or a file."""

import os
from pathlib import Path

import h5py

from ..errors import BadData, MissingInput
from ..untrusted.hdf5 import datasets, find
from .base import Source
from .hdf5 import Hdf5Source, checked, reading
from .hdf5_choice import guess, listing

__all__ = ["beside", "check_open", "dataset_of", "locate", "places"]


def places(source: Source, name: str) -> list[str]:
    """List the paths where a dataset may be next to the input: in its group first, in the root of the file last."""
    groups = str(source.identity["dataset"]).split("/")[:-1] if isinstance(source, Hdf5Source) else []
    return ["/".join([*groups[:count], name]) for count in range(len(groups), -1, -1)]


def beside(source: Source, name: str, error: type[BadData]) -> h5py.Dataset | None:
    """Return the dataset of this name nearest to the input; None if there is none.

    Raises
    ------
    error
        As ``dataset_of``.
    """
    found = (dataset_of(source, place, error) for place in places(source, name))
    return next((dataset for dataset in found if dataset is not None), None)


def dataset_of(source: Source, name: str, error: type[BadData]) -> h5py.Dataset | None:
    """Return a dataset of the input's HDF5 file; None if there is none of that name.

    Raises
    ------
    error
        It is a link, or its values are elsewhere or cannot be decompressed.
    """
    if not isinstance(source, Hdf5Source) or name in (".", ".."):
        return None
    with reading(f"{source.path}: '{name}'", error):
        found = find(source.file, name, source.path, error)
        if not isinstance(found, h5py.Dataset):
            return None
        return checked(found, f"{source.path}: dataset '{name}'", error)


def check_open(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse a dataset of a closed file.

    Raises
    ------
    error
    """
    if not dataset:
        raise error(
            f"{where}: is a dataset of a closed HDF5 file; expected an open one. Open the file again, or give the "
            "values (dataset[:])."
        )


def locate(
    name: str | os.PathLike[str], source: Source, parameter: str, error: type[BadData]
) -> h5py.Dataset | os.PathLike[str]:
    """Resolve a name; a dataset takes precedence over a file.

    Parameters
    ----------
    name : str or path
        A path object is always a file.
    parameter : str
        For messages, e.g. ``lengths``.

    Raises
    ------
    MissingInput
        There is no such file, and the input has no datasets.
    error
        It is neither a dataset of the input nor a file.
    """
    if isinstance(name, str):
        dataset = dataset_of(source, name, error)
        if dataset is not None:
            return dataset
    if isinstance(source, Hdf5Source) and isinstance(name, str) and not _is_there(name):
        present = dict(datasets(source.file, source.path, error))
        raise error(
            f"{parameter}={name!r}: neither a dataset of {source.path} nor a file; present: {listing(present)}."
            f"{guess(name, present)} Check the name."
        )
    if not _is_there(name):
        raise MissingInput(
            f"{parameter}={os.fspath(name)!r}: no such file, and {source.name} is not an HDF5 file with datasets. "
            "Check the path."
        )
    return Path(name)


def _is_there(path: str | os.PathLike[str]) -> bool:
    try:
        Path(path).stat()
    except (OSError, ValueError):
        return False
    return True
