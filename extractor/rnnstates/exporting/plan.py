"""What one export takes out of a states file, as arrays or as a table."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays.axes import Array, Rows
from ..errors import OptionError
from ..output.format import INPUT_LENGTHS
from ..output.states.columns import column_names
from .content import Arrays, Block, Column, LazyArray, Table, TextArray
from .reading import Chosen, Reader
from .stored import Member, Stored
from .texts import has_text, ids_at

__all__ = ["Plan", "arrays_of", "one_sequence", "table_of"]

INTEGER = np.dtype("<i8")
# Bytes that a key of a row takes in memory, about.
KEY_BYTES = 64


@dataclass(frozen=True, eq=False)
class Plan:
    """One export.

    Parameters
    ----------
    stored : Stored
    rows : int64 [K]
        The sequences.
    members : tuple of Member
    units : dict
        By the name of a dataset, its chosen units; None for all.
    layout : str
        ``padded`` or ``packed``, for states of every step.
    count : callable
        Called with the number of bytes of every piece that has been read.
    """

    stored: Stored
    rows: Rows
    members: tuple[Member, ...]
    units: dict[str, Rows | None]
    layout: str
    count: Callable[[int], object]

    @property
    def chosen(self) -> Chosen:
        """The sequences."""
        return Chosen(self.rows, self.stored.shape)

    def reader(self, member: Member) -> Reader:
        """Return the reader of a dataset."""
        return Reader(member, self.chosen, self.units.get(member.name))

    def of_one(self, place: int) -> "Plan":
        """Return the same of one sequence."""
        return replace(self, rows=self.rows[place : place + 1])


def arrays_of(plan: Plan, *, with_lengths: bool = True) -> Arrays:
    """Return the datasets as arrays, with lengths, offsets and ids unless one array alone is meant."""
    names = {member.name for member in plan.members}
    arrays = [_array(plan, member) for member in plan.members]
    if not with_lengths:
        return Arrays(tuple(arrays), None, plan.stored.provenance)
    if INPUT_LENGTHS in plan.stored.members and INPUT_LENGTHS not in names:
        arrays.append(_array(plan, plan.stored.members[INPUT_LENGTHS]))
    shape = plan.chosen.shape
    if "lengths" not in names:
        arrays.append(_known("lengths", shape.lengths, "sequence"))
    if plan.layout == "packed" and any(member.per_step for member in plan.members):
        arrays.append(_known("offsets", shape.offsets, "boundary"))
    stored, rows, ids = plan.stored, plan.rows, None
    if has_text(stored):
        characters = stored.ids.dtype.itemsize // (4 if stored.ids.dtype.kind == "U" else 1)
        ids = TextArray(
            "ids", len(rows), characters, ("sequence",), lambda box: list(map(str, ids_at(stored, rows[box])))
        )
    elif stored.has_ids:
        arrays.append(
            LazyArray("ids", (len(rows),), INTEGER, ("sequence",), 1, lambda box: np.array(ids_at(stored, rows[box])))
        )
    return Arrays(tuple(arrays), ids, stored.provenance)


def one_sequence(plan: Plan) -> Arrays:
    """Return the datasets of the only sequence: states [length, ...], vectors without the axis of sequences."""
    packed = replace(plan, layout="packed")
    arrays = [(_array(packed, member), member.per_step) for member in plan.members]
    return Arrays(tuple(array if per_step else _first(array) for array, per_step in arrays), None, "")


def _first(array: LazyArray) -> LazyArray:
    read = array.read
    return replace(array, shape=array.shape[1:], axes=array.axes[1:], leading=0, read=lambda: read(slice(0, 1))[0])


def table_of(plan: Plan) -> Table:
    """Return the datasets as a table: one row per sequence, or one per valid step.

    Raises
    ------
    OptionError
        Some have one row per sequence and others one per step, or a dataset has no columns.
    """
    per_step = _kind_of_rows(plan.members)
    readers = [plan.reader(member) for member in plan.members]
    ids = Column("id", "text" if has_text(plan.stored) else INTEGER)
    keys = (ids, Column("sequence", INTEGER), Column("step", INTEGER)) if per_step else (ids,)
    columns = tuple(column for reader in readers for column in _columns(reader))
    row_bytes = len(keys) * KEY_BYTES + sum(np.dtype(column.dtype).itemsize for column in columns)
    read = _lines(plan, readers) if per_step else _rows(plan, readers)
    shape = plan.chosen.shape
    count = shape.valid_steps if per_step else shape.sequences
    return Table(keys, columns, count, row_bytes, read, plan.stored.provenance)


def _array(plan: Plan, member: Member) -> LazyArray:
    reader, shape = plan.reader(member), plan.chosen.shape
    leading: tuple[int, ...] = (shape.sequences, shape.steps)
    axes: tuple[str, ...] = ("sequence", "time")
    read: Callable[..., Array] = reader.padded
    if not member.per_step:
        leading, axes, read = (shape.sequences,), ("sequence",), reader.sequences
    elif plan.layout == "packed":
        leading, axes, read = (shape.valid_steps,), ("step",), reader.packed

    def counted(*box: slice) -> Array:
        piece = read(*box)
        plan.count(piece.nbytes)
        return piece

    axes = (*axes, *_axes_of_item(plan, member))
    return LazyArray(member.name, (*leading, *reader.item), member.dtype, axes, len(leading), counted)


def _known(name: str, values: Rows, axis: str) -> LazyArray:
    return LazyArray(name, values.shape, INTEGER, (axis,), 1, lambda box: values[box])


def _axes_of_item(plan: Plan, member: Member) -> tuple[str, ...]:
    """Name the axes of an element; one name has one size within a group."""
    group, _, last = member.name.rpartition("/")
    if not member.is_state:
        return tuple(f"{last}_axis{number}" for number in range(len(member.item)))
    states = [one for one in plan.members if one.is_state and one.name.rpartition("/")[0] == group]
    same = plan.reader(member).item == plan.reader(states[0]).item
    return ("unit",) if same else (f"{last if member.per_step else last.rpartition('_')[0]}_unit",)


def _kind_of_rows(members: tuple[Member, ...]) -> bool:
    """Return whether the rows of a table are steps."""
    steps = [member.name for member in members if member.per_step]
    others = [member.name for member in members if not member.per_step]
    if steps and others:
        raise OptionError(
            f"datasets=: '{steps[0]}' has one row per step, '{others[0]}' one per sequence; a table holds one kind. "
            "Export them to two files."
        )
    return bool(steps)


def _columns(reader: Reader) -> list[Column]:
    member = reader.member
    if len(member.item) > 1:
        raise OptionError(
            f"datasets=: an element of '{member.name}' has shape {member.item}; a table holds numbers and vectors. "
            "Export it to .npz or .zarr."
        )
    if not member.item:
        return [Column(member.name, member.dtype)]
    numbers = np.arange(member.item[0]) if member.numbers is None else member.numbers
    numbers = numbers if reader.units is None else numbers[reader.units]
    return [Column(name, member.dtype) for name in column_names(member.name, numbers.tolist())]


def _rows(plan: Plan, readers: list[Reader]) -> Callable[[slice], Block]:
    def read(places: slice) -> Block:
        values = [reader.sequences(places) for reader in readers]
        plan.count(sum(one.nbytes for one in values))
        return Block([ids_at(plan.stored, plan.rows[places])], values)

    return read


def _lines(plan: Plan, readers: list[Reader]) -> Callable[[slice], Block]:
    offsets = plan.chosen.shape.offsets

    def read(lines: slice) -> Block:
        numbers = np.arange(lines.start, lines.stop)
        places = np.searchsorted(offsets, numbers, "right") - 1
        first, last = int(places[0]), int(places[-1]) + 1
        ids = ids_at(plan.stored, plan.rows[first:last])
        keys = [
            [ids[place] for place in (places - first).tolist()],
            plan.rows[places].tolist(),
            plan.stored.step_numbers(plan.rows[places], numbers - offsets[places]).tolist(),
        ]
        values = [reader.packed(lines) for reader in readers]
        plan.count(sum(one.nbytes for one in values))
        return Block(keys, values)

    return read
