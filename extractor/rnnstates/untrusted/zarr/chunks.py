"""Reads the chunks of an array, and what lies in shards."""

import functools
import math

import numpy as np

from ...arrays.axes import Array
from ...errors import BadData
from .arrays import ZarrArray
from .codecs import Codec, Unfit, unpack
from .steps import Sharding
from .stores import Store
from .types import is_text

__all__ = ["Chunked"]

# A stored chunk may have so many times its unpacked bytes, and these in addition.
MOST_GROWTH, MOST_BESIDE = 2, 2**16
# The most bytes of a chunk of strings.
MOST_TEXT = 2**26
MISSING = 2**64 - 1
INDEXES = 8
_CHECKSUM = Codec("crc32c", {})


class Chunked:
    """An array in chunks.

    Parameters
    ----------
    store : Store
    array : ZarrArray
    where : str
    error : type
    """

    def __init__(self, store: Store, array: ZarrArray, where: str, error: type[BadData]) -> None:
        self._store, self._array, self._where, self._error = store, array, where, error
        self._count = math.prod(array.chunks)
        self._size = None if is_text(array.dtype) else self._count * array.dtype.itemsize
        self._most = MOST_GROWTH * (self._size or MOST_TEXT) + MOST_BESIDE
        self._index = functools.lru_cache(INDEXES)(self._read_index)

    def __call__(self, first: tuple[int, ...]) -> Array:
        """Return the chunk whose first value is at a place, in stored byte order."""
        array = self._array
        numbers = tuple(at // size for at, size in zip(first, array.chunks, strict=True))
        raw = self._raw(numbers)
        if raw is None:
            dtype = np.dtype(object) if is_text(array.dtype) else array.dtype
            return np.broadcast_to(np.asarray(array.fill, dtype), array.chunks)
        try:
            content = unpack(array.codecs, raw, self._size, self._most)
            values = self._values(content)
        except Unfit as reason:
            raise self._error(
                f"{self._where}: its chunk at {first}: {reason}. The store is damaged or changes while it is read; "
                "copy or make it again."
            ) from reason
        stored = values.reshape([array.chunks[axis] for axis in array.order])
        return stored.transpose(np.argsort(array.order))

    def _values(self, content: bytes) -> Array:
        if self._size is None:
            return _texts(content, self._count)
        values: Array = np.frombuffer(content, self._array.dtype)
        if values.dtype.kind == "b" and values.size and values.view(np.uint8).max() > 1:
            raise Unfit("it holds booleans other than 0 and 1")
        return values

    def _raw(self, numbers: tuple[int, ...]) -> bytes | None:
        sharding = self._array.sharding
        if sharding is None:
            return self._read(self._array.key(numbers), self._most)
        per_shard = self._per_shard(sharding)
        shard = tuple(number // count for number, count in zip(numbers, per_shard, strict=True))
        index = self._index(shard, sharding)
        if index is None:
            return None
        start, size = (int(one) for one in index[tuple(np.remainder(numbers, per_shard))])
        if start == size == MISSING:
            return None
        if size > self._most or start > 2**62:
            raise self._error(f"{self._where}: its shard {shard} says that a chunk has {size} bytes; it is damaged.")
        raw = self._store.read(self._array.key(shard), self._error, most=size, start=start)
        if raw is None or len(raw) != size:
            raise self._error(f"{self._where}: its shard {shard} ends inside a chunk. Copy or make the store again.")
        return raw

    def _per_shard(self, sharding: Sharding) -> tuple[int, ...]:
        return tuple(whole // part for whole, part in zip(sharding.shape, self._array.chunks, strict=True))

    def _read(self, key: str, most: int) -> bytes | None:
        raw = self._store.read(key, self._error, most=most + 1)
        if raw is not None and len(raw) > most:
            raise self._error(f"{self._where}: its chunk '{key}' has more than {most} bytes; expected fewer.")
        return raw

    def _read_index(self, shard: tuple[int, ...], sharding: Sharding) -> Array | None:
        per_shard = self._per_shard(sharding)
        size = 16 * math.prod(per_shard)
        checked = size + 4 * sharding.has_checksum
        raw = self._store.read(
            self._array.key(shard), self._error, most=checked, start=-checked if sharding.at_end else 0
        )
        if raw is None:
            return None
        try:
            if sharding.has_checksum:
                raw = unpack((_CHECKSUM,), raw, size, checked)
            if len(raw) != size:
                raise Unfit("it is cut short")
        except Unfit as reason:
            raise self._error(f"{self._where}: the index of its shard {shard}: {reason}. Copy the store.") from reason
        index: Array = np.frombuffer(raw, "<u8").reshape(*per_shard, 2)
        return index


def _texts(content: bytes, count: int) -> Array:
    """Return the strings that numcodecs' VLenUTF8 stores: their number, then each behind its size."""
    if len(content) < 4 or int.from_bytes(content[:4], "little") != count:
        raise Unfit(f"it holds another number of strings than {count}")
    values: Array = np.empty(count, object)
    place = 4
    for row in range(count):
        size = int.from_bytes(content[place : place + 4], "little")
        place += 4 + size
        if place > len(content):
            raise Unfit("it ends inside a string")
        # Decoded with the ids, which may be bytes.
        values[row] = content[place - size : place]
    return values
