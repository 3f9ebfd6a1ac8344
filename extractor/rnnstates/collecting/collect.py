"""``collect()``: the sequence of steps from a live Keras model to the states of its layers."""

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from ..errors.choices import Compression, DType, IfExists, Layout, Padding
from ..extraction.already_done import already_done
from ..extraction.amounts import end_of
from ..extraction.deliver import to_file, to_memory
from ..extraction.identity import identity_of
from ..extraction.request import DEFAULTS, KeepUnits, Options, Pool, Progress, Request, make_request
from ..extraction.target import Target, find_target
from ..network.cells import GATE_STATES
from ..network.pooling import FINAL
from ..output.destination import check_space
from ..output.layout import Contents
from ..output.partial import Wanted
from ..output.recorder import Pace
from ..output.states import States
from ..output.system import DISK, System

if TYPE_CHECKING:
    from .windows import Collection

__all__ = ["collect"]

# As in ``extraction.extract``: tests replace these.
SYSTEM: System = DISK
PACE = Pace()


def collect(
    model: Any,
    inputs: Any,
    lengths: Any = None,
    layers: str | Sequence[str] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    states: str | Sequence[str] | None = DEFAULTS.states,
    pool: Pool = DEFAULTS.pool,
    keep_units: KeepUnits | None = None,
    every: int | None = None,
    last_steps: int | None = None,
    layout: Layout = DEFAULTS.layout,
    padding: Padding = DEFAULTS.padding,
    dataset: str | None = None,
    axes: str | None = None,
    ids: Any = None,
    dtype: DType | None = None,
    compression: Compression = DEFAULTS.compression,
    batch_size: int | None = None,
    allow_nonfinite: bool = False,
    if_exists: IfExists | None = None,
    force: bool = False,
    restart: bool = False,
    verify: bool = False,
    max_runtime: float | str | None = None,
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> States:
    """Run a Keras model as it is, and return every state of its recurrent layers.

    The model is not changed; do not use it in another thread meanwhile. The states are those that the layers compute:
    if the model lets a layer read padding, it has, and ``lengths`` only determine what is kept and averaged.

    Parameters
    ----------
    model : keras.Model or path
        Any built model that runs on ``inputs``: Sequential, functional, nested or written in Python, with anything
        around its recurrent layers. A path is that of a ``.keras`` file, which Keras' own loader reads in its safe
        mode; models with custom code or classes are refused there.
    inputs : array, path, or list or dict of them
        What ``model(inputs)`` takes, one row per sequence. Of a path, or a memory-mapped array, only one batch is in
        memory at a time.
    lengths : int array [N], mask [N, T], name of a dataset, path or word
        Valid steps of each sequence, counted in steps of the recurrent layers, as ``extract`` takes them. ``"model"``:
        those that the model does not mask. None uses the dataset ``lengths`` next to an HDF5 input, else what the model
        masks; if it masks nothing every step counts, and a warning says so.
    layers : names or None
        Which recurrent layers, by name (``encoder/lstm`` inside a model ``encoder``); None for all.
    output : path or None
        The HDF5 file to write; None keeps the states in memory.
    batch_size : int or None
        Rows that the model runs at once; None for at most 16 MiB of states and 256 rows.
    states, pool, keep_units, every, last_steps, layout, padding, dataset, axes, ids, dtype, compression,
    allow_nonfinite, if_exists, force, restart, verify, max_runtime, progress
        As ``extract`` takes them; there are no gates, and no pooling ``final``.
    provenance : mapping or None
        As ``extract`` takes it.

    Returns
    -------
    States
        By layer name: ``lstm/hidden`` [N, T, H], ``lstm/cell``, ``lstm/hidden_mean`` [N, H], …,
        ``bidirectional/forward/hidden``, ``rnn/0/cell`` of an ``RNN`` of several cells; ``lstm_call2/hidden`` if the
        model calls a layer twice. Backward states are in the order of the inputs.

    Raises
    ------
    BadWeights
        The model does not run on the inputs, has no recurrent layer, or one that cannot be recorded.
    RnnstatesError
        As ``extract``.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnstates.keras.started import keras
    >>> model = keras.Sequential([keras.Input((10, 8)), keras.layers.Conv1D(4, 3, padding="same"),
    ...                           keras.layers.LSTM(64, name="lstm"), keras.layers.Dense(1)])
    >>> states = collect(model, np.ones((2, 10, 8), "float32"), [10, 6])
    >>> states["lstm/cell"].shape, states["lstm/hidden_mean"].shape
    ((2, 10, 64), (2, 64))
    """
    options = Options.of(locals())
    until = end_of(options.max_runtime)
    target = find_target(options, (model, inputs, lengths), SYSTEM)
    request = make_request(options)
    _check(request, batch_size)
    # Imported late: it starts TensorFlow and Keras.
    from .prepare import prepare

    collection = prepare(model, inputs, lengths, layers, request=request, options=options, batch_size=batch_size)
    with closing(collection.source):
        return _deliver(collection, target, options, until)


def _deliver(collection: "Collection", target: Target, options: Options, until: float | None) -> States:
    # Imported late: they start TensorFlow and Keras.
    from .recording import record
    from .windows import collect_windows

    about = record(collection, options.provenance or {})
    compute = functools.partial(collect_windows, collection, progress=options.progress, until=until)
    if target.place is None:
        return to_memory(collection, compute, about=about)
    contents = Contents(
        collection.specs, collection.shape, collection.network, collection.ids, about, collection.grid.window_rows,
        collection.kept,
    )  # fmt: skip
    if target.skips and (done := already_done(target.place, contents)) is not None:
        return done
    if not options.restart:
        check_space(target.place.names, sum(spec.nbytes for spec in collection.specs))
    wanted = Wanted(
        contents, identity_of(about, collection.shape, collection.ids),
        command=options.command, restart=options.restart, verify=options.verify,
        compression=collection.request.compression,
    )  # fmt: skip
    return to_file(collection, compute, target.place, wanted, force=target.replaces, pace=PACE)


def _check(request: Request, batch_size: int | None) -> None:
    if gates := [state for state in request.computed if state in GATE_STATES]:
        raise OptionError(f"states={gates[0]!r}: a model's layers give no gates; expected hidden, cell or state.")
    if FINAL in request.pool:
        raise OptionError('pool="final": only outputs of extract can be continued; expected mean, last, ….')
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch_size={batch_size}: expected 1 or more.")
