"""Lengths from the value of the padding: ``trailing:0`` or ``leading:nan``."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths, ReadLengths, ReadMask, Stored
from ..errors import BadLengths, OptionError
from .base import Source
from .stream import StreamSource

__all__ = ["PaddingValue", "marked", "parse_padding_value", "steps_before_padding"]

WORD = re.compile(r"(trailing|leading):(.*)", re.DOTALL)
SIDES = {"trailing": "post", "leading": "pre"}
# Bytes of the input, and steps of it, that are held at a time.
PIECE, MOST_STEPS = 8 * 2**20, 4 * 2**20

# From values as they are stored to whether each step counts.
Counts = Callable[[Stored], ReadMask]
# Whether each value is one of padding.
Same = Annotated[npt.NDArray[np.bool_], "R S *features"]


class PaddingValue(NamedTuple):
    """The value of all features of a padded step.

    Parameters
    ----------
    side : str
        ``post`` if the padding comes after the valid steps, ``pre`` if before them.
    value : int or float
        NaN for NaN.
    word : str
        The option, for messages.
    """

    side: str
    value: float
    word: str

    def counts(self, block: Stored) -> ReadMask:
        """Return which steps of [R, S, I] or [R, S] differ from padding, wherever they are: bool [R, S]."""
        return np.asarray(~_same(block, self.value).reshape(*block.shape[:2], -1).all(axis=2))


def parse_padding_value(lengths: object) -> PaddingValue | None:
    """Read such a word; None for anything else.

    Raises
    ------
    OptionError
        What follows the colon is no number.

    Examples
    --------
    >>> parse_padding_value("leading:-1")
    PaddingValue(side='pre', value=-1, word='lengths="leading:-1"')
    """
    found = WORD.fullmatch(lengths) if isinstance(lengths, str) else None
    if found is None:
        return None
    side, text = found.groups()
    try:
        # Python would take 1_0 for 10.
        value = float(text.replace("_", "?"))
    except ValueError as reason:
        raise OptionError(
            f"lengths={lengths!r}: {text[:40]!r} is no number; expected the value of the padding, such as "
            f'lengths="{side}:0" or lengths="{side}:nan". A file of this name is given as ./{side}:….'
        ) from reason
    # Token ids may exceed the whole numbers that a float can hold.
    whole = int(text) if re.fullmatch(r"\s*[+-]?\d{1,19}\s*", text) else value
    return PaddingValue(SIDES[side], whole, f'lengths="{side}:{text.strip()}"')


def steps_before_padding(source: Source, padding: PaddingValue) -> AllLengths:
    """Count the steps of each sequence without its padding: steps at its end whose features all have this value.

    One pass over the input, in bounded memory. A step with this value between others counts.

    Parameters
    ----------
    source : Source
        Any but a stream.
    padding : PaddingValue

    Returns
    -------
    int64 [N]

    Raises
    ------
    BadLengths
        It is a stream.
    """
    lengths: AllLengths = np.zeros(source.shape[0], np.int64)
    for first, counts in marked(source, padding.counts, padding.word):
        lengths[first : first + len(counts)] = _whole(counts if padding.side == "post" else counts[:, ::-1])
    return lengths


def marked(source: Source, counts: Counts, word: str) -> Iterator[tuple[int, ReadMask]]:
    """Read a whole input and yield some rows at a time: the number of the first one, and which steps count.

    Parameters
    ----------
    source : Source
        Any but a stream.
    counts : callable
        From stored values [R, S, I] or [R, S] to bool [R, S].
    word : str
        The option, for messages.

    Yields
    ------
    int, bool [R, T]

    Raises
    ------
    BadLengths
        It is a stream.
    """
    if isinstance(source, StreamSource):
        raise BadLengths(
            f"{source.name}: {word} needs all inputs before the first state is computed, but a stream is read once; "
            "expected a file. Save it to one, or give its lengths."
        )
    sequences, total = source.shape[:2]
    row_count, step_count = _piece(source)
    for start in range(0, sequences, row_count):
        rows = slice(start, min(start + row_count, sequences))
        mask: ReadMask = np.empty((rows.stop - start, total), bool)
        for step in range(0, total, step_count):
            steps = slice(step, min(step + step_count, total))
            mask[:, steps] = counts(source.read(rows, steps))
        yield start, mask


def _piece(source: Source) -> tuple[int, int]:
    """Return how many rows and steps are read at a time: whole chunks where they are small enough."""
    step_bytes = max(1, math.prod(source.shape[2:]) * source.dtype.itemsize)
    total = max(1, source.shape[1])
    rows = max(1, min(PIECE // (total * step_bytes), MOST_STEPS // total))
    rows = max(rows - rows % source.rows_together, min(source.rows_together, max(1, MOST_STEPS // total)))
    steps = max(1, PIECE // (rows * step_bytes))
    return rows, max(steps - steps % source.steps_together, min(steps, source.steps_together))


def _whole(counts: ReadMask) -> ReadLengths:
    """Return the number of steps up to the last one that counts: bool [R, T] to int64 [R]."""
    steps = counts.shape[1]
    last = steps - counts[:, ::-1].argmax(axis=1) if steps else np.zeros(len(counts), np.int64)
    return np.where(counts.any(axis=1), last, 0).astype(np.int64)


def _same(block: Stored, value: float) -> Same:
    """Compare with a value in the dtype of the array; NaN equals NaN."""
    if math.isnan(value):
        return np.asarray(np.isnan(block))
    values: npt.NDArray[Any] = block
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            cast = values.dtype.type(value)
        if np.isinf(cast) and not math.isinf(value):
            return np.zeros(values.shape, bool)
        return np.asarray(values == cast)
    return np.asarray(values == value)
