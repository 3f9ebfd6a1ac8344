"""Finds the loops over time in a graph: the inputs and outputs of each step, and the cells that run in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .cells import Recognised, find_cell, recognise_cell
from .constants import integers, is_zero
from .program import LOOPS, Frame, Program, Value
from .steps import StepReader, Variable
from .terms import Terms, TooMany

__all__ = ["CHOICES", "Cell", "Loop", "Running", "read_loops"]

# Operations by which a mask chooses between a new state and the previous one.
CHOICES = {"Select", "SelectV2"}


@dataclass(frozen=True)
class Cell:
    """The variables of a cell by role, and its kind."""

    name: str
    kind: str
    variables: Mapping[str, Variable]


@dataclass(frozen=True, eq=False)
class Running:
    """A cell in a loop: how it is run, and which sequence or cell of the same loop it reads."""

    cell: Cell
    settings: Recognised
    sequence: Value | None
    below: str
    masked: bool
    starts_from_zero: bool
    # The axis of the sequence that is time.
    axis: int = 0
    # Whether it reads the steps from last to first.
    turned: bool = False


@dataclass(eq=False)
class Loop:
    """One loop over time.

    Parameters
    ----------
    place : Value
    running : dict
        Its cells by name.
    written : dict
        By the index of a result, the cell whose hidden state each step writes to it.
    axis : int
        The axis of that result that is time.
    """

    place: Value
    running: dict[str, Running] = field(default_factory=dict)
    written: dict[int, str] = field(default_factory=dict)
    axis: int = 0


def read_loops(
    program: Program, frame: Frame, variables: Mapping[Value, Variable], cells: Iterable[Cell]
) -> list[Loop]:
    """Find every loop of a call in which a cell runs, and how it is run; unrecognised cells are left out."""
    by_kernel = {cell.variables["kernel"].name: cell for cell in cells}
    found = []
    for place in program.operations(frame, LOOPS):
        body = program.enter(place)
        if body is not None:
            try:
                loop = _read_loop(program, place, body, variables, by_kernel)
            except TooMany:
                continue
            found += [loop] if loop.running else []
    return found


def _read_loop(
    program: Program, place: Value, body: Frame, variables: Mapping[Value, Variable], by_kernel: Mapping[str, Cell]
) -> Loop:
    reader = StepReader(program, body, variables)
    results = [reader.read(program.value(body, result)) for result in body.results()]
    by_name = {name: results[number] for number, name in enumerate(body.names()) if number < len(results)}
    states = {number: _unmasked(reader.terms, number, by_name[name]) for name, number in _states(reader, by_name)}
    outputs = {state: new for state, (new, _) in states.items()}
    loop, made = Loop(place), dict[int, str]()
    for cell in (by_kernel[name] for name in reader.terms.multiplied.copy() if name in by_kernel):
        names = {role: variable.name for role, variable in cell.variables.items()}
        shapes = {role: variable.shape for role, variable in cell.variables.items()}
        terms = find_cell(reader.terms, names, shapes)
        settings = None if terms is None else recognise_cell(reader.terms, cell.kind, terms, outputs)
        if terms is None or settings is None:
            continue
        used = _states_of(reader.terms, settings.output, outputs)
        given = dict(zip(body.names(), program.inputs(place), strict=False))
        zero = all(is_zero(program, given[str(reader.terms[state][1])]) for state in used)
        sequence = _sequence(program, reader, terms.inputs, by_name, given)
        below = str(terms.inputs) if sequence is None else ""
        masked = any(states[state][1] for state in used)
        loop.running[cell.name] = Running(cell, settings, sequence, below, masked, zero)
        made[settings.output] = cell.name
    _connect(reader.terms, loop, made, body, results)
    return loop


def _states(reader: StepReader, by_name: Mapping[str, int]) -> list[tuple[str, int]]:
    """List the arguments that change from one iteration to the next, with their terms."""
    return [(name, reader.terms.of("state", name)) for name in by_name]


def _unmasked(terms: Terms, state: int, new: int) -> tuple[int, bool]:
    """Return the new state if a mask chooses between it and the previous one."""
    term = terms[new]
    if term[0] == "apply" and term[1] in CHOICES and len(term) == 5 and term[4] == state:
        return int(str(term[3])), True
    return new, False


def _states_of(terms: Terms, output: int, outputs: Mapping[int, int]) -> list[int]:
    """List the states of a cell: the one that becomes its output, and others that go into it directly."""
    hidden = [state for state, new in outputs.items() if new == output]
    seen, waiting, found = set[int](), [output], list(hidden)
    while waiting:
        number = waiting.pop()
        if number in seen or terms[number][0] == "matmul":
            continue
        seen.add(number)
        if terms[number][0] == "state":
            found.append(number)
        if terms[number][0] in ("sum", "product"):
            waiting += [part for part in terms[number][1:] if isinstance(part, int)]
        if terms[number][0] == "apply":
            waiting += [part for part in terms[number][2:] if isinstance(part, int)]
    return list(dict.fromkeys(found))


def _sequence(
    program: Program, reader: StepReader, number: int, by_name: Mapping[str, int], given: Mapping[str, Value]
) -> Value | None:
    """Return the sequence of which a cell reads one step per iteration; None if it reads something else."""
    term = reader.terms[number]
    if term[0] != "item" or not _counts(program, reader.terms, int(str(term[2])), by_name, given):
        return None
    made = reader.lists[int(str(term[1]))]
    node = program.node(made)
    return program.inputs(made)[0] if node is not None and node.op == "TensorListFromTensor" else None


def _counts(program: Program, terms: Terms, place: int, by_name: Mapping[str, int], given: Mapping[str, Value]) -> bool:
    """Return whether an index counts the iterations of a loop, from 0."""
    name = terms[place][1] if terms[place][0] == "state" else None
    if not isinstance(name, str) or name not in by_name:
        return False
    return by_name[name] == terms.sum(place, terms.constant(1)) and integers(program, given[name]) == [0]


def _connect(terms: Terms, loop: Loop, made: Mapping[int, str], body: Frame, results: list[int]) -> None:
    """Determine which cell of a loop reads which, and where each writes its states."""
    for name, running in list(loop.running.items()):
        if running.below:
            below = _cell_of(terms, int(running.below), made)
            loop.running[name] = Running(**{**running.__dict__, "below": below})
    for number, result in enumerate(results):
        term = terms[result]
        if term[0] == "apply" and term[1] == "TensorListSetItem" and len(term) == 5:
            name = _cell_of(terms, int(str(term[4])), made)
            counted = terms[int(str(term[3]))][0] == "state"
            if name and counted and number < len(body.names()):
                loop.written[number] = name


def _cell_of(terms: Terms, number: int, made: Mapping[int, str]) -> str:
    """Return the name of the cell whose new hidden state a term is, even if a mask may replace it."""
    term = terms[number]
    if number not in made and term[0] == "apply" and term[1] in CHOICES and len(term) == 5:
        number = int(str(term[3]))
    return made.get(number, "")
