"""The loops over time in a graph: what goes in at each step, what comes out, and which cells run in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .cells import Recognised, find_cell, recognise_cell
from .constants import integers, is_zero
from .program import LOOPS, Frame, Program, Value
from .steps import StepReader, Variable
from .terms import Terms, TooMany

__all__ = ["CHOICES", "Cell", "Loop", "Running", "read_loops"]

# What is read of an operation that chooses between a new state and the one before, by a mask.
CHOICES = {"Select", "SelectV2"}


@dataclass(frozen=True)
class Cell:
    """The variables of a cell by role, and what it is."""

    name: str
    kind: str
    variables: Mapping[str, Variable]


@dataclass(frozen=True, eq=False)
class Running:
    """A cell in a loop: how it is run, which sequence or which cell of the same loop it reads."""

    cell: Cell
    settings: Recognised
    sequence: Value | None
    below: str
    masked: bool
    starts_from_zero: bool
    # Which axis of the sequence is time.
    axis: int = 0
    # Whether it takes the steps from the last one on.
    turned: bool = False


@dataclass(eq=False)
class Loop:
    """One loop over time.

    Parameters
    ----------
    place : Value
    running : dict
        The cells in it by name.
    written : dict
        By the number of a result: the cell whose hidden state each step writes there.
    axis : int
        Which axis of that result is time.
    """

    place: Value
    running: dict[str, Running] = field(default_factory=dict)
    written: dict[int, str] = field(default_factory=dict)
    axis: int = 0


def read_loops(
    program: Program, frame: Frame, variables: Mapping[Value, Variable], cells: Iterable[Cell]
) -> list[Loop]:
    """Find every loop of a call in which a cell runs, and how it is run; a cell that is not recognised is left out."""
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
    """List the arguments that change from turn to turn, with the terms that stand for them."""
    return [(name, reader.terms.of("state", name)) for name in by_name]


def _unmasked(terms: Terms, state: int, new: int) -> tuple[int, bool]:
    """Take the new state where a mask chooses between it and the one before."""
    term = terms[new]
    if term[0] == "apply" and term[1] in CHOICES and len(term) == 5 and term[4] == state:
        return int(str(term[3])), True
    return new, False


def _states_of(terms: Terms, output: int, outputs: Mapping[int, int]) -> list[int]:
    """List the states of a cell: that which becomes its output, and what else that is made of directly."""
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
    """Give the sequence that a cell takes one step of each turn; None where it reads something else."""
    term = reader.terms[number]
    if term[0] != "item" or not _counts(program, reader.terms, int(str(term[2])), by_name, given):
        return None
    made = reader.lists[int(str(term[1]))]
    node = program.node(made)
    return program.inputs(made)[0] if node is not None and node.op == "TensorListFromTensor" else None


def _counts(program: Program, terms: Terms, place: int, by_name: Mapping[str, int], given: Mapping[str, Value]) -> bool:
    """Tell whether a place is that of a loop's turn: 0 in the first one, then one more each."""
    name = terms[place][1] if terms[place][0] == "state" else None
    if not isinstance(name, str) or name not in by_name:
        return False
    return by_name[name] == terms.sum(place, terms.constant(1)) and integers(program, given[name]) == [0]


def _connect(terms: Terms, loop: Loop, made: Mapping[int, str], body: Frame, results: list[int]) -> None:
    """Tell which cell of a loop reads which, and which writes its states where."""
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
    """Name the cell whose new hidden state a term is, also where a mask chooses what stands there instead."""
    term = terms[number]
    if number not in made and term[0] == "apply" and term[1] in CHOICES and len(term) == 5:
        number = int(str(term[3]))
    return made.get(number, "")
