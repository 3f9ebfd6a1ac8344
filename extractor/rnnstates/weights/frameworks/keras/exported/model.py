"""Reads how the layers of a SavedModel without Keras' metadata are run from its functions, which are never run.

The result is a configuration as Keras would have stored it, so that everything else works as for files that have one. A
layer is refused unless every operation of its part of the graph is understood.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .....errors import BadWeights
from .....network.model import Direction
from ....readers import Container, Tensor
from ....readers.saved_model import SavedCalls
from ..configured import ConfiguredModel
from ..graph import Layer, read_graph
from ..guessed import CELL_BY_BLOCKS, FoundLayer, GuessedModel
from ..settings import LayerSettings
from ..vocabulary import ROLES
from .cudnn import read_cudnn
from .layers import Reading, configuration
from .loops import Cell, Running, read_loops
from .program import Program, Value
from .sources import Tracer
from .steps import Variable
from .unrolled import read_unrolled

__all__ = ["exported_model"]

# The functions that find cells in a call: in loops, in cuDNN operations, and in steps one by one.
READERS = (read_loops, read_cudnn, read_unrolled)
REMEDY = (
    "save the whole model (model.save('model.keras')) and give that, or run it as it is: "
    'rnnstates.collect("model.keras", inputs)'
)


def exported_model(
    container: Container, kind: str, found: Sequence[FoundLayer], names: Mapping[int, str], generation: str
) -> ConfiguredModel | GuessedModel:
    """Read how the layers of a SavedModel are run.

    Parameters
    ----------
    container : Container
        Its documents hold ``graph`` and ``calls``.
    kind : str
        The kind of file.
    found : sequence of FoundLayer
        Its layers, found by the names of their variables.
    names : mapping
        The array of each variable by the number of its object in ``calls``.
    generation : str
        Which Keras wrote it, if known.
    """
    calls: SavedCalls | None = container.documents.get("calls")
    # Without functions nothing says how layers are run, as in a checkpoint.
    if not any(layer.cells for layer in found) or (calls is not None and not calls.bound):
        return GuessedModel(kind, None, list(found), container.path, generation)
    reading = _reading(container, found, names)
    config, problems = configuration(reading, found)
    graph = read_graph(config, container.path)
    assert graph is not None
    stored = _StoredNames(container, found, problems)
    return ConfiguredModel(kind, None, graph, stored, rules=reading.rules(), generation=generation)


def _reading(container: Container, found: Sequence[FoundLayer], names: Mapping[int, str]) -> Reading:
    """Read the function that runs the most cells; the default signature's in case of a tie."""
    calls: SavedCalls | None = container.documents.get("calls")
    graph = container.documents.get("graph")
    best = Reading({}, None)
    if calls is None or graph is None:
        return best
    cells = list(_cells(found))
    program = Program(graph, container.path)
    for function in dict.fromkeys((*calls.signatures, *calls.bound)):
        frame = program.call(function)
        if frame is None:
            continue
        bound, arguments = calls.bound[function], frame.names()
        passed = zip(arguments[len(arguments) - len(bound) :], bound, strict=False)
        variables = {
            Value(frame, argument): Variable(names[number], container.tensors[names[number]].shape)
            for argument, number in passed
            if number in names
        }
        loops = [loop for read in READERS for loop in read(program, frame, variables, cells)]
        running: dict[str, list[Running]] = {}
        for loop in loops:
            for name, cell in loop.running.items():
                running.setdefault(name, []).append(cell)
        if len(running) > len(best.running):
            whole = function in calls.signatures or not calls.signatures
            best = Reading(running, Tracer(program, loops, variables), whole)
        if len(best.running) == len(cells):
            break
    return best


def _cells(found: Sequence[FoundLayer]) -> Any:
    for layer in found:
        for half, tensors in layer.cells.items():
            if layer.gates in CELL_BY_BLOCKS and len(tensors) in (2, 3):
                variables = {
                    role: Variable(tensor.name, tensor.shape) for role, tensor in zip(ROLES, tensors, strict=False)
                }
                yield Cell(f"{layer.name}\0{half}", CELL_BY_BLOCKS[layer.gates], variables)


@dataclass(frozen=True)
class _StoredNames:
    """Finds the arrays of the layers; layers that were not recognised are refused when they are requested."""

    container: Container
    found: Sequence[FoundLayer]
    problems: Mapping[str, str]

    def cells(self, layer: Layer, settings: LayerSettings) -> dict[Direction, list[list[Tensor]]]:  # noqa: ARG002
        """Return the arrays of a recurrent layer."""
        name = layer.path[-1]
        if name in self.problems:
            raise BadWeights(f"{self.container.path}: layer '{name}': {self.problems[name]}; {REMEDY}.")
        stored = next(found for found in self.found if found.name == name and found.cells)
        return {half: [list(tensors)] for half, tensors in stored.cells.items()}

    def embedding(self, layer: Layer) -> Tensor:
        """Return the table of an embedding."""
        return self.container.tensors[str(layer.config["table"])]
