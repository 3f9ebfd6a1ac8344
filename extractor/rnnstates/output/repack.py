"""``repack()``: writes a finished output again, in another layout, type or storage, without computing it again."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadStates, CannotCreate, OptionError
from ..errors.arguments import check_arguments
from ..errors.choices import COMPRESSIONS, DTYPES, LAYOUTS, Compression, DType, Layout
from ..network.pooling import FINAL
from ..untrusted.hdf5 import open_hdf5
from ..untrusted.hdf5_filters import compression_of
from .destination import check_destination, check_space, exists
from .lock import RunLock
from .ours import check_beside
from .reader import open_states
from .repacking import Finished, Rewriting, read_finished, write_named
from .repacking.codecs import NONE, codec
from .system import DISK, Place, System, translated

__all__ = ["repack"]

# How files are written; tests replace it with a failing one.
SYSTEM: System = DISK
logger = logging.getLogger("rnnstates")


def repack(
    output: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    layout: Layout | None = None,
    dtype: DType | None = None,
    compression: Compression | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write a finished output again, in another layout, type or storage; nothing is computed again.

    Every value that is read is compared with the checksums of ``output``. Lengths, ids, attributes and provenance are
    kept; the provenance also says from which file the new one was made, and how. Memory holds a few blocks of states.
    ``destination`` gets its name when all of it is on disk.

    Parameters
    ----------
    output : str or path
        What ``extract`` or ``repack`` wrote.
    destination : str or path
        The HDF5 file to make.
    layout : str or None
        ``padded`` or ``packed``; None for that of ``output``.
    dtype : str or None
        Of the stored states: ``float32``, ``float16`` or ``float64``; None for that of ``output``. Final states keep
        the precision of the computation.
    compression : str or None
        ``gzip``, which every HDF5 reads; ``zstd`` or ``blosc``, which need hdf5plugin wherever the file is read;
        ``none``; None for that of ``output``.
    force : bool
        Whether an existing ``destination`` is replaced.

    Returns
    -------
    dict
        In JSON types: ``output``, ``destination``, ``layout``, ``dtype``, ``compression``, ``bytes_before`` and
        ``bytes`` (on disk), ``overflowed`` (values too large for ``dtype``), ``notes``.

    Raises
    ------
    BadStates
        ``output`` is damaged, or has no checksums.
    MissingInput
        It is absent or unreadable.
    EngineUnavailable
        The compression needs hdf5plugin.
    OutputError
        ``destination`` cannot be made there.

    Examples
    --------
    >>> import numpy as np
    >>> import rnnstates
    >>> folder = getfixture("tmp_path")
    >>> rnnstates.extract(np.ones((2, 10, 8)), [10, 6], output=folder / "out.h5").close()
    >>> made = repack(folder / "out.h5", folder / "small.h5", layout="packed", compression="gzip")
    >>> with rnnstates.open(folder / "small.h5") as states:
    ...     states["hidden"].shape, states[1].hidden.shape, states["hidden"].compression
    ((16, 64), (6, 64), 'gzip')
    """
    given = {name: value for name, value in locals().items() if value is not None or name != "layout"}
    check_arguments(given, required=("output", "destination"))
    _check({"layout": (layout, LAYOUTS), "dtype": (dtype, DTYPES), "compression": (compression, COMPRESSIONS)})
    with _opened(os.fspath(output)) as old:
        how = _chosen(old, layout, dtype, compression)
        codec(how.compression)
        place = Place(check_destination(destination, force=force, sources=[output]), SYSTEM)
        overflowed = _made(old, place, how, force=force)
        notes = list(_notes(old, how, overflowed))
    for note in notes:
        logger.log(logging.WARNING if overflowed and note is notes[-1] else logging.INFO, "%s", note)
    return {
        "output": os.fspath(output), "destination": os.fspath(destination), "layout": how.layout,
        "dtype": how.dtype.name, "compression": how.compression,
        "bytes_before": _on_disk(Path(output)), "bytes": _on_disk(place.names.output), "overflowed": overflowed,
        "notes": notes,
    }  # fmt: skip


def _check(words: Mapping[str, tuple[str | None, Sequence[str]]]) -> None:
    for name, (given, known) in words.items():
        if given is not None and given not in known:
            raise OptionError(f"{name}={given!r}: unknown; known are {', '.join(known)}.")


@contextmanager
def _opened(path: str) -> Iterator[Finished]:
    with open_states(path) as states, open_hdf5(path, BadStates) as file:
        found = read_finished(file, states, path)
        found.check_rest()
        yield found


def _chosen(old: Finished, layout: str | None, dtype: str | None, compression: Compression | None) -> Rewriting:
    stored = old.dtype
    return Rewriting(
        layout or old.shape.layout,
        np.dtype(dtype or stored),
        compression or _compression_of(old),
        str(Path(old.where).absolute()),
    )


def _compression_of(old: Finished) -> Compression:
    """Return how most of the states are compressed; another program's filter counts as the nearest of ours."""
    found = [compression_of(old.file[spec.name]) for spec in old.specs]
    known = [name for name in found if name in COMPRESSIONS and name != NONE]
    return known[0] if known else "gzip" if any(found) else NONE


def _made(old: Finished, place: Place, how: Rewriting, *, force: bool) -> int:
    names = place.names
    if how.compression == NONE:
        check_space(names, _bytes(old, how))
    with RunLock(place), _translated(names.partial):
        check_beside(names)
        if os.path.lexists(names.partial):
            raise CannotCreate(
                f"{names.output}: an unfinished run of it is there; finish that one, remove what it left with clean, "
                "or choose another name."
            )
        try:
            return write_named(old, place, how, force=force)
        except FileExistsError as reason:
            raise exists(names.given) from reason


def _bytes(old: Finished, how: Rewriting) -> int:
    sizes = (
        (old.shape.valid_steps if spec.pooling is None else old.shape.sequences)
        * spec.width * (spec.dtype if spec.pooling == FINAL else how.dtype).itemsize
        for spec in old.specs
    )  # fmt: skip
    return sum(sizes)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise translated(reason, path) from reason


def _notes(old: Finished, how: Rewriting, overflowed: int) -> Iterator[str]:
    before, after = old.dtype, how.dtype
    if after.itemsize < before.itemsize:
        yield f"the states are rounded from {before} to {after}."
    if after.itemsize > before.itemsize:
        yield f"the states have the precision of {before}, in which they were stored before."
    if overflowed:
        yield f"{overflowed} values are too large for {after} and are stored as infinity."


def _on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512
