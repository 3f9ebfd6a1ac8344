"""Parquet and Arrow files as tables in pieces (row groups, record batches), of which a few rows are read at a time."""

import os
from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO, Protocol

from ...errors import BadInput
from .started import Arrow, import_arrow

__all__ = ["Table", "open_table", "whole_column"]

# Bytes of a Parquet file that are read at a time.
BUFFER = 2**20
# Bytes of decoded values at a time, and the most rows.
BATCH_BYTES, BATCH_ROWS = 4 * 2**20, 2**16
# Rows that are decoded to learn their size.
FEW = 16
# The most rows per byte of a file, and the most bytes of a column that is read whole.
MOST_ROWS, MOST_WHOLE = 4096, 2**30


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

    def close(self) -> None:
        """Close the file; safe to call twice."""


class ParquetTable:
    """A Parquet file; see ``Table``.

    Parameters
    ----------
    file : binary file
        It is closed with the table.
    """

    kind = "parquet"

    def __init__(self, file: BinaryIO) -> None:
        self._raw = file
        # Without a buffer, all that a row group stores of a column is read at once.
        self._file = import_arrow().parquet.ParquetFile(
            file, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True
        )
        self.schema = self._file.schema_arrow
        groups = [self._file.metadata.row_group(number) for number in range(self._file.num_row_groups)]
        rows = [group.num_rows for group in groups]
        if min(rows, default=0) < 0 or sum(rows) != self._file.metadata.num_rows:
            raise ValueError(f"row groups of {rows[:5]} rows, but {self._file.metadata.num_rows} rows in all")
        self.starts = [0, *accumulate(rows)]
        # More about a column is not asked for: pyarrow 26 ends the process if that is damaged.
        self._sizes = [group.total_byte_size for group in groups]

    def rows(self, piece: int, name: str) -> Iterator[Arrow]:
        """Yield arrays of a column with all rows of a row group, in order."""
        rows = self.starts[piece + 1] - self.starts[piece]
        if rows:
            yield from self._batches(piece, name, self._batch_rows(piece, name, rows))

    def _batch_rows(self, piece: int, name: str, rows: int) -> int:
        """Choose how many rows to decode at a time, by their stored size and by a few of them."""
        most = max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, self._sizes[piece])))
        few = next(self._batches(piece, name, min(FEW, most)), None)
        if few is None:
            raise ValueError(f"row group {piece} has none of its {rows} rows")
        row_bytes: int = few.nbytes // max(1, len(few))
        return int(max(1, min(most, BATCH_BYTES // max(1, row_bytes))))

    def _batches(self, piece: int, name: str, size: int) -> Iterator[Arrow]:
        for batch in self._file.iter_batches(size, row_groups=[piece], columns=[name], use_threads=False):
            yield batch.column(batch.schema.names.index(name))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()
        self._raw.close()


class ArrowTable:
    """An Arrow file of record batches, which Feather files are too; see ``Table``.

    Parameters
    ----------
    file : binary file
        It is closed with the table.
    """

    kind = "arrow"

    def __init__(self, file: BinaryIO) -> None:
        self._raw, self._ipc = file, import_arrow().ipc
        opened = self._ipc.open_file(file)
        self.schema = opened.schema
        counts = (opened.get_batch(number).num_rows for number in range(opened.num_record_batches))
        self.starts = [0, *accumulate(counts)]

    def _opened(self, name: str) -> Arrow:
        """Open the file so that nothing is read but one column."""
        options = self._ipc.IpcReadOptions(included_fields=[self.schema.names.index(name)], use_threads=False)
        return self._ipc.open_file(self._raw, options=options)

    def rows(self, piece: int, name: str) -> Iterator[Arrow]:
        """Yield the array of a column with all rows of a record batch, in parts."""
        array = self._opened(name).get_batch(piece).column(name)
        array.validate(full=True)
        size = max(1, min(BATCH_ROWS, BATCH_BYTES * len(array) // max(1, array.nbytes)))
        for start in range(0, len(array), size):
            yield array.slice(start, size)

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
            return _checked(table(file), os.fstat(file.fileno()).st_size)
    raise BadInput(f"{where}: neither a Parquet nor an Arrow file any more. Start again when it is complete.")


def _checked(table: Table, size: int) -> Table:
    """Refuse more rows than a file of so many bytes can mean to have."""
    if table.starts[-1] > MOST_ROWS * size:
        raise ValueError(f"{table.starts[-1]} rows in {size} bytes")
    return table


def whole_column(table: Table, name: str) -> Arrow:
    """Read all of a small column, such as ids: a ``pyarrow.ChunkedArray``.

    Raises
    ------
    ValueError
        It is not small.
    """
    parts, size = [], 0
    for piece in range(len(table.starts) - 1):
        for part in table.rows(piece, name):
            size += part.nbytes
            if size > MOST_WHOLE:
                raise ValueError(f"it unpacks to more than {MOST_WHOLE} bytes")
            parts.append(part)
    return import_arrow().chunked_array(parts, table.schema.field(name).type)
