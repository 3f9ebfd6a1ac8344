"""Describes in words what a value of an ONNX graph is computed from when the model runs."""

from ...readers.onnx.graph import Node
from .folding import Folding

__all__ = ["computed_from"]

# Most sources named in a sentence.
MOST_NAMED = 4
# Most values followed to find them.
MOST_FOLLOWED = 2000
# Operators that return the shape of a value, but nothing of its content.
SHAPES = ("Shape", "Size")


def computed_from(name: str, folding: Folding) -> str:
    """Say what makes a value, and which inputs and layers of the model it is computed from.

    Parameters
    ----------
    name : str
        A value that is not a constant.
    folding : Folding
    """
    maker, described = folding.maker(name), folding.described(name)
    if maker is None:
        return described
    sources = _sources(maker, folding)
    if not sources:
        return described
    named = sources[:MOST_NAMED] + [f"{len(sources) - MOST_NAMED} more"] * (len(sources) > MOST_NAMED)
    listed = " and ".join([", ".join(named[:-1])] * (len(named) > 1) + named[-1:])
    return f"{described}, which is computed from {listed}"


def _sources(maker: Node, folding: Folding) -> list[str]:
    """List the inputs and layers that an operator reads, also through others, in the order in which they are found."""
    pending, seen, found = [name for name in maker.inputs if name], set(maker.inputs), list[str]()
    place = 0
    while place < min(len(pending), MOST_FOLLOWED):
        here = pending[place]
        place += 1
        node = folding.maker(here)
        if folding.stored(here) is not None:
            continue
        if node is None or node.op in ("LSTM", "GRU", "RNN"):
            found.append(folding.described(here))
        elif node.op not in SHAPES:
            new = [name for name in node.inputs if name and name not in seen]
            pending += dict.fromkeys(new)
            seen.update(new)
    return list(dict.fromkeys(found))
