"""``ZarrArray``: what the metadata of an array say, as data."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import BadData
from .codecs import Codec
from .steps import Sharding, UnreadableError, chain_of, codecs_of_v2, named, sharding_of, sizes
from .stores import LARGEST_METADATA, Store
from .types import UnreadableType, dtype_of_v2, dtype_of_v3, fill_of, is_text

__all__ = ["LARGEST_CHUNK", "ZarrArray", "arrays_in", "open_array"]

MOST_AXES = 32
LARGEST_CHUNK = 2**30


@dataclass(frozen=True)
class ZarrArray:
    """An array of a store.

    Parameters
    ----------
    name : str
        Its place in the store, with slashes.
    shape, chunks : tuple of int
    dtype : dtype
        As stored; that of strings in h5py for strings of varying length.
    fill : object
        What is in chunks that were never written.
    codecs : tuple of Codec
    order : tuple of int
        The axes of a chunk as they are stored.
    prefix, separator : str
        Of the names of chunks.
    sharding : Sharding or None
    attributes : mapping
    dimensions : tuple of str
        The names of the axes; empty if there are none.
    metadata : str
        The key of its metadata.
    """

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: object
    codecs: tuple[Codec, ...]
    order: tuple[int, ...]
    prefix: str
    separator: str
    metadata: str
    sharding: Sharding | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The attributes, under the name that other libraries use."""
        return self.attributes

    @property
    def files(self) -> int:
        """How many files of chunks there are if all are written."""
        whole = self.sharding.shape if self.sharding else self.chunks
        return math.prod(-(-axis // size) for axis, size in zip(self.shape, whole, strict=True))

    def key(self, numbers: tuple[int, ...]) -> str:
        """Return the key of a chunk, or of a shard, from its number along each axis."""
        named = self.separator.join([*filter(None, [self.prefix]), *map(str, numbers)]) or "0"
        return f"{self.name}/{named}".lstrip("/")


def arrays_in(store: Store, error: type[BadData]) -> dict[str, ZarrArray]:
    """Return all arrays that can be read by name; what is wrong with others is said when one is opened."""
    found = {}
    for key in store.metadata():
        name = key.rpartition("/")[0]
        try:
            array = open_array(store, name, error)
        except error:
            array = None
        if array is not None:
            found[name] = array
    return found


def open_array(store: Store, name: str, error: type[BadData]) -> ZarrArray | None:
    """Return the array of a name; None if there is none.

    Raises
    ------
    error
        Its metadata are damaged, or it is of a type or form that is not read.
    """
    if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")) and name:
        return None
    place = f"{name}/" if name else ""
    where = f"{store.path}: dataset '{name}'"
    for file, parse in (("zarr.json", _of_v3), (".zarray", _of_v2)):
        text = store.read(f"{place}{file}", error, most=LARGEST_METADATA + 1)
        if text is None:
            continue
        try:
            given = _parsed(text, file)
            if given.get("node_type") == "group":
                return None
            attributes = store.read(f"{place}.zattrs", error, most=LARGEST_METADATA + 1) if parse is _of_v2 else None
            return parse(name, f"{place}{file}", given, _parsed(attributes, ".zattrs") if attributes else {})
        except (UnreadableError, UnreadableType) as reason:
            raise error(f"{where}: {reason}. Save the array with np.save.") from reason
    return None


def _parsed(text: bytes, file: str) -> dict[str, Any]:
    if len(text) > LARGEST_METADATA:
        raise UnreadableError(f"its {file} has more than {LARGEST_METADATA} bytes, more than any array needs")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise UnreadableError(f"its {file} is not JSON") from reason
    if not isinstance(parsed, dict):
        raise UnreadableError(f"its {file} holds no object")
    return parsed


def _of_v2(name: str, metadata: str, given: dict[str, Any], attributes: dict[str, Any]) -> ZarrArray:
    if given.get("zarr_format") != 2:
        raise UnreadableError(f"zarr_format is {given.get('zarr_format')!r:.40}; expected 2 or 3")
    shape, chunks = sizes(given.get("shape"), "shape"), sizes(given.get("chunks"), "chunks", least=1)
    filters = codecs_of_v2(given.get("filters") or [])
    dtype = dtype_of_v2(given.get("dtype"), [one.name for one in filters])
    compressor = given.get("compressor")
    codecs = (*(one for one in filters if one.name != "vlen-utf8"), *codecs_of_v2([compressor] if compressor else []))
    axes = range(len(shape))
    order = tuple(reversed(axes)) if given.get("order") == "F" else tuple(axes)
    return _checked(
        ZarrArray(
            name, shape, chunks, dtype, fill_of(given.get("fill_value"), dtype), codecs, order, "",
            _separator(given.get("dimension_separator", ".")), metadata,
            attributes=attributes, dimensions=_names(attributes.get("_ARRAY_DIMENSIONS"), len(shape)),
        )
    )  # fmt: skip


def _of_v3(name: str, metadata: str, given: dict[str, Any], _: dict[str, Any]) -> ZarrArray:
    if given.get("zarr_format") != 3 or given.get("node_type") != "array":
        raise UnreadableError(f"zarr_format is {given.get('zarr_format')!r:.40}; expected 2 or 3")
    if given.get("storage_transformers"):
        raise UnreadableError("it has storage_transformers, which are not read")
    shape = sizes(given.get("shape"), "shape")
    grid = named(given.get("chunk_grid"), "chunk_grid")
    if grid.name != "regular":
        raise UnreadableError(f"its chunk_grid is {grid.name!r:.40}; expected 'regular'")
    chunks = sizes(grid.configuration.get("chunk_shape"), "chunk_shape", least=1)
    encoding = named(given.get("chunk_key_encoding"), "chunk_key_encoding")
    if encoding.name not in ("default", "v2"):
        raise UnreadableError(f"its chunk_key_encoding is {encoding.name!r:.40}; expected 'default' or 'v2'")
    is_default = encoding.name == "default"
    dtype = dtype_of_v3(given.get("data_type"))
    order, inner, codecs = chain_of(given.get("codecs"), len(shape))
    sharding = None
    if inner.name == "sharding_indexed":
        if order != tuple(range(len(shape))):
            raise UnreadableError("its shards are transposed, which is not read")
        sharding, chunks, (order, inner, codecs) = sharding_of(inner, chunks, codecs)
    attributes = given.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    return _checked(
        ZarrArray(
            name, shape, chunks, _ordered(dtype, inner), fill_of(given.get("fill_value"), dtype), codecs, order,
            "c" if is_default else "", _separator(encoding.configuration.get("separator", "/" if is_default else ".")),
            metadata, sharding, attributes,
            _names(given.get("dimension_names"), len(shape)) or _names(attributes.get("_ARRAY_DIMENSIONS"), len(shape)),
        )
    )  # fmt: skip


def _checked(array: ZarrArray) -> ZarrArray:
    if not len(array.shape) == len(array.chunks) <= MOST_AXES:
        raise UnreadableError(f"its shape {array.shape} and chunks {array.chunks} have different numbers of axes")
    size = math.prod(array.chunks) * (16 if is_text(array.dtype) else array.dtype.itemsize)
    if size > LARGEST_CHUNK:
        raise UnreadableError(f"its chunks have {size} bytes; expected at most {LARGEST_CHUNK}")
    return array


def _separator(given: object) -> str:
    if given not in (".", "/"):
        raise UnreadableError(f"the separator in the names of its chunks is {given!r:.40}; expected '.' or '/'")
    return str(given)


def _names(given: object, rank: int) -> tuple[str, ...]:
    if isinstance(given, list) and len(given) == rank and any(isinstance(one, str) for one in given):
        return tuple(one if isinstance(one, str) else "" for one in given)
    return ()


def _ordered(dtype: np.dtype[Any], codec: Codec) -> np.dtype[Any]:
    big = codec.configuration.get("endian") == "big"
    return dtype if is_text(dtype) else dtype.newbyteorder(">" if big else "<")
