"""Recognises layers run by a single cuDNN operation, as Keras 3 writes them when it exports on a machine with a GPU.

cuDNN has one kind of LSTM and GRU: tanh and sigmoid, and a GRU resets after the product (``keras/src/backend/
tensorflow/rnn.py``: ``_cudnn_lstm``, ``_cudnn_gru``).
"""

from collections.abc import Iterable, Iterator, Mapping

from .cells import Recognised
from .constants import is_zero
from .loops import Cell, Loop, Running
from .program import CUDNN, Frame, Program, Value
from .steps import Variable

__all__ = ["read_cudnn"]

_FIXED = {"direction": b"unidirectional", "input_mode": b"linear_input"}


def read_cudnn(
    program: Program, frame: Frame, variables: Mapping[Value, Variable], cells: Iterable[Cell]
) -> Iterator[Loop]:
    """Find every cuDNN operation in a call that runs one of the cells."""
    known = {frozenset(variable.name for variable in cell.variables.values()): cell for cell in cells}
    for place in program.operations(frame, CUDNN):
        node, inputs = program.node(place), program.inputs(place)
        if len(inputs) < 4:
            continue
        cell = known.get(frozenset(_variables(program, inputs[3], variables)))
        mode = node.attr["rnn_mode"].s if "rnn_mode" in node.attr else b"lstm"
        fixed = all(node.attr[name].s == value for name, value in _FIXED.items() if name in node.attr)
        if cell is None or cell.kind.encode() != mode or not fixed or node.attr["num_proj"].i:
            continue
        axis = 0 if "time_major" not in node.attr or node.attr["time_major"].b else 1
        zero = is_zero(program, inputs[1]) and (mode != b"lstm" or is_zero(program, inputs[2]))
        lengths = program.node(program.resolve(inputs[4])) if len(inputs) > 4 else None
        settings = Recognised("tanh", "sigmoid", cell.kind == "gru", -1)
        running = Running(cell, settings, inputs[0], "", lengths is not None and lengths.op != "Fill", zero, axis)
        yield Loop(place, {cell.name: running}, {0: cell.name}, axis)


def _variables(program: Program, value: Value, variables: Mapping[Value, Variable]) -> set[str]:
    """Return the names of all variables that a value is made of."""
    found, waiting, seen = set[str](), [program.resolve(value)], set[Value]()
    while waiting:
        here = waiting.pop()
        node = program.node(here)
        if here in variables:
            found.add(variables[here].name)
        elif here not in seen and node is not None and node.op not in ("Const", "Shape"):
            seen.add(here)
            waiting += [program.resolve(operand) for operand in program.inputs(here)]
    return found
