"""Writes ``.parquet``: one row group per block."""

from pathlib import Path

from .arrow import batches, import_arrow, schema_of
from .content import Table

__all__ = ["write"]


def write(table: Table, path: Path) -> None:
    """Write every row, compressed by Snappy.

    Raises
    ------
    EngineUnavailable
        pyarrow is not installed.
    """
    pyarrow, parquet = import_arrow("pyarrow", "Parquet"), import_arrow("pyarrow.parquet", "Parquet")
    schema = schema_of(table, pyarrow)
    keys = [column.name for column in table.keys]
    with (
        path.open("wb") as file,
        # Values hardly repeat, so dictionaries of them only take memory.
        parquet.ParquetWriter(file, schema, use_dictionary=keys, write_statistics=keys) as writer,
    ):
        for batch in batches(table, pyarrow, schema):
            writer.write_batch(batch)
