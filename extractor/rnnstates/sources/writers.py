"""Marks of programs that store the axes of an array in reverse order, and names of axes that say an order."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import BadInput
from ..hdf5_attributes import fixed_attributes
from ..hdf5_heap_guard import MOST_SEARCHED, check_own_heaps
from ..hdf5_packing import CHANGING, is_other_scale
from .axes import NUMBERS, Axes

__all__ = ["SEQUENCES", "UNITS", "USERBLOCK", "axis_names", "doubt_of", "mark_of", "shown_attributes", "userblock_of"]

# How the text before the HDF5 begins.
USERBLOCKS = {b"MATLAB ": "MATLAB", b"HDF5-based Julia Data Format": "Julia"}
# How the names of attributes begin, of the dataset or of a group around it.
ATTRIBUTES = {"MATLAB_": "MATLAB", "OCTAVE_": "GNU Octave", "rhdf5-": "R (rhdf5)"}
# What axes are called: their letters.
SEQUENCES = ("n", "sequence", "sequences", "sample", "samples", "batch", "instance", "series")
UNITS = ("unit", "units", "hidden", "hidden_size", "neuron", "neurons", "feature", "features", "channel", "channels")
NAMES = {
    **dict.fromkeys(SEQUENCES, "N"),
    **dict.fromkeys(("t", "time", "times", "step", "steps", "timestep", "timesteps", "frame", "frames"), "T"),
    **dict.fromkeys(("i", "feature", "features", "channel", "channels", "variable", "input", "inputs", "band"), "I"),
}
MOST_NAMES = 32
# So much is looked at of the text before the HDF5, in which some writers name themselves.
USERBLOCK = 64


def userblock_of(dataset: h5py.Dataset) -> bytes:
    """Read how the file of a dataset begins where text stands before the HDF5; else nothing."""
    if dataset.file.userblock_size and dataset.file.driver not in ("core", "fileobj"):
        with Path(dataset.file.filename).open("rb") as raw:
            return raw.read(USERBLOCK)
    return b""


def mark_of(dataset: h5py.Dataset, userblock: bytes) -> tuple[str, str] | None:
    """Find the mark of a writer that reverses axes.

    Parameters
    ----------
    dataset : h5py.Dataset
    userblock : bytes
        How the file begins.

    Returns
    -------
    (str, str) or None
        The program and its mark.
    """
    for text, program in USERBLOCKS.items():
        if userblock.startswith(text):
            return program, f"the file begins with '{text.decode().strip()}'"
    for node in _around(dataset):
        for name in list(node.attrs)[:MOST_NAMES]:
            for start, program in ATTRIBUTES.items():
                if name.startswith(start):
                    return program, f"attribute '{name}'"
    return None


def doubt_of(dataset: h5py.Dataset, userblock: bytes, axes: Axes, where: str) -> str:
    """Say why an order of axes cannot be taken for granted; "" where somebody gave it, or nothing speaks against it.

    The file was made by a program that reverses axes, or names its axes in another order.
    """
    if axes.is_given or not axes.letters:
        return ""
    stored, usual, turned = tuple(dataset.shape), axes.letters, axes.letters[::-1]
    wanted = " x ".join(usual)
    if marked := mark_of(dataset, userblock):
        program, mark = marked
        return (
            f"{where}: was written by {program} ({mark}), which stores axes in reverse order: the shape in the file is "
            f'{stored}, in {program} it is {stored[::-1]}. axes="{turned}" reads what is {wanted} in {program}, '
            f'axes="{usual}" what is {wanted} in the file.'
        )
    named = axis_names(dataset)
    letters = _order(named, usual)
    if letters not in ("", usual):
        listed = ", ".join(repr(name[:40]) for name in named)
        return (
            f"{where}: its axes are called {listed}, which is not the usual order, {NUMBERS} (sequences, "
            f'steps, features). axes="{letters}" goes by the names, axes="{usual}" reads it as it is stored.'
        )
    return ""


def _order(named: list[str], usual: str) -> str:
    """Give the order that names of axes say, those that are unknown in their usual order; "" where they say none."""
    known = [NAMES.get(name.lower(), "") for name in named]
    said = [letter for letter in known if letter]
    if len(named) != len(usual) or not said or len(set(said)) < len(said) or not set(said) <= set(usual):
        return ""
    others = iter(letter for letter in usual if letter not in said)
    return "".join(letter or next(others) for letter in known)


def shown_attributes(dataset: h5py.Dataset) -> dict[str, str]:
    """Give the attributes of a dataset that say how its values or axes are meant, as short text, for ``info``."""
    heeded = [name for name in fixed_attributes(dataset) if _is_heeded(name)]
    return {name: _shown(dataset.attrs[name]) for name in heeded[:MOST_NAMES]}


def _is_heeded(name: str) -> bool:
    return name in CHANGING or is_other_scale(name) or name.startswith(tuple(ATTRIBUTES))


def _shown(value: Any) -> str:
    listed = np.atleast_1d(np.asarray(value)).reshape(-1)[:4].tolist()
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in listed]
    return ", ".join(texts)[:60]


def _around(dataset: h5py.Dataset) -> Iterator[h5py.HLObject]:
    """Give a dataset and the groups around it; Octave marks the group of a variable."""
    yield dataset
    parts = dataset.name.strip("/").split("/")
    for count in range(len(parts) - 1, 0, -1):
        yield dataset.file["/".join(parts[:count])]


def axis_names(values: Any) -> list[str]:
    """Name the axes of an array: of a dataset by their labels, else by their dimension scales; [] without names."""
    if not isinstance(values, h5py.Dataset):
        # As xarray has them.
        named = getattr(values, "dims", None)
        return list(named) if isinstance(named, tuple) and all(isinstance(name, str) for name in named) else []
    names: list[str] = []
    if not {"DIMENSION_LABELS", "DIMENSION_LIST"} & set(values.attrs):
        return names
    if Path(values.file.filename).stat().st_size > MOST_SEARCHED:
        return names
    check_own_heaps(values.file, values.file.filename, BadInput)
    # References to scales may be damaged; then nothing is said.
    with contextlib.suppress(Exception):
        for axis in values.dims:
            scale = axis[0].name.rpartition("/")[2] if not axis.label and len(axis) else ""
            names.append(axis.label or scale)
    return names
