"""Reads layers of a live subclassed model, whose settings are known, but not which layer feeds which."""

from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import BadWeights
from ....network.model import DIRECTIONS, Direction
from ...readers import Tensor
from ...stack import StoredCell, StoredLayer
from .fitting import stored_cell
from .graph import is_own
from .ours import class_of, is_ours
from .settings import LayerSettings, layer_settings, wrapped
from .vocabulary import MERGE_MODES

__all__ = ["described_layer", "described_settings", "feeds_steps", "joins_directions"]

Entry = Mapping[str, Any]


def feeds_steps(entry: Entry | None) -> bool:
    """Return whether a layer may pass every step to the next one; one without a description may."""
    if entry is None or is_ours(entry):
        return True
    config = entry["config"]
    config = wrapped(config)[1] if class_of(entry)[1] == "Bidirectional" else config
    return bool(config.get("return_sequences"))


def joins_directions(entry: Entry | None) -> bool:
    """Return whether the output of a layer has both directions side by side."""
    mode = None if entry is None else entry["config"].get("merge_mode")
    return not isinstance(mode, str) or MERGE_MODES.get(mode) == "concat"


def described_settings(entry: Entry, version: str | None, where: str) -> LayerSettings:
    """Read how a layer is run.

    Raises
    ------
    BadWeights
        Its class is the user's own, or a setting is not supported.
    """
    if not is_own(entry):
        name = ">".join(part for part in class_of(entry) if part)
        raise BadWeights(
            f"{where}: its class is not Keras' own ('{name}'), so what it computes is unknown; expected Keras' LSTM, "
            "GRU or another of its layers. rnnstates.collect runs the model as it is."
        )
    return layer_settings(class_of(entry)[1], entry["config"], version, where)


def described_layer(
    name: str, halves: Mapping[Direction, Sequence[Tensor]], settings: LayerSettings, *, turned: bool, where: str
) -> StoredLayer:
    """Make a layer; ``turned`` makes a plain one read from the end."""
    cells: dict[Direction, StoredCell] = {}
    for half in sorted(halves, key=DIRECTIONS.index):
        direction: Direction = "backward" if half == "backward" or turned else "forward"
        inside = f"{where} ({half})" if settings.bidirectional else where
        cells[direction] = stored_cell(settings.cells[half][0], list(halves[half]), inside)
    return StoredLayer(name, cells, settings.merge)
