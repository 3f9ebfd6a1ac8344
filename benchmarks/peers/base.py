"""What a contestant is, and the layouts in which libraries give states."""

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cases import Data


class Packed(NamedTuple):
    """States as PyTorch packs them: all sequences of step 0, then those that have a step 1, …."""

    values: npt.NDArray[np.float32]  # [S, H]
    batch_sizes: npt.NDArray[np.int64]  # [T]


class Joined(NamedTuple):
    """States as rnnstates packs them: sequence after sequence."""

    values: npt.NDArray[np.float32]  # [S, H]
    offsets: npt.NDArray[np.int64]  # [B + 1]


class Part(NamedTuple):
    """The states of some sequences; what stands past a length is not looked at."""

    rows: npt.NDArray[np.int64]  # [B]
    hidden: Any  # float32 [B, T', H], Packed or Joined
    cell: Any = None


# A way to run the whole case once; called again and again.
Run = Callable[[], list[Part]]


class Peer(NamedTuple):
    """Somebody who computes the states.

    Parameters
    ----------
    gives : str
        ``h`` or ``c+h``.
    distributions : tuple of str
        What must be installed; the first one names the version.
    prepare : callable
        Data to the ways that the documentation offers to run it, by name; the fastest is what counts.
    exact : bool
        Whether it computes in float32. One that does not is shown with its error and takes part in no ratio.
    environment : mapping
        Environment variables of its process.
    """

    gives: str
    distributions: tuple[str, ...]
    prepare: Callable[[Data], dict[str, Run]]
    exact: bool = True
    environment: Mapping[str, str] = {}


def version(peer: Peer) -> str | None:
    """Give the installed versions; None if something is missing."""
    try:
        return ", ".join(f"{name} {metadata.version(name)}" for name in peer.distributions)
    except metadata.PackageNotFoundError:
        return None


def sequence(states: Any, place: int, count: int) -> npt.NDArray[np.float32]:
    """Take the first ``count`` states of one sequence of a part, [count, H]."""
    if isinstance(states, Joined):
        return states.values[states.offsets[place] :][:count]
    if not isinstance(states, Packed):
        return states[place, :count]
    starts = np.cumsum(states.batch_sizes) - states.batch_sizes
    return states.values[starts[:count] + place]
