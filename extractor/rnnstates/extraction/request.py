"""What the caller asked for, checked word by word before any file is opened."""

import difflib
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engines.choice import ENGINES, PRECISIONS
from ..errors import OptionError
from ..network.cells import STATES
from ..network.pooling import POOLINGS
from ..output.format import LAYOUTS
from .problems import Problems

__all__ = ["DEFAULT_STATES", "DTYPES", "PADDINGS", "Request", "end_of", "make_request", "parse_duration", "parse_size"]

PADDINGS = ("post", "pre")
# What is kept if nothing is said: a cell that has no cell state gives the hidden one.
DEFAULT_STATES = ("hidden", "cell")
DTYPES = ("float32", "float16", "float64")
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
# From a hundred years on a time is no limit; waiting so long, Python's own limits are near.
ENDLESS = 100 * 365 * 86400
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Request:
    """The options of a run, each one valid by itself.

    Parameters
    ----------
    states, pool : tuple of str
    layout, padding, engine, precision : str
    dtype : dtype
        Of the stored states.
    threads : int
        Tiles computed at once.
    memory : int or None
        Bytes of windows and tiles the run may hold; None for no bound but the grid's own.
    allow_nonfinite : bool
        Whether NaN and infinity in a valid step pass.
    preferred_engine : str or None
        Which to take where ``engine`` is ``auto``, if it can run the job: the one of an unfinished run.
    """

    states: tuple[str, ...]
    pool: tuple[str, ...]
    layout: str
    padding: str
    dtype: np.dtype[Any]
    precision: str
    engine: str
    threads: int
    memory: int | None
    allow_nonfinite: bool
    preferred_engine: str | None = None

    @property
    def computing(self) -> np.dtype[Any]:
        """The dtype of inputs and states while they are computed; in bfloat16 products alone are rounded to it."""
        return _computing(self.precision)


def _computing(precision: str) -> np.dtype[Any]:
    return np.dtype("float32" if precision == "bfloat16" else precision)


def make_request(
    *,
    states: str | Sequence[str] | None,
    pool: str | Sequence[str] | None,
    layout: str,
    padding: str,
    dtype: str | None,
    precision: str,
    engine: str,
    threads: int | None,
    memory: int | str | None,
    allow_nonfinite: bool,
    preferred_engine: str | None = None,
) -> Request:
    """Check each option.

    Raises
    ------
    OptionError
        Unknown words, each with the nearest known one; numbers out of range; all of them at once. Nothing to compute.
    """
    checks: dict[str, Callable[[], Any]] = {
        "states": lambda: _names("states", states, STATES),
        "pool": lambda: _names("pool", pool, tuple(POOLINGS)),
        "layout": lambda: _one("layout", layout, LAYOUTS),
        "padding": lambda: _one("padding", padding, PADDINGS),
        "dtype": lambda: dtype if dtype is None else _one("dtype", dtype, DTYPES),
        "precision": lambda: _one("precision", precision, PRECISIONS),
        "engine": lambda: _one("engine", engine, ("auto", *ENGINES)),
        "threads": lambda: _threads(threads),
        "memory": lambda: parse_size(memory) if isinstance(memory, str) else memory,
    }
    checked: dict[str, Any] = {}
    problems = Problems()
    for option, check in checks.items():
        with problems.gathered():
            checked[option] = check()
    problems.tell()
    checked["dtype"] = np.dtype(checked["dtype"] or _computing(precision).name)
    request = Request(**checked, allow_nonfinite=allow_nonfinite, preferred_engine=preferred_engine)
    if not request.states and not request.pool:
        raise OptionError("states=None, pool=None: nothing to compute; keep states, poolings or both.")
    return request


def parse_size(text: str) -> int:
    """Read a number of bytes.

    Raises
    ------
    OptionError
        It is not a number with K, M, G or T behind it.

    Examples
    --------
    >>> parse_size("1.5G")
    1610612736
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise OptionError(f"memory={text!r}: not a size; write 512M or 2G.")
    return int(min(float(match[1]) * UNITS[match[2].upper()], 2.0**63))


def end_of(max_runtime: float | str | None) -> float | None:
    """Tell when a run that begins now is to stop, by ``time.monotonic``; None for never.

    Raises
    ------
    OptionError
        It is no duration, or not above 0.
    """
    if max_runtime is None:
        return None
    seconds = parse_duration(max_runtime) if isinstance(max_runtime, str) else float(max_runtime)
    if not seconds > 0:
        raise OptionError(f"max_runtime={max_runtime!r}: expected more than 0 seconds.")
    return time.monotonic() + seconds if seconds < ENDLESS else None


def parse_duration(text: str) -> float:
    """Read a number of seconds.

    Raises
    ------
    OptionError
        It is not a number with s, m, h or d behind it, nor several of those, nor hours:minutes:seconds.

    Examples
    --------
    >>> parse_duration("90"), parse_duration("1h30m"), parse_duration("23:59:00")
    (90.0, 5400.0, 86340.0)
    """
    plain = text.strip().lower()
    if re.fullmatch(r"\d+:\d{1,2}(:\d{1,2})?", plain):
        hours, minutes, *seconds = map(float, plain.split(":"))
        return hours * 3600 + minutes * 60 + sum(seconds)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", plain)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != plain
        or (len(parts) > 1 and not all(unit for _, unit in parts))
    ):
        raise OptionError(f"max_runtime={text!r}: not a duration; write 45m, 1h30m, 23:30:00 or seconds.")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def _names(option: str, given: "str | Sequence[str] | None", known: Sequence[str]) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else list(given or ())
    names = [name.strip() for name in names if name.strip()]
    if names == ["none"]:
        return ()
    return tuple(dict.fromkeys(_one(option, name, known) for name in names))


def _one(option: str, name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise OptionError(f"{option}={name!r}: unknown; known are {', '.join(known)}.{hint}")


def _threads(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise OptionError(f"threads={threads}: expected at least 1.")
    return threads
