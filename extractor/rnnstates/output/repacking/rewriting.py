"""Rewrites a finished file: every dataset of states in another layout, type or storage, all else as it was."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial as fixed
from typing import Annotated, Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from ...arrays.checksums import Sums, add, sums_of_rows
from ...errors import BadStates
from ...errors.choices import DTYPES, Compression
from ...network.pooling import FINAL
from ...runtime.signals import signals_wait
from ...untrusted.hdf5 import reading
from ...version import __version__
from ..content import content_digest
from ..format import COMPRESSED_VERSION, DatasetSpec, Shape, version_of
from ..integrity import CONTENT, REST, SUMS, digest_rest
from ..kept.described import read
from ..layout import encoded, write_places
from ..patient_file import PatientFile
from ..sink import to_dtype
from ..system import System, Writeback, write_all
from .codecs import NONE
from .finished import Finished
from .moving import Stretches, stretches
from .rows import ChunkedRows, ContiguousRows, NewRows
from .stored import StateRows
from .structure import NewFile, lay_out_copy

__all__ = ["Rewriting", "rewrite"]

# HDF5 limits an attribute to 64 KiB, and most of that is the provenance of the run.
MOST_RECORDED = 16
# Chunks are larger; what HDF5 writes of itself is smaller, and is kept in memory (bytes).
LARGEST_METADATA = 2**13


@dataclass(frozen=True)
class Rewriting:
    """How a file is rewritten.

    Parameters
    ----------
    layout : str
    dtype : dtype
        Of all states but the final ones, which keep the precision of the computation.
    compression : str
    origin : str or None
        The path of the old file, to be recorded; None if it is the same run's.
    """

    layout: str
    dtype: np.dtype[Any]
    compression: Compression
    origin: str | None


def rewrite(old: Finished, system: System, descriptor: int, how: Rewriting) -> int:
    """Write a new file from an old one, checking every value that is read; the new file is on disk afterwards.

    Parameters
    ----------
    old : Finished
    system : System
    descriptor : int
        Of an empty file, open for reading and writing.
    how : Rewriting

    Returns
    -------
    int
        Values that were too large for the new dtype.

    Raises
    ------
    BadStates
        Values of the old file are damaged; ``check_rest`` says whether anything else is.
    OSError
        The disk is full or failing.
    """
    shape = replace(old.shape, layout=how.layout)
    specs = tuple(_converted(spec, shape, how) for spec in old.specs)
    new = NewFile(specs, shape, how.compression, _root(old, how))
    disk = PatientFile(system, descriptor, largest=LARGEST_METADATA)
    try:
        with _new_file(disk) as file:
            with signals_wait(), reading(old.where, BadStates):
                lay_out_copy(old, file, new)
                file.flush()
            job = _Job(old, new, file, Target(system, descriptor, disk))
            for number in range(len(specs)):
                job.move(number)
            places = job.seal()
    finally:
        # Raise what went wrong first, not HDF5's consequent error.
        disk.leave()
    if how.compression == NONE:
        rest = digest_rest(fixed(system.pread, descriptor), system.size(descriptor), places)
        write_all(system, descriptor, memoryview(bytes.fromhex(rest)), places[-1][0])
    system.fsync(descriptor)
    return job.overflowed


class Target(NamedTuple):
    """The new file, as this process and as HDF5 write it."""

    system: System
    descriptor: int
    file: PatientFile


@contextmanager
def _new_file(disk: PatientFile) -> Iterator[h5py.File]:
    """Make an HDF5 file; no signal reaches HDF5 while it is opened or closed."""
    with signals_wait():
        file = h5py.File(disk, "w")
    try:
        yield file
    finally:
        with signals_wait():
            file.close()


class _Job:
    """The datasets of one file on their way to another."""

    def __init__(self, old: Finished, new: NewFile, file: h5py.File, disk: Target) -> None:
        self._old, self._new, self._file, self._disk = old, new, file, disk
        self.overflowed = 0
        self.sums: Annotated[npt.NDArray[np.uint64], "_ _ 2"] = np.zeros(old.sums.shape, np.uint64)

    def move(self, number: int) -> None:
        """Read a dataset, convert and write it, and sum what is written; end early if the disk fails."""
        after = self._new.specs[number]
        rows = self._rows(after)
        for window, values, where in self._pieces(number):
            cast, overflowed = to_dtype(values, after.dtype)
            self.overflowed += overflowed
            rows.put(cast, where)
            found = sums_of_rows(cast, where.rows, where.places, where.counts)
            self._add(window, number, found)
            self._disk.file.check()
        rows.close()
        self._disk.file.check()

    def _pieces(self, number: int) -> Iterator[tuple[int, StateRows, Stretches]]:
        spec = self._old.specs[number]
        for window, first, values in self._old.pieces(number):
            yield window, values, stretches(spec, self._old.shape, self._new.shape, first, first + len(values))

    def _add(self, window: int, number: int, found: Sums) -> None:
        before = self.sums[window, number].tolist()
        self.sums[window, number] = add((before[0], before[1]), found)

    def _rows(self, spec: DatasetSpec) -> NewRows:
        dataset = self._file[spec.name]
        if dataset.chunks:
            return ChunkedRows(dataset, spec, Writeback(self._disk.descriptor))
        return ContiguousRows(self._disk.system, self._disk.descriptor, dataset.id.get_offset() or 0)

    def seal(self) -> list[tuple[int, int]]:
        """Write the checksums; return the stretches of bytes that the digest of the rest omits, its own last."""
        file, names = self._file, self._new.names
        with signals_wait():
            if self.sums.size:
                file[SUMS][...] = self.sums
            if self._new.compression != NONE:
                digest = bytes.fromhex(content_digest(file, self._old.where, names))
                file[CONTENT][...] = np.frombuffer(digest, np.uint8)
                return []
            file.flush()
            write_places(file, names)
            return [(file[name].id.get_offset() or 0, file[name].nbytes) for name in (*names, SUMS, REST)]


def _converted(spec: DatasetSpec, shape: Shape, how: Rewriting) -> DatasetSpec:
    dtype = spec.dtype if spec.pooling == FINAL else how.dtype.newbyteorder("<")
    if spec.pooling is not None:
        return replace(spec, dtype=dtype)
    per_step: tuple[tuple[int, ...], tuple[str, ...]] = ((shape.valid_steps,), ("step",))
    if shape.layout == "padded":
        per_step = (shape.sequences, shape.steps), ("sequence", "time")
    axes, names = per_step
    return replace(spec, dtype=dtype, shape=(*axes, spec.width), dimensions=(*names, spec.dimensions[-1]))


def _root(old: Finished, how: Rewriting) -> Mapping[str, str | int]:
    """Return the root attributes that say how the file differs from the old one."""
    said = read(old.states.provenance.get("kept"))
    plain = version_of(said.kept, said.steps, old.specs)
    return {
        "format_version": plain if how.compression == NONE else max(plain, COMPRESSED_VERSION),
        "layout": how.layout,
        "provenance": encoded(_provenance(old, how)),
    }


def _provenance(old: Finished, how: Rewriting) -> dict[str, Any]:
    about = dict(old.states.provenance)
    known = about.get("repacked")
    earlier = list(known) if isinstance(known, list) else []
    now = {
        "from": {"path": how.origin, "digest": old.digest},
        "layout": how.layout, "dtype": how.dtype.name, "compression": how.compression, "rnnstates": __version__,
    }  # fmt: skip
    about |= {"dtype": how.dtype.name, "repacked": [*earlier, now][-MOST_RECORDED:]}
    kinds = [old.dtype, *(np.dtype(name) for name in (about.pop("narrowest", None),) if name in DTYPES)]
    narrowest = min(kinds, key=lambda dtype: dtype.itemsize)
    if narrowest.itemsize < how.dtype.itemsize:
        about["narrowest"] = narrowest.name
    return about if how.compression == NONE and "compression" not in about else about | {"compression": how.compression}
