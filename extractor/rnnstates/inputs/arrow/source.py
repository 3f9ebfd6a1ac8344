"""``Source`` for a column of lists in a Parquet, Arrow or Feather file: a few rows are decoded at a time."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...arrays.axes import AllLengths, Stored, empty_window
from ...errors import BadInput, OptionError
from ...untrusted.missing import open_file
from ..axes import NUMBERS, TOKENS, Axes
from ..base import Bare
from ..container import Container
from ..form import PADDED, Form
from ..identity import check_unchanged, identify, sample_file
from ..layout import check_layout, dtype_notes
from .columns import Columns, choose
from .ragged import NOTHING, Lists, Ragged, ragged
from .started import arrow_errors
from .tables import Table, open_table

__all__ = ["ColumnSource"]


class ColumnSource(Bare):
    """A column of lists, padded with zeros block by block; see ``Source`` for the attributes.

    All of it is decoded once when it is opened, because its lengths are not stored by themselves.

    Parameters
    ----------
    path : str or path
    dataset : str or None
        The name of the column; None: ``inputs``, else the only one of lists of numbers.
    form : Form

    Raises
    ------
    MissingInput, BadInput, OptionError, EngineUnavailable
    """

    def __init__(self, path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> None:
        self._file = open_file(path, "a Parquet or Arrow file")
        try:
            with arrow_errors(str(path), BadInput):
                self._open(path, dataset, form)
        except BaseException:
            self._file.close()
            raise
        self.rows_together = 1
        # To read some steps of a row, all of it is decoded.
        self.steps_together = self.shape[1]
        self.notes: tuple[str, ...] = dtype_notes(self.shape, self.dtype, self.name)

    def _open(self, path: str | os.PathLike[str], dataset: str | None, form: Form) -> None:
        sample = sample_file(self._file)
        self._table = open_table(self._file, str(path))
        column, lists = choose(self._table.schema, str(path), dataset)
        self.name = f"{path}: column '{column}'"
        self.container: Container | None = Columns(self._table, str(path))
        self._column = _Column(self._table, column, lists, self.name)
        self.lengths: AllLengths | None = self._column.lengths
        self.dtype = lists.dtype
        self.axes = self._axes(form, lists)
        self.shape = self.axes.shape
        check_layout(self.axes, self.dtype, self.name, tokens=form.tokens)
        known = sample | self.axes.identity()
        self.identity = identify(self._table.kind, self.shape, self.dtype, path=str(path), dataset=column, **known)

    def _axes(self, form: Form, lists: Lists) -> Axes:
        """Decide what a step is; the order of the axes is that of the lists."""
        order = NUMBERS if lists.is_nested else TOKENS
        if form.axes is not None and form.axes.upper() != order:
            raise OptionError(
                f"{self.name}: axes={form.axes!r}; a column of lists holds one sequence per row, so its order is "
                f"{order}. Leave axes= out."
            )
        shape = (len(self._column.lengths), max(1, int(self._column.lengths.max(initial=0))))
        if lists.is_nested:
            # Those of the weights, if there is no step.
            known = self._column.features if self._column.features is not None else form.features
            return form.axes_of((*shape, known or 0), lists.dtype, self.name)
        # A list of fractional numbers can only be one feature per step; of integers it may be token ids.
        form = replace(form, axes=TOKENS) if lists.dtype.kind == "f" else replace(form, follows=PADDED.follows)
        return form.axes_of(shape, lists.dtype, self.name)

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...], zero after each sequence."""
        check_unchanged(self._file.fileno(), self.identity, self.name)
        shape = (rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:])
        block = empty_window(shape, self.dtype)
        if block.size:
            with arrow_errors(self.name, BadInput):
                self._fill(block, rows, steps)
        return block

    def _fill(self, block: Stored, rows: slice, steps: slice) -> None:
        first, found = rows.start, NOTHING
        for row in range(rows.start, rows.stop):
            if row >= first + found.rows:
                first, found = self._column.at(row)
            part = found.steps(row - first, steps)
            block[row - rows.start, : len(part)] = part.reshape(len(part), *self.shape[2:])

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        check_unchanged(self._file.fileno(), self.identity, self.name, sampled=True)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._column.forget()
        self._table.close()


class _Column:
    """A column of lists, read forward from the start of a piece; reading backward begins a piece again.

    Attributes
    ----------
    lengths : int64 [N]
    features : int or None
        Of the first step; None if there is none.
    """

    def __init__(self, table: Table, name: str, lists: Lists, where: str) -> None:
        self._table, self._name, self._lists, self._where = table, name, lists, where
        self.features: int | None = lists.features
        self._coming, self._first = self._from(0), 0
        self._found: Ragged | None = None
        counted = [np.diff(found.offsets) for _, found in self._from(0)]
        self.lengths: AllLengths = np.concatenate([np.zeros(0, np.int64), *counted])

    def _from(self, piece: int) -> Iterator[tuple[int, Ragged]]:
        """Yield the rows from a piece on, and the number of the first of them."""
        for number in range(piece, len(self._table.starts) - 1):
            first = self._table.starts[number]
            for column in self._table.rows(number, self._name):
                found = ragged(column, self._lists, first, self._where)
                self._check_features(found, first)
                yield first, found
                first += found.rows
            if first != self._table.starts[number + 1]:
                raise BadInput(
                    f"{self._where}: ends at row {first}; expected {self._table.starts[number + 1]}, as the file says. "
                    "The file is damaged, make it again."
                )

    def _check_features(self, found: Ragged, first: int) -> None:
        if not self._lists.is_nested or not len(found.values):
            return
        if self.features is None:
            self.features = found.values.shape[1]
        if found.values.shape[1] != self.features:
            row = first + int(np.argmax(np.diff(found.offsets) > 0))
            raise BadInput(
                f"{self._where}: row {row} has {found.values.shape[1]} features per step, but rows before have "
                f"{self.features}; expected as many in every step of every row. Make the file again."
            )

    def at(self, row: int) -> tuple[int, Ragged]:
        """Return decoded rows that include this one, and the number of the first of them."""
        starts = self._table.starts
        piece = bisect_right(starts, row) - 1
        if self._found is None or row < self._first or self._first + self._found.rows < starts[piece]:
            self._coming, self._found = self._from(piece), None
        while self._found is None or row >= self._first + self._found.rows:
            coming = next(self._coming, None)
            if coming is None:
                raise ValueError(f"row {row} is gone")
            self._first, self._found = coming
        return self._first, self._found

    def forget(self) -> None:
        """Drop what is decoded."""
        self._coming, self._found = iter(()), None
