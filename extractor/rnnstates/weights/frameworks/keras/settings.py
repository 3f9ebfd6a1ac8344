"""Reads how a recurrent layer, or a Bidirectional around one, is run from its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import BadWeights
from ....errors.articles import with_article
from ....network.model import Direction
from ....network.note import ZERO_START, Note
from .graph import is_own
from .ours import extras_of
from .vocabulary import (
    CELLS,
    CUDNN,
    LAYERS,
    MERGE_MODES,
    OURS,
    activation_name,
    default_recurrent_activation,
    default_reset_after,
)

__all__ = ["CellSettings", "LayerSettings", "layer_settings", "wrapped"]

READ_SO_FAR = (
    "LSTM, GRU, SimpleRNN, CuDNNLSTM, CuDNNGRU and RNN of their cells are read, alone or in Bidirectional, and our "
    "StateLSTM, StateGRU and StateRNN"
)
MOST_CELLS = 1000


@dataclass(frozen=True)
class CellSettings:
    """How one cell is run: its kind and size, canonical names of its activations, notes."""

    cell: str
    class_name: str
    name: str
    trainable: bool
    units: int
    activation: str
    recurrent_activation: str
    use_bias: bool
    reset_after: bool
    notes: tuple[str, ...]
    determined: Mapping[str, str]
    # Settings that only our own layers have.
    extras: Mapping[str, Any] | None = None

    @property
    def arrays(self) -> int:
        """How many arrays Keras stores for it."""
        return 3 if self.use_bias else 2


@dataclass(frozen=True)
class LayerSettings:
    """How a recurrent layer is run.

    Parameters
    ----------
    cells : mapping
        Settings by half, only ``forward`` for a plain layer; several cells of an RNN feed each other.
    backwards : bool
        A plain layer reads from the end (``go_backwards``), and outputs its states in that order.
    merge : str
    apart : bool
        The two directions are not merged, so there is no single output sequence.
    return_sequences : bool
        Whether it passes every step to the next layer.
    bidirectional : bool
    stacked : bool
        Its cells are in a list (``StackedRNNCells``).
    aligned : bool
        Its states are in the order of its inputs even if it reads backwards.
    """

    cells: Mapping[Direction, tuple[CellSettings, ...]]
    backwards: bool
    merge: str
    apart: bool
    return_sequences: bool
    bidirectional: bool
    stacked: bool
    aligned: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the model does with the layer that rnnstates does not."""
        notes = dict.fromkeys(note for cells in self.cells.values() for cell in cells for note in cell.notes)
        turned = "goes backwards; its states are in the order of the inputs, not in reading order."
        return (*notes, *([turned] if self.backwards and not self.aligned else []))


def layer_settings(class_name: str, config: Mapping[str, Any], version: str | None, where: str) -> LayerSettings:
    """Read how a recurrent layer is run.

    Parameters
    ----------
    class_name : str
        ``LSTM``, ``RNN``, ``Bidirectional``, ….
    config : mapping
    version : str or None
        The ``keras_version`` that wrote it.
    where : str
        The file and the layer.

    Raises
    ------
    BadWeights
        Its class or one of its settings is not supported.
    """
    if class_name == "Bidirectional":
        return _bidirectional(config, version, where)
    cells = _cells(class_name, config, version, where)
    backwards, sequences = bool(config.get("go_backwards")), bool(config.get("return_sequences"))
    ours = class_name in OURS
    return LayerSettings(
        {"forward": cells}, backwards, "concat", False, sequences or ours, False, _is_stacked(config), aligned=ours
    )


def wrapped(config: Mapping[str, Any], key: str = "layer") -> tuple[str, Mapping[str, Any]]:
    """Return class and configuration of the layer inside a wrapper; ``("nothing", {})`` if there is none."""
    inner = config.get(key)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("config"), Mapping):
        return "nothing", {}
    if not is_own(inner):
        return f"a class '{inner.get('class_name')}' that is not Keras' own", inner["config"]
    return str(inner.get("registered_name") or inner.get("class_name")), inner["config"]


def _bidirectional(config: Mapping[str, Any], version: str | None, where: str) -> LayerSettings:
    forward_class, forward = wrapped(config)
    backward_class, backward = wrapped(config, "backward_layer") if config.get("backward_layer") else wrapped(config)
    for class_name in (forward_class, backward_class):
        if (class_name not in LAYERS or class_name in OURS) and class_name != "RNN":
            raise BadWeights(f"{where}: is a Bidirectional around {class_name}; {READ_SO_FAR}.")
    if forward.get("go_backwards"):
        raise BadWeights(
            f"{where}: the forward layer of its Bidirectional goes backwards; expected go_backwards=False."
        )
    merge = config.get("merge_mode", "concat")
    if merge is not None and not (isinstance(merge, str) and merge in MERGE_MODES):
        known = ", ".join(str(mode) for mode in MERGE_MODES)
        raise BadWeights(f"{where}: merges its directions by {merge!r}; known: {known}.")
    cells: dict[Direction, tuple[CellSettings, ...]] = {
        "forward": _cells(forward_class, forward, version, where),
        "backward": _cells(backward_class, backward, version, where),
    }
    if len(cells["forward"]) != len(cells["backward"]):
        raise BadWeights(f"{where}: its two directions have different numbers of cells; expected equal numbers.")
    sequences, stacked = bool(forward.get("return_sequences")), _is_stacked(forward)
    return LayerSettings(cells, False, MERGE_MODES[merge], merge is None, sequences, True, stacked)


