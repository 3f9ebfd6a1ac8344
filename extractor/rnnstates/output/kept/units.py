"""Which units of each state are stored."""

import re
from dataclasses import dataclass

__all__ = ["KeptUnits"]

_RANGE = re.compile(r"(\d+)|(\d*):(\d*)(?::(\d+))?", re.ASCII)
# No layer has as many; a longer number would take memory.
_DIGITS = 9


@dataclass(frozen=True)
class KeptUnits:
    """A choice of units, the same for every state.

    Parameters
    ----------
    ranges : tuple of slice
        As in ``range``: from the first to before the last.
    """

    ranges: tuple[slice, ...]

    @classmethod
    def parse(cls, text: str) -> "KeptUnits":
        """Read a choice such as ``0:10,17``.

        Raises
        ------
        ValueError
            With the part that is neither a number nor a range.

        Examples
        --------
        >>> KeptUnits.parse("0:3,17,60:").of(64), str(KeptUnits.parse("0:64:2, 5"))
        ((0, 1, 2, 17, 60, 61, 62, 63), '0:64:2,5')
        """
        return cls(tuple(_range(part.strip()) for part in text.split(",") if part.strip()))

    def __str__(self) -> str:
        return ",".join(_text(one) for one in self.ranges)

    @property
    def most(self) -> int:
        """The largest number named."""
        return max((one.stop - 1 if one.stop is not None else one.start for one in self.ranges), default=0)

    def of(self, width: int) -> tuple[int, ...]:
        """Return the units of a state of this width, each once, in the order of the ranges."""
        return tuple(dict.fromkeys(unit for one in self.ranges for unit in range(*one.indices(width))))


def _range(text: str) -> slice:
    found = _RANGE.fullmatch(text)
    if found is None or any(len(number or "") > _DIGITS for number in found.groups()):
        raise ValueError(text)
    single, start, stop, step = found.groups()
    if single is not None:
        return slice(int(single), int(single) + 1, 1)
    first, last = int(start or 0), int(stop) if stop else None
    if step == "0" or (last is not None and last <= first):
        raise ValueError(text)
    return slice(first, last, int(step or 1))


def _text(one: slice) -> str:
    if one.stop == one.start + 1:
        return str(one.start)
    step = f":{one.step}" if one.step > 1 else ""
    return f"{one.start}:{'' if one.stop is None else one.stop}{step}"
