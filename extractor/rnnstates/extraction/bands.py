"""A band, the rows of a window over all steps: passes its tiles' states to the sink, and holds their pooled vectors.

``tiles`` pools; a band only stores. The rows of a band are consecutive in the output, so its pooled vectors are written
in one go; so are the states of sequences so short that writing them one by one would cost more than their bytes.
"""

import threading

import numpy as np

from ..arrays.axes import Lengths, Places, StepStates, Vectors, valid_mask
from ..arrays.checksums import Sums
from ..output.format import DatasetSpec
from ..output.sink import AnyFloats, Sink, to_dtype
from .grid import Window
from .job import Job

__all__ = ["Band"]


class Band:
    """Consecutive rows on their way to the sink; used by several threads, each for its own rows.

    Parameters
    ----------
    job : Job
    sink : Sink
    window : Window
        The first window of the band.
    parties : int
        How many times ``finished`` is called until everything is stored.
    """

    def __init__(self, job: Job, sink: Sink, window: Window, parties: int) -> None:
        self._sink, self.rows, self._number, self._overflowed = sink, window.rows, window.number, 0
        rows = window.rows
        self._first_rows, self._lengths, self._steps = (
            job.shape.first_rows[rows],
            job.shape.lengths[rows],
            job.shape.kept,
        )
        self._start, self._stop = job.shape.extent(rows)
        self._held = {
            spec.name: (spec, np.zeros((self._size(spec), spec.width), spec.dtype)) for spec in job.specs_held
        }
        self._left, self._lock = parties, threading.Lock()

    def put_states(
        self,
        spec: DatasetSpec,
        members: Places,
        values: StepStates,
        *,
        lengths: Lengths,
        before: Lengths,
    ) -> None:
        """Store the states of a piece.

        Parameters
        ----------
        spec : DatasetSpec
        members : int64 [k]
            Rows inside the band.
        values : floating [k, T, W]
        lengths, before : int64 [k]
            Valid steps in the piece, and before it.
        """
        kept = self._steps.choose(values, lengths, before, self._lengths[members])
        if not kept.counts.any():
            return
        values, lengths = kept.values, kept.counts
        cast = self._cast(values if spec.columns is None else values[:, :, spec.columns], spec)
        places = self._first_rows[members] + kept.places
        if spec.name in self._held:
            steps = np.arange(values.shape[1])
            valid = valid_mask(lengths, values.shape[1])
            self._held[spec.name][1][(places[:, np.newaxis] + steps - self._start)[valid]] = cast[valid]
        else:
            first = np.arange(len(places)) * values.shape[1]
            self._sink.put_sequences(spec, places, cast.reshape(-1, spec.width), first, lengths, self._number)

    def put_pooled(self, spec: DatasetSpec, members: Places, vectors: Vectors) -> None:
        """Store the pooled vectors, floating [B, W], of some sequences."""
        self._held[spec.name][1][members] = self._cast(vectors, spec)

    def finished(self, read: Sums | None) -> None:
        """Report that one party has stored everything; the last call passes what was held to the sink.

        Parameters
        ----------
        read : (int, int) or None
            Checksums of everything read for the band, if they are to be recorded.
        """
        with self._lock:
            self._left -= 1
            if self._left:
                return
        for spec, values in self._held.values():
            if len(values):
                row = self.rows.start if spec.pooling is not None else self._start
                self._sink.put(spec, row, values, self._number)
        self._held.clear()
        self._sink.finish(self._number, self._overflowed, read)

    def _cast(self, values: AnyFloats, spec: DatasetSpec) -> AnyFloats:
        cast, overflowed = to_dtype(values, spec.dtype)
        if overflowed:
            with self._lock:
                self._overflowed += overflowed
        return cast

    def _size(self, spec: DatasetSpec) -> int:
        return self.rows.stop - self.rows.start if spec.pooling is not None else self._stop - self._start
