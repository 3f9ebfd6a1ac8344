"""Lets PyTorch's unpickler read the harmless classes stored next to weights, as inert data.

``weights_only=True`` refuses every class that is not on a list. Here the list is extended for one call, but not by the
classes themselves: each name stands for an inert class of this module, which keeps its arguments. So nothing in NumPy,
argparse or pathlib is ever called, and an array of Python objects, whose bytes are another pickle, stays bytes.
"""

import contextlib
import math
import pickle
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....arrays.axes import Array

__all__ = ["STAND_INS", "Inert", "NumpyArray", "array_of", "load_checked"]

# Only one call at a time may extend the list, which is global to the process, and restore it.
_LOCK = threading.Lock()
_HERE = threading.local()
ELSEWHERE = "GLOBAL of a class that is read in another thread"


def _check_thread() -> None:
    """Refuse the inert classes in any thread but the one that reads, as if they were not on the list."""
    if not getattr(_HERE, "reading", False):
        raise pickle.UnpicklingError(f"Unsupported global: {ELSEWHERE}")


class Inert:
    """Stands for an object whose content is ignored: keeps its arguments and does nothing."""

    __slots__ = ("arguments", "state")
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Any:
        """Keep the arguments, in the thread that reads."""
        _check_thread()
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __setstate__(self, state: object) -> None:
        self.state = state


class NumpyScalar(Inert):
    """Stands for a NumPy scalar: its dtype and its bytes."""

    __slots__ = ()

    def __new__(cls, *arguments: Any) -> Any:
        """Refuse an object scalar, which older NumPy unpickles from the bytes: no program saves one."""
        # If a program has allowed NumPy's own dtype, the argument is one.
        codes = [getattr(argument, "code", "") or getattr(argument, "char", "") for argument in arguments]
        if any(str(code).startswith("O") for code in codes):
            raise pickle.UnpicklingError("a NumPy scalar of Python objects holds a pickle of its own")
        return super().__new__(cls, *arguments)


class NumpyDtype(Inert):
    """Stands for a dtype: its code, and its byte order in the state."""

    __slots__ = ()

    @property
    def code(self) -> str:
        """The code without byte order, e.g. ``f4``; empty if invalid."""
        return str(self.arguments[0]) if self.arguments and isinstance(self.arguments[0], str) else ""


class NumpyArray(Inert):
    """Stands for an array: shape, dtype, order and bytes are its state."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The declared shape; empty if invalid."""
        declared = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else ()
        return declared if _is_shape(declared) else ()


class Mapping(Inert):
    """Stands for a class of mappings; a dict takes its place."""

    __slots__ = ()

    def __new__(cls, *_arguments: Any) -> Any:
        """Return an empty dict, which the unpickler fills; a factory for missing keys is dropped."""
        _check_thread()
        return {}


class Sequence(Inert):
    """Stands for a class of sequences; a list takes its place."""

    __slots__ = ()

    def __new__(cls, *_arguments: Any) -> Any:
        """Return an empty list, which the unpickler fills."""
        _check_thread()
        return []


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
_SCALARS = (
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "longdouble", "complex64", "complex128", "str_", "bytes_", "datetime64", "timedelta64",
)  # fmt: skip
_DTYPES = ("Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32",
           "Float64", "Complex64", "Complex128", "Str", "Bytes", "DateTime64", "TimeDelta64")  # fmt: skip
_BUILTINS = ("dict", "list", "tuple", "int", "float", "str", "bool", "frozenset", "bytes", "range", "slice")
_ATTRIBUTES = (
    "pytorch_lightning.utilities.parsing",
    "lightning.pytorch.utilities.parsing",
    "lightning_fabric.utilities.data",
    "lightning.fabric.utilities.data",
)

