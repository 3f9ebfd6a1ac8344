"""Nothing is claimed that is not tested: every row of the tables has its test."""

import importlib
import re
from pathlib import Path

import pytest

from rnnstates.weights.conventions import CONVENTIONS
from rnnstates.weights.frameworks import INTERPRETERS
from rnnstates.weights.readers import READERS

from . import census

HERE = Path(__file__).parent
CLAIMED = {(framework, cell) for framework, cells in CONVENTIONS.items() for cell in cells}


@pytest.fixture(scope="module")
def covered():
    """What the parity tests say they cover; importing them is what makes them say it."""
    for path in sorted(HERE.glob("test_*.py")):
        if "@parity(" in path.read_text():
            importlib.import_module(f"{__package__}.{path.stem}")
    return census.COVERED


@pytest.mark.slow
def test_every_convention_is_held_against_its_framework(covered):
    assert set(covered) == CLAIMED


@pytest.mark.slow
def test_a_claim_without_a_test_would_be_seen(covered):
    assert (CLAIMED | {("nobody", "lstm")}) - set(covered) == {("nobody", "lstm")}


@pytest.mark.parametrize("framework", CONVENTIONS)
def test_every_convention_says_where_it_is_written_down(framework):
    for convention in CONVENTIONS[framework].values():
        assert len(convention.source) > 20


# From the name in READERS or INTERPRETERS to the test module in which it reads a file of the framework itself.
READ_IN = {
    "folder": "test_unirep",
    "HDF5 with options": "test_elmo",
    "HDF5": "test_keras_files",
    "Keras zip": "test_keras_files",
    "npz": "test_equinox",
    "PyTorch": "test_torch",
    "safetensors": "test_torch",
    "ONNX": "test_onnx",
    "msgpack": "test_flax",
    "JSON": "test_json",
    "audio": "test_json",
    "TensorFlow": "test_tensorflow1",
    "elmo": "test_elmo",
    "unirep": "test_unirep",
    "onnx": "test_onnx",
    "keras": "test_keras_states",
    "flax": "test_flax",
    "haiku": "test_haiku",
    "equinox": "test_equinox",
    "torch": "test_torch",
    "tensorflow1": "test_tensorflow1",
    "tensorflow2": "test_tensorflow2",
}


def test_every_reader_and_framework_has_a_module_of_tests():
    assert set(READ_IN) == {*READERS, *INTERPRETERS}
    for module in READ_IN.values():
        assert re.search(r"^def test_", (HERE / f"{module}.py").read_text(), re.M)
