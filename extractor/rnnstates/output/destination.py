"""Whether a place can take the output, asked before anything is computed."""

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
    """Check the output's name and directory; nothing is made.

    Parameters
    ----------
    output : str or path
    force : bool
        Whether an existing file may be replaced.
    sources : iterable
        What the run reads; none of the files among it may be the output, or have a name that is needed beside it.

    Returns
    -------
    Names
        The file to make (the target, when the name is a symbolic link) and what stands beside it meanwhile.

    Raises
    ------
    OptionError
        The output is ``-``, or its name promises another format.
    CannotCreate
        It exists, is an input or a directory, would take an input's name while it is made, or its directory is missing.
    PermissionDenied
        Its directory may not be written.
    """
    if str(output) == "-":
        raise OptionError("-: HDF5 cannot be written to a pipe, because it must seek; name a file instead.")
    if is_no_name(output):
        raise CannotCreate(
            f"{os.fspath(output)!r}: no file can have that name (a null byte, or a letter that the system has no bytes "
            "for); choose another output."
        )
    if names_folder(output) and not Path(output).is_dir():
        raise CannotCreate(
            f"{output}: names a folder, which is not there; expected a file. Give {Path(output)}, or make the folder "
            "and name a file in it."
        )
    try:
        return _checked(Path(output), output, force=force, sources=sources)
    except OSError as reason:
        raise translated(reason, Path(output)) from reason
    # Links that lead in a circle.
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
    # With something left beside it, it may be what this run is to make, named but not tidied up after.
    if names.output.exists() and not force and not (names.journal.exists() or names.lock.exists()):
        raise exists(output)
    return names


def exists(output: object) -> CannotCreate:
    """Give the error of an output that is there already."""
    return CannotCreate(
        f"{output}: exists; replace it with force=True, or choose another output. If the same job may have made it, "
        'if_exists="skip" compares, and computes nothing where it did.'
    )


def check_regular(path: Path, output: object) -> None:
    """Refuse what is there and no ordinary file: renaming onto a device or a pipe would take its place.

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
    """Give the bytes free where a file would be made.

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
    """Refuse a job that cannot fit; what an unfinished run of it holds already is not needed again.

    Raises
    ------
    WriteFailed
        With the bytes needed and free.
    """
    with suppress(OSError):
        needed -= min(needed, names.partial.stat().st_blocks * 512)
    if needed > free_space(names.output):
        raise no_room(names.output, needed)


def no_room(path: Path, needed: int, why: str = "") -> WriteFailed:
    """Give the error of a job that does not fit, with the bytes needed and free."""
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
        raise PermissionDenied(f"{output}: the directory {directory} may not be written; choose another place.")


def _check_length(names: Names) -> None:
    """Refuse a name that leaves no room for what stands beside the output meanwhile."""
    most = os.pathconf(names.output.parent, "PC_NAME_MAX")
    longest = max(len(os.fsencode(path.name)) for path in names)
    if longest > most:
        over = longest - most
        raise CannotCreate(
            f"{names.output}: its name is {over} bytes too long for this file system, which allows {most} for a name; "
            f"'{PARTIAL}.new' is added to it while it is made. Shorten it."
        )


def _paths_in(sources: Iterable[object]) -> Iterator[str | os.PathLike[str]]:
    """Yield the paths among what is read, those in lists and dicts and those of mapped arrays and datasets too."""
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
    """Refuse an output whose making would write over, or take away, what the run reads."""
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
