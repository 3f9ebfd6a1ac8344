"""Reads an LSTM, GRU or RNN operator of ONNX as a layer: its weights, its settings and its initial states.

The attributes of an operator say what it computes, so little has to be assumed. The first versions have other
attributes (``output_sequence``), none of which changes a state. Lengths that the model itself takes
(``sequence_lens``) are not needed. For a sequence without steps ONNX Runtime returns zeros as the final states,
rnnstates the initial states.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ....errors import BadWeights
from ....network.model import GATES, Direction
from ....network.note import ZERO_START, Note
from ...conventions import CONVENTIONS
from ...readers import Tensor
from ...readers.base import reshaped, row_of, sliced
from ...readers.onnx.graph import Node
from ...stack import StoredCell
from .folding import Folding, NotConstant
from .known_sizes import known_sizes
from .origins import computed_from
from .settings import WRONG
from .tracking import WAYS_OF

__all__ = ["CELLS", "Layer", "read_layer", "stored_lengths", "takes_lengths"]

CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "simple_rnn"}
# The index of the input with the lengths.
LENGTHS = 4
# Most activations of a node: three for each of two directions.
MOST_FUNCTIONS = 6
# The settings given by the functions in ``activations``, in their order.
SETTINGS = {
    "lstm": ("recurrent_activation", "activation", "output_activation"),
    "gru": ("recurrent_activation", "activation"),
    "simple_rnn": ("activation",),
}
# By lower-case name: our name of the function, and the defaults of alpha and beta. None means that there is no reliable
# default: ONNX Runtime uses 0, and ONNX has a different default or no longer has an operator of that name.
FUNCTIONS: dict[str, tuple[str, tuple[float | None, ...]]] = {
    **{name: (name, ()) for name in ("relu", "sigmoid", "softplus", "softsign", "tanh")},
    "affine": ("affine", (None, None)),
    "elu": ("elu", (1.0,)),
    "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
    "leakyrelu": ("leaky_relu", (0.01,)),
    "scaledtanh": ("scaled_tanh", (None, None)),
    "thresholdedrelu": ("thresholded_relu", (None,)),
}


class Layer(NamedTuple):
    """One recurrent node as a layer: its cells and units, or the problem with it."""

    name: str
    cells: Mapping[Direction, StoredCell]
    units: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


def read_layer(node: Node, name: str, path: str, folding: Folding) -> Layer:
    """Read one node; if something is wrong with it, the layer has a problem.

    Parameters
    ----------
    node : Node
        One of ``CELLS``.
    name : str
        The name of the layer.
    path : str
        The file.
    folding : Folding
    """
    where = f"{path}: '{name}'"
    try:
        return _read(node, name, where, folding)
    except BadWeights as reason:
        problem = str(reason)
    except NotConstant as reason:
        problem = f"{where}: a weight comes from {reason}; expected it to be stored. Fold constants and save again."
    except WRONG as reason:
        problem = f"{where}: its attributes are damaged ({reason}); export the model again."
    return Layer(name, {}, problem=problem)


def takes_lengths(node: Node) -> bool:
    """Return whether a node is given lengths; without them it reads every step, including padding."""
    return len(node.inputs) > LENGTHS and bool(node.inputs[LENGTHS])


def stored_lengths(node: Node, folding: Folding) -> tuple[int, int] | None:
    """Return the smallest and largest length that the model stores for a node; None if it stores none."""
    if not takes_lengths(node):
        return None
    try:
        lengths = folding.rows(node.inputs[LENGTHS], (1, 1, 1))
    except (NotConstant, BadWeights, *WRONG):
        return None
    return (int(lengths.min()), int(lengths.max())) if lengths.size else None


def _read(node: Node, name: str, where: str, folding: Folding) -> Layer:
    cell, ways = CELLS[node.op], WAYS_OF.get(node.attributes.get("direction", "forward"), ())
    inputs = dict(zip(("X", "W", "R", "B", "lengths", "hidden", "cell", "P"), node.inputs, strict=False))
    tensors = {key: folding.tensor(inputs[key]) for key in ("W", "R", "B", "P") if inputs.get(key)}
    units = _check_shapes(tensors, len(ways), len(GATES[cell]), node.attributes.get("hidden_size"), where)
    notes = []
    for state in ("hidden", "cell"):
        if inputs.get(state):
            _check_start(inputs[state], state, folding, (len(ways), units), node, where)
            try:
                rows = _initial(inputs[state], folding, (len(ways), units), node, where)
                tensors |= {} if rows is None else {state: rows}
            except NotConstant:
                described = computed_from(inputs[state], folding)
                started = f"{where}: the model starts its {state} state from {described}; zero is used "
                notes.append(Note(f"{started}(initial_state=FILE gives another).", ZERO_START))
    cells = {}
    for place, way in enumerate(ways):
        roles, (settings, determined) = _roles(tensors, place, units), _settings(node, place, where)
        cells[way] = StoredCell(CONVENTIONS["onnx"][cell], roles, f"{where} ({way})", settings, determined)
    return Layer(name, cells, units, tuple(notes))


def _check_shapes(tensors: Mapping[str, Tensor], ways: int, gates: int, hidden_size: object, where: str) -> int:
    """Check all shapes against that of R; return the units."""
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    units, features = ((*shapes.get(key, ()), 0, 0, 0)[2] for key in ("R", "W"))
    rows = gates * units
    expected = {"W": (ways, rows, features), "R": (ways, rows, units), "B": (ways, 2 * rows), "P": (ways, 3 * units)}
    wrong = [key for key in ("W", "R", *shapes) if shapes.get(key) != expected[key] or not ways * units]
    if wrong or hidden_size not in (None, units) or ("P" in shapes and gates != 4):
        found = f"{where}: has the shapes {shapes}, hidden_size {hidden_size} and {ways} directions"
        raise BadWeights(
            f"{found}; expected W (directions, {gates} * units, features) and the others to match. Export again."
        )
    return units


def _roles(tensors: Mapping[str, Tensor], place: int, units: int) -> dict[str, Tensor]:
    """Return the arrays of one direction by role; B holds two biases, one after the other."""
    own = {key: row_of(tensor, place) for key, tensor in tensors.items()}
    roles = {"kernel": own["W"], "recurrent_kernel": own["R"]}
    if "B" in own:
        half = own["B"].shape[0] // 2
        roles |= {"bias": sliced(own["B"], 0, half), "recurrent_bias": sliced(own["B"], half, 2 * half)}
    if "P" in own:
        roles["peepholes"] = reshaped(own["P"], (3, units))
    return roles | {f"initial_{state}": own[state] for state in ("hidden", "cell") if state in own}


def _check_start(name: str, state: str, folding: Folding, expected: tuple[int, int], node: Node, where: str) -> None:
    """Refuse a state whose known width or directions do not match, even zeros or one given to the model."""
    sizes = known_sizes(name, folding)
    if sizes is None or len(sizes) != 3:
        return
    ways, width = (sizes[1] if node.attributes.get("layout") else sizes[0]), sizes[2]
    if width not in (None, expected[1]):
        # PyTorch's newer exporter writes a projected LSTM as one with as many units as the projection.
        lost = state == "cell" and width is not None and width > expected[1]
        remedy = "torch.onnx.export loses projections (proj_size): give the state_dict" if lost else "export it again"
        raise BadWeights(
            f"{where}: starts from a {state} state of width {width}, but has {expected[1]} units; {remedy}."
        )
    if ways not in (None, expected[0]):
        raise BadWeights(
            f"{where}: starts from a {state} state for {ways} directions, but has {expected[0]}; export it again."
        )


def _initial(name: str, folding: Folding, sizes: tuple[int, int], node: Node, where: str) -> Tensor | None:
    """Return the row that all sequences start from, for each direction; None for zeros."""
    layout = node.attributes.get("layout")
    rows = folding.rows(name, (1, *sizes) if layout else (sizes[0], 1, sizes[1]))
    rows = np.swapaxes(rows, 0, 1) if layout else rows
    if rows.shape[:1] + rows.shape[2:] != sizes or not rows.size or np.any(rows != rows[:, :1]):
        found = f"{where}: starts from '{name}' of shape {rows.shape}, which varies between sequences or does not fit"
        raise BadWeights(
            f"{found}; expected one row of {sizes[1]}. Take it out of the model and give initial_state=FILE."
        )
    return Tensor(name, sizes, lambda: rows[:, 0]) if np.any(rows) else None


def _settings(node: Node, place: int, where: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of one direction, and the origin of each."""
    given, cell = node.attributes, CELLS[node.op]
    names, functions, ways = SETTINGS[cell], _functions(given, where), len(WAYS_OF[given.get("direction", "forward")])
    # An RNN's default is a list of two even for one direction.
    if len(functions) not in (0, ways * len(names)) and (cell, len(functions)) != ("simple_rnn", 2):
        raise BadWeights(
            f"{where}: has {len(functions)} activations; expected {len(names)} per direction. Export again."
        )
    settings: dict[str, Any] = dict(zip(names, functions[place * len(names) :], strict=False))
    if given.get("clip") is not None:
        settings["preactivation_clip"] = _short(given["clip"])
    if given.get("input_forget") and cell == "lstm":
        settings["coupled"] = True
    if given.get("linear_before_reset") is not None and cell == "gru":
        settings["reset_after"] = bool(given["linear_before_reset"])
    return settings, dict.fromkeys(settings, "file")


def _functions(given: Mapping[str, Any], where: str) -> list[str]:
    """Return our names of the activation functions; those that take alpha and beta consume them in order."""
    numbers = [list(given.get(f"activation_{which}") or ()) for which in ("alpha", "beta")]
    named = []
    for stored in (given.get("activations") or ())[: MOST_FUNCTIONS + 1]:
        ours, defaults = FUNCTIONS.get(stored.lower(), ("", (None,)))
        used = [_short(own.pop(0) if own else usual) for own, usual in zip(numbers, defaults, strict=False)]
        if not ours or not all(map(math.isfinite, used)):
            raise BadWeights(
                f"{where}: has the activation '{stored}'; expected {', '.join(sorted(FUNCTIONS))}, with alpha and beta "
                "if they have no default. Export it again."
            )
        named.append(f"{ours}({', '.join(map(str, used))})" if used else ours)
    if any(numbers):
        raise BadWeights(
            f"{where}: has more alpha or beta than its activations take; it is unclear which belong to what."
        )
    return named


def _short(number: float | None) -> float:
    """Return the decimal meant by a stored float32; NaN for none."""
    return math.nan if number is None else float(str(np.float32(number)))
