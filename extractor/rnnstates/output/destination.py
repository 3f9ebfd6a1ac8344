"""Checks that the output can be written at its path (name, directory, free space), before anything is computed."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import h5py

from ..errors import CannotCreate, OptionError, PermissionDenied, WriteFailed
from ..untrusted.missing import is_no_name, names_folder
from .names import PARTIAL, Names, check_suffix, names_of
from .system import translated

__all__ = ["check_destination", "check_regular", "check_space", "exists", "free_space", "no_room"]


def check_destination(output: str | os.PathLike[str], *, force: bool, sources: Iterable[object]) -> Names:
    """Check the output's name and directory; nothing is created.

    Parameters
    ----------
    output : str or path
    force : bool
        Whether an existing file may be replaced.
    sources : iterable
        What the run reads; none of these files may be the output, or have a name that is needed next to it.

    Returns
    -------
    Names
        The file to make (the target, if the name is a symbolic link) and the temporary files next to it.

    Raises
    ------
    OptionError
        The output is ``-``, or its name promises another format.
    CannotCreate
        It exists, is an input or a directory, needs an input's name while it is made, or its directory is missing.
    PermissionDenied
        There is no permission to write to its directory.
    """
    if str(output) == "-":
        raise OptionError("-: HDF5 cannot be written to a pipe, because it must seek; name a file instead.")
    if is_no_name(output):
        raise CannotCreate(
            f"{os.fspath(output)!r}: no file can have that name (a null byte, or a character that the system cannot "
            "encode); choose another output."
        )
    if names_folder(output) and not Path(output).is_dir():
        raise CannotCreate(
            f"{output}: names a folder, which does not exist; expected a file. Give {Path(output)}, or make the folder "
            "and name a file in it."
        )
    try:
        return _checked(Path(output), output, force=force, sources=sources)
    except OSError as reason:
        raise translated(reason, Path(output)) from reason
    # Symbolic links that form a circle.
    except RuntimeError as reason:
        raise CannotCreate(f"{output!r}: no file can have that name ({reason}); choose another output.") from reason


def _checked(path: Path, output: object, *, force: bool, sources: Iterable[object]) -> Names:
    names = names_of(path)
    for source in _paths_in(sources):
        _check_apart(names, source, output)
    check_suffix(path)
    check_suffix(names.output)
    _check_directory(names.given.parent, output)
    _check_length(names)
    check_regular(names.output, output)
    # If something was left next to it, it may be this job's finished output, renamed but not tidied up after.
    if names.output.exists() and not force and not (names.journal.exists() or names.lock.exists()):
        raise exists(output)
    return names


def exists(output: object) -> CannotCreate:
    """Return the error for an output that exists already."""
    return CannotCreate(
        f"{output}: exists; replace it with force=True, or choose another output. If the same job may have made it, "
        'if_exists="skip" compares, and computes nothing if it did.'
    )


def check_regular(path: Path, output: object) -> None:
    """Refuse anything but a regular file: renaming onto a device or a pipe would replace it.

    Raises
    ------
    CannotCreate
        It is a directory, device, pipe or socket.
    """
    if path.is_dir():
        raise CannotCreate(f"{output}: a directory; name a file in it.")
    if path.exists() and not path.is_file():
        raise CannotCreate(f"{output}: a device, pipe or socket, which a file would replace; name a file instead.")


def free_space(path: Path) -> int:
    """Return the free bytes where a file would be made.

    Raises
    ------
    OutputError
        The file system does not say.
    """
    try:
        return shutil.disk_usage(path.parent).free
    except OSError as reason:
        raise translated(reason, path) from reason


def check_space(names: Names, needed: int) -> None:
    """Refuse a job that cannot fit; the space of its unfinished run counts as available.

    Raises
    ------
    WriteFailed
        The message says how many bytes are needed and free.
    """
    with suppress(OSError):
        needed -= min(needed, names.partial.stat().st_blocks * 512)
    if needed > free_space(names.output):
        raise no_room(names.output, needed)


def no_room(path: Path, needed: int, why: str = "") -> WriteFailed:
    """Return the error for a job that does not fit, with the bytes needed and free."""
    return WriteFailed(
        f"{path}: {why}needs {needed} bytes, but {free_space(path)} are free there. Free some space, keep less "
        '(states=, dtype="float16"), or choose another place.'
    )


def _check_directory(directory: Path, output: object) -> None:
    if not directory.exists():
        raise CannotCreate(f"{output}: the directory {directory} does not exist; make it first.")
    if not directory.is_dir():
        raise CannotCreate(f"{output}: {directory} is not a directory; choose another output.")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionDenied(f"{output}: no permission to write to {directory}; choose another place.")


def _check_length(names: Names) -> None:
    """Refuse a name too long for the temporary files next to the output."""
    most = os.pathconf(names.output.parent, "PC_NAME_MAX")
    longest = max(len(os.fsencode(path.name)) for path in names)
    if longest > most:
        over = longest - most
        raise CannotCreate(
            f"{names.output}: its name is {over} bytes too long for this file system, which allows {most} per name; "
            f"'{PARTIAL}.new' is added to it while it is made. Shorten it."
        )


def _paths_in(sources: Iterable[object]) -> Iterator[str | os.PathLike[str]]:
    """Yield the paths among what is read, including those in lists and dicts, of mapped arrays and of datasets."""
    for source in sources:
        if isinstance(source, str | os.PathLike):
            yield source
        elif isinstance(source, Mapping):
            yield from _paths_in(source.values())
        elif isinstance(source, list | tuple):
            yield from (one for one in source if isinstance(one, str | os.PathLike))
        elif isinstance(path := getattr(source, "filename", None), str | os.PathLike):
            yield path
        elif isinstance(source, h5py.Dataset) and source:
            yield source.file.filename


def _check_apart(names: Names, source: str | os.PathLike[str], output: object) -> None:
    """Refuse an output whose making would overwrite or remove what the run reads."""
    for path in names:
        if not _is_same_file(path, source):
            continue
        if path.name == names.output.name:
            raise CannotCreate(f"{output}: is also read by this run ({source}); choose another output.")
        raise CannotCreate(
            f"{output}: while it is made, the name {names.shown(path)} is needed, but this run reads that file "
            f"({source}); rename the file, or choose another output."
        )


def _is_same_file(path: Path, source: str | os.PathLike[str]) -> bool:
    try:
        return path.samefile(source)
    except (OSError, ValueError):
        return False
