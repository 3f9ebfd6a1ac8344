"""Assembles the stack to run from the chosen layers: embedding, trained initial states, notes on the rest."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..errors import BadWeights
from .around.beside import note_of
from .around.copies import is_copy
from .around.embeddings import (
    DECIDES,
    MOST_NAMED,
    NONE,
    Choice,
    choose_table,
    computed_tables,
    lone_matrices,
    named_table,
)
from .around.modules import Module
from .around.names import leaf_of, module_of
from .around.scene import Scene, look_around
from .around.starts import claims, find_starts, note_of_starts, with_starts
from .choice import whole_stacks
from .named import refusal
from .options import ZERO, WeightOptions
from .readers import Container, Tensor
from .stack import Model, StoredStack

__all__ = ["assemble"]


def assemble(
    container: Container,
    model: Model,
    names: Sequence[str],
    options: WeightOptions,
    whole: Mapping[str, StoredStack] | None = None,
) -> StoredStack:
    """Assemble the stack to run.

    Parameters
    ----------
    container : Container
    model : Model
        The container as interpreted by its framework.
    names : sequence of str
        The last layer of each stack; several stacks feed each other.
    options : WeightOptions
        Only the embedding and the initial state matter here.
    whole : mapping or None
        The result of ``whole_stacks``, if known.

    Raises
    ------
    BadWeights
        It cannot be computed here, or the stacks do not fit each other.
    OptionError
        There is no such embedding.
    """
    if model.connected and len(names) > 1:
        listed = ", ".join(f"'{name}'" for name in names)
        raise BadWeights(
            f"{container.path}: its own connections do not make {listed} a chain. Choose one of them with layer=NAME."
        )
    stack, embedding = _joined([model.stack(name) for name in names], container.path), options.embedding
    stack = stack.from_zero() if options.initial_state == ZERO else stack
    if model.connected:
        if embedding is not None:
            return _with_table(stack, _given(container, model, stack, embedding, stack.sources()))
        found = [f"'{label}'" for label in model.tables()] if stack.embedding is None else []
        why = f"{container.path}: no embedding feeds '{stack.layers[0].name}' directly; found "
        why += f"{', '.join(found)} ({DECIDES})."
        return replace(stack, no_embedding=why) if found else stack
    whole = whole_stacks(model) if whole is None else whole
    if options.initial_state != ZERO:
        stack = _started(container, model, names, stack, whole)
    scene = look_around(container, model, stack, whole)
    if scene.norms:
        where, names_of = f"{container.path}: '{stack.layers[0].name}'", [module.name for module in scene.norms]
        raise BadWeights(refusal(where, names_of, "which normalise its gates"))
    if embedding is None:
        choice = _table(container, stack, scene)
    else:
        choice = _given(container, model, stack, embedding, scene.recurrent)
    notes = _notes(container, scene, choice, stack.layers[0].features, of_keras="Keras" in model.kind)
    return _with_table(stack, choice).noting(*notes)


def _joined(parts: Sequence[StoredStack], path: str) -> StoredStack:
    """Join stacks into one, the first one lowest."""
    if len(parts) == 1:
        return parts[0]
    for below, above in itertools.pairwise(parts):
        lower, upper = below.layers[-1], above.layers[0]
        if lower.width != upper.features:
            raise BadWeights(
                f"{path}: '{upper.name}' reads inputs of width {upper.features}, but '{lower.name}' outputs "
                f"{lower.width}; they cannot be a chain. Choose one of them with layer=NAME."
            )
    order = " -> ".join(f"'{part.layers[-1].name}'" for part in parts)
    notes = dict.fromkeys([note for part in parts for note in part.notes])
    layers = tuple(layer for part in parts for layer in part.layers)
    loose = frozenset(name for part in parts for name in (part.layers[0].name, *part.loose))
    notes_of_chain = (*notes, f"{path}: {order} run as one chain, as given.")
    return replace(parts[0], layers=layers, notes=notes_of_chain, loose=loose)


def _started(
    container: Container, model: Model, names: Sequence[str], stack: StoredStack, whole: Mapping[str, StoredStack]
) -> StoredStack:
    """Give each part of a stack its trained initial states, which are stored for all its layers together."""
    claimed = claims(find_starts(container.tensors, whole), whole, are_all=len(whole) == len(model.tops()))
    for top, taken in claimed.items():
        run = [name for name in names if name in [layer.name for layer in whole[top].layers]]
        if run:
            started = with_starts(top, run[0], whole[top], taken, container.path)
            layers = {layer.name: layer for layer in started.layers}
            stack = replace(stack, layers=tuple(layers.get(layer.name, layer) for layer in stack.layers))
            stack = stack.noting(started.notes[-1])
    return stack


def _table(container: Container, stack: StoredStack, scene: Scene) -> Choice:
    """Choose the embedding."""
    lowest, path = stack.layers[0], container.path
    if scene.tables:
        between = [module for module in scene.before if not scene.ends.reads_states(module)]
        return choose_table(scene.tables, lowest.features, lowest.name, scene.other_stacks, between, path)
    lone = lone_matrices(container.tensors, scene.recurrent, lowest.features)
    if computed := computed_tables(container.tensors, lowest.features):
        named = ", ".join(map(str, computed[:MOST_NAMED]))
        return Choice(
            why=f"{path}: its embedding is computed from {named}, which is not supported; restore the plain weight by "
            "remove_parametrizations, remove_weight_norm or prune.remove of torch.nn.utils, and save it again."
        )
    if not lone:
        return Choice()
    named = ", ".join(map(str, lone[:MOST_NAMED]))
    return Choice(why=f"{path}: no array is called an embedding; found {named} ({DECIDES}).")


def _given(
    container: Container, model: Model, stack: StoredStack, embedding: str, recurrent: Collection[str]
) -> Choice:
    """Return the embedding that the caller named; arrays of recurrent layers do not qualify."""
    if embedding == NONE:
        return Choice(why=f'{container.path}: embedding="none" leaves it out.')
    called = {**(model.modules() or {}), **{table.name: label for label, table in model.tables().items()}}
    own = () if stack.embedding is None else stack.embedding.sources
    arrays = {name: array for name, array in container.tensors.items() if name not in recurrent or name in own}
    return named_table(embedding, arrays, called, stack.layers[0].features, container.path)


def _with_table(stack: StoredStack, choice: Choice) -> StoredStack:
    mask, (own, taken) = stack.mask, (table and table.name for table in (stack.embedding, choice.array))
    if not isinstance(mask, str) and mask.tokens and own != taken:
        mask = f"layer '{mask.layer}' masks by the ids of its own table, which is not used here"
    return replace(stack, embedding=choice.array, no_embedding=choice.why, mask=mask).noting(*choice.notes)


def _notes(container: Container, scene: Scene, choice: Choice, width: int, *, of_keras: bool) -> list[str]:
    """Describe what else the file holds."""
    # A table of another width can feed the stack only through another module.
    odd = [Module(t.module, {leaf_of(t.array.name): t.array.shape}) for t in scene.tables if t.array.shape[1] != width]
    before = [module for module in (*odd, *scene.before) if not _is_taken(module, choice.array, container)]
    beside = note_of(container.path, before, scene.ends, of_keras=of_keras)
    notes = (note_of_starts(scene.starts, container.path), beside)
    return [note for note in notes if note]


def _is_taken(module: Module, table: Tensor | None, container: Container) -> bool:
    """Return whether a module is the embedding's, or tied to it, as an output head may be."""
    if table is None:
        return False
    arrays = [container.tensors[name] for name in module.arrays]
    return module.name == module_of(table.name) or any(is_copy(array, table) for array in arrays)
