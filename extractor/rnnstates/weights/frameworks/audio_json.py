"""Reads JSON of audio models: RTNeural's layers, state_dicts stored with a description, and NAM's list of numbers.

RTNeural (jatinchowdhury18/RTNeural: python/model_utils.py) writes each Keras layer with its type and its arrays as
Keras returns them. GuitarML, Proteus and NeuralSeed (Alec-Wright/CoreAudioML: networks.py, save_model) write PyTorch's
state_dict and ``model_data``. The input that ``skip`` adds after the last layer is not part of a state. NAM
(sdatkinson/neural-amp-modeler: nam/models/recurrent.py) flattens each layer: [W_ih, W_hh] side by side, the sum of both
biases, the states that the layer starts from; then the head.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ...errors import BadWeights
from ...network.note import STORED_START, Note
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel
from ..readers import Container, Tensor
from ..readers.base import reshaped, sliced
from ..readers.json_arrays import DOCUMENT
from ..stack import Model, StoredCell, StoredLayer
from . import torch
from .plain import ASSUMED, parted_bias

__all__ = ["interpret", "recognises"]

CELLS = {"lstm": "lstm", "gru": "gru", "rnn": "simple_rnn", "simple_rnn": "simple_rnn"}
ROLES = ("kernel", "recurrent_kernel", "bias")
DEFAULTS = ("", "tanh", None)
NO_OPERATION = {"", "dropout", "input", "inputlayer"}
MOST_NAMED = 5


def recognises(container: Container) -> bool:
    """Return whether a JSON text has RTNeural's layers, NAM's architecture, or a description of a state_dict."""
    return any(is_it(container) for is_it, _ in FAMILIES)


def interpret(container: Container) -> Model:
    """Find the stacks.

    Raises
    ------
    BadWeights
        The description of the model and its arrays contradict each other.
    """
    return next(read for is_it, read in FAMILIES if is_it(container))(container)


def _document(container: Container) -> Mapping[str, Any]:
    found = container.documents.get(DOCUMENT)
    return found if container.kind == "JSON" and isinstance(found, Mapping) else {}


def _layers(container: Container) -> Sequence[Any]:
    layers = _document(container).get("layers")
    return layers if isinstance(layers, list) else ()


def _is_rtneural(container: Container) -> bool:
    return any(_type(layer) in CELLS and "weights" in layer for layer in _layers(container))


def _type(layer: object) -> str:
    found = layer.get("type") if isinstance(layer, Mapping) else None
    return found.lower() if isinstance(found, str) else ""


def _rtneural(container: Container) -> NamedModel:
    """Make each unbroken run of recurrent layers one stack."""
    found, numbered = [], list(enumerate(_layers(container)))
    for recurrent, group in groupby(numbered, lambda pair: _type(pair[1]) in CELLS):
        if recurrent:
            layers = list(group)
            found.append(_chain(container, layers, _without_arrays(numbered[: layers[0][0]])))
    used = {tensor.name for stack in found for layer in stack.layers for cell in layer.cells.values()
            for tensor in cell.tensors.values()}  # fmt: skip
    return NamedModel("RTNeural (JSON)", found, [name for name in container.tensors if name not in used])


def _without_arrays(layers: Sequence[tuple[int, Any]]) -> list[str]:
    """Describe the other layers without arrays that compute something; those with arrays are named for every format."""
    found = [
        (number, f"{_type(layer)[:40]} {str(layer.get('activation') or '')[:40]}".rstrip())
        for number, layer in layers
        if _type(layer) not in {*CELLS, *NO_OPERATION} and not layer.get("weights")
    ]
    return [f"'layers.{number}' ({described})" for number, described in found[:MOST_NAMED]]


def _chain(container: Container, layers: Sequence[tuple[int, Any]], before: Sequence[str]) -> FoundStack:
    names = tuple(f"layers.{number}" for number, _ in layers)
    classes = ", ".join(dict.fromkeys(_type(layer).upper() for _, layer in layers))
    try:
        stored = tuple(_of_keras(container, name, layer) for name, (_, layer) in zip(names, layers, strict=True))
    except BadWeights as reason:
        return FoundStack(classes, names, problem=str(reason))
    found = " and ".join(before)
    note = f"{container.path}: has {found} before '{names[0]}', which is not run; inputs must be its output."
    return FoundStack(classes, names, stored, notes=(note,) if before else ())


def _of_keras(container: Container, name: str, layer: Mapping[str, Any]) -> StoredLayer:
    where, cell = f"{container.path}: '{name}'", CELLS[_type(layer)]
    arrays = _in_a_list(container, f"{name}.weights")
    if len(arrays) not in (2, 3):
        raise BadWeights(f"{where}: has {len(arrays)} arrays; expected a kernel, a recurrent kernel and a bias.")
    activation = layer.get("activation")
    if activation not in DEFAULTS:
        raise BadWeights(
            f"{where}: has the activation {str(activation)[:40]!r}, but RTNeural computes tanh; save the Keras model "
            "itself, model.save('model.keras'), and give that."
        )
    roles = parted_bias(dict(zip(ROLES, arrays, strict=False)), cell)
    units, shape = (roles["recurrent_kernel"].shape or (0,))[0], layer.get("shape")
    if isinstance(shape, list) and shape and shape[-1] != units:
        raise BadWeights(f"{where}: declares {str(shape[-1])[:20]} units, but its arrays have {units}.")
    settings = {"reset_after": "recurrent_bias" in roles} if cell == "gru" and "bias" in roles else {}
    stored = StoredCell(CONVENTIONS["keras"][cell], roles, where, settings, determined=ASSUMED)
    return StoredLayer(name, {"forward": stored})


def _in_a_list(container: Container, name: str) -> list[Tensor]:
    """Return the arrays of a list in order; arrays of equal shape were read as one array with one more axis."""
    whole = container.tensors.get(name)
    if whole is not None:
        # A kernel and a recurrent kernel of equal shape, without a bias.
        return [reshaped(sliced(whole, place, place + 1), whole.shape[1:]) for place in range(whole.shape[0])]
    found = [container.tensors.get(f"{name}.{place}") for place in range(4)]
    return [tensor for tensor in found if tensor is not None]


def _is_described(container: Container) -> bool:
    described = _document(container).get("model_data")
    return isinstance(described, Mapping) and torch.recognises(container)


def _described(container: Container) -> NamedModel:
    """Read PyTorch's arrays, and compare their description with them."""
    model, data = torch.interpret(container), _document(container)["model_data"]
    arrays = {name.rpartition(".")[2]: tensor.shape for name, tensor in container.tensors.items()}
    kernel, recurrent = (arrays.get(f"weight_{part}_l0", ()) for part in ("ih", "hh"))
    if len(kernel) == 2 and len(recurrent) == 2:
        layers = sum(name.startswith("weight_hh_l") and not name.endswith("_reverse") for name in arrays)
        stored = {"hidden_size": recurrent[1], "input_size": kernel[1], "num_layers": layers}
        for key, size in stored.items():
            if key in data and data[key] != size:
                raise BadWeights(
                    f"{container.path}: model_data says {key} {str(data[key])[:40]}, but the arrays of state_dict have "
                    f"{size}; the file is damaged or was combined from two."
                )
        blocks = {"LSTM": 4, "GRU": 3, "RNN": 1}.get(str(data.get("unit_type")))
        if blocks is not None and recurrent[0] != blocks * recurrent[1]:
            raise BadWeights(
                f"{container.path}: model_data says {data['unit_type']}, but weight_hh_l0 has shape {recurrent}; the "
                "file is damaged or was combined from two."
            )
    return model


