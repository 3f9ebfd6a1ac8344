"""Whether a model's own mask keeps padding from a recurrent layer."""

from .graph import Graph, Layer
from .vocabulary import NO_OPERATION, OURS, RECURRENT

__all__ = ["is_masked"]

# Layers that hand on the mask they are given (``supports_masking`` in Keras), beside recurrent and transparent ones.
PASSING = {
    *("Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "ELU", "LayerNormalization"),
    *("LeakyReLU", "Maximum", "Minimum", "Multiply", "PReLU", "ReLU", "Softmax", "Subtract", "ThresholdedReLU"),
    *("TimeDistributed", "UnitNormalization"),
}


def is_masked(graph: Graph, layer: Layer) -> bool | None:
    """Tell whether a layer is given a mask when the model runs.

    Parameters
    ----------
    graph : Graph
    layer : Layer
        A recurrent one.

    Returns
    -------
    bool or None
        None where it cannot be seen: layers of rnnstates, which take lengths, layers of unknown classes, and those of
        which Keras' versions differ in whether they hand a mask on.
    """
    if layer.class_name in OURS:
        return None
    waiting, seen, unclear = [(layer, True)], {layer.path}, False
    while waiting:
        here, passes = waiting.pop()
        if _makes_mask(graph, here):
            if passes:
                return True
            unclear = True
        unclear |= here.custom or here.class_name in OURS
        passes &= here is layer or _passes(here)
        for producer in graph.producers(here, first=here.class_name in RECURRENT):
            if producer.layer.class_name != "InputLayer" and producer.layer.path not in seen:
                seen.add(producer.layer.path)
                waiting.append((producer.layer, passes))
    return None if unclear else False


def _makes_mask(graph: Graph, layer: Layer) -> bool:
    given = any(call.masks for call in graph.uses(layer))
    return given or layer.class_name == "Masking" or bool(layer.config.get("mask_zero"))


def _passes(layer: Layer) -> bool:
    return layer.class_name in PASSING or layer.class_name in NO_OPERATION or layer.class_name in RECURRENT
