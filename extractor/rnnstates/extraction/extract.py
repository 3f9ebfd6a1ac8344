"""The order of things: check, plan, start the engine, lay out the file, compute and write, give it its name."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from ..engines.choice import abandon, make_engine
from ..errors import MemoryBudgetError
from ..errors.choices import DType, Engine, IfExists, Layout, Padding, Precision
from ..output.destination import check_space
from ..output.layout import Contents
from ..output.partial import Wanted
from ..output.recorder import Pace
from ..output.states import States
from ..output.system import DISK, System
from ..weights.save import keep_weights
from .already_done import already_done
from .amounts import end_of
from .deliver import to_file, to_memory
from .identity import Recorded, identity_of, recorded
from .job import Job
from .planned import log_plan
from .prepare import prepare
from .provenance import NOT_STARTED, Computing, provenance_of
from .request import DEFAULTS, Options, Progress
from .schedule import make_stack, run
from .target import Target, find_target

__all__ = ["extract"]

# What files are written with, and how often what is finished is recorded; tests put a failing and a quick one here.
SYSTEM: System = DISK
PACE = Pace()


def extract(
    inputs: Any,
    lengths: Any = None,
    *,
    output: str | os.PathLike[str] | None = None,
    weights: Any = None,
    layer: str | None = None,
    units: int | None = None,
    seed: int | None = None,
    forget_bias: float | None = None,
    convention: str | None = None,
    activation: str | None = None,
    recurrent_activation: str | None = None,
    cell_clip: float | None = None,
    projection_clip: float | None = None,
    embedding: str | None = None,
    config: str | os.PathLike[str] | None = None,
    initial_state: Any = None,
    states: str | Sequence[str] | None = DEFAULTS.states,
    pool: str | Sequence[str] | None = DEFAULTS.pool,
    layout: Layout = DEFAULTS.layout,
    padding: Padding = DEFAULTS.padding,
    dataset: str | None = None,
    axes: str | None = None,
    ids: Any = None,
    engine: Engine = DEFAULTS.engine,
    precision: Precision = DEFAULTS.precision,
    dtype: DType | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    allow_nonfinite: bool = False,
    save_weights: str | os.PathLike[str] | None = None,
    if_exists: IfExists | None = None,
    force: bool = False,
    restart: bool = False,
    verify: bool = False,
    max_runtime: float | str | None = None,
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> States:
    """Run an LSTM over padded sequences and give every state of every step.

    Parameters
    ----------
    inputs : array [N, T, I], token ids [N, T], path of a .npy or HDF5 file, or binary stream of a .npy
        Token ids need weights with an embedding.
    lengths : int array [N], name of a dataset, path or ``"full"``
        Valid steps of each sequence. None takes the dataset ``lengths`` beside an HDF5 input.
    output : path or None
        The HDF5 file to make; None keeps the states in memory.
    weights : path, Network, mapping of arrays, torch module, Keras model or layer, or None
        As ``load_weights`` takes them; None for random ones (glorot-uniform kernel, orthogonal recurrent kernel, forget
        bias 1).
    layer : str or None
        Which recurrent layer of the weights file; the layers below it in its stack run too.
    units, seed : int or None
        Of random weights: 64 and 0.
    forget_bias : float or None
        Of random weights; for a file, what to add to the forget gate at run time on top of the stored bias.
    convention, activation, recurrent_activation, cell_clip, projection_clip, config
        What a weights file does not say, as ``load_weights`` takes them.
    embedding : str or None
        The array of a weights file that token ids are looked up in, or its module; ``"none"`` for none. None takes the
        one that the file says, or the one that can be meant.
    initial_state : path, mapping, ``"zero"`` or None
        The states to start from, by the names they have in an output file: [W] for all sequences or [N, W], in a
        .npz, an HDF5 file or arrays. An output with ``pool="final"`` is continued so. None for what the weights
        bring, else zero; ``"zero"`` for zero in any case.
    states : names
        What to keep for every step: ``hidden``, ``cell``, ``state`` (both, concatenated as [cell, hidden]), gates
        (``input_gate``, ``forget_gate``, ``output_gate``, ``candidate``; of a GRU ``update_gate``, ``reset_gate``,
        ``candidate``). ``("hidden", "cell")`` gives what the cell has of them.
    pool : names
        What to keep for every sequence: names in ``rnnstates.POOLINGS``.
    layout : str
        ``padded`` [N, T, H] or ``packed`` [sum(lengths), H].
    padding : str
        Where the input's padding stands: ``post`` (behind the valid steps) or ``pre``.
    dataset : str or None
        Name of the inputs in an HDF5 file; None takes ``inputs``, or the only one that fits.
    axes : str or None
        The order in which the axes of the inputs are stored: the letters N (sequences), T (steps) and I (features),
        such as ``"TNI"`` for time first or ``"ITN"`` as MATLAB and R write; of token ids ``"NT"`` or ``"TN"``. None for
        ``"NTI"`` and ``"NT"``.
    ids : sequence, name of a dataset, path or None
        Names of the sequences, copied into the output; None takes the dataset ``ids`` where there is one.
    engine : str
        ``auto``, ``compiled``, ``tensorflow`` or ``numpy``. ``auto`` keeps the engine of an unfinished run.
    precision : str
        ``float32``, ``float64``, or ``bfloat16`` (for products; the rest is float32): what is computed in.
    dtype : str or None
        ``float32``, ``float16`` or ``float64``: what is stored; None for the precision (float32 with bfloat16).
    threads : int or None
        Tiles computed at once; None for one a core. The results do not depend on it.
    memory : int, str or None
        Bytes (or ``"512M"``) of inputs and states held at once. The results do not depend on it.
    allow_nonfinite : bool
        Whether NaN and infinity in a valid step pass.
    save_weights : path or None
        Where to keep the weights that were used, as a Keras ``.weights.h5``.
    if_exists : str or None
        What to do where ``output`` exists: ``fail`` (the default), ``replace`` it, or ``skip``: where the same job made
        it (the same inputs, lengths, ids, weights, options and versions) and every byte is as it was written, it is
        opened and nothing is computed; anything else is refused.
    force : bool
        The short form of ``if_exists="replace"``.
    restart : bool
        Whether to throw away what an unfinished run of ``output`` left. By default the same call resumes it, with the
        kind of kernel that it was begun with, to the bytes of an uninterrupted run. Where this machine cannot compute
        the same bits, it raises ``DoesNotMatch``.
    verify : bool
        Whether what it finished is held against its checksums first; what is wrong is computed again.
    max_runtime : float, str or None
        Seconds (or ``"45m"``) after which to stop; what is finished by then is kept in ``output`` + ``.partial``.
    progress : callable or None
        ``progress(steps_done, steps_in_all)``, called after each tile.
    provenance : mapping or None
        ``command`` and ``started`` to record; ``started=None`` records no time.

    Returns
    -------
    States
        A read-only sequence of N sequences; by name its arrays, ``states["hidden"]`` and ``states["cell"]`` [N, T, H],
        ``states["hidden_mean"]`` [N, H], … with the names they have in the file; with ``output``, the opened file.

    Raises
    ------
    RnnstatesError
        One of its kinds, see ``rnnstates.errors``. Windows of sequences that are finished are kept beside ``output``
        (``status`` tells how many, ``clean`` removes them); without any, nothing is left behind.

    Examples
    --------
    >>> import numpy as np
    >>> states = extract(np.ones((2, 10, 8)), [10, 6], units=64)
    >>> states["cell"].shape, states[1].cell.shape, states["hidden_mean"].shape
    ((2, 10, 64), (6, 64), (2, 64))
    """
    options = Options.of(locals())
    until = end_of(options.max_runtime)
    target = find_target(options, (inputs, lengths), SYSTEM)
    with _abandoning():
        job = prepare(inputs, lengths, options, begun=target.begun, start_engine=not target.may_be_done)
        with closing(job), _advising(job):
            known = None if target.place is None else recorded(job)
            done = _done(job, target, options, known)
            return _computed(job, target, options, known, until) if done is None else done


def _done(job: Job, target: Target, options: Options, known: Recorded | None) -> States | None:
    """Open the output where the same job made it and that is enough; nothing is computed then."""
    if target.place is None or not target.skips:
        return None
    about = provenance_of(job, NOT_STARTED, options.provenance, known)
    done = already_done(target.place, _contents(job, about))
    if done is not None and options.save_weights is not None:
        keep_weights(job.network, options.save_weights)
    return done


def _computed(job: Job, target: Target, options: Options, known: Recorded | None, until: float | None) -> States:
    """Start the engine, and compute what is not there yet."""
    place = target.place
    if place is not None and not options.restart:
        check_space(place.names, job.bytes_to_write)
    if options.save_weights is not None:
        keep_weights(job.network, options.save_weights)
    engine = make_engine(job.engine, job.request.precision, target.begun.kernel)
    stack = make_stack(job, engine)
    log_plan(job, stack.executors)
    about = provenance_of(job, Computing.by(engine, stack), options.provenance, known)
    compute = partial(run, job, engine, stack, progress=options.progress, until=until)
    if place is None:
        return to_memory(job, compute, about=about)
    wanted = Wanted(
        _contents(job, about), identity_of(about, job.shape, job.ids),
        command=options.command, restart=options.restart, verify=options.verify,
    )  # fmt: skip
    return to_file(job, compute, place, wanted, force=target.replaces, pace=PACE)


def _contents(job: Job, about: Mapping[str, Any]) -> Contents:
    return Contents(job.specs, job.shape, job.network, job.ids, about, job.grid.window_rows)


@contextmanager
def _abandoning() -> Iterator[None]:
    """Where a run ends early, let what was begun in the background hold back no line of standard error any more."""
    try:
        yield
    except BaseException:
        abandon()
        raise


@contextmanager
def _advising(job: Job) -> Iterator[None]:
    """Where memory runs out, say what would take less."""
    try:
        yield
    except MemoryError as reason:
        raise MemoryBudgetError(f"out of memory; {job.advice()}") from reason
