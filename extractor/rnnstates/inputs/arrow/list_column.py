"""``ListColumn``: a column of lists in a table, of which a few rows are decoded at a time."""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from ...arrays.axes import AllLengths
from ...errors import BadInput
from .ragged import Lists, Ragged, ragged
from .tables import Table

__all__ = ["ListColumn"]


class ListColumn:
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
