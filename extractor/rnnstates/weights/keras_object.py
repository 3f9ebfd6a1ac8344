"""Reads a live Keras model or layer as its file would be read, plus what no file records."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import BadWeights, RnnstatesError
from .readers import Container, Tensor, open_container
from .torch_module import is_a

__all__ = ["LIVE", "of_keras", "own_call"]

# A layer, cell or model of Keras, which comes without types.
Layer: TypeAlias = Any

WHERE = "weights"
# The document that maps kernel arrays to the layers of a live model; no file has one.
LIVE = "live layers"
CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")


@contextlib.contextmanager
def of_keras(layer: Layer) -> Iterator[Container]:
    """Save a model as ``.keras`` and read that, which describes it in Keras' own terms.

    Raises
    ------
    BadWeights
        It has no weights yet, a custom activation with the name of one of Keras', or a part that Keras cannot save.
    """
    if not layer.built:
        raise BadWeights(f"{WHERE}: '{layer.name}' has no weights yet; call it once on data.")
    _check_activations(layer)
    model = layer if is_a(layer, "keras", "Model") else _alone(layer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        _save(model, path)
        try:
            with open_container(str(path)) as container:
                layers = {LIVE: _by_array(model, container.tensors)}
                yield replace(container, path=WHERE, documents={**container.documents, **layers})
        except RnnstatesError as reason:
            reason.args = (str(reason).replace(str(path), WHERE),)
            raise


def _save(model: Layer, path: Path) -> None:
    try:
        model.save(path)
    except (MemoryError, OSError):
        raise
    # A class may lack get_config, and a custom one may raise anything.
    except Exception as reason:
        # Keras' own text continues with a code example.
        sentence = " ".join(str(reason).split()).partition(". ")[0][:300]
        raise BadWeights(
            f"{WHERE}: Keras cannot save '{model.name}' ({type(reason).__name__}: {sentence}), so what precedes its "
            "recurrent layers is unknown; expected a model that can be saved. Give only the layer, "
            "model.get_layer(NAME), and inputs that have passed the layers before it; or use "
            "rnnstates.collect(model, inputs), which runs the whole model."
        ) from reason


def own_call(weights: Layer) -> tuple[str, ...]:
    """Return notes on the layers of a Keras model whose ``call`` was replaced: the replacement is not run here."""
    if not is_a(weights, "keras", "Layer"):
        return ()
    return tuple(
        f"{WHERE}: the call of '{layer.name}' is replaced by a custom one, which is not run; check that it leaves "
        "the states as they are."
        for layer in weights._flatten_layers()
        if "call" in vars(layer) and (_cells(layer) or any(_is(layer, name) for name in ("Bidirectional", "Embedding")))
    )


def _alone(layer: Layer) -> Layer:
    """Put the layer or cell itself, not a copy, into a model of its own."""
    keras: Any = sys.modules["keras"]
    kernels = [weight for weight in layer.weights if len(weight.shape) == 2]
    if not kernels:
        raise BadWeights(f"{WHERE}: '{layer.name}' ({type(layer).__name__}) is not a recurrent layer; expected one.")
    inside = keras.layers.RNN(layer, name=layer.name) if any(_is(layer, name) for name in CELLS) else layer
    return keras.Sequential([keras.Input((None, kernels[0].shape[0])), inside])


def _is(layer: Layer, name: str) -> bool:
    return is_a(layer, "keras", f"layers.{name}")


def _cells(layer: Layer) -> list[Any]:
    """List the cells of a recurrent layer, or a cell itself; empty for every other layer."""
    if any(_is(layer, name) for name in CELLS):
        return [layer]
    cell: Layer = getattr(layer, "cell", None)
    return list(cell.cells) if _is(cell, "StackedRNNCells") else [cell] if hasattr(cell, "kernel") else []


def _check_activations(model: Layer) -> None:
    """Refuse a function named like one of Keras' that computes something else: a file stores only the name."""
    for layer in model._flatten_layers():
        for cell in _cells(layer):
            _check(layer.name, "activation", cell)
            _check(layer.name, "recurrent_activation", cell)
        if _is(layer, "Activation") and layer.get_config()["activation"] == "linear":
            _check(layer.name, "activation", layer)


