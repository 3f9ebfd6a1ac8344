"""Chooses the column of a table that holds the sequences, and finds lengths and ids in others."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from ...arrays.axes import Flat
from ...errors import BadData, BadInput
from ..container import Series
from ..hdf5_choice import guess
from .list_column import ListColumn
from .ragged import TEXT, Lists, lists_of
from .started import Arrow, arrow_errors, is_of
from .tables import Table, whole_column

__all__ = ["Columns", "choose", "described"]

DEFAULT = "inputs"
MOST_LISTED = 5
EXPECTED = (
    "a column of lists, one list per sequence: list<float> or list<int> of steps, or list<list<float>> of steps with "
    "features"
)
FLAT = (
    "If a row is one step, group the rows first, such as df.groupby('id', sort=False)['x'].agg(list).reset_index() "
    "in pandas."
)


class OneColumn(NamedTuple):
    """A column, for lists of what is there; see ``Described``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = np.dtype(object)


class Columns:
    """The other columns of a table; see ``Container``.

    Parameters
    ----------
    table : Table
    path : str
    """

    def __init__(self, table: Table, path: str) -> None:
        self._table, self.path = table, path
        self.group: tuple[str, ...] = ()
        self.noun = "column"

    def find(self, name: str, error: type[BadData]) -> Flat | None:
        """Return the numbers or strings of a column [N]; None if there is none.

        Raises
        ------
        error
            It has nulls, or is of neither numbers nor strings.
        """
        if self._table.schema.names.count(name) != 1:
            return None
        where = f"{self.path}: column '{name}'"
        with arrow_errors(where, error):
            column = whole_column(self._table, name)
            column.validate(full=True)
            return _plain(column, where, error)

    def present(self, _error: type[BadData]) -> Mapping[str, OneColumn]:
        """Return what describes each column, by name."""
        schema, shape = self._table.schema, (self._table.starts[-1],)
        return {name: OneColumn(shape, _dtype(schema.field(at).type)) for at, name in enumerate(schema.names)}

    def series(self, name: str, _sequences: Sequence[str] | None, error: type[BadData]) -> Series | None:
        """Return a column of lists of numbers or text; None for any other column.

        Raises
        ------
        error
            A list or value is null, or entries have different widths.
        """
        schema = self._table.schema
        if schema.names.count(name) != 1:
            return None
        lists, where = lists_of(schema.field(name).type, text=True), f"{self.path}: column '{name}'"
        if lists is None:
            return None
        with arrow_errors(where, error):
            column = ListColumn(self._table, name, lists, where)

        def read(row: int) -> Flat:
            with arrow_errors(where, error):
                first, found = column.at(row)
            return found.row(row - first)

        tail = (column.features or 0,) if lists.is_nested else ()
        return Series(column.lengths, tail, lists.dtype, read)


def _dtype(kind: Arrow) -> "np.dtype[Any]":
    """Return what NumPy makes of a column: lists of varying length, text or single values."""
    value = kind.value_type if is_of(kind, "dictionary") else kind
    found: np.dtype[Any] = np.dtype(object)
    if (lists := lists_of(kind, text=True)) is not None:
        found = h5py.vlen_dtype(lists.dtype)
    elif is_of(value, *TEXT):
        found = h5py.string_dtype()
    elif is_of(value, "integer", "floating", "boolean"):
        found = np.dtype(value.to_pandas_dtype())
    return found


def _plain(column: Arrow, where: str, error: type[BadData]) -> Flat:
    if is_of(column.type, "dictionary"):
        column = column.cast(column.type.value_type)
    if not is_of(column.type, "integer", "floating", "boolean", *TEXT):
        raise error(
            f"{where}: type {str(column.type)[:100]}; expected numbers or strings, one per row. Convert the column."
        )
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise error(f"{where}: row {row} is null; expected one value per row. Fill it, or drop the row.")
    values: Flat = column.to_numpy()
    return values


def choose(schema: Arrow, path: str, name: str | None) -> tuple[str, Lists]:
    """Return the name of the column to read, and what its lists hold.

    Parameters
    ----------
    schema : pyarrow.Schema
    path : str
    name : str or None
        The parameter ``dataset=``. None: ``inputs``, else the only column of lists of numbers.

    Raises
    ------
    BadInput
        It is absent or of another type, or none or several fit.
    """
    wanted = name or DEFAULT
    names = schema.names
    if names.count(wanted) > 1:
        raise BadInput(f"{path}: {names.count(wanted)} columns are called '{wanted}'. Give them different names.")
    if wanted in names:
        kind = schema.field(wanted).type
        if (lists := lists_of(kind)) is None:
            raise BadInput(f"{path}: column '{wanted}' has type {str(kind)[:100]}; expected {EXPECTED}. {FLAT}")
        return wanted, lists
    if name is not None:
        near = guess(name, dict.fromkeys(names, OneColumn(())))
        raise BadInput(f"{path}: no column '{name}'; present: {described(schema)}.{near} Name one with dataset=.")
    found = {key: lists for key in names if (lists := lists_of(schema.field(names.index(key)).type))}
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        fitting = ", ".join(f"'{key}'" for key in list(found)[:MOST_LISTED])
        raise BadInput(f"{path}: no column 'inputs', and {len(found)} that fit: {fitting}. Name one with dataset=.")
    raise BadInput(f"{path}: no column of sequences; expected {EXPECTED}, present: {described(schema)}. {FLAT}")


def described(schema: Arrow) -> str:
    """List columns with their types, at most five."""
    shown = [f"'{name}' {str(schema.field(at).type)[:60]}" for at, name in enumerate(schema.names[:MOST_LISTED])]
    more = len(schema.names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if shown else "none"
