"""Resolves the name given for lengths or ids: an array next to the input, or a file."""

import os
from pathlib import Path
from typing import NamedTuple, Protocol

import h5py

from ..errors import BadData, MissingInput
from .container import Container, Member
from .hdf5_choice import guess, listing

__all__ = ["Inside", "Named", "beside", "check_open", "locate", "places"]


class Inside(Protocol):
    """An input that may be one of several arrays in a file, such as a ``Source``."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def container(self) -> Container | None:
        """The file, if there may be other arrays."""


class Named(NamedTuple):
    """An array next to the input.

    Parameters
    ----------
    where : str
        The file and its name, for messages.
    values : h5py.Dataset or array
    """

    where: str
    values: Member


def places(container: Container, name: str) -> list[str]:
    """List the paths where an array may be next to the input: in its group first, in the root of the file last."""
    groups = container.group
    return ["/".join([*groups[:count], name]) for count in range(len(groups), -1, -1)]


def beside(container: Container | None, name: str, error: type[BadData]) -> Named | None:
    """Return the array of this name nearest to the input; None if there is none.

    Raises
    ------
    error
        It is there, but cannot be read.
    """
    if container is None:
        return None
    return next((found for place in places(container, name) if (found := _in(container, place, error))), None)


def _in(container: Container, name: str, error: type[BadData]) -> Named | None:
    found = container.find(name, error)
    return None if found is None else Named(f"{container.path}: {container.noun} '{name.strip('/')}'", found)


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
    name: str | os.PathLike[str], source: Inside, parameter: str, error: type[BadData]
) -> Named | os.PathLike[str]:
    """Resolve a name; an array next to the input takes precedence over a file.

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
        It is neither an array next to the input nor a file.
    """
    container = source.container
    if isinstance(name, str) and container is not None:
        if found := _in(container, name, error):
            return found
        if not _is_there(name):
            present = container.present(error)
            raise error(
                f"{parameter}={name!r}: neither a dataset of {container.path} nor a file; present: {listing(present)}."
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
