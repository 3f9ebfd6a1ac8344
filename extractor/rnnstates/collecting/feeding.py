"""Reads a model's inputs by rows: one array or several, in memory or in files."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from ..arrays.axes import Array
from ..arrays.checksums import Sums, add, sums
from ..errors import BadInput, OptionError
from ..inputs import open_source
from ..inputs.axes import Doubt
from ..inputs.base import Bare, Source
from ..inputs.checking import check_present
from ..inputs.form import Form
from ..inputs.hdf5 import Hdf5Source
from ..inputs.identity import identify, sample_array
from ..inputs.writers import doubt_of
from ..keras.started import keras, tf
from ..untrusted.given import as_array
from .finding import Layer

__all__ = ["Feed", "check_number", "open_feed"]

# Bytes; TensorFlow has no wider numbers.
LARGEST_ITEM = 8


class Rows(Protocol):
    """One input of a model."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    identity: dict[str, object]

    def take(self, rows: slice) -> Array:
        """Read some rows."""

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if a file has changed."""

    def close(self) -> None:
        """Close the file."""


class ArrayRows(Bare):
    """An array of any rank; of a memory-mapped one only the needed rows are read."""

    def __init__(self, values: Any, name: str, axes: str | None = None) -> None:
        self._array = as_array(values, name, BadInput, "Pad the sequences to one length.")
        if self._array.dtype.kind not in "biuf" or not self._array.ndim:
            raise BadInput(f"{name}: shape {self._array.shape}, dtype {self._array.dtype}; expected numbers, one row "
                           "per sequence.")  # fmt: skip
        order = Form(tokens=True, axes=axes).axes_of(self._array.shape, self._array.dtype, name)
        if axes is None:
            _check_order(doubt_of(values, order.letters, name))
        else:
            self._array = order.turn(self._array)
        self.name, self.shape, self.dtype, self.axes = name, self._array.shape, self._array.dtype, order
        self.rows_together = self.steps_together = 1
        self.identity = identify("memory", self.shape, self.dtype, **sample_array(self._array), **order.identity())

    def take(self, rows: slice) -> Array:
        """Read some rows."""
        return np.ascontiguousarray(self._array[rows])

    def read(self, rows: slice, steps: slice) -> Array:
        """Read some rows and steps."""
        return self._array[rows, steps]

    def check_unchanged(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing; the array is the caller's."""


class FileRows:
    """A .npy, .npz or HDF5 file, as ``extract`` reads it."""

    def __init__(self, path: str | os.PathLike[str], dataset: str | None, axes: str | None = None) -> None:
        self.source = open_source(path, dataset=dataset, form=Form(tokens=True, axes=axes))
        if isinstance(self.source, Hdf5Source):
            self.source.refuses_missing = True
        try:
            _check_padded(self.source)
            _check_order(self.source.doubt)
        except BadInput:
            self.source.close()
            raise
        self.name, self.shape, self.dtype = self.source.name, self.source.shape, self.source.dtype
        self.identity = self.source.identity

    def take(self, rows: slice) -> Array:
        """Read some rows."""
        return self.source.read(rows, slice(0, self.shape[1]))

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self.source.check_unchanged()

    def close(self) -> None:
        """Close the file."""
        self.source.close()


class Feed:
    """All inputs of a model, in their structure.

    Parameters
    ----------
    opened : list of Rows
    structure : list or mapping or None
        The structure that the caller gave; None for a single input.
    allow_nonfinite : bool
        Whether the integer that R writes for NA is accepted as a number.
    """

    def __init__(self, opened: list[Rows], structure: Any, *, allow_nonfinite: bool = False) -> None:
        self.opened, self._structure, self._allow_nonfinite = opened, structure, allow_nonfinite
        self.sequences = opened[0].shape[0]
        # Steps of the recurrent layers, once known.
        self.steps = 0

    @property
    def is_list(self) -> bool:
        """Whether the caller gave a list."""
        return isinstance(self._structure, list)

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.opened[0].name

    @property
    def identity(self) -> dict[str, object]:
        """What distinguishes it from other inputs."""
        first, *rest = (one.identity for one in self.opened)
        identity = {**first, "shape": [self.sequences, self.steps], "input_shape": first["shape"]}
        return {**identity, "others": rest} if rest else identity

    @property
    def specs(self) -> Any:
        """The input signature of the graph."""
        return self._packed([tf.TensorSpec([None, *one.shape[1:]], _native(one.dtype)) for one in self.opened])

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of all inputs."""
        return sum(int(np.prod(one.shape[1:])) * one.dtype.itemsize for one in self.opened)

    def read(self, rows: slice) -> list[Array]:
        """Read some rows of all inputs.

        Raises
        ------
        BadInput
            A value is missing, according to an attribute, or as R's NA among integers.
        """
        arrays = [one.take(rows).astype(_native(one.dtype), copy=False) for one in self.opened]
        for one, array in zip(self.opened, arrays, strict=True):
            if not self._allow_nonfinite:
                check_present(array, first_row=rows.start, where=one.name)
        return arrays

    def packed(self, arrays: list[Array]) -> Any:
        """Return the arrays as tensors in the structure that the model takes."""
        return self._packed([tf.constant(array) for array in arrays])

    def sums(self, arrays: list[Array], rows: slice, before: Sums) -> Sums:
        """Add the checksums of what was read; only for arrays, because changed files are detected otherwise."""
        for one, array in zip(self.opened, arrays, strict=True):
            if one.identity["mtime_ns"] is None:
                plain = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                before = add(before, sums(plain, rows.start * plain.size // max(1, len(array))))
        return before

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if a file has changed since it was opened."""
        for one in self.opened:
            one.check_unchanged()

    def close(self) -> None:
        """Close the files."""
        for one in self.opened:
            one.close()

    def _packed(self, values: list[Any]) -> Any:
        return values[0] if self._structure is None else keras.tree.pack_sequence_as(self._structure, values)


