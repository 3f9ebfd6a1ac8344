"""Converts callers' arrays, and refuses by name what NumPy would misread or never finish reading."""

import sys
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadData, RnnstatesError
from ..errors.articles import with_article

__all__ = ["as_array", "parts", "plain"]

# Lists in lists that are looked into, as deep as NumPy makes arrays of them, and what lies in them as plain values.
DEEPEST = 64
SINGLE = (bool, int, float, complex, str, bytes, np.generic)

# What an object has that is no array, and what makes one of it; the first that fits.
ADVICE = (
    ("to_tensor", "Pad it (.to_tensor(0)) and give its .row_lengths() as lengths."),
    ("batch_sizes", "Unpack it: pad_packed_sequence(values, batch_first=True) gives the array and the lengths."),
    ("dense_shape", "Make it dense: tf.sparse.to_dense(values)."),
    ("toarray", "Make it dense: values.toarray()."),
    ("keys", "Give one of its arrays."),
    ("__iter__", "Collect what it yields into one array, padded to one length, and give the lengths."),
    ("__getitem__", "Collect its items into one array, padded to one length, and give the lengths."),
)


def as_array(values: Any, name: str, error: type[BadData], mend: str = "") -> Array:
    """Return what a caller has as an array of any shape and dtype, without a copy where NumPy needs none.

    Parameters
    ----------
    values : array, tensor of any framework, number, or nested lists of them
    name : str
        What messages call it: the parameter, and perhaps a row or key of it.
    error : type
        What to raise.
    mend : str
        What to do about rows of several lengths and values that are no numbers.

    Raises
    ------
    error
        It is nothing of these, or has no values: a symbolic tensor, one on torch's meta device. Its attributes say that
        other numbers are meant than it holds.
    """
    given, found = values, list(parts(values))
    values = _plain(values, found, name, error)
    try:
        array = np.asarray(values)
        for _, part in found:
            if hasattr(part, "attrs"):
                # Here, so that plain arrays need no h5py.
                from .meanings import check_meaning

                check_meaning(part, array if part is given else None, name, error)
        # bfloat16 and float8 of TensorFlow and JAX, which NumPy takes for raw bytes.
        if array.dtype.type.__module__ == "ml_dtypes" and np.can_cast(array.dtype, np.float32):
            array = array.astype(np.float32)
        return array
    except (MemoryError, RnnstatesError):
        raise
    # The object's own __array__ may raise anything.
    except Exception as reason:
        raise error(f"{name}: not a rectangular array ({reason}). {mend}".rstrip()) from reason


def plain(values: Any, name: str, error: type[RnnstatesError], expected: str = "an array or a path") -> Any:
    """Return what ``np.asarray`` reads right; tensors of PyTorch without their gradients.

    Raises
    ------
    error
        It is bytes, an iterator, a mapping, a set, a masked or sparse array, a list of masked ones, or no array at all.
    """
    return _plain(values, list(parts(values)), name, error, expected)


def _plain(
    values: Any, found: list[tuple[int, Any]], name: str, error: type[RnnstatesError],
    expected: str = "an array or a path",
) -> Any:  # fmt: skip
    torch: Any = sys.modules.get("torch")
    if tensor := getattr(torch, "Tensor", None):
        if isinstance(values, tensor):
            return _detached(values, name, error, torch)
        if type(values) in (list, tuple):
            values = [_detached(row, name, error, torch) if isinstance(row, tensor) else row for row in values]
    if any(isinstance(part, np.ma.MaskedArray) for _, part in found):
        raise error(f"{name}: a masked array, whose mask would be lost; give the plain array (.filled(0)) and lengths.")
    if isinstance(values, Iterator | Mapping | Set | slice | bytes) or not _is_array(values):
        advice = next((f" {text}" for has, text in ADVICE if hasattr(values, has)), "")
        raise error(f"{name}=: is {with_article(type(values).__name__)}; expected {expected}.{advice}")
    return values


def parts(values: Any, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield the arrays in lists in lists, each with the number of lists around it: of an array, 0 and itself."""
    if not isinstance(values, list | tuple):
        yield depth, values
    elif depth < DEEPEST and not all(issubclass(kind, SINGLE) for kind in set(map(type, values))):
        for one in values:
            yield from parts(one, depth + 1)


def _detached(tensor: Any, name: str, error: type[RnnstatesError], torch: Any) -> Any:
    """Take a tensor's values to where NumPy sees them."""
    if torch.nn.parameter.is_lazy(tensor):
        raise error(f"{name}: a lazy parameter, which has no values yet; run the module once, then give it.")
    if tensor.is_nested:
        raise error(f"{name}: a nested tensor; pad it (torch.nested.to_padded_tensor(values, 0)) and give the lengths.")
    if tensor.layout != torch.strided:
        raise error(f"{name}: a sparse tensor; give a dense one (.to_dense()).")
    if tensor.is_meta:
        raise error(f"{name}: a tensor on the meta device, which holds no values; give one that does.")
    if tensor.is_quantized:
        raise error(f"{name}: a quantized tensor; give its values (.dequantize()).")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def _is_array(values: Any) -> bool:
    """Return whether a value has numbers in it that NumPy can see; sparse arrays have a shape and no rows."""
    if hasattr(values, "batch_sizes"):
        return False
    return hasattr(values, "__array__") or isinstance(values, list | tuple) or np.isscalar(values)
