"""Reads weights in .npz: named arrays, from any framework without a better format."""

import contextlib
from collections.abc import Iterator

from ...errors import BadWeights
from ...untrusted.npz import NpzArray, npz_arrays
from ...untrusted.zip import zip_names
from .base import Container, Tensor, as_floating

__all__ = ["is_npz", "open_npz_weights"]


def is_npz(path: str) -> bool:
    """Return whether a file is a zip archive of .npy members."""
    names = zip_names(path)
    return bool(names) and all(name.endswith(".npy") for name in names or ())


@contextlib.contextmanager
def open_npz_weights(path: str) -> Iterator[Container]:
    """Open an archive of arrays.

    Raises
    ------
    BadWeights
        It is damaged, or holds anything but numbers.
    """
    with npz_arrays(path, BadWeights) as arrays:
        yield Container(path, "npz", {name: _tensor(name, array, path) for name, array in arrays.items()})


def _tensor(name: str, array: NpzArray, path: str) -> Tensor:
    return Tensor(name, array.shape, lambda: as_floating(array.read(), f"{path}: '{name}'"))
