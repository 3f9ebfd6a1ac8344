"""What Parquet and Feather have in common: pyarrow, the schema of a table, and its blocks."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from ..errors import EngineUnavailable
from .content import Table
from .reading import BLOCK

__all__ = ["Arrow", "batches", "import_arrow", "schema_of"]

# Of pyarrow, which comes without types.
Arrow: TypeAlias = Any


def import_arrow(module: str, what: str) -> Arrow:
    """Import a module of pyarrow.

    Raises
    ------
    EngineUnavailable
        It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as reason:
        raise EngineUnavailable(
            f"{what} files need pyarrow ({reason}); pip install 'rnnstates[arrow]', or export to .csv."
        ) from reason


def schema_of(table: Table, pyarrow: Arrow) -> Arrow:
    """Return the schema of a table; its metadata has the provenance under ``rnnstates``."""
    fields = [
        (column.name, pyarrow.string() if column.dtype == "text" else pyarrow.from_numpy_dtype(np.dtype(column.dtype)))
        for column in (*table.keys, *table.columns)
    ]
    return pyarrow.schema(fields, metadata={"rnnstates": table.provenance} if table.provenance else None)


def batches(table: Table, pyarrow: Arrow, schema: Arrow, most: int = BLOCK) -> Iterator[Arrow]:
    """Yield the rows as record batches of about ``most`` bytes."""
    types = [field.type for field in schema]
    for block in table.blocks(most):
        columns = [column for values in block.values for column in np.atleast_2d(values.T)]
        given = [*block.keys, *map(np.ascontiguousarray, columns)]
        arrays = [pyarrow.array(values, kind) for values, kind in zip(given, types, strict=True)]
        yield pyarrow.record_batch(arrays, schema=schema)
