"""Turns what the loops of a graph compute into a configuration of layers, as Keras stores one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..by_arrays import class_by_arrays
from ..guessed import FoundLayer
from ..vocabulary import RECURRENT
from .loops import Running
from .sources import Source, Tracer

__all__ = ["Reading", "configuration"]

CLASSES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
INPUTS = "inputs of the graph"
NOT_FOUND = "its graph has no loop that is recognised as this layer, so how it is run is unknown"


@dataclass(frozen=True)
class Reading:
    """The uses of each recognised cell, by its name, and the tracer of their inputs.

    ``whole`` says whether inputs are traced to those of the model, not of one of its functions.
    """

    running: Mapping[str, Sequence[Running]]
    tracer: Tracer | None
    whole: bool = True

    def rules(self) -> str:
        """Return a version of Keras whose activation names are those of the graph."""
        used = {name for uses in self.running.values() for cell in uses for name in cell.settings[:2]}
        return "2" if "hard_sigmoid_fifth" in used else "3"


def configuration(reading: Reading, found: Sequence[FoundLayer]) -> tuple[dict[str, Any], dict[str, str]]:
    """Make the configuration of a model, and say which of its layers were not recognised, and why.

    Returns
    -------
    dict
        ``{"class_name": "Functional", "config": ...}``.
    dict
        The reasons by layer name.
    """
    layers = {layer.name: _other(layer) for layer in found}
    problems: dict[str, str] = {}
    owners = {array: layer for layer in found for array in layer.arrays}
    for layer in found:
        if layer.cells:
            entry, below, problem = _recurrent(reading, layer, owners)
            layers |= {**below, layer.name: entry}
            problems |= {layer.name: problem} if problem else {}
    inputs = {"class_name": "InputLayer", "name": INPUTS, "config": {"name": INPUTS}, "inbound_nodes": []}
    outputs = [[name, 0, 0] for name in layers]
    return {
        "class_name": "Functional",
        "config": {"layers": [inputs, *layers.values()], "output_layers": outputs},
    }, problems


Entry = tuple[dict[str, Any], dict[str, dict[str, Any]], str]


def _recurrent(reading: Reading, layer: FoundLayer, owners: Mapping[str, FoundLayer]) -> Entry:
    halves = {half: reading.running.get(f"{layer.name}\0{half}", ()) for half in layer.cells}
    known = {half: uses[0] for half, uses in halves.items() if len({cell.settings[:3] for cell in uses}) == 1}
    first = next(iter(layer.cells.values()))
    units, class_name = first[1].shape[:1], class_by_arrays(first)
    plain = {"class_name": class_name if class_name in RECURRENT else "LSTM", "config": {"units": (*units, 1)[0]}}
    if reading.tracer is None or len(known) < len(halves):
        return _entry(layer.name, plain, [INPUTS]), {}, NOT_FOUND
    sources = {half: _source(reading.tracer, halves[half]) for half in known}
    if not reading.whole:
        sources = {half: _of_a_part(source) for half, source in sources.items()}
    source = sources.get("forward") or next(iter(sources.values()))
    masked = any(cell.masked for uses in halves.values() for cell in uses)
    given = not all(cell.starts_from_zero for uses in halves.values() for cell in uses)
    entries = [_cell_entry(cell, backwards=source.backwards and len(known) == 1) for cell in known.values()]
    problem = _problem(sources, entries)
    # After other operations, which are not run, the inputs are their output, whatever its axes are called.
    if source.time_first and source.kind in ("inputs", "embedding"):
        for entry in entries:
            entry["config"]["time_major"] = True
    made = entries[0]
    if len(known) > 1:
        both = {"layer": entries[0], "backward_layer": entries[1], "merge_mode": _merge(reading, layer)}
        made = {"class_name": "Bidirectional", "config": both}
    names, below = _below(source, owners, masked=masked)
    masked &= source.kind != "embedding"
    return _entry(layer.name, made, names, given=given, masked=masked), below, problem


def _source(tracer: Tracer, uses: Sequence[Running]) -> Source:
    """Find the source of a cell's inputs; a layer used more than once has one only if all uses agree."""
    found = {_source_of(tracer, cell) for cell in uses}
    return found.pop() if len(found) == 1 else Source("other", operation="each use's own")


