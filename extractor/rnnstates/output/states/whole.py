"""All that a run stored, in a file or in memory: shared by its states and by those of any part of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from ...arrays.axes import AllLengths
from ...errors import BadStates
from ...network.pooling import POOLINGS
from ...untrusted.hdf5 import reading
from ..carried import PER_STEP, is_carried
from ..format import INPUT_LENGTHS
from ..kept.numbers import kept_steps

if TYPE_CHECKING:
    from .ids import IdIndex

__all__ = ["Dataset", "Numbers", "Whole", "has_steps"]

# An array in memory; an h5py.Dataset, which comes without types, in a file.
Dataset: TypeAlias = Any
# Rows, lengths or steps, of any count.
Numbers = Annotated[npt.NDArray[np.int64], "_"]


def has_steps(name: str, dataset: Dataset) -> bool:
    """Return whether a dataset has a row for each step, not one for each sequence."""
    if is_carried(name):
        return name.startswith(f"{PER_STEP}/")
    return dataset.ndim > 1 and name.rpartition("_")[2] not in POOLINGS


@dataclass(frozen=True, eq=False)
class Whole:
    """What a run stored.

    Parameters
    ----------
    datasets : mapping
        NumPy arrays or h5py datasets by name.
    attributes : mapping
    lengths : int64 [N]
    file : h5py.File or None
    reopen : (callable, str) or None
        The function that opens the file again, and the file's path.
    """

    datasets: Mapping[str, Dataset]
    attributes: Mapping[str, Any]
    lengths: AllLengths
    file: h5py.File | None = None
    reopen: tuple[Callable[[str], Any], str] | None = None

    @property
    def where(self) -> str:
        """The file's path, for messages."""
        return self.reopen[1] if self.reopen else "states"

    @property
    def packed(self) -> bool:
        """Whether the steps of all sequences follow each other without padding."""
        return bool(self.attributes["layout"] == "packed")

    def opened(self) -> Mapping[str, Dataset]:
        """Return the datasets, if they can still be read.

        Raises
        ------
        BadStates
            The file was closed.
        """
        if self.file is not None and not self.file:
            raise BadStates(f"{self.where}: was closed; open it again with rnnstates.open.")
        return self.datasets

    @cached_property
    def offsets(self) -> Numbers:
        """Where each sequence begins in the packed layout, and the end: int64 [N + 1]."""
        stored = self.opened()["offsets"]
        with reading(f"{self.where}: 'offsets'", BadStates):
            offsets = np.asarray(stored)
        if offsets.shape != (len(self.lengths) + 1,) or not np.array_equal(np.diff(offsets), self.lengths):
            raise BadStates(f"{self.where}: 'offsets' do not fit the lengths; it is damaged, make it again.")
        return offsets.astype(np.int64)

    @cached_property
    def input_lengths(self) -> AllLengths:
        """The valid steps of each sequence of the input, stored or not: int64 [N]."""
        if kept_steps(self.attributes).all:
            return self.lengths.astype(np.int64)
        with reading(f"{self.where}: '{INPUT_LENGTHS}'", BadStates):
            found = np.asarray(self.opened()[INPUT_LENGTHS]).astype(np.int64)
        if not np.array_equal(kept_steps(self.attributes).counts(found), self.lengths):
            raise BadStates(f"{self.where}: '{INPUT_LENGTHS}' do not fit the lengths; it is damaged, make it again.")
        return found

    def step_numbers(self, rows: Numbers, places: Numbers) -> Numbers:
        """Return the numbers of stored steps among the valid ones of their sequences: int64 [K].

        Parameters
        ----------
        rows, places : int64 [K]
            The sequence of each step, and its place among the stored ones.
        """
        return kept_steps(self.attributes).number(places, self.input_lengths[rows])

    @cached_property
    def has_text_ids(self) -> bool:
        """Whether the ids are text; without ids, the numbers of the sequences stand for them."""
        return "ids" in self.datasets and self.opened()["ids"].dtype.kind not in "iu"

    @cached_property
    def by_id(self) -> "IdIndex":
        """The sequences by their ids; made when the first is looked for."""
        from .ids import IdIndex

        ids = self.opened().get("ids", np.arange(len(self.lengths)))
        with reading(f"{self.where}: 'ids'", BadStates):
            return IdIndex(ids)

    def check_shape(self, name: str, dataset: Dataset) -> None:
        """Refuse a dataset that cannot have the rows and steps that the lengths say.

        Raises
        ------
        BadStates
        """
        sequences, longest = len(self.lengths), int(self.lengths.max(initial=0))
        shape: tuple[int, ...] = dataset.shape or ()
        if not has_steps(name, dataset):
            fits = shape[:1] == (sequences,)
        elif self.packed:
            fits = shape[0] == int(self.offsets[-1])
        else:
            fits = shape[0] == sequences and longest <= shape[1]
        if not fits or self.lengths.min(initial=0) < 0:
            raise BadStates(
                f"{self.where}: '{name}' has shape {shape}, which does not fit the lengths; it is damaged, make it "
                "again."
            )

    def first_steps(self, dataset: Dataset, rows: Numbers) -> Numbers:
        """Return where the valid steps of sequences begin: in the packed layout in the dataset, else in their row."""
        if self.packed:
            return self.offsets[rows]
        if self.attributes["padding"] == "pre":
            return dataset.shape[1] - self.lengths[rows].astype(np.int64)  # type: ignore[no-any-return]
        return np.zeros(len(rows), np.int64)
