"""Options of a run with their defaults, and their checks, one by one, before any file is opened."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np

from ..errors import OptionError
from ..errors.arguments import check_arguments
from ..errors.choices import (
    COMPRESSIONS,
    DTYPES,
    ENGINE_NAMES,
    LAYOUTS,
    PADDINGS,
    PRECISIONS,
    Compression,
    DType,
    Engine,
    IfExists,
    Layout,
    Padding,
    Precision,
)
from ..network.cells import STATES
from ..weights.options import ZERO
from .amounts import parse_size
from .keeping import Keeping, layers_named, steps_kept, units_kept
from .problems import Problems
from .words import names, one, pools

__all__ = ["DEFAULTS", "DEFAULT_STATES", "KeepUnits", "Options", "Pool", "Progress", "Request", "make_request"]

# Called with the steps done and the total steps.
Progress = Callable[[int, int], None]

# Names of poolings; ``hidden:mean`` or {"hidden": "mean"} for one state only.
Pool = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
# Units of all layers, such as ``0:10,17``, or by name of a layer.
KeepUnits = str | Sequence[int] | range | Mapping[str, str | Sequence[int] | range]

# The default of ``states``; a cell without a cell state gives its hidden state only.
DEFAULT_STATES = ("hidden", "cell")
# The options that say how a weights file is read, except for initial states.
OF_WEIGHTS = (
    *("layer", "convention", "forget_bias", "activation", "recurrent_activation"),
    *("cell_clip", "projection_clip", "embedding", "config"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a run, as for ``extract``. Each default is defined here and nowhere else.

    Public functions build it from their arguments (``Options.of``) and pass it on as a whole. Their docstrings explain
    each option.
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
    pool: Pool = ("mean", "last")
    keep_layers: str | Sequence[str] | None = None
    keep_units: KeepUnits | None = None
    every: int | None = None
    last_steps: int | None = None
    layer_average: str | Sequence[str] | None = None
    layout: Layout = "padded"
    padding: Padding = "post"
    dataset: str | None = None
    axes: str | None = None
    univariate: bool = False
    rows: object = None
    steps: object = None
    carry: object = None
    ids: Any = None
    engine: Engine = "auto"
    precision: Precision = "float32"
    dtype: DType | None = None
    compression: Compression = "none"
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
        """Build options from the arguments of a public function, ignoring those that are not options of a run.

        Raises
        ------
        OptionError
            An argument has a type that its parameter does not accept.
        """
        check_arguments(arguments)
        return cls(**{field.name: arguments[field.name] for field in fields(cls) if field.name in arguments})

    def of_weights(self) -> dict[str, Any]:
        """Return the arguments for ``load_weights``, except those about initial states."""
        return {name: getattr(self, name) for name in OF_WEIGHTS}

    @property
    def command(self) -> str:
        """The command line to record, for people; "" in Python."""
        return str((self.provenance or {}).get("command") or "")

    @property
    def starts_at_zero(self) -> bool:
        """Whether trained initial states are ignored."""
        return isinstance(self.initial_state, str) and self.initial_state == ZERO

    @property
    def start(self) -> Any:
        """The given initial states: a path or arrays; None if there are none, or if they are zero."""
        return None if self.starts_at_zero else self.initial_state


DEFAULTS = Options()


@dataclass(frozen=True)
class Request:
    """The options that say what is computed and how, each checked on its own.

    Parameters
    ----------
    states : tuple of str
    pool : tuple of str
        ``mean`` for every state that is pooled, ``cell:mean`` for one of them.
    keeping : Keeping
        Layers, units and steps to keep.
    layout, padding, engine, precision : str
    dtype : dtype
        Dtype of the stored states.
    threads : int
        Tiles computed in parallel.
    memory : int or None
        Bytes of windows and tiles that the run may hold; None for no bound except the grid's.
    allow_nonfinite : bool
        Whether NaN and infinity are accepted in valid steps.
    compression : str
        How the file is compressed; ``none`` in memory.
    preferred_engine : str or None
        The engine to use if ``engine`` is ``auto`` and it can run the job: that of an unfinished run.
    """

    states: tuple[str, ...]
    pool: tuple[str, ...]
    keeping: Keeping
    layout: str
    padding: str
    dtype: np.dtype[Any]
    precision: str
    engine: str
    threads: int
    memory: int | None
    allow_nonfinite: bool
    compression: Compression = "none"
    preferred_engine: str | None = None

    @property
    def computed(self) -> tuple[str, ...]:
        """The states that are named: for every step, then those pooled by name."""
        pooled = (word.partition(":")[0] for word in self.pool if ":" in word)
        return tuple(dict.fromkeys((*self.states, *pooled)))

    @property
    def computing(self) -> np.dtype[Any]:
        """The dtype of inputs and states during the computation; with bfloat16 only products are rounded to it."""
        return _computing(self.precision)


def _computing(precision: str) -> np.dtype[Any]:
    return np.dtype("float32" if precision == "bfloat16" else precision)


def make_request(options: Options, preferred_engine: str | None = None) -> Request:
    """Check each option on its own.

    Raises
    ------
    OptionError
        Unknown words (with the nearest known one) and numbers out of range, all reported together; nothing to compute.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "states": lambda given: names("states", given, STATES),
        "pool": pools,
        "layout": lambda given: one("layout", given, LAYOUTS),
        "padding": lambda given: one("padding", given, PADDINGS),
        "dtype": lambda given: given if given is None else one("dtype", given, DTYPES),
        "compression": lambda given: _compression(given or "none", options.output),
        "precision": lambda given: one("precision", given, PRECISIONS),
        "engine": lambda given: one("engine", given, ("auto", *ENGINE_NAMES)),
        "threads": _threads,
        "memory": lambda given: parse_size(given) if isinstance(given, str) else given,
    }
    checked: dict[str, Any] = {}
    problems = Problems()
    for name, check in checks.items():
        with problems.gathered():
            checked[name] = check(getattr(options, name))
    with problems.gathered():
        checked["keeping"] = _keeping(options)
    problems.raise_all()
    checked["dtype"] = np.dtype(checked["dtype"] or _computing(options.precision).name)
    request = Request(**checked, allow_nonfinite=options.allow_nonfinite, preferred_engine=preferred_engine)
    if not request.states and not request.pool:
        raise OptionError("states=None, pool=None: nothing to compute; keep states, poolings or both.")
    return request


def _compression(name: str, output: object) -> str:
    if one("compression", name, COMPRESSIONS) == "none":
        return name
    # Few runs need it.
    from ..output.repacking.codecs import codec

    codec(cast("Compression", name))
    if output is None:
        raise OptionError(f'compression="{name}": states in memory are arrays; expected an output, which is a file.')
    return name


def _keeping(options: Options) -> Keeping:
    return Keeping(
        layers=layers_named(options.keep_layers), average=layers_named(options.layer_average) or (),
        units=units_kept(options.keep_units), steps=steps_kept(options.every, options.last_steps),
    )  # fmt: skip


def _threads(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise OptionError(f"threads={threads}: expected at least 1.")
    return threads
