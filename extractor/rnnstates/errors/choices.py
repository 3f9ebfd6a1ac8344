"""The words that ``dtype``, ``engine``, ``layout`` and others accept, as types and as tuples. Needs no NumPy."""

from typing import Literal, get_args

__all__ = [
    "COMPRESSIONS", "DTYPES", "ENGINE_NAMES", "IF_EXISTS", "LAYOUTS", "PADDINGS", "PRECISIONS", "Compression", "DType",
    "Engine", "IfExists", "Layout", "Padding", "Precision",
]  # fmt: skip

Compression = Literal["none", "gzip", "zstd", "blosc"]
DType = Literal["float32", "float16", "float64"]
Engine = Literal["auto", "compiled", "tensorflow", "numpy"]
IfExists = Literal["fail", "skip", "replace"]
Layout = Literal["padded", "packed"]
Padding = Literal["post", "pre"]
Precision = Literal["float32", "float64", "bfloat16"]

COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
DTYPES: tuple[DType, ...] = get_args(DType)
# The names in ``engines.choice.ENGINES``, which needs NumPy; a test keeps them equal.
ENGINE_NAMES: tuple[str, ...] = get_args(Engine)[1:]
IF_EXISTS: tuple[IfExists, ...] = get_args(IfExists)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PADDINGS: tuple[Padding, ...] = get_args(Padding)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
