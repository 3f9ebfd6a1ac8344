"""Turns options into a job: checks options, then weights, then inputs, each as early as possible. Computes nothing."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..engines.choice import begin
from ..errors import BadInput, OptionError
from ..inputs import open_ids, open_source, read_lengths
from ..inputs.base import Source
from ..inputs.form import Form
from ..inputs.initial import open_initial
from ..inputs.initial_states import InitialStates
from ..inputs.layout import IdsWithoutTable
from ..inputs.lengths import MODEL, is_word
from ..inputs.packed import PackedSource, cut, is_packed
from ..inputs.spool import spool
from ..network.cells import carried, state_width
from ..network.model import Network
from ..network.note import MODEL_MASK, STORED_START, ZERO_START, undecided
from ..output.format import Shape
from ..output.kept.parts import StoredParts
from .agreement import Notes, check_features, check_states, note_data, note_form, note_padding, note_start
from .begun import NOTHING, Begun
from .choose_network import choose_network, make_random
from .job import Job, plan
from .keeping import kept_of
from .problems import Problems
from .request import Options, Request, make_request

__all__ = ["prepare"]


def prepare(
    inputs: object, lengths: object, options: Options, *, begun: Begun = NOTHING, start_engine: bool = False
) -> Job:  # fmt: skip
    """Check and plan a call of ``extract``.

    Parameters
    ----------
    inputs, lengths
        As for ``extract``.
    options : Options
    begun : Begun
        The choices of an unfinished run of the output.
    start_engine : bool
        Whether to start the slow part of the engine in the background meanwhile, if inputs and weights exist.

    Raises
    ------
    OptionError, MissingInput, BadWeights, BadInput, BadLengths, MemoryBudgetError
    """
    request = make_request(options, begun.engine)
    if start_engine and _exists(inputs) and _exists(options.weights):
        # Wrong options have been refused by now; what follows reads files, which takes time.
        begin(request.engine, request.precision)
    network = _choose(inputs, lengths, options)
    source = _open(inputs, lengths, options, network)
    try:
        source = cut(source, lengths)
        return _plan(source, lengths, options, request, network)
    except BaseException:
        source.close()
        raise


def _exists(given: object) -> bool:
    """Whether a path exists, or what is given is not a path: the commonest mistake is reported at once."""
    return not isinstance(given, str | os.PathLike) or Path(given).exists()


def _choose(inputs: object, lengths: object, options: Options) -> Network | None:
    """Choose the network; if that fails, also report what is wrong with an input file."""
    problems, network = Problems(), None
    with problems.gathered():
        network = choose_network(options)
    # A stream can be read only once, by the run itself.
    if problems and isinstance(inputs, str | os.PathLike) and (Path(inputs).is_file() or not Path(inputs).exists()):
        with problems.gathered():
            open_source(inputs, dataset=options.dataset, form=_form(options, lengths, tokens=True)).close()
    problems.raise_all()
    return network


def _form(options: Options, lengths: object, *, tokens: bool, features: int | None = None) -> Form:
    counted = lengths is not None
    return Form(tokens, options.axes, options.univariate, features, counted, partial(is_packed, lengths))


def _open(inputs: object, lengths: object, options: Options, network: Network | None) -> Source:
    """Open the input; if it holds token ids, say which tables the weights have and why none is used."""
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
    return spool(sequences, Path(options.output).absolute().parent, form)


def _plan(source: Source, lengths: object, options: Options, request: Request, chosen: Network | None) -> Job:
    """Read lengths and ids, check that everything fits together, and plan the run."""
    notes = Notes()
    for note in source.notes:
        notes.say(note)
    note_form(source, notes)
    network = make_random(options, source, notes) if chosen is None else chosen
    for note in undecided(network.notes, _decided(lengths, options)):
        notes.say(note)
    problems = Problems()
    with problems.gathered():
        tokens = check_features(source, network, notes, given=chosen is not None)
    with problems.gathered():
        # Those of packed sequences have been read; they may be offsets.
        given = None if isinstance(source, PackedSource) and not is_word(lengths) else lengths
        valid = read_lengths(given, source, padding=request.padding, model=network.mask)
    with problems.gathered():
        ids = open_ids(options.ids, source)
    with problems.gathered():
        check_states(StoredParts(network, kept_of(network, request.keeping)), request, notes)
    problems.raise_all()
    for note in valid.notes:
        notes.say(note)
    kept = request.keeping.steps
    shape = Shape(valid.lengths, source.shape[1], request.layout, valid.padding, kept, valid.found)
    note_data(source, shape, request, notes, tokens=tokens)
    note_padding(network, shape, notes)
    starts = options.start is not None
    job = plan(source, network, request, shape=shape, ids=ids, tokens=tokens, notes=notes, continued=starts)
    return replace(job, initial=_open_start(options.start, job)) if starts else job


def _decided(lengths: object, options: Options) -> tuple[str, ...]:
    """List what notes on weights may be about that has been decided."""
    starts = () if options.start is None else (STORED_START, ZERO_START)
    return (*starts, MODEL_MASK) if isinstance(lengths, str) and lengths == MODEL else starts


def _open_start(start: object, job: Job) -> InitialStates:
    """Open the initial states."""
    wanted = {
        (part, name): state_width(weights, name)
        for part, _, _, weights in job.network.parts()
        for name in carried(weights)
    }
    opened = open_initial(start, wanted, job.shape.sequences, job.ids)
    note_start(opened, job.network, [f"{part}/{name}".strip("/") for part, name in wanted], job.notes)
    return opened
