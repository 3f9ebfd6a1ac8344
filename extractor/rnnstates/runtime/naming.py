"""Makes files of any kind under a temporary name, and gives them their final one, which must be free.

Nobody's file is ever overwritten.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["give_free_name", "sync_file", "unnamed_beside"]

Naming = Callable[[Path, Path], object]


def give_free_name(finished: Path, target: Path, *, link: Naming, rename: Naming) -> None:
    """Give a file its final name; it may keep its old name too.

    Parameters
    ----------
    finished, target : Path
        In the same directory.
    link, rename : callable
        ``link`` gives a file a second name, which must be free; ``rename`` replaces its name.

    Raises
    ------
    FileExistsError
        The name is taken.
    OSError
        The file cannot be named there.
    """
    try:
        link(finished, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: look, then rename
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from None
        rename(finished, target)


@contextlib.contextmanager
def unnamed_beside(target: Path) -> Iterator[Path]:
    """Create an empty file next to the target, and remove it in the end in any case."""
    # Random rather than the process id: a process in another container may have the same one.
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until a file is on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
