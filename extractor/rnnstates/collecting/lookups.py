"""Refuses ids that are not rows of the model's embedding, and numbers that its integer inputs cannot hold.

Keras silently looks up negative ids from the end of the table, and truncates numbers given for integers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..errors import BadWeights
from ..inputs.checking import check_integers, check_tokens
from ..keras.started import keras, tf
from .feeding import Feed
from .finding import Layer

__all__ = ["Lookups"]

# Operations that pass on all values unchanged, except for their dtype and shape.
PASSING = ("Cast", "Identity", "Reshape", "ExpandDims", "Squeeze")


class Lookups:
    """The inputs of a model that are looked up in an embedding, or read as integers.

    Attributes
    ----------
    vocabularies : dict
        From the index of an input to the rows of the smallest table that it is looked up in.
    integers : dict
        From the index of any other input to the integer dtype that the model casts it to.
    """

    def __init__(self) -> None:
        self.vocabularies: dict[int, int] = {}
        self.integers: dict[int, np.dtype[Any]] = {}

    @contextmanager
    def found(self, model: Layer, inputs: Any) -> Iterator[None]:
        """Find them while a model is traced on symbolic inputs, or run."""
        called: list[tuple[Any, Any]] = []
        with ExitStack() as listening:
            for layer in model._flatten_layers():
                if isinstance(layer, keras.layers.Embedding):
                    listening.enter_context(_listen(layer, called))
            yield
        given = keras.tree.flatten(inputs)
        for table, ids in called:
            for number, one in enumerate(given):
                if _is_same(_origin(ids), one):
                    self.vocabularies[number] = min(table.input_dim, self.vocabularies.get(number, table.input_dim))
        taken = {keras.backend.standardize_dtype(one.dtype) for one in getattr(model, "inputs", None) or ()}
        for number, one in enumerate(given):
            if number not in self.vocabularies and (found := _casts(one) & taken):
                self.integers[number] = np.dtype(min(found))

    @contextmanager
    def named(self, feed: Feed, arrays: Sequence[Array], start: int) -> Iterator[None]:
        """If a model fails on the values of a batch, name the id that caused it.

        Raises
        ------
        BadInput
        """
        try:
            yield
        except BadWeights as reason:
            if isinstance(reason.__cause__, tf.errors.InvalidArgumentError):
                self.check(feed, arrays, start)
            raise

    def check(
        self,
        feed: Feed,
        arrays: Sequence[Array],
        start: int,
        lengths: npt.NDArray[np.int64] | None = None,
        padding: str = "post",
    ) -> None:
        """Refuse ids outside a table, and numbers that an integer cannot hold.

        Parameters
        ----------
        feed : Feed
        arrays : sequence of arrays [B, ...]
            One per input.
        start : int
            The first row.
        lengths : int64 [B] or None
            Valid steps of the first input, if it has as many as the layers; None for all. In other inputs all steps
            count.
        padding : str

        Raises
        ------
        BadInput
            Names the first sequence and step.
        """
        for number, array in enumerate(arrays):
            check = self._check_of(number)
            if check is None or not array.size:
                continue
            name, steps = feed.opened[number].name, array.shape[1] if array.ndim > 1 else 1
            counted = lengths if number == 0 and steps == feed.steps else None
            for values in np.moveaxis(array.reshape(len(array), steps, -1), 2, 0):
                check(
                    values, np.full(len(array), steps) if counted is None else counted, first_row=start, first_step=0,
                    steps=steps, padding=padding, where=name,
                )  # fmt: skip

    def _check_of(self, number: int) -> Callable[..., object] | None:
        if number in self.vocabularies:
            return partial(check_tokens, vocabulary=self.vocabularies[number])
        return partial(check_integers, dtype=self.integers[number]) if number in self.integers else None


@contextmanager
def _listen(table: Any, called: list[tuple[Any, Any]]) -> Iterator[None]:
    """Record the inputs of a layer; afterwards the layer is restored."""
    own, original = table.__dict__.get("call"), table.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        called.append((table, inputs))
        return original(inputs, *args, **kwargs)

    # Bypasses Keras' tracking of attributes.
    table.__dict__["call"] = call
    try:
        yield
    finally:
        del table.__dict__["call"]
        if own is not None:
            table.__dict__["call"] = own


def _origin(values: Any) -> Any:
    """Follow a graph tensor back through operations that change no value except its dtype."""
    while not tf.executing_eagerly() and values.op.type in PASSING:
        values = values.op.inputs[0]
    return values


def _is_same(one: Any, other: Any) -> bool:
    if tf.executing_eagerly():
        return one is other
    return bool(one.graph is other.graph and one.name == other.name)


def _casts(values: Any) -> set[str]:
    """Return the integer dtypes that a graph tensor is cast to."""
    if tf.executing_eagerly() or values.dtype.is_bool:
        return set()
    made = [op.outputs[0].dtype for op in values.consumers() if op.type == "Cast"]
    return {dtype.name for dtype in made if dtype.is_integer}
