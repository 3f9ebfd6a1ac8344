"""Finds the modules of a file that may stand before the layers that run, where the file does not say what feeds what.

A module *may stand before* the layers if its output can reach their inputs. Shapes rule out most others: heads read
what the layers produce. Where shapes allow both, a name such as ``classifier`` decides, or the order in a PyTorch file,
which is the order of definition. Whatever remains open is named in a note.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from .modules import Module
from .names import is_later, parts_of, words_of

__all__ = ["Ends", "leading_to", "may_stand_before", "note_of"]

# Most modules and layers named in a note.
MOST_NAMED, MOST_LAYERS = 8, 4
# Modules with these names read states; names such as ``fc`` and ``linear`` leave it open.
_HEADS = {
    *("classifier", "classification", "crf", "decoder", "generator", "head", "heads", "logits", "out", "output"),
    "postnet",
}
_FRONTS = {"emb", "embed", "embedding", "frontend", "in", "inp", "input", "inputs", "pre", "prenet", "stem"}
# A head may read several pooled states side by side: first and last, mean and maximum, both directions. A
# normalisation as wide as three or four times the units normalises gates.
MOST_SIDES, MOST_SIDES_OF_VECTORS = 4, 2


@dataclass(frozen=True)
class Ends:
    """The two ends of the layers that run.

    Parameters
    ----------
    names : tuple of str
        The layers whose inputs are not known to come from the layer below: the lowest, and those only assumed to
        follow others.
    reads : frozenset of int
        The widths of their inputs.
    gives : frozenset of int
        The widths of the states of all layers, including other stacks.
    first, last : int or None
        The positions of their first and last array in the file, if it keeps the order of definition.
    """

    names: tuple[str, ...]
    reads: frozenset[int]
    gives: frozenset[int]
    first: int | None = None
    last: int | None = None

    def is_before(self, module: Module) -> bool:
        """Return whether a module is defined before the layers; parameters, which always come first, do not count."""
        return self.first is not None and module.place < self.first and not module.is_parameter

    def reads_states(self, module: Module) -> bool:
        """Return whether order or input width make a module unlikely to stand between a table and the layers."""
        heads = not module.is_vectors and module.reads in self.gives and module.reads not in self.reads
        is_after = self.is_after(module) and not (_own_words(module.name, self.names[0]) & _FRONTS)
        return is_after or (heads and not module.class_name)

    def is_after(self, module: Module) -> bool:
        """Return whether a module is defined after the layers."""
        return self.last is not None and module.place > self.last


def may_stand_before(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Choose the modules that may stand before, or between, the layers that run.

    Parameters
    ----------
    modules : sequence of Module
        All modules that are not run.
    ends : Ends
    """
    reached = {id(module) for module in _reached(modules, ends)}
    leading = {id(module) for module in leading_to(modules, ends)}
    return [
        module
        for module in modules
        if id(module) in leading or not (id(module) in reached or module.class_name or _is_odd_head(module, ends))
    ]


