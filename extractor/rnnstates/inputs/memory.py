"""``Source`` for an in-memory array; nothing is copied."""

from ..arrays.axes import Stored
from ..errors import BadInput
from ..untrusted.given import as_array
from .base import Bare
from .form import PADDED, Form
from .identity import identify, sample_array
from .layout import check_layout, dtype_notes
from .writers import doubt_of

__all__ = ["MemorySource"]


class MemorySource(Bare):
    """An array, used as it is; see ``Source`` for the attributes.

    Parameters
    ----------
    inputs : numeric [N, T, I] or [N, T]
        Anything that ``np.asarray`` converts to such an array.
    form : Form

    Raises
    ------
    OptionError
        ``axes`` does not fit.
    BadInput
        It is ragged, masked, or not a numeric array of this shape.
    """

    def __init__(self, inputs: object, *, form: Form = PADDED) -> None:
        self.name = "inputs"
        array = as_array(inputs, "inputs", BadInput, "Pad the sequences to one length and give the lengths.")
        self.axes = form.axes_of(array.shape, array.dtype, self.name)
        self.doubt = None if self.axes.is_given else doubt_of(inputs, self.axes.letters, self.name)
        self._array = self.axes.turn(array) if self.axes.letters else array
        self.shape, self.dtype = self._array.shape, self._array.dtype
        check_layout(self.axes, self.dtype, self.name, tokens=form.tokens)
        self.rows_together = self.steps_together = 1
        self.notes = dtype_notes(self.shape, self.dtype, self.name)
        self.identity = identify("memory", self.shape, self.dtype, **sample_array(array), **self.axes.identity())

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as a read-only array [rows, steps, ...] in native byte order."""
        block = self._array[rows, steps]
        block = block.astype(block.dtype.newbyteorder("="), copy=False).view()
        block.flags.writeable = False
        return block

    def check_unchanged(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Do nothing; the array is the caller's."""
