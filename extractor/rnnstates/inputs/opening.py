"""Opens what a user gives as input as a ``Source``, by content rather than suffix."""

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ..errors import BadInput, OptionError
from ..untrusted.foreign import KINDS, Wanted, kind_of_path, refuse_foreign
from ..untrusted.hdf5 import SIGNATURE, is_hdf5
from ..untrusted.missing import missing_reported, open_file
from ..untrusted.npy import MAGIC
from .base import Source
from .content import FIRST_BYTES, of_another_kind
from .form import PADDED, Form
from .memory import MemorySource
from .npy import NpySource
from .stream import StreamSource

__all__ = ["OPENERS", "open_source"]


class Opener(Protocol):
    """Opens one kind of file."""

    def __call__(
        self,
        path: str | os.PathLike[str],
        *,
        dataset: str | None = None,
        form: Form = PADDED,
    ) -> Source:
        """Open the file or raise ``MissingInput``, ``BadInput`` or ``OptionError``."""


# Their modules are imported for such files only, so that others start faster.
def _open_hdf5(path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> Source:
    from .hdf5_series import open_in_hdf5

    return open_in_hdf5(path, dataset=dataset, form=form)


def _open_table(path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> Source:
    from .arrow.source import ColumnSource

    return ColumnSource(path, dataset=dataset, form=form)


def _open_zarr(path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> Source:
    from .zarr import ZarrSource

    return ZarrSource(path, dataset=dataset, form=form)


def _open_zip(path: str | os.PathLike[str], *, dataset: str | None = None, form: Form = PADDED) -> Source:
    from .npz import NpzSource

    if kind_of_path(path) is KINDS["zarr"]:
        return _open_zarr(path, dataset=dataset, form=form)
    return NpzSource(path, dataset=dataset, form=form)


ZIP = b"PK\x03\x04"
TABLES = (b"PAR1", b"ARROW1")
# From the first bytes of a file to what opens it.
OPENERS: dict[bytes, Opener] = {
    MAGIC: NpySource,
    SIGNATURE: _open_hdf5,
    ZIP: _open_zip,
    **dict.fromkeys(TABLES, _open_table),
}

EXPECTED = "a .npy, .npz, HDF5, Zarr, Parquet or Arrow file"


def open_source(inputs: object, *, dataset: str | None = None, form: Form = PADDED) -> Source:
    """Open the input sequences.

    Parameters
    ----------
    inputs : str, path, binary stream, array or sequences
        A .npy, .npz, HDF5, Zarr, Parquet or Arrow file (its content decides), a .npy stream (anything with ``read``),
        sequences of different lengths in memory (see ``lists``), or numbers in memory: of the forms that ``form``
        allows.
    dataset : str or None
        Which dataset of an HDF5 file, or column of a table (``dataset=``); None: ``inputs``, else the only one that
        fits.
    form : Form
        What is known about the input.

    Raises
    ------
    MissingInput
        The file is absent, a directory or unreadable.
    BadInput
        It holds no sequences.
    OptionError
        ``dataset`` is given, but the input has no datasets; ``form.axes`` does not fit it.
    """
    if isinstance(inputs, str | os.PathLike):
        return _open_path(inputs, dataset=dataset, form=form)
    if dataset is not None:
        raise OptionError(
            f"dataset={dataset!r}: names a dataset, but the input is not an HDF5 file; leave dataset= out."
        )
    if isinstance(inputs, io.TextIOBase):
        raise BadInput("inputs=: is a text stream; expected a binary one. Open the file with open(path, 'rb').")
    if hasattr(inputs, "read"):
        return StreamSource(cast("BinaryIO", inputs), form=form)
    from .lists import open_list_of

    return open_list_of(inputs, form) or MemorySource(inputs, form=form)


def _open_pipe(file: BinaryIO, name: str, *, dataset: str | None, form: Form) -> Source:
    try:
        if dataset is not None:
            raise OptionError(f"{name}: dataset={dataset!r} names a dataset, but this is a pipe; leave dataset= out.")
        return StreamSource(file, name=name, form=form, owned=True)
    except BaseException:
        file.close()
        raise


def _open_path(path: str | os.PathLike[str], *, dataset: str | None, form: Form) -> Source:
    with missing_reported(path, EXPECTED):
        # Folders too, and .npy files with several arrays.
        refuse_foreign(path, EXPECTED, Wanted.INPUTS, BadInput)
        is_store = Path(path).is_dir() and kind_of_path(path) is KINDS["zarr"]
    if is_store:
        return _open_zarr(path, dataset=dataset, form=form)
    file = open_file(path, EXPECTED, pipes=True)
    if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        # A named pipe, as the shell makes for <(...), cannot be opened twice.
        return _open_pipe(file, str(path), dataset=dataset, form=form)
    with file, missing_reported(path, EXPECTED):
        start = file.read(FIRST_BYTES)
    for magic, opener in OPENERS.items():
        if start.startswith(magic):
            return opener(path, dataset=dataset, form=form)
    if is_hdf5(path):
        return OPENERS[SIGNATURE](path, dataset=dataset, form=form)
    raise of_another_kind(path, start, EXPECTED, BadInput)
