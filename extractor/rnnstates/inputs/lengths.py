"""Determines which steps of each sequence count, by lengths, a mask, the value of the padding, or the model."""

import os
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ..arrays.axes import AllLengths, ReadMask, Stored
from ..errors import BadLengths, OptionError
from .base import Source
from .counts import Counted, find_lengths, no_numbers
from .layout import is_numeric
from .lengths_check import check_lengths
from .mask import MASK, MEND, Marks, MaskTally, tally_marks
from .named import places
from .padding_value import PaddingValue, marked, parse_padding_value, steps_before_padding

__all__ = ["FULL", "MODEL", "Masking", "ValidSteps", "is_word", "read_lengths", "valid_steps"]

FULL, MODEL = "full", "model"


class ValidSteps(NamedTuple):
    """Which steps of each sequence count.

    Parameters
    ----------
    lengths : int64 [N]
        Each from 0 to T.
    padding : str
        The side of the padding: ``post`` or ``pre``.
    found : str
        How they were found, for the record.
    notes : tuple of str
        What was found, one sentence each.
    """

    lengths: AllLengths
    padding: str
    found: str
    notes: tuple[str, ...] = ()


class Masking(Protocol):
    """What a model itself masks, such as a ``StepMask``."""

    @property
    def where(self) -> str:
        """What masks, for messages."""

    @property
    def tokens(self) -> bool:
        """Whether it masks by token ids."""

    def counts(self, block: Stored) -> ReadMask:
        """Return which steps of inputs [R, S, I] or [R, S] are not masked: bool [R, S]."""


def is_word(lengths: object) -> bool:
    """Return whether lengths are one of the words: ``full``, ``model``, ``trailing:…``, ``leading:…``."""
    return isinstance(lengths, str) and (lengths in (FULL, MODEL) or parse_padding_value(lengths) is not None)


def read_lengths(
    lengths: object,
    source: Source,
    *,
    padding: str = "post",
    model: Masking | str = "",
    inputs_path: str | os.PathLike[str] | None = None,
) -> ValidSteps:
    """Read and check the lengths.

    Parameters
    ----------
    lengths : None, str, path or array [N], [N, 1] or mask [N, T]
        None: those that the sequences are stored with, else the dataset ``lengths`` next to the input: in its group,
        else in the nearest enclosing one. ``full``: every step counts. ``trailing:VALUE``, ``leading:VALUE``: all but
        the steps at that end whose features all have this value. ``model``: what the model itself masks. A name: a
        dataset of the file, else a .npy or text file. Whole numbers of any dtype, or a mask: booleans, or zeros and
        ones, in the order of the input's axes.
    source : Source
        The input they belong to.
    padding : str
        The side of the padding as stated. With ``post``, the default of every caller, a mask or value that says
        otherwise decides.
    model : Masking or str
        What the weights say that the model masks; a text says why they say nothing.
    inputs_path : str, path or None
        The input's path; a file of lengths next to it is suggested, never used unasked.

    Returns
    -------
    ValidSteps

    Raises
    ------
    BadLengths
        None are given, or they do not fit this input.
    OptionError
        ``padding`` contradicts them.
    MissingInput
        The file is absent or unreadable.
    """
    is_full = isinstance(lengths, str) and lengths == FULL
    if source.lengths is not None and (lengths is None or is_full):
        if not is_full:
            _check_beside(source)
        return ValidSteps(source.lengths, padding, "stored")
    if (value := parse_padding_value(lengths)) is not None:
        return _by_value(value, source, padding)
    if isinstance(lengths, str) and lengths == MODEL:
        return _by_model(model, source, padding)
    found = None if is_full else find_lengths(lengths, source, source.shape[0])
    if found is None and (is_full or source.axes.is_one_sequence):
        return ValidSteps(np.full(source.shape[0], source.shape[1], np.int64), padding, FULL)
    if found is None:
        raise _missing(source, inputs_path)
    given = _as_mask(found, source)
    if isinstance(given, Marks):
        return _by_mask(given, source, padding)
    return ValidSteps(check_lengths(given, source), padding, "given")


def _check_beside(source: Source) -> None:
    """Refuse lengths next to sequences without padding that are others than theirs."""
    found = find_lengths(None, source, source.shape[0])
    if isinstance(found, Marks):
        _refuse_unpadded(f"{found.where}: a mask", source)
    elif found is not None:
        check_lengths(found, source)


def _by_value(value: PaddingValue, source: Source, padding: str) -> ValidSteps:
    _refuse_unpadded(value.word, source)
    if padding == "pre" != value.side:
        raise OptionError(
            f'{value.word}: is padding after the valid steps, but padding="pre" says that it comes before them; '
            f"expected one side. Leave padding= out, or give {value.word.replace('trailing', 'leading')}."
        )
    lengths, side, end = steps_before_padding(source, value), value.side, "ends" if value.side == "post" else "begins"
    note = f"takes {_share(lengths, source)} for padding."
    if bool((lengths == source.shape[1]).all()):
        note, side = f"no sequence {end} with a step of this value, so every step counts.", padding
    return ValidSteps(lengths, side, value.word.partition("=")[2].strip('"'), (f"{value.word}: {note}",))


