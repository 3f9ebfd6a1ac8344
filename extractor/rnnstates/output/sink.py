"""The Sink protocol, which receives rows of states, and the sink in memory; ``writer`` has the one for files."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from ..arrays.axes import Array, Floats, Names, Rows, Table
from ..arrays.checksums import Sums
from ..arrays.copying import copy_rows
from .carried import HasEntries, blocks_of, path_of, shape_of
from .format import FORMAT, FORMAT_VERSION, INPUT_LENGTHS, DatasetSpec, Shape
from .journal import Window
from .layout import encoded
from .states import States

__all__ = ["AnyFloats", "MemorySink", "Sink", "to_dtype"]

AnyFloats = Annotated[Floats, "*axes"]


class Sink(Protocol):
    """Receives rows of states, each row once, from several threads.

    Attributes
    ----------
    windows : mapping
        The windows that an earlier run finished, by number; they are not put again.
    """

    @property
    def windows(self) -> Mapping[int, Window]:
        """See above."""

    def put(self, spec: DatasetSpec, row: int, values: Table, window: int) -> None:
        """Store ``values`` [k, width], contiguous and in the dataset's dtype, at rows ``row`` to ``row + k``.

        The dataset is seen as [rows, width]; all rows belong to sequences of one window.
        """

    def put_sequences(
        self, spec: DatasetSpec, places: Rows, values: Table, first: Rows, counts: Rows, window: int
    ) -> None:
        """Store several stretches of ``values`` [k, width] in one call.

        Stretch i is rows ``first[i]`` to ``first[i] + counts[i]`` of ``values``, and goes to row ``places[i]``.
        """

    def finish(self, window: int, overflowed: int, read: Sums | None) -> None:
        """Report that all rows of a window have been put.

        Parameters
        ----------
        window : int
        overflowed : int
            Values in it that were too large for the stored dtype.
        read : (int, int) or None
            Sums of what was read, if nothing else identifies the input.
        """


def to_dtype(values: AnyFloats, dtype: "np.dtype[Any]") -> tuple[AnyFloats, int]:
    """Cast states for storing.

    Parameters
    ----------
    values : floating, any shape

    Returns
    -------
    (array, int)
        The cast values, contiguous, and the number of finite values that became infinite in the narrower type.
    """
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(values, dtype)
    if dtype.itemsize >= values.dtype.itemsize:
        return cast, 0
    return cast, int(np.count_nonzero(np.isinf(cast) & np.isfinite(values)))


def _room(spec: DatasetSpec, shape: Shape) -> Array:
    """Allocate an array that is zero where nothing will be put, i.e. in the padding of states of every step."""
    make = np.zeros if spec.pooling is None and shape.layout == "padded" else np.empty
    return make(spec.shape, spec.dtype.newbyteorder("="))


class MemorySink:
    """Arrays in memory, with the names and shapes that the file would have.

    Parameters
    ----------
    specs : tuple of DatasetSpec
    shape : Shape
    ids : array [N] or None
    version : int
        That of the format.
    carried : sequence of HasEntries
        What is copied from the input.
    """

    def __init__(
        self, specs: tuple[DatasetSpec, ...], shape: Shape, ids: Names | None, version: int = FORMAT_VERSION,
        carried: Sequence[HasEntries] = (),
    ) -> None:  # fmt: skip
        self._shape, self._version, self._lock = shape, version, threading.Lock()
        self.windows: dict[int, Window] = {}
        self.overflowed = 0
        self.arrays: dict[str, Array] = {spec.name: _room(spec, shape) for spec in specs}
        self._rows = {spec.name: self.arrays[spec.name].reshape(-1, spec.width) for spec in specs}
        self.arrays["lengths"] = shape.stored_lengths.copy()
        if not shape.kept.all:
            self.arrays[INPUT_LENGTHS] = shape.lengths.copy()
        if shape.layout == "packed":
            self.arrays["offsets"] = shape.offsets
        if ids is not None:
            self.arrays["ids"] = ids
        for each in carried:
            blocks = [block.astype(each.dtype) for _, block in blocks_of(each, shape)]
            whole = np.concatenate(blocks) if blocks else np.zeros(shape_of(each, shape), each.dtype)
            self.arrays[path_of(each)] = whole.astype(whole.dtype.newbyteorder("="))

    def put(self, spec: DatasetSpec, row: int, values: Table, window: int) -> None:  # noqa: ARG002
        """Store rows."""
        self._rows[spec.name][row : row + len(values)] = values

    def put_sequences(
        self,
        spec: DatasetSpec,
        places: Rows,
        values: Table,
        first: Rows,
        counts: Rows,
        window: int,  # noqa: ARG002
    ) -> None:
        """Store several stretches of rows."""
        copy_rows(values, first, self._rows[spec.name], places, counts)

    def finish(self, window: int, overflowed: int, read: Sums | None) -> None:  # noqa: ARG002
        """Count the values that were too large."""
        with self._lock:
            self.overflowed += overflowed

    def states(self, layers: list[str], provenance: Mapping[str, Any]) -> States:
        """Return the arrays, read-only from now on."""
        for array in self.arrays.values():
            array.flags.writeable = False
        attributes = {
            "format": FORMAT,
            "format_version": self._version,
            "layout": self._shape.layout,
            "padding": self._shape.padding,
            **self._shape.kept.named(),
            "layers": layers,
            "provenance": json.loads(encoded(provenance)),
        }
        return States(self.arrays, attributes)
