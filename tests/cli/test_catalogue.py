"""Bad input, row by row: what the command says, how it exits, and that an existing output and everything else survive.

The readers' own tests look at each variant; here each kind of mistake goes through the whole command once.
"""

import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates_cli.main import _run

from ..builders import embedded, one_layer, ragged

INPUTS, LENGTHS = ragged(sequences=4, steps=5, features=3)
INPUTS = INPUTS.astype(np.float32)
TOKENS = np.ones((4, 5), np.int32)

USAGE, DATA, MISSING = 2, 65, 66


def hdf5(**datasets):
    """Make in.h5 with these datasets instead of good ones."""

    def make():
        with h5py.File("in.h5", "w") as file:
            for name, value in ({"inputs": INPUTS, "lengths": LENGTHS} | datasets).items():
                file[name] = value

    return make


def npy(array, **options):
    return lambda: np.save("in.npy", array, **options)


def content(name, text):
    return lambda: Path(name).write_bytes(text)


def cut(name, size):
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[:size])


def weights(edit):
    """Damage the weights inside w.weights.h5."""

    def make():
        with h5py.File("w.weights.h5", "r+") as file:
            edit(file["layers/lstm/cell/vars"])

    return make


def replace(name, value):
    def edit(group):
        del group[name]
        group[name] = value

    return weights(edit)


def with_value(place, value, array=INPUTS):
    array = array.copy()
    array[place] = value
    return array


def virtual():
    layout = h5py.VirtualLayout((4, 5, 3), "f4")
    layout[...] = h5py.VirtualSource("gone.h5", "x", (4, 5, 3))
    with h5py.File("in.h5", "w") as file:
        file.create_virtual_dataset("inputs", layout)
        file["lengths"] = LENGTHS


def external():
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("inputs", (4, 5, 3), "f4", external=[("taken.h5", 0, 240)])
        file["lengths"] = LENGTHS


def bomb():
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("inputs", (2**20, 2**10, 64), "f4", chunks=(1, 2**10, 64), compression="gzip")
        file["lengths"] = LENGTHS


def references():
    with h5py.File("in.h5", "w") as file:
        file["lengths"] = LENGTHS
        file.create_dataset("inputs", (4, 5, 3), h5py.ref_dtype)


FROM_NPY = ["in.npy", "--lengths", "lengths.npy"]
FROM_HDF5 = ["in.h5"]
WITH_WEIGHTS = ["in.h5", "--weights", "w.weights.h5"]
WITH_TOKENS = ["in.npy", "--lengths", "full", "--weights", "e.weights.h5"]

