"""The last place where a failing call of the operating system becomes an error of ours.

Where more is known of a file, an error is raised there; this is for every other call on a path that the caller gave:
any of them may fail on a failing disk or an unreachable server.
"""

import errno
import functools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .errors import BadData, MissingInput, RnnstatesError
from .output.failures import FULL, translated
from .output.names import PARTIAL, names_of

__all__ = ["documented", "says_why"]

P = ParamSpec("P")
R = TypeVar("R")


def documented(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function raise errors of ours where the operating system fails."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RnnstatesError as reason:
            _name_as_given(reason, kwargs.get("output", args[0] if args else None))
            raise
        except OSError as reason:
            if reason.errno == errno.EPIPE:
                # A closed pipe is that of the caller: progress that is printed.
                raise
            written = kwargs.get("output", args[0] if function.__name__ == "clean" and args else None)
            error = says_why(reason, given=(*args, *kwargs.values()), written=written)
            _name_as_given(error, written)
            raise error from reason
        except ValueError as reason:
            if "embedded null" not in str(reason):
                raise
            named = _first_path(tuple(one for one in (*args, *kwargs.values()) if _has_null(one)))
            raise MissingInput(f"{named!r}: no file can have a name with a null byte. Check the path.") from reason
        except RuntimeError as reason:
            where = _first_path((*args, *kwargs.values()))
            # What pathlib makes of an error of the system.
            if isinstance(looped := reason.__context__, OSError) and looped.errno == errno.ELOOP:
                raise says_why(looped, given=(where,)) from reason
            # What h5py raises where HDF5 cannot close a file.
            if not _is_of_hdf5(reason):
                raise
            raise MissingInput(f"{where}: HDF5 fails ({reason}). Check the disk.") from reason

    return wrapped


def _name_as_given(error: RnnstatesError, output: object) -> None:
    """Let a message call an output, and what stands beside it, as the caller does: both are used by absolute names."""
    if not isinstance(output, str | os.PathLike):
        return
    with suppress(OSError, ValueError, RuntimeError):
        names = names_of(os.fspath(output).removesuffix(PARTIAL))
        absolute, given = str(names.output), str(names.given)
        error.args = tuple(one.replace(absolute, given) if isinstance(one, str) else one for one in error.args)


def _is_of_hdf5(reason: RuntimeError) -> bool:
    trace = reason.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def says_why(reason: OSError, *, given: tuple[Any, ...] = (), written: object = None) -> RnnstatesError:
    """Give the error of ours for a call that failed.

    Parameters
    ----------
    reason : OSError
    given : tuple
        What the caller gave; the first path is named where the system names none.
    written : path or None
        What was to be made.
    """
    path = reason.filename if isinstance(reason.filename, str | bytes | os.PathLike) else None
    where = os.fsdecode(path) if path else _first_path(given)
    if reason.errno in (*FULL, errno.EROFS) or (_is_path(written) and _is_beside(where, written)):
        return translated(reason, names_of(where).output)
    if reason.errno is None:
        return BadData(f"{where}: cannot be read ({reason}); it is damaged, or its disk fails. Copy or make it again.")
    return MissingInput(f"{where}: cannot be read ({reason.strerror}). Check the file, its disk and its permissions.")


def _first_path(given: tuple[Any, ...]) -> str:
    return next((os.fsdecode(one) for one in given if _is_path(one)), "a file")


def _is_path(given: object) -> bool:
    return isinstance(given, str | os.PathLike)


def _has_null(given: object) -> bool:
    return _is_path(given) and "\0" in os.fsdecode(given)  # type: ignore[arg-type]


def _is_beside(where: str, output: Any) -> bool:
    try:
        return Path(where).absolute() in {Path(name).absolute() for name in (output, *names_of(output))}
    except (OSError, ValueError, RuntimeError):
        return False
