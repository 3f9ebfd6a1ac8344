"""What the operating system's errors mean to somebody who wants a file."""

import errno
from pathlib import Path

from ..errors import CannotCreate, OutputError, PermissionDenied, WriteFailed

__all__ = ["FULL", "translated"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REASONS = {errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is larger than may be written there"}


def translated(reason: OSError, path: Path) -> OutputError:
    """Give the error of ours that an OSError over a file amounts to; of the file that it names, if it names one."""
    number, path = reason.errno, Path(reason.filename or path)
    if number in FULL:
        return WriteFailed(
            f"{path}: {_REASONS.get(number, 'the disk is full')}. Free some space, keep less (--states, --dtype "
            "float16, --layout packed), or choose another place."
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(f"{path}: may not be written here ({reason.strerror}); choose another place.")
    if number == errno.ELOOP:
        return CannotCreate(f"{path}: a symbolic link is in the way; remove it.")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
        return CannotCreate(f"{path}: cannot be made there ({reason.strerror}).")
    return WriteFailed(f"{path}: writing failed ({reason.strerror or reason}). Check the disk.")
