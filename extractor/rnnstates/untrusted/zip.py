"""Reads zip archives of unknown origin: each member once, unencrypted, about as large as declared.

Nothing is ever extracted to disk. ``.keras``, ``.npz`` and PyTorch's files are such archives.
"""

import contextlib
import errno
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadData, MissingInput

__all__ = ["check_member", "is_zip", "open_zip", "read_member", "zip_members", "zip_names"]

# Weights barely compress; a zip bomb compresses a thousandfold.
MOST_COMPRESSION = 100
# Up to this size any compression is accepted: a page of zeros is honest.
SMALL = 2**20
MOST_MEMBERS = 10_000
# Of the directory: enough for as many members with names of hundreds of characters; zipfile makes an object per entry.
LARGEST_DIRECTORY = 8 * 2**20
LONGEST_REASON = 200
# What zipfile raises for damaged archives; NotImplementedError for an unknown compression or version.
DAMAGED = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error, lzma.LZMAError, ValueError)


def is_zip(path: str | os.PathLike[str]) -> bool:
    """Return whether a file starts like a zip archive."""
    with Path(path).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def zip_names(path: str | os.PathLike[str]) -> list[str] | None:
    """List the members of an archive; None if the file is not one, empty if its directory is damaged.

    Raises
    ------
    MissingInput
        Its disk fails.
    """
    if not is_zip(path):
        return None
    try:
        with _opened(path) as archive:
            return archive.namelist()
    except DAMAGED as reason:
        _check_disk(path, reason)
        return []


@contextlib.contextmanager
def open_zip(path: str | os.PathLike[str], error: type[BadData]) -> Iterator[zipfile.ZipFile]:
    """Open an archive; damage inside it is reported while it is open too.

    Raises
    ------
    error
        It is damaged.
    MissingInput
        Its disk fails.
    """
    try:
        with _opened(path) as archive:
            yield archive
    except _TooLargeError as reason:
        raise error(
            f"{path}: a zip archive with a directory of {reason} bytes; expected at most {LARGEST_DIRECTORY} for "
            f"{MOST_MEMBERS} members. Save the recurrent layers and their embedding alone."
        ) from reason
    except DAMAGED as reason:
        _check_disk(path, reason)
        # The reason may quote a member's name: up to 64 KiB.
        shown = str(reason)[:LONGEST_REASON]
        raise error(
            f"{path}: a zip archive that cannot be read ({shown}); expected a complete one. Copy or save it again."
        ) from reason


def _check_disk(path: str | os.PathLike[str], reason: BaseException) -> None:
    """Report a failing disk as such; ``zipfile`` reports some of its errors as damage."""
    for known in (reason, reason.__context__):
        # EINVAL: in a damaged file zipfile seeks before the start.
        if isinstance(known, OSError) and known.errno not in (None, errno.EINVAL):
            raise MissingInput(f"{path}: cannot be read ({known.strerror}). Check the file and its disk.") from reason


class _TooLargeError(zipfile.BadZipFile):
    """A directory larger than any honest archive's."""


class _File(io.BufferedReader):
    """A file that limits the size of ``zipfile``'s reads until it has read the directory."""

    has_directory = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.has_directory and size is not None and size > LARGEST_DIRECTORY:
            raise _TooLargeError(size)
        return super().read(size)


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    with _File(Path(path).open("rb", buffering=0)) as file, zipfile.ZipFile(file) as archive:
        file.has_directory = True
        yield archive


def zip_members(
    archive: zipfile.ZipFile, path: str | os.PathLike[str], error: type[BadData]
) -> dict[str, zipfile.ZipInfo]:
    """List the members by name.

    Raises
    ------
    error
        A name is there twice, there are more than any honest archive has, or one extends beyond the archive.
    """
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(infos) > MOST_MEMBERS or len(set(names)) != len(names):
        raise error(f"{path}: a zip archive with a member twice, or more than {MOST_MEMBERS}; it is refused.")
    size = Path(path).stat().st_size
    for info in infos:
        # zipfile allocates the declared size before it reads.
        if info.header_offset + info.compress_size > size:
            raise error(
                f"{path}: member {info.filename}: {info.compress_size} bytes at byte {info.header_offset}; expected "
                f"them to end before the archive does, at {size}. It is cut short or damaged, save it again."
            )
    return dict(zip(names, infos, strict=True))


def check_member(info: zipfile.ZipInfo, path: str | os.PathLike[str], error: type[BadData], *, most: int) -> None:
    """Check what the directory says about a member; nothing is unpacked.

    Parameters
    ----------
    info : ZipInfo
    path : str or path
        The archive, for messages.
    error : type
    most : int
        Bytes it may have.

    Raises
    ------
    error
        It is encrypted, larger than that, or unpacks to far more than is stored.
    """
    where = f"{path}: member {info.filename}"
    if info.flag_bits & 1:
        raise error(f"{where}: is encrypted; expected an unencrypted file. Save it again.")
    if info.file_size > SMALL and info.file_size > MOST_COMPRESSION * max(info.compress_size, 1):
        raise error(
            f"{where}: unpacks {info.compress_size} bytes to {info.file_size}; weights do not compress so well; it is "
            "refused."
        )
    if info.file_size > most:
        raise error(f"{where}: has {info.file_size} bytes; expected at most {most}. Extract it and give that file.")


def read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | os.PathLike[str], error: type[BadData], *, most: int
) -> bytes:
    """Read a whole member, after ``check_member``."""
    check_member(info, path, error, most=most)
    with archive.open(info) as file:
        # zipfile returns no more than the directory declares; one byte more checks that it ends there.
        return file.read(info.file_size + 1)
