"""Writes Keras 3's ``.weights.h5``, which ``load_weights`` of a model with the same layers reads."""

import io
from typing import TYPE_CHECKING

import numpy as np

from ...arrays.axes import Array
from ...network.model import LayerWeights, Network, RecurrentLayer
from .expressible import layer_problem, wide

if TYPE_CHECKING:
    import h5py

__all__ = ["content", "problem"]

# Groups and cells are named after Keras' classes.
GROUPS = {"lstm": "lstm", "gru": "gru", "simple_rnn": "simple_rnn"}


def problem(network: Network) -> str:
    """Say what the file cannot express; empty if it can express everything."""
    for layer in network.layers:
        found = layer_problem(layer)
        for weights in layer.directions.values():
            found = found or ("projects its hidden state" if weights.projection is not None else "")
        if found:
            return f"layer '{layer.name}' {found}"
    return ""


def content(network: Network) -> bytes:
    """Return the bytes of the file, made in memory: HDF5 may crash at exit if writing to disk failed."""
    # Imported late, because --help needs the list of writers.
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w", libver=("earliest", "v108")) as file:
        if network.embedding is not None:
            _variables(file, "layers/embedding", "embedding", [network.embedding])
        counts: dict[str, int] = {}
        for layer in network.layers:
            _layer(file, layer, counts)
    return held.getvalue()


def _layer(file: "h5py.File", layer: RecurrentLayer, counts: dict[str, int]) -> None:
    both = len(layer.directions) == 2
    cell = GROUPS[next(iter(layer.directions.values())).cell]
    group = "bidirectional" if both else cell
    number = counts.setdefault(group, 0)
    counts[group] += 1
    place = f"layers/{group}" + (f"_{number}" if number else "")
    _variables(file, place, _free_name(layer.name, counts), [])
    for direction, weights in layer.directions.items():
        inner = f"{place}/{direction}_layer" if both else place
        _variables(file, f"{inner}/cell", f"{cell}_cell", [weights.kernel, weights.recurrent_kernel, _bias(weights)])


def _free_name(name: str, taken: dict[str, int]) -> str:
    """Return the last part of a layer's name, numbered if another layer has it; without NUL, which HDF5 refuses."""
    plain = name.split("/")[-1].replace("\0", "") or "layer"
    free = next(n for n in (plain, *(f"{plain}_{k}" for k in range(2, len(taken) + 3))) if f"name {n}" not in taken)
    taken[f"name {free}"] = 1
    return free


def _variables(file: "h5py.File", place: str, name: str, arrays: list[Array]) -> None:
    group = file.require_group(f"{place}/vars")
    group.attrs["name"] = name
    for number, array in enumerate(arrays):
        group.create_dataset(str(number), data=array, track_times=False)


def _bias(weights: LayerWeights) -> Array:
    """Return the bias in Keras' shape: [G * H], or [2, 3H] for a GRU that resets after the product."""
    if not weights.reset_after:
        added = weights.recurrent_bias is not None or weights.forget_bias
        return weights.whole_bias().astype(wide(weights.bias)) if added else weights.bias
    recurrent = np.zeros_like(weights.bias) if weights.recurrent_bias is None else weights.recurrent_bias
    return np.stack([weights.bias, recurrent])
