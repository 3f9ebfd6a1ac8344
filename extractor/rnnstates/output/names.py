"""What stands beside an output while it is made.

``OUTPUT.partial`` is the file in the making, ``OUTPUT.journal`` says which of its windows are finished, ``OUTPUT.lock``
who is at work. ``OUTPUT.partial.new`` is being laid out and becomes ``OUTPUT.partial`` when it can be opened.
"""

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["PARTIAL", "Names", "names_of"]

# What is unfinished has this behind its name, and no other name.
PARTIAL = ".partial"


class Names(NamedTuple):
    """The names that belong to an output, absolute: neither a link that is turned nor ``os.chdir`` changes them.

    ``given`` is the output as messages call it.
    """

    output: Path
    partial: Path
    fresh: Path
    journal: Path
    lock: Path
    given: Path

    @property
    def beside(self) -> tuple[Path, ...]:
        """All but the output and the lock: what an unfinished run leaves."""
        return self.partial, self.fresh, self.journal

    def shown(self, path: Path) -> str:
        """Give one of these names as messages call it."""
        return str(self.given) + path.name.removeprefix(self.output.name)


def names_of(output: str | os.PathLike[str]) -> Names:
    """Give the names; of its target where the output is a symbolic link."""
    given = Path(output)
    if given.is_symlink():
        given = given.resolve()
    path = given.parent.resolve() / given.name
    ends = (PARTIAL, PARTIAL + ".new", ".journal", ".lock")
    # A folder such as "/" has no name, and is refused by whoever looks at it.
    partial, fresh, journal, lock = (path.parent / (path.name + end) for end in ends)
    return Names(path, partial, fresh, journal, lock, given)
