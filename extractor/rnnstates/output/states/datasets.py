"""The datasets of states by name: of all that a run stored, or of some of its sequences and layers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import h5py
import numpy as np

from ...arrays.axes import Names
from ...errors import BadStates, OptionError
from ...network.names import FINAL
from ...untrusted.hdf5 import reading
from ..carried import is_carried
from ..kept.numbers import unit_numbers
from .choosing import Chosen, index_of, places_of
from .whole import Dataset, Numbers, Whole, has_steps

__all__ = ["Datasets"]

# Datasets, and places of an id, that a message names.
MOST_NAMED, MOST_PLACES = 20, 5


@dataclass(frozen=True, eq=False, repr=False)
class Datasets(Mapping[str, Dataset]):
    """The datasets by name, read-only: arrays in memory; in a file h5py datasets, or what indexes like them.

    Parameters
    ----------
    whole : Whole
    rows : int64 [K] or None
        The chosen sequences; None for all.
    group : str
        The group of layers whose datasets have names without it, with a slash at its end; empty for all.
    """

    whole: Whole
    rows: Numbers | None = None
    group: str = ""

    def __getitem__(self, name: str) -> Dataset:
        path = self.path(name)
        stored = self.whole.opened()[path]
        if self.rows is None:
            return stored
        if path == "offsets":
            return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        self.whole.check_shape(path, stored)
        starts, counts = self.rows, np.ones(len(self.rows), np.int64)
        if self.whole.packed and has_steps(path, stored):
            starts, counts = self.whole.offsets[self.rows], self.lengths.astype(np.int64)
        chosen = Chosen(stored, starts, counts)
        return chosen if isinstance(stored, h5py.Dataset) else chosen[()]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self.group) for name in self.whole.datasets if self._is_here(name))

    def __len__(self) -> int:
        return sum(map(self._is_here, self.whole.datasets))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(path in self.whole.datasets for path in self._paths(name))

    def path(self, name: str) -> str:
        """Return the name of a dataset among all that is stored.

        Raises
        ------
        KeyError
            There is none of that name.
        """
        for path in self._paths(name):
            if path in self.whole.datasets:
                return path
        raise KeyError(f"{name}: not in these states, which have {', '.join(list(self)[:MOST_NAMED])}.")

    def _paths(self, name: str) -> list[str]:
        name = name.strip("/")
        return [self.group + name, *([name] if self.group and self._is_shared(name) else [])]

    def _is_here(self, path: str) -> bool:
        return path.startswith(self.group) or self._is_shared(path)

    def _is_shared(self, path: str) -> bool:
        """Return whether a dataset is of no layer, such as the lengths."""
        # Final states are kept of layers, too, of which nothing else is.
        is_final = "/" in path and path.endswith(f"_{FINAL}") and not is_carried(path)
        return not is_final and not any(path.startswith(f"{layer}/") for layer in self.whole.attributes["layers"])

    @property
    def layers(self) -> list[str]:
        """The groups of states; ``["/"]`` for a single one."""
        inside = [f"{layer}/" for layer in self.whole.attributes["layers"] if f"{layer}/".startswith(self.group)]
        return [layer.removeprefix(self.group).rstrip("/") or "/" for layer in inside]

    def group_of(self, layer: str | int) -> str:
        """Return the group of a layer or direction, with a slash at its end; empty for the only one.

        Raises
        ------
        OptionError
            There is no such layer.
        """
        # The layers, each once though it may have two directions.
        tops = list(dict.fromkeys(name.partition("/")[0] for name in self.layers if name != "/")) or ["/"]
        index = index_of(layer)
        name = tops[index] if index is not None and -len(tops) <= index < len(tops) else layer
        if name == "/" and self.layers == ["/"]:
            return self.group
        if isinstance(name, str) and any(f"{one}/".startswith(f"{name.strip('/')}/") for one in self.layers):
            return f"{self.group}{name.strip('/')}/"
        raise OptionError(
            f"layer={layer!r}: not in these states, which have {', '.join(self.layers[:MOST_NAMED])}; expected one of "
            f"them, or a number from 0 to {len(tops) - 1}."
        )

    @property
    def lengths(self) -> Numbers:
        """The lengths of the sequences: int64 [K]."""
        return self.whole.lengths if self.rows is None else self.whole.lengths[self.rows]

    def units(self, name: str) -> Numbers:
        """Return the number of the unit in each column of a state or pooled vector: int64 [W]."""
        path = self.path(name)
        shape = self.whole.opened()[path].shape
        if is_carried(path):
            # Its columns are not units, of which the run may have kept some.
            return np.arange(shape[-1])
        return unit_numbers(self.whole.attributes["provenance"], path, shape[-1])

    def row(self, index: int) -> int:
        """Return the number of a sequence in the run."""
        return index if self.rows is None else int(self.rows[index])

    def all_rows(self) -> Numbers:
        """Return the numbers of the sequences in the run: int64 [K]."""
        return np.arange(len(self.whole.lengths)) if self.rows is None else self.rows

    def ids(self) -> Names:
        """Return the ids, text as ``str``; without ids, the numbers of the sequences in the run: [K]."""
        if "ids" not in self.whole.datasets:
            return self.all_rows()
        stored = self["ids"]
        with reading(f"{self.whole.where}: 'ids'", BadStates):
            values = np.asarray(stored[()])
        if values.dtype.kind in "iu":
            return values
        return np.array([text(value) for value in values.tolist()] or [], object)

    def place(self, wanted: str | bytes | int) -> int:
        """Return the place of the sequence with this id.

        Raises
        ------
        KeyError
            There is none.
        OptionError
            It is text and the ids are numbers, or the reverse.
        BadStates
            Several sequences have it.
        """
        from .ids import key_of

        key, whole = key_of(wanted, are_text=self.whole.has_text_ids), self.whole
        whole.opened()
        with reading(f"{whole.where}: 'ids'", BadStates):
            places = whole.by_id.rows_of(key, self.rows)
        if not places:
            raise KeyError(f"{wanted!r}: none of these {len(self.lengths)} sequences has this id.")
        if len(places) > 1:
            raise BadStates(
                f"{whole.where}: id {wanted!r} belongs to sequences {', '.join(map(str, places[:MOST_PLACES]))}"
                f"{', …' if len(places) > MOST_PLACES else ''}; expected one. Choose it by number."
            )
        return places[0]

    def choose(self, key: object) -> "Datasets":
        """Return the datasets of some of these sequences."""
        places = places_of(key, len(self.lengths))
        return replace(self, rows=places if self.rows is None else self.rows[places])

    def __repr__(self) -> str:
        return f"<datasets {', '.join(self)}>"


def text(value: object) -> str:
    """Return an id that is no number as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
