"""Parquet, Arrow and Feather files: sequences in a column of lists, read by the package pyarrow when one is opened."""

from .source import open_arrow, open_parquet

__all__ = ["open_arrow", "open_parquet"]
