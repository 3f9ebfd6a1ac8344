"""A dataset of PyTorch whose items are sequences, and how batches are made of them."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ...arrays.axes import Array
from ...errors import EngineUnavailable, OptionError
from .datasets import Datasets
from .items import Items, check_names

if TYPE_CHECKING:
    from .states import States

try:
    import torch
    from torch.nn.utils.rnn import pack_sequence, pad_sequence
except ImportError as reason:
    raise EngineUnavailable(f"PyTorch cannot be imported ({reason}); pip install 'rnnstates[torch]'.") from reason

__all__ = ["COLLATES", "TorchDataset"]

# An item of a sequence, and a batch of items.
Item: TypeAlias = dict[str, Any]


class TorchDataset(torch.utils.data.Dataset[Item]):
    """The sequences as items; each process opens the file of the states for itself, when it reads the first.

    Parameters
    ----------
    states : States
    names : str or sequence of str
    """

    def __init__(self, states: "States", names: str | Sequence[str]) -> None:
        self._names = check_names(states._datasets, names)
        stored = {name: Items(states._datasets, self._names).stored(name) for name in self._names}
        if text := [name for name, (dataset, _) in stored.items() if dataset.dtype.kind not in "biuf"]:
            raise OptionError(
                f"names={text[0]!r}: is text, of which PyTorch makes no tensor; expected names of numbers. Item 3 "
                f"belongs to states[3][{text[0]!r}]."
            )
        self._with_steps = frozenset(name for name, (_, has_steps) in stored.items() if has_steps)
        self._again, self._given = states.__reduce__()
        self._length = len(states)
        self._opened: dict[int, Items] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        if not -self._length <= index < self._length:
            raise IndexError(f"item {index} of {self._length}; expected 0 to {self._length - 1}.")
        item = self._items()[index % self._length]
        return {name: _tensor(value) if isinstance(value, np.ndarray) else value for name, value in item.items()}

    def _items(self) -> Items:
        # What a parent has opened is not closed here, where its lock on the file would end for the parent as well.
        if os.getpid() not in self._opened:
            datasets: Datasets = self._again(*self._given)._datasets
            self._opened[os.getpid()] = Items(datasets, self._names)
        return self._opened[os.getpid()]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}

    def collate(self, form: Literal["padded", "packed"] = "padded") -> Callable[[list[Item]], Item]:
        """Return the function that makes a batch of items, for ``DataLoader(collate_fn=…)``."""
        if form not in COLLATES:
            raise OptionError(f"form={form!r}: unknown; expected {', '.join(COLLATES)}.")
        return partial(COLLATES[form], with_steps=self._with_steps)


def _tensor(values: Array) -> torch.Tensor:
    """Return a tensor that shares nothing with the states."""
    return torch.from_numpy(np.array(values, values.dtype.newbyteorder("=")))


def padded(items: list[Item], *, with_steps: frozenset[str]) -> Item:
    """Make a batch: what has steps [B, longest, …], zero past each length; all else [B, …]."""
    return _batch(items, with_steps, lambda sequences: pad_sequence(sequences, batch_first=True))


def packed(items: list[Item], *, with_steps: frozenset[str]) -> Item:
    """Make a batch: what has steps a PackedSequence each, in the order of the items; all else [B, …].

    Raises
    ------
    OptionError
        A sequence is empty.
    """
    if empty := [item["id"] for item in items if not item["length"]]:
        raise OptionError(
            f"sequence {empty[0]!r}: has no steps, which a PackedSequence cannot hold; leave such out with "
            'states[states.lengths > 0], or use collate("padded").'
        )
    return _batch(items, with_steps, lambda sequences: pack_sequence(sequences, enforce_sorted=False))


def _batch(items: list[Item], with_steps: frozenset[str], join: Callable[[list[torch.Tensor]], Any]) -> Item:
    batch: Item = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if name == "length":
            batch[name] = torch.tensor(values)
        elif name == "id":
            batch[name] = values
        else:
            batch[name] = join(values) if name in with_steps else torch.stack(values)
    return batch


# How a batch is made.
COLLATES = {"padded": padded, "packed": packed}
