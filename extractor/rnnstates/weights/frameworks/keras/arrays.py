"""Assigns roles to the arrays of one cell, which Keras stores in a fixed order.

Keras 1 stored the arrays of each gate separately. CuDNNLSTM and CuDNNGRU (Keras 2.2 and TensorFlow 1.9 to 1.15) have
cuDNN's two biases and its order of the elements of a kernel; they are converted as Keras 2 does when it loads them into
LSTM and GRU (``tensorflow/python/keras/saving/hdf5_format.py``: ``_convert_rnn_weights``,
``preprocess_weights_for_loading``).
"""

from collections.abc import Callable

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights
from ...readers import Tensor
from ...readers.base import joined, row_of, sliced
from .vocabulary import BLOCKS, ROLES

__all__ = ["arrays_by_role", "is_reset_after", "recurrent_shape"]

# Keras 1 stores three arrays (W, U, b) per gate; the positions of our blocks in its order of the gates.
KERAS_1 = {"lstm": (0, 2, 1, 3), "gru": (0, 1, 2)}


def arrays_by_role(tensors: list[Tensor], cell: str, where: str) -> dict[str, Tensor]:
    """Assign roles to the arrays of a cell.

    Parameters
    ----------
    tensors : list of Tensor
        Kernel, recurrent kernel and perhaps bias; or the nine or twelve arrays of Keras 1.
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    where : str
        The file and the layer.

    Returns
    -------
    dict
        ``kernel``, ``recurrent_kernel`` and perhaps ``bias`` and ``recurrent_bias``, blocks in Keras' order.

    Raises
    ------
    BadWeights
        Their number or shapes are those of another cell.
    """
    if cell in KERAS_1 and len(tensors) == 3 * BLOCKS[cell]:
        tensors = _keras_1(tensors, KERAS_1[cell], where)
    if len(tensors) not in (2, 3):
        raise BadWeights(f"{where}: has {len(tensors)} arrays; expected kernel, recurrent kernel and bias.")
    roles = dict(zip(ROLES, tensors, strict=False))
    units = recurrent_shape(roles, cell, where)[0]
    bias = roles.get("bias")
    if bias is None or bias.shape == (BLOCKS[cell] * units,):
        return roles
    if cell == "gru" and bias.shape == (2, 3 * units):
        return {**roles, **_two_biases(bias)}
    if cell in ("lstm", "gru") and bias.shape == (2 * BLOCKS[cell] * units,):
        return _cudnn(roles, cell)
    raise BadWeights(
        f"{where}: its bias has shape {bias.shape}; expected ({BLOCKS[cell] * units},), because the recurrent kernel "
        f"implies {units} units."
    )


def is_reset_after(roles: dict[str, Tensor], stated: bool) -> bool:
    """Return whether a GRU resets after the product, which takes two biases; without any, as the file states."""
    return "recurrent_bias" in roles if "bias" in roles else stated


def recurrent_shape(roles: dict[str, Tensor], cell: str, where: str) -> tuple[int, int]:
    """Check the shape of the recurrent kernel.

    Raises
    ------
    BadWeights
        It is not (units, blocks * units).
    """
    shape = roles["recurrent_kernel"].shape
    if len(shape) != 2 or shape[1] != BLOCKS[cell] * shape[0]:
        expected = "(units, units)" if BLOCKS[cell] == 1 else f"(units, {BLOCKS[cell]} * units)"
        raise BadWeights(f"{where}: recurrent kernel has shape {shape}; expected {expected}.")
    return shape[0], shape[1]


def _keras_1(tensors: list[Tensor], order: tuple[int, ...], where: str) -> list[Tensor]:
    return [
        joined([tensors[3 * gate + part] for gate in order], axis=0 if part == 2 else 1, where=where)
        for part in range(3)
    ]


def _two_biases(bias: Tensor) -> dict[str, Tensor]:
    return {"bias": row_of(bias, 0), "recurrent_bias": row_of(bias, 1)}


def _cudnn(roles: dict[str, Tensor], cell: str) -> dict[str, Tensor]:
    blocks, bias = BLOCKS[cell], roles["bias"]
    half = bias.shape[0] // 2
    kernel, recurrent = roles["kernel"], roles["recurrent_kernel"]
    return {
        "kernel": Tensor(kernel.name, kernel.shape, lambda: _by_block(kernel.read(), blocks, _input_block)),
        "recurrent_kernel": Tensor(
            recurrent.name, recurrent.shape, lambda: _by_block(recurrent.read(), blocks, _turned)
        ),
        "bias": sliced(bias, 0, half),
        "recurrent_bias": sliced(bias, half, 2 * half),
    }


def _by_block(kernel: Array, blocks: int, turn: Callable[[Array], Array]) -> Array:
    return np.concatenate([turn(block) for block in np.split(kernel, blocks, axis=1)], axis=1)


def _turned(block: Array) -> Array:
    return block.T


def _input_block(block: Array) -> Array:
    return block.T.reshape(block.shape, order="F")