def _share(lengths: AllLengths, source: Source) -> str:
    """Say how many steps do not count."""
    sequences, steps = source.shape[:2]
    padded, shorter = sequences * steps - int(lengths.sum()), int(np.count_nonzero(lengths < steps))
    return f"{padded} of {sequences * steps} steps in {shorter} of {sequences} sequences"


def _by_model(model: Masking | str, source: Source, padding: str) -> ValidSteps:
    word = f'lengths="{MODEL}"'
    _refuse_unpadded(word, source)
    if isinstance(model, str):
        raise BadLengths(
            f"{word}: {model or 'the weights say no mask'}; expected a Keras model whose recurrent layer follows a "
            "Masking layer or an Embedding with mask_zero=True. Give the lengths."
        )
    if model.tokens != (len(source.shape) == 2):
        kinds = ("token ids (N, T)", "numbers (N, T, I)")
        wanted, given = kinds if model.tokens else kinds[::-1]
        raise BadLengths(f"{word}: {model.where} masks {wanted}, but {source.name} holds {given}. Give the lengths.")
    tally = MaskTally(source.shape[0], f"{word}, {model.where}: ", BadLengths, MEND)
    for first, mask in marked(source, model.counts, word):
        tally.add(first, mask)
    found = valid_steps(tally, padding, f"{word}, {model.where}", MODEL)
    return found._replace(notes=(f"{word}: {model.where} masks {_share(found.lengths, source)}.", *found.notes))


def _by_mask(marks: Marks, source: Source, padding: str) -> ValidSteps:
    _refuse_unpadded(f"{marks.where}: a mask", source)
    axes = marks.axes_for(source)
    if axes is None:
        raise _other_shape(marks, source)
    found = valid_steps(tally_marks(marks, axes, source.shape[0]), padding, marks.where, "mask")
    inverted = "If True or 1 marks its padding, give the opposite."
    return found._replace(notes=tuple(f"{note} {inverted}" for note in found.notes))


def valid_steps(tally: MaskTally, padding: str, where: str, found: str) -> ValidSteps:
    """Compare what a mask says with the stated side of the padding.

    Parameters
    ----------
    tally : MaskTally
    padding : str
        As for ``read_lengths``.
    where : str
        The mask, for messages.
    found : str
        For the record.

    Raises
    ------
    OptionError
        ``padding="pre"``, but the mask says otherwise.
    """
    side = tally.side or padding
    if padding == "pre" != side:
        raise OptionError(
            f'{where}: masks the last steps of sequence {tally.sides[side]}, but padding="pre" says that the padding '
            "comes before the valid steps; expected one side. Leave padding= out."
        )
    if side == padding:
        return ValidSteps(tally.lengths, side, found)
    note = f'{where}: masks the first steps of the shorter sequences, so they are read as with padding="pre".'
    return ValidSteps(tally.lengths, side, found, (note,))


def _refuse_unpadded(what: str, source: Source) -> None:
    if source.lengths is not None:
        raise BadLengths(
            f"{what}, but {source.name} is stored without padding, so every step of its {source.shape[0]} sequences "
            "counts; expected no mask and no padding value. Leave lengths= out."
        )


def _as_mask(found: Counted | Marks, source: Source) -> Counted | Marks:
    """Return a row or column of numbers as a mask if it has the shape of one and not of lengths."""
    if isinstance(found, Marks):
        return found
    values = found.values
    marks = Marks(found.where, values.shape, values.dtype, values)
    is_column = values.size == source.shape[0]
    fits = len(values.shape) == 2 and not is_column and marks.axes_for(source) is not None
    return marks if fits and is_numeric(values.dtype) else found


def _other_shape(marks: Marks, source: Source) -> BadLengths:
    count, steps = source.shape[:2]
    if len(marks.shape) == 1:
        return no_numbers(marks.dtype, str(marks.dtype), marks.where)
    if source.axes.is_one_sequence:
        return BadLengths(
            f"{marks.where}: shape {marks.shape}; expected one length per sequence, or a mask of one sequence of "
            f"{steps} steps. {MASK}"
        )
    turned = " It is turned." if marks.shape in ((steps, count), (count, steps)) else ""
    return BadLengths(
        f"{marks.where}: shape {marks.shape}; expected ({count},), one length per sequence, or a mask of "
        f"{count} sequences and {steps} steps.{turned} {MASK}"
    )


def _missing(source: Source, inputs_path: str | os.PathLike[str] | None) -> BadLengths:
    missing = f"{source.name}: no lengths given"
    if source.container is not None:
        listed = " or ".join(f"'{place}'" for place in places(source.container, "lengths"))
        missing = f"{source.container.path}: no {source.container.noun} {listed}"
    return BadLengths(
        f"{missing}; expected one length per sequence. Name them with lengths={_beside(source, inputs_path)}, or pass "
        'lengths="full" if every step counts.'
    )


def _beside(source: Source, inputs_path: str | os.PathLike[str] | None) -> str:
    path = inputs_path or source.identity["path"]
    if not isinstance(path, str | os.PathLike):
        return ""
    stem = Path(path).with_suffix("")
    for candidate in (f"{stem}_lengths.npy", f"{stem}.lengths.npy", f"{stem}_lengths.txt"):
        if Path(candidate).is_file():
            return f" (such as {candidate}, which is next to it)"
    return ""
