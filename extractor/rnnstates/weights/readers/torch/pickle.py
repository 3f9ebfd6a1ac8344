"""Inspects the pickles of a PyTorch file, instruction by instruction, before PyTorch's unpickler runs them.

``weights_only`` keeps a pickle from running code, but not from wasting time and memory: a few hundred bytes can nest
tuples that take years to hash as a key, overflow the stack of the process, or request an array of any size. Here the
unpickler's stack is simulated with the sizes of values only.
"""

import contextlib
import io
import pickletools
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from ....errors import BadWeights
from ....untrusted.zip import is_zip, open_zip

__all__ = ["check_pickles", "instructions"]

# The old format is a series of pickles: a magic number, a version, a machine, the content, the keys of what follows.
PICKLES_OF_OLD_FORM = 5
# Depth of nested tuples, whose hashing is recursive; and the values hashed, counted once per reference.
DEEPEST_TUPLE, MOST_HASHED = 1000, 10**7
# Steps of an unpickler: one per number, two for anything else. A checkpoint of a thousand arrays takes fifty thousand,
# a history of a million numbers another million; four million take some ten seconds.
MOST_STEPS = 4_000_000
# Arguments of a call that are not counted, enough for an array.
SMALL_CALL = 32
# Called with a number, this allocates so many bytes; PyTorch saves its content as a string.
_BYTES = "builtins.bytearray"
# Some of its codecs take quadratic time; PyTorch saves bytes by one that does not.
_ENCODE, _CODEC = "_codecs.encode", "latin1"
# Called with sizes, they allocate uninitialised memory.
_EMPTY = re.compile(r"torch\.(?:cuda\.|sparse\.|storage\.)*\w*(?:Tensor|Storage)")

# Calls its first argument with others.
_CALLS = "torch._tensor._rebuild_from_type_v2"

Instruction = tuple[str, Any]


class _Value:
    """A value on the simulated stack.

    Parameters
    ----------
    called : str
        The name of the class or function; empty if it is neither.
    text : str or None
        The string; empty if it does not matter, None if it is not a string.
    items : list
        Of a tuple or list; the keys of a mapping.
    is_tuple : bool
    """

    __slots__ = ("called", "cost", "depth", "is_tuple", "items", "text")
    cost: int
    depth: int

    def __init__(
        self, called: str = "", text: str | None = None, items: "list[_Value] | None" = None, *, is_tuple: bool = False
    ) -> None:
        self.called, self.text, self.is_tuple = called, text, is_tuple
        self.items = [] if items is None else items
        # For tuples only: lists have no hash, and may grow.
        held = self.items if is_tuple else []
        self.cost = 1 + sum(item.cost for item in held)
        self.depth = 1 + max((item.depth for item in held), default=0)

    def hashed(self, levels: int = 3) -> int:
        """Count the values that a class may hash when called with this: items of its arguments, or of their pairs."""
        items = (self.items if levels > 1 else self.items[:2]) if levels else []
        return max(self.cost, 1 + sum(item.hashed(levels - 1) if item.items else 1 for item in items))


# Most values do not matter, and need no object of their own.
_PLAIN, _TEXT = _Value(), _Value(text="")
_TEXTS = {_CODEC: _Value(text=_CODEC)}
_SHARED = (_PLAIN, _TEXT, *_TEXTS.values())


def instructions(path: str) -> Iterator[Iterator[Instruction]]:
    """Yield the instructions of each pickle of a file, by name with their argument; nothing is run.

    A damaged pickle may raise anything.
    """
    if is_zip(path):
        with open_zip(path, BadWeights) as archive:
            # PyTorch finds its member regardless of case.
            for name in (name for name in archive.namelist() if name.lower().endswith("data.pkl")):
                yield _read(io.BytesIO(archive.read(name)))
        return
    with Path(path).open("rb") as file:
        for _ in range(PICKLES_OF_OLD_FORM):
            yield _read(file)


def _read(file: IO[bytes]) -> Iterator[Instruction]:
    return ((operation.name, argument) for operation, argument, _ in pickletools.genops(file))


def check_pickles(path: str) -> None:
    """Refuse a file whose pickles would take time or memory out of proportion.

    Raises
    ------
    BadWeights
    """
    # A damaged pickle is reported by the unpickler, which gets no further than this simulation.
    damaged = contextlib.suppress(ValueError, IndexError, KeyError, EOFError, MemoryError, OverflowError)
    with damaged, warnings.catch_warnings():
        # pickletools decodes names like Python literals, and warns about odd backslashes in them.
        warnings.simplefilter("ignore", DeprecationWarning)
        for pickle in instructions(path):
            _Machine(path).follow(pickle)


