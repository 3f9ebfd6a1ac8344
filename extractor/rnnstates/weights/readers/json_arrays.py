"""Reads weights in JSON, arrays as nested lists of numbers: data only, bounded before and during parsing.

The names of the arrays are the keys and indices that lead to them, joined by dots, without ``state_dict``.
"""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights
from ...untrusted.json_text import LARGEST_JSON, has_lone_surrogates
from .base import Container, Tensor

__all__ = ["DOCUMENT", "open_json", "recognise_json"]

# The container's document with the whole text.
DOCUMENT = "model.json"
MARK = b"\xef\xbb\xbf"
# An empty list takes two characters in a file and sixty bytes in memory, a number two characters and thirty bytes.
MOST_LISTS, MOST_NAMES, MOST_NUMBERS, MOST_ARRAYS = 500_000, 200_000, 8_000_000, 20_000
DEEPEST, MOST_AXES, LONGEST_NAME = 32, 4, 500
WRAPS = ("state_dict", "model_state_dict")


def recognise_json(path: str) -> bool:
    """Return whether a file starts like a JSON object."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        start = file.read(256).removeprefix(MARK).lstrip()
    return start[:1] == b"{" and start[1:].lstrip()[:1] in (b'"', b"}", b"")


@contextlib.contextmanager
def open_json(path: str) -> Iterator[Container]:
    """Open a JSON text; it is held in memory.

    Raises
    ------
    BadWeights
        It is too large or too deep, not JSON, has a duplicate key, invalid numbers, rows of different lengths, or more
        arrays than any model.
    """
    with Path(path).open("rb") as file:
        text = file.read(LARGEST_JSON + 1)
    _check_size(text, path)
    content = _parse(text, path)
    arrays = {name: _tensor(name, values, shape, path) for name, values, shape in _arrays(content, path)}
    yield Container(path, "JSON", arrays, documents={DOCUMENT: content})


def _check_size(text: bytes, path: str) -> None:
    if len(text) > LARGEST_JSON:
        raise BadWeights(f"{path}: has more than {LARGEST_JSON} bytes of JSON; it is refused. Save it as safetensors.")
    lists, names, numbers = text.count(b"[") + text.count(b"{"), text.count(b":"), text.count(b",")
    if lists > MOST_LISTS or names > MOST_NAMES or numbers > MOST_NUMBERS:
        raise BadWeights(
            f"{path}: has {lists} lists and {numbers} values under {names} names; expected at most {MOST_LISTS}, "
            f"{MOST_NUMBERS} and {MOST_NAMES}. It is refused. Save it as safetensors."
        )


def _parse(text: bytes, path: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise BadWeights(f"{path}: names something twice; it is refused.")
        return dict(pairs)

    def constant(name: str) -> Any:
        raise BadWeights(f"{path}: has a value {name}; expected finite numbers.")

    try:
        content = json.loads(text.removeprefix(MARK), object_pairs_hook=once, parse_constant=constant)
    except RecursionError as reason:
        raise BadWeights(f"{path}: is nested too deeply for a model; it is refused.") from reason
    except ValueError as reason:
        raise BadWeights(f"{path}: is not JSON ({reason}); it is damaged or cut short, save it again.") from reason
    if has_lone_surrogates(content, text):
        raise BadWeights(f"{path}: has invalid characters (lone surrogates); the file is damaged.")
    if not isinstance(content, dict):
        raise BadWeights(f"{path}: holds a JSON {type(content).__name__}; expected an object.")
    return content


def _arrays(content: dict[str, Any], path: str) -> Iterator[tuple[str, list[Any], tuple[int, ...]]]:
    """Yield every list of numbers, of any rank, with its name and shape."""
    seen: set[str] = set()
    for name, values, shape in _walk(content, "", 1, path):
        if len(seen) == MOST_ARRAYS or name in seen:
            problem = f"names '{name[:80]}' twice" if name in seen else f"has more than {MOST_ARRAYS} arrays"
            raise BadWeights(f"{path}: {problem}; it is refused.")
        seen.add(name)
        yield name, values, shape


def _walk(value: object, name: str, depth: int, path: str) -> Iterator[tuple[str, list[Any], tuple[int, ...]]]:
    if depth > DEEPEST or len(name) > LONGEST_NAME:
        raise BadWeights(f"{path}: is nested too deeply for a model, below '{name[:80]}'; it is refused.")
    if isinstance(value, list):
        shape = _shape(value, name, path)
        if shape is not None:
            yield name, value, shape
            return
        value = {str(place): inner for place, inner in enumerate(value) if isinstance(inner, list | dict)}
    if isinstance(value, dict):
        for key, inner in value.items():
            longer = name if depth == 1 and key in WRAPS else f"{name}.{key}" if name else key
            yield from _walk(inner, longer, depth + 1, path)


def _shape(values: list[Any], name: str, path: str) -> tuple[int, ...] | None:
    """Return the shape of nested lists that form one array; None if they are something else.

    Raises
    ------
    BadWeights
        Every row consists of numbers, but of different lengths.
    """
    shape, level = [len(values)], values
    while level and all(isinstance(inner, list) for inner in level):
        lengths = {len(inner) for inner in level}
        flat = [item for inner in level for item in inner]
        if len(lengths) != 1:
            if len(shape) == 1 and flat and all(map(_is_number, flat)):
                raise BadWeights(
                    f"{path}: '{name[:80]}' has rows of {min(lengths)} to {max(lengths)} numbers; expected one length. "
                    "It is damaged."
                )
            return None
        shape.append(lengths.pop())
        level = flat
        if len(shape) > MOST_AXES:
            return None
    return tuple(shape) if level and all(map(_is_number, level)) else None


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _tensor(name: str, values: list[Any], shape: tuple[int, ...], path: str) -> Tensor:
    def read() -> Array:
        try:
            array: Array = np.array(values, np.float64)
        except (OverflowError, ValueError) as reason:
            raise BadWeights(f"{path}: '{name[:80]}' has numbers beyond what a float holds ({reason}).") from reason
        if not np.isfinite(array).all() or array.size != math.prod(shape):
            raise BadWeights(f"{path}: '{name[:80]}' has values that are infinite; expected finite numbers.")
        return array

    return Tensor(name, shape, read)
