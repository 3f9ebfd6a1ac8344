"""The states of a run, in a file or in memory: by dataset name, or sequence by sequence."""

import json
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from ..arrays import Array
from ..errors import BadStates
from ..hdf5_guard import reading
from ..pooling import POOLINGS

__all__ = ["SequenceStates", "States"]

MOST_NAMED = 20


class States(Mapping[str, Any]):
    """A read-only mapping from dataset name to array; an integer index gives one sequence.

    Parameters
    ----------
    datasets : mapping
        From name (``hidden``, ``layer0/forward/cell_mean``, ``lengths``, …) to a NumPy array or h5py dataset.
    attributes : mapping
        ``layout``, ``padding``, ``layers``, ``provenance`` (a dict), ….
    file : h5py.File or None
        What ``close`` closes.

    Attributes
    ----------
    skipped : bool
        Whether the output was finished before, so that nothing was computed (``if_exists="skip"``).

    Examples
    --------
    ``states["hidden"]`` is [N, T, H] (or [sum(lengths), H] packed); ``states[3].hidden`` is [length_3, H];
    ``states[3].layer0.backward.cell`` likewise in a stack of bidirectional layers.
    """

    def __init__(
        self, datasets: Mapping[str, Any], attributes: Mapping[str, Any], file: h5py.File | None = None
    ) -> None:
        self._datasets, self.attributes, self._file = datasets, attributes, file
        self.skipped = False
        self.lengths: Array = np.asarray(datasets["lengths"])

    @property
    def sequences(self) -> int:
        """N."""
        return len(self.lengths)

    @property
    def layers(self) -> list[str]:
        """The groups of states; ``["/"]`` for one layer and one direction."""
        return list(self.attributes["layers"])

    @property
    def provenance(self) -> dict[str, Any]:
        """How the states were made."""
        return dict(self.attributes["provenance"])

    def __getitem__(self, key: "str | int | np.integer[Any]") -> Any:
        if isinstance(key, str):
            return self._datasets[key.strip("/")]
        index = int(key)
        if not -self.sequences <= index < self.sequences:
            raise IndexError(f"sequence {index} of {self.sequences}; expected 0 to {self.sequences - 1}.")
        return SequenceStates(self, index % self.sequences)

    def __iter__(self) -> Iterator[str]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)

    def each(self) -> "Iterator[SequenceStates]":
        """Yield the sequences one by one."""
        return (self[index] for index in range(self.sequences))

    def close(self) -> None:
        """Close the file, if there is one; safe to call twice."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "States":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<States of {self.sequences} sequences: {', '.join(self)}>"


class SequenceStates:
    """One sequence's states: only its valid steps, in order of time.

    ``.hidden`` is [length, H], ``.hidden_mean`` is [H], ``.length`` and ``.id`` say which it is; names of groups give
    the same for a layer or direction.
    """

    def __init__(self, states: States, index: int, prefix: str = "") -> None:
        self._states, self._index, self._prefix = states, index, prefix

    @property
    def length(self) -> int:
        """Valid steps."""
        return int(self._states.lengths[self._index])

    @property
    def id(self) -> Any:
        """Its name in the input; its number when the input has no ids."""
        if "ids" not in self._states:
            return self._index
        value = self._states["ids"][self._index]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def __getitem__(self, name: str) -> Any:
        name = self._prefix + name.strip("/")
        if name not in self._states:
            raise KeyError(f"{name}: not in these states, which have {', '.join(list(self._states)[:MOST_NAMED])}.")
        dataset = self._states[name]
        one_a_sequence = dataset.ndim == 1 or name.rpartition("_")[2] in POOLINGS
        with reading(f"sequence {self._index}, '{name}'", BadStates):
            return dataset[self._index] if one_a_sequence else self._steps(dataset)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = self._prefix + name
        if any(dataset.startswith(path + "/") for dataset in self._states):
            return SequenceStates(self._states, self._index, path + "/")
        try:
            return self[name]
        except KeyError as reason:
            raise AttributeError(str(reason)) from reason

    def __dir__(self) -> list[str]:
        inside = (name[len(self._prefix) :] for name in self._states if name.startswith(self._prefix))
        return [*super().__dir__(), *{name.partition("/")[0] for name in inside}]

    def _steps(self, dataset: Any) -> Any:
        if self._states.attributes["layout"] == "packed":
            start, stop = self._states["offsets"][self._index : self._index + 2]
            return dataset[start:stop]
        if self._states.attributes["padding"] == "pre":
            return dataset[self._index, dataset.shape[1] - self.length :]
        return dataset[self._index, : self.length]

    def __repr__(self) -> str:
        return f"<states of sequence {self.id!r}, {self.length} steps>"


def read_attributes(file: h5py.File, names: Iterable[str]) -> dict[str, Any]:
    """Decode root attributes of a states file."""
    decoded = {name: _decode(file.attrs[name]) for name in names}
    decoded["provenance"] = json.loads(decoded["provenance"])
    return decoded


def _decode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_decode(element) for element in value]
    return value.decode("utf-8") if isinstance(value, bytes) else getattr(value, "item", lambda: value)()