# The list, without what PyTorch itself allows (OrderedDict, Counter, torch.Size, dtypes, devices, bytes).
STAND_INS: dict[str, type[Inert]] = {
    # Metrics are logged as scalars ("best": np.float64(0.5)): a dtype and bytes, which are ignored.
    **{f"{module}.scalar": NumpyScalar for module in _MULTIARRAY},
    # Arrays may be weights. The function makes an empty array of a class, which is only an argument.
    **{f"{module}._reconstruct": NumpyArray for module in _MULTIARRAY},
    "numpy.ndarray": Inert,
    # A dtype is a code, a byte order and perhaps fields; ``array_of`` trusts only plain floating codes.
    "numpy.dtype": NumpyDtype,
    # Classes as values ("dtype": np.float32); if a file calls one, it only keeps its arguments.
    **{f"numpy.{name}": Inert for name in _SCALARS},
    **{f"numpy.dtypes.{name}DType": Inert for name in _DTYPES},
    # Options of a training program; no attributes are set, so none can be overwritten.
    "argparse.Namespace": Inert,
    "types.SimpleNamespace": Inert,
    # A path is its parts; none is opened, and paths of another system, which pathlib refuses, are read too.
    **{f"{module}.{name}": Inert for module in ("pathlib", "pathlib._local") for name in _PATHS},
    # Its factory would be called for missing keys, so it is dropped. A custom factory is a class that is refused.
    "collections.defaultdict": Mapping,
    "collections.deque": Sequence,
    # The usual factories, types as values, ranges, and Python 3's empty bytes; these too only keep their arguments.
    **{f"builtins.{name}": Inert for name in _BUILTINS},
    # Exact numbers, and ids of runs: a string or a few numbers.
    **dict.fromkeys(("decimal.Decimal", "fractions.Fraction", "uuid.UUID"), Inert),
    # Times of a run, as bytes.
    **{f"datetime.{name}": Inert for name in ("datetime", "date", "time", "timedelta", "timezone")},
    # Lightning's mapping of hyperparameters, a dict with attributes; and the version that it records.
    **{f"{module}.AttributeDict": Mapping for module in _ATTRIBUTES},
    "torch.torch_version.TorchVersion": Inert,
}


def load_checked(torch: Any, path: str, *, mmap: bool) -> Any:
    """Unpickle a file with ``torch.load(weights_only=True)``; harmless classes become data.

    Raises
    ------
    Exception
        Whatever the unpickler raises.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as reason:
        # For ordinary files the list is never changed.
        found = re.search(r"GLOBAL (\S+) was not an allowed global", str(reason))
        name = found[1] if found else ""
        listed = name in STAND_INS or f"builtins.{name}" in STAND_INS
        if not listed and ELSEWHERE not in str(reason):
            raise
    with _allowed(torch):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


@contextlib.contextmanager
def _allowed(torch: Any) -> Iterator[None]:
    """Extend the list for this thread; other threads are refused the entries, and a program's own ones stay."""
    with _LOCK:
        listed = torch.serialization.get_safe_globals()
        names = {
            entry[1] if isinstance(entry, tuple) else f"{entry.__module__}.{entry.__qualname__}" for entry in listed
        }
        entries = [(stand_in, name) for name, stand_in in STAND_INS.items() if name not in names]
        _HERE.reading = True
        try:
            with torch.serialization.safe_globals(entries):
                yield
        finally:
            _HERE.reading = False


def _name(entry: Any) -> str:
    return entry[1] if isinstance(entry, tuple) else f"{entry.__module__}.{entry.__qualname__}"


def array_of(stored: NumpyArray) -> Array | None:
    """Return the array that a stand-in describes; None unless it is a plain floating array that its bytes fill."""
    state = stored.state
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    _, shape, dtype, by_columns, content = state
    code = dtype.code if isinstance(dtype, NumpyDtype) else ""
    if code not in ("f2", "f4", "f8") or not isinstance(content, bytes) or not _is_shape(shape):
        return None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "="
    if order not in ("<", ">", "=", "|") or math.prod(shape) * int(code[1:]) != len(content):
        return None
    values = np.frombuffer(content, ("=" if order == "|" else order) + code)
    return values.reshape(shape, order="F" if by_columns else "C")


def _is_shape(shape: object) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 8 and all(type(axis) is int and axis >= 0 for axis in shape)
