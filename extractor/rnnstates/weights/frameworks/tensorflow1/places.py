"""Parses a cell's position in a stack from its scope: ``bidirectional_rnn/fw/multi_rnn_cell/cell_0/lstm_cell``."""

import re
from dataclasses import dataclass

from ....network.model import Direction

__all__ = ["DIRECTION_BY_PART", "LAYER", "STACKED", "Place", "place_of"]

# Wrappers that change the inputs or states of the cell inside them, and leave a scope.
_WRAPPER = re.compile(
    r"cell_\d{1,5}_attention|\w*(attention|cell|projection|embedding|highway)_wrapper(_\d+)?|\w+Wrapper|\w*[zZ]oneout\w*"
)
LAYER = re.compile(r"(?:cell_|Cell)(\d{1,5})")
STACKED = re.compile(r"multi_rnn_cell(_\d+)?|MultiRNNCell|stack_bidirectional_rnn(_\d+)?")
DIRECTION_BY_PART: dict[str, Direction] = {"fw": "forward", "bw": "backward"}


@dataclass(frozen=True)
class Place:
    """The position of a cell in a stack.

    Parameters
    ----------
    stack : str
        The scopes shared by its whole stack.
    outer, inner : tuple of int
        Its number among layers of both directions (``stack_bidirectional_rnn``), and among those inside one direction
        (``MultiRNNCell``).
    direction : str
    wrapper : str
        A scope around it that changes what it computes; empty if there is none.
    """

    stack: str
    outer: tuple[int, ...] = ()
    inner: tuple[int, ...] = ()
    direction: Direction = "forward"
    wrapper: str = ""


def place_of(scope: str) -> Place:
    """Split the scope of a cell."""
    *around, cell = scope.split("/")
    stack: list[str] = []
    outer: list[int] = []
    inner: list[int] = []
    direction: Direction | None = None
    for part in around:
        # Until 0.10 the direction was at the end of a name: BiRNN_FW.
        stem, mark = (part[:-3], part[-2:]) if part.endswith(("RNN_FW", "RNN_BW")) else ("", part)
        if mark.lower() in DIRECTION_BY_PART:
            direction = DIRECTION_BY_PART[mark.lower()]
            outer, inner = [*outer, *inner], []
            stack += [stem] if stem else []
        elif (found := LAYER.fullmatch(part)) and stack and STACKED.fullmatch(stack[-1]):
            inner.append(int(found[1]))
        else:
            stack.append(part)
    if direction is None and not inner:
        stack.append(cell)
    wrapper = next((part for part in around if _WRAPPER.fullmatch(part)), "")
    return Place("/".join(stack), tuple(outer), tuple(inner), direction or "forward", wrapper)
