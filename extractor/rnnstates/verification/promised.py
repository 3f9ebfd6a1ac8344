"""Reads from a states file's attributes which datasets it should hold, and checks that they exist in the right shape.

The attributes are those of the root (``layout``, ``padding``, ``layers``, ``provenance``) and of each group.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..errors import BadStates
from ..errors.choices import DTYPES, LAYOUTS
from ..network.cells import CELLS, STATES
from ..network.model import Direction
from ..network.pooling import FINAL, POOLINGS
from ..output.format import INPUT_LENGTHS, DatasetSpec, Shape, plan_datasets
from ..output.kept.described import Said, read
from ..output.kept.parts import Kept, StoredParts, group_name
from ..output.kept.steps import KeptSteps
from ..output.states import States
from ..untrusted.hdf5 import check_dataset, find
from ..untrusted.hdf5_attributes import fixed_attributes
from .findings import shortened

__all__ = ["Part", "Promise", "narrowest", "read_promise"]

ADVICE = "The file is damaged or was edited; make it again."
PADDINGS = ("post", "pre")
GROUP_ATTRIBUTES = ("cell_type", "direction", "units")
# The keys that provenance has had since ``verify`` exists.
NEEDED = ("allow_nonfinite", "dtype", "hidden_widths", "ids", "initial_state_file", "precision")


class Part(NamedTuple):
    """One layer in one direction, as the file describes it.

    Parameters
    ----------
    path : str
        ``""``, ``layer0``, ``layer0/forward``, ….
    cell, direction : str
    units : int
        H.
    width : int
        The width of ``hidden``: H, or P with a projection.
    """

    path: str
    cell: str
    direction: Direction
    units: int
    width: int

    @property
    def name(self) -> str:
        """What a layer is called here."""
        return self.path


class _Described(NamedTuple):
    """The parts of a file, described as a ``Network`` describes its own."""

    listed: tuple[Part, ...]

    def parts(self) -> Iterator[tuple[str, Part, Direction, Part]]:
        """Yield (path, layer, direction, sizes)."""
        return ((part.path, part, part.direction, part) for part in self.listed)


class Promise(NamedTuple):
    """What a file should hold.

    Parameters
    ----------
    parts : tuple of Part
        Those of the network that computed it.
    specs : tuple of DatasetSpec
    shape : Shape
    stored : StoredParts
        The parts that are in the file, averages included.
    """

    parts: tuple[Part, ...]
    specs: tuple[DatasetSpec, ...]
    shape: Shape
    stored: StoredParts


def read_promise(states: States, file: h5py.File, path: str) -> Promise:
    """Read the attributes and compare the datasets with them.

    Parameters
    ----------
    states : States
    file : h5py.File
        The same file, for the attributes of its groups.
    path : str
        For messages.

    Raises
    ------
    BadStates
        The attributes are unreadable, or datasets are missing or have the wrong shape or dtype; all reported together.
    """
    if missing := [name for name in NEEDED if name not in states.provenance]:
        raise BadStates(
            f"{path}: its provenance lacks {', '.join(missing)}; expected all that this version of rnnstates records. "
            "An older version made it, or it was edited: make it again."
        )
    try:
        said = read(states.provenance.get("kept"))
        steps, parts = _steps(states), _parts(states, file, said)
        shape = _shape(states, steps, said.steps)
        stored = StoredParts(_Described(parts), said.kept)
        _check_kept(states, parts, stored, said)
        specs = _specs(states, parts, shape, said.kept)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as reason:
        raise BadStates(
            f"{path}: its attributes do not describe its content ({type(reason).__name__}: {reason}). {ADVICE}"
        ) from reason
    wrong = [*_wrong_small(states), *_wrong(states, specs), *_wrong_lengths(states, shape)]
    if wrong:
        raise BadStates(f"{path}: {'; '.join(shortened(wrong))}. {ADVICE}")
    for spec in specs:
        check_dataset(states[spec.name], f"{path}: '{spec.name}'", BadStates)
    return Promise(parts, specs, shape, stored)


def narrowest(states: States, spec: DatasetSpec) -> np.dtype[Any]:
    """Return the narrowest type in which a dataset was ever stored: ``repack`` may have widened it since.

    Final states keep the precision of the computation.
    """
    known = states.provenance.get("narrowest")
    return np.dtype(known) if spec.pooling != FINAL and known in DTYPES else spec.dtype


def _steps(states: States) -> int:
    sequences, steps, *_ = states.provenance["input"]["shape"]
    if states.attributes["layout"] not in LAYOUTS or states.attributes["padding"] not in PADDINGS:
        raise ValueError(f"layout '{states.attributes['layout']}', padding '{states.attributes['padding']}'")
    if states.lengths.ndim != 1 or states.lengths.dtype.kind != "i":
        raise TypeError(f"lengths of shape {states.lengths.shape} and dtype {states.lengths.dtype}")
    if sequences != states.sequences:
        raise ValueError(f"{states.sequences} lengths, but the input had {sequences} sequences")
    return int(steps)


def _shape(states: States, steps: int, kept: KeptSteps) -> Shape:
    lengths = np.asarray(states[INPUT_LENGTHS if not kept.all else "lengths"])
    if lengths.shape != (states.sequences,) or lengths.dtype.kind != "i":
        raise TypeError(f"{INPUT_LENGTHS} of shape {lengths.shape} and dtype {lengths.dtype}")
    return Shape(lengths.astype(np.int64), steps, states.attributes["layout"], states.attributes["padding"], kept)


def _check_kept(states: States, parts: tuple[Part, ...], stored: StoredParts, said: Said) -> None:
    """Refuse a file whose own attributes say something else than its provenance, or whose average cannot be."""
    sizes = {part.path: (part.cell, part.units, part.width) for part in parts}
    for path, average in stored.averages.items():
        if len({sizes[source] for source in average.sources}) > 1:
            raise ValueError(f"'{path}' is the average of layers that differ")
    layers = [group_name(part) for part, *_ in stored.parts()]
    if layers != states.layers:
        raise ValueError(f"layers {', '.join(states.layers)}, but {', '.join(layers)} were kept")
    steps = {name: states.attributes[name] for name in ("every", "last_steps") if name in states.attributes}
    if steps != said.steps.named():
        raise ValueError(f"steps {steps}, but {said.steps.named()} were kept")


def _parts(states: States, file: h5py.File, said: Said) -> tuple[Part, ...]:
    widths = states.provenance["hidden_widths"]
    # With some layers only, what others there were stands in the provenance.
    known = said.computed if said.computed is not None else [_of_group(file, group) for group in states.layers]
    return tuple(_part(about, hidden) for about, hidden in zip(known, widths, strict=True))


def _of_group(file: h5py.File, name: str) -> Mapping[str, Any]:
    group = find(file, name, file.filename, BadStates)
    if not isinstance(group, h5py.Group):
        raise KeyError(f"no group '{name}'")
    known = {attribute: group.attrs[attribute] for attribute in fixed_attributes(group)}
    return {"group": group.name, **{name: known[name] for name in GROUP_ATTRIBUTES}}


def _part(known: Mapping[str, Any], hidden: int) -> Part:
    cell, direction, units = (known[attribute] for attribute in GROUP_ATTRIBUTES)
    cell, direction = (value.decode() if isinstance(value, bytes) else str(value) for value in (cell, direction))
    if cell not in CELLS or direction not in ("forward", "backward"):
        raise ValueError(f"a cell '{cell}' that runs '{direction}'")
    reads: Direction = "forward" if direction == "forward" else "backward"
    return Part(known["group"].strip("/"), cell, reads, int(units), int(hidden))


def _recorded(states: States) -> tuple[list[str], list[str]]:
    kept, pool = list(states.provenance["states"]), list(states.provenance["pool"])
    pooled = [word.rpartition(":") for word in pool]
    for what, names, known in (
        ("state", [*kept, *(state for state, colon, _ in pooled if colon)], STATES),
        ("pooling", [pooling for *_, pooling in pooled], tuple(POOLINGS)),
    ):
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"{what} '{unknown[0]}'")
    return kept, pool


def _specs(states: States, parts: tuple[Part, ...], shape: Shape, kept: Kept) -> tuple[DatasetSpec, ...]:
    named, pool = _recorded(states)
    computed = "float64" if states.provenance["precision"] == "float64" else "float32"
    return plan_datasets(
        _Described(parts), shape, states=named, pool=pool,
        dtype=np.dtype(states.provenance["dtype"]), precision=np.dtype(computed), kept=kept,
    )  # fmt: skip


def _wrong(states: States, specs: tuple[DatasetSpec, ...]) -> Iterator[str]:
    for spec in specs:
        if spec.name not in states.datasets:
            yield f"dataset '{spec.name}' is missing; expected shape {spec.shape}"
            continue
        dataset = states[spec.name]
        if dataset.shape != spec.shape:
            yield f"dataset '{spec.name}' has shape {dataset.shape}; expected {spec.shape}"
        if dataset.dtype != spec.dtype:
            yield f"dataset '{spec.name}' has dtype {dataset.dtype}; expected {spec.dtype}"


def _wrong_small(states: States) -> Iterator[str]:
    count = states.sequences
    if states.provenance["ids"] and "ids" not in states.datasets:
        yield f"dataset 'ids' is missing; expected one id for each of {count} sequences"
    if "ids" in states.datasets and states["ids"].shape != (count,):
        yield f"dataset 'ids' has shape {states['ids'].shape}; expected ({count},)"


def _wrong_lengths(states: States, shape: Shape) -> Iterator[str]:
    lengths, read_lengths = states.lengths, shape.lengths
    wrong = (read_lengths < 0) | (read_lengths > shape.steps)
    if wrong.any():
        row, name = int(np.argmax(wrong)), "lengths" if shape.kept.all else INPUT_LENGTHS
        yield (
            f"dataset '{name}' has {int(read_lengths[row])} for sequence {row} ({int(wrong.sum())} such); expected 0 "
            f"to {shape.steps}"
        )
        return
    wrong = lengths != shape.stored_lengths
    if wrong.any():
        row = int(np.argmax(wrong))
        yield (
            f"dataset 'lengths' has {int(lengths[row])} for sequence {row}; expected {int(shape.stored_lengths[row])} "
            f"of {int(read_lengths[row])} steps"
        )
        return
    if states.attributes["layout"] != "packed":
        return
    expected = np.concatenate([[0], np.cumsum(lengths)])
    offsets = states["offsets"][()] if "offsets" in states.datasets else None
    if offsets is None or offsets.shape != expected.shape:
        found = "is missing" if offsets is None else f"has shape {offsets.shape}"
        yield f"dataset 'offsets' {found}; expected {expected.shape}"
    elif (offsets != expected).any():
        row = int(np.argmax(offsets != expected))
        yield f"dataset 'offsets' has {offsets[row]} at {row}; expected {expected[row]}, the sum of the lengths before"
