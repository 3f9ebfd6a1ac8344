"""Recomputes a sample of the sequences in float64 with the NumPy engine."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..extraction.extract import extract
from ..inputs.base import Source
from ..inputs.initial_states import InitialStates
from ..network.cells import available, carried, state_width
from ..network.model import Network
from ..output.states import States
from .blocks import BLOCK_VALUES, steps_of
from .promised import Promise

__all__ = ["Original", "Rows", "choose_rows", "groups", "magnitude", "products", "recomputed"]

Rows = npt.NDArray[np.int64]

# Bytes of inputs and states computed at a time, unless a single sequence has more, and kept in memory: more goes
# through a temporary file.
GROUP_BYTES = 64 * 2**20
ROWS_AT_ONCE = 64
# Poolings that bound the size of a sequence's states.
LARGEST = ("_max", "_min")


@dataclass(frozen=True, eq=False)
class Original:
    """The opened input, network and initial states that the states were made from."""

    source: Source
    network: Network
    initial: InitialStates | None


def choose_rows(lengths: Array, sample: int, seed: int) -> Rows:
    """Choose sequences: the longest, the shortest that is not empty, and others at random.

    Parameters
    ----------
    lengths : int64 [N]
    sample : int
        How many; if there are fewer, all that are not empty.
    seed : int

    Returns
    -------
    int64 [<= sample], ascending

    Examples
    --------
    >>> choose_rows(np.array([0, 5, 2, 9, 5, 5]), 2, seed=0)
    array([2, 3])
    """
    some = np.flatnonzero(lengths)
    if not len(some):
        return np.zeros(0, np.int64)
    ends = [int(some[np.argmax(lengths[some])]), int(some[np.argmin(lengths[some])])]
    rest = np.random.RandomState(seed).permutation(np.setdiff1d(some, ends))
    return np.sort(np.array([*dict.fromkeys(ends), *rest[:sample]][:sample], np.int64))


@contextmanager
def recomputed(states: States, promise: Promise, original: Original, rows: Rows) -> Iterator[States]:
    """Yield the states of some sequences, in the packed layout.

    The dtype is float64; ``max`` and ``min`` are pooled in addition to what the file has. Row i is that of ``rows[i]``.
    """
    provenance, lengths = states.provenance, promise.shape.lengths[rows]
    with ExitStack() as closing:
        output = None
        if _bytes(promise, int(lengths.sum())) > GROUP_BYTES:
            folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="rnnstates-verify-"))
            output = Path(folder, "exact.h5")
        exact = extract(
            _inputs(states, promise, original.source, rows),
            lengths,
            output=output,
            weights=original.network,
            initial_state=_initial(original.initial, rows),
            states=_kept(states, promise),
            pool=[*provenance["pool"], "max", "min"],
            layout="packed",
            padding=states.attributes["padding"],
            engine="numpy",
            precision="float64",
            threads=1,
            allow_nonfinite=provenance["allow_nonfinite"],
        )
        closing.callback(exact.close)
        yield exact


def groups(promise: Promise, original: Original, rows: Rows) -> Iterator[Rows]:
    """Split the sample into groups of similar length and about ``GROUP_BYTES``, padding included."""
    step = _bytes(promise, 1) + 8 * original.network.features
    lengths = promise.shape.lengths
    longest_first = rows[np.argsort(lengths[rows], kind="stable")[::-1]]
    start = 0
    while start < len(rows):
        longest = int(lengths[longest_first[start]])
        stop = start + max(1, min(ROWS_AT_ONCE, GROUP_BYTES // (step * longest)))
        yield np.sort(longest_first[start:stop])
        start = stop


def _bytes(promise: Promise, steps: int) -> int:
    # All layers and units are computed, whatever the file has of them.
    stored = {spec.state for spec in promise.specs}
    names = ((part, name) for part in promise.parts for name in (*carried(part), *(stored & {*available(part)})))
    return 8 * steps * sum(state_width(part, name) for part, name in names)


def _kept(states: States, promise: Promise) -> list[str]:
    """List the states to keep: those in the file, and those that layers carry, to which errors are proportional."""
    names = (name for part in promise.parts for name in carried(part))
    return list(dict.fromkeys([*states.provenance["states"], *names, *(spec.state for spec in promise.specs)]))


def _inputs(states: States, promise: Promise, source: Source, rows: Rows) -> Array:
    """Read the sequences row by row, cut to the longest of them: [B, S, ...]."""
    longest, steps = int(promise.shape.lengths[rows].max()), source.shape[1]
    valid = slice(0, longest) if states.attributes["padding"] == "post" else slice(steps - longest, steps)
    inputs = np.zeros((len(rows), longest, *source.shape[2:]), source.dtype.newbyteorder("="))
    for place, row in enumerate(rows):
        inputs[place] = source.read(slice(row, row + 1), valid)[0]
    return _as_computed(inputs, states.provenance)


def _as_computed(inputs: Array, provenance: dict[str, Any]) -> Array:
    """Round the inputs as the run did before it computed anything."""
    narrower = inputs.dtype.kind == "f" and provenance["precision"] != "float64" and not provenance["tokens"]
    with np.errstate(over="ignore"):
        return inputs.astype(np.float32) if narrower else inputs


def _initial(initial: InitialStates | None, rows: Rows) -> dict[str, Array] | None:
    if initial is None:
        return None
    found = initial.read(rows)
    return {f"{path}/{name}".strip("/"): values for path, of_part in found.items() for name, values in of_part.items()}


def magnitude(exact: States, row: int) -> float:
    """Return the largest finite absolute state of a recomputed sequence."""
    largest = max(float(np.max(np.abs(exact[name][row]))) for name in exact.datasets if name.endswith(LARGEST))
    if math.isfinite(largest):
        return largest
    names = {name.rpartition("_")[0] for name in exact.datasets if name.endswith(LARGEST)}
    return max((_largest(values) for name in names for values in _in_blocks(exact, name, row)), default=0.0)


def products(states: States, promise: Promise, original: Original, row: int) -> float:
    """Bound from above the sums of absolute products of a sequence's inputs and the first layer's weights."""
    inputs = _inputs(states, promise, original.source, np.array([row]))[0]
    if original.network.embedding is not None and inputs.ndim == 1:
        inputs = np.asarray(original.network.embedding)[inputs.astype(np.int64)]
    peaks = np.max(np.abs(inputs), axis=0, where=np.isfinite(inputs), initial=0.0).astype(np.float64)
    first = original.network.layers[0].directions.values()
    # On some processors OpenBLAS reports finite products as invalid; only the largest of them matters.
    with np.errstate(invalid="ignore"):
        return max(float((peaks @ np.abs(weights.kernel)).max()) for weights in first)


def _in_blocks(exact: States, name: str, row: int) -> Iterator[Array]:
    length, at_once = int(exact.lengths[row]), max(1, BLOCK_VALUES // exact[name].shape[-1])
    return (steps_of(exact, name, row, slice(at, min(at + at_once, length))) for at in range(0, length, at_once))


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
