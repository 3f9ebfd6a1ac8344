"""Tables with a column of sequences, as pyarrow writes them."""

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

from .test_packed import LENGTHS, padded

__all__ = ["COLUMNS", "WAYS", "lists", "sequences", "whole", "written"]


def column(steps, sequences):
    """Give a function that makes a column of the first steps of padded sequences [N, T, I], of these types."""

    def make(values, lengths):
        kind = sequences(steps(pa.from_numpy_dtype(values.dtype), values.shape[2]))
        return pa.array([row[:length].tolist() for row, length in zip(values, lengths, strict=True)], kind)

    return make


def list_of(kind, width):
    return pa.list_(kind)


COLUMNS = {
    "list of lists": column(list_of, pa.list_),
    "list of fixed": column(pa.list_, pa.list_),
    "large list of large lists": column(lambda kind, width: pa.large_list(kind), pa.large_list),
    "large list of fixed": column(pa.list_, pa.large_list),
    "views": column(lambda kind, width: pa.list_view(kind), pa.list_view),
}


def write_arrow(table, path, *, rows, compression=None):
    with ipc.new_file(path, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as file:
        file.write_table(table, max_chunksize=rows)


WAYS = {
    "parquet": lambda table, path: parquet.write_table(table, path, row_group_size=3),
    "one row group": lambda table, path: parquet.write_table(table, path, compression="zstd", data_page_version="2.0"),
    "plain parquet": lambda table, path: parquet.write_table(table, path, use_dictionary=False, compression="none"),
    "arrow": lambda table, path: write_arrow(table, path, rows=2),
    "compressed arrow": lambda table, path: write_arrow(table, path, rows=4, compression="zstd"),
    "feather": lambda table, path: feather.write_feather(table, path, chunksize=5),
}


def written(folder, way="parquet", **columns):
    """Write a table of these columns, and give its path."""
    WAYS[way](pa.table(columns), folder / "x.table")
    return folder / "x.table"


def whole(folder, way, array):
    """Write an array [N, T, I] or [N, T] as the column ``inputs``, every step of it."""
    native = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 3:
        return written(folder, way, inputs=COLUMNS["list of fixed"](native, np.full(len(array), array.shape[1])))
    return written(folder, way, inputs=pa.array(native.tolist(), pa.list_(pa.from_numpy_dtype(native.dtype))))


def sequences(values=None, kind="list of fixed"):
    return COLUMNS[kind](padded() if values is None else values, LENGTHS)


def lists(values, kind):
    return pa.array([row[:length].tolist() for row, length in zip(values, LENGTHS, strict=True)], kind)
