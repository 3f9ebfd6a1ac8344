"""Reads Flax files (``flax.serialization.to_bytes``): a tree of msgpack maps with arrays as leaves.

Extension 1 is an array and 3 a scalar, both packed once more as (shape, name of the dtype, bytes); 2 is a complex
number. Arrays above 1 GiB are maps ``{"__msgpack_chunked_array__": True, "shape": ..., "chunks": ...}``. The names are
the paths of the leaves: ``params/LSTMCell_0/ii/kernel``.
"""

import contextlib
import importlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights, EngineUnavailable
from .base import MOST_TENSORS, Container, Tensor, as_floating, from_bfloat16

__all__ = ["open_msgpack", "recognise_msgpack"]

SUFFIXES = (".msgpack", ".flax", ".ckpt")
CHUNKED = "__msgpack_chunked_array__"
ARRAYS = (1, 3)
DTYPES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
# Known, but not weights: counters, masks and random keys stored with them.
OTHERS = {
    **{f"{kind}{8 * size}": size for kind in ("int", "uint") for size in (1, 2, 4, 8)},
    **dict.fromkeys(("bool", "int4", "uint4", "float8_e4m3", "float8_e4m3fn", "float8_e4m3b11fnuz", "float8_e5m2"), 1),
    "complex64": 8,
    "complex128": 16,
}
# Far above any model's, and low enough that a file's declarations cost no significant memory.
DEEPEST, LONGEST_NAME, MOST_ENTRIES, MOST_OF_ONE, MOST_AXES = 64, 1000, 500_000, 2**16, 32
PEEK = 256
ADVICE = "the file is damaged, save it again with flax.serialization.to_bytes"


def recognise_msgpack(path: str) -> bool:
    """Return whether a file starts with a non-empty map, and is named like one of Flax or continues with a name.

    Pickles start with the byte of an empty map, HDF5 with that of a map of nine entries.
    """
    with Path(path).open("rb") as file:
        start = file.read(PEEK)
    if not start or not (0x81 <= start[0] <= 0x8F or start[0] in (0xDE, 0xDF)) or start.startswith(b"\x89HDF"):
        return False
    return path.lower().endswith(SUFFIXES) or _continues_with_a_name(start)


def _continues_with_a_name(start: bytes) -> bool:
    rest = start[{0xDE: 3, 0xDF: 5}.get(start[0], 1) :]
    if rest[:1] == b"\xd9":
        size, rest = rest[1] if len(rest) > 1 else 0, rest[2:]
    else:
        size, rest = rest[0] - 0xA0 if rest and 0xA0 < rest[0] <= 0xBF else 0, rest[1:]
    return 0 < size <= len(rest) and all(0x20 <= byte != 0x7F for byte in rest[:size])


@contextlib.contextmanager
def open_msgpack(path: str) -> Iterator[Container]:
    """Open a file; it is held in memory, its arrays are unpacked when they are read.

    Raises
    ------
    BadWeights
        It is damaged, deeper or larger than a model's, has a duplicate name, or declares other sizes than it stores.
    EngineUnavailable
        The package ``msgpack`` is not installed.
    """
    msgpack = _import()
    tree = _unpack(msgpack, Path(path).read_bytes(), path)
    if not isinstance(tree, dict):
        raise BadWeights(f"{path}: holds a msgpack {type(tree).__name__}; expected a map from names to arrays.")
    tensors: dict[str, Tensor] = {}
    for name, leaf in _leaves(tree, path):
        tensor = _tensor(msgpack, leaf, name, f"{path}: '{name}'")
        if name in tensors:
            raise BadWeights(f"{path}: names '{name}' twice; it is refused.")
        if tensor is not None:
            tensors[name] = tensor
        if len(tensors) > MOST_TENSORS:
            # The container reports it; examining half a million would take 15 seconds.
            break
    yield Container(path, "msgpack", tensors)


def _import() -> Any:
    try:
        return importlib.import_module("msgpack")
    except ImportError as reason:
        raise EngineUnavailable(
            f"Flax' files need msgpack ({reason}); pip install 'rnnstates[flax]', or save the weights as safetensors "
            "or .npz."
        ) from reason


def _unpack(msgpack: Any, content: bytes, path: str) -> Any:
    most = min(MOST_OF_ONE, len(content))
    limits = {"max_map_len": most, "max_array_len": most}
    hooks = _Hooks(path)
    try:
        return msgpack.unpackb(
            content, strict_map_key=False, object_pairs_hook=hooks.entries, list_hook=hooks.items, **limits
        )
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as reason:
        problem = str(reason)[:200] or type(reason).__name__
        raise BadWeights(f"{path}: is not the msgpack of a model ({problem}); {ADVICE}.") from reason


