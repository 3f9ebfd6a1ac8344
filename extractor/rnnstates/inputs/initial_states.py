"""``InitialStates``: initial states that are already found and opened, checked and read a few rows at a time."""

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array, Rows
from ..arrays.integers import missing_integer
from ..errors import BadInput
from .hdf5 import reading
from .identity import check_unchanged, digest_array, sample_file

__all__ = ["InitialStates", "check_usable"]

# States of some sequences, as they are stored.
Numbers = npt.NDArray[np.number[Any]]


class InitialStates:
    """Initial states, by the path of a part of the network and the name of a state.

    Parameters
    ----------
    found : mapping
        From path and name to an array or dataset [W], [1, W] or [N, W].
    where : str
    closing : ExitStack
        Closes their file.
    file : binary file or None
        That file, open.
    provenance : mapping
        How they were made, if they come from an output; else empty.
    """

    def __init__(
        self,
        found: Mapping[tuple[str, str], Array | h5py.Dataset],
        where: str,
        closing: contextlib.ExitStack,
        file: BinaryIO | None,
        provenance: Mapping[str, Any],
    ) -> None:
        self._found, self.where, self._closing, self._file = found, where, closing, file
        self.provenance = provenance
        # Of the file when it was opened.
        self._sample = None if file is None else sample_file(file)

    def read(self, rows: Rows) -> dict[str, dict[str, Annotated[Numbers, "K _"]]]:
        """Return the states of some sequences.

        Returns
        -------
        dict
            From path to name to floating [B, W].

        Raises
        ------
        BadInput
            One of them is NaN or infinite.
        """
        read: dict[str, dict[str, Numbers]] = {}
        for (path, name), stored in self._found.items():
            with reading(f"{self.where}: '{name}'", BadInput):
                values = _rows(stored, rows)
            check_usable(values, stored.dtype, rows, f"{self.where}: '{name}'")
            read.setdefault(path, {})[name] = values
        return read

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if rows are read from a file that has changed since it was opened."""
        if self._file is not None and any(isinstance(stored, h5py.Dataset) for stored in self._found.values()):
            check_unchanged(self._file.fileno(), self.identity, self.where, sampled=True)

    @property
    def identity(self) -> dict[str, object]:
        """What distinguishes these states from others, in JSON types."""
        if self._sample is not None:
            return self._sample
        return {
            name: digest_array(np.asarray(values))
            for name, values in zip(self.named(), self._found.values(), strict=True)
        }

    def named(self) -> list[str]:
        """List the names of the states, as in an output file."""
        return [f"{path}/{name}".strip("/") for path, name in self._found]

    def close(self) -> None:
        """Close their file."""
        self._closing.close()


def check_usable(values: Annotated[Numbers, "_ W"], stored: np.dtype[Any], rows: Rows, where: str) -> None:
    """Refuse NaN, infinity and R's missing integer in states [B, W] of sequences [B]; [1, W] is of the first one."""
    missing = missing_integer(stored)
    if missing is not None and (absent := np.argwhere(values == missing)).size:
        raise BadInput(
            f"{where} of sequence {rows[absent[0][0]]} is {missing}, which R writes for NA, and to which NaN is cast; "
            "expected the state of a run. Save the states as floating-point numbers."
        )
    if (wrong := np.argwhere(~np.isfinite(values))).size:
        raise BadInput(
            f"{where} of sequence {rows[wrong[0][0]]} is NaN or infinite; expected the state of a run. An empty "
            'sequence has no last state, but it has a final one (pool="final").'
        )


def _rows(stored: Array | h5py.Dataset, rows: Rows) -> Annotated[Numbers, "K W"]:
    shape = np.shape(stored)
    if len(shape) == 1 or shape[0] == 1:
        with np.errstate(invalid="ignore"):  # NaN, which the caller refuses
            one = np.asarray(stored[()], np.float64).reshape(-1)
        return np.broadcast_to(one, (len(rows), len(one)))
    if not len(rows) or np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return np.asarray(stored[rows[0] : rows[0] + len(rows)] if len(rows) else stored[:0])
    # One slice over all of them might span the whole file.
    return np.stack([np.asarray(stored[row]) for row in rows.tolist()])
