"""Groups the arrays that are not run into modules, with the input and output width of each as far as shapes show."""

import math
import re
from collections.abc import Container as Names
from collections.abc import Mapping
from dataclasses import dataclass

from ..readers import Tensor
from ..readers.base import is_floating
from .names import is_counter, is_setting, is_slot, leaf_of, module_of

__all__ = ["Module", "modules_of"]

# Most arrays listed in the description of a module.
MOST_LISTED = 4
Shapes = Mapping[str, tuple[int, ...]]
# By the array that has the shape of a computed weight: the arrays stored with it.
_STANDING = {
    "weight_orig": {"weight_mask", "weight_u", "weight_v"},
    "weight_v": {"weight_g"},
    "original1": {"original0"},
    "original": {"_u", "_v", "base"},
}


@dataclass(frozen=True, eq=False)
class Module:
    """Arrays that belong together.

    Parameters
    ----------
    name : str
    shapes : mapping
        The shape of each array by its name in the module.
    place : int
        The position of its first array among all arrays of the file.
    class_name : str
        The class of a recurrent layer; otherwise empty.
    reads, gives : int or None
        The width of its inputs and outputs; None where shapes do not show it.
    arrays : tuple of str
        The names of its arrays in the file.
    """

    name: str
    shapes: Shapes
    place: int = 0
    class_name: str = ""
    reads: int | None = None
    gives: int | None = None
    arrays: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.class_name:
            return f"'{self.name}' ({self.class_name} {self.reads} -> {self.gives})"
        # Keras numbers the arrays of a layer; an array outside any module has the module's name.
        sizes = [
            _size(shape) if leaf.isdecimal() or leaf == self.name else f"{leaf} {_size(shape)}"
            for leaf, shape in self.shapes.items()
        ]
        more = ["…"] if len(sizes) > MOST_LISTED else []
        return f"'{self.name}' ({', '.join(sizes[:MOST_LISTED] + more)})"

    @property
    def is_vectors(self) -> bool:
        """Whether it has no matrix, like a normalisation."""
        return not self.class_name and all(len(shape) < 2 for shape in self.shapes.values())

    @property
    def is_convolution(self) -> bool:
        """Whether its outputs may have more than one axis, which are then joined before a layer."""
        return any(len(shape) > 2 for shape in self.shapes.values())

    @property
    def is_parameter(self) -> bool:
        """Whether it is a single array outside any module."""
        return list(self.shapes) == [self.name]


def modules_of(
    tensors: Mapping[str, Tensor], used: Names[str], called: Mapping[str, str] | None = None
) -> list[Module]:
    """Group the unused arrays by module, in file order.

    Arrays that only serve training (slots of optimizers, counters, settings) are left out, and so are single numbers
    next to arrays: what they scale is named anyway.

    Parameters
    ----------
    tensors : mapping
        Every array of the file.
    used : container of str
        Names of the arrays that belong to something else.
    called : mapping or None
        The module of each array, if the format states it; arrays missing from it are left out.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    places: dict[str, int] = {}
    for place, (name, tensor) in enumerate(tensors.items()):
        module = module_of(name) if called is None else called.get(name, "")
        serves_training = is_counter(name) or is_slot(name, tensors)
        if module and name not in used and 0 not in tensor.shape and not serves_training:
            group = groups.setdefault(module, {})
            group[leaf_of(name) if leaf_of(name) not in group else name] = tensor
            places.setdefault(module, place)
    listed = {name: _without_settings(group) for name, group in groups.items()}
    return [_module(name, group, places[name]) for name, group in listed.items() if group]


def _without_settings(group: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Leave out the numbers that scale nothing; if there are arrays, all single numbers."""
    # The numbers that a quantised layer keeps with its packed arrays scale those.
    if "zero_point" in group or any(math.prod(tensor.shape) > 1 for tensor in group.values()):
        return {leaf: tensor for leaf, tensor in group.items() if tensor.shape}
    return {leaf: tensor for leaf, tensor in group.items() if not is_setting(leaf) and is_floating(tensor)}


def _module(name: str, group: Mapping[str, Tensor], place: int) -> Module:
    shapes = {leaf: tensor.shape or (1,) for leaf, tensor in group.items()}
    return Module(name, shapes, place, "", *_widths(shapes), tuple(tensor.name for tensor in group.values()))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _widths(shapes: Shapes) -> tuple[int | None, int | None]:
    """Return the input and output width of a module with one matrix or kernel, or with vectors alone."""
    shapes = {leaf: _vector(leaf, shape) for leaf, shape in _computed(shapes).items()}
    matrices = {leaf: shape for leaf, shape in shapes.items() if len(shape) > 1}
    vectors = {shape[0] for shape in shapes.values() if len(shape) == 1}
    if not matrices and len(vectors) == 1:
        width = vectors.pop()
        return width, width
    if len(matrices) != 1:
        return None, None
    ((leaf, shape),) = matrices.items()
    # PyTorch and Equinox call it ``weight`` and store [outputs, inputs, …]; the others store […, inputs, outputs].
    outputs_first = leaf.startswith("weight") and leaf != "weights"
    reads, gives = (shape[1], shape[0]) if outputs_first else shape[-2:]
    if leaf == "in_proj_weight":
        # Attention stores queries, keys and values side by side.
        return shape[1], shape[1]
    if len(shape) == 2 and vectors and gives not in vectors and reads in vectors:
        reads, gives = gives, reads
    return reads, gives


def _vector(leaf: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop the axes of length one of a row, such as means [1, 1, I] that scale inputs, but not of weights."""
    is_row = len(shape) > 1 and math.prod(shape) == shape[-1] > 1 and not re.search("weight|kernel|^w", leaf)
    return shape[-1:] if is_row else shape


def _computed(shapes: Shapes) -> Shapes:
    """Replace the arrays from which a PyTorch weight is computed by that weight."""
    stands = next((leaf for leaf in _STANDING if leaf in shapes), "")
    if not stands or len(shapes[stands]) < 2 or "weight" in shapes:
        return shapes
    rest = {leaf: shape for leaf, shape in shapes.items() if leaf != stands and leaf not in _STANDING[stands]}
    return {"weight": shapes[stands], **rest}
