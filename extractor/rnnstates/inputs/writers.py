"""Detects files and arrays whose axes may be stored in another order, from axis names and marks of their writer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from ..errors import BadInput
from ..untrusted.given import parts
from ..untrusted.hdf5_attributes import fixed_attributes
from ..untrusted.hdf5_packing import CHANGING, is_other_scale
from ..untrusted.meanings import attributes_of
from .axes import NUMBERS, TOKENS, Doubt
from .axis_names import CONFLICT, names_in, names_of, order_from_names

__all__ = ["check_order", "doubt_in", "doubt_of", "mark_of", "shown_attributes"]

# The start of the text before the HDF5 data, and the number of bytes read of it.
USERBLOCKS = {
    b"MATLAB ": "MATLAB",
    b"HDF5-based Julia Data Format": "Julia",
    b"Julia data file (HDF5)": "Julia",
}
USERBLOCK = 64
# Prefixes of attribute names, of the dataset or of a group around it.
ATTRIBUTES = {"MATLAB_": "MATLAB", "OCTAVE_": "GNU Octave", "rhdf5-": "R (rhdf5)"}
# Meaning of the axis letters: of an input, of token ids, of one sequence, of initial states.
MEANT = {NUMBERS: "sequences, steps, features", TOKENS: "sequences, steps", "TI": "steps, features",
         "NI": "sequences, units"}  # fmt: skip
MOST_SHOWN = 32


def doubt_in(dataset: h5py.Dataset, usual: str, where: str) -> Doubt | None:
    """Say why the axes of a dataset may not be in the usual order; None if nothing suggests it.

    Either the file was made by a program that reverses axes, and does not name them in the usual order; or it names
    them in another order.

    Parameters
    ----------
    dataset : h5py.Dataset
    usual : str
        The letters of its axes in the assumed order.
    where : str

    Raises
    ------
    BadInput
        The names of its axes are damaged.
    """
    if len(dataset.shape or ()) != len(usual):
        return None
    named = names_in(dataset, where)
    if order_from_names(named, usual) == usual:
        return None
    if marked := mark_of(dataset):
        return _reversed(*marked, tuple(dataset.shape), usual, where)
    return _named_otherwise(named, usual, where)


def doubt_of(values: object, usual: str, where: str) -> Doubt | None:
    """Say the same about in-memory arrays with attributes or axis names, or lists of them."""
    named_of = list(names_of(values))
    if any(order_from_names(named, usual) == usual for named in named_of):
        return None
    for depth, part in parts(values):
        marked = mark_of(part) if isinstance(part, h5py.Dataset) else _mark_among(attributes_of(part))
        if marked and len(part.shape) > 1 and depth + len(part.shape) == len(usual):
            return _reversed(*marked, tuple(part.shape), usual[depth:], where, around=usual[:depth])
    doubts = (_named_otherwise(named, usual, where) for named in named_of)
    return next((doubt for doubt in doubts if doubt), None)


def check_order(doubt: Doubt | None, usual: str) -> None:
    """Refuse a doubtful order of axes where the caller cannot state another one.

    Parameters
    ----------
    doubt : Doubt or None
    usual : str
        The letters of the axes, as ``MEANT`` explains them.

    Raises
    ------
    BadInput
    """
    if doubt is not None:
        raise BadInput(f"{doubt.why} Give a plain array whose axes are {MEANT[usual]}.")


def mark_of(dataset: h5py.Dataset) -> tuple[str, str] | None:
    """Find the mark of a program that reverses axes.

    Returns
    -------
    (str, str) or None
        The program and its mark.
    """
    start = _userblock(dataset.file)
    for text, program in USERBLOCKS.items():
        if start.startswith(text):
            return program, f"the file begins with '{text.decode().strip()}'"
    return next((mark for node in _around(dataset) if (mark := _mark_among(node.attrs))), None)


def _mark_among(names: Iterable[str]) -> tuple[str, str] | None:
    for name in names:
        for start, program in ATTRIBUTES.items():
            if str(name).startswith(start):
                return program, f"attribute '{name}'"
    return None


def _reversed(program: str, mark: str, stored: tuple[int, ...], usual: str, where: str, around: str = "") -> Doubt:
    turned, wanted = usual[::-1], " x ".join(usual)
    return Doubt(
        f"{where}: was written by {program} ({mark}), which stores axes in reverse order: the shape in the file is "
        f"{stored}, in {program} it is {stored[::-1]}.",
        f'axes="{around}{turned}" reads what is {wanted} in {program}, axes="{around}{usual}" what is {wanted} in the '
        "file.",
        around + turned,
    )


def _named_otherwise(named: list[str], usual: str, where: str) -> Doubt | None:
    letters = order_from_names(named, usual)
    if letters in ("", usual):
        return None
    listed = ", ".join(repr(name[:40]) for name in named)
    expected = f"{usual} ({MEANT[usual]})"
    if letters == CONFLICT:
        return Doubt(
            f"{where}: its axes are called {listed}, of which two mean the same; expected {expected}.",
            f'axes="{usual}" reads it as it is stored.',
            "",
        )
    return Doubt(
        f"{where}: its axes are called {listed}, which is not the usual order, {expected}.",
        f'axes="{letters}" follows the names, axes="{usual}" reads it as it is stored.',
        letters,
    )


def shown_attributes(dataset: h5py.Dataset) -> dict[str, str]:
    """Return the attributes of a dataset that affect the meaning of its values or axes, as short text, for ``info``."""
    relevant = [name for name in fixed_attributes(dataset) if _is_relevant(name)]
    return {name: _shown(dataset.attrs[name]) for name in relevant[:MOST_SHOWN]}


def _is_relevant(name: str) -> bool:
    return name in CHANGING or is_other_scale(name) or name.startswith(tuple(ATTRIBUTES))


def _shown(value: object) -> str:
    listed = np.atleast_1d(np.asarray(value)).reshape(-1)[:4].tolist()
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in listed]
    return ", ".join(texts)[:60]


def _userblock(file: h5py.File) -> bytes:
    """Read the start of a file's user block, before the HDF5 data."""
    if not file.userblock_size or file.driver in ("core", "fileobj"):
        return b""
    with Path(file.filename).open("rb") as raw:
        return raw.read(USERBLOCK)


def _around(dataset: h5py.Dataset) -> Iterator[h5py.HLObject]:
    """Yield a dataset and the groups around it; Octave marks the group of a variable."""
    yield dataset
    parts_of_name = dataset.name.strip("/").split("/")
    for count in range(len(parts_of_name) - 1, 0, -1):
        yield dataset.file["/".join(parts_of_name[:count])]
