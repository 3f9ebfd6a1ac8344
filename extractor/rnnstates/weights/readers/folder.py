"""Reads weights stored as a folder: one file per array (UniRep), or HDF5 with JSON options next to it (ELMo).

Only regular files in the folder itself are opened: a link may lead anywhere, and a pipe has no end.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...arrays.axes import Array
from ...errors import BadWeights
from ...untrusted.hdf5 import open_hdf5
from ...untrusted.json_text import LARGEST_JSON, parse_json
from ...untrusted.missing import missing_reported
from ...untrusted.npz import npy_array, npy_header
from .base import Container, Tensor, as_floating
from .hdf5 import from_hdf5
from .regular_file import open_regular, size_of

__all__ = ["OPTIONS", "beside", "open_folder", "open_with_options", "recognise_folder", "recognise_with_options"]

# The name of the container's document, and the ending of its file's name.
OPTIONS = "options.json"
WEIGHTS = ("weights.hdf5", "weights.h5")
NPY = ".npy"
# UniRep's largest has some 40.
MOST_FILES = 5_000


def recognise_folder(path: str) -> bool:
    """Return whether a directory holds arrays, or HDF5 with its options, by the names in it."""
    if not Path(path).is_dir():
        return False
    names = _names(path)
    return any(name.endswith(NPY) for name in names) or bool(_paired(names))


@contextlib.contextmanager
def open_folder(path: str) -> Iterator[Container]:
    """Open a directory of .npy files, or of HDF5 and options.

    Parameters
    ----------
    path : str

    Raises
    ------
    BadWeights
        A file in it is damaged, not a regular file, or ambiguous.
    """
    with missing_reported(path, "a folder of weights"):
        names = _names(path)
    pairs = _paired(names)
    if len(pairs) > 1:
        named = ", ".join(f"'{weights}'" for weights, _ in pairs[:5])
        raise BadWeights(f"{path}: {named} each have options; expected only one. Give the path of the weights file.")
    if pairs:
        with _with_options(Path(path, pairs[0][0]), Path(path, pairs[0][1]), both=True) as container:
            yield container
    else:
        arrays = [name for name in names if name.endswith(NPY)]
        if len(arrays) > MOST_FILES:
            raise BadWeights(f"{path}: holds {len(arrays)} arrays; expected at most {MOST_FILES}. It is refused.")
        tensors = [_tensor(Path(path, name)) for name in arrays]
        yield Container(path, "folder of .npy", {tensor.name: tensor for tensor in tensors})


def recognise_with_options(path: str) -> bool:
    """Return whether a file is named ``…weights.hdf5`` and its ``…options.json`` is next to it."""
    options = _options_of(path)
    return options is not None and Path(path).is_file() and os.path.lexists(options)


@contextlib.contextmanager
def open_with_options(path: str) -> Iterator[Container]:
    """Open HDF5 together with its options file.

    Parameters
    ----------
    path : str
        One that ``recognise_with_options`` accepts.

    Raises
    ------
    MissingInput, BadWeights
    """
    options = _options_of(path)
    if options is None:
        raise BadWeights(f"{path}: expected a name that ends with one of {', '.join(WEIGHTS)}.")
    with _with_options(Path(path), options, both=False) as container:
        yield container


def beside(path: str) -> list[Path]:
    """List the files next to a weights file that say how to read it."""
    options = _options_of(path)
    return [options] if options is not None and recognise_with_options(path) else []


def _options_of(path: str) -> Path | None:
    """Return the path of the options file that belongs to weights of this name."""
    name = Path(path).name
    ending = next((ending for ending in WEIGHTS if name.endswith(ending)), None)
    return None if ending is None else Path(path).with_name(name.removesuffix(ending) + OPTIONS)


def _names(path: str) -> list[str]:
    return sorted(entry.name for entry in Path(path).iterdir())


def _paired(names: list[str]) -> list[tuple[str, str]]:
    """Pair weights and options by prefix; a single one of each is paired whatever its name."""
    options = [name for name in names if name.endswith(OPTIONS)]
    weights = [name for name in names if name.endswith(WEIGHTS)]
    if len(options) == len(weights) == 1:
        return [(weights[0], options[0])]
    found = [(name, _options_of(name)) for name in weights]
    return [(name, beside.name) for name, beside in found if beside is not None and beside.name in options]


@contextlib.contextmanager
def _with_options(weights: Path, options: Path, *, both: bool) -> Iterator[Container]:
    """Open a pair; with ``both`` they come from a folder, else the user named the weights, which may be a link."""
    if both:
        open_regular(weights).close()
    where = str(weights)
    with open_hdf5(weights, BadWeights) as file, weights.open("rb") as raw:
        container = from_hdf5(file, raw, where, "HDF5")
        # Other weights may be next to a file of such a name by chance.
        if any(name.startswith("RNN_") for name in container.tensors):
            container = replace(container, kind="HDF5 with options", documents={OPTIONS: _parsed(options)})
        yield container


def _parsed(path: Path) -> dict[str, Any]:
    with open_regular(path) as file:
        text = file.read(LARGEST_JSON + 1)
    return parse_json(text, str(path))


def _tensor(path: Path) -> Tensor:
    with open_regular(path) as file:
        size = size_of(file, path)
        header = npy_header(file, size, str(path), BadWeights)
    return Tensor(path.name.removesuffix(NPY), header.shape, lambda: _read(path, size))


def _read(path: Path, size: int) -> Array:
    """Read a whole file that was ``size`` bytes long when its header was read."""
    with open_regular(path) as file:
        content = file.read(size) if size_of(file, path) == size else b""
    if len(content) != size:
        raise BadWeights(f"{path}: changed while it was read; expected {size} bytes. Run again.")
    values = npy_array(content, str(path), BadWeights)
    if not math.prod(values.shape):
        raise BadWeights(f"{path}: has shape {values.shape} and no values; it is damaged.")
    return as_floating(values, str(path))
