"""Parquet, Arrow and Feather files: sequences in a column of lists, read by the package pyarrow."""
