"""The ids of some sequences, and of the sequences of several inputs."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ..arrays.axes import Names
from .ids import Ids
from .selected import Places

__all__ = ["joined_ids", "some_ids"]

ROWS_AT_ONCE = 65536


def some_ids(ids: Ids, places: Places) -> Ids:
    """Return the ids of some sequences, in the order of their places."""

    def read(start: int, stop: int) -> Names:
        wanted = places[start:stop]
        edges = [*np.flatnonzero(np.diff(wanted, prepend=-2) != 1).tolist(), len(wanted)]
        runs = [ids.read(int(wanted[first]), int(wanted[first]) + last - first) for first, last in pairwise(edges)]
        return np.concatenate(runs) if runs else np.empty(0, ids.dtype)

    return Ids(len(places), ids.dtype, read, ids.ascii)


def joined_ids(parts: Sequence[Ids | None], counts: Sequence[int], labels: Sequence[str]) -> Ids | None:
    """Return the ids of the sequences of several inputs; None if no input has any.

    If an id is there twice, or an input has none, each becomes ``label/id``, or ``label/number``.

    Parameters
    ----------
    parts : sequence of Ids or None
    counts : sequence of int
        The number of sequences of each input.
    labels : sequence of str
        A different one for each input.
    """
    known = [ids for ids in parts if ids is not None]
    if not known:
        return None
    if len(known) == len(parts) and _are_distinct(known):
        return _one_after_another(known)
    return _one_after_another(
        [_labelled(ids, count, label) for ids, count, label in zip(parts, counts, labels, strict=True)]
    )


def _are_distinct(parts: Sequence[Ids]) -> bool:
    """Return whether no id is there twice, judged by 64 bits of each."""
    seen: set[int] = set()
    for text in _texts(parts):
        seen.add(hash(text))
    return len(seen) == sum(ids.count for ids in parts)


def _texts(parts: Sequence[Ids]) -> Iterator[bytes]:
    for ids in parts:
        for _, block in ids.blocks(ROWS_AT_ONCE):
            yield from block.astype(np.bytes_).tolist()


def _labelled(ids: Ids | None, count: int, label: str) -> Ids:
    prefix = label.encode("utf-8", "surrogateescape") + b"/"
    width = 20 if ids is None or ids.dtype.kind != "S" else ids.dtype.itemsize

    def read(start: int, stop: int) -> Names:
        own = np.arange(start, stop) if ids is None else ids.read(start, stop)
        return np.array([prefix + one for one in own.astype(np.bytes_).tolist()], dtype)

    dtype = np.dtype(f"S{len(prefix) + width}")
    return Ids(count, dtype, read, prefix.isascii() and (ids is None or ids.ascii))


def _one_after_another(parts: Sequence[Ids]) -> Ids:
    starts = np.concatenate([[0], np.cumsum([ids.count for ids in parts])]).tolist()
    if all(ids.dtype.kind != "S" for ids in parts):
        dtype: np.dtype[np.generic] = np.dtype(np.int64)
    else:
        dtype = np.dtype(f"S{max(ids.dtype.itemsize if ids.dtype.kind == 'S' else 20 for ids in parts)}")

    def read(start: int, stop: int) -> Names:
        found = [
            ids.read(max(start - first, 0), min(stop - first, ids.count)).astype(dtype)
            for ids, first in zip(parts, starts, strict=False)
            if first < stop and first + ids.count > start
        ]
        return np.concatenate(found) if found else np.empty(0, dtype)

    return Ids(starts[-1], dtype, read, all(ids.ascii for ids in parts))
