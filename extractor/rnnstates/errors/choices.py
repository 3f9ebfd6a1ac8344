"""The words that parameters take, where no table of functions holds them. Needs no NumPy."""

__all__ = ["DTYPES", "ENGINE_NAMES", "LAYOUTS", "PADDINGS", "PRECISIONS"]

DTYPES = ("float32", "float16", "float64")
# Of ``engines.choice.ENGINES``, which needs NumPy; a test holds them equal.
ENGINE_NAMES = ("compiled", "tensorflow", "numpy")
LAYOUTS = ("padded", "packed")
PADDINGS = ("post", "pre")
PRECISIONS = ("float32", "float64", "bfloat16")
