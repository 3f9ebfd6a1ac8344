"""The states of one sequence, without its padding."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import BadStates, OptionError
from ...errors.articles import with_article
from ...untrusted.hdf5 import reading
from .datasets import Datasets, text
from .whole import Dataset, Numbers, has_steps

__all__ = ["SequenceStates"]


class SequenceStates:
    """The states of one sequence: only its valid steps, in order of time.

    ``.hidden`` is [length, H], ``.hidden_mean`` is [H], ``.length`` and ``.id`` identify it; names of groups give the
    same for a layer or direction. Iteration yields the names of its arrays, so that ``dict(sequence)`` has all of them.
    """

    def __init__(self, datasets: Datasets, index: int, prefix: str = "") -> None:
        self._datasets, self._index, self._prefix = datasets, index, prefix
        self._row = datasets.row(index)

    @property
    def length(self) -> int:
        """The number of stored steps: all valid ones, unless the run kept some of them."""
        return int(self._datasets.whole.lengths[self._row])

    @property
    def steps(self) -> Numbers:
        """The numbers of the stored steps among the valid ones of the input, from 0: int64 [length]."""
        places = np.arange(self.length)
        return self._datasets.whole.step_numbers(np.full_like(places, self._row), places)

    @property
    def id(self) -> int | str:
        """Its name in the input; its number in the input if that has no ids."""
        if "ids" not in self._datasets.whole.datasets:
            return self._row
        stored = self._datasets.whole.opened()["ids"]
        with reading(f"sequence {self._row}, 'ids'", BadStates):
            value = stored[self._row]
            return text(value) if isinstance(value, bytes | str) else int(value)

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            found = with_article(type(name).__name__)
            raise OptionError(
                f"sequence[...]: {found} is no name; expected the name of a state, of which a step is "
                "sequence.hidden[step]."
            )
        path = self._datasets.path(self._prefix + name.strip("/"))
        dataset = self._datasets.whole.opened()[path]
        with reading(f"sequence {self._row}, '{path}'", BadStates):
            return self._steps(dataset) if has_steps(path, dataset) else dataset[self._row]

    def keys(self) -> list[str]:
        """Return the names of its arrays."""
        inside = (name for name in self._datasets if name.startswith(self._prefix))
        return [name[len(self._prefix) :] for name in inside if name != "offsets"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = self._prefix + name
        if any(dataset.startswith(path + "/") for dataset in self._datasets):
            return SequenceStates(self._datasets, self._index, path + "/")
        try:
            return self[name]
        except KeyError as reason:
            raise AttributeError(str(reason)) from reason

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *{name.partition("/")[0] for name in self.keys()}]

    def _steps(self, dataset: Dataset) -> Dataset:
        whole = self._datasets.whole
        first = int(whole.first_steps(dataset, np.array([self._row]))[0])
        valid = slice(first, first + self.length)
        return dataset[valid] if whole.packed else dataset[self._row, valid]

    def __repr__(self) -> str:
        return f"<states of sequence {self.id!r}, {self.length} steps>"
