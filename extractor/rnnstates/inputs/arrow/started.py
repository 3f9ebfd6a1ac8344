"""Imports pyarrow when a file needs it, and translates its errors."""

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

from ...errors import BadData, EngineUnavailable, RnnstatesError

__all__ = ["Arrow", "arrow_errors", "import_arrow", "is_of"]

# A module, type, array or file of pyarrow, which comes without types.
Arrow: TypeAlias = Any


def import_arrow() -> Arrow:
    """Import pyarrow.

    Raises
    ------
    EngineUnavailable
        It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as reason:
        raise EngineUnavailable(
            f"Parquet and Arrow files need pyarrow ({reason}); pip install 'rnnstates[arrow]', or save the sequences "
            "as .npy or HDF5."
        ) from reason
    return pyarrow


def is_of(kind: Arrow, *names: str) -> bool:
    """Return whether a type is one of those that ``pyarrow.types`` names so; older versions lack some."""
    types = import_arrow().types
    tests = (getattr(types, f"is_{name}", None) for name in names)
    return any(test(kind) for test in tests if test is not None)


@contextlib.contextmanager
def arrow_errors(where: str, error: type[BadData]) -> Iterator[None]:
    """Translate what pyarrow raises for a damaged or unusual file.

    Raises
    ------
    error
    """
    pyarrow = import_arrow()
    try:
        yield
    except RnnstatesError:
        raise
    # The last ones from its own Python code, for names and numbers that no sound file has.
    except (pyarrow.ArrowException, OSError, ValueError, LookupError, OverflowError, TypeError) as reason:
        found = " ".join(str(reason).split())[:300]
        raise error(
            f"{where}: pyarrow cannot read it ({found}); expected a complete, undamaged file. Copy or make it again."
        ) from reason
