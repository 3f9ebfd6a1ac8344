"""Opens the initial states that a user gives (a file or a mapping), and matches them by name to the network.

An HDF5 file or a .npz holds them under the names of an output file: ``hidden`` and ``cell`` for a single layer,
``layer0/forward/hidden`` in a stack; one for all sequences, [W], or one per sequence, [N, W]. In an output of
``extract`` with ``pool="final"`` they are ``hidden_final`` and ``cell_final``, so that a run can continue it.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..arrays.axes import Array
from ..errors import BadInput, MissingInput, OptionError, RnnstatesError
from ..errors.articles import with_article
from ..untrusted.foreign import KINDS, Wanted, kind_of_path, may_be_npz
from ..untrusted.given import as_array
from ..untrusted.hdf5 import datasets, is_hdf5, open_hdf5
from ..untrusted.hdf5_attributes import is_fixed, is_scale
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_packing import whole_numbers
from ..untrusted.missing import missing_reported
from ..untrusted.npz import npz_arrays
from ..untrusted.zip import is_zip
from .belonging import Named, check_ids
from .hdf5 import checked, reading
from .initial_states import InitialStates, check_usable
from .named import check_open
from .writers import check_order, doubt_in, doubt_of

__all__ = ["open_initial"]

EXPECTED = "a .npz or HDF5 file of states by name"
FINAL = "_final"
# Datasets that an output file or an input has in addition to its states.
BESIDE = ("lengths", "ids", "offsets")


def open_initial(
    initial: Any, wanted: Mapping[tuple[str, str], int], sequences: int, ids: Named | None = None
) -> InitialStates:
    """Find the initial states of a network.

    Parameters
    ----------
    initial : path, or mapping from name to array
    wanted : mapping
        From (path of a part, name of a state) to its width.
    sequences : int
        N.
    ids : Named or None
        Of the sequences; ids stored with the states must be the same.

    Raises
    ------
    MissingInput
        The file is absent or unreadable.
    BadInput
        It has none of these states, something else, one of another shape, or those of other sequences.
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
                check_open(given, called, BadInput)
                _check_stored(given, called)
            else:
                found[path, name] = as_array(given, called, BadInput)
            values = found[path, name]
            _check(values, wanted[path, name], sequences, called)
            # Values in memory can be checked before the run begins.
            if not isinstance(values, h5py.Dataset):
                check_usable(np.atleast_2d(values), values.dtype, np.arange(max(1, sequences)), called)
            # With two different sizes, only one order fits.
            if values.shape == (sequences, sequences) and sequences > 1:
                is_stored = is_path and isinstance(given, h5py.Dataset)
                check_order((doubt_in if is_stored else doubt_of)(given, "NI", called), "NI")
        if ids is not None and "ids" in stored and any(values.shape[:-1] == (sequences,) for values in found.values()):
            check_ids(stored["ids"], ids, sequences, where)
        file = opening.enter_context(Path(where).open("rb")) if is_path else None
        return InitialStates(found, where, opening.pop_all(), file, _provenance(initial, stored))


def _given(initial: object) -> dict[str, Any]:
    """Return arrays by name; from ``States``, only the final ones, which are initial states."""
    # States have theirs in a mapping.
    held = getattr(initial, "datasets", initial)
    if isinstance(initial, type) or not hasattr(held, "keys") or not hasattr(held, "__getitem__"):
        raise OptionError(
            f"initial_state=: is {with_article(type(initial).__name__)}; expected {EXPECTED} (its path), a mapping "
            "from name to array, 'zero' or None."
        )
    try:
        stored = {name: held[name] for name in held.keys()}  # noqa: SIM118 - all that is known of it
    except (MemoryError, RnnstatesError):
        raise
    # A closed file may raise anything.
    except Exception as reason:
        raise BadInput(
            f"initial_state=: {with_article(type(initial).__name__)} that cannot be read ({reason}); expected arrays. "
            "If its file is closed, open it again."
        ) from reason
    if wrong := [name for name in stored if not isinstance(name, str)]:
        raise OptionError(f"initial_state=: has the key {wrong[0]!r}; expected names of states.")
    return _of_states(stored, "initial_state") if hasattr(initial, "provenance") else stored


def _provenance(initial: object, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the provenance of an output; empty if it cannot be read."""
    provenance = getattr(initial, "provenance", None)
    file = next((values.file for values in stored.values() if isinstance(values, h5py.Dataset)), None)
    if provenance is None and file is not None and is_fixed(file, "provenance"):
        with contextlib.suppress(ValueError, RecursionError):
            provenance = json.loads(file.attrs["provenance"])
    return provenance if isinstance(provenance, dict) else {}


def _open(path: str, opening: contextlib.ExitStack) -> dict[str, Any]:
    with missing_reported(path, EXPECTED):
        _refuse_other_kinds(path)
        zipped, hdf5 = is_zip(path), is_hdf5(path)
    if zipped:
        arrays = opening.enter_context(npz_arrays(path, BadInput, texts=("ids",)))
        return {name: array.read() for name, array in arrays.items()}
    if not hdf5:
        raise BadInput(f"{path}: neither .npz nor HDF5; expected {EXPECTED}. Check the path.")
    file = opening.enter_context(open_hdf5(path, BadInput))
    with reading(path, BadInput):
        found = {
            name: checked(dataset, f"{path}: '{name}'", BadInput)
            for name, dataset in datasets(file, path, BadInput)
            # The coordinates of an axis, whatever their name.
            if not is_scale(dataset)
        }
        is_output = "format" in file.attrs
    return _of_states(found, path) if is_output else found


def _refuse_other_kinds(path: str) -> None:
    """Refuse files known to be neither .npz nor HDF5."""
    kind = kind_of_path(path)
    if kind is not None and kind is not KINDS["hdf5"] and not may_be_npz(kind):
        raise BadInput(f"{path}: {kind.message(EXPECTED, Wanted.STATES)}")


def _of_states(found: dict[str, h5py.Dataset], path: str) -> dict[str, h5py.Dataset]:
    """Return the final states of an output file; its other datasets are not initial states."""
    final = {name: dataset for name, dataset in found.items() if name.endswith(FINAL) or name == "ids"}
    if not final.keys() - {"ids"}:
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
                f"{where}: holds '{name}', which is not a state of this network; expected "
                f"{', '.join(sorted(names)[:12])}."
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
    """Refuse the final states of another network: an output holds all states that its own network carries."""
    missing = [f"{path}/{name}".strip("/") for path, name in wanted if (path, name) not in found]
    if missing and any(name.endswith(FINAL) for name in stored):
        raise BadInput(
            f"{where}: has no final state '{missing[0]}', which this network carries; it is the output of another "
            "network. Give the output of the same weights and layer=."
        )


def _check_stored(dataset: h5py.Dataset, where: str) -> None:
    with reading(where, BadInput):
        check_inflated(dataset, where, BadInput)
        packing = whole_numbers(dataset, where, BadInput)
        if packing is not None:
            packing.check_dataset(dataset, where, BadInput)


def _check(values: Array | h5py.Dataset, width: int, sequences: int, where: str) -> None:
    shape = tuple(values.shape or ())
    dtype = values.dtype
    if shape not in ((width,), (1, width), (sequences, width)):
        raise BadInput(
            f"{where} has shape {shape}; expected ({width},) for all sequences or ({sequences}, {width}), one each."
            + (" Is it transposed? Give sequences first." if shape == (width, sequences) else "")
        )
    if dtype.kind not in "fiu":
        raise BadInput(f"{where} has dtype {dtype}; expected numbers.")
