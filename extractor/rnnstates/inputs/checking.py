"""Checks the values of valid steps: finite numbers, or token ids within the vocabulary. Pure.

Padding is never checked. A GPU's gather silently returns zeros for an id out of range, so ids are checked here.
"""

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array, ReadIds, ReadLengths, ReadMask
from ..arrays.integers import missing_integer
from ..errors import BadInput

__all__ = ["check_finite", "check_integers", "check_present", "check_tokens"]

# As they are stored, or cast; token ids may be stored as floats.
ReadNumbers = Annotated[Array, "R S I"]
StoredIds = Annotated[npt.NDArray[Any], "R S"]


def check_finite(
    block: ReadNumbers,
    lengths: ReadLengths,
    *,
    first_row: int,
    first_step: int,
    steps: int,
    padding: str,
    where: str,
    original: ReadNumbers | None = None,
) -> None:
    """Refuse NaN and infinity in valid steps.

    Parameters
    ----------
    block : numeric [R, S, I]
        Some rows and steps of the input.
    lengths : int64 [R]
        Valid steps of each row.
    first_row, first_step : int
        Position of the block in the input.
    steps : int
        T of the whole input.
    padding : str
        ``post``: the valid steps come first. ``pre``: last.
    where : str
        The input's name.
    original : numeric [R, S, I] or None
        The block before the cast; a value that is finite there overflowed.

    Raises
    ------
    BadInput
        Names the first (sequence, step, feature) and the number of such values in this block.
    """
    if block.dtype.kind in "iu":
        return
    least = None if original is None else missing_integer(original.dtype)
    if original is not None and least is not None:
        valid = _valid(block.shape[1], lengths, first_step, steps, padding)
        _refuse_missing(original, valid, first_row, first_step, where, least=least)
    finite = np.isfinite(block)
    if bool(finite.all()):
        return
    # In place: a window is large.
    wrong = np.logical_not(finite, out=finite)
    wrong &= _valid(block.shape[1], lengths, first_step, steps, padding)[:, :, np.newaxis]
    if not wrong.any():
        return
    row, step, feature = _first(wrong)
    place = f"{where}: sequence {first_row + row}, step {first_step + step}, feature {feature}"
    if original is not None and bool(np.isfinite(original[row, step, feature])):
        count = int(np.count_nonzero(wrong & np.isfinite(original)))
        raise BadInput(
            f"{place} is {original[row, step, feature]}, which does not fit {block.dtype} "
            f"({_extent(count, first_row, len(block))}). Scale the inputs, or compute with "
            'precision="float64".'
        )
    count = int(np.count_nonzero(wrong if original is None else wrong & ~np.isfinite(original)))
    raise BadInput(
        f"{place} is {block[row, step, feature]} ({_extent(count, first_row, len(block))}); expected finite numbers in "
        "every valid step. Clean them, check the lengths, or pass allow_nonfinite=True."
    )


def _refuse_missing(
    original: ReadNumbers, valid: ReadMask, first_row: int, first_step: int, where: str, *, least: int
) -> None:
    """Refuse the integer that stands for a missing value."""
    if not original.size or original.min() != least:
        return
    wrong = (original == least) & valid[:, :, np.newaxis]
    if wrong.any():
        row, step, feature = _first(wrong)
        raise BadInput(
            f"{where}: sequence {first_row + row}, step {first_step + step}, feature {feature} is {least} "
            f"({_extent(int(np.count_nonzero(wrong)), first_row, len(original))}), which R writes for NA, and to which "
            "NaN is cast; expected numbers. Save missing values as floating-point NaN and clean them, or "
            "pass allow_nonfinite=True to accept it as a number."
        )


def check_present(block: Annotated[Array, "R ..."], *, first_row: int, where: str) -> None:
    """Refuse the integer that stands for a missing value anywhere in rows [R, ...].

    Raises
    ------
    BadInput
        Names the first (sequence, step, feature).
    """
    least = missing_integer(block.dtype)
    if least is not None and block.size:
        cube = block.reshape(len(block), block.shape[1] if block.ndim > 1 else 1, -1)
        _refuse_missing(cube, np.ones(cube.shape[:2], bool), first_row, 0, where, least=least)


