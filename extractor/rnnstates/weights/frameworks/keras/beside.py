"""A configuration that lies beside a file of weights alone: which files take one, and whether it fits their arrays."""

from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights, OptionError
from ...readers import Container
from .configured import ConfiguredModel
from .counters import LAYER_GROUPS, CounterNames
from .graph import Graph, Layer, read_graph
from .legacy import LegacyNames, list_attribute
from .naming import TensorNames
from .vocabulary import RECURRENT, snake_case, version_number

__all__ = ["model_beside", "refuse_config"]

MOST_NAMED = 8


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
    names: TensorNames = CounterNames(container) if root is None else LegacyNames(container, root)
    kind = "Keras weights (.weights.h5)" if root is None else "legacy Keras weights (.h5)"
    return ConfiguredModel(f"{kind} with a configuration", _version(config, stored), graph, names)


def refuse_config(path: str, where: str, kind: str, *, has_its_own: bool) -> OptionError:
    """Say why a file takes no configuration beside it."""
    if has_its_own:
        return OptionError(f"--config {where}: {path} has a configuration of its own; leave the option away.")
    return OptionError(
        f"--config {where}: {path} is {kind}; only files of weights alone that Keras saved (.weights.h5, or .h5 by "
        "save_weights) take a configuration."
    )


def _version(config: Mapping[str, Any], stored: str | None) -> str | None:
    """Tell which Keras wrote a configuration: Keras 1 and 2 say so, Keras 3 names the module of the model's class."""
    version = config.get("keras_version")
    if isinstance(version, str) and version_number(version) is not None:
        return version
    if "module" in config:
        return stored if stored is not None and (version_number(stored) or (0, 0))[0] >= 3 else "3"
    return stored


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


def _group(layer: Layer) -> str:
    class_name, number = layer.outer[0] if layer.outer else (layer.class_name, layer.number)
    return snake_case(class_name) + (f"_{number}" if number else "")


def _has_arrays(layer: Layer) -> bool:
    return layer.class_name in RECURRENT or layer.class_name in ("Dense", "Embedding")