def _source_of(tracer: Tracer, cell: Running) -> Source:
    if cell.sequence is not None:
        source = tracer.source(cell.sequence, axis=cell.axis)
        return replace(source, backwards=source.backwards ^ cell.turned)
    return Source("cell", (cell.below,)) if cell.below else Source("other", operation="no step's")


def _of_a_part(source: Source) -> Source:
    """Keep what is known of a source traced to the inputs of a function that the model calls somewhere."""
    return replace(source, kind="other", operation="unknown") if source.kind == "inputs" else source


def _problem(sources: Mapping[Any, Source], entries: Sequence[dict[str, Any]]) -> str:
    if len(sources) < 2:
        return ""
    one, other = sources["forward"], sources["backward"]
    if one.backwards or not other.backwards or one.names != other.names or one.kind != other.kind:
        return "its directions do not read one sequence from both ends, which is not supported"
    return "" if entries[0]["class_name"] == entries[1]["class_name"] else NOT_FOUND


def _cell_entry(cell: Running, *, backwards: bool) -> dict[str, Any]:
    settings = cell.settings
    config: dict[str, Any] = {
        "units": cell.cell.variables["recurrent_kernel"].shape[0],
        "activation": settings.activation.removesuffix("_fifth"),
        "use_bias": "bias" in cell.cell.variables,
        "return_sequences": True,
        "go_backwards": backwards,
    }
    if cell.cell.kind != "simple_rnn":
        config["recurrent_activation"] = settings.recurrent_activation.removesuffix("_fifth")
    if cell.cell.kind == "gru":
        config["reset_after"] = settings.reset_after
    return {"class_name": CLASSES[cell.cell.kind], "config": config}


def _merge(reading: Reading, layer: FoundLayer) -> str:
    """Find how another layer merges both directions; if none reads them, it does not matter."""
    for cell in (cell for uses in reading.running.values() for cell in uses):
        if cell.sequence is not None and reading.tracer is not None:
            source = reading.tracer.source(cell.sequence, axis=cell.axis)
            if source.kind == "merged" and source.names[0].split("\0")[0] == layer.name:
                return source.merge
    return "concat"


def _entry(
    name: str, made: Mapping[str, Any], below: Sequence[str], *, given: bool = False, masked: bool = False
) -> dict[str, Any]:
    beside = {"initial_state": True} if given else {}
    nodes = [[below[0], 0, 0, beside | ({"mask": [["mask of the graph", 0, 0]]} if masked else {})]]
    # As several calls, because a second tensor of one call would be an initial state.
    uses = [nodes, *([[other, 0, 0, {}]] for other in below[1:])]
    return {**made, "name": name, "config": {"name": name, **made["config"]}, "inbound_nodes": uses}


def _below(
    source: Source, owners: Mapping[str, FoundLayer], *, masked: bool
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the names of what a layer reads, with new layers for what is neither recurrent nor the model's inputs."""
    if source.kind == "inputs":
        return [INPUTS], {}
    if source.kind in ("cell", "merged"):
        names = list(dict.fromkeys(name.split("\0")[0] for name in source.names))
        halves = {len(layer.cells) for layer in owners.values() if layer.name == names[0]}
        if len(names) == 1 and halves == {len(source.names)}:
            return names, {}
        return _operations(f"states of {' and '.join(names)} by themselves")
    if source.kind == "embedding":
        name = f"{owners[source.names[0]].name}" if source.names[0] in owners else source.names[0]
        config = {"table": source.names[0], "mask_zero": masked}
        return [name], {name: _entry(name, {"class_name": "Embedding", "config": config}, [INPUTS])}
    # In the order of the model.
    arrays = [array for array in owners if array in set(source.names)]
    modules = {owners[array].name: owners[array] for array in arrays}
    named = [name for name, module in modules.items() if not module.cells]
    return (named, {}) if named else _operations(f"{source.operation or 'other'} operation")


def _other(layer: FoundLayer) -> dict[str, Any]:
    if layer.table is not None:
        return _entry(layer.name, {"class_name": "Embedding", "config": {"table": layer.table.name}}, [INPUTS])
    return _entry(layer.name, {"class_name": layer.class_name, "config": {}}, [INPUTS])


def _operations(name: str) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Make a layer of operations that belong to no known layer with arrays."""
    return [name], {name: _entry(name, {"class_name": "operations", "config": {}}, [INPUTS])}
