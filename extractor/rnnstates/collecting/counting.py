"""Decides which steps count: as the caller says, else as the model masks, else all."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadInput, BadLengths, OptionError
from ..extraction.agreement import Notes
from ..inputs.axes import TOKENS, Axes
from ..inputs.lengths import FULL, MODEL, ValidSteps, read_lengths, valid_steps
from ..inputs.mask import MaskTally
from ..inputs.named import beside
from ..inputs.padding_value import parse_padding_value
from .feeding import Feed, FileRows

__all__ = ["Masks", "count", "note_padding", "steps_of"]

WHERE = "the model's mask"
GIVE = "Give lengths=, which say what counts (at a masked step the states stand still)."


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


def count(lengths: Any, feed: Feed, steps: int, padding: str, masks: "Masks", notes: Notes) -> ValidSteps:
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
    source = _source(feed, steps, lengths)
    is_model = isinstance(lengths, str) and lengths == MODEL
    named = lengths is not None or beside(source.container, "lengths", BadLengths) is not None
    if named and not is_model:
        return read_lengths(lengths, source, padding=padding)
    if masks.any:
        return masks.counted(feed.sequences, padding)
    if is_model:
        raise BadLengths(
            'lengths="model": the model masks no steps of these layers; expected a Masking layer, or an Embedding with '
            "mask_zero=True, before them. Give the lengths."
        )
    notes.warn(
        "no lengths are given and the model masks no steps, so every step counts, as it does for the model; if the "
        "inputs are padded, give their lengths."
    )
    return read_lengths(FULL, source, padding=padding)


def note_padding(counted: ValidSteps, steps: int, masked: dict[str, bool], notes: Notes) -> None:
    """Warn about layers that read padding before the steps that count, because the model masks nothing there.

    Parameters
    ----------
    counted : ValidSteps
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


def _source(feed: Feed, steps: int, lengths: object) -> Any:
    """Return the first input as a source with the layers' steps; its file must not be closed."""
    first = feed.opened[0]
    source: Any = copy.copy(first.source if isinstance(first, FileRows) else first)
    if (value := parse_padding_value(lengths)) is not None:
        if source.shape[1:2] != (steps,):
            raise BadLengths(
                f"{value.word}: {source.name} has shape {source.shape}, but the recurrent layers have {steps} steps; "
                "expected as many in both. Give lengths, in steps of the layers."
            )
        return source
    source.shape = (feed.sequences, steps)
    if not source.axes.letters:
        source.axes = Axes(TOKENS, source.shape, ids=True)
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

    def counted(self, sequences: int, padding: str) -> ValidSteps:
        """Find lengths and padding.

        Raises
        ------
        OptionError
            Layers get different masks, or the masks contradict ``padding="pre"``.
        BadInput
            A mask skips steps between valid ones, or rows are padded on different sides.
        """
        tally = MaskTally(sequences, f"{WHERE}: ", BadInput, GIVE)
        for start, masks in self._batches:
            tally.add(start, np.asarray(self._one(masks), np.bool_))
        return valid_steps(tally, padding, WHERE, MODEL)

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
