"""What else a file holds and is not run: one rule for every format whose files do not say what feeds what.

A module whose output can reach the inputs of the layers that run *may stand before* them. By their shapes most others
cannot: heads read what the layers give. Where shapes leave both open, a name such as ``classifier`` decides, or the
order in a PyTorch file, which is that of definition; what is still open is named.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from .modules import Module
from .names import is_later, parts_of, words_of

__all__ = ["Ends", "leading_to", "may_stand_before", "note_of"]

# Modules and layers that a note names.
MOST_NAMED, MOST_LAYERS = 8, 4
# What is called so reads states; of names such as ``fc`` and ``linear`` that is not certain.
_HEADS = {
    *("classifier", "classification", "crf", "decoder", "generator", "head", "heads", "logits", "out", "output"),
    "postnet",
}
_FRONTS = {"emb", "embed", "embedding", "frontend", "in", "inp", "input", "inputs", "pre", "prenet", "stem"}
# Pooled states may stand side by side in front of a head: first and last, mean and maximum, both directions. A
# normalisation of three or four times the units is one of the gates.
MOST_SIDES, MOST_SIDES_OF_VECTORS = 4, 2


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
        The widths of the states of all layers, those of other stacks too.
    first, last : int or None
        Where their first and last array lie in the file, if its order is that of definition.
    """

    names: tuple[str, ...]
    reads: frozenset[int]
    gives: frozenset[int]
    first: int | None = None
    last: int | None = None

    def is_before(self, module: Module) -> bool:
        """Tell whether a module is defined before the layers; an array that lies in no module always is."""
        return self.first is not None and module.place < self.first and not module.is_parameter

    def reads_states(self, module: Module) -> bool:
        """Tell whether a module hardly stands between a table and the layers: by its order, or as it reads states."""
        heads = not module.is_vectors and module.reads in self.gives and module.reads not in self.reads
        is_behind = self.is_behind(module) and not (_own_words(module.name, self.names[0]) & _FRONTS)
        return is_behind or (heads and not module.class_name)

    def is_behind(self, module: Module) -> bool:
        """Tell whether a module is defined behind the layers."""
        return self.last is not None and module.place > self.last


def may_stand_before(modules: Sequence[Module], ends: Ends) -> list[Module]:
    """Choose the modules that may stand before, or between, the layers that run.

    Parameters
    ----------
    modules : sequence of Module
        Of all that is not run.
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
    """Find the modules that can give the inputs of the layers, or of such modules."""
    candidates = [module for module in modules if not _is_head(module, ends)]
    parts = [module for module in candidates if _gives_part(module, ends)]
    return _closure(candidates, parts, ends.reads, lambda module: module.gives, lambda module: module.reads)


def note_of(path: str, modules: Sequence[Module], ends: Ends, *, of_keras: bool = False) -> str:
    """Say what is not run; empty where that is nothing.

    Parameters
    ----------
    path : str
        The file.
    modules : sequence of Module
        Those that may stand before.
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
        f"passed them{whole}."
    )


def _gives_part(module: Module, ends: Ends) -> bool:
    """Tell whether outputs can be a part of the inputs: another stack's states, or channels laid side by side."""
    # Of two that are numbered the lower one feeds the other, wherever it is defined.
    if module.class_name and ends.is_behind(module) and not is_later(ends.names[0], module.name):
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
    """Follow widths upwards in the order of definition: what is defined earlier reads nothing of what comes later."""
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
    """Follow widths from module to module: those whose near side has one, then those that fit their far sides."""
    by_width: dict[int | None, list[Module]] = {}
    for module in modules:
        by_width.setdefault(near(module), []).append(module)
    found = {id(module): module for module in first}
    waiting = [*widths, *map(far, first)]
    while waiting:
        # Each width is followed once. Of one number, which is no more than a score, nothing follows.
        width = waiting.pop()
        more = by_width.pop(width, []) if width not in (None, 1) or width in widths else []
        waiting += [far(module) for module in more]
        found |= {id(module): module for module in more}
    return list(found.values())


def _is_head(module: Module, ends: Ends) -> bool:
    """Tell by name or order that a module reads states, where its shape may fit both ends."""
    if module.class_name or ends.is_before(module):
        return False
    if module.gives == 1 and module.reads in ends.gives:
        return True
    own = _own_words(module.name, ends.names[0])
    if own & _FRONTS:
        return False
    if own & _HEADS:
        return True
    return ends.is_behind(module) and module.reads is not None and module.reads not in ends.reads


def _own_words(name: str, layer: str) -> set[str]:
    """Give the words of the first part of a name that the layer's has not; places in a list say nothing."""
    theirs, ours = parts_of(name), parts_of(layer)
    depth = next((place for place, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), None)
    own = [part for part in theirs[depth:] if not part.isdecimal()] if depth is not None else []
    return set(words_of(own[0])) if own else set()


def _is_odd_head(module: Module, ends: Ends) -> bool:
    """Tell by order that a module reads states, whose widths are not known or whose name says so."""
    return ends.is_behind(module) and (module.reads is None or bool(_own_words(module.name, ends.names[0]) & _HEADS))