def check_integers(
    block: StoredIds,
    lengths: ReadLengths,
    *,
    dtype: np.dtype[Any],
    first_row: int,
    first_step: int,
    steps: int,
    padding: str,
    where: str,
) -> None:
    """Refuse numbers in valid steps that an integer dtype cannot hold.

    Parameters
    ----------
    block : numeric [R, S]
    lengths, first_row, first_step, steps, padding, where
        As for ``check_finite``.
    dtype : dtype
        The integer dtype.

    Raises
    ------
    BadInput
        Names the first (sequence, step), its value, and the number of such values in this block.
    """
    limits = np.iinfo(dtype)
    wrong = _valid(block.shape[1], lengths, first_step, steps, padding) & ~_are_whole(block, limits.min, limits.max)
    if wrong.any():
        place, value, extent = _described(wrong, block, first_row, first_step)
        raise BadInput(
            f"{where}: {place} has {value} ({extent}), which the model would change, because it reads "
            f"{dtype}; expected whole numbers from {limits.min} to {limits.max}. Check the inputs and the lengths."
        )


def _are_whole(values: StoredIds, least: int, most: int) -> ReadMask:
    """Return which values are whole numbers within bounds: bool [...]."""
    if values.dtype.kind == "f":
        # The bounds may exceed float16.
        values = values.astype(np.promote_types(values.dtype, np.float64))
    right: ReadMask = (values >= least) & (values <= most)
    return right & (values == np.trunc(values)) if values.dtype.kind == "f" else right


def _described(wrong: ReadMask, block: StoredIds, first_row: int, first_step: int) -> tuple[str, Any, str]:
    """Return the place and value of the first wrong element of a block [R, S], and their number."""
    row, step = _first(wrong)
    extent = _extent(int(np.count_nonzero(wrong)), first_row, len(block))
    return f"sequence {first_row + row}, step {first_step + step}", block[row, step], extent


def check_tokens(
    block: StoredIds,
    lengths: ReadLengths,
    *,
    vocabulary: int,
    first_row: int,
    first_step: int,
    steps: int,
    padding: str,
    where: str,
) -> ReadIds:
    """Refuse ids outside the vocabulary in valid steps; zero the padding.

    Parameters
    ----------
    block : numeric [R, S]
        Token ids: whole numbers, possibly stored as floats.
    lengths : int64 [R]
        Valid steps of each row.
    vocabulary : int
        Rows of the embedding; ids are 0 to ``vocabulary - 1``.
    first_row, first_step, steps, padding, where
        As for ``check_finite``.

    Returns
    -------
    int64 [R, S]

    Raises
    ------
    BadInput
        Names the first (sequence, step), its value, and the number of such values in this block.
    """
    valid = _valid(block.shape[1], lengths, first_step, steps, padding)
    wrong = valid & ~_are_whole(block, 0, vocabulary - 1)
    if wrong.any():
        place, value, extent = _described(wrong, block, first_row, first_step)
        raise BadInput(
            f"{where}: {place} has token id {value} ({extent}); expected whole numbers from 0 to {vocabulary - 1}, the "
            "rows of the embedding. Check the inputs and the lengths, or use the weights these ids were made for."
        )
    return np.where(valid, block, 0).astype(np.int64)


def _valid(width: int, lengths: ReadLengths, first_step: int, steps: int, padding: str) -> ReadMask:
    """Return the mask of the valid steps of a block, bool [R, S]."""
    step = first_step + np.arange(width)
    bound = lengths[:, np.newaxis]
    mask: ReadMask = step < bound if padding == "post" else step >= steps - bound
    return mask


def _first(wrong: Annotated[npt.NDArray[np.bool_], "..."]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.unravel_index(int(np.argmax(wrong)), wrong.shape))


def _extent(count: int, first_row: int, rows: int) -> str:
    return f"{count} such in sequences {first_row} to {first_row + rows - 1}"
