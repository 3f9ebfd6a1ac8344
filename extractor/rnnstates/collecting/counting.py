"""Decides which steps count: as the caller says, else as the model masks, else all."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..errors import BadInput, BadLengths, OptionError
from ..extraction.agreement import Notes
from ..inputs.lengths import read_lengths
from ..inputs.named import beside
from .feeding import Feed, FileRows

__all__ = ["Counted", "Masks", "count", "note_padding", "steps_of"]


class Counted(NamedTuple):
    """The length of each sequence, and the side of its padding."""

    lengths: npt.NDArray[np.int64]
    padding: str


def steps_of(shapes: dict[str, int]) -> int:
    """Return T, from the steps of each layer by its path.

    Raises
    ------
    OptionError
        They differ: an output has one time axis.
    """
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"'{path}' {steps}" for path, steps in shapes.items())
        raise OptionError(
            f"the layers have different numbers of steps ({listed}); collect those with the same number together, with "
            "layers=[...]."
        )
    return next(iter(shapes.values()))


def count(lengths: Any, feed: Feed, steps: int, padding: str, masks: "Masks", notes: Notes) -> Counted:
    """Find the lengths.

    Parameters
    ----------
    lengths
        As ``extract`` takes them; None for the dataset ``lengths`` of an HDF5 file, else what the model masks.
    feed : Feed
    steps : int
        T of the recurrent layers; convolutions before them may make it differ from the inputs'.
    padding : str
        The side of the padding if lengths are given.
    masks : Masks
    notes : Notes

    Raises
    ------
    BadLengths, MissingInput
        They cannot be used.
    BadInput
        The model masks steps in between.
    """
    source = _source(feed, steps)
    if lengths is not None or beside(source.container, "lengths", BadLengths) is not None:
        return Counted(read_lengths(lengths, source), padding)
    if not masks.any:
        notes.warn(
            "no lengths are given and the model masks no steps, so every step counts, as it does for the model; if "
            "the inputs are padded, give their lengths."
        )
        return Counted(np.full(feed.sequences, steps, np.int64), padding)
    return masks.counted(feed.sequences)


def note_padding(counted: Counted, steps: int, masked: dict[str, bool], notes: Notes) -> None:
    """Warn about layers that read padding before the steps that count, because the model masks nothing there.

    Parameters
    ----------
    counted : Counted
    steps : int
        T.
    masked : dict
        By the path of each part that reads the padding first: whether it gets a mask.
    notes : Notes
    """
    reading = [path for path, is_masked in masked.items() if not is_masked]
    if reading and (counted.lengths < steps).any():
        notes.warn(
            f"the model masks no steps for {', '.join(reading)}, so padding is read there before the steps that count, "
            "as it is when the model is used."
        )


def _source(feed: Feed, steps: int) -> Any:
    """Return the first input as a source with the layers' steps; its file must not be closed."""
    first = feed.opened[0]
    source = copy.copy(first.source if isinstance(first, FileRows) else first)
    source.shape = (feed.sequences, steps)
    return source


class Masks:
    """What a model masks, gathered batch by batch.

    Parameters
    ----------
    paths : sequence of str
        The layers, by call.
    batches : iterable of (first row, list of masks)
        Read only if needed.
    any : bool
        Whether any layer gets a mask.
    """

    def __init__(self, paths: Sequence[str], batches: Iterable[tuple[int, list[Array | None]]], *, any: bool) -> None:  # noqa: A002
        self._paths, self._batches, self.any = paths, batches, any

    def counted(self, sequences: int) -> Counted:
        """Find lengths and padding.

        Raises
        ------
        OptionError
            Layers get different masks.
        BadInput
            A mask skips steps between valid ones, or rows are padded on different sides.
        """
        lengths = np.zeros(sequences, np.int64)
        sides: set[str] = set()
        for start, masks in self._batches:
            mask = self._one(masks)
            lengths[start : start + len(mask)] = mask.sum(axis=1)
            sides |= {_side(mask, start)}
        sides -= {"both"}
        if len(sides) > 1:
            raise BadInput(f"the model masks the start of some sequences and the end of others; {GIVE}")
        return Counted(lengths, *(sides or {"post"}))

    def _one(self, masks: list[Array | None]) -> Array:
        first, *rest = ((path, mask) for path, mask in zip(self._paths, masks, strict=True))
        for path, mask in rest:
            if (mask is None) != (first[1] is None) or not np.array_equal(np.asarray(mask), np.asarray(first[1])):
                raise OptionError(
                    f"the model masks other steps in '{path}' than in '{first[0]}'; collect one at a time with "
                    "layers=[...], or give lengths."
                )
        assert first[1] is not None
        return first[1]


GIVE = "give lengths=, which say what counts (at a masked step the states stand still)."


def _side(mask: Array, start: int) -> str:
    """Return the side of the padding: ``post``, ``pre``, or ``both`` if it is undetermined."""
    steps, counts = np.arange(mask.shape[1]), mask.sum(axis=1, keepdims=True)
    post, pre = mask == (steps < counts), mask == (steps >= mask.shape[1] - counts)
    if post.all():
        return "both" if pre.all() else "post"
    if pre.all():
        return "pre"
    either = post.all(axis=1) | pre.all(axis=1)
    row = int(np.argmin(either))
    if either.all():
        raise BadInput(f"the model masks the start of some sequences and the end of others; {GIVE}")
    raise BadInput(f"sequence {start + row}: the model masks steps between others that count; {GIVE}")
