"""Converts callers' arrays, and refuses by name what NumPy would misread or never finish reading."""

import sys
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadData, RnnstatesError
from ..errors.articles import with_article

__all__ = ["as_array", "parts", "plain"]

# Depth of nested lists that are searched, the most that NumPy supports, and the types of their plain values.
DEEPEST = 64
SINGLE = (bool, int, float, complex, str, bytes, np.generic)

# An attribute of objects that are not arrays, and how to convert them; the first match counts.
ADVICE = (
    ("to_tensor", "Pad it (.to_tensor(0)) and give its .row_lengths() as lengths."),
    ("batch_sizes", "Unpack it: pad_packed_sequence(values, batch_first=True) gives the array and the lengths."),
    ("dense_shape", "Make it dense: tf.sparse.to_dense(values)."),
    ("toarray", "Make it dense: values.toarray()."),
    ("keys", "Give one of its arrays."),
    ("__iter__", "Collect its items into one array, padded to one length, and give the lengths."),
    ("__getitem__", "Collect its items into one array, padded to one length, and give the lengths."),
)


def as_array(values: object, name: str, error: type[BadData], mend: str = "") -> Array:
    """Return a caller's values as an array of any shape and dtype, without copying unless NumPy has to.

    Parameters
    ----------
    values : array, tensor of any framework, number, or nested lists of them
    name : str
        Its name in messages: the parameter, perhaps with a row or key.
    error : type
        What to raise.
    mend : str
        What to do about ragged rows and non-numeric values.

    Raises
    ------
    error
        It is none of these, or has no values: a symbolic tensor, one on torch's meta device. Its attributes change the
        meaning of its values.
    """
    given, found = values, list(parts(values))
    values = _plain(values, found, name, error)
    try:
        array = np.asarray(values)
        for _, part in found:
            if hasattr(part, "attrs"):
                # Imported here, so that plain arrays do not need h5py.
                from .meanings import check_meaning

                check_meaning(part, array if part is given else None, name, error)
        # bfloat16 and float8 of TensorFlow and JAX, which NumPy treats as raw bytes.
        if array.dtype.type.__module__ == "ml_dtypes" and np.can_cast(array.dtype, np.float32):
            array = array.astype(np.float32)
        return array
    except (MemoryError, RnnstatesError):
        raise
    # The object's __array__ may raise anything.
    except Exception as reason:
        raise error(f"{name}: not a rectangular array ({reason}). {mend}".rstrip()) from reason


def plain(values: object, name: str, error: type[RnnstatesError], expected: str = "an array or a path") -> Any:
    """Return values that ``np.asarray`` reads correctly; PyTorch tensors without their gradients.

    Raises
    ------
    error
        It is bytes, an iterator, a mapping, a set, a masked or sparse array, a list of masked ones, or not an array.
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


def parts(values: object, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield the arrays in nested lists, each with its depth; an array yields itself with depth 0."""
    if not isinstance(values, list | tuple):
        yield depth, values
    elif depth < DEEPEST and not all(issubclass(kind, SINGLE) for kind in set(map(type, values))):
        for one in values:
            yield from parts(one, depth + 1)


def _detached(tensor: Any, name: str, error: type[RnnstatesError], torch: Any) -> Any:
    """Detach a tensor and move it to where NumPy can read it."""
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


def _is_array(values: object) -> bool:
    """Return whether NumPy can read numbers from a value; a packed sequence has none."""
    if hasattr(values, "batch_sizes"):
        return False
    return hasattr(values, "__array__") or isinstance(values, list | tuple) or np.isscalar(values)
