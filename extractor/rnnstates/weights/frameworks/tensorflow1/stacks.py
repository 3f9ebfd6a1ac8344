"""Assembles TensorFlow 1's cells into stacks, with the settings that apply at run time.

A checkpoint does not contain a cell's forget bias, clips and activation. They are read from the graph next to it
(``model.ckpt-100.meta``, ``saved_model.pb``), which is never run; without one, TensorFlow's defaults are assumed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ....errors import BadWeights
from ....errors.articles import with_article
from ....network.model import DIRECTIONS, Direction
from ...conventions import CONVENTIONS
from ...named import FoundStack, NamedModel, refusal
from ...readers import Container
from ...stack import StoredCell, StoredLayer
from .between import is_residual, stands_between
from .graph import WITHOUT_GRAPH, Graph
from .names import KINDS, TABLE, FoundCell, find_cells, opaque_arrays, roles_of, unknown_cells
from .shapes import cells_by_shape, placed
from .steps import Shown, shown_by

__all__ = ["fits", "hint", "interpret", "recognises"]

# A cell's number among layers with both directions, and within one direction.
Number = tuple[tuple[int, ...], tuple[int, ...]]
Layers = dict[Number, dict[Direction, FoundCell]]


_OPAQUE = (
    "the weights of a cuDNN layer in one array, in an order that only cuDNN knows. Save them by name: in the program "
    "that made it, save with the layer's own saveable (CudnnLSTM and CudnnGRU of tf.contrib.cudnn_rnn do so through "
    "tf.train.Saver), which writes cudnn_compatible_lstm_cell/kernel and so on."
)


def recognises(container: Container) -> bool:
    """Return whether a scope in the names belongs to a cell."""
    if find_cells(container.tensors):
        return True
    # Other frameworks have cells with such names too.
    is_own = container.kind.startswith("TensorFlow")
    return is_own and bool(unknown_cells(container.tensors, []) or opaque_arrays(container.tensors))


def fits(container: Container) -> bool:
    """Return whether variables with custom names may belong to a cell."""
    return bool(cells_by_shape(container.tensors, find_cells(container.tensors)))


def hint(container: Container) -> str:
    """Describe for a message which variables may belong to a cell; empty if there are none."""
    scopes = [
        f"'{cell.scope or container.kind}'"
        for cell in cells_by_shape(container.tensors, find_cells(container.tensors))[:4]
    ]
    having = "has a kernel and a bias" if len(scopes) == 1 else "each have a kernel and a bias"
    way = 'that fit a cell of TensorFlow 1; if they are one, pass convention="tensorflow1"'
    return f" {', '.join(scopes)} {having} {way}." if scopes else ""


def interpret(container: Container, *, by_shape: bool = False) -> NamedModel:
    """Find the cells and their stacks.

    Parameters
    ----------
    container : Container
    by_shape : bool
        Whether a kernel and a bias that fit a cell are read as one under any name (``convention="tensorflow1"``).

    Returns
    -------
    NamedModel
        A stack for each ``dynamic_rnn`` or the like; which feeds which is not in a checkpoint.
    """
    cells = find_cells(container.tensors)
    fitting = cells_by_shape(container.tensors, cells)
    graph = Graph(container.documents.get("graph"))
    cells = placed([*cells, *(_decided(cell, graph) for cell in fitting if by_shape)])
    stacks: dict[str, list[FoundCell]] = defaultdict(list)
    for cell in cells:
        stacks[cell.place.stack or "cell"].append(cell)
    used = {id(tensor) for cell in cells for shards in cell.shards.values() for tensor in shards}
    unused = [name for name, tensor in container.tensors.items() if id(tensor) not in used]
    found = [_found(container, stack, members, graph) for stack, members in stacks.items()]
    perhaps = {
        cell.scope: f', or of {with_article(cell.kind.class_name)} with a custom name (convention="tensorflow1")'
        for cell in fitting
    }
    foreign = [
        FoundStack(
            "unknown",
            (scope,),
            problem=refusal(f"{container.path}: '{scope}'", names, f"of an unknown cell{perhaps.get(scope, '')}"),
        )
        for scope, names in unknown_cells(container.tensors, cells).items()
    ]
    foreign += [
        FoundStack("CudnnRNN", (name,), problem=f"{container.path}: '{name}': {_OPAQUE}")
        for name in opaque_arrays(container.tensors)
    ]
    tables = [container.tensors[name] for name in unused if TABLE.search(name)]
    return NamedModel(f"TensorFlow 1 ({container.kind})", [*found, *foreign], unused, tables=tables)


def _decided(cell: FoundCell, graph: Graph) -> FoundCell:
    """Make a cell a BasicRNNCell if its shapes also fit an LSTMCell, but the graph shows the former."""
    simple = replace(cell, kind=KINDS["basic_rnn_cell"])
    try:
        fits = cell.shards.keys() == {"kernel", "bias"} and shown_by(graph, simple, cell.scope).is_whole
    except BadWeights:
        fits = False
    return simple if fits else cell


def _found(container: Container, stack: str, members: Sequence[FoundCell], graph: Graph) -> FoundStack:
    where = f"{container.path}: '{stack}'"
    kinds = " and ".join(dict.fromkeys(cell.kind.class_name for cell in members))
    try:
        layers = _layers(members, where)
        names = tuple(_name(stack, number) for number in layers)
        shown = {cell.scope: shown_by(graph, cell, f"{container.path}: '{cell.scope}'") for cell in members}
        residual = _residual(graph, layers, shown, where)
        stored = tuple(
            StoredLayer(
                name,
                {
                    direction: _stored(cell, shown[cell.scope], f"{container.path}: '{cell.scope}'")
                    for direction, cell in sorted(cells.items(), key=lambda item: DIRECTIONS.index(item[0]))
                },
                _merge(number, list(layers)),
                residual=residual.get(number) is True,
            )
            for name, (number, cells) in zip(names, layers.items(), strict=True)
        )
    except BadWeights as reason:
        return FoundStack(kinds, (stack,), problem=str(reason))
    notes = [*_notes(where, members, shown), *_notes_between(where, members, layers, residual)]
    return FoundStack(kinds, names, stored, notes=tuple(notes))


def _residual(graph: Graph, layers: Layers, shown: Mapping[str, Shown], where: str) -> dict[Number, bool | None]:
    """Return for every layer but the last whether it adds its inputs to those of the next one; None if not shown.

    Raises
    ------
    BadWeights
        Something else stands between two layers.
    """
    found: dict[Number, bool | None] = {}
    for (number, lower), upper in zip(layers.items(), list(layers.values())[1:], strict=False):
        pairs = [(lower[direction].scope, upper[direction].scope) for direction in lower]
        found[number] = is_residual(graph, [(shown[below], shown[above]) for below, above in pairs])
        for below, above in pairs if found[number] is None else ():
            if between := stands_between(graph, shown, below, above):
                raise BadWeights(
                    f"{where}: its graph computes the inputs of '{above}' from the states of '{below}' by {between}, "
                    f"which is not run. To run the stack without it, {WITHOUT_GRAPH}."
                )
    return found


def _layers(members: Sequence[FoundCell], where: str) -> Layers:
    """Put the cells of a stack in order.

    Raises
    ------
    BadWeights
        Some are missing, have more variables than such cells, or are wrapped in others.
    """
    layers: Layers = {}
    for cell in members:
        place = cell.place
        if place.wrapper:
            raise BadWeights(f"{where}: is inside '{place.wrapper}', which changes what it computes and is not run.")
        if cell.foreign:
            raise BadWeights(refusal(where, cell.foreign, f"which {cell.kind.class_name} does not have"))
        cells = layers.setdefault((place.outer, place.inner), {})
        if place.direction in cells:
            raise BadWeights(f"{where}: '{cell.scope}' and '{cells[place.direction].scope}' have the same position.")
        cells[place.direction] = cell
    for outer in {number[0] for number in layers}:
        found = sorted(number[1] for number in layers if number[0] == outer)
        if found not in ([()], [(count,) for count in range(len(found))]):
            raise BadWeights(f"{where}: has the layers {found}; some are missing, or they are nested.")
    found = sorted({number[0] for number in layers})
    if found not in ([()], [(count,) for count in range(len(found))]):
        raise BadWeights(f"{where}: has the layers {found}; some are missing, or they are nested.")
    if len({frozenset(cells) for cells in layers.values()}) != 1:
        raise BadWeights(f"{where}: has both directions in only some layers; some variables are missing.")
    return dict(sorted(layers.items()))


def _name(stack: str, number: Number) -> str:
    return "/".join([stack, *(f"cell_{count}" for level in number for count in level)])


def _merge(number: Number, numbers: Sequence[Number]) -> str:
    """Return the merge of a layer: inside MultiRNNCell directions stay apart, and only the last layers are joined."""
    return "apart" if number != [other for other in numbers if other[0] == number[0]][-1] else "concat"


def _stored(cell: FoundCell, shown: Shown, where: str) -> StoredCell:
    convention = CONVENTIONS[cell.kind.framework][cell.kind.cell]
    convention = replace(convention, gates=shown.gates or convention.gates)
    settings = {"activation": "tanh", **_added(cell), **shown.settings}
    determined = {name: "file" if name in shown.settings else "default" for name in settings}
    return StoredCell(convention, roles_of(cell, where, shown.state_first), where, settings, determined)


def _added(cell: FoundCell) -> dict[str, float]:
    """Return what TensorFlow's own cell of that class adds to the forget gate."""
    is_lstm = cell.kind.cell == "lstm"
    return {"forget_bias": CONVENTIONS[cell.kind.framework]["lstm"].forget_bias} if is_lstm else {}


