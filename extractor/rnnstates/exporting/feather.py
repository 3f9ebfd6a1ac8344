"""Writes ``.feather``: Arrow's file format, uncompressed, so that readers can map it into memory."""

from pathlib import Path

from .arrow import batches, import_arrow, schema_of
from .content import Table

__all__ = ["write"]


def write(table: Table, path: Path) -> None:
    """Write every row.

    Raises
    ------
    EngineUnavailable
        pyarrow is not installed.
    """
    pyarrow = import_arrow("pyarrow", "Feather")
    schema = schema_of(table, pyarrow)
    with path.open("wb") as file, pyarrow.ipc.new_file(file, schema) as writer:
        for batch in batches(table, pyarrow, schema):
            writer.write_batch(batch)
