"""From the configuration of an LSTM, or of a Bidirectional around one, to how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import BadWeights
from ...canonical import Direction
from .graph import is_own
from .vocabulary import MERGE_MODES, activation_name, default_recurrent_activation

__all__ = ["CellSettings", "LayerSettings", "layer_settings", "wrapped"]

READ_SO_FAR = "this version reads LSTM, alone or in Bidirectional"


@dataclass(frozen=True)
class CellSettings:
    """How one direction of a layer is run: its size, canonical names of its activations, what to note."""

    units: int
    activation: str
    recurrent_activation: str
    use_bias: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LayerSettings:
    """How a recurrent layer is run.

    Parameters
    ----------
    cells : mapping
        Settings by the half of the layer: ``forward`` alone for a plain layer.
    backwards : bool
        A plain layer reads from the end (``go_backwards``), and gives its states in that order.
    merge : str
    apart : bool
        The two directions are not merged, so that no single sequence comes out.
    return_sequences : bool
        Whether it gives every step to the next layer.
    bidirectional : bool
    """

    cells: Mapping[Direction, CellSettings]
    backwards: bool
    merge: str
    apart: bool
    return_sequences: bool
    bidirectional: bool


def layer_settings(class_name: str, config: Mapping[str, Any], version: str | None, where: str) -> LayerSettings:
    """Read how a recurrent layer is run.

    Parameters
    ----------
    class_name : str
        ``LSTM`` or ``Bidirectional``.
    config : mapping
    version : str or None
        The ``keras_version`` that wrote it.
    where : str
        The file and the layer.

    Raises
    ------
    BadWeights
        It is of another class, or set in a way that is not computed here.
    """
    if class_name == "LSTM":
        cells: dict[Direction, CellSettings] = {"forward": _cell(config, version, where)}
        backwards, sequences = bool(config.get("go_backwards")), bool(config.get("return_sequences"))
        return LayerSettings(cells, backwards, "concat", False, sequences, False)
    if class_name != "Bidirectional":
        raise BadWeights(f"{where}: is a {class_name}; {READ_SO_FAR}.")
    return _bidirectional(config, version, where)


def wrapped(config: Mapping[str, Any], key: str = "layer") -> tuple[str, Mapping[str, Any]]:
    """Give class and configuration of the layer inside a wrapper; ``("nothing", {})`` where there is none."""
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
        if class_name != "LSTM":
            raise BadWeights(f"{where}: is a Bidirectional around {class_name}; {READ_SO_FAR}.")
    if forward.get("go_backwards"):
        raise BadWeights(
            f"{where}: the forward layer of its Bidirectional goes backwards; expected go_backwards=False."
        )
    merge = config.get("merge_mode", "concat")
    if merge is not None and not (isinstance(merge, str) and merge in MERGE_MODES):
        known = ", ".join(str(mode) for mode in MERGE_MODES)
        raise BadWeights(f"{where}: merges its directions by {merge!r}; known: {known}.")
    cells: dict[Direction, CellSettings] = {
        "forward": _cell(forward, version, where),
        "backward": _cell(backward, version, where),
    }
    sequences = bool(forward.get("return_sequences"))
    return LayerSettings(cells, False, MERGE_MODES[merge], merge is None, sequences, True)


def _cell(config: Mapping[str, Any], version: str | None, where: str) -> CellSettings:
    units = config.get("units")
    if not isinstance(units, int) or isinstance(units, bool) or units < 1:
        raise BadWeights(f"{where}: has units {units!r}; expected a positive whole number.")
    notes = [sentence for told, sentence in _NOTES.items() if config.get(told)]
    if "recurrent_activation" not in config:
        assumed = default_recurrent_activation(version)
        notes.append(f"does not say its recurrent activation; {assumed} is taken, the default of Keras {version}.")
    if "16" in _policy(config.get("dtype")):
        notes.append(f"was made for {_policy(config.get('dtype'))}; it is computed in the precision of this run.")
    return CellSettings(
        units,
        _activation(config.get("activation", "tanh"), version, f"{where}: activation"),
        _activation(
            config.get("recurrent_activation", default_recurrent_activation(version)),
            version,
            f"{where}: recurrent activation",
        ),
        bool(config.get("use_bias", True)),
        tuple(notes),
    )


# What a model may do that is not done here, by its setting.
_NOTES = {
    "stateful": "is stateful in the model; here every sequence starts from zero states.",
    "time_major": "reads (time, batch, features) in the model; here inputs are (N, T, I).",
}


def _activation(stored: Any, version: str | None, where: str) -> str:
    if stored is None:
        return "linear"
    known = activation_name(stored, version) if isinstance(stored, str) else None
    if isinstance(stored, Mapping) and stored.get("class_name") == "function" and isinstance(stored.get("config"), str):
        known = activation_name(stored["config"], version)
    if known is None:
        found = stored if isinstance(stored, str) else _told(stored)
        raise BadWeights(
            f"{where} is {found}; expected elu, hard_sigmoid, linear, relu, selu, sigmoid, softplus, softsign or tanh. "
            "Code in a file is never run."
        )
    return known


def _told(stored: Any) -> str:
    if not isinstance(stored, Mapping):
        return f"{stored!r}"[:80]
    name = stored.get("config") if stored.get("class_name") == "function" else stored.get("class_name")
    return f"'{name}', a class or function of its own"[:200]


def _policy(stored: Any) -> str:
    """Name a dtype policy, which Keras 3 stores as an object and earlier ones as an object or a string."""
    inside = stored.get("config") if isinstance(stored, Mapping) else stored
    return str(inside.get("name", "")) if isinstance(inside, Mapping) else str(inside or "")
