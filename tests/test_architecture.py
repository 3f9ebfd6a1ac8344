"""Who may import whom, what ``import rnnstates`` brings, and that the tables are complete."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rnnstates

from .import_table import MAY_IMPORT

ROOT = Path(__file__).parent.parent
PACKAGES = {"rnnstates": ROOT / "extractor" / "rnnstates", "rnnstates_cli": ROOT / "cli" / "rnnstates_cli"}


def imports_of(path, package_root):
    """Name the parts of rnnstates and the foreign packages that a file imports, also inside functions."""
    inside = path.relative_to(package_root).parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module.partition(".")[0]
            elif node.level == len(inside):
                yield from [node.module.partition(".")[0]] if node.module else [alias.name for alias in node.names]
            else:
                yield inside[0].removesuffix(".py")


def part_of(path, package_root):
    return path.relative_to(package_root).parts[0].removesuffix(".py")


MODULES = sorted(path for path in PACKAGES["rnnstates"].rglob("*.py") if path != PACKAGES["rnnstates"] / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGES["rnnstates"])))
def test_a_module_imports_only_what_its_place_allows(path):
    part = part_of(path, PACKAGES["rnnstates"])
    foreign = {name for name in imports_of(path, PACKAGES["rnnstates"]) if name not in sys.stdlib_module_names}
    assert foreign - {part} <= MAY_IMPORT[part]


def test_the_import_table_has_no_stale_rows():
    assert set(MAY_IMPORT) == {part_of(path, PACKAGES["rnnstates"]) for path in MODULES}


def test_the_import_check_sees_a_forbidden_import(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    bad = folder / "bad.py"
    bad.write_text("from ..network import stack\nimport click\n\ndef late():\n    import tensorflow\n")
    assert set(imports_of(bad, tmp_path)) == {"network", "click", "tensorflow"}


MAPPING = {"memmap", "mmap", "mmap_mode", "open_memmap"}


def names_in(text):
    for node in ast.walk(ast.parse(text)):
        yield from (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "np.load":
            yield "np.load"


def test_no_source_maps_a_file_into_memory():
    """One that is cut short meanwhile would end the process by a signal instead of an error."""
    for path in (PACKAGES["rnnstates"] / "sources").glob("*.py"):
        assert not (MAPPING | {"np.load"}) & set(names_in(path.read_text())), path


def test_the_check_for_mapping_can_fail():
    assert {"np.load", "mmap_mode"} <= set(names_in("np.load('x', mmap_mode='r')"))
    assert "mmap" in set(names_in("import mmap"))


def test_tensorflow_is_imported_in_one_place_only():
    importing = {part_of(path, PACKAGES["rnnstates"]) for path in MODULES if "import tensorflow" in path.read_text()}
    assert importing == {"tensorflow_start"}


def test_the_command_imports_public_names_and_click_only():
    allowed = {"click", "rnnstates", "tqdm"}
    for path in PACKAGES["rnnstates_cli"].rglob("*.py"):
        found = {name for name in imports_of(path, PACKAGES["rnnstates_cli"]) if name not in sys.stdlib_module_names}
        local = {other.stem for other in PACKAGES["rnnstates_cli"].glob("*.py")}
        assert found - local <= allowed
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


def test_help_brings_no_h5py_and_no_tqdm():
    statement = "from rnnstates_cli.main import cli\ntry: cli(['extract', '--help'])\nexcept SystemExit: pass"
    assert {"h5py", "tqdm"}.isdisjoint(loaded_after(statement))


def test_the_check_for_tensorflow_can_fail():
    assert "tensorflow" in loaded_after("import types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')")


def test_the_public_list_is_the_public_list():
    for name in dir(rnnstates):
        assert getattr(rnnstates, name) is not None
    assert set(rnnstates._LAZY) < set(dir(rnnstates))
    assert set(dir(rnnstates)) - set(rnnstates.__all__) == {"keras", "StateExtractor"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        rnnstates.nonsense  # noqa: B018


def test_every_error_is_drawn_in_the_tree_and_has_an_exit_code():
    from rnnstates import errors
    from rnnstates_cli.main import EXIT_CODES

    for name in errors.__all__:
        assert name in errors.__doc__
        kind = getattr(errors, name)
        if kind not in (errors.RnnstatesError, errors.OutputError):
            assert any(issubclass(kind, tabled) for tabled in EXIT_CODES)