def _notes(where: str, members: Sequence[FoundCell], shown: Mapping[str, Shown]) -> Iterator[str]:
    notes: dict[str, None] = {}
    for is_whole in (True, False):
        shaped = [cell for cell in members if cell.by_shape and shown[cell.scope].is_whole == is_whole]
        if shaped:
            kinds = " and ".join(dict.fromkeys(cell.kind.class_name for cell in shaped))
            scopes = ", ".join(f"'{cell.scope or 'kernel'}'" for cell in shaped[:4])
            known = (
                "are those of the graph"
                if is_whole
                else "and that a kernel has the rows of the inputs first, are assumed"
            )
            yield (
                f"{where}: {scopes}: read as {kinds} by its shapes, as convention='tensorflow1' says; its equations"
                f"{' ' if is_whole else ', '}{known}."
            )
    for cell in members:
        settings = shown[cell.scope].settings
        assumed = {"activation": "activation tanh (activation=)"}
        if cell.kind.cell == "lstm":
            assumed["forget_bias"] = f"{_added(cell)['forget_bias']} added to the forget gate (forget_bias=)"
            assumed["cell_clip"] = "no clip of the cell state (cell_clip=)"
        if "projection" in cell.shards:
            assumed["projection_clip"] = "none of the projection (projection_clip=)"
        missing = [text for name, text in assumed.items() if name not in settings]
        if missing:
            kind = cell.kind.class_name
            begin = f"{where}: the checkpoint does not say how {with_article(kind)} is run; assumed: "
            notes[f"{begin}{', '.join(missing)}."] = None
    yield from notes


def _notes_between(
    where: str, members: Sequence[FoundCell], layers: Layers, residual: Mapping[Number, bool | None]
) -> Iterator[str]:
    if any(cell.kind.class_name == "LSTMBlockFusedCell" for cell in members):
        yield f"{where}: TimeReversedFusedRNN would leave no trace in a checkpoint; it is assumed to read forward."
    if len(layers) > 1 and None in residual.values():
        yield f"{where}: residual connections between layers would leave no trace in a checkpoint; none is assumed."
