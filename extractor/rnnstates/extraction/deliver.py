"""Where the states of a job go: to a file that gets its name when it is whole, or to memory."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import OutputUnread, RnnstatesError, Stopped
from ..output.format import DatasetSpec, HasParts, Shape, group_name
from ..output.layout import Ids
from ..output.partial import Wanted
from ..output.reader import open_states
from ..output.recorder import Pace
from ..output.sink import MemorySink, Sink
from ..output.states import States
from ..output.system import Place
from ..output.writer import FileSink
from ..runtime.signals import signals_wait
from .agreement import Notes
from .request import Request

__all__ = ["Compute", "to_file", "to_memory"]

# Computes what a sink does not have.
Compute = Callable[[Sink], None]

logger = logging.getLogger("rnnstates")


class Delivered(Protocol):
    """A ``Job``, or what else has states to deliver."""

    @property
    def request(self) -> Request:
        """What was asked for."""

    @property
    def network(self) -> HasParts:
        """Whose parts have states."""

    @property
    def specs(self) -> tuple[DatasetSpec, ...]:
        """The datasets."""

    @property
    def shape(self) -> Shape:
        """Of the whole."""

    @property
    def ids(self) -> Ids | None:
        """The sequences' names."""

    @property
    def notes(self) -> Notes:
        """What the user should know."""

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` where a file that is read while states are computed changed meanwhile."""


def to_file(job: Delivered, compute: Compute, place: Place, wanted: Wanted, *, force: bool, pace: Pace) -> States:
    """Make the output, or go on with an unfinished one; gives it opened.

    Raises
    ------
    Stopped
        It is not finished; with how far it is.
    OutputUnread
        It is complete, but cannot be opened.
    RnnstatesError
        What ``FileSink`` and ``compute`` raise.
    """
    names = place.names
    sink = FileSink(place, wanted, force=force, check=job.check_unchanged, pace=pace)
    try:
        with sink:
            if sink.committed:
                logger.info("%s: was finished already; what was left beside it is gone.", names.given)
            else:
                compute(sink)
                _warn_of_overflow(job, sink.overflowed)
                sink.commit()
    except Stopped:
        raise Stopped(f"{names.output}: {_stopped(sink.recorded, wanted.contents.windows)}") from None
    try:
        with signals_wait():
            return open_states(names.output)
    except (RnnstatesError, OSError, MemoryError) as reason:
        raise OutputUnread(
            f"{names.output}: is complete, but cannot be opened now ({reason}). Open it later; no run is needed."
        ) from reason


def _stopped(recorded: int, windows: int) -> str:
    if not recorded:
        return "time limit reached before one window of sequences was finished, so nothing is kept; give it more time."
    return f"time limit reached; {recorded} of {windows} windows are finished and kept; the same call continues."


def to_memory(job: Delivered, compute: Compute, *, about: Mapping[str, Any]) -> States:
    """Compute all states and give them; ``about`` is their provenance."""
    ids = None if job.ids is None else _joined(block for _, block in job.ids.blocks(65536))
    sink = MemorySink(job.specs, job.shape, ids)
    compute(sink)
    job.check_unchanged()
    _warn_of_overflow(job, sink.overflowed)
    return sink.states([group_name(part) for part, *_ in job.network.parts()], about)


def _warn_of_overflow(job: Delivered, overflowed: int) -> None:
    if overflowed:
        job.notes.warn(
            f"{overflowed} values are too large for {job.request.dtype} and are stored as infinity; store them with "
            'dtype="float32" or dtype="float64".'
        )


def _joined(blocks: Iterable[Any]) -> Any:
    collected = list(blocks)
    return np.concatenate(collected) if collected else np.zeros(0, "S1")
