"""One module a container of weights; ``READERS`` names them, told apart by content."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ...errors import BadWeights
from ...files import missing_told
from .base import Container, Tensor
from .hdf5 import open_hdf5_weights, recognise_hdf5
from .keras_zip import open_keras_zip, recognise_zip

__all__ = ["READERS", "Container", "Tensor", "open_container"]

Opener = Callable[[str], AbstractContextManager[Container]]

# Each recogniser looks at the first bytes only.
READERS: tuple[tuple[Callable[[str], bool], Opener], ...] = (
    (recognise_hdf5, open_hdf5_weights),
    (recognise_zip, open_keras_zip),
)

EXPECTED = "a Keras file: .keras, .weights.h5 or .h5"


def open_container(path: str) -> AbstractContextManager[Container]:
    """Open a weights file with the reader that recognises it.

    Raises
    ------
    MissingInput
        It is absent, a directory or unreadable.
    BadWeights
        No reader knows it, or it is damaged.
    """
    with missing_told(path, EXPECTED):
        for recognise, reader in READERS:
            if recognise(path):
                return reader(path)
        with Path(path).open("rb") as file:
            start = file.read(8)
    found = f"starts with {start!r}" if start else "empty"
    raise BadWeights(f"{path}: {found}; expected {EXPECTED}.")
