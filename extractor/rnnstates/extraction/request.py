"""What the caller asked for, checked word by word before any file is opened."""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import OptionError
from ..errors.arguments import check_arguments
from ..errors.choices import (
    DTYPES,
    ENGINE_NAMES,
    LAYOUTS,
    PADDINGS,
    PRECISIONS,
    DType,
    Engine,
    IfExists,
    Layout,
    Padding,
    Precision,
)
from ..network.cells import STATES
from ..network.pooling import POOLINGS
from ..weights.options import ZERO
from .amounts import parse_size
from .problems import Problems

__all__ = ["DEFAULTS", "DEFAULT_STATES", "Options", "Progress", "Request", "make_request"]

# Called with the steps done and the steps in all.
Progress = Callable[[int, int], None]

# What is kept if nothing is said: a cell that has no cell state gives the hidden one.
DEFAULT_STATES = ("hidden", "cell")
# The options that say how a weights file is read, whatever sequences start from.
OF_WEIGHTS = (
    *("layer", "convention", "forget_bias", "activation", "recurrent_activation"),
    *("cell_clip", "projection_clip", "embedding", "config"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for, as ``extract`` takes it. Each default stands here, and nowhere else.

    Public functions build one of their arguments (``Options.of``); what follows takes the whole. Their docstrings say
    what each option means.
    """

    output: str | os.PathLike[str] | None = None
    weights: Any = None
    layer: str | None = None
    units: int | None = None
    seed: int | None = None
    forget_bias: float | None = None
    convention: str | None = None
    activation: str | None = None
    recurrent_activation: str | None = None
    cell_clip: float | None = None
    projection_clip: float | None = None
    embedding: str | None = None
    config: str | os.PathLike[str] | None = None
    initial_state: Any = None
    states: str | Sequence[str] | None = DEFAULT_STATES
    pool: str | Sequence[str] | None = ("mean", "last")
    layout: Layout = "padded"
    padding: Padding = "post"
    dataset: str | None = None
    axes: str | None = None
    ids: Any = None
    engine: Engine = "auto"
    precision: Precision = "float32"
    dtype: DType | None = None
    threads: int | None = None
    memory: int | str | None = None
    allow_nonfinite: bool = False
    save_weights: str | os.PathLike[str] | None = None
    if_exists: IfExists | None = None
    force: bool = False
    restart: bool = False
    verify: bool = False
    max_runtime: float | str | None = None
    progress: Progress | None = None
    provenance: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Options":
        """Take the arguments of a public function by parameter; those that are no options of a run are left out.

        Raises
        ------
        OptionError
            One is of no type that its parameter may have.
        """
        check_arguments(arguments)
        return cls(**{field.name: arguments[field.name] for field in fields(cls) if field.name in arguments})

    def of_weights(self) -> dict[str, Any]:
        """Give what ``load_weights`` takes, but for the states to start from."""
        return {name: getattr(self, name) for name in OF_WEIGHTS}

    @property
    def command(self) -> str:
        """The command line that is recorded, for people; "" in Python."""
        return str((self.provenance or {}).get("command") or "")

    @property
    def starts_at_zero(self) -> bool:
        """Whether trained states to start from are left out."""
        return isinstance(self.initial_state, str) and self.initial_state == ZERO

    @property
    def start(self) -> Any:
        """What says the states to start from: a path or arrays; None where there are none, or zero."""
        return None if self.starts_at_zero else self.initial_state


DEFAULTS = Options()


@dataclass(frozen=True)
class Request:
    """The options that say what is computed and how, each one valid by itself.

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


def make_request(options: Options, preferred_engine: str | None = None) -> Request:
    """Check each option by itself.

    Raises
    ------
    OptionError
        Unknown words, each with the nearest known one; numbers out of range; all of them at once. Nothing to compute.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "states": lambda given: _names("states", given, STATES),
        "pool": lambda given: _names("pool", given, tuple(POOLINGS)),
        "layout": lambda given: _one("layout", given, LAYOUTS),
        "padding": lambda given: _one("padding", given, PADDINGS),
        "dtype": lambda given: given if given is None else _one("dtype", given, DTYPES),
        "precision": lambda given: _one("precision", given, PRECISIONS),
        "engine": lambda given: _one("engine", given, ("auto", *ENGINE_NAMES)),
        "threads": _threads,
        "memory": lambda given: parse_size(given) if isinstance(given, str) else given,
    }
    checked: dict[str, Any] = {}
    problems = Problems()
    for name, check in checks.items():
        with problems.gathered():
            checked[name] = check(getattr(options, name))
    problems.tell()
    checked["dtype"] = np.dtype(checked["dtype"] or _computing(options.precision).name)
    request = Request(**checked, allow_nonfinite=options.allow_nonfinite, preferred_engine=preferred_engine)
    if not request.states and not request.pool:
        raise OptionError("states=None, pool=None: nothing to compute; keep states, poolings or both.")
    return request


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
