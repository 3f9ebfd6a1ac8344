"""Recognises the cell and activations of a step by taking the terms of its new states apart gate by gate."""

from collections.abc import Mapping
from typing import NamedTuple

from .functions import applied
from .terms import Columns, Terms

__all__ = ["CellTerms", "Recognised", "cell_terms", "find_cell", "recognise_cell"]


class CellTerms(NamedTuple):
    """The terms of one cell: its inputs, its hidden state, its variables by role."""

    inputs: int
    hidden: int
    kernel: Columns
    recurrent: Columns
    bias: Columns | None
    has_two_biases: bool


class Recognised(NamedTuple):
    """How a cell is run, and the term of its new hidden state."""

    activation: str
    recurrent_activation: str
    reset_after: bool
    output: int


def find_cell(terms: Terms, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> CellTerms | None:
    """Find what a cell's kernels are multiplied with; None unless that is one term each.

    Parameters
    ----------
    terms : Terms
    names : mapping
        The names of its variables by role.
    shapes : mapping
        Their shapes by role.
    """
    inputs = list(terms.multiplied.get(names["kernel"], {}))
    multiplied = terms.multiplied.get(names["recurrent_kernel"], {})
    states = [number for number in multiplied if terms[number][0] == "state"]
    if len(inputs) != 1 or len(states) != 1:
        return None
    return cell_terms(inputs[0], states[0], names, shapes)


def cell_terms(inputs: int, hidden: int, names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> CellTerms:
    """Combine the inputs of a cell and its variables."""
    whole = {role: Columns(name, -1, 0, shapes[role][-1]) for role, name in names.items()}
    two = len(shapes.get("bias", ())) == 2
    return CellTerms(inputs, hidden, whole["kernel"], whole["recurrent_kernel"], whole.get("bias"), two)


def recognise_cell(terms: Terms, cell: str, found: CellTerms, outputs: Mapping[int, int]) -> Recognised | None:
    """Return how a cell is run; None if its terms are not those of such a cell.

    Parameters
    ----------
    terms : Terms
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    found : CellTerms
    outputs : mapping
        The term of each new state by the term of the state.
    """
    hidden = outputs.get(found.hidden)
    if hidden is None:
        return None
    try:
        return {"lstm": _lstm, "gru": _gru, "simple_rnn": _simple}[cell](terms, found, hidden, outputs)
    except (LookupError, StopIteration):
        return None


def _gate(terms: Terms, found: CellTerms, gate: int, count: int, *, with_state: bool = True) -> list[int]:
    """Return the summands that go into a gate's activation."""
    units = found.kernel.stop // count
    start, stop = gate * units, (gate + 1) * units

    def columns(whole: Columns, row: int = -1) -> int:
        return terms.variable(whole.variable, start, stop, row)

    parts = [terms.matmul(found.inputs, columns(found.kernel))]
    if found.bias is not None:
        parts.append(columns(found.bias, 0 if found.has_two_biases else -1))
    return parts + (_of_state(terms, found, gate, count) if with_state else [])


def _of_state(terms: Terms, found: CellTerms, gate: int, count: int, state: int | None = None) -> list[int]:
    units = found.kernel.stop // count
    start, stop = gate * units, (gate + 1) * units
    hidden = found.hidden if state is None else state
    parts = [terms.matmul(hidden, terms.variable(found.recurrent.variable, start, stop))]
    if found.bias is not None and found.has_two_biases:
        parts.append(terms.variable(found.bias.variable, start, stop, 1))
    return parts


def _factors(terms: Terms, number: int) -> tuple[int, int]:
    term = terms[number]
    if term[0] != "product":
        raise LookupError
    return term[1], term[2]  # type: ignore[return-value]


def _product_of(terms: Terms, number: int, left: Mapping[int, str], right: Mapping[int, str]) -> tuple[str, str]:
    """Return the names of both factors of a product, whatever their order."""
    one, other = _factors(terms, number)
    if one in left and other in right:
        return left[one], right[other]
    return left[other], right[one]


def _summands(terms: Terms, number: int) -> tuple[int, int]:
    term = terms[number]
    if term[0] != "sum" or len(term) != 3:
        raise LookupError
    return term[1], term[2]  # type: ignore[return-value]


def _one(names: set[str]) -> str:
    if len(names) != 1:
        raise LookupError
    return names.pop()


def _simple(terms: Terms, found: CellTerms, hidden: int, _outputs: Mapping[int, int]) -> Recognised:
    return Recognised(applied(terms, terms.sum(*_gate(terms, found, 0, 1)))[hidden], "sigmoid", False, hidden)


def _lstm(terms: Terms, found: CellTerms, hidden: int, outputs: Mapping[int, int]) -> Recognised:
    entry, forget, candidate, output = (applied(terms, terms.sum(*_gate(terms, found, gate, 4))) for gate in range(4))
    # The cell state is the other state whose new value goes into the hidden one.
    factors = _factors(terms, hidden)
    state, cell = next(
        (state, new) for state, new in outputs.items() if not applied(terms, new).keys().isdisjoint(factors)
    )
    last, second = _product_of(terms, hidden, output, applied(terms, cell))
    kept, added = _kept_and_added(terms, cell, state, forget)
    first, third = _product_of(terms, added, entry, candidate)
    return Recognised(_one({second, third}), _one({last, kept, first}), False, hidden)


def _kept_and_added(terms: Terms, cell: int, state: int, forget: Mapping[int, str]) -> tuple[str, int]:
    """Split ``forget * state + added``: the activation of the forget gate, and what is added."""
    pair = _summands(terms, cell)
    for gate, name in forget.items():
        kept = terms.product(gate, state)
        if kept in pair:
            return name, pair[1] if pair[0] == kept else pair[0]
    raise LookupError


def _gru(terms: Terms, found: CellTerms, hidden: int, _outputs: Mapping[int, int]) -> Recognised:
    update, reset = (applied(terms, terms.sum(*_gate(terms, found, gate, 3))) for gate in range(2))
    for kept, added in (pair := _summands(terms, hidden), pair[::-1]):
        for gate, name in update.items():
            if kept != terms.product(gate, found.hidden):
                continue
            rest = terms.apply("Sub", terms.constant(1), gate)
            one, other = _factors(terms, added)
            candidate = other if one == rest else one
            if rest not in (one, other):
                continue
            activation, reset_name, after = _candidate(terms, found, candidate, reset)
            return Recognised(activation, _one({name, reset_name}), after, hidden)
    raise LookupError


def _candidate(terms: Terms, found: CellTerms, number: int, reset: Mapping[int, str]) -> tuple[str, str, bool]:
    """Return the activation of a GRU's candidate, that of its reset gate, and whether it resets after the product."""
    inputs = _gate(terms, found, 2, 3, with_state=False)
    for gate, name in reset.items():
        after = terms.product(gate, terms.sum(*_of_state(terms, found, 2, 3)))
        before = _of_state(terms, found, 2, 3, terms.product(gate, found.hidden))
        for parts, is_after in (([*inputs, after], True), ([*inputs, *before], False)):
            activation = applied(terms, terms.sum(*parts)).get(number)
            if activation is not None:
                return activation, name, is_after
    raise LookupError
