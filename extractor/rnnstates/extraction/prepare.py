"""From the arguments of ``extract`` to a job: options, then weights, then inputs, each as soon as it can be refused."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..engines.choice import begin
from ..inputs import open_source
from ..weights.options import ZERO
from .begun import NOTHING, Begun
from .job import Job, choose_network, prepare
from .problems import Problems
from .request import make_request

__all__ = ["is_there", "prepared"]


def prepared(
    inputs: Any,
    lengths: Any,
    *,
    dataset: str | None = None,
    axes: str | None = None,
    ids: Any = None,
    weights: Any = None,
    layer: str | None = None,
    units: int | None = None,
    seed: int | None = None,
    forget_bias: float | None = None,
    initial_state: Any = None,
    states: str | Sequence[str] | None = ("hidden", "cell"),
    pool: str | Sequence[str] | None = ("mean", "last"),
    layout: str = "padded",
    padding: str = "post",
    dtype: str | None = None,
    precision: str = "float32",
    engine: str = "auto",
    threads: int | None = None,
    memory: int | str | None = None,
    allow_nonfinite: bool = False,
    start: bool = False,
    begun: Begun = NOTHING,
    **unsaid: Any,
) -> Job:
    """Check and plan what ``extract`` was asked for; takes its parameters.

    Parameters
    ----------
    start : bool
        Whether to start what takes long of the engine in the background meanwhile.
    begun : Begun
        How an unfinished run of the output computes.
    """
    request = make_request(
        states=states, pool=pool, layout=layout, padding=padding, dtype=dtype, precision=precision, engine=engine,
        threads=threads, memory=memory, allow_nonfinite=allow_nonfinite, preferred_engine=begun.engine,
    )  # fmt: skip
    if start:
        # Options that are wrong have been refused by now; what follows reads files, and takes its time.
        begin(request.engine)
    problems = Problems()
    with problems.gathered():
        if zero := isinstance(initial_state, str) and initial_state == ZERO:
            initial_state = None
        start_from = ZERO if zero and weights is not None else None
        network = choose_network(
            weights, layer=layer, units=units, seed=seed, forget_bias=forget_bias, initial_state=start_from, **unsaid
        )
    if problems:
        with problems.gathered():
            _look_at(inputs, dataset, axes)
        problems.tell()
    random = {"units": units, "seed": seed, "forget_bias": forget_bias}
    return prepare(
        inputs, lengths, request, network=network, dataset=dataset, axes=axes, ids=ids, random=random,
        initial=initial_state,
    )  # fmt: skip


def _look_at(inputs: Any, dataset: str | None, axes: str | None) -> None:
    """See whether a file of inputs can be used at all; what is no file can be read only once, by a run that goes on."""
    if isinstance(inputs, str | os.PathLike) and (Path(inputs).is_file() or not Path(inputs).exists()):
        open_source(inputs, dataset=dataset, tokens=True, axes=axes).close()


def is_there(given: Any) -> bool:
    """Tell whether a path names something; what is no path is there. The commonest mistake is to be told at once."""
    return not isinstance(given, str | os.PathLike) or Path(given).exists()
