"""Writes ``.parquet``: one row group per block."""

from pathlib import Path

from ..errors import OptionError
from .arrow import batches, import_arrow, schema_of
from .content import Table
from .reading import BLOCK

__all__ = ["write"]

# Until the file is closed pyarrow keeps about 2 kB for each column of each row group: so many are few, and the most.
FEW_CHUNKS, MOST_CHUNKS = 2**15, 2**19
# Bytes of a row group, if there would be too many.
LARGEST = 2 * BLOCK


def write(table: Table, path: Path) -> None:
    """Write every row, compressed by Snappy.

    Raises
    ------
    EngineUnavailable
        pyarrow is not installed.
    OptionError
        The table is so wide and long that the description of its parts would not fit into memory.
    """
    pyarrow, parquet = import_arrow("pyarrow", "Parquet"), import_arrow("pyarrow.parquet", "Parquet")
    schema = schema_of(table, pyarrow)
    keys = [column.name for column in table.keys]
    most = _bytes_together(table)
    with (
        path.open("wb") as file,
        # Values hardly repeat, so dictionaries of them only take memory.
        parquet.ParquetWriter(file, schema, use_dictionary=keys, write_statistics=keys) as writer,
    ):
        for batch in batches(table, pyarrow, schema, most):
            writer.write_batch(batch)


def _bytes_together(table: Table) -> int:
    """Return the bytes of a row group: as few as possible, but more if there would be too many groups of columns."""
    columns = len(table.keys) + len(table.columns)
    whole = table.count * table.row_bytes
    if whole / LARGEST * columns > MOST_CHUNKS:
        raise OptionError(
            f"destination=: a table of {columns} columns and {table.count} rows is too large for one Parquet file; "
            "export it to .feather, or fewer units= or rows= to each of several files."
        )
    return min(LARGEST, max(BLOCK, whole * columns // FEW_CHUNKS))
