"""A stack among everything else in a file that does not say what feeds what."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..readers import Container
from ..stack import Model, StoredStack
from .beside import Ends, may_stand_before
from .embeddings import Table
from .modules import Module, modules_of
from .names import is_later, is_other_direction, module_of, shared, words_of
from .starts import Start, claims, find_starts

__all__ = ["Scene", "look_around"]

# Files of it keep the order in which a model defines its modules.
IN_ORDER = "PyTorch file"


class Scene(NamedTuple):
    """What a file holds beside a stack.

    Parameters
    ----------
    ends : Ends
        Where the stack begins and ends.
    others : list of Module
        The other recurrent stacks.
    before : list of Module
        What may stand before the stack, the other stacks among it and the tables not.
    tables : list of Table
        The arrays that are embeddings by their names.
    starts : list of Start
        What looks like trained initial states, and fits no one stack.
    recurrent : set of str
        The arrays of all stacks.
    """

    ends: Ends
    others: list[Module]
    before: list[Module]
    tables: list[Table]
    starts: list[Start]
    recurrent: set[str]


def look_around(container: Container, model: Model, stack: StoredStack, whole: Mapping[str, StoredStack]) -> Scene:
    """Look at what lies beside a stack.

    Parameters
    ----------
    container : Container
    model : Model
    stack : StoredStack
    whole : mapping
        Every stack of the file by the name of its highest layer.
    """
    called, lowest = model.modules(), stack.layers[0].name
    tables = [
        Table(label, (called or {}).get(table.name) or module_of(table.name), table)
        for label, table in model.tables().items()
    ]
    recurrent = {source for each in (stack, *whole.values()) for source in each.sources()}
    starts = find_starts(container.tensors, recurrent)
    used = {*recurrent, *(table.array.name for table in tables), *(start.array.name for start in starts)}
    claimed = {start.array.name for taken in claims(starts, whole).values() for start in taken.values()}
    others = _others(model, stack, whole)
    modules = [
        module for module in modules_of(container.tensors, used, called) if not _is_elsewhere(module, lowest, others)
    ]
    ends = _ends(container, stack)
    before = may_stand_before([*(other for other in others if _may_feed(other, lowest)), *modules], ends)
    unclaimed = [start for start in starts if start.array.name not in claimed]
    return Scene(ends, others, before, tables, unclaimed, recurrent)


def _others(model: Model, stack: StoredStack, whole: Mapping[str, StoredStack]) -> list[Module]:
    own, classes = {layer.name for layer in stack.layers}, model.recurrent()
    return [
        Module(top, {}, 0, classes[top], other.layers[0].features, other.layers[-1].width)
        for top, other in whole.items()
        if not own & {layer.name for layer in other.layers}
    ]


def _may_feed(other: Module, lowest: str) -> bool:
    return not is_later(other.name, lowest) and not is_other_direction(other.name, lowest)


def _is_elsewhere(module: Module, lowest: str, others: Iterable[Module]) -> bool:
    """Tell whether a module lies beside another stack in a part of the model of its own, as a decoder's does."""
    scoped = len(words_of(lowest)) > 1 and not shared(module.name, lowest)
    return scoped and any(shared(module.name, other.name) for other in others)


def _ends(container: Container, stack: StoredStack) -> Ends:
    loose = {stack.layers[0].name, *stack.loose}
    own = stack.sources()
    places = [place for place, name in enumerate(container.tensors) if name in own]
    return Ends(
        tuple(layer.name for layer in stack.layers if layer.name in loose),
        frozenset(layer.features for layer in stack.layers if layer.name in loose),
        frozenset(layer.width for layer in stack.layers),
        max(places, default=0) if container.kind == IN_ORDER else None,
    )
