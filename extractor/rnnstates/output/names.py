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
    """The names that belong to an output."""

    output: Path
    partial: Path
    fresh: Path
    journal: Path
    lock: Path

    @property
    def beside(self) -> tuple[Path, ...]:
        """All but the output and the lock: what an unfinished run leaves."""
        return self.partial, self.fresh, self.journal


def names_of(output: str | os.PathLike[str]) -> Names:
    """Give the names; of its target where the output is a symbolic link."""
    path = Path(output)
    if path.is_symlink():
        path = path.resolve()
    # A folder such as "." has no name, and is refused by whoever looks at it.
    return Names(path, *(path.parent / (path.name + end) for end in (PARTIAL, PARTIAL + ".new", ".journal", ".lock")))
