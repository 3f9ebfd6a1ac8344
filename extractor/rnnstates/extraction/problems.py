"""Collects several problems of one job so that they are reported together."""

import contextlib
from collections.abc import Iterator

from ..errors import RnnstatesError

__all__ = ["Problems"]

MOST_LISTED = 5


class Problems:
    """Errors found so far.

    Equivalent to raising the first at once, except that whatever does not depend on it is checked too::

        problems = Problems()
        with problems.gathered():
            lengths = read_lengths(...)
        with problems.gathered():
            ids = open_ids(...)
        problems.raise_all()
    """

    def __init__(self) -> None:
        self._found: list[RnnstatesError] = []

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._found)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep an error for later and continue after the block."""
        try:
            yield
        except RnnstatesError as reason:
            self._found.append(reason)

    def raise_all(self) -> None:
        """Raise what was found: one error as it is, several as one error of the first's class, sorted, at most five.

        Raises
        ------
        RnnstatesError
        """
        if not self._found:
            return
        first = self._found[0]
        texts = sorted(set(map(str, self._found)))
        if len(texts) == 1:
            raise first
        more = f"\n- and {len(texts) - MOST_LISTED} more" if len(texts) > MOST_LISTED else ""
        listed = "".join(f"\n- {text}" for text in texts[:MOST_LISTED])
        several = type(first)(f"{len(texts)} problems:{listed}{more}")
        several.laid_out = True
        raise several from first
