"""What a states file says about how it was made."""

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np

from ..engines.base import Engine
from ..engines.stack import Stack
from ..inputs.identity import sample_file
from ..inputs.initial_states import InitialStates
from ..runtime.tensorflow_start import version_of_tensorflow
from ..version import __version__
from .request import Request

__all__ = ["NOT_STARTED", "Computing", "provenance_of"]


class Described(Protocol):
    """A ``Job``, or what else makes an output; the properties are those of ``Job``."""

    @property
    def request(self) -> Request:
        """What was asked for."""

    @property
    def source(self) -> Any:
        """Whose ``identity`` is recorded."""

    @property
    def network(self) -> Any:
        """Whose ``origin`` and parts are recorded."""

    @property
    def ids(self) -> Any:
        """The sequences' names, or None."""

    @property
    def engine(self) -> str:
        """What computes."""

    @property
    def tokens(self) -> bool:
        """Whether the input holds token ids for an embedding of the network."""

    @property
    def initial(self) -> InitialStates | None:
        """The initial states that were given."""

    @property
    def grid(self) -> Any:
        """How the input is cut; ``as_dict`` is recorded."""

    @property
    def notes(self) -> list[str]:
        """What the user should know."""


# HDF5 keeps an attribute below 64 KiB; a command line is the only part that can be that long.
LONGEST_COMMAND = 16384


class Computing(NamedTuple):
    """What computes a job, for the record.

    Parameters
    ----------
    device : str
        What the engine runs on.
    executors : mapping
        What computes each part of the network, by its path.
    arithmetic : mapping
        What of machine and libraries decides the bits, in JSON types; see ``engines.arithmetic``.
    """

    device: str
    executors: Mapping[str, str]
    arithmetic: Mapping[str, Any]

    @classmethod
    def by(cls, engine: Engine, stack: Stack) -> "Computing":
        """Describe an engine that has prepared a network."""
        return cls(engine.device, stack.executors, engine.arithmetic)


# Of a job whose engine has not been started.
NOT_STARTED = Computing("", {}, {})


def provenance_of(
    job: Described,
    computing: Computing,
    extra: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a job.

    Parameters
    ----------
    job : Described
    computing : Computing
    extra : mapping or None
        ``command`` and ``started`` of the caller; ``started`` None leaves the time away.
    identity : mapping or None
        What tells weights, initial states and inputs from others, for a file.

    Returns
    -------
    dict
        What ``output.layout`` writes as JSON.
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
        "allow_nonfinite": request.allow_nonfinite,
        "ids": job.ids is not None,
        "input": dict(job.source.identity),
        "weights": dict(job.network.origin),
        "hidden_widths": [weights.width for _, _, _, weights in job.network.parts()],
        "tokens": job.tokens,
        "initial_state": None if job.initial is None else {"from": job.initial.where, "states": job.initial.named()},
        "initial_state_file": _initial_file(job.initial),
        "states": list(request.states),
        "pool": list(request.pool),
        "plan": job.grid.as_dict(),
        "notes": list(job.notes),
        "identity": None if identity is None else dict(identity),
    }


def _initial_file(initial: InitialStates | None) -> dict[str, Any] | None:
    """Tell the file of the initial states from another one; None for states that came in memory."""
    if initial is None or not Path(initial.where).is_file():
        return None
    with Path(initial.where).open("rb") as file:
        sample = sample_file(file)
    return {name: sample[name] for name in ("size", "sample_sha256")}


def _libraries(engine: str) -> dict[str, str | None]:
    """Give the versions of what computes and writes: as the libraries say, for importlib.metadata takes 15 ms."""
    tensorflow = version_of_tensorflow() if engine in ("tensorflow", "keras") else None
    return {"numpy": np.__version__, "h5py": h5py.__version__, "tensorflow": tensorflow}


def _shortened(command: object) -> Any:
    if isinstance(command, str) and len(command) > LONGEST_COMMAND:
        return command[:LONGEST_COMMAND] + " …"
    return command
