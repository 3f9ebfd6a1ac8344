"""``NamedModel``: a model known only by array names, as PyTorch, TensorFlow 1 and JAX keep no configuration."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadWeights
from ..errors.articles import with_article
from .readers import Tensor
from .stack import StoredLayer, StoredStack

__all__ = ["FoundStack", "NamedModel", "refusal"]

# Cells in a name, except in words that only begin or end like one.
_CELL = re.compile(r"lstm|gru(?=s?(?:cell|[^a-z]|$))")
CLASSES = {"lstm": "LSTM", "mlstm": "mLSTM", "gru": "GRU", "simple_rnn": "RNN"}
# Names of other arrays that a message lists.
MOST_NAMED = 12


@dataclass(frozen=True)
class FoundStack:
    """Layers that were found to feed each other.

    Parameters
    ----------
    class_name : str
        The framework's class, e.g. ``LSTM``.
    names : tuple of str
        Of its layers, lowest first; the last one names the stack.
    layers : tuple of StoredLayer
        One per name; none if there is a problem.
    embedding : Tensor or None
    notes : tuple of str
        What was assumed.
    problem : str
        Why it cannot be computed; empty if it can.
    """

    class_name: str
    names: tuple[str, ...]
    layers: tuple[StoredLayer, ...] = ()
    embedding: Tensor | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


class NamedModel:
    """The stacks that were found in a container; a ``Model``.

    Parameters
    ----------
    kind : str
        The kind of file.
    found : sequence of FoundStack
    unclaimed : iterable of str
        Names of the arrays, or other parts, that belong to no stack.
    version : str or None
        Of the framework, if the file states it.
    tables : iterable of Tensor
        The arrays that are embeddings by name.
    connected : bool
        Whether the file, or its format, states what feeds what.
    """

    def __init__(
        self,
        kind: str,
        found: Sequence[FoundStack],
        unclaimed: Iterable[str] = (),
        version: str | None = None,
        *,
        tables: Iterable[Tensor] = (),
        connected: bool = False,
    ) -> None:
        self.kind, self.version, self.connected = kind, version, connected
        self._found, self._unclaimed, self._tables = list(found), list(unclaimed), list(tables)

    def recurrent(self) -> Mapping[str, str]:
        """Return the class of each recurrent layer by its name."""
        return {name: stack.class_name for stack in self._found for name in stack.names}

    def present(self) -> list[str]:
        """List the layers as ``name (Class)``, and the other arrays."""
        return [f"{name} ({class_name})" for name, class_name in self.recurrent().items()] + self._unclaimed

    def tables(self) -> Mapping[str, Tensor]:
        """Return the arrays that are embeddings, by name."""
        return {table.name: table for table in self._tables}

    def modules(self) -> None:
        """Return None: only names say which arrays belong together."""

    def tops(self) -> list[str]:
        """List the stacks by their last layers."""
        return [stack.names[-1] for stack in self._found]

    def stack(self, top: str) -> StoredStack:
        """Return a stack up to the layer of that name.

        Raises
        ------
        BadWeights
            It cannot be computed here.
        """
        found = next(stack for stack in self._found if top in stack.names)
        if found.problem:
            raise BadWeights(found.problem)
        layers = found.layers[: found.names.index(top) + 1]
        return StoredStack(layers, found.embedding, (*found.notes, *_misnamed(layers)))


def _misnamed(layers: Sequence[StoredLayer]) -> Iterator[str]:
    """Yield a note for each layer that is named like a cell other than that of its arrays."""
    for layer in layers:
        cell = next(iter(layer.cells.values()))
        called = _CELL.findall(layer.name.lower())[-1:]
        if called and called[0] not in cell.convention.cell:
            yield (
                f"{cell.where}: is named {called[0].upper()}, but its arrays are those of "
                f"{with_article(CLASSES.get(cell.convention.cell, cell.convention.cell))}, which is run."
            )


def refusal(where: str, names: Iterable[str], reason: str) -> str:
    """Return the message that arrays belong to a variant that is not computed here, with their names.

    Parameters
    ----------
    where : str
        The file and the layer.
    names : iterable of str
        The arrays.
    reason : str
        What follows their names, e.g. ``which an LSTM does not have``.
    """
    listed = sorted(names)
    some = ", ".join(f"'{name}'" for name in listed[:MOST_NAMED])
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return f"{where}: has {some}{more}, {reason}. This kind of cell is not supported."
