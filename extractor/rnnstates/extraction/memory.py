"""Counts the bytes that a run needs, and chooses how many threads and windows fit ``memory``."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from ..arrays.axes import Lengths
from ..engines.choice import ENGINES
from ..engines.costs import operations
from ..errors import MemoryBudgetError
from ..inputs.base import Source
from ..network.cells import available, carried, state_width
from ..network.model import Network
from ..output.format import DatasetSpec, Shape
from ..output.kept.parts import EVERYTHING, Kept, StoredParts
from .grid import Grid, Widths, memory_needed
from .request import Request

__all__ = ["MUCH", "fit_memory", "is_held", "measure"]

# One window is computed while the next is read.
WINDOWS_HELD = 2
# Sequences whose states need at most this much in a dataset are stored together with their neighbours: a page (bytes),
# below which a hole in the file saves nothing.
SHORT = 4096
# Above this many bytes per thread, which no option reduces, a run says so before it starts.
MUCH = 2**30


def is_held(spec: DatasetSpec, shape: Shape) -> bool:
    """Return whether a dataset is stored band by band rather than sequence by sequence."""
    return spec.pooling is not None or shape.stored_steps * spec.width * spec.dtype.itemsize <= SHORT


def measure(
    source: Source,
    network: Network,
    request: Request,
    *,
    engine: str,
    shape: Shape,
    specs: Sequence[DatasetSpec],
    continued: bool,
    kept: Kept = EVERYTHING,
) -> Widths:
    """Count the bytes of a step and of a sequence.

    Parameters
    ----------
    source : Source
    network : Network
    request : Request
    engine : str
        The chosen engine.
    shape : Shape
    specs : sequence of DatasetSpec
        The planned datasets.
    continued : bool
        Whether the run has initial states.
    kept : Kept
    """
    item = request.computing.itemsize
    states = pooled = 0
    for _, _, _, weights in network.parts():
        names = {*carried(weights), *(state for state in request.computed if state in available(weights))}
        # The states of each layer, a second copy reversed or packed, and one state in float64 while it is pooled.
        copies = ENGINES[engine].executor_of(weights, request.precision).copies
        states += sum(copies * state_width(weights, state) * item for state in names)
        pooled = max(pooled, *(8 * state_width(weights, state) for state in names))
    window, checked = _window_widths(source, request)
    stored = StoredParts(network, kept)
    sizes = {part: weights for part, _, _, weights in (*stored.parts(), *stored.others())}
    averages = {(spec.part, spec.state) for spec in specs if spec.part in stored.averages}
    # Each average, and three of one of them in float64 while it is summed.
    averaged = sum((item + 24) * state_width(sizes[part], state) for part, state in averages)
    # A vector as stored, and three in float64 while summing.
    of_sequence = sum(
        spec.width * spec.dtype.itemsize * (shape.stored_steps if spec.pooling is None else 1)
        + (0 if spec.pooling is None else 24 * state_width(sizes[spec.part], spec.state))
        for spec in specs
        if is_held(spec, shape)
    )
    carry = 8 * sum(state_width(weights, name) for _, _, _, weights in network.parts() for name in carried(weights))
    return Widths(
        window=window, checked=checked, computed=2 * network.features * item, states=states + 2 * pooled + averaged,
        kept=of_sequence + carry * (3 if continued else 2), operations=operations(network),
    )  # fmt: skip


def _window_widths(source: Source, request: Request) -> tuple[int, int]:
    """Return the bytes per step of a window while it is held, and while it is checked (``checking``)."""
    stored = source.dtype.itemsize
    if len(source.shape) == 2:
        # Ids are held as int64; if they are floats, they are checked as float64, with masks and a copy.
        return stored + 8, 28
    features = source.shape[2]
    converted = 0 if source.dtype == request.computing else request.computing.itemsize
    return features * (stored + converted), features


def fit_memory(request: Request, lengths: Lengths, grid: Grid, widths: Widths) -> tuple[int, int, int]:
    """Choose the threads and windows that fit ``memory``; the results do not depend on them.

    Returns
    -------
    (int, int, int)
        Threads, windows held, and the bytes that they need.

    Raises
    ------
    MemoryBudgetError
        One thread and one window do not fit; the message gives the least memory that would do.
    """
    for windows_held, threads in product(range(WINDOWS_HELD, 0, -1), range(request.threads, 0, -1)):
        needed = memory_needed(
            np.asarray(lengths, np.int64), grid, widths, windows_held=windows_held, threads=threads
        )  # fmt: skip
        if request.memory is None or needed <= request.memory:
            return threads, windows_held, needed
    raise MemoryBudgetError(
        f"memory={request.memory}: this job holds at least {needed} bytes at once (its longest sequence has "
        f"{int(lengths.max())} steps{'' if grid.cut else ', and its layers need it whole'}); give at least "
        f'memory="{-(-needed // 2**20)}M".'
    )
