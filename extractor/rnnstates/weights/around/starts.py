"""Trained initial states beside a layer, where a file is known by the names of its arrays.

They are used when exactly one stack fits their place and shape, [layers * directions, (1,) H] in PyTorch's order, and
has one for each of its states; others are named.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...network.note import STORED_START, ZERO_START, Note
from ..readers import Tensor
from ..readers.base import is_floating, reshaped, row_of
from ..stack import StoredLayer, StoredStack
from .names import is_slot, leaf_of, module_of, words_of
from .start_names import STATE_WORDS, is_bare_state, is_start, is_start_word, names_a_start, pieces_of

__all__ = ["Start", "claims", "find_starts", "note_of_starts", "with_starts"]

# Words of a name that say nothing about whose state it is.
_PLAIN = {"gru", "lstm", "param", "params", "rnn", "value", "variable"}
MOST_NAMED = 6


class Start(NamedTuple):
    """An array that is called like a trained start.

    Parameters
    ----------
    array : Tensor
    state : str
        Which state it is; empty where its name does not say.
    owner : tuple of str
        The words of its name that say whose it is.
    is_certain : bool
        Whether the array itself is called so, and not something around it.
    """

    array: Tensor
    state: str
    owner: tuple[str, ...]
    is_certain: bool

    def fits(self, stack: str, widths: Sequence[int]) -> bool:
        """Tell whether it can be the start of a stack, given the width of the state in each layer and direction."""
        words = words_of(stack)
        shape = [size for size in self.array.shape if size != 1]
        wanted = [size for size in (len(widths), widths[0]) if size != 1]
        return len(set(widths)) == 1 and shape == wanted and all(word in words for word in self.owner)


def find_starts(tensors: Mapping[str, Tensor], stacks: Mapping[str, StoredStack]) -> list[Start]:
    """Find the arrays that are called like initial states, in the order of the file.

    Parameters
    ----------
    tensors : mapping
        Every array of the file.
    stacks : mapping
        Every stack of the file.
    """
    used = {source for stack in stacks.values() for source in stack.sources()}
    sizes = {width for stack in stacks.values() for state in _carried(stack) for width in _widths(stack, state)}
    rows = _nameless_rows(tensors, sizes)
    found = []
    for name, tensor in tensors.items():
        shape = tensor.shape
        has_values = bool(shape) and 0 not in shape and name not in used and not is_slot(name, tensors)
        shaped = _is_shaped_so(name, shape, sizes) or name in rows
        if has_values and (is_start(name) or shaped):
            states = {STATE_WORDS[word] for word in pieces_of(leaf_of(name)) if word in STATE_WORDS}
            owner = tuple(word for word in words_of(name) if not is_start_word(word) and word not in _PLAIN)
            found.append(Start(tensor, min(states) if len(states) == 1 else "", owner, names_a_start(leaf_of(name))))
    return found


def _is_shaped_so(name: str, shape: Sequence[int], sizes: Collection[int]) -> bool:
    """Tell by its shape, the width of a state or [layers * directions, 1, H], that what is called ``c`` is a state."""
    is_column = len(shape) == 3 and shape[1] == 1
    # What people call states ends in 0, whatever the letter.
    is_first = leaf_of(name).endswith("0") and shape[-1:] and shape[-1] in sizes
    is_column &= bool(is_first or pieces_of(leaf_of(name)) & set(STATE_WORDS))
    return is_column or (is_bare_state(name) and shape[-1] in sizes)


def _nameless_rows(tensors: Mapping[str, Tensor], sizes: Collection[int]) -> set[str]:
    """Find the arrays of modules of which only numbers tell them apart and that hold rows [1, H] of states alone.

    Keras numbers the arrays of a layer; none of its own layers has such rows and nothing else.
    """
    modules: dict[str, list[str]] = {}
    for name in tensors:
        if leaf_of(name).isdecimal() and leaf_of(name) != name:
            modules.setdefault(module_of(name), []).append(name)
    rows = (names for names in modules.values() if all(_is_row(tensors[name].shape, sizes) for name in names))
    return {name for names in rows for name in names}


def _is_row(shape: Sequence[int], sizes: Collection[int]) -> bool:
    return len(shape) in (2, 3) and shape[-1] in sizes and math.prod(shape) == shape[-1]


def claims(
    starts: Sequence[Start], stacks: Mapping[str, StoredStack], *, are_all: bool = True
) -> dict[str, dict[str, Start]]:
    """Tell which stack starts from what: each start fits one stack, and each state of a stack has one start.

    Parameters
    ----------
    stacks : mapping
        By the name of the highest layer.
    are_all : bool
        Whether the file has no other stacks; with others, whose shapes are not known, a start that does not name its
        stack may be theirs.
    """
    certain = [start for start in starts if start.is_certain and (are_all or start.owner)]
    owners = {start.array.name: list(_owners(start, stacks)) for start in certain}
    rivals = Counter(found[0] for found in owners.values() if len(found) == 1)
    claimed: dict[str, dict[str, Start]] = {}
    for start in certain:
        found = owners[start.array.name]
        if len(found) == 1 and rivals[found[0]] == 1 and is_floating(start.array):
            name, state = found[0]
            claimed.setdefault(name, {})[state] = start
    return {name: found for name, found in claimed.items() if set(found) == set(_carried(stacks[name]))}


def with_starts(top: str, name: str, stack: StoredStack, taken: Mapping[str, Start], path: str) -> StoredStack:
    """Let a whole stack start from trained states, with a note.

    Parameters
    ----------
    top, name : str
        The highest layer of the stack, and the one that is run.
    """
    listed = " and ".join(f"'{start.array.name}'" for start in taken.values())
    note = f"{path}: '{name or top}' starts from {listed}, which fit it (initial_state=\"zero\" overrides)."
    return replace(stack, layers=tuple(_started(stack, taken))).noting(Note(note, STORED_START))


def note_of_starts(starts: Sequence[Start], path: str) -> str:
    """Name what looks like trained starts and is not used; empty where that is nothing."""
    if not starts:
        return ""
    named = ", ".join(f"'{start.array.name}' ({_size(start.array.shape)})" for start in starts[:MOST_NAMED])
    return Note(
        f"{path}: {named} may be trained initial states, but which stack starts from them, and that all of them are "
        "there, is not certain; zero is taken (initial_state=FILE gives others).",
        ZERO_START,
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _carried(stack: StoredStack) -> list[str]:
    cells = {cell.convention.cell for layer in stack.layers for cell in layer.cells.values()}
    return ["hidden", "cell"] if cells <= {"lstm", "mlstm"} else ["hidden"]


def _widths(stack: StoredStack, state: str) -> list[int]:
    """Give the width of a state in each layer and direction, forward first."""
    sizes = [cell.sizes() for layer in stack.layers for cell in layer.cells.values()]
    return [units if state == "cell" else width for _, units, width in sizes]


def _owners(start: Start, stacks: Mapping[str, StoredStack]) -> Iterator[tuple[str, str]]:
    for name, stack in stacks.items():
        for state in _carried(stack):
            named = start.state == state or (not start.state and len(_carried(stack)) == 1)
            if named and start.fits(name, _widths(stack, state)):
                yield name, state


def _started(stack: StoredStack, taken: Mapping[str, Start]) -> Iterator[StoredLayer]:
    place = 0
    for layer in stack.layers:
        cells = {}
        for direction, cell in layer.cells.items():
            arrays = {}
            for state, start in taken.items():
                widths = _widths(stack, state)
                arrays[f"initial_{state}"] = row_of(reshaped(start.array, (len(widths), widths[place])), place)
            cells[direction] = replace(cell, tensors={**cell.tensors, **arrays})
            place += 1
        yield replace(layer, cells=cells)
