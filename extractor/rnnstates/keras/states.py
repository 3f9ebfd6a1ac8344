"""The tuples of states that the recurrent layers return."""

from functools import cached_property
from typing import Any, NamedTuple

from ..errors import OptionError
from ..network.cells.gru import GRUState
from ..network.cells.lstm import LSTMState
from ..network.cells.simple_rnn import RNNState
from ..network.model import Direction
from .masks import attach, attached
from .started import Tensor, keras

__all__ = ["STATES", "Ends", "GRUStates", "LSTMStates", "RNNStates", "StatesTuple", "chosen"]


class Ends(NamedTuple):
    """Where the sequences of a batch end, and their initial states, which the states alone do not reveal.

    Parameters
    ----------
    lengths : int32 [B] or None
    mask : bool [B, T] or None
    direction : str
    start : NamedTuple or None
        The initial states [B, W]; None for zero.
    """

    lengths: Tensor
    mask: Tensor
    direction: Direction
    start: Tensor


class StatesTuple:
    """Attributes of all tuples of states, in addition to their fields."""

    _state: type[Any]
    hidden: Tensor
    # Set by the layer that made them.
    ends: Ends | None = None

    @cached_property
    def last(self: Any) -> Any:
        """The state after the last step that was read, by name, [B, W]; for an empty sequence its initial state.

        It can be passed to another layer as ``initial_state``.

        Raises
        ------
        ValueError
            They did not come directly from the layer, so the ends of the sequences are unknown.
        """
        if self.ends is None:
            raise ValueError(
                "these states have been through a model's output or a tf.function, which keep their values alone, so "
                "where each sequence ends is not known here; take .last inside, or use rnnstates.keras.FinalState()"
                "(states.hidden, lengths=lengths)."
            )
        from .pooling import FinalState

        lengths, mask, direction, start = self.ends
        starts = {} if start is None else start._asdict()
        pool = FinalState(direction=direction, dtype=self[0].dtype)
        return self._state(*(
            pool(getattr(self, name), lengths=lengths, mask=mask, start=starts.get(name)) for name in self._fields
        ))  # fmt: skip

    @property
    def concatenated(self: Any) -> Any:
        """[cell, hidden] along the last axis, the order of TensorFlow 1's ``state_is_tuple=False``; [B, T, H + W]."""
        return chosen(self, "state")


class _LSTMStates(NamedTuple):
    hidden: Tensor
    cell: Tensor


class _GRUStates(NamedTuple):
    hidden: Tensor


class _RNNStates(NamedTuple):
    hidden: Tensor


class LSTMStates(StatesTuple, _LSTMStates):
    """``hidden`` floating [B, T, W] and ``cell`` floating [B, T, H], zero at steps that do not count.

    ``.last`` is an ``LSTMState`` of [B, W] and [B, H]; ``.concatenated`` is [cell, hidden].
    """

    _state = LSTMState


class GRUStates(StatesTuple, _GRUStates):
    """``hidden`` floating [B, T, H], zero at steps that do not count; ``.last`` is a ``GRUState``."""

    _state = GRUState


class RNNStates(StatesTuple, _RNNStates):
    """``hidden`` floating [B, T, H], zero at steps that do not count; ``.last`` is an ``RNNState``."""

    _state = RNNState


# By cell.
STATES: dict[str, type[Any]] = {"lstm": LSTMStates, "gru": GRUStates, "simple_rnn": RNNStates}


def chosen(states: Any, name: str) -> Any:
    """Return one of the states [B, T, W], or for ``state`` the available ones of cell and hidden, concatenated.

    Raises
    ------
    OptionError
        The cell has no such state.
    """
    if name in states._fields:
        return getattr(states, name)
    if name != "state":
        raise OptionError(f"state={name!r}: the layer gives {', '.join(states._fields)} and state (both).")
    parts = [getattr(states, part) for part in ("cell", "hidden") if part in states._fields]
    if len(parts) == 1:
        return parts[0]
    joined = keras.ops.concatenate(parts, axis=-1)
    if attached(parts[0]) is not None:
        attach(joined, attached(parts[0]))
    return joined
