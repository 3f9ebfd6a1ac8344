"""Recognises layers without a loop, as written by ``unroll=True``: every step appears separately in the graph.

The first step is recognised like that of a loop. All others must be the same step applied to the next inputs and to the
states from the previous step.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .cells import Recognised, cell_terms, recognise_cell
from .constants import is_zero
from .loops import CHOICES, Cell, Loop, Running
from .program import Frame, Program, Value
from .steps import StepReader, Variable
from .terms import Term, Terms, TooMany

__all__ = ["read_unrolled"]

# Most terms after a state that are tried as the next one: other cells, masks and a GRU's reset come in between.
MOST_TRIED = 16
# Most terms of one step among which its cell state is searched.
MOST_OF_A_STEP = 200
NONE = -1


class _Step(NamedTuple):
    """The inputs and outputs of a step: ``after`` is the new hidden state before any mask."""

    inputs: int
    hidden: int
    cell: int
    after: int
    cell_after: int


class _Use(NamedTuple):
    """All steps of one use of a cell."""

    cell: Cell
    settings: Recognised
    steps: tuple[_Step, ...]
    masked: bool


def read_unrolled(
    program: Program, frame: Frame, variables: Mapping[Value, Variable], cells: Iterable[Cell]
) -> list[Loop]:
    """Find the cells that run in a call without a loop; those not recognised in every step are left out."""
    reader = StepReader(program, None, variables)
    packs: dict[Value, list[int]] = {}
    try:
        # In order, so that the terms of consecutive steps have numbers close to each other.
        for place, operands in _used(program, frame):
            made = [reader.read(operand) for operand in operands]
            if program.node(place).op == "Pack":
                packs[place] = made
        sums, places = _products(reader.terms), _places(reader.terms, packs.values())
        found = [use for cell in cells for use in _Unrolled(reader.terms, cell, sums, places).uses()]
    except TooMany:
        return []
    return list(_loops(program, reader, packs, found, frame))


def _used(program: Program, frame: Frame) -> Iterator[tuple[Value, list[Value]]]:
    """List what contributes to the results: single products, and values that are joined.

    Keras also takes single steps just for their shape, and joins last states without using them.
    """
    used = program.used(frame)
    for place in program.operations(frame, {"MatMul", "Pack"}):
        node = program.node(place)
        parts = [place] if node.op == "MatMul" else [program.resolve(part) for part in program.inputs(place)]
        whole = node.op == "MatMul" or node.attr["axis"].i in (0, 1)
        if whole and all(Value(part.frame, part.node) in used for part in parts):
            yield place, parts


class _Unrolled:
    """Follows one cell from step to step."""

    def __init__(
        self, terms: Terms, cell: Cell, sums: Mapping[str, Sequence[Mapping[str, list[int]]]], places: Sequence[int]
    ) -> None:
        self._terms, self._cell, self._places = terms, cell, places
        self._names = {role: variable.name for role, variable in cell.variables.items()}
        self._shapes = {role: variable.shape for role, variable in cell.variables.items()}
        kernel, recurrent = self._names["kernel"], self._names["recurrent_kernel"]
        self._states = sorted(terms.multiplied.get(recurrent, {}))
        # The inputs that go with each state: the products of both with a cell's kernels are summands of one sum.
        inputs: dict[int, dict[int, None]] = {}
        for lefts in sums.get(recurrent, ()):
            for state in lefts[recurrent]:
                inputs.setdefault(state, {}).update(dict.fromkeys(lefts.get(kernel, ())))
        self._inputs = {state: list(found) for state, found in inputs.items()}

    def uses(self) -> list[_Use]:
        """Find all uses of the cell; none if anything that it is multiplied with belongs to no step."""
        left, found = list(self._states), []
        while left:
            use = self._use(left[0])
            if use is None:
                return []
            hidden = {step.hidden for step in use.steps}
            left = [state for state in left if state not in hidden and not self._is_reset(state, hidden)]
            found.append(use)
        read = {step.inputs for use in found for step in use.steps}
        return found if read == set(self._terms.multiplied.get(self._names["kernel"], {})) else []

    def _is_reset(self, number: int, states: set[int]) -> bool:
        """Return whether a term is a state after a GRU's reset."""
        term = self._terms[number]
        return self._cell.kind == "gru" and term[0] == "product" and not states.isdisjoint(term[1:])

    def _use(self, start: int) -> _Use | None:
        recognised = self._first(start)
        if recognised is None:
            return None
        settings, here = recognised
        steps, masked, first = [here], False, here
        while True:
            after = self._state_after(here)
            if after is None:
                return _Use(self._cell, settings, tuple(steps), masked)
            masked |= after != here.after
            following = self._following(after, first)
            if following is None or not self._is_kept(following.cell, here):
                return None
            here = following
            steps.append(here)

    def _first(self, start: int) -> tuple[Recognised, _Step] | None:
        """Recognise the first step."""
        for inputs in self._inputs.get(start, ()):
            found = cell_terms(inputs, start, self._names, self._shapes)
            for after in self._tried(start):
                for cell, cell_after in self._cell_states(after):
                    outputs = {start: after} | ({cell: cell_after} if cell != NONE else {})
                    settings = recognise_cell(self._terms, self._cell.kind, found, outputs)
                    if settings is not None and cell != start:
                        return settings, _Step(inputs, start, cell, after, cell_after)
        return None

    def _following(self, hidden: int, first: _Step) -> _Step | None:
        """Find the step after a state, which must equal the first one with other inputs and states."""
        inputs = self._inputs.get(hidden, ())
        if len(inputs) != 1:
            return None
        for after in self._tried(hidden):
            for cell, cell_after in self._cell_states(after):
                instead = {first.inputs: inputs[0], first.hidden: hidden, first.cell: cell}
                if self._terms.replaced(first.after, instead) == after:
                    return _Step(inputs[0], hidden, cell, after, cell_after)
        return None

    def _state_after(self, step: _Step) -> int | None:
        """Find the state that a step passes to the next one; None after the last one."""
        behind = self._states[bisect.bisect_right(self._states, step.hidden) :][:MOST_TRIED]
        return next((state for state in behind if _unmasked(self._terms, state, step.hidden) == step.after), None)

    def _is_kept(self, cell: int, before: _Step) -> bool:
        """Return whether a cell state comes from the previous step, possibly through a mask."""
        return before.cell == NONE or _unmasked(self._terms, cell, before.cell) == before.cell_after

    def _tried(self, state: int) -> list[int]:
        """List candidates for the new state: terms that are used somewhere and made soon after the previous state."""
        behind = self._places[bisect.bisect_right(self._places, state) :][:MOST_TRIED]
        return list(dict.fromkeys(_unmasked(self._terms, number) for number in behind))

    def _cell_states(self, after: int) -> Iterator[tuple[int, int]]:
        """List candidates for a cell state and the new one in the step that makes a hidden state."""
        if self._cell.kind != "lstm":
            yield NONE, NONE
            return
        waiting, seen = [after], set[int]()
        while waiting and len(seen) < MOST_OF_A_STEP:
            number = waiting.pop(0)
            term = self._terms[number]
            if number in seen or term[0] not in ("sum", "product", "apply"):
                continue
            seen.add(number)
            parts = [part for part in term[1:] if isinstance(part, int)]
            if term[0] == "sum" and len(parts) == 2 and all(self._terms[part][0] == "product" for part in parts):
                yield from ((factor, number) for part in parts for factor in self._terms[part][1:])  # type: ignore[misc]
            else:
                waiting += parts


