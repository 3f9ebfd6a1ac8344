"""Makes the provenance of a states file: how, from what and by what it was made."""

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np

from ..engines.base import Engine
from ..engines.stack import Stack
from ..inputs.identity import sample_file
from ..inputs.initial_states import InitialStates
from ..output.carried import HasEntries, digest_of, path_of
from ..output.format import Shape
from ..output.kept.described import described
from ..output.kept.parts import HasParts, Kept, StoredParts
from ..runtime.tensorflow_start import version_of_tensorflow
from ..version import __version__
from .request import Request

__all__ = ["NOT_STARTED", "Computing", "provenance_of"]


class Identified(Protocol):
    """An input, as it is recorded."""

    @property
    def identity(self) -> dict[str, object]:
        """What tells it from other inputs."""


class HasOrigin(HasParts, Protocol):
    """A network, as it is recorded."""

    @property
    def origin(self) -> Mapping[str, object]:
        """Where it comes from."""


class Gridded(Protocol):
    """How an input is cut, as it is recorded."""

    def as_dict(self) -> dict[str, int]:
        """Return it in JSON types."""


class Described(Protocol):
    """A ``Job``, or anything else that makes an output; the properties are those of ``Job``."""

    @property
    def request(self) -> Request:
        """The options of the run."""

    @property
    def source(self) -> Identified:
        """The input, whose ``identity`` is recorded."""

    @property
    def network(self) -> HasOrigin:
        """The network, whose ``origin`` and parts are recorded."""

    @property
    def shape(self) -> Shape:
        """The shape of the whole job, which says what steps count and are stored."""

    @property
    def kept(self) -> Kept:
        """What is stored of the network."""

    @property
    def stored(self) -> StoredParts:
        """Its parts that are stored."""

    @property
    def ids(self) -> object:
        """The names of the sequences, or None."""

    @property
    def carried(self) -> Sequence[HasEntries]:
        """What is copied from the input."""

    @property
    def engine(self) -> str:
        """The engine that computes."""

    @property
    def tokens(self) -> bool:
        """Whether the input holds token ids for an embedding of the network."""

    @property
    def initial(self) -> InitialStates | None:
        """The given initial states."""

    @property
    def grid(self) -> Gridded:
        """The grid, whose ``as_dict`` is recorded."""

    @property
    def notes(self) -> list[str]:
        """The notices for the user."""


# HDF5 limits an attribute to 64 KiB; only a command line can be that long.
LONGEST_COMMAND = 16384


class Computing(NamedTuple):
    """What computes a job, for the record.

    Parameters
    ----------
    device : str
        The device that the engine runs on.
    executors : mapping
        What computes each part of the network, by path.
    arithmetic : mapping
        What decides the bits in machine and libraries, in JSON types; see ``engines.arithmetic``.
    """

    device: str
    executors: Mapping[str, str]
    arithmetic: Mapping[str, Any]

    @classmethod
    def by(cls, engine: Engine, stack: Stack) -> "Computing":
        """Describe an engine that has prepared a network."""
        return cls(engine.device, stack.executors, engine.arithmetic)


# For a job whose engine has not been started.
NOT_STARTED = Computing("", {}, {})


def provenance_of(
    job: Described,
    computing: Computing,
    extra: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the provenance of a job.

    Parameters
    ----------
    job : Described
    computing : Computing
    extra : mapping or None
        ``command`` and ``started`` of the caller; ``started=None`` omits the time.
    identity : mapping or None
        What identifies weights, initial states and inputs, for a file.

    Returns
    -------
    dict
        Written as JSON by ``output.layout``.
    """
    request, extra = job.request, extra or {}
    return {
        "command": _shortened(extra.get("command")),
        "started": extra.get("started", datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")),
        "rnnstates": __version__,
        "python": platform.python_version(),
        "libraries": _libraries(job.engine),
        "engine": job.engine,
        "device": computing.device,
        "executors": dict(computing.executors),
        "arithmetic": dict(computing.arithmetic),
        "precision": request.precision,
        "dtype": request.dtype.name,
        **({} if request.compression == "none" else {"compression": request.compression}),
        "allow_nonfinite": request.allow_nonfinite,
        "ids": job.ids is not None,
        "carried": {path_of(each): digest_of(each, job.shape) for each in job.carried},
        "lengths": job.shape.found,
        "input": dict(job.source.identity),
        "weights": dict(job.network.origin),
        "hidden_widths": [weights.width for _, _, _, weights in job.network.parts()],
        "tokens": job.tokens,
        "initial_state": None if job.initial is None else {"from": job.initial.where, "states": job.initial.named()},
        "initial_state_file": _initial_file(job.initial),
        "states": list(request.states),
        "pool": list(request.pool),
        "kept": described(job.kept, job.shape.kept, job.network),
        "plan": job.grid.as_dict(),
        "notes": list(job.notes),
        "identity": None if identity is None else dict(identity),
    }


def _initial_file(initial: InitialStates | None) -> dict[str, Any] | None:
    """Identify the file of the initial states; None for states in memory."""
    if initial is None or not Path(initial.where).is_file():
        return None
    with Path(initial.where).open("rb") as file:
        sample = sample_file(file)
    return {name: sample[name] for name in ("size", "sample_sha256")}


def _libraries(engine: str) -> dict[str, str | None]:
    """Return the versions of what computes and writes, from the libraries: importlib.metadata takes 15 ms."""
    tensorflow = version_of_tensorflow() if engine in ("tensorflow", "keras") else None
    return {"numpy": np.__version__, "h5py": h5py.__version__, "tensorflow": tensorflow}


def _shortened(command: object) -> object:
    if isinstance(command, str) and len(command) > LONGEST_COMMAND:
        return command[:LONGEST_COMMAND] + " …"
    return command
