"""Finds the sequences and the initial states that a states file was made from."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput, OptionError
from ..inputs import open_source
from ..inputs.axes import NUMBERS, TOKENS
from ..inputs.base import Source
from ..inputs.form import Form
from ..inputs.identity import sample_file
from ..inputs.initial import open_initial
from ..inputs.initial_states import InitialStates
from ..network.cells import carried, state_width
from ..output.states import States
from ..untrusted.foreign import KINDS, kind_of_path
from ..untrusted.missing import open_file
from .promised import Promise
from .reopening import SEVERAL, NotFound, cut_again, reopen

__all__ = ["Given", "NotFound", "changes", "find_initial", "find_source", "is_readable", "places"]


@dataclass(frozen=True)
class Given:
    """What the caller gives instead of what provenance names; None to use the latter.

    Parameters
    ----------
    inputs, weights, initial_state
        As for ``extract``.
    options : mapping
        Arguments of ``load_weights`` other than the path, instead of the recorded ones.
    """

    inputs: Any = None
    weights: Any = None
    initial_state: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


def places(recorded: str, path: str) -> Iterator[str]:
    """Yield the possible paths of a recorded name: as recorded, and relative to the states file."""
    yield recorded
    if not Path(recorded).is_absolute():
        yield os.fspath(Path(path).parent / recorded)


def is_readable(place: str) -> bool:
    """Return whether a regular file is there and readable; anything else might block or never end."""
    return Path(place).is_file() and os.access(place, os.R_OK)


def _is_store(place: str) -> bool:
    """Return whether a folder of arrays is there, the only folder that is an input."""
    return Path(place).is_dir() and kind_of_path(place) is KINDS["zarr"]


def changes(now: Mapping[str, Any], recorded: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Describe how two identities differ, with both values; empty if they do not.

    Examples
    --------
    >>> changes({"size": 3}, {"size": 4}, ("size",))
    'size is 3, was 4'
    """
    return "; ".join(
        f"{name} is {now.get(name)}, was {recorded.get(name)}" for name in names if now.get(name) != recorded.get(name)
    )


# What identifies an input. Not its modification time: a copy has the same values.
IDENTITY = ("kind", "size", "shape", "dtype", "sample_sha256")
SAMPLE = ("size", "sample_sha256")


def find_source(states: States, path: str, inputs: object, notes: list[str]) -> Source:
    """Open the input.

    Parameters
    ----------
    states : States
    path : str
        Of the states file.
    inputs : path, array or None
        None for the recorded path.
    notes : list of str
        Receives what the user should know.

    Raises
    ------
    NotFound
        There is none at the recorded path, or no path is recorded.
    BadInput
        A different input is there; the message gives both values.
    MissingInput
        ``inputs`` is not there.
    """
    recorded = states.provenance["input"]
    parts = recorded["inputs"] if recorded["kind"] == SEVERAL else [recorded]
    if inputs is None:
        return reopen(states, [_at_its_place(part, states, path) for part in parts])
    given = list(inputs) if len(parts) > 1 and isinstance(inputs, list | tuple) else [inputs]
    if len(given) != len(parts):
        raise BadInput(f"inputs=: {path} was made from {len(parts)} inputs; give them all, in that order.")
    opened = [_given(one, part, states) for one, part in zip(given, parts, strict=True)]
    source = reopen(states, opened)
    try:
        _check(source, recorded, path)
    except BaseException:
        source.close()
        raise
    for one, part in zip(opened, parts, strict=True):
        if found := changes(one.identity, part, _compared(recorded)):
            notes.append(f"{one.name}: is not the file that the states were made from ({found}); compared anyway.")
    return source