def _is_nam(container: Container) -> bool:
    document = _document(container)
    return isinstance(document.get("architecture"), str) and "weights" in container.tensors and "config" in document


def _nam(container: Container) -> NamedModel:
    document = _document(container)
    kind, config = document["architecture"], document["config"]
    if kind != "LSTM":
        raise BadWeights(f"{container.path}: is a NAM {kind[:40]}, which is not recurrent; expected an LSTM.")
    sizes = [config.get(key) if isinstance(config, Mapping) else None
             for key in ("num_layers", "input_size", "hidden_size")]  # fmt: skip
    if not all(type(size) is int and 0 < size < 10_000 for size in sizes):
        raise BadWeights(f"{container.path}: has no num_layers, input_size and hidden_size; the file is damaged.")
    layers, features, units = (int(size) for size in sizes if size is not None)
    whole, names = container.tensors["weights"], tuple(f"lstm.l{n}" if layers > 1 else "lstm" for n in range(layers))
    each = [4 * units * ((features if n == 0 else units) + units) + 6 * units for n in range(layers)]
    # Then the head: for each output a weight per unit and a bias.
    rest = whole.shape[0] - sum(each)
    if len(whole.shape) != 1 or rest < 0 or rest % (units + 1):
        raise BadWeights(
            f"{container.path}: has {whole.shape} weights; expected {sum(each)} for {layers} layers of {units} units, "
            f"and a head of {units + 1} for each output."
        )
    stored, at = [], 0
    for number, name in enumerate(names):
        read = features if number == 0 else units
        stored.append(_of_nam(whole, at, read, units, name=name, where=f"{container.path}: '{name}'"))
        at += each[number]
    note = Note(f"{container.path}: its layers start from the states stored with them in the file.", STORED_START)
    return NamedModel("NAM (JSON)", [FoundStack("LSTM", names, tuple(stored), notes=(note,))], [])


def _of_nam(whole: Tensor, at: int, features: int, units: int, *, name: str, where: str) -> StoredLayer:
    width = features + units
    both = reshaped(sliced(whole, at, at + 4 * units * width), (4 * units, width))
    behind = at + 4 * units * width
    tensors = {
        "kernel": sliced(both, 0, features, axis=1),
        "recurrent_kernel": sliced(both, features, width, axis=1),
        "bias": sliced(whole, behind, behind + 4 * units),
        "initial_hidden": sliced(whole, behind + 4 * units, behind + 5 * units),
        "initial_cell": sliced(whole, behind + 5 * units, behind + 6 * units),
    }
    return StoredLayer(name, {"forward": StoredCell(CONVENTIONS["torch"]["lstm"], tensors, where)})


FAMILIES = ((_is_rtneural, _rtneural), (_is_nam, _nam), (_is_described, _described))
