"""collect(): the order of things, from a live model to the states of its layers."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ..arrays.axes import Array
from ..errors import BadWeights, OptionError
from ..errors.articles import with_article
from ..errors.choices import DType, IfExists, Layout, Padding
from ..extraction.agreement import Notes
from ..extraction.already_done import already_done
from ..extraction.amounts import end_of
from ..extraction.deliver import to_file, to_memory
from ..extraction.identity import identity_of
from ..extraction.request import DEFAULTS, Options, Progress, Request, make_request
from ..extraction.target import Target, find_target
from ..inputs import open_ids
from ..network.cells import GATE_STATES
from ..network.pooling import FINAL
from ..output.destination import check_space
from ..output.format import Shape, plan_datasets
from ..output.layout import Contents
from ..output.partial import Wanted
from ..output.recorder import Pace
from ..output.states import States
from ..output.system import DISK, System
from ..runtime.tensorflow_start import without_chatter

__all__ = ["collect"]

# As in ``extraction.extract``: tests put others here.
SYSTEM: System = DISK
PACE = Pace()

# Bytes of states in a batch and in a window, unless one row alone has more; and most rows of a batch.
BATCH_BYTES, WINDOW_BYTES = 16 * 2**20, 64 * 2**20
MOST_ROWS = 256


def collect(
    model: Any,
    inputs: Any,
    lengths: Any = None,
    layers: str | Sequence[str] | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    states: str | Sequence[str] | None = DEFAULTS.states,
    pool: str | Sequence[str] | None = DEFAULTS.pool,
    layout: Layout = DEFAULTS.layout,
    padding: Padding = DEFAULTS.padding,
    dataset: str | None = None,
    axes: str | None = None,
    ids: Any = None,
    dtype: DType | None = None,
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
    """Run a Keras model as it is, and give every state of its recurrent layers.

    The model is not changed; do not use it in another thread meanwhile. The states are those that the layers compute:
    a layer that the model lets read padding has read it, and ``lengths`` say only what is kept and averaged.

    Parameters
    ----------
    model : keras.Model or path
        Any that runs on ``inputs`` and has been built: Sequential, functional, nested or written in Python, with
        anything around its recurrent layers. A path is that of a ``.keras`` file, which Keras' own loader reads in its
        safe mode; models with code or classes of their own are refused there.
    inputs : array, path, or list or dict of them
        What ``model(inputs)`` takes, one row per sequence. Of a path, or an array that is mapped from a file, only a
        batch is in memory at once.
    lengths : int array [N], name of a dataset, path or ``"full"``
        Valid steps of each sequence, counted in steps of the recurrent layers. None takes the dataset ``lengths``
        beside an HDF5 input, else what the model masks; where it masks nothing every step counts, and a warning says
        so.
    layers : names or None
        Which recurrent layers, by name (``encoder/lstm`` inside of a model ``encoder``); None for all.
    output : path or None
        The HDF5 file to make; None keeps the states in memory.
    batch_size : int or None
        Rows that the model runs at once; None for what fits 16 MiB of states, 256 at most.
    states, pool, layout, padding, dataset, axes, ids, dtype, allow_nonfinite, if_exists, force, restart, verify,
    max_runtime, progress
        As ``extract`` takes them; there are no gates, and no pooling ``final``.
    provenance : mapping or None
        As ``extract`` takes it.

    Returns
    -------
    States
        By layer name: ``lstm/hidden`` [N, T, H], ``lstm/cell``, ``lstm/hidden_mean`` [N, H], …,
        ``bidirectional/forward/hidden``, ``rnn/0/cell`` of an ``RNN`` of several cells; ``lstm_call2/hidden`` where the
        model calls a layer twice. A backward state stands where its input stands.

    Raises
    ------
    BadWeights
        The model does not run on the inputs, has no recurrent layer, or one that cannot be listened to.
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
    target = find_target(options, (model, inputs, lengths))
    request = make_request(options)
    _check(request, batch_size)
    collection = _prepare(model, inputs, lengths, layers, request=request, options=options, rows=batch_size)
    with closing(collection.source):
        return _deliver(collection, target, options, until)


def _deliver(collection: Any, target: Target, options: Options, until: float | None) -> States:
    # Late: they start TensorFlow and Keras.
    from .recording import record
    from .windows import collect_windows

    about = record(collection, options.provenance or {})
    compute = functools.partial(collect_windows, collection, progress=options.progress, until=until)
    if target.names is None:
        return to_memory(collection, compute, about=about)
    contents = Contents(
        collection.specs, collection.shape, collection.network, collection.ids, about, collection.grid.window_rows
    )
    if target.skips and (done := already_done(SYSTEM, target.names, contents)) is not None:
        return done
    if not options.restart:
        check_space(target.names, sum(spec.nbytes for spec in collection.specs))
    wanted = Wanted(
        contents, identity_of(about, collection.shape, collection.ids),
        command=options.command, restart=options.restart, verify=options.verify,
    )  # fmt: skip
    return to_file(collection, compute, target.names, wanted, force=target.replaces, system=SYSTEM, pace=PACE)