def _check(layer: str, name: str, cell: Layer) -> None:
    function, called = getattr(cell, name, None), cell.get_config().get(name)
    if isinstance(called, str) and not _agree(function, called):
        raise BadWeights(
            f"{WHERE}: layer '{layer}': {name.replace('_', ' ')} is a function called '{called}' that returns other "
            f"values than Keras' {called}; expected one of Keras' own. rnnstates.collect runs the model as it is."
        )


def _agree(function: Any, called: str) -> bool:
    """Return whether a function is Keras' own of that name, or computes the same, such as ``tf.nn.relu``."""
    keras: Any = sys.modules["keras"]
    known = keras.activations.get(called)
    if function is known:
        return True
    points = keras.ops.convert_to_tensor(np.linspace(-8, 8, 2001, dtype=np.float32)[np.newaxis])
    try:
        one, other = (np.asarray(keras.ops.convert_to_numpy(each(points))) for each in (function, known))
    # It is the user's code, and may raise anything.
    except Exception:
        return False
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-6)


def _by_array(model: Layer, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Map the stored kernel arrays to the configuration of their recurrent layer or embedding."""
    stored = {name: tensor for name, tensor in tensors.items() if name.endswith("vars/0") and len(tensor.shape) == 2}
    found: dict[str, dict[str, Any]] = {}
    for entry, kernel in _layers(model):
        values = np.asarray(kernel)
        for name in [name for name, tensor in stored.items() if tensor.shape == values.shape]:
            if not np.array_equal(stored[name].read(), values):
                continue
            if name in found and _settings(found[name]) != _settings(entry):
                raise BadWeights(
                    f"{WHERE}: two layers have the same values but different settings, so '{name}' may belong to "
                    "either; expected trained weights."
                )
            found[name] = entry
    return found


def _settings(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "config": {name: value for name, value in entry["config"].items() if name != "name"}}


def _layers(model: Layer) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield Keras' description of each recurrent layer, and its kernel; stacked cells one by one."""
    layers = list(model._flatten_layers())
    inside = {id(cell) for layer in layers for cell in _cells(layer) if cell is not layer}
    inside |= {id(half) for layer in layers if _is(layer, "Bidirectional") for half in _halves(layer)}
    for layer in layers:
        if id(layer) in inside:
            continue
        if _is(layer, "Embedding"):
            yield _entry(layer), layer.embeddings
        elif _is(layer, "Bidirectional"):
            yield from ((_entry(layer), cell.kernel) for cell in _cells(layer.forward_layer))
        else:
            for cell in _cells(layer):
                own = _entry(layer) if cell is not layer else _around(cell, {"return_sequences": True})
                listed = _is(getattr(layer, "cell", None), "StackedRNNCells")
                yield (_around(cell, own["config"]) if listed else own), cell.kernel


def _halves(layer: Layer) -> tuple[Any, Any]:
    return layer.forward_layer, layer.backward_layer


def _around(cell: Layer, config: dict[str, Any]) -> dict[str, Any]:
    """Describe a layer that runs one cell."""
    return {"module": "keras.layers", "class_name": "RNN", "registered_name": None,
            "config": {**config, "cell": _entry(cell)}}  # fmt: skip


def _entry(layer: Layer) -> dict[str, Any]:
    keras: Any = sys.modules["keras"]
    try:
        return dict(keras.saving.serialize_keras_object(layer))
    # A custom class may have no configuration, which would not be used anyway.
    except Exception:
        kind = type(layer)
        return {"module": kind.__module__, "class_name": kind.__name__, "registered_name": None, "config": {}}
