"""Writes sequences, however many, to an HDF5 file that ``extract`` reads: packed, in bounded memory."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput, OptionError
from ..errors.arguments import check_arguments
from ..inputs.ragged import MEND
from ..output.patient_file import PatientFile
from ..output.system import DISK
from ..runtime.signals import signals_wait
from ..untrusted.given import as_array
from .placing import check_place, new_file

__all__ = ["write_inputs"]

ENDINGS = (".h5", ".hdf5", ".he5", ".nc")
INPUTS, LENGTHS, OFFSETS, IDS = "inputs", "lengths", "offsets", "ids"
RESERVED = (INPUTS, LENGTHS, OFFSETS)
CHUNK, BLOCK = 2**20, 2**23
# What an iterable gives after its last value.
OVER = object()

# The values of a sequence: its steps, or one number.
Values = Annotated[npt.NDArray[Any], "..."]


def write_inputs(
    path: str | os.PathLike[str],
    sequences: Iterable[Any],
    *,
    ids: Iterable[str | bytes | int] | None = None,
    force: bool = False,
    **more: Iterable[Any],
) -> int:
    """Write sequences to an HDF5 file that ``extract`` reads, without padding, completely or not at all.

    A few megabytes of them are in memory at a time, so that an iterator may give more than memory holds.

    Parameters
    ----------
    path : str or path
        Ends in ``.h5``, ``.hdf5``, ``.he5`` or ``.nc``.
    sequences : iterable of numeric [length, I], or of [length] token ids or single features
        All of one dtype, with as many features.
    ids : iterable or None
        A name for each.
    force : bool
        Whether an existing file is replaced.
    **more : iterables
        Further datasets by name, one value for each sequence: a number or text, or an array with one entry for each
        step. ``extract(carry=...)`` copies them to its output.

    Returns
    -------
    int
        The number of sequences.

    Raises
    ------
    BadInput
        Something is no such sequence, or the iterables end at different places.
    OptionError
        A name is not available.
    CannotCreate, PermissionDenied, WriteFailed
        The file exists, or cannot be written.

    Examples
    --------
    >>> import numpy, tempfile, rnnstates
    >>> rows = (numpy.ones((length, 8)) for length in (3, 0, 5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_inputs(f"{folder}/in.h5", rows, ids=["a", "b", "c"], label=[1, 0, 1])
    ...     rnnstates.extract(f"{folder}/in.h5", units=4)["hidden"].shape
    3
    (3, 5, 4)
    """
    check_arguments({"path": path, "force": force}, required=("path",))
    target = Path(path)
    if target.suffix.lower() not in ENDINGS:
        raise OptionError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}, because HDF5 is written.")
    if taken := [name for name in more if name in (*RESERVED, IDS) or "/" in name or not name]:
        raise OptionError(f"{taken[0]}=: this name is taken by what is written anyway; choose another.")
    columns = more if ids is None else {IDS: ids, **more}
    check_place(target, force=force, is_folder=False, is_ours=lambda _: False)
    with new_file(target, force=force) as unfinished, unfinished.open("r+b") as file:
        disk = PatientFile(DISK, file.fileno())
        try:
            return _write(disk, sequences, columns)
        finally:
            # What went wrong first is raised, not HDF5's consequent error.
            disk.leave()


def _write(disk: PatientFile, sequences: Iterable[Any], columns: dict[str, Iterable[Any]]) -> int:
    lengths: list[int] = []
    with h5py.File(disk, "w") as file:
        made: dict[str, Column] = {}
        # An empty list says nothing of dtype and width.
        empty: dict[str, Values] = {}
        for row, (steps, values) in enumerate(_together(sequences, columns)):
            for name, given in ((INPUTS, steps), *values.items()):
                array = _array(given, name, row)
                if name == INPUTS:
                    lengths.append(len(_checked(array, row)))
                if array.shape == (0,) and not lengths[row]:
                    empty.setdefault(name, array)
                    continue
                if name not in made:
                    made[name] = Column(file, name, array, row, lengths[row])
                made[name].add(array, row, lengths[row])
            disk.check()
        for name in empty.keys() - made.keys():
            made[name] = Column(file, name, empty[name], 0, 0)
        for column in made.values():
            column.flush()
        if not lengths:
            raise BadInput("sequences: there are none; expected at least one. Was an iterator used before?")
        file.create_dataset(LENGTHS, data=np.array(lengths, "<i8"))
        file.create_dataset(OFFSETS, data=np.concatenate([[0], np.cumsum(lengths)]).astype("<i8"))
    return len(lengths)


def _together(sequences: Iterable[Any], columns: dict[str, Iterable[Any]]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each sequence with its values; all iterables must end together."""
    waiting = {name: iter(values) for name, values in columns.items()}
    for row, steps in enumerate(sequences):
        values = {name: next(values, OVER) for name, values in waiting.items()}
        if short := [name for name, value in values.items() if value is OVER]:
            raise BadInput(f"{short[0]}: has {row} values, but there are more sequences; expected one for each.")
        yield steps, values
    if longer := [name for name, values in waiting.items() if next(values, OVER) is not OVER]:
        raise BadInput(f"{longer[0]}: has more values than there are sequences; expected one for each.")


class Column:
    """A dataset that grows; of one value per sequence, or one per step.

    Parameters
    ----------
    file : h5py.File
    name : str
    first : array
        The value of the first sequence that has one.
    row : int
        Which sequence that is.
    length : int
        Its steps.
    """

    def __init__(self, file: h5py.File, name: str, first: Values, row: int, length: int) -> None:
        self._name, self._first, self._row, self._waiting, self._bytes = name, first, row, list[Values](), 0
        self._per_step = first.ndim > 0
        self._check_steps(first, row, length)
        kept = first.shape[1:]
        is_text = first.dtype.kind in "US"
        stored = h5py.string_dtype() if is_text else first.dtype.newbyteorder("<")
        row_bytes = max(1, int(np.prod(kept)) * (16 if is_text else first.dtype.itemsize))
        self._rows = max(1, CHUNK // row_bytes)
        self._dataset = file.create_dataset(
            name, (0, *kept), stored, maxshape=(None, *kept), chunks=(self._rows, *(max(1, size) for size in kept))
        )
        self._end = 0

    def add(self, value: Values, row: int, length: int) -> None:
        """Add the value of a sequence."""
        self._check_steps(value, row, length)
        where, first = f"{self._name}: row {row}", self._first
        if value.shape[1:] != first.shape[1:] or value.ndim != first.ndim:
            raise BadInput(
                f"{where}: shape {value.shape}, but row {self._row} has {first.shape}; expected values of one width."
            )
        is_text = value.dtype.kind in "US" and first.dtype.kind in "US"
        if not is_text and not np.can_cast(value.dtype, first.dtype, "safe"):
            raise BadInput(
                f"{where}: dtype {value.dtype} does not fit {first.dtype}, that of row {self._row}; expected one dtype "
                "for all. Convert them with .astype."
            )
        self._waiting.append(value if self._per_step else value[np.newaxis])
        self._bytes += max(64, value.nbytes)
        if self._bytes >= BLOCK:
            self._append(whole_chunks=True)

    def flush(self) -> None:
        """Write what waits."""
        self._append(whole_chunks=False)

    def _append(self, *, whole_chunks: bool) -> None:
        waiting = np.concatenate(self._waiting) if self._waiting else self._first[:0]
        # A chunk is written once: HDF5 would read it again to add to it.
        count = len(waiting) // self._rows * self._rows if whole_chunks else len(waiting)
        if count:
            with signals_wait():
                self._dataset.resize(self._end + count, axis=0)
                self._dataset[self._end : self._end + count] = _stored(waiting[:count])
            self._end += count
        self._waiting = [waiting[count:].copy()] if count < len(waiting) else []
        self._bytes = sum(max(64, values.nbytes) for values in self._waiting)

    def _check_steps(self, value: Values, row: int, length: int) -> None:
        if self._per_step and len(value) != length:
            raise BadInput(
                f"{self._name}: row {row} has {len(value)} entries, but its sequence has {length} steps; expected one "
                "number or text for each sequence, or an entry for each step."
            )


def _array(given: object, name: str, row: int) -> Values:
    array = (
        np.asarray(given) if isinstance(given, str | bytes) else as_array(given, f"{name}: row {row}", BadInput, MEND)
    )
    if array.dtype.kind not in "biufUS":
        raise BadInput(f"{name}: row {row}: dtype {array.dtype}; expected numbers or text.")
    return array


def _checked(array: Values, row: int) -> Values:
    if array.ndim not in (1, 2) or array.dtype.kind in "US":
        raise BadInput(
            f"inputs: row {row}: shape {array.shape}, dtype {array.dtype}; expected numbers (steps, features), or "
            "(steps,) for token ids."
        )
    return array


def _stored(values: Values) -> Values:
    """Return values as h5py writes them: text as UTF-8."""
    if values.dtype.kind == "U":
        return np.array([text.encode() for text in values.reshape(-1).tolist()], object).reshape(values.shape)
    return values.astype(object) if values.dtype.kind == "S" else values
