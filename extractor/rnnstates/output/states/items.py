"""Sequences as items of data sets: a dict of arrays each, with length and id."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...arrays.axes import Array, Names
from ...errors import OptionError
from ...errors.articles import with_article
from .datasets import Datasets
from .sequence import SequenceStates
from .whole import Dataset, has_steps

__all__ = ["Items", "check_names"]


def check_names(datasets: Datasets, names: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of datasets that have a row for each sequence, or for each step.

    Raises
    ------
    OptionError
        It is no name, or that of something else.
    KeyError
        There is no dataset of that name.
    """
    if not isinstance(names, str | Sequence) or not all(isinstance(name, str) for name in names):
        raise OptionError(f"names=: is {with_article(type(names).__name__)}; expected names of datasets.")
    listed = (names,) if isinstance(names, str) else tuple(names)
    for name in listed:
        if datasets.path(name) in ("ids", "offsets"):
            raise OptionError(f"names={name!r}: is no state; expected names such as 'hidden' or 'cell_mean'.")
    return listed


class Items:
    """The sequences by number, as dicts of arrays in the computer's byte order.

    Parameters
    ----------
    datasets : Datasets
    names : tuple of str
    """

    def __init__(self, datasets: Datasets, names: tuple[str, ...]) -> None:
        self._datasets, self.names = datasets, names

    def __len__(self) -> int:
        return len(self._datasets.lengths)

    @cached_property
    def _ids(self) -> Names:
        return self._datasets.ids()

    def __getitem__(self, index: int) -> dict[str, Array | int | str]:
        sequence = SequenceStates(self._datasets, index)
        found: dict[str, Array | int | str] = {name: np.asarray(sequence[name]) for name in self.names}
        identity = self._ids[index]
        return found | {"length": sequence.length, "id": identity if isinstance(identity, str) else int(identity)}

    def stored(self, name: str) -> tuple[Dataset, bool]:
        """Return a dataset, and whether it has steps."""
        path = self._datasets.path(name)
        dataset = self._datasets.whole.opened()[path]
        self._datasets.whole.check_shape(path, dataset)
        return dataset, has_steps(path, dataset)
