"""Keeps the sequences of an iterator on disk while a run lasts: their number is unknown before the last one."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, WriteFailed
from ..untrusted.given import as_array
from ..untrusted.npy import MAGIC
from .base import Source
from .form import ONE, ONE_OF_NUMBERS, Form
from .identity import identify
from .layout import ACCEPTED, KINDS, is_numeric
from .npy import NpySource
from .packed import PackedSource
from .ragged import MEND

__all__ = ["spool"]

# The header of the array is written last, into space of this many bytes.
HEADER = 256

# The steps of a sequence, of one number or of features.
Steps = Annotated[npt.NDArray[Any], "_ ..."]


def spool(sequences: Iterator[Any], folder: Path, form: Form) -> Source:
    """Write sequences one after another to a file without a name, and open it.

    Parameters
    ----------
    sequences : iterator of numeric [length, I], or [length] token ids or single features
        All with as many features; one is in memory at a time.
    folder : Path
        On a disk that holds them all.
    form : Form

    Returns
    -------
    Source
        It identifies itself by its values, as arrays in memory do.

    Raises
    ------
    BadInput
        Something is no such sequence, or there is none.
    WriteFailed
        The disk is full or failing.
    """
    with _translated(folder):
        # Without a name, so that nothing is left behind if the process is killed.
        file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed below
    with file:
        lengths, first = _write(sequences, file, folder)
        axes = ONE if first.ndim > 1 else ONE_OF_NUMBERS
        whole = NpySource(f"/dev/fd/{file.fileno()}", form=Form(form.tokens, axes, form.univariate, form.features))
    whole.name = "inputs"
    source = PackedSource(whole, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    known = {name: whole.identity[name] for name in ("size", "sample_sha256")}
    source.identity = identify("memory", source.shape, source.dtype, **known)
    return source


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise WriteFailed(
            f"inputs=: an iterator's sequences cannot be kept in {folder} ({reason.strerror}); they need as much space "
            "there as they have bytes. Free some, or write them with rnnstates.write_inputs."
        ) from reason


def _write(sequences: Iterator[Any], file: BinaryIO, folder: Path) -> tuple[list[int], Steps]:
    """Write a .npy; return the lengths, and the first sequence."""
    with _translated(folder):
        file.write(b"\0" * HEADER)
    lengths: list[int] = []
    first = None
    for row, given in enumerate(sequences):
        array = as_array(given, f"inputs: row {row}", BadInput, MEND)
        first = array if first is None else first
        _check(array, first, row)
        with _translated(folder):
            file.write(np.ascontiguousarray(array, first.dtype).data)
        lengths.append(len(array))
    if first is None:
        raise BadInput("inputs: an iterator that gives no sequence; expected at least one. Was it used before?")
    with _translated(folder):
        file.seek(0)
        file.write(_header(first.dtype, (sum(lengths), *first.shape[1:])))
        file.flush()
    return lengths, first


def _check(array: Steps, first: Steps, row: int) -> None:
    where = f"inputs: row {row}"
    if not is_numeric(array.dtype) and array.dtype.kind != "b":
        kind = KINDS.get(array.dtype.kind, "no numbers")
        raise BadInput(f"{where}: dtype {array.dtype} ({kind}); expected {ACCEPTED}. Convert it with .astype.")
    if array.ndim not in (1, 2):
        raise BadInput(f"{where}: shape {array.shape}; expected (steps, features), or (steps,) for token ids.")
    if array.shape[1:] != first.shape[1:]:
        raise BadInput(f"{where}: shape {array.shape}, but row 0 has {first.shape}; expected sequences of one width.")
    if not np.can_cast(array.dtype, first.dtype, "safe"):
        raise BadInput(
            f"{where}: dtype {array.dtype} does not fit {first.dtype}, that of row 0; expected one dtype for all. "
            "Convert them with .astype."
        )


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the start of a .npy of version 1, with spaces up to the values."""
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    text = repr(described).encode("latin1").ljust(HEADER - 11) + b"\n"
    return MAGIC + b"\x01\x00" + len(text).to_bytes(2, "little") + text
