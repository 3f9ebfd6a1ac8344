"""Reads ELMo's arrays, ``RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0`` and so on, and the settings in options.json.

``RNN_0`` reads forward and ``RNN_1`` backward, and they never mix: each layer reads the layer below it in the same
direction. A cell is TensorFlow 0.x's: ``W_0``, ``W_1``, … are rows of one kernel, first those of the input, then those
of the hidden state; ``B`` is its bias and ``W_P_0``, … are rows of the projection. Clips and residual connections are
recorded only in options.json.

References
----------
Peters et al. 2018, "Deep contextualized word representations"; allenai/bilm-tf: bilm/model.py, ``_build_lstms``.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import BadWeights
from ...network.model import DIRECTIONS, Direction
from ...network.note import ZERO_START, Note
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..readers.base import joined, sliced
from ..stack import StoredCell, StoredLayer

__all__ = ["interpret", "recognises"]

OPTIONS = "options.json"
_ARRAY = re.compile(r"^RNN_([01])/RNN/MultiRNNCell/Cell(0|[1-9][0-9]{0,3})/LSTMCell/(.+)$")
_SHARD = re.compile(r"^(W|W_P)_(0|[1-9][0-9]{0,3})$")
# Names of the recurrent part, understood or not.
_RECURRENT = re.compile(r"^RNN_\d")
# Our names of the clips, and ELMo's.
CLIPS = {"cell_clip": "cell_clip", "projection_clip": "proj_clip"}
# Larger sizes are nonsense; products of sizes up to this are still small integers.
LARGEST = 2**24
# A larger clip has no effect in float32.
LARGEST_CLIP = 1e30

Roles = dict[str, Tensor]
Layers = dict[int, dict[Direction, Roles]]


class _Settings(NamedTuple):
    """The settings in options.json."""

    units: int
    width: int
    layers: int
    residual: bool
    bidirectional: bool
    clips: Mapping[str, float | None]
    given: frozenset[str]


def recognises(container: Container) -> bool:
    """Return whether an array has one of ELMo's names."""
    return any(_ARRAY.match(name) for name in container.tensors)


def interpret(container: Container) -> NamedModel:
    """Find the layers.

    Parameters
    ----------
    container : Container
        With the document ``options.json``.

    Returns
    -------
    NamedModel
        One stack, or the reason why it cannot be computed.
    """
    layers = _layers(container)
    unused = [name for name in container.tensors if not _RECURRENT.match(name)]
    names = tuple(f"Cell{number}" for number in sorted(layers))
    try:
        settings = _settings(container)
        _check(container, layers, settings)
        stored = tuple(_layer(container, number, layers[number], settings) for number in sorted(layers))
    except BadWeights as reason:
        found = FoundStack("ELMo", names, problem=str(reason))
    else:
        found = FoundStack("ELMo", names, stored, notes=_notes(container, settings, unused))
    return NamedModel(f"ELMo ({container.kind})", [found], unused, connected=True)


def _layers(container: Container) -> Layers:
    """Group the arrays with ELMo's names by layer, direction and the last part of the name."""
    layers: Layers = {}
    for name, tensor in container.tensors.items():
        if found := _ARRAY.match(name):
            layers.setdefault(int(found[2]), {}).setdefault(DIRECTIONS[int(found[1])], {})[found[3]] = tensor
    return layers


def _settings(container: Container) -> _Settings:
    if OPTIONS not in container.documents:
        raise BadWeights(
            f"{container.path}: ELMo keeps its clips and residual connections in {OPTIONS}, which is missing; put it "
            "next to the weights and give the folder."
        )
    where = f"{container.path}: {OPTIONS}"
    options = container.documents[OPTIONS]
    lstm = options.get("lstm")
    if not isinstance(lstm, dict):
        raise BadWeights(f"{where}: has no object 'lstm'; expected the options of an ELMo model.")
    units, width, layers = (_size(lstm, name, where) for name in ("dim", "projection_dim", "n_layers"))
    clips = {ours: _clip(lstm.get(theirs), theirs, where) for ours, theirs in CLIPS.items()}
    given = frozenset(ours for ours, theirs in CLIPS.items() if theirs in lstm)
    residual = _truth(lstm.get("use_skip_connections"), "use_skip_connections", where)
    both = _truth(options.get("bidirectional", True), "bidirectional", where)
    return _Settings(units, width, layers, residual, both, clips, given)


def _size(options: Mapping[str, Any], name: str, where: str) -> int:
    value = options.get(name)
    if type(value) is not int or not 0 < value <= LARGEST:
        raise BadWeights(f"{where}: '{name}' is {_short(value)}; expected a whole number from 1.")
    return value


def _clip(value: Any, name: str, where: str) -> float | None:
    if value is None:
        return None
    # Python's JSON accepts NaN and infinity; neither is within the bounds, nor is an integer of a thousand digits.
    if type(value) not in (int, float) or not 0 < value <= LARGEST_CLIP:
        raise BadWeights(f"{where}: '{name}' is {_short(value)}; expected a positive number, or null.")
    return float(value)


