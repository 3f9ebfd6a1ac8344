"""``preview()``: the checks and the plan of ``extract``, without computing or writing anything."""

import inspect
from collections.abc import Callable
from contextlib import closing
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from ..engines.base import Engine
from ..engines.choice import make_engine
from ..engines.stack import Stack
from ..output.destination import check_space, free_space
from ..output.kept.described import described
from ..output.kept.parts import group_name
from ..output.partial import check_unfinished
from ..output.system import Place
from ..weights.save import check_kept
from .amounts import end_of
from .extract import extract
from .identity import identity_of, recorded
from .job import Job
from .prepare import prepare
from .provenance import Computing, provenance_of
from .request import Options
from .schedule import make_stack
from .target import find_target

__all__ = ["preview"]

P = ParamSpec("P")
R = TypeVar("R")


def _takes_arguments_of(other: Callable[P, Any]) -> Callable[[Callable[[inspect.BoundArguments], R]], Callable[P, R]]:
    """Give a function the parameters of another, with their defaults and types."""
    signature = inspect.signature(other)

    def decorated(function: Callable[[inspect.BoundArguments], R]) -> Callable[P, R]:
        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as reason:
                raise TypeError(f"{function.__name__}() {reason}") from None
            bound.apply_defaults()
            return function(bound)

        returned = inspect.signature(function).return_annotation
        called.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
        return called

    return decorated


@_takes_arguments_of(extract)
def preview(bound: inspect.BoundArguments) -> dict[str, Any]:
    """Return what ``extract`` would do with the same arguments; nothing is computed or written.

    The engine is started, to see whether it can run the job; TensorFlow needs some seconds for that.

    Returns
    -------
    dict
        In JSON types: ``sequences``, ``steps`` (valid ones), ``padded_steps``, ``layers``, ``datasets`` (name, shape,
        dtype, bytes), ``kept`` (layers, units and steps, if some are left out), ``bytes_to_write``, ``bytes_free``
        (where the output goes, else None), ``engine``, ``threads``, ``memory`` (bytes held at once), ``plan``,
        ``notes``.

    Raises
    ------
    RnnstatesError
        What ``extract`` would raise before it computes.
    """
    given = bound.arguments
    options = Options.of(given)
    end_of(options.max_runtime)
    target = find_target(options, (given["inputs"], given["lengths"]))
    with closing(prepare(given["inputs"], given["lengths"], options, begun=target.begun)) as job:
        if options.save_weights is not None:
            check_kept(options.save_weights)
        names = None if options.restart or target.place is None else target.place.names
        if names is not None:
            check_space(names, job.bytes_to_write)
        engine = make_engine(job.engine, job.request.precision, target.begun.kernel)
        stack = make_stack(job, engine)
        if names is not None:
            check_unfinished(names, partial(_identity, job, engine, stack))
        return _described(job, target.place)


def _identity(job: Job, engine: Engine, stack: Stack) -> dict[str, Any]:
    """Describe a job in the same way as its run."""
    about = provenance_of(job, Computing.by(engine, stack), identity=recorded(job))
    return identity_of(about, job.shape, job.ids)


def _described(job: Job, place: Place | None) -> dict[str, Any]:
    return {
        "input": job.source.name,
        "sequences": job.shape.sequences,
        "steps": job.shape.valid_steps,
        "padded_steps": job.shape.steps,
        "layers": [_describe_part(part, layer.name, weights.units) for part, layer, _, weights in job.stored.parts()],
        "datasets": [
            {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype.name, "bytes": spec.nbytes}
            for spec in job.specs
        ],
        "kept": described(job.kept, job.shape.kept, job.network),
        "bytes_to_write": job.bytes_to_write,
        "bytes_free": None if place is None else free_space(place.names.output),
        "engine": job.engine,
        "threads": job.threads,
        "memory": job.memory,
        "plan": job.grid.as_dict(),
        "notes": list(job.notes),
    }


def _describe_part(part: str, name: str, units: int) -> dict[str, Any]:
    return {"group": group_name(part), "layer": name, "units": units}
