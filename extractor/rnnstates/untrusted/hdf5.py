"""Reads HDF5 files of unknown origin without being led outside them.

An HDF5 file may name other files (external links, external raw storage, virtual datasets), loop back on itself and
declare far more data than it stores. Everything that reads a user's HDF5 file goes through here; each refusal says
what was found. See CVE-2026-1669 and CVE-2026-0897 for the threats.
"""

import contextlib
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from ..errors import BadData, MissingInput, RnnstatesError
from .hdf5_chunks import check_chunks, filters_of
from .hdf5_netcdf import names_of, variable
from .missing import missing_reported

__all__ = [
    "DAMAGED",
    "check_dataset",
    "datasets",
    "find",
    "is_hdf5",
    "open_hdf5",
    "reading",
]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# HDF5's own filters compress no better than gzip's theoretical 1032 to 1; beyond twice that the declared size is false.
# Zstandard (32015) and Blosc (32001) turn a chunk of 1 MiB of padding into some dozens of bytes.
MOST_COMPRESSION = 2048
MOST_OF_OTHERS = {32015: 2**17, 32001: 2**17}
# Datasets this small skip the check above: unwritten chunks are common in them.
SMALL = 64 * 2**20
# More objects than any honest input or weights file has; bounds the walk.
MOST_OBJECTS = 100_000
# Bounds of nesting and path length; names of nested groups add up.
DEEPEST = 64
LONGEST_PATH = 4096
# What h5py raises for a damaged file.
DAMAGED = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SystemError,
)


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Return whether a file starts like HDF5, possibly after a user block of 512, 1024, … bytes."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset + len(SIGNATURE) <= size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            offset = 2 * offset or 512
    return False


