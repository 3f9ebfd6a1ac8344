"""Surveys what surrounds a stack in a file that does not say what feeds what."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..readers import Container
from ..stack import Model, StoredStack
from .beside import Ends, leading_to, may_stand_before
from .embeddings import Table
from .modules import Module, modules_of
from .names import is_later, is_other_direction, leaf_of, module_of, parts_of, shared, words_of
from .norms import gate_norms
from .starts import Start, claims, find_starts

__all__ = ["Scene", "look_around"]

# The kind of file that keeps the order in which a model defines its modules.
IN_ORDER = "PyTorch file"
# Words for the parts of a model that read the output of others, and for those that never do.
_DECODERS, _ENCODERS = {"dec", "decoder", "target", "tgt"}, {"enc", "encoder", "source", "src"}
# Usual names of a table, for frameworks that do not define one.
_CALLED = re.compile(r"emb|look_?up", re.IGNORECASE)
# Words for tables that are not looked up by tokens.
_POSITIONS = {"pos", "position", "positional", "positions"}
# Arrays found with the matrix of a layer, but not with a table.
_BESIDE = {"b", "bias", "biases", "offset"}


class Scene(NamedTuple):
    """What a file holds besides a stack.

    Parameters
    ----------
    ends : Ends
        Where the stack begins and ends.
    other_stacks : list of Module
        The other recurrent stacks.
    before : list of Module
        The modules that may stand before the stack, including other stacks but not the tables.
    tables : list of Table
        The arrays named like embeddings.
    starts : list of Start
        Apparent trained initial states that do not fit exactly one stack.
    recurrent : set of str
        The arrays of all stacks.
    norms : list of Module
        Normalisations inside the cells of the stack.
    """

    ends: Ends
    other_stacks: list[Module]
    before: list[Module]
    tables: list[Table]
    starts: list[Start]
    recurrent: set[str]
    norms: list[Module]


def look_around(container: Container, model: Model, stack: StoredStack, whole: Mapping[str, StoredStack]) -> Scene:
    """Survey what a file holds besides a stack.

    Parameters
    ----------
    container : Container
    model : Model
    stack : StoredStack
    whole : mapping
        Every stack of the file by the name of its top layer.
    """
    called, lowest = model.modules(), stack.layers[0].name
    places = {name: place for place, name in enumerate(container.tensors)}
    recurrent = {source for each in (stack, *whole.values()) for source in each.sources()}
    starts = find_starts(container.tensors, {stack.layers[-1].name: stack, **whole})
    tables = _tables(container, model, called)
    used = {*recurrent, *(table.array.name for table in tables), *(start.array.name for start in starts)}
    other_stacks = _other_stacks(model, stack, whole, places)
    modules = [_as_table(module) for module in modules_of(container.tensors, used, called)]
    ends = _ends(container, stack, places, other_stacks)
    feeding = [other for other in other_stacks if may_feed(other.name, lowest)]
    before = may_stand_before([*feeding, *modules], ends)
    parts = {words_of(other.name)[:1] for other in other_stacks} - {()}
    before = [module for module in before if not _is_elsewhere(module, lowest, parts, ends)]
    claimed = claims(starts, whole, are_all=len(whole) == len(model.tops()))
    taken = {start.array.name for found in claimed.values() for start in found.values()}
    unclaimed = [start for start in starts if start.array.name not in taken]
    return Scene(ends, other_stacks, before, tables, unclaimed, recurrent, gate_norms(modules, stack))


def may_feed(other: str, lowest: str) -> bool:
    """Return whether another stack can feed one, by their names."""
    decodes = bool(_DECODERS & set(words_of(other))) and bool(_ENCODERS & set(words_of(lowest)))
    return not decodes and not is_later(other, lowest) and not is_other_direction(other, lowest)


def _tables(container: Container, model: Model, called: Mapping[str, str] | None) -> list[Table]:
    """Find the tables of tokens: matrices without a bias next to them, which would make them layers."""
    given = model.tables() or {
        name: array for name, array in container.tensors.items() if _CALLED.search(_call_of(name))
    }
    named = [
        Table(label, (called or {}).get(array.name) or module_of(array.name), array) for label, array in given.items()
    ]
    beside = {module_of(name) for name in container.tensors if leaf_of(name) in _BESIDE}
    return [
        table
        for table in named
        if len(table.array.shape) == 2
        and 0 not in table.array.shape
        and module_of(table.array.name) not in beside
        and not _POSITIONS & set(words_of(table.array.name))
    ]


def _call_of(name: str) -> str:
    """Return the part of a name that says what an array is: its own, or its module's if it is called ``weight``."""
    return (parts_of(name)[-2:] or (name,))[0] if leaf_of(name) == "weight" else leaf_of(name)


def _as_table(module: Module) -> Module:
    """Treat a table of positions as something added to the inputs, not as a matrix."""
    shapes = list(module.shapes.values())
    if len(shapes) == 1 and len(shapes[0]) == 2 and _POSITIONS & set(words_of(module.name)):
        return replace(module, reads=None, gives=shapes[0][1])
    return module


def _other_stacks(
    model: Model, stack: StoredStack, whole: Mapping[str, StoredStack], places: Mapping[str, int]
) -> list[Module]:
    own, classes = {layer.name for layer in stack.layers}, model.recurrent()
    return [
        Module(
            top, {}, min((places[name] for name in other.sources() if name in places), default=0),
            classes[top], other.layers[0].features, other.layers[-1].width,
        )
        for top, other in whole.items()
        if not own & {layer.name for layer in other.layers}
    ]  # fmt: skip


def _is_elsewhere(module: Module, lowest: str, parts: Collection[tuple[str, ...]], ends: Ends) -> bool:
    """Return whether a module belongs with another stack to a separate part of the model, such as a decoder.

    One that can produce the inputs is named all the same, unless it is defined after the layers or decodes. ``parts``
    has the first word of the name of each other stack.
    """
    scoped = len(words_of(lowest)) > 1 and not shared(module.name, lowest)
    if not scoped or words_of(module.name)[:1] not in parts:
        return False
    leads = bool(leading_to([module], ends)) or bool(module.class_name)
    return not leads or ends.is_after(module) or not may_feed(module.name, lowest)


def _ends(container: Container, stack: StoredStack, places: Mapping[str, int], others: Iterable[Module]) -> Ends:
    loose = {stack.layers[0].name, *stack.loose}
    own = [places[name] for name in stack.sources() if name in places]
    ordered = container.kind == IN_ORDER and bool(own)
    return Ends(
        tuple(layer.name for layer in stack.layers if layer.name in loose),
        frozenset(layer.features for layer in stack.layers if layer.name in loose),
        frozenset([*(layer.width for layer in stack.layers), *(other.gives or 0 for other in others)]) - {0},
        min(own) if ordered else None,
        max(own) if ordered else None,
    )
