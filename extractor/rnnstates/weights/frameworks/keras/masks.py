"""Determines whether a model itself masks padding for a recurrent layer."""

from collections.abc import Iterable

from .graph import Graph, Layer
from .vocabulary import NO_OPERATION, OURS, RECURRENT, version_number

__all__ = ["is_masked"]

# Layers that pass on their mask (``supports_masking`` in Keras), besides recurrent and transparent ones.
PASSING = {
    *("Activation", "BatchNormalization", "Dense", "ELU", "LayerNormalization", "LeakyReLU", "PReLU", "ReLU"),
    *("Softmax", "ThresholdedReLU", "TimeDistributed", "UnitNormalization"),
}
# Layers with several inputs. If only some have a mask, Keras 2 uses it, and later versions of Keras 3 mask nothing.
MERGING = {"Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"}
MERGING_NOTHING = (3, 6)
# Layers that pass on no mask in any version, and those that Keras 2 makes of TensorFlow operations.
DROPPING = {
    *("AveragePooling1D", "Conv1D", "Conv1DTranspose", "Conv2D", "Cropping1D", "DepthwiseConv1D", "Dot"),
    *("EinsumDense", "Flatten", "MaxPooling1D", "Permute", "RepeatVector", "Reshape", "SeparableConv1D"),
    *("UpSampling1D", "ZeroPadding1D", "SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer"),
}

# Whether a tensor has a mask; None if that is unknown.
Masked = bool | None


def is_masked(graph: Graph, layer: Layer, version: str | None) -> Masked:
    """Return whether a layer is given a mask when the model runs.

    Parameters
    ----------
    graph : Graph
    layer : Layer
        A recurrent one.
    version : str or None
        The ``keras_version``.

    Returns
    -------
    bool or None
        None if that is unknown: for layers of rnnstates, which take lengths, layers of unknown classes, and layers
        that pass on a mask only in some versions of Keras. False also for a mask that masks nothing.
    """
    if layer.class_name in OURS:
        return None
    number = version_number(version) or (2, 0)
    below = _below(graph, layer)
    known = _outputs(graph, below, number)
    started = [number >= (3, 0) and call.initial_state for call in graph.uses(layer)]
    # Keras 3 looks for a mask only if the sequences are the only tensor that a layer is called on.
    found = [*(known[each.path] for each in below if not all(started)), *([False] if any(started) else [])]
    return _as_named(graph, layer, _alike(found))


def _outputs(graph: Graph, ends: Iterable[Layer], number: tuple[int, int]) -> dict[tuple[str, ...], Masked]:
    """Return whether the outputs of some layers, and of all that they depend on, have a mask."""
    known: dict[tuple[str, ...], Masked] = {}
    waiting = list(ends)
    reads: dict[tuple[str, ...], list[Layer]] = {}
    while waiting:
        here = waiting[-1]
        if here.path not in reads:
            reads[here.path] = [] if _says_itself(here) else _below(graph, here)
            waiting += [each for each in reads[here.path] if each.path not in reads]
        else:
            waiting.pop()
            # In a cycle, what it leads back to is not known yet.
            below = [known.get(each.path) for each in reads[here.path]]
            known.setdefault(here.path, _output(graph, here, below, number))
    return known


def _below(graph: Graph, layer: Layer) -> list[Layer]:
    return [producer.layer for producer in graph.producers(layer, first=layer.class_name in RECURRENT)]


def _says_itself(layer: Layer) -> bool:
    """Return whether a layer's mask is independent of its inputs."""
    return layer.class_name in {"InputLayer", *DROPPING} or _is_unknown(layer) or _makes_mask(layer)


def _output(graph: Graph, layer: Layer, below: list[Masked], number: tuple[int, int]) -> Masked:
    if _is_unknown(layer):
        return None
    if _makes_mask(layer):
        return True
    if layer.class_name in {"InputLayer", *DROPPING} or (number >= (3, 0) and _is_operation(layer)):
        return False
    if layer.class_name in MERGING and len(graph.uses(layer)) == 1:
        return _merged(layer, below, number)
    if layer.class_name in {*PASSING, *NO_OPERATION, *RECURRENT}:
        return _as_named(graph, layer, _alike(below))
    return _alike([*below, False])


def _merged(layer: Layer, below: list[Masked], number: tuple[int, int]) -> Masked:
    if number < (3, 0) and True in below:
        return True
    # Joined along the steps, each sequence keeps its own mask.
    joins_steps = layer.class_name == "Concatenate" and layer.config.get("axis", -1) not in (-1, 2)
    if number >= MERGING_NOTHING and False in below and not joins_steps:
        return False
    return _alike(below)


def _alike(masked: list[Masked]) -> Masked:
    """Return the value that all agree on; False if there are none."""
    found = set(masked) or {False}
    return found.pop() if len(found) == 1 else None


def _is_unknown(layer: Layer) -> bool:
    return layer.custom or layer.class_name in OURS


def _makes_mask(layer: Layer) -> bool:
    return layer.class_name == "Masking" or bool(layer.config.get("mask_zero"))


def _as_named(graph: Graph, layer: Layer, masked: Masked) -> Masked:
    """Use a mask that calls of a layer name; one inserted by Keras counts only if nothing else is known."""
    named = any(call.masks for call in graph.uses(layer))
    return True if named and (masked is None or graph.masked_by_hand(layer)) else masked


def _is_operation(layer: Layer) -> bool:
    """Return whether it is a function of ``keras.ops`` and not a layer of that name: it lacks a layer's settings."""
    return layer.class_name not in {*NO_OPERATION, *RECURRENT, "Embedding"} and "trainable" not in layer.config