def _is_stacked(config: Mapping[str, Any]) -> bool:
    return wrapped(config, "cell")[0] == "StackedRNNCells"


def _cells(class_name: str, config: Mapping[str, Any], version: str | None, where: str) -> tuple[CellSettings, ...]:
    """Read the cells of a layer, lowest first: one, unless it is an RNN with a list of cells."""
    if class_name in LAYERS:
        return (_cell(class_name, config, version, where),)
    if class_name != "RNN":
        raise BadWeights(f"{where}: is {with_article(class_name)}; {READ_SO_FAR}.")
    inner, inside = wrapped(config, "cell")
    entries: list[Any] = [config.get("cell")]
    if inner == "StackedRNNCells":
        listed = inside.get("cells")
        entries = listed if isinstance(listed, list) else []
    if not entries or len(entries) > MOST_CELLS:
        raise BadWeights(f"{where}: has {len(entries)} cells; expected 1 to {MOST_CELLS}.")
    cells = []
    for entry in entries:
        name, settings = wrapped({"cell": entry}, "cell")
        if name not in CELLS:
            raise BadWeights(f"{where}: is an RNN of {name}; {READ_SO_FAR}.")
        # Settings of the layer, such as stateful, are in its own configuration.
        cells.append(_cell(name, {**settings, **{setting: config.get(setting) for setting in _NOTES}}, version, where))
    return tuple(cells)


def _cell(class_name: str, config: Mapping[str, Any], version: str | None, where: str) -> CellSettings:
    # Keras 1 used output_dim and inner_activation.
    units = config.get("units", config.get("output_dim"))
    if not isinstance(units, int) or isinstance(units, bool) or units < 1:
        raise BadWeights(f"{where}: has units {units!r}; expected a positive whole number.")
    cell = LAYERS.get(class_name) or CELLS[class_name]
    notes = [sentence for setting, sentence in _NOTES.items() if config.get(setting)]
    assumed = "sigmoid" if class_name in CUDNN else default_recurrent_activation(version)
    recurrent = config.get("recurrent_activation", config.get("inner_activation", assumed))
    determined = {"activation": "file", "recurrent_activation": "file", "reset_after": "file"}
    gated = class_name not in CUDNN and cell != "simple_rnn"
    if gated and not {"recurrent_activation", "inner_activation"} & config.keys():
        default = f"does not state its recurrent activation; {assumed} is used, the default of Keras {version}."
        notes.append(Note(default, "recurrent_activation"))
        determined["recurrent_activation"] = "default"
    if "reset_after" not in config and class_name not in CUDNN:
        determined["reset_after"] = "default"
    if "16" in _policy(config.get("dtype")):
        notes.append(f"was made for {_policy(config.get('dtype'))}; it is computed in the precision of this run.")
    return CellSettings(
        cell,
        class_name,
        str(config.get("name") or ""),
        bool(config.get("trainable", True)),
        units,
        _activation(config.get("activation", "tanh"), version, f"{where}: activation"),
        _activation(recurrent, version, f"{where}: recurrent activation"),
        bool(config.get("use_bias", True)),
        bool(config.get("reset_after", class_name == "CuDNNGRU" or default_reset_after(version))),
        tuple(notes),
        determined | dict.fromkeys(("forget_bias", "cell_clip", "projection_clip"), "file"),
        extras_of(class_name, config, where),
    )


# By setting, what a model may do that rnnstates does not.
_NOTES = {
    "stateful": Note("is stateful in the model; here every sequence starts from zero states.", ZERO_START),
    "time_major": "reads (time, batch, features) in the model; here inputs are (N, T, I).",
}


def _activation(stored: object, version: str | None, where: str) -> str:
    if stored is None:
        return "linear"
    known = activation_name(stored, version) if isinstance(stored, str) else None
    if isinstance(stored, Mapping) and stored.get("class_name") == "function" and isinstance(stored.get("config"), str):
        # Keras finds such a function by its exact name: a user's swish is not Keras' own.
        known = activation_name(stored["config"], version, aliases=False)
    if known is None:
        found = stored if isinstance(stored, str) else _described(stored)
        raise BadWeights(
            f"{where} is {found}; expected one of Keras' element-wise activations (sigmoid, tanh, relu, "
            "hard_sigmoid, …). Code in a file is never run."
        )
    return known


def _described(stored: object) -> str:
    if not isinstance(stored, Mapping):
        return f"{stored!r}"[:80]
    name = stored.get("config") if stored.get("class_name") == "function" else stored.get("class_name")
    return f"'{name}', a custom class or function"[:200]


def _policy(stored: object) -> str:
    """Return the name of a dtype policy, which Keras 3 stores as an object, earlier versions also as a string."""
    inside = stored.get("config") if isinstance(stored, Mapping) else stored
    return str(inside.get("name", "")) if isinstance(inside, Mapping) else str(inside or "")
