"""Writes safetensors with PyTorch's names: ``rnn.weight_ih_l0``, … of one ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``."""

import json
from collections.abc import Iterator

import numpy as np

from ...arrays.axes import Array
from ...network.model import GATES, LayerWeights, Network
from ..conventions import CONVENTIONS
from .expressible import layer_problem, wide

__all__ = ["content", "problem"]

MODULE = "rnn"
DTYPES = {"float64": "F64", "float32": "F32", "float16": "F16"}
# Readers memory-map the arrays, so they start at a multiple of eight bytes.
ALIGNMENT = 8


def problem(network: Network) -> str:
    """Say what one PyTorch module cannot express; empty if it can express everything."""
    for layer in network.layers:
        found = layer_problem(layer)
        for weights in layer.directions.values():
            if weights.cell == "gru" and not weights.reset_after:
                found = found or "resets before the product, which PyTorch's GRU does not do"
        if found:
            return f"layer '{layer.name}' {found}"
    sizes = {
        (weights.cell, weights.units, weights.projection is not None and weights.width, len(layer.directions))
        for _, layer, _, weights in network.parts()
    }
    if len(sizes) > 1:
        return "its layers differ in cell, units, projection or directions, which those of one PyTorch module do not"
    return ""


def content(network: Network) -> bytes:
    """Return the bytes of the file: eight bytes of length, a JSON header, the arrays one after another."""
    arrays = dict(_arrays(network))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, array in arrays.items():
        entries[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [place, place + array.nbytes],
        }
        place += array.nbytes
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % ALIGNMENT)
    data = b"".join(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes() for array in arrays.values())
    return len(header).to_bytes(8, "little") + header + data


def _arrays(network: Network) -> Iterator[tuple[str, Array]]:
    if network.embedding is not None:
        yield "embedding.weight", network.embedding
    for number, layer in enumerate(network.layers):
        for direction, weights in layer.directions.items():
            suffix = f"_l{number}" + ("_reverse" if direction == "backward" else "")
            for role, array in _roles(weights).items():
                yield f"{MODULE}.{role}{suffix}", array


def _roles(weights: LayerWeights) -> dict[str, Array]:
    bias, recurrent = weights.bias, weights.recurrent_bias
    if weights.forget_bias:
        # PyTorch has no separate forget bias.
        bias, recurrent = weights.whole_bias().astype(wide(bias)), None
    if recurrent is None:
        recurrent = np.zeros_like(bias)
    roles = {
        "weight_ih": _reordered(weights.kernel, weights).T,
        "weight_hh": _reordered(weights.recurrent_kernel, weights).T,
        "bias_ih": _reordered(bias, weights),
        "bias_hh": _reordered(recurrent, weights),
    }
    if weights.projection is not None:
        roles["weight_hr"] = weights.projection.T
    return roles


def _reordered(array: Array, weights: LayerWeights) -> Array:
    """Reorder our blocks of columns to PyTorch's order."""
    ours, theirs = GATES[weights.cell], CONVENTIONS["torch"][weights.cell].gates
    blocks = dict(zip(ours, np.split(array, len(ours), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in theirs], axis=-1)
