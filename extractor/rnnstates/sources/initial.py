"""The states from which the sequences start: found by name, checked, read a few rows at a time.

An HDF5 file or a .npz holds them under the names that an output file uses: ``hidden`` and ``cell`` for a lone layer,
``layer0/forward/hidden`` in a stack; one for all sequences, [W], or one a sequence, [N, W]. In a file that ``extract``
wrote with ``--pool final`` they are ``hidden_final`` and ``cell_final``, so that it continues another run.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..articles import with_article
from ..errors import BadInput, MissingInput, OptionError
from ..files import missing_told
from ..foreign import KINDS, Wanted, kind_of_path, may_be_npz
from ..given import as_array
from ..hdf5_chunk_guard import check_inflated
from ..hdf5_guard import datasets, is_hdf5, open_hdf5
from ..hdf5_packing import whole_numbers
from ..npz_guard import npz_arrays
from ..zip_guard import is_zip
from .hdf5 import checked, reading
from .identity import digest_array, sample_file
from .writers import check_order, doubt_in, doubt_of

__all__ = ["InitialStates", "open_initial"]

EXPECTED = "a .npz or HDF5 file of states by name"
FINAL = "_final"
# Rows that an output file or an input has beside its states.
BESIDE = ("lengths", "ids", "offsets")


class InitialStates:
    """States to start from, by the path of a part of the network and the name of a state.

    Parameters
    ----------
    found : mapping
        From path and name to an array or dataset [W], [1, W] or [N, W].
    where : str
    closing : ExitStack
        Closes the file behind them.
    is_path : bool
        Whether ``where`` is that file.
    """

    def __init__(
        self,
        found: Mapping[tuple[str, str], Array | h5py.Dataset],
        where: str,
        closing: contextlib.ExitStack,
        *,
        is_path: bool,
    ) -> None:
        self._found, self.where, self._closing, self._is_path = found, where, closing, is_path

    def read(self, rows: npt.NDArray[np.int64]) -> dict[str, dict[str, Array]]:
        """Give the states of some sequences.

        Returns
        -------
        dict
            From path to name to floating [B, W].

        Raises
        ------
        BadInput
            One of them is NaN or infinite.
        """
        read: dict[str, dict[str, Array]] = {}
        for (path, name), stored in self._found.items():
            with reading(f"{self.where}: '{name}'", BadInput):
                values = _rows(stored, rows)
            if not np.isfinite(values).all():
                row = rows[np.argwhere(~np.isfinite(values))[0][0]]
                raise BadInput(
                    f"{self.where}: '{name}' of sequence {row} is NaN or infinite; expected the state of a run. An "
                    'empty sequence has no last state, but a final one (pool="final").'
                )
            read.setdefault(path, {})[name] = values
        return read

    @property
    def identity(self) -> dict[str, object]:
        """What tells these states from others, in JSON types."""
        if self._is_path:
            with Path(self.where).open("rb") as file:
                return sample_file(file)
        return {
            name: digest_array(np.asarray(values))
            for name, values in zip(self.named(), self._found.values(), strict=True)
        }

    def named(self) -> list[str]:
        """List what was found, by the names of an output file."""
        return [f"{path}/{name}".strip("/") for path, name in self._found]

    def close(self) -> None:
        """Close the file behind them."""
        self._closing.close()


def open_initial(initial: Any, wanted: Mapping[tuple[str, str], int], sequences: int) -> InitialStates:
    """Find the initial states of a network.

    Parameters
    ----------
    initial : path, or mapping from name to array
    wanted : mapping
        From (path of a part, name of a state) to its width.
    sequences : int
        N.

    Raises
    ------
    MissingInput
        The file is absent or unreadable.
    BadInput
        It holds none of them, something else, or one of another shape.
    """
    with contextlib.ExitStack() as opening:
        is_path = isinstance(initial, str | os.PathLike)
        where = os.fspath(initial) if is_path else "initial_state"
        stored = _open(where, opening) if is_path else _given(initial)
        found = _match(stored, wanted, where)
        _check_all_there(stored, found, wanted, where)
        for (path, name), given in found.items():
            called = f"{where}: '{name}'" + (f" of {path}" if path else "")
            if isinstance(given, h5py.Dataset):
                _check_stored(given, called)
            else:
                found[path, name] = as_array(given, called, BadInput)
            _check(found[path, name], wanted[path, name], sequences, called)
            # A shape of two sizes fits one order alone.
            if found[path, name].shape == (sequences, sequences):
                is_stored = is_path and isinstance(given, h5py.Dataset)
                check_order((doubt_in if is_stored else doubt_of)(given, "NI", called), "NI")
        return InitialStates(found, where, opening.pop_all(), is_path=is_path)


def _given(initial: Any) -> dict[str, Any]:
    """Take arrays by name; ``States`` too, whose other datasets are no states to start from."""
    if isinstance(initial, type) or not hasattr(initial, "keys") or not hasattr(initial, "__getitem__"):
        raise OptionError(
            f"initial_state=: is {with_article(type(initial).__name__)}; expected {EXPECTED} (its path), a mapping "
            "from name to array, 'zero' or None."
        )
    stored = {name: initial[name] for name in initial.keys()}
    if wrong := [name for name in stored if not isinstance(name, str)]:
        raise OptionError(f"initial_state=: has the key {wrong[0]!r}; expected names of states.")
    return _of_states(stored, "initial_state") if hasattr(initial, "provenance") else stored


def _open(path: str, opening: contextlib.ExitStack) -> dict[str, Any]:
    with missing_told(path, EXPECTED):
        _refuse_other_kinds(path)
        zipped, hdf5 = is_zip(path), is_hdf5(path)
    if zipped:
        arrays = opening.enter_context(npz_arrays(path, BadInput))
        return {name: array.read() for name, array in arrays.items()}
    if not hdf5:
        raise BadInput(f"{path}: neither .npz nor HDF5; expected {EXPECTED}. Check the path.")
    file = opening.enter_context(open_hdf5(path, BadInput))
    with reading(path, BadInput):
        found = {
            name: checked(dataset, f"{path}: '{name}'", BadInput) for name, dataset in datasets(file, path, BadInput)
        }
        is_output = "format" in file.attrs
    return _of_states(found, path) if is_output else found


def _refuse_other_kinds(path: str) -> None:
    """Refuse what is known to be neither; of the kinds that weights are read from, .npz is read here too."""
    kind = kind_of_path(path)
    if kind is not None and kind is not KINDS["hdf5"] and not may_be_npz(kind):
        raise BadInput(f"{path}: {kind.message(EXPECTED, Wanted.STATES)}")


def _of_states(found: dict[str, h5py.Dataset], path: str) -> dict[str, h5py.Dataset]:
    """Take the final states of an output file; its other datasets are no states to start from."""
    final = {name: dataset for name, dataset in found.items() if name.endswith(FINAL)}
    if not final:
        raise MissingInput(f'{path}: is an output without final states; make it again with pool="final".')
    return final


def _match(stored: Mapping[str, Any], wanted: Mapping[tuple[str, str], int], where: str) -> dict[tuple[str, str], Any]:
    names = {f"{path}/{name}".strip("/"): (path, name) for path, name in wanted}
    found: dict[tuple[str, str], Any] = {}
    for name, values in stored.items():
        plain = name.strip("/").removesuffix(FINAL)
        if plain in names and names[plain] in found:
            raise BadInput(f"{where}: holds '{plain}' and '{plain}{FINAL}'; give one of them.")
        if plain in names:
            found[names[plain]] = values
        elif plain not in BESIDE:
            raise BadInput(
                f"{where}: holds '{name}', which is no state of this network; expected {', '.join(sorted(names)[:12])}."
            )
    if not found:
        raise BadInput(f"{where}: holds no states; expected {', '.join(sorted(names)[:12])}.")
    return found


def _check_all_there(
    stored: Mapping[str, Any],
    found: Mapping[tuple[str, str], Any],
    wanted: Mapping[tuple[str, str], int],
    where: str,
) -> None:
    """Refuse the final states of another network: an output holds all that its own network carries."""
    missing = [f"{path}/{name}".strip("/") for path, name in wanted if (path, name) not in found]
    if missing and any(name.endswith(FINAL) for name in stored):
        raise BadInput(
            f"{where}: has no final state '{missing[0]}', which this network carries; it is the output of another one. "
            "Give the output of the same weights and layer=."
        )


def _check_stored(dataset: h5py.Dataset, where: str) -> None:
    with reading(where, BadInput):
        check_inflated(dataset, where, BadInput)
        packing = whole_numbers(dataset, where, BadInput)
    if packing is not None and packing.found:
        named = ", ".join(packing.found)
        raise BadInput(f"{where}: its attribute {named} says that values may be missing; expected all.")


def _check(values: Array | h5py.Dataset, width: int, sequences: int, where: str) -> None:
    shape = tuple(values.shape or ())
    dtype = values.dtype
    if shape not in ((width,), (1, width), (sequences, width)):
        raise BadInput(
            f"{where} has shape {shape}; expected ({width},) for all sequences or ({sequences}, {width}), one each."
        )
    if dtype.kind not in "fiu":
        raise BadInput(f"{where} has dtype {dtype}; expected numbers.")


def _rows(stored: Any, rows: npt.NDArray[np.int64]) -> Array:
    shape = np.shape(stored)
    if len(shape) == 1 or shape[0] == 1:
        with np.errstate(invalid="ignore"):  # NaN, which is told by who reads
            one: Array = np.asarray(stored[()] if isinstance(stored, h5py.Dataset) else stored, np.float64).reshape(-1)
        return np.broadcast_to(one, (len(rows), len(one)))
    if not len(rows) or np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        together: Array = np.asarray(stored[rows[0] : rows[0] + len(rows)] if len(rows) else stored[:0])
        return together
    # What lies between them may be the whole file.
    return np.stack([np.asarray(stored[row]) for row in rows.tolist()])
