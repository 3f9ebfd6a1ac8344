"""What each test needs beside Python and NumPy, seen in its source before it is imported; ``--quick`` leaves it out.

``framework``: TensorFlow, Keras, PyTorch, JAX or ONNX is imported. ``process``: one is started. ``fault`` and ``fuzz``:
the folders of these names. ``slow``, and a mark that the source does not show, is written at the test.
"""

import functools
import gc
import sys
from pathlib import Path

import pytest

from .reached import forget, reached, reached_at_import

__all__ = ["MARKS", "marks_of"]

MARKS = {
    "framework": "imports TensorFlow, Keras, PyTorch, JAX or ONNX",
    "process": "starts a process",
    "fault": "makes calls to the system fail, in tests/faults",
    "fuzz": "gives damaged files to parsers, in tests/fuzzing",
    "slow": "takes seconds; always written at the test",
}
QUICK = " and ".join(f"not {mark}" for mark in MARKS)

HERE = Path(__file__).parent
# Whoever looks for its doctests asks for every public name, and some of them import Keras.
LAZY = HERE.parent / "extractor" / "rnnstates" / "__init__.py"
FOLDERS = {"faults": "fault", "fuzzing": "fuzz"}
FRAMEWORKS = (
    *("tensorflow", "keras", "tf_keras", "torch", "safetensors.torch", "jax", "flax", "haiku", "equinox"),
    *("onnx", "onnxruntime", "onnxscript", "tests.keras"),
    *("rnnstates.keras", "rnnstates.collecting", "rnnstates.collect"),
    "rnnstates.runtime.tensorflow_start.import_tensorflow",
)
PROCESSES = ("subprocess.run", "subprocess.Popen", "multiprocessing", "os.fork", "os.posix_spawn")
# None of these may be there after quick tests.
HEAVY = ("tensorflow", "torch", "jax")


def add_option(parser):
    parser.addoption("--quick", action="store_true", help=f"Only tests that are {QUICK}; seconds.")


def pytest_configure(config):
    # Collecting makes millions of objects that stay; to look through them again and again takes longer than the rest.
    gc.disable()
    for mark, says in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {says}")
    if config.getoption("--quick"):
        config.option.markexpr = QUICK


def pytest_ignore_collect(collection_path, config):
    """Import nothing that imports a framework when none of its tests would be run."""
    if config.getoption("--quick") and collection_path.suffix == ".py" and "framework" in _of_module(collection_path):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    # To read the source of every test takes seconds, and a run of all of them asks for no mark.
    for item in items if config.option.markexpr else ():
        for mark in marks_of(item.path, getattr(item, "originalname", None), _parameters(item)):
            item.add_marker(mark)


def pytest_collection_finish(session):
    forget()
    gc.freeze()
    # JAX and Hypothesis do something of their own at each collection.
    gc.set_threshold(10_000, 10, 10)
    gc.enable()
    if session.config.getoption("--quick") and (there := _imported()):
        raise pytest.UsageError(f"collecting the quick tests has imported {there}; see tests/marking.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    before = _imported()
    made = yield
    if item.config.getoption("--quick") and _imported() != before:
        pytest.fail(f"has imported {_imported()}; mark it with pytest.mark.framework")
    return made


def marks_of(path, test, parameters=()):
    """Name the marks of a test function, or of a class or doctest with None, in a file."""
    marks = set(_of_module(path))
    if "tensorflow" in parameters:
        marks.add("framework")
    if test is not None:
        needs = reached(path, test)
        marks |= {mark for mark, names in (("framework", FRAMEWORKS), ("process", PROCESSES)) if _any(needs, names)}
    return marks


@functools.cache
def _of_module(path):
    if path == LAZY:
        return {"framework"}
    marks = {mark for folder, mark in FOLDERS.items() if HERE / folder in path.parents}
    return marks | ({"framework"} if _any(reached_at_import(path), FRAMEWORKS) else set())


def _any(needs, names):
    starts = tuple(f"{name}." for name in names)
    return any(f"{need}.".startswith(starts) for need in needs)


def _parameters(item):
    callspec = getattr(item, "callspec", None)
    return [value for value in callspec.params.values() if isinstance(value, str)] if callspec else []


def _imported():
    return [name for name in HEAVY if name in sys.modules]
