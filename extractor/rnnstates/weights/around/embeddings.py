"""Chooses the table that turns token ids into the inputs of a stack, where the file does not name it.

A table is used only if nothing else is possible: it has the right width, shares most of its name with the stack, and
no other stack or module of the file may stand between. Tied copies count as one table. ``embedding=`` decides the rest.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ...errors import BadWeights, OptionError
from ..readers import Tensor
from .copies import grouped
from .modules import Module
from .names import module_of, shared, words_of

__all__ = [
    "DECIDES",
    "MOST_NAMED",
    "NONE",
    "Choice",
    "Table",
    "choose_table",
    "computed_tables",
    "lone_matrices",
    "named_table",
]

# The value of ``embedding=`` that means: no table.
NONE = "none"
MOST_NAMED, DECIDES = 5, "embedding=NAME decides"
_COMPUTED = re.compile(r"emb\w*\.(weight_(orig|v)|parametrizations\.weight\.\w+)$", re.IGNORECASE)
_TOKENS = {"input", "sos", "start", "token"}


class Table(NamedTuple):
    """An array that may be an embedding: its label in messages, its module, the array."""

    label: str
    module: str
    array: Tensor

    def __str__(self) -> str:
        return f"'{self.label}' ({' x '.join(map(str, self.array.shape))})"


class Choice(NamedTuple):
    """A table and notes, or the reason why none is used, which names the candidates (empty if there are none)."""

    array: Tensor | None = None
    notes: tuple[str, ...] = ()
    why: str = ""


def named_table(name: str, tensors: Mapping[str, Tensor], called: Mapping[str, str], width: int, path: str) -> Choice:
    """Return the table that the caller named, by the name of its array or its module.

    Parameters
    ----------
    tensors : mapping
        The arrays of the file that belong to no layer.
    called : mapping
        The module of each array, if the format names modules itself.

    Raises
    ------
    OptionError
        There is no such array, or more than one.
    BadWeights
        It is not a table of that width.
    """
    found = [array for array in tensors if name in (array, called.get(array), module_of(array))]
    found = [array for array in found if array == name or len(tensors[array].shape) == 2] or found
    if len(found) != 1:
        fitting = [array for array, tensor in tensors.items() if tensor.shape[1:] == (width,)]
        listed = ", ".join(f"'{array}'" for array in (found or fitting)[:MOST_NAMED]) or "none"
        problem = "matches several arrays" if found else f"is not an array of {path}"
        raise OptionError(f"embedding={name!r}: {problem}; expected one of width {width}: {listed}.")
    table = tensors[found[0]]
    if len(table.shape) != 2 or table.shape[1] != width:
        raise BadWeights(
            f"{path}: '{table.name}' has shape {table.shape}; expected (vocabulary, {width}), because the lowest layer "
            f"reads inputs of width {width}. Give another embedding=NAME, or embedding='none'."
        )
    return Choice(table, (f"{path}: '{table.name}' is used as the embedding, as given.",))


def choose_table(
    tables: Sequence[Table],
    width: int,
    stack: str,
    other_stacks: Sequence[Module],
    between: Sequence[Module],
    path: str,
) -> Choice:
    """Choose the one table that can feed a stack.

    Parameters
    ----------
    tables : sequence of Table
        Those named like embeddings.
    width : int
        The input width of the lowest layer.
    stack : str
        The name of the stack.
    other_stacks : sequence of Module
        The other recurrent stacks of the file.
    between : sequence of Module
        The modules that may stand before the stack, including other stacks but not the tables.
    """
    fitting = [table for table in tables if table.array.shape[1:] == (width,)]
    most = max((shared(table.module, stack) for table in fitting), default=0)
    nearest = [table for table in fitting if shared(table.module, stack) == most]
    if not nearest:
        return _no_table(tables, f"not of the width {width} that '{stack}' reads; give vectors of that width", path)
    copies = grouped(nearest, lambda table: table.array)
    nearest = [each[0] for each in copies]
    if len(nearest) > 1:
        return _no_table(nearest, f"each fitting '{stack}' ({DECIDES})", path, noted=True)
    table = nearest[0]
    for other in other_stacks:
        if other.reads == width and all(shared(copy.module, other.name) > most for copy in copies[0]):
            return _no_table(nearest, f"closer to '{other.name}' than to '{stack}' ({DECIDES})", path)
    for module in between:
        if not module.class_name and _may_reshape(module, width):
            return _no_table(nearest, f"with {module} possibly between it and '{stack}' ({DECIDES})", path, noted=True)
        if module.class_name and module.gives == width and shared(table.module, module.name) == most:
            return _no_table(nearest, f"which may feed '{stack}' through '{module.name}' ({DECIDES})", path, noted=True)
    return Choice(table.array, (f"{path}: embedding '{table.label}' is assumed to feed '{stack}'.",))


def lone_matrices(tensors: Mapping[str, Tensor], used: Collection[str], width: int) -> list[Table]:
    """Find matrices of a given width that are alone in their module: possibly tables with an unusual name."""
    beside = Counter(map(module_of, tensors))
    return [
        Table(name, module_of(name), tensor)
        for name, tensor in tensors.items()
        if name not in used and tensor.shape[1:] == (width,) and beside[module_of(name)] == 1
    ]


def computed_tables(tensors: Mapping[str, Tensor], width: int) -> list[Table]:
    """Find PyTorch arrays from which an embedding table is computed, by weight norm or the like."""
    return [
        Table(name, module_of(name), tensor)
        for name, tensor in tensors.items()
        if _COMPUTED.search(name) and tensor.shape[1:] == (width,)
    ]


def _no_table(tables: Sequence[Table], why: str, path: str, *, noted: bool = False) -> Choice:
    if not tables:
        return Choice()
    named = ", ".join(map(str, tables[:MOST_NAMED]))
    note = f"{path}: no embedding is used; found {named}, {why}."
    return Choice(None, (note,) if noted else (), note)


def _may_reshape(module: Module, width: int) -> bool:
    """Return whether a module may turn rows of a table into inputs of the same width."""
    if module.is_parameter and module.is_vectors:
        # The row of a single token, such as the one that starts a sentence.
        return not _TOKENS & set(words_of(module.name))
    return module.gives in (width, None) or module.is_convolution