def _compared(recorded: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is compared of each input; the recorded shape of one is that of the chosen rows and steps."""
    is_whole = "rows" not in recorded and "steps" not in recorded
    return IDENTITY if is_whole else tuple(name for name in IDENTITY if name != "shape")


def _at_its_place(part: Mapping[str, Any], states: States, path: str) -> Source:
    if not part["path"]:
        kind = "came through a pipe" if part["kind"] == "stream" else "was an array in memory"
        raise NotFound(f"the input {kind}; give it with inputs=FILE")
    there = [place for place in places(part["path"], path) if is_readable(place) or _is_store(place)]
    if not there:
        raise NotFound(f"the input {part['path']} is not there; give it with inputs=FILE")
    for place in there[1:]:
        with contextlib.suppress(BadInput):
            return _recorded(place, part, states, path)
    return _recorded(there[0], part, states, path)


def _recorded(place: str, part: Mapping[str, Any], states: States, path: str) -> Source:
    try:
        source = cut_again(open_source(place, dataset=part.get("dataset"), form=_form_of(part, states)), part, states)
    except (OptionError, BadInput) as reason:
        raise BadInput(
            f"{reason} {path} was made from an input of {part['size']} bytes of {part['kind']}; give that "
            "with inputs=FILE."
        ) from reason
    if not (found := changes(source.identity, part, _compared(states.provenance["input"]))):
        return source
    source.close()
    raise BadInput(
        f"{place}: is not the input that {path} was made from: {found}. Give the original with inputs=FILE, or "
        "extract again."
    )


def _given(inputs: object, part: Mapping[str, Any], states: States) -> Source:
    return cut_again(_open(inputs, part.get("dataset"), _form_of(part, states)), part, states)


def _open(inputs: object, dataset: str | None, form: Form) -> Source:
    """Open what was named: the dataset of the recorded name, else what ``extract`` would take."""
    if dataset is not None and isinstance(inputs, str | os.PathLike):
        try:
            return open_source(inputs, dataset=dataset, form=form)
        except (OptionError, BadInput):
            pass
    return open_source(inputs, form=form)


def _form_of(recorded: Mapping[str, Any], states: States) -> Form:
    """Return the form in which the run read its input."""
    tokens = bool(states.provenance["tokens"])
    usual = NUMBERS if len(recorded["shape"]) == len(NUMBERS) else TOKENS
    axes = str(recorded.get("axes", usual))
    return Form(tokens, axes, univariate=recorded.get("univariate", not tokens and "I" not in axes))


def _check(source: Source, recorded: Mapping[str, Any], path: str) -> None:
    if source.identity["kind"] == "stream":
        raise BadInput(f"{source.name}: a stream, from which single sequences cannot be read; save it to a file.")
    if list(source.shape) != list(recorded["shape"]):
        raise BadInput(
            f"{source.name}: has shape {tuple(source.shape)}; expected {tuple(recorded['shape'])}, the shape of what "
            f"{path} was made from. Give that input."
        )


def find_initial(states: States, promise: Promise, path: str, initial: object) -> InitialStates | None:
    """Open the initial states; None where the run had none.

    Raises
    ------
    NotFound, BadInput, MissingInput
        As ``find_source``.
    OptionError
        Some are given, but the run had none.
    """
    recorded, file = states.provenance["initial_state"], states.provenance["initial_state_file"]
    if recorded is None and initial is None:
        return None
    if recorded is None:
        raise OptionError(f"initial_state=: {path} was made without one; leave it out.")
    wanted = {(part.path, name): state_width(part, name) for part in promise.parts for name in carried(part)}
    chosen = _recorded_initial(recorded["from"], file, path) if initial is None else initial
    return open_initial(chosen, wanted, states.sequences)


def _recorded_initial(name: str, file: Mapping[str, Any] | None, path: str) -> str:
    if file is None:
        raise NotFound("the initial states were arrays in memory; give them with initial_state=FILE")
    problem = ""
    for place in filter(is_readable, places(name, path)):
        with open_file(place, "initial states") as opened:
            found = changes(sample_file(opened), file, SAMPLE)
        if not found:
            return place
        problem = problem or f"{place}: is not the initial state that {path} was made with: {found}."
    if problem:
        raise BadInput(f"{problem} Give the original with initial_state=FILE, or extract again.")
    raise NotFound(f"the initial states {name} are not there; give them with initial_state=FILE")
