"""Finds normalisations inside a cell that are stored as modules next to it: one for its inputs, one for its states.

References
----------
Ba et al. 2016, "Layer Normalization"; Cooijmans et al. 2017, "Recurrent Batch Normalization".
"""

from collections.abc import Sequence

from ..stack import StoredStack
from .modules import Module
from .names import words_of

__all__ = ["gate_norms"]

# Words that tell the two apart: input and hidden state.
_INPUTS = {"ih", "x", "xh", "i", "i2h", "in", "input", "inputs", "wx", "wi"}
_STATES = {"hh", "h", "h2h", "hidden", "rec", "recurrent", "state", "wh"}


def gate_norms(modules: Sequence[Module], stack: StoredStack) -> list[Module]:
    """Find pairs of modules with one value per row of a layer's gates.

    Parameters
    ----------
    modules : sequence of Module
        Those that are not run.
    stack : StoredStack
    """
    rows = {
        units * len(cell.convention.gates)
        for layer in stack.layers
        for cell in layer.cells.values()
        for _, units, _ in [cell.sizes()]
        if len(cell.convention.gates) > 1
    }
    wide = {words_of(module.name): module for module in modules if module.is_vectors and module.gives in rows}
    return [module for name, module in wide.items() if any(_are_a_pair(name, other) for other in wide)]


def _are_a_pair(name: Sequence[str], other: Sequence[str]) -> bool:
    differ = [pair for pair in zip(name, other, strict=False) if pair[0] != pair[1]]
    if len(name) != len(other) or len(differ) != 1:
        return False
    one, two = differ[0]
    return (one in _INPUTS and two in _STATES) or (one in _STATES and two in _INPUTS)
