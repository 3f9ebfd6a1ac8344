"""Checks that input, weights and options fit together, and collects the notices about them."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import BadInput, OptionError
from ..errors.articles import with_article
from ..inputs.axes import transposed
from ..inputs.base import Source
from ..inputs.initial_states import InitialStates
from ..inputs.sides import seems_turned
from ..network.cells import available
from ..network.fingerprint import fingerprint
from ..network.model import Network
from ..output.format import Shape
from ..output.kept.parts import HasParts
from .memory import MUCH
from .request import DEFAULT_STATES, Request

__all__ = [
    "Notes",
    "check_features",
    "check_states",
    "note_data",
    "note_form",
    "note_padding",
    "note_start",
    "note_whole",
]

logger = logging.getLogger("rnnstates")


class Notes(list[str]):
    """Notices about a run; each is logged when it is found, and stored in the output."""

    def say(self, text: str) -> None:
        """Add a notice."""
        self.append(text)
        logger.info(text)

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.append(text)
        logger.warning(text)


def check_features(source: Source, network: Network, notes: Notes, *, given: bool = True) -> bool:
    """Check the input's width; return whether it holds token ids.

    Parameters
    ----------
    source : Source
    network : Network
    notes : Notes
    given : bool
        Whether the weights were given, so that their width says something about the input.

    Raises
    ------
    BadInput
        The width is wrong, or nothing tells in which order the axes are stored.
    """
    if source.doubt is not None:
        order = source.axes.letters
        if not given or not source.doubt.is_settled(order, source.shape, network.features):
            raise BadInput(f"{source.doubt} Say which it is.")
        notes.warn(f'{source.doubt} Read as axes="{order}", the order in which a step has {network.features} features.')
    if len(source.shape) == 2:
        return True
    if source.shape[2] != network.features:
        raise BadInput(
            f"{source.name}: has {source.shape[2]} features per step, but layer '{network.layers[0].name}' reads "
            f"{network.features}; give inputs of shape (N, T, {network.features})"
            + (", or token ids of shape (N, T)." if network.embedding is not None else ".")
            + transposed(source, "I", network.features)
        )
    if network.embedding is not None:
        notes.say(f"{source.name}: already has the embedding's width; the embedding is not used.")
    return False


def check_states(network: HasParts, request: Request, notes: Notes) -> None:
    """Refuse a state that no layer has; a state that some layers lack is omitted there, with a notice.

    Raises
    ------
    OptionError
    """
    for state in request.computed:
        lacking = [
            (layer.name, weights.cell) for _, layer, _, weights in network.parts() if state not in available(weights)
        ]
        if not lacking:
            continue
        name, cell = lacking[0]
        asked = _asked(state, request)
        if len(lacking) == len(list(network.parts())) and asked:
            had = ", ".join(dict.fromkeys(s for _, _, _, weights in network.parts() for s in available(weights)))
            raise OptionError(f"{asked}: no layer has it; layer '{name}' is {with_article(cell)}. Available: {had}.")
        notes.say(f"layer '{name}' is {with_article(cell)}, which has no state '{state}'; it is omitted there.")


def _asked(state: str, request: Request) -> str:
    """Return the argument that names a state; "" if only the default does."""
    by_pool = (f"pool={word!r}" for word in request.pool if word.startswith(f"{state}:"))
    by_default = state not in request.states or tuple(request.states) == DEFAULT_STATES
    return next(by_pool, "" if by_default else f"states={state!r}")


def note_padding(network: Network, shape: Shape, notes: Notes) -> None:
    """Warn if the model itself reads padding before the valid steps, because it does not mask them."""
    first_met = "backward" if shape.padding == "post" else "forward"
    reading = [
        layer.name for _, layer, direction, _ in network.parts() if layer.masked is False and direction == first_met
    ]
    if reading and (shape.lengths < shape.steps).any():
        named = ", ".join(f"'{name}'" for name in dict.fromkeys(reading))
        notes.warn(
            f"the model masks no steps for {named}, so its own {first_met} direction reads padding before the valid "
            'steps; here the lengths decide, and no padding is read. lengths="full" gives what the model computes.'
        )


def note_form(source: Source, notes: Notes) -> None:
    """Say how an array was read that has fewer axes than (N, T, I), unless the caller stated it."""
    axes = source.axes
    if axes.is_given or (axes.ids and not axes.is_one_sequence):
        return
    sequences, steps = source.shape[:2]
    if axes.is_one_sequence and source.lengths is not None:
        total = int(source.lengths.sum())
        notes.say(f"{source.name}: read as {sequences} sequences that follow one another, {total} steps in all.")
    elif axes.is_one_sequence:
        notes.say(f"{source.name}: read as one sequence of {steps} steps.")
    elif "I" not in axes.letters:
        notes.say(f"{source.name}: read as {sequences} sequences of one feature per step.")


def note_data(source: Source, shape: Shape, request: Request, notes: Notes, *, tokens: bool) -> None:
    """Add notices about what is unusual in the sequences."""
    if shape.sequences == 0:
        notes.warn(f"{source.name}: has no sequences; the output is valid and empty.")
    if not tokens and source.dtype.kind == "f" and source.dtype.itemsize > request.computing.itemsize:
        kept = "keeps them" if source.dtype.itemsize <= 8 else "rounds them less"
        notes.say(
            f"{source.name}: {source.dtype.name} inputs are computed in {request.precision}; "
            f'precision="float64" {kept}.'
        )
    if seems_turned(source, shape.lengths, shape.padding):
        other = "pre" if shape.padding == "post" else "post"
        notes.warn(
            f"{source.name}: the shorter sequences begin with one constant value for as many steps as they are padded, "
            f'and their padding is not constant; is it on the other side? padding="{other}" reads it so.'
        )
    empty = int(np.count_nonzero(shape.lengths == 0))
    if empty:
        notes.warn(
            f"{empty} of {shape.sequences} sequences have length 0: their states are zero and their pooled values NaN."
        )


def note_start(opened: InitialStates, network: Network, wanted: Sequence[str], notes: Notes) -> None:
    """Add notices: which states start at zero or as trained, and whether the given ones belong to other weights.

    Parameters
    ----------
    opened : InitialStates
    network : Network
    wanted : sequence of str
        Names of all states that the network carries.
    notes : Notes
    """
    missing = sorted(set(wanted) - set(opened.named()))
    learned = {f"{part}/{name}".strip("/") for part, _, _, weights in network.parts() for name in weights.initial}
    for taken, names in (
        ("zero", [name for name in missing if name not in learned]),
        ("the trained one", [name for name in missing if name in learned]),
    ):
        if names:
            notes.say(f"no initial state is given for {', '.join(names)}; {taken} is used.")
    then, now = (_called(origin) for origin in (opened.provenance.get("weights"), network.origin))
    known = opened.provenance.get("identity")
    same = isinstance(known, dict) and known.get("weights") == fingerprint(network)
    if then and now and then[1] != now[1] and not same:
        notes.warn(
            f"{opened.where}: has states of other weights ({then[0]}) than those of this run ({now[0]}); this is right "
            "only if both are the same network."
        )


def _called(origin: object) -> tuple[str, object] | None:
    """Return a name for weights and what identifies them; None if nothing does."""
    found = origin if isinstance(origin, Mapping) else {}
    if "sha256" in found:
        return f"{found.get('file')}, SHA-256 {str(found['sha256'])[:12]}…", found["sha256"]
    random = found.get("random")
    if not isinstance(random, Mapping):
        return None
    return "random " + ", ".join(f"{name} {random[name]}" for name in sorted(random)), random


def note_whole(source: Source, least: int, longest: int, notes: Notes) -> None:
    """Add a notice of the bytes needed to hold the longest sequence whole, if they are many."""
    # For one thread: notes are stored, and nothing stored may depend on the number of threads.
    if least > MUCH:
        notes.say(
            f"{source.name}: layers read both directions of the layer below, so each sequence is held whole: "
            f"about {least / 2**30:.1f} GiB per thread for the longest, of {longest} steps."
        )