class _Machine:
    """The stack and memo of an unpickler, with sizes in place of values."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stack: list[_Value] = []
        self._marked: list[list[_Value]] = []
        self._memory: dict[int, _Value] = {}
        self._hashed = self._steps = 0

    def follow(self, pickle: Iterable[Instruction]) -> None:
        """Simulate the instructions of one pickle."""
        for name, argument in pickle:
            self._step(1 if name in _PLAINS else 2)
            if name in _PLAINS:
                self._stack.append(_PLAIN)
            elif name in _EMPTIES:
                self._stack.append(_Value(is_tuple=name == "EMPTY_TUPLE"))
            elif name in ("BINPUT", "LONG_BINPUT"):
                self._memory[argument] = self._stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self._stack.append(self._memory[argument])
            elif name in ("BINUNICODE", "SHORT_BINSTRING"):
                self._stack.append(_TEXTS.get(argument, _TEXT))
            elif name == "GLOBAL":
                self._stack.append(_Value(called=_modern(argument)))
            elif name == "MARK":
                self._marked.append(self._stack)
                self._stack = []
            elif name in _TAKEN:
                self._take(name)

    def _step(self, cost: int) -> None:
        self._steps += cost
        if self._steps > MOST_STEPS:
            raise self._refused(f"takes more than {MOST_STEPS:,} steps to unpickle")

    def _take(self, name: str) -> None:
        """Simulate an instruction that consumes values of the stack."""
        count = _TAKEN[name]
        items = self._up_to_mark() if count is None else [self._stack.pop() for _ in range(count)][::-1]
        calls = name in ("REDUCE", "NEWOBJ")
        if any(item.called in (_BYTES, _ENCODE) for item in (items[1:] if calls else items)):
            raise self._refused("passes on a function that it would have to call")
        if name.startswith("TUPLE"):
            self._stack.append(self._tuple(items))
        elif calls:
            self._call(*items)
        elif name == "BINPERSID":
            self._stack.append(_PLAIN)
        elif name.startswith("SETITEM"):
            self._count(sum(item.cost - 1 for item in items[::2]))
            self._grow(items[::2])
        elif name.startswith("APPEND"):
            self._grow(items)

    def _up_to_mark(self) -> list[_Value]:
        items = self._stack
        self._stack = self._marked.pop()
        return items

    def _tuple(self, items: list[_Value]) -> _Value:
        made = _Value(items=items, is_tuple=True)
        if made.depth > DEEPEST_TUPLE or made.cost > MOST_HASHED:
            raise self._refused("nests tuples without end")
        return made

    def _grow(self, items: list[_Value]) -> None:
        if self._stack[-1] not in _SHARED:
            self._stack[-1].items += items

    def _call(self, function: _Value, arguments: _Value) -> None:
        first, second = (*arguments.items, _PLAIN, _PLAIN)[:2]
        is_empty, called = arguments.is_tuple and not arguments.items, function.called
        if called == _BYTES and not is_empty and (first.text is None or not arguments.is_tuple):
            raise self._refused("asks for bytes that are not in it")
        if called == _ENCODE and (second.text != _CODEC or not arguments.is_tuple):
            raise self._refused("asks for a codec that PyTorch does not use")
        if _EMPTY.fullmatch(called) and not is_empty:
            raise self._refused("asks for an array that is not in it")
        if called == _CALLS and not first.called.startswith("torch._utils._rebuild"):
            raise self._refused("passes on a function that it would have to call")
        self._count(max(arguments.hashed() - SMALL_CALL, 0))
        # A shape is a tuple, and hashed as one; the items of a list may be used again.
        made = {_ENCODE: _TEXT, "torch.Size": first}.get(called)
        self._stack.append(made or _Value(items=list(first.items)))

    def _count(self, cost: int) -> None:
        self._hashed += cost
        if self._hashed > MOST_HASHED:
            raise self._refused("has keys that take too long to tell apart")

    def _refused(self, problem: str) -> BadWeights:
        return BadWeights(
            f"{self._path}: {problem}, which torch.save never writes for weights; it is refused. Save a state_dict, "
            "torch.save(model.state_dict(), ...) or safetensors."
        )


_PLAINS = {"NONE", "NEWFALSE", "NEWTRUE", "BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1"}
_EMPTIES = {"EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"}
# How many values are popped from the stack; None for all up to the mark.
_TAKEN = {
    "TUPLE": None, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "REDUCE": 2, "NEWOBJ": 2, "BUILD": 1, "BINPERSID": 1,
    "APPEND": 1, "APPENDS": None, "SETITEM": 2, "SETITEMS": None,
}  # fmt: skip


def _modern(argument: str) -> str:
    """Return the Python 3 name of a class."""
    return argument.replace(" ", ".", 1).replace("__builtin__.", "builtins.", 1)
