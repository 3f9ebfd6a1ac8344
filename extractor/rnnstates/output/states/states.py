"""``States``, the result of a run, in a file or in memory: a sequence of sequences, with datasets by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Annotated, Any, NoReturn, TypeAlias, overload

import h5py
import numpy as np
import numpy.typing as npt

from ...arrays.axes import AllLengths, Names
from ...errors import OptionError, RnnstatesError
from ...errors.articles import with_article
from .choosing import index_of
from .datasets import Datasets
from .forms import Forms
from .sequence import SequenceStates
from .whole import Dataset, Numbers, Whole

__all__ = ["States"]

# What States requires.
LEAST, ATTRIBUTES = ("lengths",), ("layout", "padding", "layers", "provenance")
# Several sequences: a slice, their numbers, or a mask of all.
OfNumbers = Annotated[npt.NDArray[np.integer[Any]], "_"] | Annotated[npt.NDArray[np.bool_], "_"]
Several: TypeAlias = slice | Sequence[int] | Sequence[bool] | OfNumbers


class States(Forms):
    """The states of a run: a read-only sequence of sequences, with datasets by name.

    Parameters
    ----------
    datasets : mapping
        NumPy arrays or h5py datasets by name (``hidden``, ``layer0/forward/cell_mean``, ``lengths``, …).
    attributes : mapping
        ``layout``, ``padding``, ``layers``, ``provenance`` (a dict), ….
    file : h5py.File or None
    reopen : (callable, str) or None
        The function that opens the file again when the states are unpickled, and the file's path.

    Raises
    ------
    OptionError
        One of the first two is not a mapping, or lacks what ``extract`` always gives.

    Attributes
    ----------
    skipped : bool
        Whether the output had been finished before, so that nothing was computed (``if_exists="skip"``).

    Examples
    --------
    ``len(states)`` is N; ``states[3].hidden`` is [length_3, H], and so is ``states[3].layer0.backward.cell`` in a stack
    of bidirectional layers. ``states["hidden"]`` is [N, T, H] (or [sum(lengths), H] packed), and ``states.datasets``
    has all such by name. ``states[:2]``, ``states[[5, 3]]`` and ``states[states.lengths > 0]`` are the states of those
    sequences, of which nothing is read until it is asked for.
    """

    def __init__(
        self,
        datasets: Mapping[str, Any],
        attributes: Mapping[str, Any],
        file: h5py.File | None = None,
        reopen: "tuple[Callable[[str], States], str] | None" = None,
    ) -> None:
        for name, value, least in (("datasets", datasets, LEAST), ("attributes", attributes, ATTRIBUTES)):
            if not isinstance(value, Mapping):
                raise OptionError(f"{name}=: is {with_article(type(value).__name__)}; expected a dict.")
            if missing := [one for one in least if one not in value]:
                raise OptionError(f"{name}=: has no {missing[0]!r}; expected {', '.join(least)}, as in a run's.")
        self._datasets = Datasets(Whole(datasets, attributes, np.asarray(datasets["lengths"]), file, reopen))
        self.skipped = False

    @classmethod
    def _of(cls, datasets: Datasets) -> "States":
        """Return the states of a part; a file is shared with the states of the whole."""
        states = cls.__new__(cls)
        states._datasets, states.skipped = datasets, False
        return states

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets by name, read-only: arrays in memory; in a file h5py datasets, or what indexes like them."""
        return self._datasets

    @property
    def attributes(self) -> Mapping[str, Any]:
        """``layout``, ``padding``, ``layers``, ``provenance`` and what else the file says at its root."""
        return {**self._datasets.whole.attributes, "layers": self.layers}

    def units(self, name: str) -> Numbers:
        """Return the number of the unit in each column of a state or pooled vector: int64 [W].

        0 to W - 1, unless the run kept some units only; of ``state``, first those of the cell.
        """
        return self._datasets.units(name)

    def step_numbers(self, sequences: Numbers, places: Numbers) -> Numbers:
        """Return the numbers of stored steps among the valid ones of the input, from 0: int64 [K].

        Parameters
        ----------
        sequences, places : int64 [K]
            The sequence of each step, and its place among the stored ones; equal to it unless the run kept some steps.
        """
        return self._datasets.whole.step_numbers(self._datasets.all_rows()[sequences], places)

    @property
    def lengths(self) -> AllLengths:
        """The number of valid steps of each sequence: int64 [N]."""
        return self._datasets.lengths

    @property
    def ids(self) -> Names:
        """The ids of the sequences, text as ``str``; without ids in the input, the numbers of the sequences there: [N].

        All of them are read into memory.
        """
        return self._datasets.ids()

    @property
    def sequences(self) -> int:
        """N."""
        return len(self.lengths)

    @property
    def layers(self) -> list[str]:
        """The groups of states; ``["/"]`` for one layer and one direction."""
        return self._datasets.layers

    @property
    def provenance(self) -> dict[str, Any]:
        """How the states were made."""
        return dict(self._datasets.whole.attributes["provenance"])

    # A dataset is an array in memory, or h5py's dataset in a file.
    @overload
    def __getitem__(self, key: str) -> Dataset: ...
    @overload
    def __getitem__(self, key: "int | np.integer[Any]") -> SequenceStates: ...
    @overload
    def __getitem__(self, key: Several) -> "States": ...
    def __getitem__(self, key: "str | int | np.integer[Any] | Several") -> Any:
        if isinstance(key, str):
            return self._dataset(key)
        index = index_of(key)
        if index is None:
            return States._of(self._datasets.choose(key))
        if not -self.sequences <= index < self.sequences:
            raise IndexError(f"sequence {index} of {self.sequences}; expected 0 to {self.sequences - 1}.")
        return SequenceStates(self._datasets, index % self.sequences)

    def _dataset(self, name: str) -> Dataset:
        try:
            return self._datasets[name]
        except KeyError as reason:
            if self._is_id(name):
                found = f"{reason.args[0]} It is the id of a sequence: states.by_id({name!r})."
                raise KeyError(found) from None
            raise

    def _is_id(self, name: str) -> bool:
        try:
            return self._datasets.whole.has_text_ids and bool(self.by_id(name))
        except (KeyError, RnnstatesError):
            return False

    def by_id(self, id: str | bytes | int) -> SequenceStates:  # noqa: A002 - the field's word
        """Return the sequence of an id; if the input had no ids, that of a number there.

        The ids are read once, and 16 bytes kept of each.

        Parameters
        ----------
        id : str, bytes or int

        Raises
        ------
        KeyError
            No sequence has it.
        BadStates
            Several sequences have it, or the file is closed.
        OptionError
            It is text and the ids are numbers, or the reverse.
        """
        return SequenceStates(self._datasets, self._datasets.place(id))

    def layer(self, layer: str | int) -> "States":
        """Return the states of one layer or direction, whose datasets have names without it.

        Parameters
        ----------
        layer : str or int
            ``"layer1"``, ``"layer0/forward"``, or a layer's number, negative from the last; ``"/"``, 0 or -1 where
            there is one layer and one direction only.

        Raises
        ------
        OptionError
            There is no such layer.
        """
        return States._of(replace(self._datasets, group=self._datasets.group_of(layer)))

    def __contains__(self, name: object) -> NoReturn:
        raise OptionError(
            "states: `in` may refer to datasets, ids or sequences; expected `name in states.datasets` or "
            "`id in states.ids`."
        )

    def __iter__(self) -> Iterator[SequenceStates]:
        return (SequenceStates(self._datasets, index) for index in range(self.sequences))

    def __len__(self) -> int:
        return self.sequences

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, States):
            return self is other
        raise OptionError(
            "states: are many arrays, which == does not compare; expected arrays, as in "
            'np.array_equal(states["hidden"], other["hidden"]).'
        )

    # As for every object that is equal to itself only.
    __hash__ = object.__hash__

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise OptionError(
            f"states: are several arrays; expected one of them, by name: states[{next(iter(self._datasets))!r}]."
        )

    def __reduce__(self) -> "tuple[Callable[..., States], tuple[object, ...]]":
        whole, part = self._datasets.whole, (self._datasets.rows, self._datasets.group)
        if whole.file is None:
            return _restored, (States, (dict(whole.datasets), dict(whole.attributes)), *part)
        if whole.reopen is None:
            raise OptionError("states: of a file without a path cannot be pickled; pickle the arrays.")
        opens, path = whole.reopen
        return _restored, (opens, (path,), *part)

    def close(self) -> None:
        """Close the file, if there is one, for all states that were chosen from these too; safe to call twice."""
        if self._datasets.whole.file is not None:
            self._datasets.whole.file.close()

    def __enter__(self) -> "States":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<States of {self.sequences} sequences: {', '.join(self._datasets)}>"


def _restored(make: Callable[..., States], given: tuple[Any, ...], rows: Numbers | None, group: str) -> States:
    """Make pickled states again."""
    states = make(*given)
    return States._of(replace(states._datasets, rows=rows, group=group))