def leading_to(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Find the modules that can produce the inputs of the layers, or of such modules."""
    candidates = [module for module in modules if not _is_head(module, ends)]
    parts = [module for module in candidates if _gives_part(module, ends)]
    return _closure(candidates, parts, ends.reads, lambda module: module.gives, lambda module: module.reads)


def note_of(path: str, modules: Sequence[Module], ends: Ends, *, of_keras: bool = False) -> str:
    """Name the modules that are not run; empty if there are none.

    Parameters
    ----------
    path : str
        The file.
    modules : sequence of Module
        Those that may stand before the layers.
    ends : Ends
    of_keras : bool
        Whether Keras wrote the file, so that its model can be run as a whole.
    """
    if not modules:
        return ""
    named = ", ".join(map(str, modules[:MOST_NAMED]))
    more = f" and {len(modules) - MOST_NAMED} more modules" if len(modules) > MOST_NAMED else ""
    layers = ", ".join(f"'{name}'" for name in ends.names[:MOST_LAYERS])
    place = f"before {layers}" if len(ends.names) == 1 else f"before or between {layers}"
    whole = "; rnnstates.collect(FILE, inputs) runs a whole model of Keras" if of_keras else ""
    return (
        f"{path}: also in the file, and not run: {named}{more}; if they stand {place}, its inputs must already have "
        f"passed through them{whole}."
    )


def _gives_part(module: Module, ends: Ends) -> bool:
    """Return whether the outputs can be part of the inputs: another stack's states, or channels side by side."""
    # Of two numbered stacks the lower one feeds the other, wherever it is defined.
    if module.class_name and ends.is_after(module) and not is_later(ends.names[0], module.name):
        return False
    if module.class_name:
        return any(module.gives is not None and module.gives <= width for width in ends.reads)
    return module.is_convolution and any(module.gives and width % module.gives == 0 for width in ends.reads)


def _reached(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Find the modules that can read states, or the outputs of such modules."""
    widths = {width * sides for width in ends.gives for sides in range(1, MOST_SIDES + 1)}
    narrow = {width * sides for width in ends.gives for sides in range(1, MOST_SIDES_OF_VECTORS + 1)}
    first = [module for module in modules if module.reads in (narrow if module.is_vectors else widths)]
    behind = [module for module in modules if not ends.is_before(module)]
    if ends.last is not None:
        return _reached_in_order(behind, first)
    return _closure(behind, first, (), lambda module: module.reads, lambda module: module.gives)


def _reached_in_order(modules: Sequence[Module], first: Sequence[Module]) -> list[Module]:
    """Follow widths upwards in the order of definition: a module reads nothing that is defined after it."""
    start, widths = {id(module) for module in first}, set[int | None]()
    found = list(first)
    for module in sorted(modules, key=lambda module: module.place):
        if id(module) in start or module.reads in widths:
            widths |= {module.gives} - {1, None}
            found += [module]
    return found


def _closure(
    modules: Sequence[Module],
    first: Sequence[Module],
    widths: Collection[int],
    near: Callable[[Module], int | None],
    far: Callable[[Module], int | None],
) -> list[Module]:
    """Follow widths from module to module: those whose near side matches, then those that match their far sides."""
    by_width: dict[int | None, list[Module]] = {}
    for module in modules:
        by_width.setdefault(near(module), []).append(module)
    found = {id(module): module for module in first}
    waiting = [*widths, *map(far, first)]
    while waiting:
        # Each width is followed once. Width 1 is a mere score and leads nowhere.
        width = waiting.pop()
        more = by_width.pop(width, []) if width not in (None, 1) or width in widths else []
        waiting += [far(module) for module in more]
        found |= {id(module): module for module in more}
    return list(found.values())


def _is_head(module: Module, ends: Ends) -> bool:
    """Return whether name or order shows that a module reads states, where its shape may fit both ends."""
    if module.class_name or ends.is_before(module):
        return False
    if module.gives == 1 and module.reads in ends.gives:
        return True
    own = _own_words(module.name, ends.names[0])
    if own & _FRONTS:
        return False
    if own & _HEADS:
        return True
    return ends.is_after(module) and module.reads is not None and module.reads not in ends.reads


def _own_words(name: str, layer: str) -> set[str]:
    """Return the words of the first part of a name that the layer's name lacks; positions in a list say nothing."""
    theirs, ours = parts_of(name), parts_of(layer)
    depth = next((place for place, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), None)
    own = [part for part in theirs[depth:] if not part.isdecimal()] if depth is not None else []
    return set(words_of(own[0])) if own else set()


def _is_odd_head(module: Module, ends: Ends) -> bool:
    """Return whether order shows that a module of unknown width, or named like a head, reads states."""
    return ends.is_after(module) and (module.reads is None or bool(_own_words(module.name, ends.names[0]) & _HEADS))
