"""Finds the trained initial states of layers that are known by the names of their arrays.

They are used if exactly one stack fits their name and shape, [layers * directions, (1,) H] in PyTorch's order, and each
of its states has one; others are named in a note.
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

# Words of a name that do not say which stack a state belongs to.
_PLAIN = {"gru", "lstm", "param", "params", "rnn", "value", "variable"}
MOST_NAMED = 6


class Start(NamedTuple):
    """An array named like a trained initial state.

    Parameters
    ----------
    array : Tensor
    state : str
        Which state it is; empty if its name does not say.
    owner : tuple of str
        The words of its name that say which stack it belongs to.
    is_certain : bool
        Whether the array itself has such a name, and not just something around it.
    """

    array: Tensor
    state: str
    owner: tuple[str, ...]
    is_certain: bool

    def fits(self, stack: str, widths: Sequence[int]) -> bool:
        """Return whether it can start a stack, given the width of the state in each layer and direction."""
        words = words_of(stack)
        shape = [size for size in self.array.shape if size != 1]
        wanted = [size for size in (len(widths), widths[0]) if size != 1]
        return len(set(widths)) == 1 and shape == wanted and all(word in words for word in self.owner)


def find_starts(tensors: Mapping[str, Tensor], stacks: Mapping[str, StoredStack]) -> list[Start]:
    """Find the arrays named like initial states, in file order.

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
    """Return whether the shape, the width of a state or [layers * directions, 1, H], makes an array ``c`` a state."""
    is_column = len(shape) == 3 and shape[1] == 1
    # Names of initial states end in 0, whatever the letter.
    is_first = leaf_of(name).endswith("0") and shape[-1:] and shape[-1] in sizes
    is_column &= bool(is_first or pieces_of(leaf_of(name)) & set(STATE_WORDS))
    return is_column or (is_bare_state(name) and shape[-1] in sizes)


def _nameless_rows(tensors: Mapping[str, Tensor], sizes: Collection[int]) -> set[str]:
    """Find the arrays of modules that only number their arrays and hold nothing but rows [1, H] of states.

    Keras numbers the arrays of a layer; none of its own layers has only such rows.
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
    """Match starts to stacks: each start fits one stack, and each state of a stack has one start.

    Parameters
    ----------
    stacks : mapping
        By the name of the top layer.
    are_all : bool
        Whether these are all stacks of the file; otherwise a start that does not name its stack may belong to one of
        the others, whose shapes are unknown.
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
    """Make a whole stack start from trained states, with a note.

    Parameters
    ----------
    top, name : str
        The top layer of the stack, and the one that is run.
    """
    listed = " and ".join(f"'{start.array.name}'" for start in taken.values())
    note = f"{path}: '{name or top}' starts from {listed}, which fit it (initial_state=\"zero\" overrides)."
    return replace(stack, layers=tuple(_started(stack, taken))).noting(Note(note, STORED_START))


def note_of_starts(starts: Sequence[Start], path: str) -> str:
    """Name apparent trained starts that are not used; empty if there are none."""
    if not starts:
        return ""
    named = ", ".join(f"'{start.array.name}' ({_size(start.array.shape)})" for start in starts[:MOST_NAMED])
    return Note(
        f"{path}: {named} may be trained initial states, but it is uncertain which stack starts from them and whether "
        "all of them are present; zero is used (initial_state=FILE gives others).",
        ZERO_START,
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _carried(stack: StoredStack) -> list[str]:
    cells = {cell.convention.cell for layer in stack.layers for cell in layer.cells.values()}
    return ["hidden", "cell"] if cells <= {"lstm", "mlstm"} else ["hidden"]


def _widths(stack: StoredStack, state: str) -> list[int]:
    """Return the width of a state in each layer and direction, forward first."""
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