def _check(request: Request, batch_size: int | None) -> None:
    if gates := [state for state in request.states if state in GATE_STATES]:
        raise OptionError(f"states={gates[0]!r}: a model's layers give no gates; expected hidden, cell or state.")
    if FINAL in request.pool:
        raise OptionError('pool="final": only outputs of extract can be continued; expected mean, last, ….')
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch_size={batch_size}: expected 1 or more.")


def _prepare(
    model: Any,
    inputs: Any,
    lengths: Any,
    layers: Any,
    *,
    request: Request,
    options: Options,
    rows: int | None,
) -> Any:
    # Late: they start TensorFlow and Keras.
    from .counting import Masks, count, note_padding, steps_of
    from .feeding import check_number, open_feed
    from .finding import choose, find_recurrent
    from .recording import origin_of
    from .running import Parts, Runner
    from .windows import Collection, Grid

    notes = Notes()
    model, file = _model(model, notes)
    found = find_recurrent(model)
    chosen = choose(found, layers)
    feed = open_feed(inputs, options.dataset, options.axes, allow_nonfinite=request.allow_nonfinite)
    try:
        check_number(feed, model)
        runner = Runner(model, chosen, feed.specs)
        row = _first_row(feed)
        # TensorFlow logs what it thinks of a graph when that is first run.
        with without_chatter(), runner.lookups.named(feed, row, 0):
            first = runner(feed.packed(row))
        network = Parts(runner.heard, origin_of(model, file), [one.path for one in found])
        steps = steps_of({part.path: first.states[part.call][0].shape[1] for part in network.listed})
        feed.steps = steps
        row_bytes = sum(values.nbytes for of_call in first.states for values in of_call) + feed.row_bytes
        grid = _grid(Grid, row_bytes, rows)
        masks = Masks([one.found.path for one in runner.heard], _masks(runner, feed, grid.batch_rows),
                      any=any(one.mask is not None for one in runner.heard))  # fmt: skip
        counted = count(lengths, feed, steps, request.padding, masks, notes)
        first_met = "backward" if counted.padding == "post" else "forward"
        note_padding(counted, steps, {part.path: runner.heard[part.call].mask is not None for part in network.listed
                                      if part.direction == first_met}, notes)  # fmt: skip
        shape = Shape(counted.lengths, steps, request.layout, counted.padding)
        specs = plan_datasets(network, shape, states=request.states, pool=request.pool, dtype=request.dtype,
                              precision=request.computing)  # fmt: skip
        named = open_ids(options.ids, _ids_of(feed))
        return Collection(request, feed, network, named, shape, grid, specs, notes, runner, first)
    except BaseException:
        feed.close()
        raise


def _model(model: Any, notes: Notes) -> tuple[Any, str | None]:
    from ..keras.started import keras

    if isinstance(model, str | os.PathLike):
        from .model_file import load_model

        loaded = load_model(model)
        notes.say(f"{os.fspath(model)}: Keras' own loader read it, in its safe mode; the whole model is run.")
        return loaded, os.fspath(model)
    if not isinstance(model, keras.Model):
        raise BadWeights(
            f"model: is {with_article(type(model).__name__)}; expected a keras.Model (of Keras 3) or a .keras file."
        )
    if not model.built:
        raise BadWeights(f"model '{model.name}': has no weights yet; call it once on data, or load its weights.")
    return model, None


def _first_row(feed: Any) -> list[Array]:
    """Read a row to learn shapes from; of no sequences at all, one of zeros."""
    import numpy as np

    if feed.sequences:
        return list(feed.read(slice(0, 1)))
    return [np.zeros((1, *one.shape[1:]), one.dtype) for one in feed.opened]


def _grid(make: Callable[[int, int], Any], row_bytes: int, rows: int | None) -> Any:
    batch = rows or max(1, min(MOST_ROWS, BATCH_BYTES // max(1, row_bytes)))
    return make(batch, batch * max(1, WINDOW_BYTES // max(1, row_bytes * batch)))


def _masks(runner: Any, feed: Any, size: int) -> Iterator[tuple[int, list[Array | None]]]:
    for start in range(0, feed.sequences, size):
        arrays = feed.read(slice(start, min(feed.sequences, start + size)))
        with runner.lookups.named(feed, arrays, start):
            masks = runner.masks(feed.packed(arrays))
        yield start, masks


def _ids_of(feed: Any) -> Any:
    """Give what may bring ids: the first input, as a source."""
    return getattr(feed.opened[0], "source", feed.opened[0])
