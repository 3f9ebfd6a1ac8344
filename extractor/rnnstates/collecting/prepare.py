"""Plans a collection from a live model and its inputs: finds layers, runs one row, chooses the grid."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadWeights
from ..errors.articles import with_article
from ..extraction.agreement import Notes
from ..extraction.keeping import check_units, units_by_part
from ..extraction.request import Options, Request
from ..inputs import open_ids
from ..inputs.lengths import ValidSteps
from ..keras.started import keras
from ..output.format import Shape, plan_datasets
from ..output.kept.parts import Kept
from ..runtime.tensorflow_start import without_chatter
from .counting import Masks, count, note_padding, steps_of
from .feeding import Feed, check_number, open_feed
from .finding import Layer, choose, find_recurrent
from .model_file import load_model
from .recording import origin_of
from .running import Batch, Parts, Runner
from .windows import Collection, Grid

__all__ = ["prepare"]

# Bytes of states in a batch and in a window, unless a single row has more; and the most rows of a batch.
BATCH_BYTES, WINDOW_BYTES = 16 * 2**20, 64 * 2**20
MOST_ROWS = 256


def prepare(
    model: Layer, inputs: Any, lengths: Any, layers: Any, *, request: Request, options: Options, batch_size: int | None
) -> Collection:  # fmt: skip
    """Check and plan a collection; the parameters are those of ``collect``.

    Raises
    ------
    BadWeights, BadInput, BadLengths, OptionError
    """
    notes = Notes()
    model, file = _model(model, notes)
    found = find_recurrent(model)
    chosen = choose(found, layers)
    feed = open_feed(inputs, options.dataset, options.axes, allow_nonfinite=request.allow_nonfinite)
    try:
        check_number(feed, model)
        runner = Runner(model, chosen, feed.specs)
        first = _run_first_row(runner, feed)
        network = Parts(runner.heard, origin_of(model, file), [one.path for one in found])
        steps = feed.steps = steps_of({part.path: first.states[part.call][0].shape[1] for part in network.listed})
        row_bytes = sum(values.nbytes for of_call in first.states for values in of_call) + feed.row_bytes
        grid = _grid(row_bytes, batch_size)
        counted = _count(lengths, feed, runner, network, padding=request.padding, rows=grid.batch_rows, notes=notes)
        shape = Shape(counted.lengths, steps, request.layout, counted.padding, request.keeping.steps, counted.found)
        kept = Kept(units=units_by_part(network, request.keeping.units))
        specs = plan_datasets(
            network, shape, states=request.states, pool=request.pool, dtype=request.dtype, precision=request.computing,
            kept=kept,
        )  # fmt: skip
        check_units(kept, network, specs)
        ids = open_ids(options.ids, _ids_of(feed))
        return Collection(request, feed, network, ids, shape, grid, specs, notes, runner, first, kept=kept)
    except BaseException:
        feed.close()
        raise


def _model(model: Layer, notes: Notes) -> tuple[Any, str | None]:
    if isinstance(model, str | os.PathLike):
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


def _run_first_row(runner: Runner, feed: Feed) -> Batch:
    """Run one row to learn the shapes; a row of zeros if there are no sequences."""
    if feed.sequences:
        row = list(feed.read(slice(0, 1)))
    else:
        row = [np.zeros((1, *one.shape[1:]), one.dtype) for one in feed.opened]
    # TensorFlow logs remarks about a graph when it first runs.
    with without_chatter(), runner.lookups.named(feed, row, 0):
        return runner(feed.packed(row))


def _grid(row_bytes: int, batch_size: int | None) -> Grid:
    batch = batch_size or max(1, min(MOST_ROWS, BATCH_BYTES // max(1, row_bytes)))
    return Grid(batch, batch * max(1, WINDOW_BYTES // max(1, row_bytes * batch)))


def _count(
    lengths: Any, feed: Feed, runner: Runner, network: Parts, *, padding: str, rows: int, notes: Notes
) -> ValidSteps:  # fmt: skip
    """Find the lengths, and warn about layers that read padding."""
    paths = [one.found.path for one in runner.heard]
    masks = Masks(paths, _masks(runner, feed, rows), any=any(one.mask is not None for one in runner.heard))
    counted = count(lengths, feed, feed.steps, padding, masks, notes)
    for note in counted.notes:
        notes.say(note)
    first_met = "backward" if counted.padding == "post" else "forward"
    meeting = [part for part in network.listed if part.direction == first_met]
    note_padding(counted, feed.steps, {part.path: runner.heard[part.call].mask is not None for part in meeting}, notes)
    return counted


def _masks(runner: Runner, feed: Feed, size: int) -> Iterator[tuple[int, list[Array | None]]]:
    for start in range(0, feed.sequences, size):
        arrays = feed.read(slice(start, min(feed.sequences, start + size)))
        with runner.lookups.named(feed, arrays, start):
            masks = runner.masks(feed.packed(arrays))
        yield start, masks


def _ids_of(feed: Feed) -> Any:
    """Return the first input as a source, which may have ids."""
    return getattr(feed.opened[0], "source", feed.opened[0])
