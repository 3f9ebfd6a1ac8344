"""Converts what a caller gives a layer to tensors, and refuses what TensorFlow would misread."""

from typing import Any

from ..errors import BadInput, RnnstatesError
from ..untrusted.given import plain
from .started import Tensor, keras, tf

__all__ = ["check_numbers", "to_inputs", "to_tensor"]


def to_tensor(values: Any, name: str, error: type[RnnstatesError]) -> Tensor:
    """Convert a caller's values to a tensor; a tensor or a variable keeps its gradient.

    Parameters
    ----------
    values : array, tensor of any framework, number, or nested lists of them
    name : str
        Its name in messages.
    error : type
        What to raise.

    Raises
    ------
    error
        It is not a rectangular array, or a masked, ragged or sparse one.
    """
    if not isinstance(values, tf.Tensor | tf.Variable | keras.Variable):
        values = plain(list(values) if isinstance(values, range) else values, name, error, "an array or a tensor")
    try:
        return tf.convert_to_tensor(values)
    except MemoryError:
        raise
    # A custom __array__ may raise anything.
    except Exception as reason:
        why = str(reason).partition("\n")[0][:200]
        raise error(f"{name}: no rectangular array of numbers ({why}).") from reason


def check_numbers(values: Any, name: str, error: type[RnnstatesError]) -> None:
    """Refuse a tensor of strings or complex numbers, also a symbolic one.

    Raises
    ------
    error
        It is one.
    """
    dtype = keras.backend.standardize_dtype(values.dtype)
    if not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise error(f"{name}: have dtype {dtype}; expected real numbers.")


def to_inputs(values: Any, layer: Any) -> Tensor:
    """Convert sequences [B, T, W] to a tensor, or keep a symbolic one.

    Raises
    ------
    BadInput
        They are not a numeric array, or of another rank.
    """
    name = f"layer '{layer.name}': inputs"
    values = values if isinstance(values, keras.KerasTensor) else to_tensor(values, name, BadInput)
    check_numbers(values, name, BadInput)
    rank = values.shape.rank if tf.is_tensor(values) else len(values.shape)
    if rank not in (3, None):
        raise BadInput(f"{name}: have shape {tuple(values.shape)}; expected one array (batch, steps, features).")
    return values