def _products(terms: Terms) -> dict[str, list[dict[str, list[int]]]]:
    """List by variable the sums that contain a product with it: what each variable is multiplied with there."""
    found: dict[str, list[dict[str, list[int]]]] = {}
    for number in range(len(terms)):
        lefts: dict[str, list[int]] = {}
        for part in terms[number][1:] if terms[number][0] == "sum" else ():
            if terms[part][0] == "matmul":  # type: ignore[index]
                _, left, right = terms[part]  # type: ignore[index]
                lefts.setdefault(terms[right][1].variable, []).append(left)  # type: ignore[index, attr-defined, arg-type]
        for variable in lefts:
            found.setdefault(variable, []).append(lefts)
    return found


def _places(terms: Terms, packs: Iterable[Sequence[int]]) -> list[int]:
    """List in order the terms that may be states: those multiplied with a variable or joined."""
    used = {number for numbers in (*terms.multiplied.values(), *packs) for number in numbers}
    return sorted(number for number in used if terms[number][0] != "step")


def _unmasked(terms: Terms, number: int, before: int | None = None) -> int:
    """Return the new state if a mask chooses between it and another one, optionally required to be the previous one."""
    term = terms[number]
    if term[0] == "apply" and term[1] in CHOICES and len(term) == 5 and before in (None, term[4]):
        return int(str(term[3]))
    return number


def _loops(
    program: Program, reader: StepReader, packs: Mapping[Value, Sequence[int]], found: Sequence[_Use], frame: Frame
) -> Iterator[Loop]:
    """Yield each use as a loop; cells are left out if a use does not read a sequence from end to end."""
    made = {tuple(step.after for step in use.steps): use.cell.name for use in found}
    running = [(use, _running(program, reader, use, made)) for use in found]
    unclear = {use.cell.name for use, known in running if known is None}
    for use, known in running:
        if known is None or use.cell.name in unclear:
            continue
        after = [step.after for step in use.steps]
        written = [
            place for place, parts in packs.items() if [_unmasked(reader.terms, part) for part in parts] == after
        ]
        for place in written:
            yield Loop(place, {use.cell.name: known}, {0: use.cell.name}, program.node(place).attr["axis"].i)
        if not written:
            # For a cell that feeds another one in each step, no operation outputs all its states.
            yield Loop(Value(frame, use.cell.name), {use.cell.name: known})


def _running(program: Program, reader: StepReader, use: _Use, made: Mapping[tuple[int, ...], str]) -> Running | None:
    read, first = tuple(step.inputs for step in use.steps), use.steps[0]
    starts = [reader.terms[start] for start in (first.hidden, first.cell) if start != NONE]
    zero = all(start[0] == "fill" and is_zero(program, start[1]) for start in starts)  # type: ignore[arg-type]
    if read in made:
        return Running(use.cell, use.settings, None, made[read], use.masked, zero)
    sequence = _sequence([reader.terms[inputs] for inputs in read])
    if sequence is None:
        return None
    number, axis, turned = sequence
    return Running(use.cell, use.settings, reader.lists[number], "", use.masked, zero, axis, turned)


def _sequence(inputs: Sequence[Term]) -> tuple[int, int, bool] | None:
    """Return the sequence whose steps are read, the axis, and whether from the last one; None if only some are."""
    if {term[0] for term in inputs} != {"step"} or len({(term[1], *term[3:]) for term in inputs}) != 1:
        return None
    _, number, _, count, axis = inputs[0]
    order = [term[2] for term in inputs]
    if order not in (list(range(count)), list(range(count))[::-1]):  # type: ignore[call-overload]
        return None
    return number, axis, order[0] != 0  # type: ignore[return-value]