def open_hdf5(path: str | os.PathLike[str], error: type[BadData]) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    MissingInput
        It is absent, a directory, unreadable or locked.
    error
        It is not HDF5, or is damaged.
    """
    with missing_reported(path, "an HDF5 file"):
        mode = Path(path).stat().st_mode
        # Opening a pipe, or reading a terminal, waits for a writer.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise error(f"{path}: a pipe or device; expected an HDF5 file, which must seek. Save it to a file.")
        found = is_hdf5(path)
    if not found:
        raise error(
            f"{path}: not an HDF5 file; it starts with {_first_bytes(path)}. Check the path, or make the file again."
        )
    try:
        # Path drops a trailing slash, with which HDF5 would look for a folder.
        return h5py.File(Path(path), "r", locking="best-effort")
    except DAMAGED as reason:
        if "lock file" in str(reason):
            raise MissingInput(
                f"{path}: HDF5 cannot lock it, so another program is writing it or the file system has no locks; "
                "wait, or set HDF5_USE_FILE_LOCKING=FALSE."
            ) from reason
        raise error(f"{path}: HDF5 cannot open it ({reason}); {_advice(str(reason))}") from reason


@contextlib.contextmanager
def reading(where: str, error: type[BadData]) -> Iterator[None]:
    """Translate h5py's exceptions for damaged files into our error.

    Raises
    ------
    error
    """
    try:
        yield
    except RnnstatesError:
        raise
    except DAMAGED as reason:
        raise error(f"{where}: HDF5 cannot read it ({reason}). {_mend()}") from reason


def _mend() -> str:
    if h5py.version.hdf5_version_tuple[:2] == (2, 0):
        return (
            f"HDF5 {h5py.version.hdf5_version} refuses some sound chunked files: try another h5py "
            "(pip install 'h5py<3.16'); otherwise the file is damaged, make it again."
        )
    return "The file is damaged or its disk fails; copy or make it again."


def _advice(reason: str) -> str:
    if "consistency flags" in reason:
        return (
            "the program writing it is still running, or died before closing it: wait for it, or make the file again."
        )
    return "it is damaged or cut short, make it again."


def find(group: h5py.Group, path: str, where: str, error: type[BadData]) -> h5py.Dataset | h5py.Group | None:
    """Return the object at a path of hard links; None if there is none.

    A netCDF dimension without values does not count, but a variable of its name does. ``.`` and ``..`` name nothing.

    Raises
    ------
    error
        A step is a soft or external link, so the data would come from elsewhere.
    """
    found: h5py.Dataset | h5py.Group | None = group
    for step in [step for step in path.split("/") if step]:
        if step in (".", "..") or not isinstance(found, h5py.Group) or found.get(step, getlink=True) is None:
            return None
        _refuse_link(found, step, where, error)
        found = variable(found, step)
    return found


def datasets(
    group: h5py.Group, where: str, error: type[BadData], *, refuse_links: bool = False
) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every (path, dataset) reached by hard links, each object once, except netCDF dimensions without values.

    Parameters
    ----------
    group : h5py.Group
    where : str
        The file, for messages.
    error : type
        What to raise.
    refuse_links : bool
        Whether links are refused or skipped.

    Raises
    ------
    error
        There are more objects than any honest file has, or a link.
    """
    waiting: list[tuple[str, h5py.Group]] = [("", group)]
    seen, names = {h5py.h5o.get_info(group.id).addr}, 0
    while waiting:
        prefix, here = waiting.pop(0)
        # Before any of them is opened, which takes 0.1 ms each.
        names += len(here)
        if names > MOST_OBJECTS:
            raise error(f"{where}: has {names} objects or more; expected at most {MOST_OBJECTS}. Put more into each.")
        for name in names_of(here):
            if refuse_links:
                _refuse_link(here, name, where, error)
            child = variable(here, name)
            if child is None:
                continue
            address = h5py.h5o.get_info(child.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(prefix) + len(name) > LONGEST_PATH or prefix.count("/") > DEEPEST:
                raise error(f"{where}: groups nested more than {DEEPEST} deep, or paths over {LONGEST_PATH}; refused.")
            if isinstance(child, h5py.Dataset):
                yield prefix + name, child
            elif isinstance(child, h5py.Group):
                waiting.append((f"{prefix}{name}/", child))


def check_dataset(
    dataset: h5py.Dataset, where: str, error: type[BadData], *, within: tuple[tuple[str, str], ...] = ()
) -> None:
    """Refuse a dataset whose values are not all in its own file, or in those that its virtual layout names.

    Parameters
    ----------
    within : tuple of (str, str)
        File and name of the virtual datasets that it is a source of.

    Raises
    ------
    error
        External raw storage; a virtual dataset with a source that is missing, too small, or itself; a chunk outside
        the file; far more declared than stored.
    """
    if dataset.external:
        raise error(
            f"{where}: its values are in another file ({dataset.external[0][0]}); external storage is refused, "
            "copy the values into one file (h5repack)."
        )
    if dataset.is_virtual:
        _check_virtual(dataset, where, error, within)
        return
    check_chunks(dataset, where, error)
    declared, stored = dataset.nbytes, dataset.id.get_storage_size()
    most = max([MOST_COMPRESSION, *(MOST_OF_OTHERS.get(code, 0) for code in filters_of(dataset))])
    if declared > SMALL and declared > most * stored:
        raise error(
            f"{where}: declares {declared} bytes but stores {stored}; no compression does that, so most of it was "
            "never written. Make the file again."
        )


def _check_virtual(
    dataset: h5py.Dataset, where: str, error: type[BadData], within: tuple[tuple[str, str], ...]
) -> None:
    """Check every source, also those of virtual sources: HDF5 uses the fill value for a missing one."""
    name = dataset.name.strip("/")
    here = (os.path.realpath(dataset.file.filename), name)
    if here in within:
        # HDF5 would recurse until the stack overflows.
        raise error(f"{where}: a virtual dataset made of itself ('{name}'); copy the values into one dataset.")
    for mapping in dataset.virtual_sources():
        called = f"'{mapping.dset_name}' in '{mapping.file_name}'"
        path = here[0] if mapping.file_name == "." else str(Path(dataset.file.filename).parent / mapping.file_name)
        with _source(path, mapping.dset_name, f"{where}: source {called}", error) as source:
            if source is None:
                raise error(
                    f"{where}: a virtual dataset whose source {called} is missing; HDF5 would silently fill the gap "
                    "with zeros. Restore the source."
                )
            if not _fits(source.shape or (), mapping):
                raise error(
                    f"{where}: a virtual dataset whose source {called} has shape {source.shape}, which does not fit "
                    "the part that is used of it; HDF5 would fill the gap with zeros. Make the file again."
                )
            check_dataset(source, f"{where}: source {called}", error, within=(*within, here))


@contextlib.contextmanager
def _source(path: str, name: str, where: str, error: type[BadData]) -> Iterator[h5py.Dataset | None]:
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(h5py.File(path, "r", locking="best-effort"))
        except OSError:
            file = None
        found = None if file is None else find(file, name, where, error)
        yield found if isinstance(found, h5py.Dataset) else None


def _fits(shape: tuple[int, ...], mapping: Any) -> bool:
    """Return whether a source of this shape holds all that a virtual dataset uses of it."""
    taken = mapping.src_space
    if taken.get_select_type() == h5py.h5s.SEL_ALL:
        return bool(mapping.vspace.get_select_npoints() == math.prod(shape))
    try:
        last = taken.get_select_bounds()[1]
    except ValueError:
        # Unlimited: as much as there is.
        return True
    return len(last) == len(shape) and all(end < axis for end, axis in zip(last, shape, strict=True))


def _refuse_link(group: h5py.Group, name: str, where: str, error: type[BadData]) -> None:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise error(
            f"{where}: '{name}' is a link into another file ({link.filename}); links are refused, copy the data into "
            "one file."
        )
    if isinstance(link, h5py.SoftLink):
        raise error(f"{where}: '{name}' is a soft link to '{link.path}'; links are refused, name the dataset itself.")


def _first_bytes(path: str | os.PathLike[str]) -> str:
    with Path(path).open("rb") as file:
        start = file.read(8)
    return repr(start) if start else "nothing, it is empty"
