"""The modules of a file that are not run, and of each the widths that it reads and gives, as far as shapes tell."""

import math
import re
from collections.abc import Container as Names
from collections.abc import Mapping
from dataclasses import dataclass

from ..readers import Tensor
from ..readers.base import is_floating
from .names import is_counter, is_setting, is_slot, leaf_of, module_of

__all__ = ["Module", "modules_of"]

# Arrays of a module that its description lists.
MOST_LISTED = 4
Shapes = Mapping[str, tuple[int, ...]]
# What has the shape of a weight that is computed, and what lies beside it then.
_STANDING = {
    "weight_orig": {"weight_mask", "weight_u", "weight_v"},
    "weight_v": {"weight_g"},
    "original1": {"original0"},
    "original": {"_u", "_v", "base"},
}


@dataclass(frozen=True, eq=False)
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
        # Keras numbers the arrays of a layer; an array that lies in no module has the module's name.
        sizes = [
            _size(shape) if leaf.isdecimal() or leaf == self.name else f"{leaf} {_size(shape)}"
            for leaf, shape in self.shapes.items()
        ]
        more = ["…"] if len(sizes) > MOST_LISTED else []
        return f"'{self.name}' ({', '.join(sizes[:MOST_LISTED] + more)})"

    @property
    def is_vectors(self) -> bool:
        """Whether it has no matrix, as a normalisation."""
        return not self.class_name and all(len(shape) < 2 for shape in self.shapes.values())

    @property
    def is_convolution(self) -> bool:
        """Whether its outputs may have more axes than one, so that they are laid side by side before a layer."""
        return any(len(shape) > 2 for shape in self.shapes.values())

    @property
    def is_parameter(self) -> bool:
        """Whether it is one array that lies in no module."""
        return list(self.shapes) == [self.name]


def modules_of(
    tensors: Mapping[str, Tensor], used: Names[str], called: Mapping[str, str] | None = None
) -> list[Module]:
    """Group the arrays that are not used by module, in the order of the file.

    What serves training (slots of optimizers, counters, settings) is left out, and so are numbers beside arrays: what
    these scale is named with them.

    Parameters
    ----------
    tensors : mapping
        Every array of the file.
    used : container of str
        Names of those that belong to something else.
    called : mapping or None
        The module of each array where the format says it; arrays that are missing there are left out.
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
    """Leave out the numbers that scale nothing; all that are no arrays, where there are arrays."""
    # What a quantised layer keeps beside its packed arrays scales those.
    if "zero_point" in group or any(math.prod(tensor.shape) > 1 for tensor in group.values()):
        return {leaf: tensor for leaf, tensor in group.items() if tensor.shape}
    return {leaf: tensor for leaf, tensor in group.items() if not is_setting(leaf) and is_floating(tensor)}


def _module(name: str, group: Mapping[str, Tensor], place: int) -> Module:
    shapes = {leaf: tensor.shape or (1,) for leaf, tensor in group.items()}
    return Module(name, shapes, place, "", *_widths(shapes), tuple(tensor.name for tensor in group.values()))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _widths(shapes: Shapes) -> tuple[int | None, int | None]:
    """Tell the widths of what a module reads and gives: of one matrix or kernel, or of vectors alone."""
    shapes = {leaf: _vector(leaf, shape) for leaf, shape in _computed(shapes).items()}
    matrices = {leaf: shape for leaf, shape in shapes.items() if len(shape) > 1}
    vectors = {shape[0] for shape in shapes.values() if len(shape) == 1}
    if not matrices and len(vectors) == 1:
        width = vectors.pop()
        return width, width
    if len(matrices) != 1:
        return None, None
    ((leaf, shape),) = matrices.items()
    # PyTorch and Equinox call it ``weight`` and keep [outputs, inputs, …]; the others keep […, inputs, outputs].
    outputs_first = leaf.startswith("weight") and leaf != "weights"
    reads, gives = (shape[1], shape[0]) if outputs_first else shape[-2:]
    if leaf == "in_proj_weight":
        # Attention keeps queries, keys and values side by side.
        return shape[1], shape[1]
    if len(shape) == 2 and vectors and gives not in vectors and reads in vectors:
        reads, gives = gives, reads
    return reads, gives


def _vector(leaf: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the shape of a row without its axes of one: means [1, 1, I] that inputs are scaled by, but no weights."""
    is_row = len(shape) > 1 and math.prod(shape) == shape[-1] > 1 and not re.search("weight|kernel|^w", leaf)
    return shape[-1:] if is_row else shape


def _computed(shapes: Shapes) -> Shapes:
    """Put the weight of a PyTorch module in the place of the arrays that it is computed from."""
    stands = next((leaf for leaf in _STANDING if leaf in shapes), "")
    if not stands or len(shapes[stands]) < 2 or "weight" in shapes:
        return shapes
    rest = {leaf: shape for leaf, shape in shapes.items() if leaf != stands and leaf not in _STANDING[stands]}
    return {"weight": shapes[stands], **rest}
