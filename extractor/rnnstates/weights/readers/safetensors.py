"""Reads safetensors without its library: eight bytes of length, a JSON header, the arrays.

The format MUST have (https://huggingface.co/docs/safetensors): a header of at most 100 MB that starts with ``{``, no
duplicate keys, offsets that cover the file without gap or overlap, and as many bytes as shape and dtype say.
"""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights
from ...untrusted.json_text import has_lone_surrogates
from .base import MOST_TENSORS, Container, Tensor, as_floating, from_bfloat16

__all__ = ["open_safetensors", "recognise_safetensors"]

LARGEST_HEADER = 100_000_000
# Enough for the largest accepted number of tensors, with names of 1000 characters, and for metadata.
LARGEST_PARSED = 32 * 2**20
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# Known, but not weights: counters and masks stored with them.
OTHERS = {
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}


class _Entry(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def recognise_safetensors(path: str) -> bool:
    """Return whether a file starts with a plausible length and a JSON object."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= LARGEST_HEADER


@contextlib.contextmanager
def open_safetensors(path: str) -> Iterator[Container]:
    """Open a file.

    Raises
    ------
    BadWeights
        It violates one of the rules above.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if length > min(LARGEST_HEADER, size - 8):
            raise BadWeights(f"{path}: declares a header of {length} bytes, but has {size - 8}; it is cut short.")
        if length > LARGEST_PARSED:
            raise BadWeights(
                f"{path}: has a header of {length} bytes; expected at most {LARGEST_PARSED}. Save the recurrent layers "
                "and their embedding alone."
            )
        text = file.read(length)
        _check_count(text, path)
        header = _parse(text, path)
        entries = [_entry(name, value, path) for name, value in header.items() if name != "__metadata__"]
        _check_tiling(entries, size - 8 - length, path)
        tensors = {entry.name: _tensor(file, entry, 8 + length, path) for entry in entries}
        yield Container(path, "safetensors", tensors)


def _check_count(text: bytes, path: str) -> None:
    """Refuse too many tensors before objects are created: a million takes a minute and gigabytes."""
    count = text.count(b"{") - 1
    if count > MOST_TENSORS or text.count(b"[") > 2 * MOST_TENSORS + 2:
        raise BadWeights(
            f"{path}: its header has {max(count, text.count(b'['))} objects or lists; expected at most {MOST_TENSORS} "
            "tensors. Save the recurrent layers and their embedding alone."
        )


def _parse(text: bytes, path: str) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, path))
    except (ValueError, RecursionError) as reason:
        raise BadWeights(f"{path}: its header is not JSON ({reason}); the file is damaged.") from reason
    if has_lone_surrogates(header, text):
        raise BadWeights(f"{path}: its header has invalid characters (lone surrogates); the file is damaged.")
    if not isinstance(header, dict):
        raise BadWeights(f"{path}: its header is a JSON {type(header).__name__}; expected an object.")
    return header


def _once(pairs: list[tuple[str, Any]], path: str) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise BadWeights(f"{path}: its header names something twice; it is refused.")
    return dict(pairs)


def _entry(name: str, value: object, path: str) -> _Entry:
    fields = value if isinstance(value, dict) else {}
    dtype, offsets = fields.get("dtype"), fields.get("data_offsets")
    shape = fields["shape"] if isinstance(fields.get("shape"), list) else None
    offsets = offsets if isinstance(offsets, list) and len(offsets) == 2 else None
    if not isinstance(dtype, str) or shape is None or offsets is None or not _are_sizes([*shape, *offsets]):
        raise BadWeights(f"{path}: '{name}' has no dtype, shape and two offsets; the header is damaged.")
    if dtype not in DTYPES and dtype not in OTHERS:
        raise BadWeights(f"{path}: '{name}' has dtype {dtype[:20]!r}; known are {', '.join((*DTYPES, *OTHERS))}.")
    item = np.dtype(DTYPES[dtype]).itemsize if dtype in DTYPES else OTHERS[dtype]
    start, stop = offsets
    if stop - start != math.prod(shape) * item:
        raise BadWeights(
            f"{path}: '{name}' has {stop - start} bytes; expected {math.prod(shape) * item}, because its shape is "
            f"{tuple(shape)} and its dtype {dtype}. The header is wrong; it is refused."
        )
    return _Entry(name, dtype, tuple(shape), start, stop)


def _are_sizes(value: list[Any]) -> bool:
    return all(type(size) is int and 0 <= size < 2**63 for size in value)


def _check_tiling(entries: list[_Entry], size: int, path: str) -> None:
    place = 0
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        if entry.start != place:
            raise BadWeights(
                f"{path}: '{entry.name}' starts at {entry.start}; expected {place}, where the one before it ends. "
                "Offsets with gaps or overlaps are refused."
            )
        place = entry.stop
    if place != size:
        raise BadWeights(f"{path}: its arrays end at {place}, but it has {size} bytes of them; it is cut short.")


def _tensor(file: BinaryIO, entry: _Entry, base: int, path: str) -> Tensor:
    def read() -> Array:
        where = f"{path}: '{entry.name}'"
        if entry.dtype not in DTYPES:
            raise BadWeights(f"{where}: has dtype {entry.dtype}; expected a floating-point type.")
        file.seek(base + entry.start)
        values = np.frombuffer(file.read(entry.stop - entry.start), DTYPES[entry.dtype]).reshape(entry.shape)
        return from_bfloat16(values) if entry.dtype == "BF16" else as_floating(values, where)

    return Tensor(entry.name, entry.shape, read)
