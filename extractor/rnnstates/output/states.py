"""``States``, the result of a run, in a file or in memory: by dataset name, or sequence by sequence."""

import operator
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from types import TracebackType
from typing import Any, NoReturn, SupportsIndex, TypeAlias, overload

import h5py
import numpy as np

from ..arrays.axes import AllLengths
from ..errors import BadStates, OptionError
from ..errors.articles import with_article
from ..network.pooling import POOLINGS
from ..untrusted.hdf5 import reading

__all__ = ["SequenceStates", "States"]

MOST_NAMED = 20
# What States requires.
LEAST, ATTRIBUTES = ("lengths",), ("layout", "padding", "layers", "provenance")


# An array in memory; an h5py.Dataset, which comes without types, in a file.
Dataset: TypeAlias = Any


class States:
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
    of bidirectional layers; ``states[:2]`` is a list of two sequences. ``states["hidden"]`` is [N, T, H] (or
    [sum(lengths), H] packed); ``keys()``, ``values()``, ``items()`` and ``in`` refer to the datasets.
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
        self._datasets, self.attributes, self._file, self._reopen = datasets, attributes, file, reopen
        self.skipped = False
        self.lengths: AllLengths = np.asarray(datasets["lengths"])

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

    # A dataset is an array in memory, or h5py's dataset in a file.
    @overload
    def __getitem__(self, key: str) -> Dataset: ...
    @overload
    def __getitem__(self, key: "int | np.integer[Any]") -> "SequenceStates": ...
    @overload
    def __getitem__(self, key: slice) -> "list[SequenceStates]": ...
    def __getitem__(self, key: "str | int | np.integer[Any] | slice") -> Any:
        if isinstance(key, str):
            return self._dataset(key)
        if isinstance(key, slice):
            return [SequenceStates(self, index) for index in range(*key.indices(self.sequences))]
        index = _index(key)
        if not -self.sequences <= index < self.sequences:
            raise IndexError(f"sequence {index} of {self.sequences}; expected 0 to {self.sequences - 1}.")
        return SequenceStates(self, index % self.sequences)

    def _dataset(self, name: str) -> Dataset:
        name = name.strip("/")
        if name not in self._datasets:
            raise KeyError(f"{name}: not in these states, which have {', '.join(self._datasets)}.")
        return self._opened()[name]

    def _opened(self) -> Mapping[str, Any]:
        """Return the datasets, if they can still be read."""
        if self._file is not None and not self._file:
            where = self._reopen[1] if self._reopen else "states"
            raise BadStates(f"{where}: was closed; open it again with rnnstates.open.")
        return self._datasets

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.strip("/") in self._datasets

    def __iter__(self) -> "Iterator[SequenceStates]":
        return (SequenceStates(self, index) for index in range(self.sequences))

    def __len__(self) -> int:
        return self.sequences

    def keys(self) -> KeysView[str]:
        """Return the names of the datasets."""
        return self._datasets.keys()

    def values(self) -> ValuesView[Any]:
        """Return the datasets."""
        return self._opened().values()

    def items(self) -> ItemsView[str, Any]:
        """Return the datasets with their names."""
        return self._opened().items()

    def get(self, name: str, default: object = None) -> Dataset:
        """Return a dataset, or ``default`` if there is none of that name."""
        return self._dataset(name) if name in self else default

    def each(self) -> "Iterator[SequenceStates]":
        """Yield the sequences one by one, as iteration does."""
        return iter(self)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise OptionError(
            f"states: are several arrays; expected one of them, by name: states[{next(iter(self._datasets))!r}]."
        )

    def __reduce__(self) -> "tuple[Callable[..., States], tuple[object, ...]]":
        if self._file is None:
            return States, (dict(self._datasets), dict(self.attributes))
        if self._reopen is None:
            raise OptionError("states: of a file without a path cannot be pickled; pickle the arrays.")
        opens, path = self._reopen
        return opens, (path,)

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
        return f"<States of {self.sequences} sequences: {', '.join(self._datasets)}>"


def _index(key: SupportsIndex) -> int:
    """Return the index of a sequence; True is refused, although Python treats it as 1."""
    try:
        if not isinstance(key, bool | np.bool_):
            return operator.index(key)
    except TypeError:
        pass
    raise OptionError(
        f"states[...]: {with_article(type(key).__name__)} is no index; expected the number of a sequence, a slice of "
        "them or the name of a dataset."
    )


class SequenceStates:
    """The states of one sequence: only its valid steps, in order of time.

    ``.hidden`` is [length, H], ``.hidden_mean`` is [H], ``.length`` and ``.id`` identify it; names of groups give the
    same for a layer or direction. Iteration yields the names of its arrays, so that ``dict(sequence)`` has all of them.
    """

    def __init__(self, states: States, index: int, prefix: str = "") -> None:
        self._states, self._index, self._prefix = states, index, prefix

    @property
    def length(self) -> int:
        """The number of valid steps."""
        return int(self._states.lengths[self._index])

    @property
    def id(self) -> int | str:
        """Its name in the input; its number if the input has no ids."""
        if "ids" not in self._states:
            return self._index
        value = self._states["ids"][self._index]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            found = with_article(type(name).__name__)
            raise OptionError(
                f"sequence[...]: {found} is no name; expected the name of a state, of which a step is "
                "sequence.hidden[step]."
            )
        name = self._prefix + name.strip("/")
        if name not in self._states:
            raise KeyError(
                f"{name}: not in these states, which have {', '.join(list(self._states.keys())[:MOST_NAMED])}."
            )
        dataset = self._states[name]
        one_a_sequence = dataset.ndim == 1 or name.rpartition("_")[2] in POOLINGS
        with reading(f"sequence {self._index}, '{name}'", BadStates):
            return dataset[self._index] if one_a_sequence else self._steps(dataset)

    def keys(self) -> list[str]:
        """Return the names of its arrays."""
        inside = (name for name in self._states.keys() if name.startswith(self._prefix))
        return [name[len(self._prefix) :] for name in inside if name != "offsets"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = self._prefix + name
        if any(dataset.startswith(path + "/") for dataset in self._states.keys()):
            return SequenceStates(self._states, self._index, path + "/")
        try:
            return self[name]
        except KeyError as reason:
            raise AttributeError(str(reason)) from reason

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *{name.partition("/")[0] for name in self.keys()}]

    def _steps(self, dataset: Dataset) -> Dataset:
        if self._states.attributes["layout"] == "packed":
            start, stop = self._states["offsets"][self._index : self._index + 2]
            return dataset[start:stop]
        if self._states.attributes["padding"] == "pre":
            return dataset[self._index, dataset.shape[1] - self.length :]
        return dataset[self._index, : self.length]

    def __repr__(self) -> str:
        return f"<states of sequence {self.id!r}, {self.length} steps>"