CATALOGUE = {
    # What a file is.
    "a missing file": (None, ["no.h5"], MISSING, "no.h5: no such file; expected a .npy or HDF5 file"),
    "a directory": (None, ["folder"], MISSING, "folder: a directory; expected"),
    "an empty file": (content("in.npy", b""), FROM_NPY, DATA, "in.npy: empty, not one byte; expected"),
    "neither kind": (content("in.npy", b"\x00\x01\x02\x03"), FROM_NPY, DATA, r"starts with b'\x00\x01\x02\x03'"),
    "a text": (content("in.npy", b"1,2,3\n"), FROM_NPY, DATA, "text that starts with '1,2,3'"),
    "a pickle": (content("in.npy", pickle.dumps([1])), FROM_NPY, DATA, "never loaded because it can run any code"),
    "an archive": (lambda: np.savez("in.npz", inputs=INPUTS), ["in.npz"], DATA, "a zip archive such as .npz"),
    "a truncated npy": (cut("in.npy", 200), FROM_NPY, DATA, "bytes"),
    "a truncated HDF5": (cut("in.h5", 1000), FROM_HDF5, DATA, "HDF5 cannot open it"),
    "pickled objects": (npy(np.full((4, 5, 3), None), allow_pickle=True), FROM_NPY, DATA, "object"),
    # Which dataset.
    "an absent dataset": (None, ["in.h5", "--inputs", "input"], DATA, "Did you mean 'inputs'?"),
    "no dataset that fits": (hdf5(inputs=np.ones(3)), FROM_HDF5, DATA, "inputs"),
    "several that fit": (lambda: hdf5(a=INPUTS, b=INPUTS, inputs=np.ones(3))(), FROM_HDF5, DATA, "inputs"),
    "an external link": (hdf5(inputs=h5py.ExternalLink("taken.h5", "/x")), FROM_HDF5, DATA, "a link into another file"),
    "a soft link": (hdf5(inputs=h5py.SoftLink("/x")), FROM_HDF5, DATA, "a soft link to '/x'"),
    "external storage": (external, FROM_HDF5, DATA, "its values lie in another file (taken.h5)"),
    "a virtual dataset": (virtual, FROM_HDF5, DATA, "a virtual dataset whose source 'x' in 'gone.h5' is missing"),
    "a bomb": (bomb, FROM_HDF5, DATA, "declares 274877906944 bytes but stores"),
    "references": (references, FROM_HDF5, DATA, "inputs"),
    # Shapes and dtypes.
    "one axis": (npy(np.ones(5)), FROM_NPY, DATA, "expected (N, T, I)"),
    "no steps": (npy(np.ones((4, 0, 3))), FROM_NPY, DATA, "(4, 0, 3)"),
    "another width": (npy(np.ones((4, 5, 7))), [*FROM_NPY, "--weights", "w.weights.h5"], DATA, "reads 3"),
    "complex": (npy(np.ones((4, 5, 3), complex)), FROM_NPY, DATA, "complex128"),
    "text values": (npy(np.full((4, 5, 3), "x")), FROM_NPY, DATA, "expected"),
    "dates": (npy(np.zeros((4, 5, 3), "M8[s]")), FROM_NPY, DATA, "datetime64"),
    "truth values": (npy(np.ones((4, 5, 3), bool)), FROM_NPY, DATA, "bool"),
    "structures": (npy(np.zeros((4, 5, 3), [("a", "f4")])), FROM_NPY, DATA, "expected"),
    # Lengths.
    "no lengths": (None, ["in.npy"], DATA, "--lengths full"),
    "a negative length": (hdf5(lengths=[1, -2, 3, 4]), FROM_HDF5, DATA, "-2"),
    "a length beyond T": (hdf5(lengths=[1, 2, 6, 4]), FROM_HDF5, DATA, "6"),
    "half a step": (hdf5(lengths=[1, 2.5, 3, 4]), FROM_HDF5, DATA, "2.5"),
    "a NaN length": (hdf5(lengths=[1, np.nan, 3, 4]), FROM_HDF5, DATA, "nan"),
    "too few lengths": (hdf5(lengths=[1, 2]), FROM_HDF5, DATA, "2 lengths, but in.h5: dataset"),
    "a table of lengths": (hdf5(lengths=np.ones((4, 2), int)), FROM_HDF5, DATA, "(4, 2)"),
    # Values.
    "a NaN in a valid step": (hdf5(inputs=with_value((0, 3, 1), np.nan)), FROM_HDF5, DATA, "sequence 0, step 3"),
    "an infinity": (hdf5(inputs=with_value((0, 2, 0), np.inf)), FROM_HDF5, DATA, "--allow-nonfinite"),
    "a negative id": (npy(with_value((1, 2), -1, TOKENS)), WITH_TOKENS, DATA, "-1"),
    "an id beyond the vocabulary": (npy(with_value((1, 2), 7, TOKENS)), WITH_TOKENS, DATA, "7"),
    "half an id": (npy(with_value((1, 2), 0.5, TOKENS.astype(float))), WITH_TOKENS, DATA, "0.5"),
    "too few ids": (hdf5(ids=["a", "b"]), FROM_HDF5, DATA, "ids"),
    # Weights; their own tests have the attacks.
    "missing weights": (None, ["in.h5", "--weights", "no.keras"], MISSING, "no.keras: no such file; expected weights"),
    "weights that are an input": (None, ["in.h5", "--weights", "in.h5"], DATA, "no recurrent layer found"),
    "weights that are a npy": (None, ["in.h5", "--weights", "in.npy"], DATA, r"starts with b'\x93NUMPY"),
    "an unknown layer": (None, [*WITH_WEIGHTS, "--layer", "lstn"], DATA, "Did you mean 'lstm'?"),
    "a missing array": (weights(lambda group: group.__delitem__("0")), WITH_WEIGHTS, DATA, "One is missing"),
    "an extra array": (
        weights(lambda group: group.create_dataset("3", data=[1.0])),
        WITH_WEIGHTS,
        DATA,
        "(another layer of 4 arrays)",
    ),
    "a wrong shape": (replace("2", np.ones(7, "f4")), WITH_WEIGHTS, DATA, "bias has shape (7,); expected"),
    "NaN in the weights": (replace("2", np.full(20, np.nan, "f4")), WITH_WEIGHTS, DATA, "20 values that are NaN"),
    "truncated weights": (cut("w.weights.h5", 900), WITH_WEIGHTS, DATA, "w.weights.h5: HDF5 cannot open it"),
    "a link in the weights": (replace("0", h5py.SoftLink("/x")), WITH_WEIGHTS, DATA, "links are refused"),
    "a wrong forget bias": (None, [*WITH_WEIGHTS, "--forget-bias", "nan"], USAGE, "--forget-bias nan"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with good inputs, lengths, weights and an output of an earlier run."""
    monkeypatch.chdir(tmp_path)
    hdf5()()
    np.save("in.npy", INPUTS)
    np.save("lengths.npy", LENGTHS)
    rnnstates.save_weights(one_layer(), "w.weights.h5")
    rnnstates.save_weights(embedded(), "e.weights.h5")
    Path("taken.h5").write_bytes(b"precious" * 100)
    Path("folder").mkdir()
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["rnnstates", *arguments])
    return _run()


def contents():
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_mistake_is_told_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    make, arguments, code, message = CATALOGUE[name]
    if make is not None:
        make()
    before = contents()
    for output in ("new.h5", "taken.h5"):
        assert run(monkeypatch, "extract", arguments[0], output, *arguments[1:], "--force") == code
        out, err = capsys.readouterr()
        assert message in err
        assert err.count("\n") <= 3
        assert "Traceback" not in err
        assert out == ""
        assert contents() == before


def test_what_the_catalogue_starts_from_is_good(place, monkeypatch, capsys):
    for arguments in (FROM_NPY, FROM_HDF5, WITH_WEIGHTS):
        assert run(monkeypatch, "extract", arguments[0], "new.h5", *arguments[1:], "--force") == 0
    np.save("in.npy", TOKENS)
    assert run(monkeypatch, "extract", WITH_TOKENS[0], "new.h5", *WITH_TOKENS[1:], "--force") == 0
