"""``Source`` for a .npy stream such as standard input: read once, from front to back."""

import contextlib
import io
from typing import BinaryIO

import numpy as np

from ..arrays.axes import Array, Stored, empty_window
from ..errors import BadInput, MissingInput, OptionError, RnnstatesError
from ..untrusted.foreign import FIRST_BYTES, describe
from ..untrusted.hdf5 import SIGNATURE
from ..untrusted.npy import MAGIC, parse_header
from .axes import NUMBERS, TOKENS
from .base import Bare
from .form import PADDED, Form
from .identity import identify
from .layout import check_layout, dtype_notes
from .npy import to_native

__all__ = ["StreamSource"]

PIECE = 2**20


class StreamSource(Bare):
    """A .npy stream in C order; ``read`` needs rows in ascending order. See ``Source`` for the attributes.

    Parameters
    ----------
    stream : binary stream
        Anything with ``read``; never closed here unless ``owned``.
    name : str
        Its name in messages.
    form : Form
        Only the usual orders of axes can be read from front to back.
    owned : bool
        Close it at the end.

    Raises
    ------
    BadInput
        It is not a .npy stream of sequences, is in Fortran order, or ends early or late.
    MissingInput
        Reading fails.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        name: str = "standard input",
        form: Form = PADDED,
        owned: bool = False,
    ) -> None:
        self.name = name
        self._stream, self._owned = _Prefixed(stream, name), owned
        _check_start(self._stream, name)
        header = parse_header(self._stream, name, BadInput)
        self.axes = form.axes_of(header.shape, header.dtype, name)
        if self.axes.is_turned:
            raise OptionError(
                f'{name}: axes="{self.axes.letters}" cannot be read from a stream, where one sequence follows another; '
                f'expected "{NUMBERS}" or "{TOKENS}". Save it to a file.'
            )
        check_layout(self.axes, header.dtype, name, tokens=form.tokens)
        if header.fortran_order:
            raise BadInput(
                f"{name}: the array is in Fortran order, whose rows cannot be read one after another from a stream. "
                "Save it in C order (np.ascontiguousarray), or give it as a file."
            )
        self.shape, self.dtype = self.axes.shape, header.dtype
        self._row_items = int(np.prod(self.shape[1:], dtype=object))
        self._position = 0
        self.rows_together, self.steps_together = 1, max(1, self.shape[1])
        self.notes = dtype_notes(self.shape, self.dtype, self.name)
        self.identity = identify("stream", self.shape, self.dtype)
        if self.shape[0] == 0 or self.shape[1] == 0:
            self._check_end()

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...]; the rows must follow those read before."""
        total, step_bytes = self.shape[1], int(np.prod(self.shape[2:])) * self.dtype.itemsize
        block = empty_window((rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:]), self.dtype)
        if block.shape[1] == total:
            self._fill(block, rows.start * total * step_bytes)
        else:
            for number, row in enumerate(range(rows.start, rows.stop)):
                self._fill(block[number], (row * total + steps.start) * step_bytes)
        if self.axes.is_one_sequence:
            if steps.stop == total:
                self._check_end()
            return to_native(block)
        self._skip_to(rows.stop * total * step_bytes)
        if rows.stop == self.shape[0]:
            self._check_end()
        return to_native(block)

    def first_rows(self, most: int) -> Stored:
        """Return the first rows, in at most so many bytes, before any is read; ``read`` returns them again."""
        row_bytes = self._row_items * self.dtype.itemsize
        content = b"" if self._position else self._stream.peek(min(self.shape[0], most // row_bytes) * row_bytes)
        whole = min(self.shape[0], len(content) // row_bytes)
        return np.frombuffer(content[: whole * row_bytes], self.dtype).reshape(whole, *self.shape[1:])

    def check_unchanged(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Close the stream if it is ours; safe to call twice."""
        if self._owned:
            self._stream.close()

    def _fill(self, contiguous: Array, offset: int) -> None:
        self._skip_to(offset)
        raw = contiguous.reshape(-1).view(np.uint8)
        done = 0
        while done < raw.size:
            piece = self._take(min(PIECE, raw.size - done))
            raw[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)

    def _skip_to(self, offset: int) -> None:
        if offset < self._position:
            raise BadInput(
                f"{self.name}: a stream is read once, from front to back, but an earlier row is needed again. "
                "Save it to a file."
            )
        while self._position < offset:
            self._take(min(PIECE, offset - self._position))

    def _take(self, count: int) -> bytes:
        piece = self._stream.read(count)
        if not piece:
            expected = self.shape[0] * self._row_items * self.dtype.itemsize
            raise BadInput(
                f"{self.name}: cut short; shape {self.shape} of {self.dtype} takes {expected} bytes, found "
                f"{self._position}. Did the program that writes it fail?"
            )
        self._position += len(piece)
        return piece

    def _check_end(self) -> None:
        if self._stream.read(1):
            raise BadInput(
                f"{self.name}: more bytes follow the array of shape {self.shape}; expected one array. "
                "Join the arrays into one (np.concatenate)."
            )


class _Prefixed:
    """A stream whose first bytes can be inspected before they are read; failures become our errors."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        if isinstance(stream, io.TextIOBase):
            raise BadInput(f"{name}: opened as text; expected bytes. Pass its .buffer, or open it in mode 'rb'.")
        self._stream, self._name = stream, name
        self._first = b""

    def peek(self, count: int) -> bytes:
        """Return the first bytes, fewer if the stream ends; ``read`` returns them again."""
        while len(self._first) < count:
            more = self._read(count - len(self._first))
            if not more:
                break
            self._first += more
        return self._first

    def glance(self, count: int) -> bytes:
        """Return the first bytes, as many as are available without waiting for the stream to end."""
        more = getattr(self._stream, "read1", None)
        with contextlib.suppress(Exception):
            piece = more(count) if more else self._stream.read(count) if isinstance(self._stream, io.RawIOBase) else b""
            self._first += piece if isinstance(piece, bytes) else b""
        return self._first

    def read(self, count: int, /) -> bytes:
        """Return up to ``count`` bytes; nothing at the end."""
        if self._first:
            piece, self._first = self._first[:count], self._first[count:]
            return piece
        return self._read(count)

    def close(self) -> None:
        self._stream.close()

    def _read(self, count: int) -> bytes:
        try:
            piece = self._stream.read(count)
        except (MemoryError, RnnstatesError):
            raise
        # A decompressing stream, such as gzip's or a zip's, raises errors of its own.
        except Exception as reason:
            why = str(reason) or type(reason).__name__
            if isinstance(reason, ValueError) or getattr(reason, "errno", None) is not None:
                raise MissingInput(f"{self._name}: cannot be read ({why}).") from reason
            raise BadInput(
                f"{self._name}: cannot be read ({why}); it is damaged or cut short. Copy or make it again."
            ) from reason
        if piece is not None and not isinstance(piece, bytes):
            raise BadInput(f"{self._name}: its read() gives {type(piece).__name__}; expected bytes.")
        return piece or b""


def _check_start(stream: _Prefixed, name: str) -> None:
    # Every .npy is at least this long, so this never waits in vain.
    start = stream.peek(len(SIGNATURE))
    if start.startswith(SIGNATURE):
        raise BadInput(f"{name}: HDF5, which cannot be read from a stream because it must seek. Give it as a file.")
    if not start.startswith(MAGIC):
        raise BadInput(f"{name}: {describe(stream.glance(FIRST_BYTES), 'a .npy stream')}")
