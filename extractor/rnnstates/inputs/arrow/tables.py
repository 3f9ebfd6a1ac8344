"""Parquet and Arrow files as tables in pieces (row groups, record batches), of which a few rows are read at a time."""

from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO, Protocol

from ...errors import BadInput
from .started import Arrow, arrow_errors, import_arrow

__all__ = ["Table", "open_table"]

# Bytes of a Parquet file that are read at a time.
BUFFER = 2**20
# Bytes of decoded values at a time, and the most rows.
BATCH_BYTES, BATCH_ROWS = 4 * 2**20, 2**16
# Bytes that one stored byte may be decoded to, beside a part that is always allowed: otherwise it would take a few
# bytes to keep a computer busy for days.
MOST_DECODED, ALLOWED = 4096, 2**30


class Table(Protocol):
    """A table in pieces.

    Attributes
    ----------
    kind : str
        ``parquet`` or ``arrow``.
    schema : pyarrow.Schema
    starts : list of int
        The first row of each piece, and the number of rows.
    """

    kind: str
    schema: Arrow
    starts: list[int]

    def rows(self, piece: int, name: str) -> Iterator[Arrow]:
        """Yield arrays of a column with all rows of a piece, in order."""

    def column(self, name: str) -> Arrow:
        """Read a whole column, a ``pyarrow.ChunkedArray``."""

    def close(self) -> None:
        """Close the file; safe to call twice."""


class ParquetTable:
    """A Parquet file; see ``Table``.

    Parameters
    ----------
    file : binary file
        It is closed with the table.
    where : str
    """

    kind = "parquet"

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._raw, self._where, parquet = file, where, import_arrow().parquet
        with arrow_errors(where, BadInput):
            # Without a buffer, all that a row group stores of a column is read at once.
            self._file = parquet.ParquetFile(
                file, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True
            )
            self.schema = self._file.schema_arrow
            groups = [self._file.metadata.row_group(number) for number in range(self._file.num_row_groups)]
            self.starts = [0, *accumulate(group.num_rows for group in groups)]
            self._check_sizes([group.num_rows for group in groups])
            self._values = self._counts(groups)

    def _check_sizes(self, rows: list[int]) -> None:
        if min(rows, default=0) < 0 or sum(rows) != self._file.metadata.num_rows:
            raise BadInput(
                f"{self._where}: row groups of {rows[:5]} rows, but {self._file.metadata.num_rows} in all. The file is "
                "damaged, make it again."
            )

    def _counts(self, groups: list[Arrow]) -> list[dict[str, int]]:
        """Count the single values of each column in each row group."""
        found: list[dict[str, int]] = []
        for group in groups:
            counts: dict[str, int] = {}
            for number in range(group.num_columns):
                column = group.column(number)
                name = column.path_in_schema
                counts[name] = counts.get(name, 0) + column.num_values
            found.append(counts)
        return found

    def _count(self, piece: int, name: str) -> int:
        return sum(count for path, count in self._values[piece].items() if path == name or path.startswith(f"{name}."))

    def values(self, name: str) -> int:
        """Return how many single values a column says that it has."""
        return sum(self._count(piece, name) for piece in range(len(self._values)))

    def rows(self, piece: int, name: str) -> Iterator[Arrow]:
        """Yield arrays of a column with all rows of a row group, in order."""
        rows = self.starts[piece + 1] - self.starts[piece]
        if not rows:
            return
        # As if all rows had the average length, and all values were as wide as the widest.
        size = max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, 8 * self._count(piece, name))))
        with arrow_errors(self._where, BadInput):
            for batch in self._file.iter_batches(size, row_groups=[piece], columns=[name], use_threads=False):
                yield batch.column(batch.schema.names.index(name))

    def column(self, name: str) -> Arrow:
        """Read a whole column, a ``pyarrow.ChunkedArray``."""
        with arrow_errors(self._where, BadInput):
            return self._file.read(columns=[name], use_threads=False).column(name)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()
        self._raw.close()


class ArrowTable:
    """An Arrow file or stream of record batches, which Feather files are too; see ``Table``.

    Parameters
    ----------
    file : binary file
        It is closed with the table.
    where : str
    """

    kind = "arrow"

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._raw, self._where, self._ipc = file, where, import_arrow().ipc
        with arrow_errors(where, BadInput):
            self._file = self._ipc.open_file(file)
            self.schema = self._file.schema
            counts = [self._file.get_batch(number).num_rows for number in range(self._file.num_record_batches)]
        self.starts = [0, *accumulate(counts)]

    def _opened(self, name: str) -> Arrow:
        """Open the file so that nothing is read but one column."""
        options = self._ipc.IpcReadOptions(included_fields=[self.schema.names.index(name)], use_threads=False)
        return self._ipc.open_file(self._raw, options=options)

    def rows(self, piece: int, name: str) -> Iterator[Arrow]:
        """Yield the array of a column with all rows of a record batch, in parts."""
        with arrow_errors(self._where, BadInput):
            array = self._opened(name).get_batch(piece).column(name)
            array.validate(full=True)
            size = max(1, min(BATCH_ROWS, BATCH_BYTES * len(array) // max(1, array.nbytes)))
            for start in range(0, len(array), size):
                yield array.slice(start, size)

    def column(self, name: str) -> Arrow:
        """Read a whole column, a ``pyarrow.ChunkedArray``."""
        with arrow_errors(self._where, BadInput):
            column = self._opened(name).read_all().column(name)
            column.validate(full=True)
            return column

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._raw.close()


# From the first bytes of a file to what reads it.
TABLES: dict[bytes, type[ParquetTable] | type[ArrowTable]] = {b"PAR1": ParquetTable, b"ARROW1": ArrowTable}


def open_table(file: BinaryIO, where: str) -> Table:
    """Open the table in a file, which is closed with it.

    Raises
    ------
    BadInput
        It is damaged, or neither a Parquet nor an Arrow file.
    EngineUnavailable
    """
    start = file.read(max(map(len, TABLES)))
    for magic, table in TABLES.items():
        if start.startswith(magic):
            file.seek(0)
            return table(file, where)
    raise BadInput(f"{where}: neither a Parquet nor an Arrow file any more. Start again when it is complete.")
