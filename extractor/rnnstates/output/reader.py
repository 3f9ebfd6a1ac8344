"""Opens a states file, which anybody may have edited, and checks its root attributes."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import BadStates, RnnstatesError
from ..errors.arguments import check_arguments
from ..errors.choices import LAYOUTS
from ..untrusted.foreign import Wanted, refuse_foreign
from ..untrusted.hdf5 import DAMAGED, check_dataset, datasets, open_hdf5
from ..untrusted.hdf5_attributes import fixed_attributes, is_fixed, is_scale
from ..untrusted.missing import missing_reported
from .format import COMPRESSED_VERSION, FORMAT, FORMAT_VERSION, INPUT_LENGTHS, REDUCED_VERSION
from .integrity import INTEGRITY
from .names import PARTIAL
from .states import States

__all__ = ["is_states_file", "open_states", "open_unfinished"]

EXPECTED = "an HDF5 file of states"
VERSIONS = (FORMAT_VERSION, COMPRESSED_VERSION, REDUCED_VERSION)
# The attributes that say that some steps are left out.
STEPS = ("every", "last_steps")
ROOT_ATTRIBUTES = ("layout", "padding", "layers", "provenance")


def is_states_file(file: h5py.File) -> bool:
    """Return whether an open HDF5 file is marked as a states file."""
    value = file.attrs["format"] if is_fixed(file, "format") else b""
    return isinstance(value, str | bytes) and value in (FORMAT, FORMAT.encode())


def open_states(path: str | os.PathLike[str]) -> States:
    """Open what ``rnnstates extract`` wrote.

    Parameters
    ----------
    path : str or path
        A finished file; an unfinished one (``.partial``) is refused.

    Returns
    -------
    States
        ``states[i].hidden`` is [length_i, H], ``states["hidden"]`` an h5py dataset. Close it, or use ``with``.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadStates
        It is not a complete states file of a known version.
    """
    check_arguments(locals(), required=("path",))
    if Path(path).name.endswith(PARTIAL):
        raise BadStates(f"{path}: the unfinished output of a run; some states are missing. Repeat the run.")
    with missing_reported(path, EXPECTED):
        refuse_foreign(path, EXPECTED, Wanted.OUTPUT, BadStates)
    return open_unfinished(path)


def open_unfinished(path: str | os.PathLike[str]) -> States:
    """Open a file of any name that may lack states; otherwise like ``open_states``."""
    file = open_hdf5(path, BadStates)
    try:
        return _states(file, str(path))
    except RnnstatesError:
        file.close()
        raise
    # Raised by h5py or JSON for a damaged file.
    except DAMAGED as reason:
        file.close()
        raise BadStates(f"{path}: cannot be read ({reason}); it is damaged, make it again.") from reason
    except BaseException:
        file.close()
        raise


def _states(file: h5py.File, where: str) -> States:
    if not is_states_file(file):
        raise BadStates(f"{where}: not a states file (no attribute format = 'rnnstates'); make one with extract.")
    known = fixed_attributes(file)
    version: object = file.attrs["format_version"] if "format_version" in known else 0
    if version not in VERSIONS:
        read = ", ".join(map(str, VERSIONS))
        raise BadStates(f"{where}: format version {version}; this rnnstates reads version {read}; update it.")
    missing = [name for name in ROOT_ATTRIBUTES if name not in known] + [
        name for name in ("lengths",) if name not in file
    ]
    if missing:
        raise BadStates(f"{where}: lacks {', '.join(missing)}; it is damaged, make it again.")
    named = {
        name: found
        for name, found in datasets(file, where, BadStates)
        if not is_scale(found) and not name.startswith(INTEGRITY + "/")
    }
    for name, found in named.items():
        check_dataset(found, f"{where}: '{name}'", BadStates)
        if found.chunks:
            # Only compressed files need it.
            from ..untrusted.hdf5_filters import check_filters

            check_filters(found, f"{where}: '{name}'", BadStates)
    attributes = _read_attributes(file, known)
    _check_root(attributes, named["lengths"], where)
    states = States(named, attributes, file, (open_states, str(Path(where).resolve())))
    for name, is_needed in (
        ("offsets", attributes["layout"] == "packed"),
        (INPUT_LENGTHS, any(name in attributes for name in STEPS)),
    ):
        if is_needed and name not in named:
            raise BadStates(f"{where}: lacks {name}; it is damaged, make it again.")
    return states


def _check_root(attributes: dict[str, Any], lengths: h5py.Dataset, where: str) -> None:
    """Refuse values that extract does not write: later readers of the file rely on them."""
    layers = attributes["layers"]
    right = {
        "layout": attributes["layout"] in LAYOUTS,
        "padding": attributes["padding"] in ("post", "pre"),
        "layers": isinstance(layers, list) and bool(layers) and all(map(_is_group, layers)),
        "provenance": isinstance(attributes["provenance"], dict),
        "lengths": lengths.ndim == 1 and lengths.dtype.kind in "iu",
        **{name: _is_number(attributes[name]) for name in STEPS if name in attributes},
    }
    wrong = [name for name, is_right in right.items() if not is_right]
    if wrong:
        raise BadStates(f"{where}: {', '.join(wrong)} cannot be what extract wrote; it is damaged, make it again.")


def _is_number(steps: object) -> bool:
    return type(steps) is int and steps > 0


def _is_group(name: object) -> bool:
    """Return whether this can be the name of a group of states: ``/``, or a path within the file without detours."""
    return isinstance(name, str) and (name == "/" or not {"", ".", ".."} & set(name.split("/")))


def _read_attributes(file: h5py.File, names: Iterable[str]) -> dict[str, Any]:
    """Read and decode root attributes of a states file."""
    decoded = {name: _decode(file.attrs[name]) for name in names}
    decoded["provenance"] = json.loads(decoded["provenance"])
    return decoded


def _decode(value: object) -> Any:
    if isinstance(value, np.ndarray):
        return [_decode(element) for element in value]
    return value.decode("utf-8") if isinstance(value, bytes) else getattr(value, "item", lambda: value)()
