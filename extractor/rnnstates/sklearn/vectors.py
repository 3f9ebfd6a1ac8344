"""Pools states to one vector per sequence, as ``extract`` does, without keeping the states of every step."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..engines.choice import make_engine
from ..errors import MemoryBudgetError, OptionError
from ..extraction.agreement import Notes, check_states
from ..extraction.job import Job, plan
from ..extraction.request import Request
from ..extraction.schedule import make_stack, run
from ..network.cells import DERIVED, GATE_STATES, carried
from ..network.model import Network
from ..network.pooling import FINAL, POOLINGS
from ..output.format import DatasetSpec, Shape, plan_datasets
from ..output.sink import MemorySink
from . import Sequences

__all__ = ["check_empty", "check_vectors", "pool_sequences", "vector_names"]


def check_vectors(network: Network, request: Request) -> None:
    """Refuse a request without vectors or for unavailable ones; log the notes on the weights.

    Raises
    ------
    OptionError
    """
    if not request.pool:
        raise OptionError(f"pool=None: vectors need a pooling; expected some of {', '.join(POOLINGS)}.")
    notes = Notes()
    for note in network.notes:
        notes.say(note)
    check_states(network, request, notes)
    passing = [state for state in request.states if state in GATE_STATES or state in DERIVED]
    if FINAL in request.pool and passing:
        raise OptionError(
            f"pool={FINAL!r}: not available for '{passing[0]}', only for the states that a cell carries: hidden, cell. "
            "Use pool='last'."
        )


def check_empty(empty: Any) -> None:
    """Refuse an invalid result for empty sequences.

    Raises
    ------
    OptionError
    """
    try:
        right = float(empty) == 0 or math.isnan(float(empty))
    except (TypeError, ValueError):
        right = False
    if not right:
        raise OptionError(f"empty={empty!r}: expected 0 or NaN.")


def vector_names(network: Network, request: Request) -> list[str]:
    """List the names of a vector's numbers: dataset name and unit, such as ``layer0/forward/hidden_mean_3``."""
    nothing = Shape(np.zeros(0, np.int64), 1)
    return [f"{spec.name}_{unit}" for spec in _specs(network, request, nothing) for unit in range(spec.width)]


def pool_sequences(sequences: Sequences, network: Network, request: Request, *, empty: float) -> Array:
    """Compute the vectors.

    Parameters
    ----------
    sequences : Sequences
    network : Network
    request : Request
        One that ``check_vectors`` accepted.
    empty : float
        The result for an empty sequence; ``final`` returns its initial state.

    Returns
    -------
    floating [N, W]
        Part by part, state by state, pooling by pooling.

    Raises
    ------
    BadInput
        A valid step holds an invalid value.
    EngineUnavailable, MemoryBudgetError
    """
    shape = Shape(sequences.lengths, sequences.source.shape[1], request.layout, sequences.padding)
    # Planned like ``extract``, so that the results are bit-identical.
    planned = plan(
        sequences.source, network, request, shape=shape, ids=None, tokens=sequences.ids, notes=Notes(),
        continued=False,
    )  # fmt: skip
    job = replace(planned, specs=_specs(network, request, shape))
    sink = _computed(job)
    for spec in job.specs:
        if spec.pooling != FINAL:
            sink.arrays[spec.name][sequences.lengths == 0] = empty
    return np.concatenate([sink.arrays[spec.name] for spec in job.specs], axis=1)


def _specs(network: Network, request: Request, shape: Shape) -> tuple[DatasetSpec, ...]:
    planned = plan_datasets(
        network, shape, states=request.states, pool=request.pool, dtype=request.dtype, precision=request.computing
    )
    made = {(spec.part, spec.state, spec.pooling): spec for spec in planned}
    poolings = dict.fromkeys(word.rpartition(":")[2] for word in request.pool)
    wanted = [
        (part, state, pooling)
        for part, _, _, weights in network.parts()
        for state in dict.fromkeys((*(request.states or carried(weights)), *request.computed))
        for pooling in poolings
    ]
    return tuple(made[key] for key in wanted if key in made)


def _computed(job: Job) -> MemorySink:
    sink = MemorySink(job.specs, job.shape, None)
    try:
        engine = make_engine(job.engine, job.request.precision)
        run(job, engine, make_stack(job, engine), sink)
    except MemoryError as reason:
        raise MemoryBudgetError(f"out of memory; {job.advice()}") from reason
    return sink
