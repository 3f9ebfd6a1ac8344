"""``Source`` for several inputs, one after another: their sequences are those of one run."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.axes import Stored, empty_window
from ..errors import BadInput
from .axes import NUMBERS, TOKENS, Axes
from .base import Bare, Source

__all__ = ["Joined"]


class Joined(Bare):
    """The sequences of several sources; see ``Source`` for the attributes.

    Parameters
    ----------
    sources : sequence of Source
        At least one; they are closed with this source.
    padding : str
        ``post`` or ``pre``: the side on which shorter inputs are padded.

    Raises
    ------
    BadInput
        They have different features.
    """

    def __init__(self, sources: Sequence[Source], padding: str = "post") -> None:
        first = sources[0]
        for other in sources[1:]:
            if other.shape[2:] != first.shape[2:]:
                raise BadInput(
                    f"{other.name}: {_width(other)}, but {first.name}: {_width(first)}; expected inputs of one width."
                )
        self._sources, self._padding = tuple(sources), padding
        self._starts = np.concatenate([[0], np.cumsum([source.shape[0] for source in sources])]).tolist()
        steps = max(source.shape[1] for source in sources)
        self.shape = (self._starts[-1], steps, *first.shape[2:])
        self.dtype = np.result_type(*{source.dtype for source in sources}).newbyteorder("=")
        self.name = first.name if len(sources) == 1 else f"{len(sources)} inputs, {first.name} and others"
        self.axes = Axes(TOKENS if len(self.shape) == 2 else NUMBERS, self.shape, ids=len(self.shape) == 2)
        self.doubt = next((source.doubt for source in sources if source.doubt is not None), None)
        owned = [source.lengths for source in sources if source.lengths is not None]
        self.lengths = np.concatenate(owned) if len(owned) == len(sources) else None
        self.rows_together = 1
        self.steps_together = max(source.steps_together for source in sources)
        self.notes = tuple(note for source in sources for note in source.notes)
        self.identity: dict[str, Any] = {
            "kind": "several", "path": None, "size": None, "mtime_ns": 0, "sample_sha256": None,
            "shape": list(self.shape), "dtype": self.dtype.str, "inputs": [source.identity for source in sources],
        }  # fmt: skip

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...], zero where an input has fewer steps."""
        block = empty_window((rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:]), self.dtype)
        for source, start in zip(self._sources, self._starts, strict=False):
            first, last = max(rows.start, start), min(rows.stop, start + source.shape[0])
            shift = self.shape[1] - source.shape[1] if self._padding == "pre" else 0
            begin, end = max(steps.start - shift, 0), min(steps.stop - shift, source.shape[1])
            if first < last and begin < end:
                here = slice(begin + shift - steps.start, end + shift - steps.start)
                part = source.read(slice(first - start, last - start), slice(begin, end))
                block[first - rows.start : last - rows.start, here] = part
        return block

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if a file has changed since it was opened."""
        for source in self._sources:
            source.check_unchanged()

    def close(self) -> None:
        """Close the files; safe to call twice."""
        for source in self._sources:
            source.close()


def _width(source: Source) -> str:
    return f"{source.shape[2]} features per step" if len(source.shape) > 2 else "token ids"
