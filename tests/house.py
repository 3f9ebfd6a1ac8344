"""``python -m tests.house``: rooms at the root of ``rnnstates/``, floors, and imports between rooms.

A room is a folder or a module at the root; its floor is one above the highest room that it imports. What is imported
inside functions counts as well; the root's ``__init__``, which imports every public name, and its ``__main__``, which
calls the command, do not.
"""

import ast
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from .imports import room_of, rooms_imported

ROOT = Path(__file__).parent.parent / "extractor" / "rnnstates"

__all__ = ["anything", "floors", "functions", "house"]


def house(root=ROOT):
    """Map each room to the rooms that it imports."""
    modules = [path for path in sorted(root.rglob("*.py")) if path.parent != root or not path.name.startswith("__")]
    rooms = {room_of(path, root): set() for path in modules}
    for path in modules:
        rooms[room_of(path, root)].update(room for room in rooms_imported(path, root) if room in rooms)
    return rooms


def floors(rooms):
    """Map each room to its floor, the lowest being 1; a circle raises CycleError."""
    found = {}
    for room in TopologicalSorter(rooms).static_order():
        found[room] = 1 + max((found[below] for below in rooms[room]), default=0)
    return found


def functions(root):
    """Yield the path, name, lines without docstring, and parameters of every function, with its decorators' names."""
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
                given = node.args
                named = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                count = len(named) - (named[:1] in (["self"], ["cls"])) + bool(given.vararg) + bool(given.kwarg)
                marks = {getattr(getattr(mark, "func", mark), "attr", "") for mark in node.decorator_list}
                yield path, node.name, node.end_lineno - node.lineno + 1 - docstring, count, marks


def anything(root=ROOT):
    """Count, by room, what is declared to be ``Any`` and nothing else: parameters, results, fields and variables."""
    found = Counter()
    for path in sorted(root.rglob("*.py")):
        room = room_of(path, root)
        for node in ast.walk(ast.parse(path.read_text())):
            declared = [node.returns] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
            declared += [node.annotation] if isinstance(node, ast.arg | ast.AnnAssign) else []
            found[room] += sum(isinstance(one, ast.Name) and one.id == "Any" for one in declared)
    return +found


def main():
    rooms = house(Path(sys.argv[1]) if sys.argv[1:] else ROOT)
    print(f"{len(rooms)} rooms, {sum(map(len, rooms.values()))} imports between them")
    try:
        levels = floors(rooms)
    except CycleError as circle:
        print("in a circle:", " -> ".join(circle.args[1]))
        return 1
    print(f"{max(levels.values())} floors, from the top:")
    for level in sorted(set(levels.values()), reverse=True):
        print(f"{level:3d} ", ", ".join(room for room in rooms if levels[room] == level))
    return 0


if __name__ == "__main__":
    sys.exit(main())
