"""The modules of a file that are not run, and of each the widths that it reads and gives, as far as shapes tell."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..readers import Tensor
from .names import is_counter, is_slot, leaf_of, module_of

__all__ = ["Module", "modules_of"]

# Arrays of a module that its description lists.
MOST_LISTED = 4


@dataclass(frozen=True)
class Module:
    """Arrays that lie together.

    Parameters
    ----------
    name : str
    shapes : mapping
        The shape of each array by its name in the module.
    place : int
        Where its first array lies among all arrays of the file.
    class_name : str
        Of a recurrent layer.
    reads, gives : int or None
        The width of its inputs and outputs; None where shapes do not tell.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    place: int = 0
    class_name: str = ""
    reads: int | None = None
    gives: int | None = None

    def __str__(self) -> str:
        if self.class_name:
            return f"'{self.name}' ({self.class_name} {self.reads} -> {self.gives})"
        # Keras numbers the arrays of a layer; an array that lies in no module has the module's name.
        sizes = [
            _size(shape) if leaf.isdecimal() or leaf == self.name else f"{leaf} {_size(shape)}"
            for leaf, shape in self.shapes.items()
        ]
        more = ["…"] if len(sizes) > MOST_LISTED else []
        return f"'{self.name}' ({', '.join(sizes[:MOST_LISTED] + more)})"


def modules_of(
    tensors: Mapping[str, Tensor], used: Collection[str], called: Mapping[str, str] | None = None
) -> list[Module]:
    """Group the arrays that are not used by module, in the order of the file.

    What serves training (slots of optimizers, counters) and what is a lone number is left out.

    Parameters
    ----------
    tensors : mapping
        Every array of the file.
    used : collection of str
        Names of those that belong to something else.
    called : mapping or None
        The module of each array where the format says it; arrays that are missing there are left out.
    """
    groups: dict[str, dict[str, tuple[int, ...]]] = {}
    places: dict[str, int] = {}
    for place, (name, tensor) in enumerate(tensors.items()):
        module = module_of(name) if called is None else called.get(name, "")
        if module and name not in used and 0 not in tensor.shape and not _is_left_out(name, tensor, tensors):
            group = groups.setdefault(module, {})
            group[leaf_of(name) if leaf_of(name) not in group else name] = tensor.shape
            places.setdefault(module, place)
    return [Module(name, shapes, places[name], "", *_widths(shapes)) for name, shapes in groups.items()]


def _is_left_out(name: str, tensor: Tensor, names: Iterable[str]) -> bool:
    others = names if isinstance(names, Collection) else list(names)
    return not tensor.shape or is_counter(name) or is_slot(name, others)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _widths(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int | None, int | None]:
    """Tell the widths of what a module reads and gives: of one matrix, or of vectors alone."""
    matrices = {leaf: shape for leaf, shape in shapes.items() if len(shape) > 1}
    vectors = {leaf: shape[0] for leaf, shape in shapes.items() if len(shape) == 1}
    if not matrices and len(set(vectors.values())) == 1:
        width = next(iter(vectors.values()))
        return width, width
    if len(matrices) != 1 or len(next(iter(matrices.values()))) != 2:
        return None, None
    ((leaf, (rows, columns)),) = matrices.items()
    # PyTorch and Equinox call it ``weight`` and keep [outputs, inputs]; the others keep [inputs, outputs].
    reads, gives = (columns, rows) if leaf.startswith("weight") and leaf != "weights" else (rows, columns)
    if vectors and gives not in vectors.values() and reads in vectors.values():
        reads, gives = gives, reads
    return reads, gives
