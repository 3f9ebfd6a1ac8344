"""What can be wrong with a file before a byte of it is read, told in one way."""

import contextlib
import os
from collections.abc import Iterator

from .errors import MissingInput

__all__ = ["missing_told"]


@contextlib.contextmanager
def missing_told(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """Turn what Python raises over a file that cannot be opened into an error of ours.

    Parameters
    ----------
    path : str or path
    expected : str
        What sort of file, e.g. ``"a .npy or HDF5 file"``.

    Raises
    ------
    MissingInput
        It is absent, a directory or unreadable, or no file can have that name.
    """
    try:
        yield
    except FileNotFoundError as reason:
        raise MissingInput(f"{path}: no such file; expected {expected}. Check the path.") from reason
    except IsADirectoryError as reason:
        raise MissingInput(f"{path}: a directory; expected {expected}. Name the file itself.") from reason
    except PermissionError as reason:
        raise MissingInput(f"{path}: may not be read; check its permissions.") from reason
    except (OSError, ValueError) as reason:
        raise MissingInput(f"{str(path)!r}: cannot be opened ({reason}); expected {expected}.") from reason
