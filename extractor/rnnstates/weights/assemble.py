"""From the layers that were chosen to what is run: the embedding, trained starts, and what is said of the rest."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import BadWeights
from .around.beside import note_of
from .around.embeddings import NONE, Choice, choose_table, lone_matrices, named_table
from .around.modules import modules_of
from .around.scene import Scene, look_around
from .around.starts import claims, find_starts, note_of_starts, with_starts
from .choice import whole_stacks
from .options import ZERO, Options
from .readers import Container
from .stack import Model, StoredStack

__all__ = ["assemble"]


def assemble(container: Container, model: Model, names: Sequence[str], options: Options) -> StoredStack:
    """Put together what is run.

    Parameters
    ----------
    container : Container
    model : Model
        What its framework makes of it.
    names : sequence of str
        Layers that stacks end with; several feed each other.
    options : Options
        Of which the embedding and the initial state count here.

    Raises
    ------
    BadWeights
        It cannot be computed here, or the stacks do not fit each other.
    OptionError
        The table is not there.
    """
    stack, embedding = _joined([model.stack(name) for name in names], container.path), options.embedding
    if model.connected:
        stack = stack.from_zero() if options.initial_state == ZERO else stack
        return stack if embedding is None else _with_table(stack, _given(container, model, stack, embedding))
    whole = whole_stacks(model)
    if options.initial_state != ZERO:
        stack = _started(container, names, stack, whole)
    scene = look_around(container, model, stack, whole)
    choice = _table(container, stack, scene) if embedding is None else _given(container, model, stack, embedding)
    return _with_table(stack, choice).noting(*_notes(container.path, scene, stack.layers[0].features))


def _joined(parts: Sequence[StoredStack], path: str) -> StoredStack:
    """Put stacks on top of each other, the first one lowest."""
    if len(parts) == 1:
        return parts[0]
    for below, above in itertools.pairwise(parts):
        lower, upper = below.layers[-1], above.layers[0]
        if lower.width != upper.features:
            raise BadWeights(
                f"{path}: '{upper.name}' reads inputs of width {upper.features}, but '{lower.name}' gives "
                f"{lower.width}; they are no chain. Choose one of them with --layer."
            )
    order = " -> ".join(f"'{part.layers[-1].name}'" for part in parts)
    notes = dict.fromkeys([note for part in parts for note in part.notes])
    layers = tuple(layer for part in parts for layer in part.layers)
    loose = frozenset(name for part in parts for name in (part.layers[0].name, *part.loose))
    said = (*notes, f"{path}: {order} run as one chain, as given.")
    return replace(parts[0], layers=layers, notes=said, loose=loose)


def _started(
    container: Container, names: Sequence[str], stack: StoredStack, whole: Mapping[str, StoredStack]
) -> StoredStack:
    """Let each part of a stack start where its trained states are; those lie for all layers of it together."""
    used = {source for each in whole.values() for source in each.sources()}
    for top, taken in claims(find_starts(container.tensors, used), whole).items():
        if {layer.name for layer in whole[top].layers} & set(names):
            started = with_starts(top, whole[top], taken, container.path)
            layers = {layer.name: layer for layer in started.layers}
            stack = replace(stack, layers=tuple(layers.get(layer.name, layer) for layer in stack.layers))
            stack = stack.noting(started.notes[-1])
    return stack


def _table(container: Container, stack: StoredStack, scene: Scene) -> Choice:
    """Choose the embedding."""
    lowest, path = stack.layers[0], container.path
    if scene.tables:
        between = [module for module in scene.before if not module.class_name]
        return choose_table(scene.tables, lowest.features, lowest.name, scene.others, between, path)
    lone = lone_matrices(container.tensors, scene.recurrent, lowest.features)
    if not lone:
        return Choice()
    named = ", ".join(map(str, lone[:5]))
    return Choice(why=f"{path}: no array is called an embedding; {named} may be one (--embedding NAME decides).")


def _given(container: Container, model: Model, stack: StoredStack, embedding: str) -> Choice:
    if embedding == NONE:
        return Choice(why=f"{container.path}: --embedding is none.")
    called = {**(model.modules() or {}), **{table.name: label for label, table in model.tables().items()}}
    return named_table(embedding, container.tensors, called, stack.layers[0].features, container.path)


def _with_table(stack: StoredStack, choice: Choice) -> StoredStack:
    return replace(stack, embedding=choice.array, no_embedding=choice.why).noting(*choice.notes)


def _notes(path: str, scene: Scene, width: int) -> list[str]:
    """Say what else the file holds."""
    before = scene.before
    if not any(table.array.shape[1:] == (width,) for table in scene.tables):
        # Of other widths, they can feed the stack only through something else.
        before = [*modules_of({table.array.name: table.array for table in scene.tables}, ()), *before]
    notes = (note_of_starts(scene.starts, path), note_of(path, before, scene.ends))
    return [note for note in notes if note]
