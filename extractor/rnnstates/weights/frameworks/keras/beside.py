"""A configuration that lies beside a file of weights alone: which files take one, and whether it fits their arrays."""

from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights, OptionError
from ...activation_names import KERAS_2, KERAS_3, keras_generation
from ...readers import Container
from .configured import ConfiguredModel
from .counters import LAYER_GROUPS, CounterNames
from .finding import generation_by_counters
from .graph import Graph, Layer, read_graph
from .legacy import LegacyNames, list_attribute
from .naming import TensorNames
from .vocabulary import RECURRENT, snake_case, version_number

__all__ = ["model_beside", "refuse_config"]

MOST_NAMED = 8
# The first version whose configurations name modules, by generation; what is written without a version is not older.
FIRST_OF = {KERAS_2: "2.12", KERAS_3: "3"}
# Settings that Keras 3 left out, in every recurrent layer of Keras 2 or in its cell.
OF_KERAS_2 = {"time_major", "implementation"}


def model_beside(
    container: Container, root: str | None, config: Mapping[str, Any], where: str, stored: str | None
) -> ConfiguredModel:
    """Make a model of arrays and of a configuration that lies beside them.

    Parameters
    ----------
    container : Container
        Of weights alone.
    root : str or None
        Where its groups stand in the legacy layout; None for that of Keras 3.
    config : mapping
        What ``model.to_json()`` gave.
    where : str
        Its file.
    stored : str or None
        The ``keras_version`` in the file of weights.

    Raises
    ------
    BadWeights
        It tells no layers, or those of another model.
    """
    graph = read_graph(config, f"{container.path} with {where}")
    if graph is None:
        raise BadWeights(
            f"{where}: tells no layers; expected what model.to_json() gives of a Sequential or Functional model."
        )
    _check_fits(container, root, graph, where)
    _check_order(container, root, config, graph, where)
    names: TensorNames = CounterNames(container) if root is None else LegacyNames(container, root)
    kind = "Keras weights (.weights.h5)" if root is None else "legacy Keras weights (.h5)"
    version = _version(config, graph, stored)
    notes = _notes(container, graph, where, stored, keras_generation(version))
    return ConfiguredModel(f"{kind} with a configuration", version, graph, names, notes=notes)


def _notes(container: Container, graph: Graph, where: str, stored: str | None, generation: str) -> tuple[str, ...]:
    """Say that a configuration is of another generation of Keras than the arrays, where a name means something else."""
    of_arrays = keras_generation(stored) if stored else generation_by_counters(container)
    layers = [layer for layer in graph.layers.values() if layer.class_name in RECURRENT]
    if {generation, of_arrays} != {KERAS_2, KERAS_3} or not any("hard_sigmoid" in str(each.config) for each in layers):
        return ()
    note = (
        f"{container.path} was written by {of_arrays} and {where} by {generation}, in which hard_sigmoid is another "
        f"function; that of {generation} is taken."
    )
    return (note,)


def refuse_config(path: str, where: str, kind: str, *, has_its_own: bool) -> OptionError:
    """Say why a file takes no configuration beside it."""
    if has_its_own:
        return OptionError(f"config={where!r}: {path} has a configuration of its own; leave this one out.")
    return OptionError(
        f"config={where!r}: {path} is {kind}; only files of weights alone that Keras saved (.weights.h5, or .h5 by "
        "save_weights) take a configuration."
    )


def _version(config: Mapping[str, Any], graph: Graph, stored: str | None) -> str | None:
    """Tell which Keras wrote a configuration: it says so, or is of the generation that wrote the arrays."""
    version = config.get("keras_version")
    if isinstance(version, str) and version_number(version) is not None:
        return version
    wrote = _generation(config, graph)
    return stored if wrote in ("", keras_generation(stored)) else FIRST_OF[wrote]


def _generation(config: Mapping[str, Any], graph: Graph) -> str:
    """Tell which Keras wrote a configuration without its version; empty where nothing tells.

    Both generations name the module of the model's class, Keras 2 in the ``config.json`` of a ``.keras`` file; it alone
    names settings that Keras 3 left out.
    """
    if any(OF_KERAS_2 & layer.config.keys() for layer in graph.layers.values() if layer.class_name in RECURRENT):
        return KERAS_2
    return KERAS_3 if "module" in config else ""


def _check_fits(container: Container, root: str | None, graph: Graph, where: str) -> None:
    """Hold the layers that have arrays against those of the configuration, both ways."""
    layers = list(graph.layers.values())
    if root is None:
        found = {name.split("/")[1] for name in container.tensors if name.startswith(f"{LAYER_GROUPS[0]}/")}
        known = {_group(layer) for layer in layers}
        with_arrays = {_group(layer) for layer in layers if _has_arrays(layer)}
        if not found:
            # Keras 2.12 and 2.13 count otherwise; CounterNames compares what it needs.
            return
    else:
        groups = list_attribute(container.attributes(root), "layer_names")
        found = {name for name in groups if list_attribute(container.attributes(f"{root}/{name}"), "weight_names")}
        known = {layer.path[0] for layer in layers}
        with_arrays = {layer.path[0] for layer in layers if _has_arrays(layer)}
    problems = [
        *(f"it has no layer '{name}', of which there are arrays" for name in sorted(found - known)),
        *(f"there are no arrays of its layer '{name}'" for name in sorted(with_arrays - found)),
    ]
    if problems:
        more = f", and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise BadWeights(
            f"{where}: is not the configuration of the model that {container.path} was saved from: "
            f"{'; '.join(problems[:MOST_NAMED])}{more}. Give what model.to_json() of that model gives."
        )


def _check_order(container: Container, root: str | None, config: Mapping[str, Any], graph: Graph, where: str) -> None:
    """Hold the order of a Sequential model's layers against that of their groups, where the file has one."""
    if root is None or config.get("class_name") != "Sequential":
        return
    ordered = list(dict.fromkeys(layer.path[0] for layer in graph.layers.values()))
    stored = [name for name in list_attribute(container.attributes(root), "layer_names") if name in ordered]
    ordered = [name for name in ordered if name in stored]
    if stored != ordered:
        raise BadWeights(
            f"{where}: has the layers {', '.join(ordered[:MOST_NAMED])} in this order, but {container.path} was saved "
            f"from a model of {', '.join(stored[:MOST_NAMED])}. Give what model.to_json() of that model gives."
        )


def _group(layer: Layer) -> str:
    class_name, number = layer.outer[0] if layer.outer else (layer.class_name, layer.number)
    return snake_case(class_name) + (f"_{number}" if number else "")


def _has_arrays(layer: Layer) -> bool:
    return layer.class_name in RECURRENT or layer.class_name in ("Dense", "Embedding")
