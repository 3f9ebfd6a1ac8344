"""The sequences of each input of a run, with their lengths and ids."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput, OptionError
from ..inputs import open_ids, open_source, read_lengths
from ..inputs.base import Source
from ..inputs.carried import Carried
from ..inputs.form import Form
from ..inputs.ids import Ids
from ..inputs.layout import IdsWithoutTable
from ..inputs.lengths import FULL, ValidSteps, is_word
from ..inputs.packed import PackedSource, cut, is_packed
from ..network.model import Network
from .problems import Problems
from .request import Options

__all__ = ["Sequences", "check_inputs", "close_all", "open_inputs", "read_sequences"]

GLOB = "*?["


class Sequences(NamedTuple):
    """The sequences of an input, or of a run.

    Parameters
    ----------
    source : Source
    valid : ValidSteps
    ids : Ids or None
    carried : tuple of Carried
        What is copied into the output; the numbers of chosen rows too.
    """

    source: Source
    valid: ValidSteps
    ids: Ids | None
    carried: tuple[Carried, ...] = ()


def open_inputs(inputs: object, lengths: object, options: Options, network: Network | None) -> list[Source]:
    """Open one input, or each of several paths; a path with ``*``, ``?`` or ``[`` stands for all files that match.

    Raises
    ------
    MissingInput, BadInput, BadLengths, OptionError, WriteFailed
    """
    paths = _paths(inputs)
    if len(paths) > 1 and not (lengths is None or isinstance(lengths, str)):
        raise OptionError(
            "lengths=: an array cannot be shared by several inputs; expected a name that each of them has, or "
            '"full". Give the lengths in each file.'
        )
    opened: list[Source] = []
    try:
        given: list[object] = [*paths] or [inputs]
        for each in given:
            opened.append(_open(each, lengths, options, network))
            opened[-1] = cut(opened[-1], lengths)
    except BaseException:
        close_all(opened)
        raise
    return opened


def close_all(sources: Sequence[Source]) -> None:
    """Close every source."""
    for source in sources:
        with suppress(OSError):
            source.close()


def check_inputs(inputs: object, lengths: object, options: Options) -> None:
    """Report what is wrong with an input file, when the weights are wrong too.

    Raises
    ------
    MissingInput, BadInput
    """
    for each in _paths(inputs):
        # A stream can be read only once, by the run itself.
        if Path(each).is_file() or not Path(each).exists():
            open_source(each, dataset=options.dataset, form=_form(options, lengths, tokens=True)).close()


def _paths(inputs: object) -> list[str | os.PathLike[str]]:
    """Return the paths that were given; nothing for arrays and streams."""
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(one, str | os.PathLike) for one in inputs):
        return [path for one in inputs for path in _paths(one)]
    if not isinstance(inputs, str | os.PathLike):
        return []
    text = os.fspath(inputs)
    if isinstance(text, str) and any(sign in text for sign in GLOB) and not os.path.lexists(text):
        import glob

        # Not Path.glob, which has no absolute patterns.
        return [*sorted(glob.glob(text))] or [inputs]  # noqa: PTH207
    return [inputs]


def _form(options: Options, lengths: object, *, tokens: bool, features: int | None = None) -> Form:
    counted = lengths is not None
    return Form(tokens, options.axes, options.univariate, features, counted, partial(is_packed, lengths))


def _open(inputs: object, lengths: object, options: Options, network: Network | None) -> Source:
    """Open an input; if it holds token ids, say which tables the weights have and why none is used."""
    tokens = network is not None and network.embedding is not None
    form = _form(options, lengths, tokens=tokens, features=None if network is None else network.features)
    if isinstance(inputs, Iterator) and not hasattr(inputs, "read"):
        return _spooled(inputs, options, form)
    try:
        return open_source(inputs, dataset=options.dataset, form=form)
    except IdsWithoutTable as reason:
        if network is None or not network.no_embedding:
            raise
        raise BadInput(f"{reason.found} Token ids need an embedding. {network.no_embedding}") from reason


def _spooled(sequences: Iterator[object], options: Options, form: Form) -> Source:
    if options.output is None:
        raise OptionError(
            "inputs=: is an iterator, whose sequences are kept beside the output; pass output=, or a list of them."
        )
    from ..inputs.spool import spool

    return spool(sequences, Path(options.output).absolute().parent, form)


def read_sequences(
    sources: Sequence[Source], lengths: object, options: Options, network: Network, problems: Problems
) -> list[Sequences]:
    """Read the lengths and ids of each input, and find what is carried of it.

    Parameters
    ----------
    sources : sequence of Source
        As ``open_inputs`` returns them.
    lengths : object
        As for ``extract``.
    options : Options
    network : Network
        It says what the model masks.
    problems : Problems
        What is wrong with the lengths, the ids and earlier is raised together.

    Raises
    ------
    BadLengths, BadInput, MissingInput, OptionError
    """
    valid: list[ValidSteps] = []
    ids: list[Ids | None] = []
    carried: list[tuple[Carried, ...]] = []
    with problems.gathered():
        valid = [_lengths_of(source, lengths, options.padding, network) for source in sources]
    with problems.gathered():
        if len(sources) > 1 and not (options.ids is None or isinstance(options.ids, str)):
            raise OptionError("ids=: a list cannot be shared by several inputs; give the ids in each file.")
        ids = [open_ids(options.ids, source) for source in sources]
    with problems.gathered():
        carried = [_carried(options.carry, *each) for each in zip(sources, valid, strict=False)]
    problems.raise_all()
    return [Sequences(*each) for each in zip(sources, valid, ids, carried, strict=True)]


def _carried(given: object, source: Source, valid: ValidSteps) -> tuple[Carried, ...]:
    if given is None:
        return ()
    from ..inputs.opening_carried import open_carried

    return open_carried(given, source, valid)


def _lengths_of(source: Source, lengths: object, padding: str, network: Network) -> ValidSteps:
    # Those of packed sequences have been read; they may be offsets.
    is_cut = isinstance(source, PackedSource) and lengths is not None and not is_word(lengths)
    given = FULL if is_cut else lengths
    return read_lengths(given, source, padding=padding, model=network.mask)
