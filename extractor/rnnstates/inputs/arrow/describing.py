"""Describes a Parquet or Arrow file without reading its values."""

import os

from ...errors import BadInput
from ...untrusted.missing import open_file
from .started import arrow_errors
from .tables import open_table

__all__ = ["describe_table"]

EXPECTED = "a Parquet or Arrow file"


def describe_table(path: str | os.PathLike[str]) -> dict[str, object]:
    """Describe what a file holds, in JSON types: the number of rows and of pieces, columns with types.

    Raises
    ------
    MissingInput, BadInput, EngineUnavailable
    """
    with open_file(path, EXPECTED) as file, arrow_errors(str(path), BadInput):
        table = open_table(file, str(path))
        rows, schema = table.starts[-1], table.schema
        columns = [
            {"name": name, "shape": [rows], "dtype": str(schema.field(number).type)}
            for number, name in enumerate(schema.names)
        ]
        pieces = "row_groups" if table.kind == "parquet" else "record_batches"
        return {"container": table.kind.title(), "rows": rows, pieces: len(table.starts) - 1, "datasets": columns}