class _Hooks:
    """Callbacks for each map and list that msgpack has read: they check and count entries."""

    def __init__(self, path: str) -> None:
        self._path, self._count = path, 0

    def entries(self, entries: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        # msgpack's C extension passes a list; without it, msgpack reads the entries lazily.
        pairs = list(self._counted(entries))
        # Lists of layers are maps with integer keys.
        if not all(type(key) in (str, int) and len(str(key)) <= LONGEST_NAME for key, _ in pairs):
            raise BadWeights(f"{self._path}: has a map whose keys are not names; {ADVICE}.")
        named = {str(key): value for key, value in pairs}
        if len(named) != len(pairs):
            raise BadWeights(f"{self._path}: has a map that names something twice; it is refused.")
        return named

    def _counted(self, entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for entry in entries:
            self._check_count(1)
            yield entry

    def items(self, values: list[Any]) -> dict[str, Any]:
        self._check_count(len(values))
        return {str(place): value for place, value in enumerate(values)}

    def _check_count(self, more: int) -> None:
        self._count += more
        if self._count > MOST_ENTRIES:
            raise BadWeights(f"{self._path}: has more than {MOST_ENTRIES} entries, which no model has; it is refused.")


def _leaves(tree: Mapping[str, Any], path: str, name: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its path."""
    for key, value in tree.items():
        longer = f"{name}/{key}" if name else key
        if depth > DEEPEST or len(longer) > LONGEST_NAME:
            raise BadWeights(f"{path}: is nested too deeply for a model, below '{longer[:80]}'; it is refused.")
        if isinstance(value, dict) and CHUNKED not in value:
            yield from _leaves(value, path, longer, depth + 1)
        else:
            yield longer, value


class _Piece(NamedTuple):
    shape: tuple[int, ...]
    dtype: str
    values: bytes


def _tensor(msgpack: Any, leaf: Any, name: str, where: str) -> Tensor | None:
    """Return a tensor for an array or number; None for anything else."""
    if isinstance(leaf, bool | int | float):
        return Tensor(name, (), lambda: as_floating(np.asarray(leaf), where))
    if isinstance(leaf, dict):
        return _chunked(msgpack, leaf, name, where)
    if not isinstance(leaf, msgpack.ExtType):
        return None
    if leaf.code not in (*ARRAYS, 2):
        raise BadWeights(f"{where}: is of the msgpack extension {leaf.code}; expected 1, 2 or 3, as Flax has them.")
    if leaf.code == 2:
        return None
    piece = _piece(msgpack, leaf.data, where)
    return Tensor(name, piece.shape, lambda: _values([_piece(msgpack, leaf.data, where)], piece.shape, where))


def _piece(msgpack: Any, data: bytes, where: str) -> _Piece:
    """Unpack one array, and compare its declared size with what it stores."""
    try:
        content = msgpack.unpackb(data, raw=True, max_array_len=MOST_AXES, max_map_len=0, max_ext_len=0)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as reason:
        raise BadWeights(f"{where}: is no packed array ({str(reason)[:200]}); {ADVICE}.") from reason
    shape, dtype, values = content if isinstance(content, list) and len(content) == 3 else (None, b"", b"")
    if not (isinstance(shape, list) and _are_sizes(shape) and isinstance(dtype, bytes) and isinstance(values, bytes)):
        raise BadWeights(f"{where}: has no shape, dtype and values; {ADVICE}.")
    called = dtype.decode("ascii", "replace")[:30]
    if called not in DTYPES and called not in OTHERS:
        raise BadWeights(f"{where}: has dtype {called!r}; known are {', '.join((*DTYPES, *OTHERS))}.")
    item = np.dtype(DTYPES[called]).itemsize if called in DTYPES else OTHERS[called]
    if math.prod(shape) * item != len(values):
        raise BadWeights(
            f"{where}: has {len(values)} bytes; expected {math.prod(shape) * item}, because its shape is "
            f"{tuple(shape)} and its dtype {called}. It is refused."
        )
    return _Piece(tuple(shape), called, values)


def _are_sizes(values: list[Any]) -> bool:
    return all(type(size) is int and 0 <= size < 2**63 for size in values)


def _chunked(msgpack: Any, leaf: Mapping[str, Any], name: str, where: str) -> Tensor:
    """Join an array that Flax splits because a msgpack leaf must be smaller than 2 GiB."""
    shape, chunks = (_in_order(leaf.get(part)) for part in ("shape", "chunks"))
    arrays = all(isinstance(chunk, msgpack.ExtType) and chunk.code == 1 for chunk in chunks or ())
    if not chunks or shape is None or not _are_sizes(shape) or not arrays:
        raise BadWeights(f"{where}: is in chunks, but not as Flax parts arrays (shape and chunks); {ADVICE}.")
    pieces = [_piece(msgpack, chunk.data, where) for chunk in chunks]
    size = sum(math.prod(piece.shape) for piece in pieces)
    if size != math.prod(shape) or len({piece.dtype for piece in pieces}) != 1:
        dtypes = ", ".join(sorted({piece.dtype for piece in pieces}))
        raise BadWeights(
            f"{where}: its chunks have {size} values of {dtypes}; expected {math.prod(shape)} of one dtype, because "
            f"its shape is {tuple(shape)}. It is refused."
        )
    return Tensor(name, tuple(shape), lambda: _values(pieces, tuple(shape), where))


def _in_order(parts: object) -> list[Any] | None:
    """Convert ``{"0": a, "1": b}`` to a list; None for anything else."""
    if not isinstance(parts, dict) or set(parts) != {str(place) for place in range(len(parts))}:
        return None
    return [parts[str(place)] for place in range(len(parts))]


def _values(pieces: Sequence[_Piece], shape: tuple[int, ...], where: str) -> Array:
    dtype = pieces[0].dtype
    if dtype not in DTYPES or 0 in shape or len(shape) > MOST_AXES:
        raise BadWeights(f"{where}: has dtype {dtype} and shape {shape}; expected floating-point values, one at least.")
    parts = [np.frombuffer(piece.values, DTYPES[dtype]) for piece in pieces]
    values: Array = (parts[0] if len(parts) == 1 else np.concatenate(parts)).reshape(shape)
    return from_bfloat16(values) if dtype == "bfloat16" else as_floating(values, where)
