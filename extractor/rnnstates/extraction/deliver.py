"""Delivers the states of a job: to a file that is renamed into place once complete, or to memory."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..arrays.axes import Names
from ..errors import OutputUnread, RnnstatesError, Stopped
from ..output.carried import HasEntries
from ..output.format import DatasetSpec, Shape, version_of
from ..output.kept.parts import HasParts, Kept, StoredParts, group_name
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

# Computes what a sink lacks.
Compute = Callable[[Sink], None]

logger = logging.getLogger("rnnstates")


class Delivered(Protocol):
    """A ``Job``, or anything else that has states to deliver."""

    @property
    def request(self) -> Request:
        """The options of the run."""

    @property
    def network(self) -> HasParts:
        """The network, whose parts have states."""

    @property
    def kept(self) -> Kept:
        """What is stored of it."""

    @property
    def stored(self) -> StoredParts:
        """Its parts that are stored."""

    @property
    def specs(self) -> tuple[DatasetSpec, ...]:
        """The datasets to deliver."""

    @property
    def shape(self) -> Shape:
        """The shape of the whole job."""

    @property
    def ids(self) -> Ids | None:
        """The names of the sequences."""

    @property
    def carried(self) -> Sequence[HasEntries]:
        """What is copied from the input."""

    @property
    def notes(self) -> Notes:
        """The notices for the user."""

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if a file that is read during the run has changed."""


def to_file(job: Delivered, compute: Compute, place: Place, wanted: Wanted, *, force: bool, pace: Pace) -> States:
    """Make the output, or resume an unfinished one; return it opened.

    Raises
    ------
    Stopped
        It is not finished; the message says how far it is.
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
                logger.info("%s: was finished already; leftovers next to it were removed.", names.given)
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
        return "time limit reached before one window of sequences was finished, so nothing was saved; allow more time."
    return f"time limit reached; {recorded} of {windows} windows are finished and kept; the same call resumes."


def to_memory(job: Delivered, compute: Compute, *, about: Mapping[str, Any]) -> States:
    """Compute and return all states; ``about`` is their provenance."""
    ids = None if job.ids is None else _joined(block for _, block in job.ids.blocks(65536))
    sink = MemorySink(job.specs, job.shape, ids, version_of(job.kept, job.shape.kept, job.specs), job.carried)
    compute(sink)
    job.check_unchanged()
    _warn_of_overflow(job, sink.overflowed)
    return sink.states([group_name(part) for part, *_ in job.stored.parts()], about)


def _warn_of_overflow(job: Delivered, overflowed: int) -> None:
    if overflowed:
        job.notes.warn(
            f"{overflowed} values are too large for {job.request.dtype} and are stored as infinity; store them with "
            'dtype="float32" or dtype="float64".'
        )


def _joined(blocks: Iterable[Names]) -> Names:
    collected = list(blocks)
    return np.concatenate(collected) if collected else np.zeros(0, "S1")
