"""From a request to a job: inputs opened, weights loaded, everything cheap checked, nothing computed or written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..engines.costs import choose_engine, tile_rows
from ..engines.stack import WHOLE, sweeps
from ..errors import BadInput, OptionError
from ..inputs import open_ids, open_source, read_lengths
from ..inputs.base import Source
from ..inputs.initial import open_initial
from ..inputs.initial_states import InitialStates
from ..inputs.layout import IdsWithoutTable
from ..network.cells import carried, state_width
from ..network.initialise import random_network
from ..network.model import Network
from ..network.note import STORED_START, ZERO_START, undecided
from ..output.format import DatasetSpec, Shape, plan_datasets
from ..output.layout import Ids
from ..weights.load import load_weights
from .agreement import Notes, check_features, check_states, note_data, note_padding, note_start, note_whole
from .grid import Grid, make_grid, memory_needed
from .memory import fit_memory, is_held, measure
from .problems import Problems
from .request import Request

__all__ = ["Job", "choose_network", "plan", "prepare"]

DEFAULT_UNITS = 64


@dataclass(frozen=True, eq=False)
class Job:
    """Everything known before the first state is computed."""

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

    @cached_property
    def sweeps(self) -> dict[str, tuple[str, ...]]:
        """How the network goes over time: parts by sweep."""
        return sweeps(self.network)

    @property
    def specs_held(self) -> list[DatasetSpec]:
        """The datasets that are stored band by band: pooled vectors, and the states of short sequences."""
        return [spec for spec in self.specs if is_held(spec, self.shape)]

    def initial_of(self, rows: slice) -> dict[str, dict[str, Array]]:
        """Read the states from which some sequences start: those of the run, else those that the weights bring.

        Returns
        -------
        dict
            From part to name to floating [R, W]; zero is meant where there is none.

        Raises
        ------
        BadInput
            One of them is NaN or infinite.
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
        """Say what would take less memory."""
        if self.least < self.memory:
            return (
                f"this job holds about {self.memory} bytes at once with {self.threads} threads; "
                f'memory="{-(-self.least // 2**20)}M" makes it hold the least it can.'
            )
        return (
            f"this job holds about {self.memory} bytes at once, which is the least it can; keep fewer with states=, "
            "write to a file instead of memory, or give it a machine with more."
        )

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` where the inputs or initial states are not what they were when they were opened."""
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
        """Bytes that will take disk: of states the valid steps, not the holes between them; short ones leave none."""
        whole = [is_held(spec, self.shape) for spec in self.specs]
        return sum(
            spec.nbytes if held else spec.width * spec.dtype.itemsize * self.shape.valid_steps
            for spec, held in zip(self.specs, whole, strict=True)
        )


def prepare(
    inputs: Any,
    lengths: Any,
    request: Request,
    *,
    network: Network | None,
    dataset: str | None,
    axes: str | None = None,
    ids: Any,
    random: dict[str, Any],
    initial: Any = None,
) -> Job:
    """Open the input and plan the run.

    Parameters
    ----------
    inputs, lengths, ids
        As ``extract`` takes them.
    request : Request
    network : Network or None
        None for random weights of the input's width.
    dataset : str or None
        Name of the inputs in an HDF5 file.
    axes : str or None
        The order in which the axes of the inputs are stored.
    random : dict
        ``units``, ``seed`` and ``forget_bias`` of random weights.
    initial : path, mapping or None
        The states to start from.

    Raises
    ------
    MissingInput, BadInput, BadLengths, OptionError, MemoryBudgetError
    """
    notes = Notes()
    source = _open(inputs, dataset, axes, network)
    try:
        for note in source.notes:
            notes.say(note)
        given = network is not None
        if network is None:
            network = _random(source, random, notes)
        for note in undecided(network.notes, () if initial is None else (STORED_START, ZERO_START)):
            notes.say(note)
        problems = Problems()
        with problems.gathered():
            tokens = check_features(source, network, notes, given=given)
        with problems.gathered():
            counted = read_lengths(lengths, source)
        with problems.gathered():
            named = open_ids(ids, source)
        with problems.gathered():
            check_states(network, request, notes)
        problems.tell()
        shape = Shape(counted, source.shape[1], request.layout, request.padding)
        note_data(source, shape, request, notes, tokens=tokens)
        note_padding(network, shape, notes)
        job = plan(
            source, network, request, shape=shape, ids=named, tokens=tokens, notes=notes,
            continued=initial is not None,
        )  # fmt: skip
        return job if initial is None else replace(job, initial=_initial(initial, network, job, notes))
    except BaseException:
        source.close()
        raise


def _open(inputs: Any, dataset: str | None, axes: str | None, network: Network | None) -> Source:
    """Open the input; where it holds token ids, say which tables the weights have and why none is used."""
    try:
        tokens = network is not None and network.embedding is not None
        return open_source(inputs, dataset=dataset, tokens=tokens, axes=axes)
    except IdsWithoutTable as reason:
        if network is None or not network.no_embedding:
            raise
        raise BadInput(f"{reason.found} Token ids need an embedding. {network.no_embedding}") from reason


def choose_network(
    weights: Any,
    *,
    layer: str | None,
    units: int | None,
    seed: int | None,
    forget_bias: float | None,
    **unsaid: Any,
) -> Network | None:
    """Load the weights that were asked for; None for random ones.

    Raises
    ------
    OptionError
        Options of a weights file and of random weights together.
    MissingInput, BadWeights
    """
    how = {"layer": layer, **unsaid}
    if weights is None:
        _refuse(how, "says something of a weights file; give one with weights=")
        return None
    _refuse({"units": units, "seed": seed}, "is for random weights, but weights= gives trained ones; leave one out")
    if isinstance(weights, Network):
        zero = how.pop("initial_state", None)
        how["forget_bias"] = forget_bias
        _refuse(how, "says how a weights file is read, but a Network is given; give this to load_weights")
        return weights.from_zero() if zero else weights
    return load_weights(weights, layer=layer, forget_bias=forget_bias, **unsaid)


def _refuse(options: Mapping[str, Any], why: str) -> None:
    """Refuse the first option that was given."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(f"{name}={value!r}: {why}.")


def _random(source: Source, random: dict[str, Any], notes: Notes) -> Network:
    units = DEFAULT_UNITS if random["units"] is None else random["units"]
    seed = random["seed"] or 0
    notes.say(f"no weights given: a random LSTM of {units} units, seed {seed}; weights=FILE uses trained ones.")
    return random_network(source.shape[2], units=units, seed=seed, forget_bias=random["forget_bias"])


def _initial(initial: Any, network: Network, job: Job, notes: Notes) -> InitialStates:
    wanted = {
        (part, name): state_width(weights, name) for part, _, _, weights in network.parts() for name in carried(weights)
    }
    opened = open_initial(initial, wanted, job.shape.sequences, job.ids)
    note_start(opened, network, [f"{part}/{name}".strip("/") for part, name in wanted], notes)
    return opened


def plan(
    source: Source, network: Network, request: Request, *, shape: Shape, ids: Any, tokens: bool, notes: Notes,
    continued: bool,
) -> Job:  # fmt: skip
    """Plan a run whose parts are known: datasets, engine, how the input is cut, memory.

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
        It does not fit the memory it may use.
    """
    specs = plan_datasets(
        network, shape, states=request.states, pool=request.pool, dtype=request.dtype, precision=request.computing
    )
    engine = request.engine
    if engine == "auto":
        preferred = request.preferred_engine
        engine = choose_engine(network, shape.lengths, precision=request.precision, preferred=preferred)
    cut = WHOLE not in sweeps(network)
    held = [spec for spec in specs if is_held(spec, shape)]
    widths = measure(
        source, network, request, engine=engine, held=held, steps=shape.steps, continued=continued
    )  # fmt: skip
    grid = make_grid(
        (shape.sequences, shape.steps), widths, tile_rows=tile_rows(engine, network, shape.lengths), cut=cut,
        together=(source.rows_together, source.steps_together),
    )  # fmt: skip
    threads, windows_held, memory = fit_memory(request, shape.lengths, grid, widths)
    least = memory_needed(np.asarray(shape.lengths, np.int64), grid, widths, windows_held=1, threads=1)
    if not cut:
        note_whole(source, least, int(shape.lengths.max(initial=0)), notes)
    return Job(
        request=request, source=source, network=network, ids=ids, shape=shape, grid=grid, specs=specs, engine=engine,
        threads=threads, windows_held=windows_held, memory=memory, least=least, tokens=tokens, notes=notes,
    )  # fmt: skip
