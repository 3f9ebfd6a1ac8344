"""Turns options into a job: checks options, then weights, then inputs, each as early as possible. Computes nothing."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..engines.choice import begin
from ..inputs.base import Source
from ..inputs.initial import open_initial
from ..inputs.initial_states import InitialStates
from ..inputs.lengths import MODEL
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
from .sequences import Sequences, check_inputs, close_all, open_inputs, read_sequences

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
    sources = open_inputs(inputs, lengths, options, network)
    try:
        return _plan(sources, lengths, options, request, network)
    except BaseException:
        close_all(sources)
        raise


def _exists(given: object) -> bool:
    """Whether a path exists, or what is given is not a path: the commonest mistake is reported at once."""
    return not isinstance(given, str | os.PathLike) or Path(given).exists()


def _choose(inputs: object, lengths: object, options: Options) -> Network | None:
    """Choose the network; if that fails, also report what is wrong with an input file."""
    problems, network = Problems(), None
    with problems.gathered():
        network = choose_network(options)
    if problems:
        with problems.gathered():
            check_inputs(inputs, lengths, options)
    problems.raise_all()
    return network


def _plan(
    sources: Sequence[Source], lengths: object, options: Options, request: Request, chosen: Network | None
) -> Job:
    """Read lengths and ids, check that everything fits together, and plan the run."""
    notes = Notes()
    for source in sources:
        for note in source.notes:
            notes.say(note)
        note_form(source, notes)
    network = make_random(options, sources[0], notes) if chosen is None else chosen
    for note in undecided(network.notes, _decided(lengths, options)):
        notes.say(note)
    problems = Problems()
    with problems.gathered():
        for source in sources:
            tokens = check_features(source, network, notes, given=chosen is not None)
    with problems.gathered():
        check_states(StoredParts(network, kept_of(network, request.keeping)), request, notes)
    source, valid, ids, copied = _chosen(read_sequences(sources, lengths, options, network, problems), options)
    for note in (*valid.notes, *(each.note for each in copied if each.note)):
        notes.say(note)
    kept = request.keeping.steps
    shape = Shape(valid.lengths, source.shape[1], request.layout, valid.padding, kept, valid.found)
    note_data(source, shape, request, notes, tokens=tokens)
    note_padding(network, shape, notes)
    starts = options.start is not None
    job = plan(source, network, request, shape=shape, ids=ids, tokens=tokens, notes=notes, continued=starts)
    job = replace(job, carried=copied)
    return replace(job, initial=_open_start(options.start, job)) if starts else job


def _chosen(found: Sequence[Sequences], options: Options) -> Sequences:
    if len(found) == 1 and options.rows is None and options.steps is None:
        return found[0]
    # Few runs need it, and all start faster without.
    from .choosing import choose

    return choose(found, options)


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
