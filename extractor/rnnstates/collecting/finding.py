"""Finds the recurrent layers of a live model, by name."""

import difflib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..errors import BadWeights, OptionError
from ..errors.articles import with_article
from ..keras.started import keras
from ..keras.state_layer import StateLayer
from ..network.model import Direction

__all__ = ["Found", "Layer", "StatesOf", "choose", "find_recurrent", "free_path"]

# A layer, cell or model of Keras, which comes without types.
Layer: TypeAlias = Any

# Names at the root of a states file apart from the layers' groups.
TAKEN = {"hidden", "cell", "ids", "integrity", "lengths", "offsets", "sequence", "step", "time", "boundary"}
# These have a special meaning in a path.
NO_GROUP = {"", ".", ".."}
ADVICE = "name the layers that you want with layers=[...]"


Orders = tuple[tuple[int, ...] | None, ...]


class StatesOf(NamedTuple):
    """One cell of a layer, and the position of its states among the layer's.

    Parameters
    ----------
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    units, width : int
        H, and the last axis of ``hidden``.
    first : int
        The index of ``hidden``; an LSTM's cell state is the next.
    """

    cell: str
    units: int
    width: int
    first: int


class Found(NamedTuple):
    """A recurrent layer that computes in one direction.

    Parameters
    ----------
    path : str
        ``lstm``, ``encoder/lstm`` inside a model, ``bidirectional/forward``.
    name : str
        Of the layer that the user knows: the ``Bidirectional`` around it, if any.
    layer : keras.layers.Layer
    direction : str
    orders : tuple of (tuple of int or None)
        For each model or layer around it, outermost first: the order of its calls there, see ``numbers``.
    """

    path: str
    name: str
    layer: Layer
    direction: Direction
    orders: Orders

    def numbers(self, calls: int) -> list[int]:
        """Return for each of its calls, in execution order, its number in the model as written.

        Keras runs independent calls of a functional model in an order of its own. Code is numbered in execution order.
        """
        known = math.prod(len(order) for order in self.orders if order is not None)
        unknown = self.orders.count(None)
        if unknown > 1 or calls % known or (not unknown and calls != known):
            return list(range(calls))
        numbers = [0]
        for order in self.orders:
            inside = range(calls // known) if order is None else order
            numbers = [number * len(inside) + one for number in numbers for one in inside]
        return numbers

    @property
    def cells(self) -> tuple[StatesOf, ...]:
        """The cells, lowest first: one, unless it is an ``RNN`` of several.

        Raises
        ------
        BadWeights
            One of them is of an unsupported kind.
        """
        cell = self.layer.cell
        inner = cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell]
        cells, first = [], 0
        for one in inner:
            kind = _kind(one)
            if kind is None:
                found = f"{with_article(type(self.layer).__name__)} of {type(one).__name__}"
                raise BadWeights(
                    f"layer '{self.path}': is {found}; expected cells of LSTM, GRU or SimpleRNN, "
                    f"whose states have names: {ADVICE}."
                )
            cells.append(StatesOf(kind, one.units, getattr(one, "width", one.units), first))
            first += 2 if kind == "lstm" else 1
        return tuple(cells)


def find_recurrent(model: Layer) -> tuple[Found, ...]:
    """List the recurrent layers of a model, including those inside models and wrappers, in the model's order."""
    found: list[Found] = []
    for one in _walk(model, ()):
        # A layer may be in several of the inner models.
        if all(one.layer is not other.layer for other in found):
            found.append(one)
    taken, known = {one.path for one in found}, set[str]()
    for number, one in enumerate(found):
        # Layers of a subclassed model may share a name.
        if one.path in known:
            found[number] = one._replace(path=free_path(one.path, taken))
        known.add(one.path)
    return tuple(found)


def free_path(path: str, taken: set[str]) -> str:
    """Return a path with the first number that makes it free, and mark that as taken."""
    numbered = next(one for number in itertools.count(2) if (one := f"{path}_{number}") not in taken)
    taken.add(numbered)
    return numbered


def choose(found: Sequence[Found], layers: str | Sequence[str] | None) -> tuple[Found, ...]:
    """Return the named layers; all if None.

    Raises
    ------
    BadWeights
        There is no recurrent layer, or a chosen one cannot be recorded.
    OptionError
        A name that no recurrent layer has.
    """
    if not found:
        raise BadWeights("the model has no recurrent layer; expected LSTM, GRU, SimpleRNN or RNN.")
    wanted = None if layers is None else [layers] if isinstance(layers, str) else list(layers)
    if wanted == []:
        raise OptionError(f"layers={layers!r}: names no layer; expected names, or None for all recurrent layers.")
    known = [name for one in found for name in (one.path, one.name, one.path.rpartition("/")[0])]
    for name in wanted or ():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            guess = f" Did you mean '{close[0]}'?" if close else ""
            raise OptionError(
                f"layers: no recurrent layer '{name}'; found: {', '.join(one.path for one in found)}.{guess}"
            )
    taken = tuple(
        one for one in found if wanted is None or {one.path, one.name, one.path.rpartition("/")[0]} & set(wanted)
    )
    for one in taken:
        _check(one)
    return taken


def _walk(layer: Layer, path: tuple[str, ...], around: Orders = ()) -> Iterator[Found]:
    for child in layer._flatten_layers(recursive=False, include_self=False):
        inside, orders = (*path, child.name), (*around, _order(layer, child))
        if isinstance(child, keras.layers.Bidirectional):
            yield Found("/".join([*inside, "forward"]), child.name, child.forward_layer, "forward", orders)
            yield Found("/".join([*inside, "backward"]), child.name, child.backward_layer, "backward", orders)
        elif isinstance(child, keras.layers.RNN | StateLayer):
            direction: Direction = "backward" if child.go_backwards else "forward"
            yield Found("/".join(inside), child.name, child, direction, orders)
        else:
            yield from _walk(child, inside, orders)


def _order(model: Layer, layer: Layer) -> tuple[int, ...] | None:
    """Return the positions of a layer's calls in a functional model as written, in execution order."""
    if isinstance(model, keras.Sequential):
        return (0,)
    if (by_depth := getattr(model, "_nodes_by_depth", None)) is None:
        return None
    nodes = [node for _, nodes in sorted(by_depth.items(), reverse=True) for node in nodes if node.operation is layer]
    written = [layer._inbound_nodes.index(node) for node in nodes]
    return tuple(sorted(written).index(place) for place in written) or None


def _kind(cell: Layer) -> str | None:
    kinds = {
        keras.layers.LSTMCell: "lstm", keras.layers.GRUCell: "gru", keras.layers.SimpleRNNCell: "simple_rnn",
    }  # fmt: skip
    return next((kind for known, kind in kinds.items() if isinstance(cell, known)), None)


def _check(one: Found) -> None:
    where = f"layer '{one.path}'"
    if not hasattr(one.layer, "cell") or "Conv" in type(one.layer).__name__:
        raise BadWeights(f"{where}: is {with_article(type(one.layer).__name__)}, whose states are images; {ADVICE}.")
    if getattr(one.layer, "stateful", False):
        raise BadWeights(
            f"{where}: is stateful, so its states depend on earlier batches; build it with stateful=False."
        )
    if one.path.partition("/")[0] in TAKEN:
        raise OptionError(f"{where}: has the name of something else in a states file; rename it.")
    if NO_GROUP & set(one.path.split("/")):
        raise OptionError(f"{where}: has a name that no group of a states file can have; rename it.")
    assert one.cells
