"""``Source`` for a column of lists in a Parquet, Arrow or Feather file: a few rows are decoded at a time."""

import os
from dataclasses import replace

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
from .list_column import ListColumn
from .ragged import NOTHING, Lists
from .started import arrow_errors
from .tables import open_table

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
        self._column = ListColumn(self._table, column, lists, self.name)
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
