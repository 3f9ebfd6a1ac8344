"""What else a file holds and is not run: one rule for every format whose files do not say what feeds what.

A module whose output can reach the inputs of the layers that run *may stand before* them. By their shapes most others
cannot: heads read what the layers give. Where shapes leave both open, a name such as ``classifier`` decides, or the
order in a PyTorch file, which is that of definition; what is still open is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .modules import Module
from .names import words_of

__all__ = ["Ends", "may_stand_before", "note_of"]

# Modules that a note names.
MOST_NAMED, MOST_LAYERS = 8, 4
# What is called so reads states; of names such as ``fc`` and ``linear`` that is not certain.
_HEADS = {"classifier", "classification", "decoder", "generator", "head", "heads", "logits", "out", "output", "softmax"}
# Pooled states may stand side by side in front of a head: first and last, mean and maximum, both directions.
MOST_SIDES = 4


@dataclass(frozen=True)
class Ends:
    """Where the layers that run begin and end.

    Parameters
    ----------
    names : tuple of str
        Of layers whose inputs are not known to come from the layer below: the lowest, and those that are only taken
        to follow others.
    reads : frozenset of int
        The widths of their inputs.
    gives : frozenset of int
        The widths of the states of all layers.
    after : int or None
        Where the last array of the layers lies in the file, if its order is that of definition.
    """

    names: tuple[str, ...]
    reads: frozenset[int]
    gives: frozenset[int]
    after: int | None = None


def may_stand_before(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Choose the modules that may stand before, or between, the layers that run.

    Parameters
    ----------
    modules : sequence of Module
        Of all that is not run.
    ends : Ends
    """
    behind = _reached(modules, ends)
    leading = _leading([module for module in modules if not _is_head(module, ends)], ends)
    # A recurrent stack that leads nowhere is beside, not before.
    return [m for m in modules if m in leading or (m not in behind and not m.class_name)]


def note_of(path: str, modules: Sequence[Module], ends: Ends) -> str:
    """Say what is not run; empty where that is nothing.

    Parameters
    ----------
    path : str
        The file.
    modules : sequence of Module
        Those that may stand before.
    ends : Ends
    """
    if not modules:
        return ""
    named = ", ".join(map(str, modules[:MOST_NAMED]))
    more = f" and {len(modules) - MOST_NAMED} more modules" if len(modules) > MOST_NAMED else ""
    layers = ", ".join(f"'{name}'" for name in ends.names[:MOST_LAYERS])
    place = f"before {layers}" if len(ends.names) == 1 else f"before or between {layers}"
    return (
        f"{path}: also in the file, and not run: {named}{more}; if they stand {place}, its inputs must already have "
        "passed them: see --model."
    )


def _reached(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Find the modules that can read states, or the outputs of such modules."""
    widths = {width * sides for width in ends.gives for sides in range(1, MOST_SIDES + 1)}
    found: list[Module] = []
    while more := [module for module in modules if module.reads in widths and module not in found]:
        found += more
        widths |= {module.gives for module in more if module.gives is not None}
    return found


def _leading(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Find the modules that can give the inputs of the layers, or of such modules."""
    widths: set[int | None] = set(ends.reads)
    found: list[Module] = []
    while more := [module for module in modules if module.gives in widths and module not in found]:
        found += more
        widths |= {module.reads for module in more if module.reads is not None}
    return found


def _is_head(module: Module, ends: Ends) -> bool:
    """Tell by name or order that a module reads states, where its shape may fit both ends."""
    if _HEADS & set(words_of(module.name)[-2:]):
        return True
    ordered = ends.after is not None and module.place > ends.after
    return ordered and module.reads not in ends.reads
