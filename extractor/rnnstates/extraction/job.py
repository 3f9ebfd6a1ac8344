"""A planned run: network, input, engine, datasets, grid and memory, fixed before the first state is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..engines.choice import ENGINES, choose_engine
from ..engines.costs import tile_rows
from ..engines.stack import WHOLE, sweeps
from ..inputs.base import Source
from ..inputs.carried import Carried
from ..inputs.initial_states import InitialStates
from ..network.model import Network
from ..output.format import DatasetSpec, Shape, plan_datasets
from ..output.kept.parts import EVERYTHING, Kept, StoredParts
from ..output.kept.steps import ALL_STEPS
from ..output.layout import Ids
from .agreement import Notes, note_whole
from .grid import Grid, make_grid, memory_needed
from .keeping import check_units, kept_of
from .memory import fit_memory, is_held, measure
from .request import Request

__all__ = ["BandStarts", "Job", "plan"]

# From part and name to the states that the rows of a band start from; numbers of any type.
BandStarts = Mapping[str, Mapping[str, Annotated[npt.NDArray[np.number[Any]], "R _"]]]


@dataclass(frozen=True, eq=False)
class Job:
    """A planned run: everything known before the first state is computed."""

    request: Request
    source: Source
    network: Network
    ids: Ids | None
    shape: Shape
    grid: Grid
    specs: tuple[DatasetSpec, ...]
    engine: str
    threads: int
    windows_held: int
    memory: int
    least: int
    tokens: bool
    notes: Notes
    initial: InitialStates | None = None
    carried: tuple[Carried, ...] = ()
    kept: Kept = EVERYTHING

    @cached_property
    def stored(self) -> StoredParts:
        """The parts of the network that are stored."""
        return StoredParts(self.network, self.kept)

    @cached_property
    def sweeps(self) -> dict[str, tuple[str, ...]]:
        """The sweeps over time: the network's parts by sweep."""
        return sweeps(self.network)

    @property
    def specs_held(self) -> list[DatasetSpec]:
        """The datasets that are stored band by band: pooled vectors, and the states of short sequences."""
        return [spec for spec in self.specs if is_held(spec, self.shape)]

    def initial_of(self, rows: slice) -> BandStarts:
        """Read the initial states of some sequences: those of the run, else those trained with the weights.

        Returns
        -------
        dict
            By part and name, floating [R, W]; zero if absent.

        Raises
        ------
        BadInput
            A value is NaN or infinite.
        """
        numbers = np.arange(rows.start, rows.stop)
        given = {} if self.initial is None else self.initial.read(numbers)
        learned = {part: weights.initial for part, _, _, weights in self.network.parts()}
        return {
            part: {
                **{name: np.broadcast_to(values, (len(numbers), len(values))) for name, values in own.items()},
                **given.get(part, {}),
            }
            for part, own in learned.items()
        }

    def advice(self) -> str:
        """Say what would need less memory."""
        if self.least < self.memory:
            return (
                f"this job holds about {self.memory} bytes at once with {self.threads} threads; "
                f'memory="{-(-self.least // 2**20)}M" makes it hold as little as possible.'
            )
        return (
            f"this job holds about {self.memory} bytes at once, which is the least possible; keep fewer with states=, "
            "write to a file instead of memory, or use a machine with more."
        )

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the inputs or initial states have changed since they were opened."""
        self.source.check_unchanged()
        if self.initial is not None:
            self.initial.check_unchanged()

    def close(self) -> None:
        """Close the files that the job reads."""
        self.source.close()
        if self.initial is not None:
            self.initial.close()

    @property
    def bytes_to_write(self) -> int:
        """Bytes on disk: the valid steps of states without the holes between them; short sequences leave no holes.

        While the states are compressed, the disk holds them in both forms.
        """
        whole = [is_held(spec, self.shape) for spec in self.specs]
        return (1 if self.request.compression == "none" else 2) * sum(
            spec.nbytes if held else spec.width * spec.dtype.itemsize * self.shape.stored_valid_steps
            for spec, held in zip(self.specs, whole, strict=True)
        )


def plan(
    source: Source, network: Network, request: Request, *, shape: Shape, ids: Ids | None, tokens: bool, notes: Notes,
    continued: bool,
) -> Job:  # fmt: skip
    """Plan a run from its parts: datasets, engine, grid, memory.

    Parameters
    ----------
    shape : Shape
    ids : Ids or None
    tokens : bool
        Whether the source holds token ids.
    notes : Notes
    continued : bool
        Whether there are initial states.

    Raises
    ------
    MemoryBudgetError
        It does not fit the memory that it may use.
    OptionError
        A layer or unit to keep does not exist.
    """
    kept = kept_of(network, request.keeping)
    engine = request.engine
    if engine == "auto":
        preferred = request.preferred_engine
        engine = choose_engine(network, shape.lengths, precision=request.precision, preferred=preferred)
    cut = WHOLE not in sweeps(network)
    measured = partial(measure, source, network, request, engine=engine, continued=continued)
    # The grid is that of a run that keeps everything, so that what is kept has the same bits.
    whole = replace(shape, kept=ALL_STEPS)
    widths = measured(shape=whole, specs=_datasets(network, whole, request))
    grid = make_grid(
        (shape.sequences, shape.steps), widths, tile_rows=tile_rows(ENGINES[engine], network, shape.lengths), cut=cut,
        together=(source.rows_together, source.steps_together),
    )  # fmt: skip
    specs = _datasets(network, shape, request, kept)
    check_units(kept, network, specs)
    widths = measured(shape=shape, specs=specs, kept=kept)
    threads, windows_held, memory = fit_memory(request, shape.lengths, grid, widths)
    least = memory_needed(np.asarray(shape.lengths, np.int64), grid, widths, windows_held=1, threads=1)
    if not cut:
        note_whole(source, least, int(shape.lengths.max(initial=0)), notes)
    return Job(
        request=request, source=source, network=network, ids=ids, shape=shape, grid=grid, specs=specs, engine=engine,
        threads=threads, windows_held=windows_held, memory=memory, least=least, tokens=tokens, notes=notes, kept=kept,
    )  # fmt: skip


def _datasets(network: Network, shape: Shape, request: Request, kept: Kept = EVERYTHING) -> tuple[DatasetSpec, ...]:
    return plan_datasets(
        network, shape, states=request.states, pool=request.pool, dtype=request.dtype, precision=request.computing,
        kept=kept,
    )  # fmt: skip
