"""Wraps public functions: turns errors of the operating system that nobody handled into errors of ours.

Code that knows more about a file raises its own errors; this handles every other call on a path given by the caller:
any of them may fail on a failing disk or an unreachable server. What the caller's own function raises is unchanged.
"""

import errno
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..errors import BadData, MemoryBudgetError, MissingInput, OptionError, RnnstatesError
from ..errors.articles import with_article
from ..output.names import PARTIAL, names_of
from ..output.system import FULL, TOO_MANY, too_many_files, translated
from ..untrusted.missing import is_no_name

__all__ = ["documented", "says_why"]

P = ParamSpec("P")
R = TypeVar("R")

# Parameters that may be paths, the most important first; and the words among their values that are not paths.
PATHS = (
    *("inputs", "path", "model", "output", "weights", "lengths", "ids", "initial_state"),
    *("config", "save_weights", "destination"),
)
NO_PATHS = ("full", "zero")
# Functions that only read their output.
READERS = ("status", "export")
# Python's message.
NO_THREAD = "can't start new thread"
# Raised by the operating system, and by Python on its behalf.
FAILURES = (OSError, ValueError, RuntimeError)


class _OfCallerError(BaseException):
    """Carries an error of the caller's function past all handlers of our errors."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def documented(function: Callable[P, R], name: str = "") -> Callable[P, R]:
    """Make a public function raise errors of ours where the operating system fails.

    Parameters
    ----------
    function : callable
    name : str
        Its name in ``rnnstates``, where pickle finds it; its own name if empty.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            texts: Any = [_as_text(one) for one in args]
            named: Any = {name: _as_text(one) for name, one in kwargs.items()}
            if callable(progress := named.get("progress")):
                named["progress"] = functools.partial(_call, progress)
            # A caller who makes NumPy raise errors (numpy.seterr) means their own arithmetic.
            with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
                return function(*texts, **named)
        except _OfCallerError as carried:
            error = carried.error
        except (RnnstatesError, *FAILURES) as reason:
            given = _paths(inspect.signature(function).bind_partial(*args, **kwargs).arguments)
            written = None if function.__name__ in READERS else given.get("output")
            ours = reason if isinstance(reason, RnnstatesError) else _error_of_ours(reason, given, written)
            if ours is not None:
                _name_as_given(ours, given.get("output", given.get("path")))
            if ours is None or ours is reason:
                raise
            raise ours from reason
        raise error

    wrapped.__module__ = __name__.partition(".")[0]
    wrapped.__name__ = wrapped.__qualname__ = name or function.__name__
    return wrapped


def _call(function: Callable[..., Any], *args: object) -> None:
    try:
        function(*args)
    except Exception as error:
        raise _OfCallerError(error) from None


def _as_text(given: object) -> Any:
    """Decode a path of bytes, such as an entry of ``os.scandir(b".")``; return anything else unchanged."""
    if not isinstance(given, os.PathLike):
        return given
    try:
        path = os.fspath(given)
    # The object's own __fspath__ may raise anything.
    except Exception as reason:
        kind = with_article(type(given).__name__)
        raise OptionError(f"{kind} gives no path ({reason}); expected a str or pathlib.Path.") from reason
    return given if isinstance(path, str) else Path(os.fsdecode(path))


def _paths(given: Mapping[str, Any]) -> dict[str, Any]:
    """Select the arguments that may be paths."""
    return {
        name: given[name]
        for name in PATHS
        if isinstance(given.get(name), str | os.PathLike) and given[name] not in NO_PATHS
    }


def _name_as_given(error: RnnstatesError, output: Any) -> None:
    """Make a message name an output, and files next to it, as the caller did: internally both have absolute names."""
    if output is None:
        return
    with suppress(OSError, ValueError, RuntimeError, TypeError):
        names = names_of(os.fspath(output).removesuffix(PARTIAL))
        absolute, given = str(names.output), str(names.given)
        error.args = tuple(one.replace(absolute, given) if isinstance(one, str) else one for one in error.args)


def _error_of_ours(reason: Exception, given: Mapping[str, Any], written: object) -> RnnstatesError | None:
    """Return the error of ours for a failed call; None if it was not a call on a file."""
    paths = tuple(given.values())
    if isinstance(reason, OSError):
        # A closed pipe belongs to the caller, who prints notices.
        return None if reason.errno == errno.EPIPE else says_why(reason, given=paths, written=written)
    if isinstance(reason, ValueError):
        wrong = [os.fspath(path) for path in paths if is_no_name(path)]
        return MissingInput(f"{wrong[0]!r}: no file can have that name ({reason}). Check the path.") if wrong else None
    # How pathlib reports an error of the system.
    if isinstance(looped := reason.__context__, OSError) and looped.errno == errno.ELOOP:
        return says_why(looped, given=paths)
    if str(reason) == NO_THREAD:
        return MemoryBudgetError(
            "the system starts no more threads for this user or job (ulimit -u, or the limit of the container); "
            "threads=1 needs the fewest, with OPENBLAS_NUM_THREADS=1 in the environment."
        )
    # Raised by h5py when HDF5 cannot close a file.
    if isinstance(reason, RuntimeError) and _is_of_hdf5(reason):
        return MissingInput(f"{_first(paths)}: HDF5 fails ({reason}). Check the disk.")
    return None


def _is_of_hdf5(reason: RuntimeError) -> bool:
    trace = reason.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def says_why(reason: OSError, *, given: tuple[Any, ...] = (), written: object = None) -> RnnstatesError:
    """Return the error of ours for a failed call.

    Parameters
    ----------
    reason : OSError
    given : tuple
        The caller's paths; the first is named if the system names none.
    written : path or None
        The output to be made.
    """
    path = reason.filename if isinstance(reason.filename, str | bytes | os.PathLike) else None
    where = os.fsdecode(path) if path else _first(given)
    if reason.errno in (*FULL, errno.EROFS) or (written is not None and _is_beside(where, written)):
        return translated(reason, _output_of(where))
    if reason.errno in TOO_MANY:
        return MissingInput(too_many_files(reason))
    if reason.errno is None:
        return BadData(f"{where}: cannot be read ({reason}); it is damaged, or its disk fails. Copy or make it again.")
    return MissingInput(f"{where}: cannot be read ({reason.strerror}). Check the file, its disk and its permissions.")


def _first(given: tuple[Any, ...]) -> str:
    return next(map(os.fsdecode, given), "a file")


def _output_of(where: str) -> Path:
    # The failed call may be the one that resolves links.
    try:
        return names_of(where).output
    except OSError:
        return Path(where)


def _is_beside(where: str, output: Any) -> bool:
    try:
        return Path(where).absolute() in {Path(name).absolute() for name in (output, *names_of(output))}
    except (OSError, ValueError, RuntimeError):
        return False
