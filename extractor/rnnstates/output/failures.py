"""What the operating system's errors mean to somebody who wants a file."""

import errno
import os
from pathlib import Path

from ..errors import CannotCreate, OutputError, PermissionDenied, WriteFailed
from ..untrusted.missing import shown

__all__ = ["FULL", "TOO_MANY", "too_many_files", "translated"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_MANY = (errno.EMFILE, errno.ENFILE)
_REASONS = {errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is larger than may be written there"}


def translated(reason: OSError, path: Path) -> OutputError:
    """Give the error of ours that an OSError over a file amounts to; of the file that it names, if it names one."""
    number, where = reason.errno, shown(os.fsdecode(reason.filename or path))
    if number in FULL:
        return WriteFailed(
            f"{where}: {_REASONS.get(number, 'the disk is full')}. Free some space, keep less "
            '(states=, dtype="float16", layout="packed"), or choose another place.'
        )
    if number in TOO_MANY:
        return WriteFailed(too_many_files(reason))
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(f"{where}: may not be written here ({reason.strerror}); choose another place.")
    if number == errno.ELOOP:
        return CannotCreate(f"{where}: a symbolic link is in the way; remove it.")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
        return CannotCreate(f"{where}: cannot be made there ({reason.strerror}).")
    return WriteFailed(f"{where}: writing failed ({reason.strerror or reason}). Check the disk.")


def too_many_files(reason: OSError) -> str:
    """Say that no file can be opened, whichever it was: the limit is that of the process or of the machine."""
    return f"no more files can be opened ({reason.strerror}); close some, or raise the limit (ulimit -n)."
