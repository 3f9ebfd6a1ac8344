"""Reads Keras files of all generations that Keras 2 and Keras 3 write, as data, without importing Keras.

``interpret`` detects the layout (Keras 3's numbered groups or the legacy layout's named ones) and whether the file has
a configuration. With one, ``graph`` reads the layers and what feeds them, ``configured`` finds the stacks, ``settings``
reads how each layer is run, and ``counters`` or ``legacy`` find its arrays. Without one, ``finding`` and ``guessed``
infer the layers from the arrays.
"""

from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights
from ....errors.articles import with_article
from ....untrusted.json_text import parse_json
from ...activation_names import keras_generation
from ...readers import Container
from ...stack import Model
from .beside import model_beside, refuse_config
from .configured import ConfiguredModel
from .counters import CounterNames
from .finding import find_by_counters, find_in_legacy, generation_by_counters
from .graph import Graph, read_graph
from .guessed import GuessedModel
from .legacy import LegacyNames

__all__ = ["interpret", "interpret_with", "recognises"]

# Where a whole model stores its arrays in the legacy layout; a file of weights alone stores them at its root.
WHOLE_MODEL = "model_weights"
CONFIG, METADATA = "config.json", "metadata.json"


def recognises(container: Container) -> bool:
    """Return whether any version of Keras wrote a container."""
    return CONFIG in container.documents or _legacy_root(container) is not None or _has_numbered(container)


def interpret(container: Container) -> Model:
    """Identify the layers of a Keras file.

    Raises
    ------
    BadWeights
        It is not a Keras file, or contradicts itself.
    """
    root = _legacy_root(container)
    if root is not None:
        return _legacy(container, root)
    if not recognises(container):
        some = ", ".join(list(container.tensors)[:5]) or "nothing"
        raise BadWeights(f"{container.path}: holds {some}; expected what Keras saves (.keras, .weights.h5 or .h5).")
    metadata = container.documents.get(METADATA, {})
    version = str(metadata["keras_version"]) if metadata.get("keras_version") else None
    graph = _graph(container)
    if graph is not None:
        return ConfiguredModel("Keras model (.keras)", version, graph, CounterNames(container))
    kind = "Keras model (.keras)" if CONFIG in container.documents else "Keras weights (.weights.h5)"
    generation = keras_generation(version) if version else generation_by_counters(container)
    return GuessedModel(kind, version, find_by_counters(container), container.path, generation)


def interpret_with(container: Container, config: Mapping[str, Any], where: str) -> Model:
    """Identify the layers of a weights-only file by a separate configuration.

    Parameters
    ----------
    container : Container
    config : mapping
        The output of ``model.to_json()``.
    where : str
        The file of the configuration.

    Raises
    ------
    OptionError
        The container is not a weights-only file of Keras.
    BadWeights
        The configuration is damaged, or belongs to another model.
    """
    root = _legacy_root(container)
    own = CONFIG in container.documents or "model_config" in container.attributes("")
    if not recognises(container) or own or METADATA in container.documents:
        raise refuse_config(container.path, where, f"{with_article(container.kind)} file", has_its_own=own)
    return model_beside(container, root, config, where, _stored_version(container, root or ""))


def _stored_version(container: Container, root: str) -> str | None:
    version = container.attributes("").get("keras_version") or container.attributes(root).get("keras_version")
    return str(version) if version else None


def _legacy(container: Container, root: str) -> Model:
    version = _stored_version(container, root)
    config = container.attributes("").get("model_config")
    graph = None
    if isinstance(config, str):
        graph = read_graph(parse_json(config, f"{container.path}: model_config"), container.path)
    kind = "legacy Keras model (.h5)" if root else "legacy Keras weights (.h5)"
    if graph is not None:
        return ConfiguredModel(kind, version, graph, LegacyNames(container, root))
    found = find_in_legacy(container, root)
    return GuessedModel(kind, version, found, container.path, keras_generation(version))


def _graph(container: Container) -> Graph | None:
    config = container.documents.get(CONFIG)
    return None if config is None else read_graph(config, container.path)


def _legacy_root(container: Container) -> str | None:
    for root in (WHOLE_MODEL, ""):
        if {"layer_names", "layer_names0"} & set(container.attributes(root)):
            return root
    return None


def _has_numbered(container: Container) -> bool:
    return any("vars" in name.split("/")[-2:-1] for name in container.tensors)