def open_feed(inputs: Any, dataset: str | None, axes: str | None = None, *, allow_nonfinite: bool = False) -> Feed:
    """Open a model's inputs.

    Parameters
    ----------
    inputs : array, path, or list or dict of them
        Each with one row per sequence.
    dataset : str or None
        Of an HDF5 file.
    axes : str or None
        The stored order of the axes of each input.
    allow_nonfinite : bool
        As for ``extract``; applies to integers.

    Raises
    ------
    BadInput
        Something is not a numeric array, or they have different numbers of rows.
    MissingInput
        A file is absent or unreadable.
    OptionError
        A dataset is named, but there is no file.
    """
    several = isinstance(inputs, Mapping) or (
        isinstance(inputs, list | tuple)
        and all(isinstance(one, np.ndarray | str | os.PathLike) or tf.is_tensor(one) for one in inputs)
        and len(inputs) > 0
    )
    named = _named(inputs) if several else {"inputs": inputs}
    if dataset is not None and not any(isinstance(given, str | os.PathLike) for given in named.values()):
        raise OptionError(f"dataset={dataset!r}: names a dataset, but no input is an HDF5 file; leave dataset= out.")
    opened: list[Rows] = []
    try:
        for name, given in named.items():
            is_path = isinstance(given, str | os.PathLike)
            opened.append(FileRows(given, dataset, axes) if is_path else ArrayRows(given, name, axes))
        _check_rows(opened)
    except BaseException:
        for one in opened:
            with suppress(OSError):
                one.close()
        raise
    structure = dict.fromkeys(inputs, 0) if isinstance(inputs, Mapping) else [0] * len(opened)
    return Feed(opened, structure if several else None, allow_nonfinite=allow_nonfinite)


def check_number(feed: Feed, model: Layer) -> None:
    """Refuse a list with more or fewer arrays than the model has inputs: Keras ignores surplus ones.

    Raises
    ------
    BadInput
    """
    expected = len(getattr(model, "inputs", None) or ())
    # A subclassed model does not state its inputs, and from a dict Keras takes inputs by name.
    if expected and feed.is_list and len(feed.opened) != expected:
        raise BadInput(
            f"inputs: are a list of {len(feed.opened)}, but model '{model.name}' has {expected} "
            f"input{'s' if expected > 1 else ''}; expected one array for each, with one row per sequence. Stack rows "
            "or batches into one array."
        )


def _check_padded(source: Source) -> None:
    """Refuse sequences without padding: the model would read the zeros after them as steps."""
    if source.lengths is not None:
        raise BadInput(
            f"{source.name}: holds sequences without padding; expected a padded array, as the model reads it. Pad them "
            "to one length and give lengths=."
        )


def _check_order(doubt: Doubt | None) -> None:
    if doubt is not None:
        raise BadInput(f"{doubt} Say which it is.")


def _named(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, Mapping):
        if len({type(name) for name in inputs}) > 1:
            raise BadInput(f"inputs: a dict with the keys {list(inputs)!r}; expected the names of the model's inputs.")
        # The order in which ``keras.tree`` traverses a dict.
        return {f"inputs['{name}']": inputs[name] for name in sorted(inputs)}
    return {f"inputs[{number}]": given for number, given in enumerate(inputs)}


def _check_rows(opened: list[Rows]) -> None:
    if not opened:
        raise BadInput("inputs: none given; expected at least one array or path.")
    for one in opened:
        if one.dtype.itemsize > LARGEST_ITEM:
            raise BadInput(f"{one.name}: dtype {one.dtype}; expected one that TensorFlow has. Convert it with .astype.")
    for one in opened[1:]:
        if one.shape[0] != opened[0].shape[0]:
            raise BadInput(
                f"{one.name}: has {one.shape[0]} rows, but {opened[0].name} has {opened[0].shape[0]}; expected one row "
                "per sequence in each."
            )


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(dtype.name)
