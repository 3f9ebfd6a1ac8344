"""Who may import whom, what ``import rnnstates`` brings, and that the tables are complete."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rnnstates

from .house import anything, floors, functions, house
from .import_table import ANYTHING, FLOORS, LIBRARIES, MOST, PARTS_OF_TENSORFLOW
from .imports import imported_modules, room_of, rooms_imported

ROOT = Path(__file__).parent.parent
PACKAGES = {"rnnstates": ROOT / "extractor" / "rnnstates", "rnnstates_cli": ROOT / "cli" / "rnnstates_cli"}
LIBRARY = PACKAGES["rnnstates"]
# What is no room: the public names, and the way to the command.
ROOT_MODULES = (LIBRARY / "__init__.py", LIBRARY / "__main__.py")
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path not in ROOT_MODULES)


def libraries_of(path, package_root):
    names = {name.partition(".")[0] for name in imported_modules(path, package_root) if not name.startswith(".")}
    return names - set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_module_imports_only_what_its_place_allows(path):
    room = room_of(path, LIBRARY)
    below = set().union(*FLOORS[: next(number for number, floor in enumerate(FLOORS) if room in floor)])
    assert set(rooms_imported(path, LIBRARY)) - LIBRARIES.get(room, set()) - set(sys.stdlib_module_names) <= below
    assert libraries_of(path, LIBRARY) <= LIBRARIES.get(room, set())


def test_the_import_table_has_no_stale_rows():
    rooms = {room_of(path, LIBRARY) for path in MODULES}
    assert sorted(room for floor in FLOORS for room in floor) == sorted(rooms)
    found = {room: set() for room in rooms}
    for path in MODULES:
        found[room_of(path, LIBRARY)] |= libraries_of(path, LIBRARY)
    assert {room: libraries for room, libraries in found.items() if libraries} == LIBRARIES


def test_the_tests_have_the_rooms_of_the_library():
    rooms, folders = ({path.parent.name for path in place.glob("*/__init__.py")} for place in (LIBRARY, ROOT / "tests"))
    assert folders - rooms == {"cli", "clients", "faults", "fuzzing", "sample_data"}
    assert rooms <= folders


def test_the_layout_does_not_grow_worse():
    """Fewer is better: lower the figures of the table then."""
    rooms = house()
    assert (len(rooms), max(floors(rooms).values()), sum(map(len, rooms.values()))) == MOST


@pytest.mark.slow
def test_no_room_says_any_more_often_than_it_did():
    """Where the type is known, say it; lower the figures of the table then."""
    found = anything()
    assert {room: count for room, count in found.items() if count > ANYTHING.get(room, 0)} == {}


def test_any_is_counted_where_it_stands_alone(tmp_path):
    folder = tmp_path / "room"
    folder.mkdir()
    declared = "def f(a: Any, *b: Any, c: int, d: dict[str, Any]) -> Any: ...\n\nx: Any = 1\ny: list[Any] = []\n"
    (folder / "module.py").write_text(declared)
    assert anything(tmp_path) == {"room": 4}


# What people call, whose parameters are options by name; and the layers and the transformer.
PUBLIC = {*rnnstates.__all__, "__init__"}
LONGEST, MOST_PARAMETERS = 40, 8


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short_and_take_few_parameters(package):
    for path, name, lines, parameters, marks in functions(PACKAGES[package]):
        if name not in PUBLIC and "command" not in marks:
            assert lines <= LONGEST, (path, name)
            assert parameters <= MOST_PARAMETERS, (path, name)


@pytest.mark.parametrize("path", [*MODULES, *PACKAGES["rnnstates_cli"].rglob("*.py")], ids=lambda path: path.stem)
def test_a_module_fits_its_topic(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("written, expected", [
    ("from ..network import stack", ".network.stack"),
    ("from .near import found", ".inputs.near.found"),
    ("from . import near", ".inputs.near"),
    ("import click", "click"),
    ("def late():\n    import tensorflow as tf", "tensorflow"),
    ("from tensorflow.core import framework", "tensorflow.core.framework"),
    ("import_module('tensorflow.python.eager')", "tensorflow.python.eager"),
    ("importlib.import_module('..network', __name__)", ".network"),
    ("import_module(f'.{name}.stack', __package__)", None),
    ("import_module(f'tensorflow.{name}')", "tensorflow"),
    ("__import__('torch.nn')", "torch.nn"),
])  # fmt: skip
def test_the_import_check_sees_every_way_of_importing(tmp_path, written, expected):
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "bad.py").write_text(written)
    assert set(imported_modules(folder / "bad.py", tmp_path)) == ({expected} if expected else set())


def test_python_m_rnnstates_alone_knows_the_command():
    knowing = [path for path in LIBRARY.rglob("*.py") if "rnnstates_cli" in set(libraries_of(path, LIBRARY))]
    assert knowing == [LIBRARY / "__main__.py"]


MAPPING = {"memmap", "mmap", "mmap_mode", "open_memmap"}


def names_in(text):
    for node in ast.walk(ast.parse(text)):
        yield from (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "np.load":
            yield "np.load"


def test_no_source_maps_a_file_into_memory():
    """One that is cut short meanwhile would end the process by a signal instead of an error."""
    for path in (LIBRARY / "inputs").glob("*.py"):
        assert not (MAPPING | {"np.load"}) & set(names_in(path.read_text())), path


def test_the_check_for_mapping_can_fail():
    assert {"np.load", "mmap_mode"} <= set(names_in("np.load('x', mmap_mode='r')"))
    assert "mmap" in set(names_in("import mmap"))


def test_tensorflow_is_started_in_one_place_only():
    importing = {str(path.relative_to(LIBRARY)) for path in MODULES if "tensorflow" in libraries_of(path, LIBRARY)}
    assert importing == {"runtime/tensorflow_start.py", *PARTS_OF_TENSORFLOW}


def test_the_command_imports_public_names_and_click_only():
    allowed = {"click", "rnnstates", "tqdm"}
    for path in PACKAGES["rnnstates_cli"].rglob("*.py"):
        assert libraries_of(path, PACKAGES["rnnstates_cli"]) <= allowed
        assert not [line for line in path.read_text().splitlines() if line.strip().startswith("from rnnstates.")]


def loaded_after(statement):
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import rnnstates",
        "import rnnstates; rnnstates.extract, rnnstates.open, rnnstates.POOLINGS, rnnstates.collect",
        "from rnnstates import *",
        "import rnnstates_cli.main",
        "from rnnstates_cli.main import cli\ntry: cli(['extract', '--help'])\nexcept SystemExit: pass",
        "import rnnstates, numpy; rnnstates.extract(numpy.ones((2, 3, 4)), 'full')",
    ],
)
def test_no_tensorflow_before_an_engine_of_that_name_starts(statement):
    assert "tensorflow" not in loaded_after(statement)


def test_import_rnnstates_brings_neither_numpy_nor_h5py():
    assert {"numpy", "h5py"}.isdisjoint(loaded_after("import rnnstates"))


def test_the_check_for_tensorflow_can_fail():
    assert "tensorflow" in loaded_after("import types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')")


@pytest.mark.framework
def test_the_public_list_is_the_public_list():
    for name in dir(rnnstates):
        assert getattr(rnnstates, name) is not None
    assert set(rnnstates._LAZY) < set(dir(rnnstates))
    assert set(dir(rnnstates)) - set(rnnstates.__all__) == {"keras", "StateExtractor"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        rnnstates.nonsense  # noqa: B018


def test_every_error_is_drawn_in_the_tree_and_has_an_exit_code():
    from rnnstates import errors

    for name in errors.__all__:
        assert name in errors.__doc__
        kind = getattr(errors, name)
        if kind not in (errors.RnnstatesError, errors.OutputError):
            assert 2 <= kind.exit_code < 128
