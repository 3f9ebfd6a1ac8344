"""The names of gates, states and poolings, for whoever lists or checks them. Needs no NumPy."""

__all__ = ["CARRIED", "DERIVED", "FINAL", "GATES", "GATE_STATES", "POOLING_NAMES", "STATES"]

_LSTM = ("input_gate", "forget_gate", "candidate", "output_gate")
# The blocks of columns of a kernel, by cell.
GATES: dict[str, tuple[str, ...]] = {
    "lstm": _LSTM,
    "gru": ("update_gate", "reset_gate", "candidate"),
    "simple_rnn": ("candidate",),
    "mlstm": _LSTM,
}
# The states that a cell carries from step to step.
CARRIED: dict[str, tuple[str, ...]] = {
    "lstm": ("hidden", "cell"),
    "gru": ("hidden",),
    "simple_rnn": ("hidden",),
    "mlstm": ("hidden", "cell"),
}

# States made of others: the parts that the cell has, concatenated along the last axis in this order. [cell, hidden] is
# the order of TensorFlow 1's ``state_is_tuple=False``.
DERIVED: dict[str, tuple[str, ...]] = {"state": ("cell", "hidden")}

GATE_STATES: tuple[str, ...] = tuple({gate: None for gates in GATES.values() for gate in gates})

# Every state that some cell has, the derived ones last: what can be requested.
STATES: tuple[str, ...] = (*{state: None for states in CARRIED.values() for state in states}, *GATE_STATES, *DERIVED)

# The pooling from which another run can continue: every state that the cell carries, as precise as computed; for an
# empty sequence the state that it started from.
FINAL = "final"

# The keys of ``pooling.POOLINGS``, which needs NumPy; a test keeps them equal.
POOLING_NAMES = ("mean", "last", FINAL, "first", "max", "min", "sum", "std")
