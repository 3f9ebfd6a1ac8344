"""The target of one run: its output, what already exists there, and the unfinished run to resume."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..output.destination import check_destination
from ..output.names import FAIL, REPLACE, SKIP, choose_existing
from ..output.system import DISK, Place, System
from .begun import NOTHING, Begun, begun_at
from .request import Options

__all__ = ["Target", "find_target"]


class Target(NamedTuple):
    """Where the states of a run go, and what is there already.

    Parameters
    ----------
    place : Place or None
        The output; None for memory.
    begun : Begun
        The choices of an unfinished run of it.
    existing : str
        What to do if the output exists: a name in ``IF_EXISTS``.
    """

    place: Place | None
    begun: Begun
    existing: str

    @property
    def replaces(self) -> bool:
        """Whether an existing output is replaced."""
        return self.existing == REPLACE

    @property
    def skips(self) -> bool:
        """Whether an existing output by the same job is accepted."""
        return self.existing == SKIP

    @property
    def may_be_done(self) -> bool:
        """Whether an output exists that is accepted if the same job made it."""
        return self.skips and self.place is not None and self.place.names.output.exists()


def find_target(options: Options, sources: Iterable[Any], system: System = DISK) -> Target:
    """Check the place of the output before anything else is opened.

    Parameters
    ----------
    options : Options
    sources : iterable
        What the run reads in addition to the files of its options; none of them may be the output.
    system : System

    Raises
    ------
    OptionError, CannotCreate, PermissionDenied
    """
    existing = choose_existing(options.if_exists, force=options.force)
    if options.output is None:
        return Target(None, NOTHING, existing)
    read = [*sources, options.ids, options.weights, options.config, options.initial_state]
    names = check_destination(options.output, force=existing != FAIL, sources=read)
    return Target(Place(names, system), NOTHING if options.restart else begun_at(names), existing)