def _truth(value: object, name: str, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadWeights(f"{where}: '{name}' is {_short(value)}; expected true or false.")
    return value


def _short(value: object) -> str:
    return "missing" if value is None else repr(value)[:40]


def _check(container: Container, layers: Layers, settings: _Settings) -> None:
    """Compare the names with the options."""
    foreign = [name for name in container.tensors if _RECURRENT.match(name) and not _ARRAY.match(name)]
    foreign += [
        tensor.name
        for directions in layers.values()
        for roles in directions.values()
        for role, tensor in roles.items()
        if role != "B" and not _SHARD.match(role)
    ]
    if foreign:
        raise BadWeights(refusal(container.path, foreign, "which ELMo's LSTM does not have"))
    if sorted(layers) != list(range(settings.layers)):
        raise BadWeights(
            f"{container.path}: holds the layers {sorted(layers)[:10]}, but {OPTIONS} says n_layers {settings.layers}; "
            "they do not belong together."
        )
    expected = set(DIRECTIONS) if settings.bidirectional else {"forward"}
    for number, directions in layers.items():
        if set(directions) != expected:
            raise BadWeights(
                f"{container.path}: has Cell{number} {' and '.join(sorted(directions))}; expected "
                f"{' and '.join(sorted(expected))}, because {OPTIONS} says bidirectional {settings.bidirectional}."
            )


def _layer(
    container: Container, number: int, directions: Mapping[Direction, Roles], settings: _Settings
) -> StoredLayer:
    cells = {
        direction: _cell(directions[direction], settings, f"{container.path}: Cell{number} ({direction})")
        for direction in DIRECTIONS
        if direction in directions
    }
    # The lowest layer does not add the embedded words to its output.
    return StoredLayer(f"Cell{number}", cells, merge="apart", residual=settings.residual and number > 0)


def _cell(roles: Roles, settings: _Settings, where: str) -> StoredCell:
    kernel, projection = _whole(roles, "W", where), _whole(roles, "W_P", where)
    if kernel is None or "B" not in roles or (projection is None and settings.width < settings.units):
        raise BadWeights(
            f"{where}: has only {', '.join(sorted(roles))}; expected W_0, B and W_P_0. Get the file again."
        )
    width = settings.units if projection is None else settings.width
    columns = 4 * settings.units
    rows = kernel.shape[0] if len(kernel.shape) == 2 else 0
    if rows <= width:
        raise BadWeights(f"{where}: W has shape {kernel.shape}; expected more than {width} rows, as {OPTIONS} says.")
    _fits(kernel, "W", (rows, columns), where)
    _fits(roles["B"], "B", (columns,), where)
    tensors = {
        "kernel": sliced(kernel, 0, rows - width),
        "recurrent_kernel": sliced(kernel, rows - width, rows),
        "bias": roles["B"],
    }
    clips = dict(settings.clips)
    if projection is None:
        del clips["projection_clip"]
    else:
        _fits(projection, "W_P", (settings.units, settings.width), where)
        tensors["projection"] = projection
    determined = {name: "file" if name in settings.given else "default" for name in clips}
    return StoredCell(CONVENTIONS["elmo"]["lstm"], tensors, where, clips, determined)


def _whole(roles: Roles, name: str, where: str) -> Tensor | None:
    """Join the shards of an array, which TensorFlow split by rows."""
    matches = {role: _SHARD.match(role) for role in roles}
    shards = {int(found[2]): roles[role] for role, found in matches.items() if found and found[1] == name}
    if sorted(shards) != list(range(len(shards))):
        raise BadWeights(f"{where}: has shards {sorted(shards)[:10]} of {name}; some are missing, get the file again.")
    if len(shards) < 2:
        return shards.get(0)
    return joined([shards[number] for number in sorted(shards)], 0, where)


def _fits(tensor: Tensor, name: str, shape: tuple[int, ...], where: str) -> None:
    if tensor.shape != shape:
        raise BadWeights(f"{where}: {name} has shape {tensor.shape}; expected {shape}, as {OPTIONS} says.")


def _notes(container: Container, settings: _Settings, unused: list[str]) -> tuple[str, ...]:
    encoder = f" ({', '.join(unused[:3])}, …)" if unused else ""
    notes = [
        (
            f"{container.path}: the inputs must be the output of ELMo's encoder, which is not run{encoder}, for each "
            "word and for the steps that begin and end a sentence."
        ),
        Note(
            f"{container.path}: states start from zero, whereas the published programs start from those of the "
            "previous batch.",
            ZERO_START,
        ),
    ]
    if settings.residual and settings.layers > 1:
        notes.append(
            f"{container.path}: 'hidden' is the recurrent state; above the lowest layer ELMo outputs that plus the "
            "layer's inputs, in each direction: layer1/forward/hidden + layer0/forward/hidden, and so on."
        )
    missing = [theirs for ours, theirs in CLIPS.items() if ours not in settings.given]
    if missing:
        notes.append(f"{container.path}: {OPTIONS} has no {' and no '.join(missing)}, so none is applied.")
    return tuple(notes)
