"""Opens a finished file to be read by value: what its datasets are, and the sums that they must have."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial as fixed
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from ...arrays.checksums import Sums, add, sums
from ...errors import BadStates
from ...errors.choices import DTYPES
from ...network.pooling import POOLINGS
from ...untrusted.hdf5 import check_dataset, find, reading
from ...untrusted.hdf5_attributes import fixed_attributes, text_of
from ..content import content_digest, is_moved
from ..format import DatasetSpec, Shape
from ..integrity import CONTENT, INTEGRITY, REST, REST_BYTES, SUMS, digest_rest, window_slice
from ..kept.described import read
from ..states import States
from .stored import StateRows, StoredRows

__all__ = ["DAMAGED", "Finished", "digest_of", "read_finished"]

DAMAGED = "The file was damaged or edited after it was made; make it again."


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished file of states, open for reading.

    Parameters
    ----------
    file : h5py.File
    states : States
        The same file.
    where : str
        For messages.
    specs : tuple of DatasetSpec
        The datasets that have sums, in their order.
    shape : Shape
    window_rows : int
        Sequences of a window.
    sums : uint64 [windows, datasets, 2]
    """

    file: h5py.File
    states: States
    where: str
    specs: tuple[DatasetSpec, ...]
    shape: Shape
    window_rows: int
    sums: Annotated[npt.NDArray[np.uint64], "_ _ 2"]

    @property
    def digest(self) -> str:
        """What tells it from every other file: a digest of its checksums, hexadecimal."""
        return digest_of(self._small(REST) or self.content or b"", self.sums.tobytes())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all states but the final ones."""
        said = self.states.provenance.get("dtype")
        if said not in DTYPES:
            raise _damaged(self.where, f"its provenance says that the states are of {said!r}")
        dtype: np.dtype[Any] = np.dtype(said)
        return dtype

    @property
    def content(self) -> bytes | None:
        """The digest by value of everything but the states; None if there is none."""
        return self._small(CONTENT)

    def pieces(self, number: int) -> Iterator[tuple[int, int, StateRows]]:
        """Yield all rows of a dataset, as (window, first row, values), and compare each window with its sums.

        Parameters
        ----------
        number : int
            Its place in ``specs``.

        Raises
        ------
        BadStates
            They are not those that were written.
        """
        spec = self.specs[number]
        stored = StoredRows(self.file[spec.name], spec, self.where)
        for window, expected in enumerate(self.sums[:, number].tolist()):
            found: Sums = (0, 0)
            sequences = window_slice(self.shape, window, self.window_rows)
            for first, values in stored.pieces(self.shape.rows_of(spec, sequences)):
                found = add(found, sums(values, first * spec.width))
                yield window, first, values
            if found != tuple(expected):
                raise BadStates(
                    f"{self.where}: '{spec.name}': sequences {sequences.start} to {sequences.stop - 1} are not as they "
                    f"were written. {DAMAGED}"
                )

    def damaged(self, number: int) -> Iterator[slice]:
        """Yield the sequences of each window of a dataset whose values are not those that were written."""
        spec = self.specs[number]
        stored = StoredRows(self.file[spec.name], spec, self.where)
        for window, expected in enumerate(self.sums[:, number].tolist()):
            sequences = window_slice(self.shape, window, self.window_rows)
            if stored.sums(self.shape.rows_of(spec, sequences)) != tuple(expected):
                yield sequences

    def has_rest(self) -> bool:
        """Return whether everything but the states has its digest: by bytes, or by value if it was compressed."""
        with reading(self.where, BadStates):
            rest = self._small(REST)
            names = [spec.name for spec in self.specs]
            if rest is not None and not is_moved(self.file, self.where, names):
                return rest.hex() == self._digest_of_bytes()
            return self.content is not None and self.content.hex() == content_digest(self.file, self.where, names)

    def check_rest(self) -> None:
        """Raise an error unless ``has_rest``.

        Raises
        ------
        BadStates
        """
        if not self.has_rest():
            raise BadStates(
                f"{self.where}: something outside the states was changed (attributes, lengths, ids, …). {DAMAGED}"
            )

    def _small(self, path: str) -> bytes | None:
        """Read a digest; None if there is none."""
        found = find(self.file, path, self.where, BadStates)
        if not isinstance(found, h5py.Dataset) or found.shape != (REST_BYTES,) or found.dtype != "u1":
            return None
        check_dataset(found, f"{self.where}: '{path}'", BadStates)
        return bytes(found[()].tobytes())

    def _digest_of_bytes(self) -> str:
        parts = [self.file[name] for name in (*(spec.name for spec in self.specs), SUMS, REST)]
        with Path(self.where).open("rb") as raw:
            read = fixed(_read, raw)
            places = [(part.id.get_offset() or 0, part.nbytes) for part in parts]
            return digest_rest(read, raw.seek(0, 2), places)


def digest_of(rest: bytes, sums: bytes) -> str:
    """Digest the checksums of a file: that of everything but the states, and all sums."""
    return hashlib.sha256(rest + sums).hexdigest()


def _read(raw: BinaryIO, count: int, position: int) -> bytes:
    raw.seek(position)
    return raw.read(count)


def read_finished(
    file: h5py.File, states: States, where: str, specs: tuple[DatasetSpec, ...] | None = None
) -> Finished:
    """Read what a finished file says of its datasets and sums.

    Parameters
    ----------
    file : h5py.File
    states : States
        The same file, checked by ``open_states``.
    where : str
        Its path.
    specs : tuple of DatasetSpec or None
        The datasets that it must have; None for those that it names, as their attributes describe them.

    Raises
    ------
    BadStates
        It has no checksums, or they or its datasets cannot be what was written.
    """
    with reading(where, BadStates):
        group = find(file, INTEGRITY, where, BadStates)
        if not isinstance(group, h5py.Group):
            raise BadStates(
                f"{where}: has no checksums, because it was made before files had them, so its states cannot be "
                "checked. Make it again."
            )
        known = {name: group.attrs[name] for name in fixed_attributes(group)}
        names, rows = _texts(known.get("datasets", [])), known.get("window_rows")
        if specs is None:
            specs = tuple(_spec(states, name, where) for name in names)
        elif names != (expected := [spec.name for spec in specs]):
            raise _damaged(
                where, f"its checksums are of {', '.join(names) or 'no datasets'}; expected {', '.join(expected)}"
            )
        shape = _shape(states, specs, where)
        if not isinstance(rows, np.integer) or rows < 1:
            raise _damaged(where, f"window_rows is {rows}")
        windows = -(-shape.sequences // int(rows))
        stored = find(file, SUMS, where, BadStates)
        if not isinstance(stored, h5py.Dataset) or stored.shape != (windows, len(specs), 2) or stored.dtype != "<u8":
            raise _damaged(where, f"'{SUMS}' is not [{windows}, {len(specs)}, 2] of uint64")
        check_dataset(stored, f"{where}: '{SUMS}'", BadStates)
        return Finished(file, states, where, specs, shape, int(rows), stored[()])


def _spec(states: States, name: str, where: str) -> DatasetSpec:
    if name not in states.datasets:
        raise _damaged(where, f"dataset '{name}' is missing")
    dataset = states.datasets[name]
    part, _, called = name.rpartition("/")
    state, _, pooling = called.rpartition("_")
    pooled = pooling if pooling in POOLINGS else None
    axes = tuple(text_of(dataset, "axes").decode("utf-8", "replace").split())
    if len(axes) != dataset.ndim or dataset.dtype.kind != "f" or dataset.dtype.newbyteorder("<") != dataset.dtype:
        raise _damaged(where, f"'{name}' has axes {' '.join(axes) or 'without names'} and dtype {dataset.dtype}")
    return DatasetSpec(name, part, state if pooled else called, pooled, dataset.shape, dataset.dtype, axes)


def _shape(states: States, specs: tuple[DatasetSpec, ...], where: str) -> Shape:
    """Return the shape of the job, which every dataset must have."""
    layout, padding = states.attributes["layout"], states.attributes["padding"]
    steps = read(states.provenance.get("kept")).steps.most(int(states.provenance["input"]["shape"][1]))
    shape = Shape(states.lengths.astype(np.int64), steps, layout, padding)
    if ((shape.lengths < 0) | (shape.lengths > steps)).any():
        raise _damaged(where, f"a length is outside of 0 to {steps}")
    every = (shape.valid_steps,) if layout == "packed" else (shape.sequences, steps)
    for spec in specs:
        axes = every if spec.pooling is None else (shape.sequences,)
        if spec.shape[:-1] != axes:
            raise _damaged(where, f"'{spec.name}' has shape {spec.shape}; expected {(*axes, spec.width)}")
    return shape


def _texts(value: object) -> list[str]:
    return [
        one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
        for one in np.atleast_1d(np.asarray(value))
    ]


def _damaged(where: str, what: str) -> BadStates:
    return BadStates(f"{where}: {what}. {DAMAGED}")
