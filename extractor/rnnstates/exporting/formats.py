"""The formats that states are exported to, by suffix. Needs no NumPy."""

from typing import Literal, NamedTuple

__all__ = ["EXPORTERS", "Format"]


class Format(NamedTuple):
    """One format: what it is, what one file of it holds, and the module beside this one whose ``write`` makes it."""

    what: str
    holds: Literal["array", "arrays", "table"]
    module: str
    is_folder: bool = False


EXPORTERS: dict[str, Format] = {
    ".npy": Format("one array for NumPy", "array", "npy"),
    ".npz": Format("arrays for NumPy", "arrays", "npz"),
    ".csv": Format("a table as text", "table", "csv_text"),
    ".parquet": Format("a table for pandas, polars, Spark, R, …", "table", "parquet"),
    ".feather": Format("a table for pandas, polars, R, … (Arrow)", "table", "feather"),
    ".zarr": Format("a folder of arrays in chunks, for zarr and xarray", "arrays", "zarr_folder", is_folder=True),
    ".mat": Format("variables for MATLAB and GNU Octave", "arrays", "mat"),
    ".pt": Format("a dict of tensors for torch.load", "arrays", "torch_file"),
    ".safetensors": Format("tensors for PyTorch, JAX, …", "arrays", "safetensors"),
}
