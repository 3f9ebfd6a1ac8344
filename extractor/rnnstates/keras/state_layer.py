"""``StateLayer``, the base of the recurrent layers: calling, running, configuration, initial states.

The layers hold Keras' own cells, so ``get_weights`` matches Keras' LSTM, GRU and SimpleRNN, and run them with
``rnnstates.engines.differentiable``. Called outside a graph they run a graph of their own, traced once for all shapes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engines.differentiable.unrolling import unrolled
from ..errors import BadInput, OptionError
from .cells import CELLS, Settings
from .masks import attach, attached, check_in_graph, checked_in_graph, mask_of, to_lengths, to_mask
from .started import Tensor, keras, tf
from .states import STATES, Ends, StatesTuple
from .tensors import check_numbers, to_inputs, to_tensor

__all__ = ["StateLayer", "to_flag"]


class StateLayer(keras.layers.Layer):
    """The base of the three recurrent layers; use one of them.

    Parameters
    ----------
    units : int
    go_backwards : bool
        Read each sequence from its last valid step to its first. The states are in the order of the inputs.
    fused : bool
        Use TensorFlow's fused op over many steps if it supports the cell. False always uses a loop, which XLA can
        compile (``compile(jit_compile=True)``) and which has gradients of any order.
    settings : Settings
    **options
        Of Keras' cell and of every Keras layer.
    """

    _kind: str

    def __init__(
        self, units: int, *, go_backwards: bool, fused: bool, settings: Settings, cell: dict[str, Any], **options: Any
    ) -> None:
        cell |= {name: options.pop(name) for name in list(options) if name in CELLS[self._kind].options}
        if options.pop("recurrent_dropout", 0):
            raise OptionError(f"recurrent_dropout: {type(self).__name__} has none; use dropout, or Keras' own layer.")
        # It only affects how Keras computes the same.
        options.pop("implementation", None)
        # The cell's arrays are read uncast, and the inputs are cast where they are used.
        super().__init__(autocast=False, **options)
        self.cell = CELLS[self._kind].keras_cell(units, dtype=self.dtype_policy, **cell)
        self.go_backwards, self.fused = to_flag("go_backwards", go_backwards), to_flag("fused", fused)
        self.units, self._settings = units, settings
        self.supports_masking = True
        # XLA cannot compile the fused op. Keras' own LSTM is not compiled either, unless requested.
        self.supports_jit = not self.fused
        self.input_spec = keras.layers.InputSpec(ndim=3)
        # Not an attribute that Keras would track.
        self.__dict__["_graphs"] = {}

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs [B, T, I]."""
        if input_shape[-1] is None:
            raise OptionError(
                f"layer '{self.name}': the inputs' last axis is unknown; expected [batch, steps, features]."
            )
        self.cell.build((input_shape[0], input_shape[-1]))
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: input_shape[-1]})

    def __call__(
        self, inputs: Any, lengths: Any = None, mask: Any = None, initial_state: Any = None, **options: Any
    ) -> Any:
        """Run the layer.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Or the states of another such layer, whose hidden states are read.
        lengths : int [B] or None
            Valid steps of each row; the rest is padding, whatever it contains.
        mask : bool [B, T] or None
            Which steps count, if no lengths are given; None for the mask that Keras attached to the inputs
            (``Masking``, ``Embedding(mask_zero=True)``). Without either every step counts.
        initial_state : tuple or mapping or None
            States [B, W] to start from: ``.last`` of another layer, Keras' list, or by name; zero if None.

        Returns
        -------
        LSTMStates, GRUStates or RNNStates

        Raises
        ------
        BadInput
            The inputs are not a numeric array [B, T, I], or their width does not match the weights.
        BadLengths
            See ``to_lengths``.
        OptionError
            ``initial_state`` has other states than the cell.
        """
        inputs = self._inputs(inputs.hidden if isinstance(inputs, StatesTuple) else inputs)
        mask = attached(inputs) if mask is None and lengths is None else mask
        lengths, start = to_lengths(lengths, inputs), self._start(initial_state, inputs)
        mask = None if lengths is not None else to_mask(mask, inputs)
        given = {"lengths": lengths, "mask": mask, "initial_state": start}
        states = super().__call__(inputs, **{name: v for name, v in given.items() if v is not None}, **options)
        steps = mask_of(inputs, lengths, mask)
        for values in states if steps is not None else ():
            attach(values, steps)
        states.ends = Ends(lengths, mask, "backward" if self.go_backwards else "forward", start)
        return states

    def _inputs(self, given: Any) -> Tensor:
        inputs = to_inputs(given, self)
        if not isinstance(inputs, keras.KerasTensor):
            attach(inputs, attached(given))
        features, expected = inputs.shape[-1], self.input_spec.axes.get(-1)
        if expected and features not in (None, expected):
            raise BadInput(
                f"layer '{self.name}': inputs: have {features} features; expected {expected}, as its weights read."
            )
        return inputs

    def call(
        self, inputs: Any, lengths: Any = None, mask: Any = None, initial_state: Any = None, training: bool = False
    ) -> Any:
        """Compute the states; see ``__call__``."""
        given = {"lengths": lengths, "mask": mask, "start": initial_state}
        given = {"inputs": tf.cast(inputs, self.compute_dtype), **given}
        drop = bool(training) and self.cell.dropout > 0
        if not tf.executing_eagerly():
            return self._states(given, drop=drop)
        there = {name: values for name, values in given.items() if values is not None}
        made = self._graph(tuple(there), drop=drop)(there)
        return STATES[self._kind](*(_shaped(values, inputs.shape) for values in made))

    def _graph(self, names: tuple[str, ...], *, drop: bool) -> Any:
        """Return the graph for these arguments, traced once for all shapes."""
        key = names, drop
        if key not in self._graphs:
            state = CELLS[self._kind].state
            specs = {
                "inputs": tf.TensorSpec([None, None, self.input_spec.axes[-1]], self.compute_dtype),
                "lengths": tf.TensorSpec([None], tf.int32),
                "mask": tf.TensorSpec([None, None], tf.bool),
                "start": state(*(tf.TensorSpec([None, width], self._computing) for width in self._widths)),
            }
            # Concrete: TensorFlow would warn about functions that are created often and called rarely. Outside tapes,
            # which would request second-order gradients while the graph is traced.
            with tf.init_scope():
                self._graphs[key] = tf.function(
                    lambda given: self._states(given, drop=drop),
                    input_signature=[{name: specs[name] for name in names}], autograph=False,
                ).get_concrete_function()  # fmt: skip
        return self._graphs[key]

    def _states(self, given: Mapping[str, Any], *, drop: bool) -> Any:
        kind, inputs, start = CELLS[self._kind], given["inputs"], given.get("start")
        lengths, mask = checked_in_graph(inputs, given.get("lengths"), given.get("mask"))
        if drop:
            inputs = inputs * self.cell.get_dropout_mask(inputs[:, 0])[:, tf.newaxis]
            self.cell.reset_dropout_mask()
        for values in start or ():
            same = tf.equal(tf.shape(values)[0], tf.shape(inputs)[0])
            check_in_graph(same, "initial_state has other rows than inputs.", tf.shape(values))
        start = self._widths if start is None else (tf.cast(values, self._computing) for values in start)
        states = tf.autograph.experimental.do_not_convert(unrolled)(
            self._kind, kind.parameters(self.cell, self._settings, self._computing), inputs, kind.state(*start),
            lengths=lengths, mask=mask, backward=self.go_backwards, fuse=self.fused,
        )  # fmt: skip
        made = (_shaped(tf.cast(values, self.compute_dtype), inputs.shape) for values in states)
        return STATES[self._kind](*made)

    def compute_output_spec(self, inputs: Any, **_others: Any) -> Any:
        """Return the shapes of the states."""
        return STATES[self._kind](*(
            keras.KerasTensor((*inputs.shape[:2], width), dtype=self.compute_dtype) for width in self._widths
        ))  # fmt: skip

    def compute_output_shape(self, input_shape: Any, **_others: Any) -> Any:
        """Return the shapes alone."""
        return STATES[self._kind](*((*input_shape[:2], width) for width in self._widths))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Leave it to ``__call__``, which knows the lengths too."""

    def get_config(self) -> dict[str, Any]:
        """Return all arguments, in JSON types."""
        cell = {name: value for name, value in self.cell.get_config().items() if name in CELLS[self._kind].options}
        own = {"units": self.units, "go_backwards": self.go_backwards, "fused": self.fused}
        return {**super().get_config(), **cell, **own}

    @property
    def stateful(self) -> bool:
        """Always raises: Keras' Bidirectional reads it first, so the error can say what to use instead."""
        raise AttributeError(
            f"layer '{self.name}': {type(self).__name__} has no 'stateful', and does not work inside Bidirectional. "
            "For both directions use two of them, one with go_backwards=True, and concatenate their states; to start "
            "from a state, pass initial_state=."
        )

    @property
    def _widths(self) -> tuple[int, ...]:
        """The last axis of each state."""
        width = getattr(self.cell, "width", self.units)
        return tuple(int(width if name == "hidden" else self.units) for name in CELLS[self._kind].state._fields)

    @property
    def _computing(self) -> str:
        """The dtype of the states while computing: narrow dtypes are only used for factors of products."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _start(self, given: Any, inputs: Any) -> Any:
        """Convert initial states given by name or in order; refuse a wrong number or shape."""
        if given is None:
            return None
        state = CELLS[self._kind].state
        names = list(given) if isinstance(given, Mapping) else None
        listed = list(given.values() if isinstance(given, Mapping) else given) if _holds(given) else [given]
        if len(listed) != len(state._fields) or (names is not None and set(names) != set(state._fields)):
            found = ", ".join(map(str, names)) if names else len(listed)
            raise OptionError(self._expected(f"has {found}", " and ".join(state._fields)))
        start = state(**dict(zip(names, listed, strict=True))) if names is not None else state(*listed)
        start = state(*map(self._converted, start))
        for name, values, width in zip(state._fields, start, self._widths, strict=True):
            expected = tf.TensorShape([inputs.shape[0], width])
            if not tf.TensorShape(values.shape).is_compatible_with(expected):
                found = f"{name} has shape {tuple(values.shape)}"
                raise OptionError(self._expected(found, f"{name} of shape {tuple(expected)}"))
        return start

    def _converted(self, values: Any) -> Tensor:
        if isinstance(values, keras.KerasTensor):
            return values
        name = f"layer '{self.name}': initial_state"
        values = to_tensor(values, name, OptionError)
        check_numbers(values, name, OptionError)
        return tf.cast(values, self._computing)

    def _expected(self, found: str, wanted: str) -> str:
        return f"initial_state of layer '{self.name}': {found}; expected {wanted}, each [batch, width]."


def to_flag(name: str, value: Any) -> bool:
    """Convert True or False, also NumPy's or 1 and 0; a string such as ``"no"`` is refused, because it is truthy.

    Raises
    ------
    OptionError
        It is anything else.
    """
    if not isinstance(value, bool | int | np.bool_) or value not in (0, 1):
        raise OptionError(f"{name}={value!r}: expected True or False.")
    return bool(value)


def _holds(given: Any) -> bool:
    return isinstance(given, list | tuple | Mapping)


def _shaped(values: Any, inputs: Any) -> Tensor:
    """Set the static shape of states: that of the inputs except for the last axis."""
    values.set_shape([*inputs[:2], values.shape[-1]])
    return values
