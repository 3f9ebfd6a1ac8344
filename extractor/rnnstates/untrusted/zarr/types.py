"""The types of values in Zarr and their fill values, as NumPy has them."""

import base64
import re
import struct
from typing import Any

import h5py
import numpy as np

__all__ = ["TEXT", "UnreadableType", "dtype_of_v2", "dtype_of_v3", "fill_of", "is_text"]

# Strings of varying length.
TEXT: np.dtype[Any] = h5py.string_dtype()
_PLAIN = re.compile(r"[<>|][biufSU][0-9]{1,6}")
_V3 = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), "float16", "float32",
       "float64")  # fmt: skip
# Types of format 3 with a width in bytes, and the letters of NumPy's.
_WIDE = {"fixed_length_utf32": ("U", 4), "null_terminated_bytes": ("S", 1)}
_MOST_WIDTH = 2**16


class UnreadableType(Exception):  # noqa: N818 - never seen outside; becomes the error about an array
    """Why a type cannot be read."""


def is_text(dtype: np.dtype[Any]) -> bool:
    """Return whether values are strings of varying length."""
    return h5py.check_string_dtype(dtype) is not None and dtype.kind == "O"


def dtype_of_v2(given: object, filters: list[str]) -> np.dtype[Any]:
    """Return the dtype that format 2 names."""
    if given == "|O" and filters[:1] == ["vlen-utf8"]:
        return TEXT
    if given == "|O":
        raise UnreadableType("it holds Python objects, which are never loaded because they can run any code")
    if not isinstance(given, str) or not _PLAIN.fullmatch(given):
        raise UnreadableType(f"its dtype is {str(given)[:60]}; expected plain numbers or strings")
    return _made(given)


def dtype_of_v3(given: object) -> np.dtype[Any]:
    """Return the dtype that format 3 names, in native byte order."""
    if given == "string":
        return TEXT
    if isinstance(given, str) and given in _V3:
        return np.dtype(given)
    if isinstance(given, dict) and given.get("name") in _WIDE and isinstance(given.get("configuration"), dict):
        letter, item = _WIDE[given["name"]]
        width = given["configuration"].get("length_bytes")
        if type(width) is int and 0 < width <= _MOST_WIDTH and width % item == 0:
            return _made(f"<{letter}{width // item}")
    raise UnreadableType(f"its data_type is {str(given)[:60]}; expected plain numbers or strings")


def _made(text: str) -> np.dtype[Any]:
    try:
        made: np.dtype[Any] = np.dtype(text)
    except TypeError as reason:
        raise UnreadableType(f"its dtype is {text!r}, which NumPy does not know") from reason
    if not 0 < made.itemsize <= _MOST_WIDTH:
        raise UnreadableType(f"its dtype is {text!r}, which has no usable width")
    return made


def fill_of(given: object, dtype: np.dtype[Any]) -> object:
    """Return the fill value; None becomes zero, as in zarr."""
    if is_text(dtype) or dtype.kind in "SU":
        return "" if is_text(dtype) else np.zeros((), dtype)[()]
    if given is None:
        return dtype.type(0)
    try:
        if not isinstance(given, str | int | float):
            raise TypeError
        with np.errstate(all="ignore"):
            if isinstance(given, str) and given.startswith("0x"):
                return np.frombuffer(bytes.fromhex(given[2:])[::-1], dtype.newbyteorder("<"))[0]
            return dtype.type(_number(given))
    except (ValueError, TypeError, OverflowError, IndexError, struct.error) as reason:
        raise UnreadableType(f"its fill_value is {str(given)[:40]}; expected one of {dtype}") from reason


def _number(given: str | float) -> float:
    if isinstance(given, str) and given not in ("NaN", "Infinity", "-Infinity"):
        # As xarray writes _FillValue.
        number: float = struct.unpack("<d", base64.b64decode(given, validate=True))[0]
        return number
    return float(given) if isinstance(given, str) else given
