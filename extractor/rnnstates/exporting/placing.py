"""Makes a file or folder beside its final name, and gives it that name once it is on disk, or removes it."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import CannotCreate, OutputError, WriteFailed
from ..output.destination import check_regular, free_space
from ..output.system import DISK, FULL, translated
from ..runtime.naming import give_free_name, sync_file, unnamed_beside
from ..untrusted.missing import is_no_name, names_folder

__all__ = ["check_place", "check_room", "new_file", "new_folder"]


def check_place(target: Path, *, force: bool, is_folder: bool, is_ours: Callable[[Path], bool]) -> None:
    """Refuse a name that cannot be made, before anything is read.

    Parameters
    ----------
    target : Path
    force : bool
        Whether what has the name may be replaced.
    is_folder : bool
        Whether a folder is made.
    is_ours : callable
        Whether an existing folder was made by export; any other is never replaced.

    Raises
    ------
    CannotCreate
        The name is taken, or cannot be one.
    """
    if is_no_name(target) or (names_folder(target) and not is_folder):
        raise CannotCreate(f"{os.fspath(target)!r}: no file can have that name; choose another.")
    if not target.parent.is_dir():
        raise CannotCreate(f"{target}: the directory {target.parent} does not exist; make it first.")
    if not os.path.lexists(target):
        return
    if not force:
        raise _exists(target)
    if not is_folder:
        check_regular(target, target)
    elif target.is_symlink() or not target.is_dir() or not is_ours(target):
        raise CannotCreate(
            f"{target}: is not a folder that export made, so force=True does not replace it; remove it, or choose "
            "another name."
        )


def check_room(target: Path, needed: int) -> None:
    """Refuse a file that cannot fit.

    Raises
    ------
    WriteFailed
        Fewer bytes are free.
    """
    if needed > (free := free_space(target)):
        raise WriteFailed(
            f"{target}: needs {needed} bytes, but {free} are free there. Free some space, export less (datasets=, "
            "rows=), or choose another place."
        )


@contextlib.contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Path]:
    """Give the name of a file to fill; afterwards it is on disk under its final name, or gone after an error.

    Raises
    ------
    CannotCreate, PermissionDenied, WriteFailed
        The name was taken meanwhile, or the disk is full or failing.
    """
    with _translated(target), unnamed_beside(target) as unfinished:
        yield unfinished
        sync_file(unfinished)
        if force:
            unfinished.replace(target)
        else:
            give_free_name(unfinished, target, link=os.link, rename=os.rename)
        DISK.sync_directory(target.parent)


@contextlib.contextmanager
def new_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """Give the name of a folder to fill; as ``new_file``."""
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    with _translated(target):
        unfinished.mkdir()
        try:
            yield unfinished
            _sync_folder(unfinished)
            _name_folder(unfinished, target, force=force)
            DISK.sync_directory(target.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _name_folder(unfinished: Path, target: Path, *, force: bool) -> None:
    if force and target.exists():
        old = unfinished.with_suffix(".replaced")
        target.rename(old)
        try:
            unfinished.rename(target)
        except BaseException:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        if os.path.lexists(target):
            raise FileExistsError(str(target))
        # Fails if something with content has the name by now.
        unfinished.rename(target)


def _sync_folder(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        for name in files:
            sync_file(Path(place, name))
        DISK.sync_directory(Path(place))


@contextlib.contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as reason:
        raise _exists(target) from reason
    except OSError as reason:
        raise _error_of_ours(reason, target) from reason


def _error_of_ours(reason: OSError, target: Path) -> OutputError:
    if reason.errno in FULL:
        return WriteFailed(
            f"{target}: the disk is full ({reason.strerror}). Free some space, export less (datasets=, rows=), or "
            "choose another place."
        )
    # The name while it is made says nothing to users.
    return translated(OSError(reason.errno, reason.strerror or str(reason)), target)


def _exists(target: Path) -> CannotCreate:
    return CannotCreate(f"{target}: exists; replace it with force=True, or choose another name.")
