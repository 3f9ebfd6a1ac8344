"""Combines a weights-only file with a separate configuration, after checking that the two belong together."""

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
# By generation, the first version whose configurations name modules; those without a version are not older.
FIRST_OF = {KERAS_2: "2.12", KERAS_3: "3"}
# Settings of every recurrent layer of Keras 2, or of its cell, that Keras 3 removed.
OF_KERAS_2 = {"time_major", "implementation"}


def model_beside(
    container: Container, root: str | None, config: Mapping[str, Any], where: str, stored: str | None
) -> ConfiguredModel:
    """Make a model from arrays and a separate configuration.

    Parameters
    ----------
    container : Container
        The weights-only file.
    root : str or None
        The path of its groups in the legacy layout; None for Keras 3's layout.
    config : mapping
        The output of ``model.to_json()``.
    where : str
        The file of the configuration.
    stored : str or None
        The ``keras_version`` in the weights file.

    Raises
    ------
    BadWeights
        The configuration lists no layers, or those of another model.
    """
    graph = read_graph(config, f"{container.path} with {where}")
    if graph is None:
        raise BadWeights(
            f"{where}: lists no layers; expected the output of model.to_json() for a Sequential or Functional model."
        )
    _check_fits(container, root, graph, where)
    _check_order(container, root, config, graph, where)
    names: TensorNames = CounterNames(container) if root is None else LegacyNames(container, root)
    kind = "Keras weights (.weights.h5)" if root is None else "legacy Keras weights (.h5)"
    version = _version(config, graph, stored)
    notes = _notes(container, graph, where, stored, keras_generation(version))
    return ConfiguredModel(f"{kind} with a configuration", version, graph, names, notes=notes)


def _notes(container: Container, graph: Graph, where: str, stored: str | None, generation: str) -> tuple[str, ...]:
    """Note a configuration from another generation of Keras than the arrays, if a name in it changed its meaning."""
    of_arrays = keras_generation(stored) if stored else generation_by_counters(container)
    layers = [layer for layer in graph.layers.values() if layer.class_name in RECURRENT]
    if {generation, of_arrays} != {KERAS_2, KERAS_3} or not any("hard_sigmoid" in str(each.config) for each in layers):
        return ()
    note = (
        f"{container.path} was written by {of_arrays} and {where} by {generation}, in which hard_sigmoid is a "
        f"different function; that of {generation} is used."
    )
    return (note,)


def refuse_config(path: str, where: str, kind: str, *, has_its_own: bool) -> OptionError:
    """Say why a file takes no separate configuration."""
    if has_its_own:
        return OptionError(f"config={where!r}: {path} has its own configuration; leave this one out.")
    return OptionError(
        f"config={where!r}: {path} is {kind}; only weights-only files saved by Keras (.weights.h5, or .h5 by "
        "save_weights) take a configuration."
    )


def _version(config: Mapping[str, Any], graph: Graph, stored: str | None) -> str | None:
    """Return the version of Keras that wrote a configuration: as stated in it, or as fits its generation."""
    version = config.get("keras_version")
    if isinstance(version, str) and version_number(version) is not None:
        return version
    wrote = _generation(config, graph)
    return stored if wrote in ("", keras_generation(stored)) else FIRST_OF[wrote]


def _generation(config: Mapping[str, Any], graph: Graph) -> str:
    """Return the generation of Keras that wrote a configuration without a version; empty if nothing shows it.

    Both generations name the module of the model's class, Keras 2 only in the ``config.json`` of a ``.keras`` file.
    Settings that Keras 3 removed show Keras 2.
    """
    if any(OF_KERAS_2 & layer.config.keys() for layer in graph.layers.values() if layer.class_name in RECURRENT):
        return KERAS_2
    return KERAS_3 if "module" in config else ""


def _check_fits(container: Container, root: str | None, graph: Graph, where: str) -> None:
    """Check that the layers with arrays and those of the configuration match, both ways."""
    layers = list(graph.layers.values())
    if root is None:
        found = {name.split("/")[1] for name in container.tensors if name.startswith(f"{LAYER_GROUPS[0]}/")}
        known = {_group(layer) for layer in layers}
        with_arrays = {_group(layer) for layer in layers if _has_arrays(layer)}
        if not found:
            # Keras 2.12 and 2.13 count differently; CounterNames compares what it needs.
            return
    else:
        groups = list_attribute(container.attributes(root), "layer_names")
        found = {name for name in groups if list_attribute(container.attributes(f"{root}/{name}"), "weight_names")}
        known = {layer.path[0] for layer in layers}
        with_arrays = {layer.path[0] for layer in layers if _has_arrays(layer)}
    problems = [
        *(f"it has no layer '{name}', for which there are arrays" for name in sorted(found - known)),
        *(f"there are no arrays for its layer '{name}'" for name in sorted(with_arrays - found)),
    ]
    if problems:
        more = f", and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise BadWeights(
            f"{where}: is not the configuration of the model that {container.path} was saved from: "
            f"{'; '.join(problems[:MOST_NAMED])}{more}. Give the output of model.to_json() for that model."
        )


def _check_order(container: Container, root: str | None, config: Mapping[str, Any], graph: Graph, where: str) -> None:
    """Check that the layers of a Sequential model are in the order of their groups, if the file records one."""
    if root is None or config.get("class_name") != "Sequential":
        return
    ordered = list(dict.fromkeys(layer.path[0] for layer in graph.layers.values()))
    stored = [name for name in list_attribute(container.attributes(root), "layer_names") if name in ordered]
    ordered = [name for name in ordered if name in stored]
    if stored != ordered:
        raise BadWeights(
            f"{where}: has the layers {', '.join(ordered[:MOST_NAMED])} in this order, but {container.path} was saved "
            f"from a model of {', '.join(stored[:MOST_NAMED])}. Give the output of model.to_json() for that model."
        )


def _group(layer: Layer) -> str:
    class_name, number = layer.outer[0] if layer.outer else (layer.class_name, layer.number)
    return snake_case(class_name) + (f"_{number}" if number else "")


def _has_arrays(layer: Layer) -> bool:
    return layer.class_name in RECURRENT or layer.class_name in ("Dense", "Embedding")
