"""``extract()``: the order of a run: check, plan, start the engine, lay out the file, compute and write, rename it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from ..engines.choice import abandon, make_engine
from ..errors import MemoryBudgetError
from ..errors.choices import Compression, DType, Engine, IfExists, Layout, Padding, Precision
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
from .request import DEFAULTS, KeepUnits, Options, Pool, Progress
from .schedule import make_stack, run
from .target import Target, find_target

__all__ = ["extract"]

# How files are written, and how often finished work is recorded; tests replace them with a failing and a quick one.
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
    pool: Pool = DEFAULTS.pool,
    keep_layers: str | Sequence[str] | None = None,
    keep_units: KeepUnits | None = None,
    every: int | None = None,
    last_steps: int | None = None,
    layer_average: str | Sequence[str] | None = None,
    layout: Layout = DEFAULTS.layout,
    padding: Padding = DEFAULTS.padding,
    dataset: str | None = None,
    axes: str | None = None,
    univariate: bool = False,
    rows: object = None,
    steps: str | slice | None = None,
    carry: object = None,
    ids: Any = None,
    engine: Engine = DEFAULTS.engine,
    precision: Precision = DEFAULTS.precision,
    dtype: DType | None = None,
    compression: Compression = DEFAULTS.compression,
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
    """Run an LSTM over padded sequences and return every state of every step.

    Parameters
    ----------
    inputs : array [N, T, I], token ids [N, T], path of a file (see ``inputs.OPENERS``) or stream of a .npy
        Token ids need weights with an embedding. Sequences of different lengths: a list of arrays [length, I] or token
        ids [length], a ragged tensor of TensorFlow, nested tensor or packed sequence of PyTorch or Awkward array; or
        one array [sum of lengths, I] with their lengths. One sequence: [T, I]; one feature per step: [N, T]. Several
        paths, or one with ``*``: the sequences of all files, one after another; if an id is there twice, the files'
        names stand in front.
    lengths : int array [N], mask [N, T], name of a dataset, path or word
        Valid steps of each sequence. A mask (booleans, or zeros and ones, in the order of the inputs' axes) marks them;
        they are the first ones of each sequence, or the last ones, which implies ``padding="pre"``. ``"full"``: every
        step. ``"trailing:0"``, ``"leading:nan"``, …: all but the steps at that end whose features all have this value.
        ``"model"``: those that the Keras model of ``weights`` does not mask, by ``Masking`` or ``mask_zero``. None uses
        the dataset ``lengths`` next to an HDF5 input, and all steps of sequences without padding.
    output : path or None
        The HDF5 file to make; None keeps the states in memory.
    weights : path, Network, mapping of arrays, torch module, Keras model or layer, or None
        As for ``load_weights``; None for random weights (Glorot-uniform kernel, orthogonal recurrent kernel, forget
        bias 1).
    layer : str or None
        Which recurrent layer of the weights file; the layers below it in its stack run too.
    units, seed : int or None
        Of random weights; None means 64 and 0.
    forget_bias : float or None
        Of random weights; for a file, what is added to the forget gate at run time in addition to the stored bias.
    convention, activation, recurrent_activation, cell_clip, projection_clip, config
        What a weights file does not say, as for ``load_weights``.
    embedding : str or None
        The array in a weights file (or its module) in which token ids are looked up; ``"none"`` for no embedding. None
        uses the one that the file names, or the only possible one.
    initial_state : path, mapping, ``"zero"`` or None
        The states to start from, by their names in an output file: [W] for all sequences or [N, W], in a .npz, an HDF5
        file or arrays. An output with ``pool="final"`` is continued this way. None for those trained with the weights,
        else zero; ``"zero"`` for zero in any case.
    states : names
        What to keep for every step: ``hidden``, ``cell``, ``state`` (both, concatenated as [cell, hidden]), gates
        (``input_gate``, ``forget_gate``, ``output_gate``, ``candidate``; of a GRU ``update_gate``, ``reset_gate``,
        ``candidate``). ``("hidden", "cell")`` keeps those of the two that the cell has.
    pool : names
        What to keep for every sequence: names in ``rnnstates.POOLINGS``, of the same states. ``"hidden:mean"`` or
        ``{"hidden": ("mean",)}`` for one state only, kept for every step or not.
    keep_layers : names or None
        The layers to store; all are computed. ``top`` is the last one; others have the names of the attribute
        ``layers`` (``layer1``, ``layer0/backward``) or of the model. ``none`` stores no layer, for a ``layer_average``.
    keep_units : str, sequence of int, dict or None
        The units to store, such as ``"0:10,17"``, of every state except ``final`` ones. A dict has those of layers by
        name (as for ``keep_layers``); all units are stored of a layer that it does not name.
    every, last_steps : int or None
        Store the states of some valid steps only: 0, N, 2N, … of each sequence, or its last N. Pooled states still
        count all valid steps.
    layer_average : names or None
        Layers (``all`` or names, as for ``keep_layers``) whose mean is stored in addition, as the group ``average``.
    layout : str
        ``padded`` [N, T, H] or ``packed`` [sum(lengths), H].
    padding : str
        Where the input's padding is: ``post`` (after the valid steps) or ``pre`` (before them).
    dataset : str or None
        Name of the inputs in an HDF5 file; None uses ``inputs``, or the only dataset that fits.
    axes : str or None
        The order in which the axes of the inputs are stored: the letters N (sequences), T (steps) and I (features),
        e.g. ``"TNI"`` for time first or ``"ITN"`` as written by MATLAB and R; ``"NT"`` or ``"TN"`` for token ids or one
        feature per step, ``"TI"`` or ``"IT"`` for one sequence, or several that follow one another. None means
        ``"NTI"``, and of two axes what the weights and lengths leave possible.
    univariate : bool
        Whether the inputs are [N, T], one feature per step; needed for integers, which may be token ids.
    rows : slice, array, name of a dataset, path or None
        Which sequences to read, in which order: ``"1000:2000"`` or a slice; row numbers from 0, a mask [N], or ids, in
        an array, a dataset next to the inputs, or a .npy or text file. None for all.
    steps : str, slice or None
        Which steps to read of each sequence: ``"10:20"``, counted along the stored steps. None for all.
    carry : names, mapping or None
        Datasets to copy into the output, by the names that they have next to the inputs, or a dict of arrays: with an
        entry for each sequence (``per_sequence/NAME``) or each step (``per_step/NAME``), numbers or text.
    ids : sequence, name of a dataset, path or None
        Names of the sequences, copied into the output; None uses the dataset ``ids``, if there is one.
    engine : str
        ``auto``, ``compiled``, ``tensorflow`` or ``numpy``. ``auto`` keeps the engine of an unfinished run.
    precision : str
        The precision of the computation: ``float32``, ``float64``, or ``bfloat16`` (for products; the rest is float32).
    dtype : str or None
        The type of the stored states: ``float32``, ``float16`` or ``float64``; None for the precision (float32 with
        bfloat16).
    compression : str
        ``none``, or how the states of an output are compressed once all are computed: ``gzip``, which every HDF5
        reads; ``zstd`` or ``blosc``, which need hdf5plugin wherever the file is read. Meanwhile the disk holds both
        forms.
    threads : int or None
        Number of tiles computed in parallel; None for one per core. The results do not depend on it.
    memory : int, str or None
        Most memory for inputs and states, in bytes (or ``"512M"``). The results do not depend on it.
    allow_nonfinite : bool
        Whether NaN and infinity are accepted in valid steps.
    save_weights : path or None
        Where to save the weights that were used, as a Keras ``.weights.h5``.
    if_exists : str or None
        What to do if ``output`` exists: ``fail`` (the default), ``replace`` it, or ``skip``: if the same job made it
        (the same inputs, lengths, ids, weights, options and versions) and no byte has changed, it is opened and nothing
        is computed; anything else is refused.
    force : bool
        Short for ``if_exists="replace"``.
    restart : bool
        Whether to discard what an unfinished run of ``output`` left. By default the same call resumes it, with the same
        kind of kernel, and gives the bytes of an uninterrupted run. If this machine cannot compute the same bits, it
        raises ``DoesNotMatch``.
    verify : bool
        Whether to compare what an unfinished run left with its checksums first; damaged windows are recomputed.
    max_runtime : float, str or None
        Seconds (or ``"45m"``) after which to stop; what is finished by then is saved in ``output`` + ``.partial``.
    progress : callable or None
        ``progress(steps_done, steps_in_all)``, called after each tile.
    provenance : mapping or None
        ``command`` and ``started`` to record; ``started=None`` records no time.

    Returns
    -------
    States
        A read-only sequence of N sequences, and its arrays by their names in the file: ``states["hidden"]`` and
        ``states["cell"]`` [N, T, H], ``states["hidden_mean"]`` [N, H], …; with ``output``, the opened file.

    Raises
    ------
    RnnstatesError
        Or an error derived from it, see ``rnnstates.errors``. Finished windows of sequences are saved next to
        ``output`` (``status`` says how many, ``clean`` removes them); without any, nothing is left behind.

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
    """Open the output if the same job made it and it may be skipped; nothing is computed then."""
    if target.place is None or not target.skips:
        return None
    about = provenance_of(job, NOT_STARTED, options.provenance, known)
    done = already_done(target.place, _contents(job, about))
    if done is not None and options.save_weights is not None:
        keep_weights(job.network, options.save_weights)
    return done


def _computed(job: Job, target: Target, options: Options, known: Recorded | None, until: float | None) -> States:
    """Start the engine and compute what is missing."""
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
        compression=job.request.compression,
    )  # fmt: skip
    return to_file(job, compute, place, wanted, force=target.replaces, pace=PACE)


def _contents(job: Job, about: Mapping[str, Any]) -> Contents:
    return Contents(
        job.specs, job.shape, job.network, job.ids, about, job.grid.window_rows, job.kept, job.carried
    )  # fmt: skip


@contextmanager
def _abandoning() -> Iterator[None]:
    """Stop filtering standard error for a background start if the run ends early."""
    try:
        yield
    except BaseException:
        abandon()
        raise


@contextmanager
def _advising(job: Job) -> Iterator[None]:
    """If memory runs out, raise an error that says what would need less."""
    try:
        yield
    except MemoryError as reason:
        raise MemoryBudgetError(f"out of memory; {job.advice()}") from reason
