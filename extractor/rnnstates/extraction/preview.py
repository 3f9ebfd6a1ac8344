"""What ``extract`` would do: its checks and its plan, without computing or writing anything."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from ..engines.choice import make_engine
from ..engines.stack import Engine
from ..errors.arguments import check_arguments
from ..output.destination import check_destination, check_space, free_space
from ..output.format import group_name
from ..output.names import FAIL, Names, choose_existing
from ..output.partial import check_unfinished
from ..weights.save import check_kept
from .begun import NOTHING, begun_at
from .extract import extract
from .identity import identity_of, recorded
from .job import Job
from .prepare import prepared
from .provenance import provenance as describe_run
from .request import end_of
from .schedule import make_stack

__all__ = ["preview"]

# Parameters of ``extract`` that name what it reads; and those that say how a run goes, not what it computes.
READ = ("inputs", "lengths", "ids", "weights", "config", "initial_state")
OF_THE_RUN = (
    *("output", "save_weights", "if_exists", "force", "restart", "verify"),
    *("max_runtime", "progress", "provenance"),
)


def preview(*arguments: Any, **options: Any) -> dict[str, Any]:
    """Tell what ``extract`` would do with the same arguments, all of which it takes; nothing is computed or written.

    The engine is started, which takes TensorFlow some seconds: whether it can run the job is seen then.

    Returns
    -------
    dict
        In JSON types: ``sequences``, ``steps`` (valid ones), ``padded_steps``, ``layers``, ``datasets`` (name, shape,
        dtype, bytes), ``bytes_to_write``, ``bytes_free`` (of the output's place, else None), ``engine``, ``threads``,
        ``memory`` (bytes held at once), ``plan``, ``notes``.

    Raises
    ------
    RnnstatesError
        What ``extract`` would raise before it computes.
    """
    try:
        bound = inspect.signature(extract).bind(*arguments, **options)
    except TypeError as reason:
        raise TypeError(f"preview() {reason}") from None
    bound.apply_defaults()
    given = bound.arguments
    check_arguments(given)
    end_of(given["max_runtime"])
    existing = choose_existing(given["if_exists"], force=given["force"])
    output, restart = given["output"], given["restart"]
    names = None if output is None else check_destination(
        output, force=existing != FAIL, sources=[given[name] for name in READ]
    )  # fmt: skip
    begun = NOTHING if names is None or restart else begun_at(names)
    job = prepared(**{name: value for name, value in given.items() if name not in OF_THE_RUN}, begun=begun)
    try:
        if given["save_weights"] is not None:
            check_kept(given["save_weights"])
        if names is not None and not restart:
            check_space(names, job.bytes_to_write)
        engine = make_engine(job.engine, job.request.precision, begun.kernel)
        executors = make_stack(job, engine).executors
        if names is not None and not restart:
            check_unfinished(names, functools.partial(_identity, job, engine, executors))
    finally:
        job.close()
    return _described(job, names)


preview.__signature__ = inspect.signature(extract).replace(return_annotation=dict)  # type: ignore[attr-defined]


def _identity(job: Job, engine: Engine, executors: Mapping[str, str]) -> dict[str, Any]:
    """Describe a job as a run of it does."""
    about = describe_run(job, engine.device, executors, {}, arithmetic=engine.arithmetic, identity=recorded(job))
    return identity_of(about, job.shape, job.ids)


def _described(job: Job, names: Names | None) -> dict[str, Any]:
    return {
        "input": job.source.name,
        "sequences": job.shape.sequences,
        "steps": job.shape.valid_steps,
        "padded_steps": job.shape.steps,
        "layers": [_describe_part(part, layer.name, weights.units) for part, layer, _, weights in job.network.parts()],
        "datasets": [
            {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype.name, "bytes": spec.nbytes}
            for spec in job.specs
        ],
        "bytes_to_write": job.bytes_to_write,
        "bytes_free": None if names is None else free_space(names.output),
        "engine": job.engine,
        "threads": job.threads,
        "memory": job.memory,
        "plan": job.grid.as_dict(),
        "notes": list(job.notes),
    }


def _describe_part(part: str, name: str, units: int) -> dict[str, Any]:
    return {"group": group_name(part), "layer": name, "units": units}
