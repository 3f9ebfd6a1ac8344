"""Runs a model over a batch and returns the states of its layers, as one graph traced once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays.axes import Array, StepStates
from ..errors import BadWeights, RnnstatesError
from ..keras.started import keras, tf
from ..network.model import Direction
from .checking import check_cell, check_shape
from .finding import Found, Layer, StatesOf, free_path
from .lookups import Lookups
from .tapping import Heard, tapped

__all__ = ["Batch", "Part", "Parts", "Runner", "first_sentence"]

# Beginnings of lines that surround the actual message in errors of Keras and TensorFlow.
SURROUNDING = (
    "Exception encountered",
    "Arguments received",
    "•",
    "Graph execution error",
    "Detected at node",
    'File "',
)


class LayerName(NamedTuple):
    """The name of a layer."""

    name: str


class Part(NamedTuple):
    """The states of one cell in one call of its layer.

    Parameters
    ----------
    path : str
        The group of the output.
    layer : LayerName
    direction : str
    weights : StatesOf
        Cell, units and width.
    call : int
        The index of the call among all.
    """

    path: str
    layer: LayerName
    direction: Direction
    weights: StatesOf
    call: int


class Parts:
    """All recorded states, described as a ``Network`` describes its parts.

    Parameters
    ----------
    heard : list of Heard
    origin : mapping
        The identity of the model, for provenance.
    paths : sequence of str
        Of all recurrent layers of the model; further calls get other names.
    """

    def __init__(self, heard: Sequence[Heard], origin: Mapping[str, Any], paths: Sequence[str]) -> None:
        self.origin, taken = origin, set(paths)
        self.listed = [part for call in _as_written(heard) for part in _parts(*call, taken)]

    def parts(self) -> Iterator[tuple[str, LayerName, Direction, StatesOf]]:
        """Yield (path, layer, direction, cell)."""
        return ((part.path, part.layer, part.direction, part.weights) for part in self.listed)


class Batch(NamedTuple):
    """The result of a batch.

    Parameters
    ----------
    states : list of list
        By call, then in the order of the layer's cells: floating [B, T, W].
    masks : list
        By call: bool [B, T] or None.
    """

    states: list[list[StepStates]]
    masks: list[Array | None]

    def of(self, part: Part, state: str) -> StepStates:
        """Return one state of a part, floating [B, T, W]."""
        return self.states[part.call][part.weights.first + (state == "cell")]


class Runner:
    """Runs a model over batches.

    Parameters
    ----------
    model : keras.Model
    layers : sequence of Found
    specs : structure of tf.TensorSpec
        What the model takes.

    Raises
    ------
    BadWeights
        The model does not run on such inputs, none of the layers is called, or one is called where it cannot be
        recorded.
    """

    def __init__(self, model: Layer, layers: Sequence[Found], specs: Any) -> None:
        self._model, self._layers, self._specs = model, layers, specs
        self.heard: list[Heard] = []
        self.lookups = Lookups()
        self._steps: list[int] = []
        self._graph: Any = None

    def __call__(self, inputs: Any) -> Batch:
        """Run a batch.

        Raises
        ------
        BadWeights
            A layer computes something other than its cell step by step, or its states are not one per row.
        """
        states, masks, differences = self._with_errors_named(inputs)
        rows = keras.tree.flatten(inputs)[0].shape[0]
        self._steps = self._steps or [of_call[0].shape[1] for of_call in states]
        for one, difference, of_call, steps in zip(self.heard, differences, states, self._steps, strict=True):
            check_cell(one, float(difference), of_call)
            check_shape(one, of_call[0].shape, (rows, steps))
        return Batch([[_array(values) for values in of_call] for of_call in states], self._masks(masks))

    def masks(self, inputs: Any) -> list[Array | None]:
        """Return only the masks.

        The whole batch is run: TensorFlow leaves out no loop, and another graph takes longer to trace than to run.
        """
        return self._masks(self._with_errors_named(inputs)[1])

    def _with_errors_named(self, inputs: Any) -> Any:
        try:
            return self._traced()(inputs)
        except (RnnstatesError, MemoryError):
            raise
        except tf.errors.ResourceExhaustedError as reason:
            raise MemoryError(f"model '{self._model.name}': {first_sentence(reason)}") from reason
        # Custom code may raise anything.
        except Exception as reason:
            raise BadWeights(
                f"model '{self._model.name}': does not run on these inputs: {_worded(reason)} "
                "Give what model(inputs) takes: an array, or a list or dict of them."
            ) from reason

    def _traced(self) -> Callable[[Any], Any]:
        """Trace the model once; one with ``run_eagerly`` is not traced."""
        if self._model.run_eagerly:
            return self._run
        if self._graph is None:
            graph = tf.function(self._run, input_signature=[self._specs], autograph=False)
            # Concrete: TensorFlow would warn about functions that are created often and called rarely.
            self._graph = graph.get_concrete_function()
        traced: Callable[[Any], Any] = self._graph
        return traced

    def _masks(self, masks: list[Any]) -> list[Array | None]:
        return [
            None if one.mask is None else np.asarray(mask, bool) for one, mask in zip(self.heard, masks, strict=True)
        ]

    def _run(self, inputs: Any) -> Any:
        with self.lookups.found(self._model, inputs), tapped(self._layers) as heard:
            self._model(inputs, training=False)
        self._check_heard(heard)
        self.heard = heard
        none = tf.zeros([0], tf.bool)
        return (
            [one.states for one in heard],
            [none if one.mask is None else one.mask for one in heard],
            [one.difference for one in heard],
        )

    def _check_heard(self, heard: list[Heard]) -> None:
        called = {id(one.found) for one in heard}
        if silent := [found.path for found in self._layers if id(found) not in called]:
            raise BadWeights(
                f"model '{self._model.name}': its layer '{silent[0]}' is not called on these inputs; name those that "
                "are with layers=[...]."
            )
        if self.heard and [one.found for one in heard] != [one.found for one in self.heard]:
            paths = ", ".join(one.found.path for one in heard)
            raise BadWeights(
                f"model '{self._model.name}': calls {paths} for some rows, but for the first "
                f"{', '.join(one.found.path for one in self.heard)}; name the layers that it always calls alike with "
                "layers=[...]."
            )
        if tf.executing_eagerly():
            return
        here = tf.compat.v1.get_default_graph()
        for one in heard:
            if any(values.graph is not here for values in one.states):
                raise BadWeights(
                    f"layer '{one.found.path}': is called inside of a tf.function, a loop or a TimeDistributed of the "
                    "model, where its states cannot be taken out; set model.run_eagerly = True, or leave it out with "
                    "layers=[...]."
                )


def first_sentence(reason: BaseException) -> str:
    """Return the line of a Keras error that says what is wrong."""
    # A KeyError quotes its text.
    text = str(reason.args[0]) if isinstance(reason, KeyError) and reason.args else str(reason)
    plain = re.sub(r"\x1b\[\d*m", "", text)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith(SURROUNDING)]
    return (own or lines or [type(reason).__name__])[0][:300]


def _worded(reason: Exception) -> str:
    """Say what went wrong; the class of Keras' and TensorFlow's own errors is left out."""
    sentence, kind = first_sentence(reason), type(reason).__name__
    if sentence != kind and not isinstance(reason, ValueError | TypeError | tf.errors.OpError):
        sentence = f"{kind}: {sentence}"
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _as_written(heard: Sequence[Heard]) -> Iterator[tuple[Heard, int, int]]:
    """Yield each call with its number and its index, those of a layer in the order of their numbers."""
    calls: dict[str, list[int]] = {}
    for place, one in enumerate(heard):
        calls.setdefault(one.found.path, []).append(place)
    ordered = {
        path: iter(sorted(zip(heard[places[0]].found.numbers(len(places)), places, strict=True)))
        for path, places in calls.items()
    }
    for one in heard:
        yield one, *next(ordered[one.found.path])


def _parts(one: Heard, number: int, call: int, taken: set[str]) -> Iterator[Part]:
    base = one.found.path + (f"_call{number + 1}" if number else "")
    if number and base in taken:
        base = free_path(base, taken)
    cells = one.found.cells
    for place, cell in enumerate(cells):
        path = base if len(cells) == 1 else f"{base}/{place}"
        yield Part(path, LayerName(one.found.name), one.found.direction, cell, call)


def _array(values: Any) -> StepStates:
    narrow = values.dtype not in (tf.float32, tf.float64)
    return np.asarray(tf.cast(values, tf.float32) if narrow else values)
