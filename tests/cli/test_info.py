"""What ``info`` says of each kind of file, for people and for machines."""

import json

import h5py
import numpy as np
import pytest

import rnnstates as library

from ..builders import bidirectional_stack, embedded, one_layer, ragged
from .running import rnnstates


@pytest.fixture
def place(tmp_path):
    inputs, lengths = ragged(sequences=4, steps=5, features=3)
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file.create_dataset("inputs", data=inputs, chunks=(2, 5, 3), compression="gzip")
        file["lengths"] = lengths
        file["elsewhere"] = h5py.SoftLink("/inputs")
    np.save(tmp_path / "in.npy", np.asfortranarray(inputs))
    library.save_weights(one_layer(), tmp_path / "w.weights.h5")
    library.save_weights(embedded(), tmp_path / "e.weights.h5")
    library.extract(inputs, lengths, weights=bidirectional_stack(), output=tmp_path / "out.h5", layout="packed")
    return tmp_path


def info(place, name):
    done = rnnstates("info", name, "--json", cwd=place)
    assert (done.returncode, done.stderr) == (0, b"")
    described = json.loads(done.stdout)
    assert described["file"] == name
    assert described["bytes"] == (place / name).stat().st_size
    for_people = rnnstates("info", name, cwd=place)
    assert for_people.returncode == 0
    assert f"kind: {described['kind']}\n" in for_people.stdout.decode()
    return described, for_people.stdout.decode()


def test_an_hdf5_input_is_listed_by_dataset(place):
    described, text = info(place, "in.h5")
    assert (described["kind"], described["container"]) == ("input", "HDF5")
    assert described["datasets"] == [
        {"name": "inputs", "shape": [4, 5, 3], "dtype": "float64", "chunks": [2, 5, 3], "compression": "gzip"},
        {"name": "lengths", "shape": [4], "dtype": "int64"},
    ]
    assert "  inputs: 4 x 5 x 3 float64, chunks 2 x 5 x 3, compression gzip\n" in text


def test_a_npy_tells_shape_dtype_and_order(place):
    described, text = info(place, "in.npy")
    assert {"shape": [4, 5, 3], "dtype": "float64", "order": "Fortran"}.items() <= described.items()
    assert "shape: 4 x 5 x 3\n" in text


@pytest.mark.parametrize("save, more", [(np.savez, {}), (np.savez_compressed, {"compression": "deflate"})])
def test_a_npz_input_is_listed_by_array(place, save, more):
    save(place / "in.npz", inputs=np.zeros((4, 5, 3), ">f2"), lengths=np.arange(4), objects=np.full(2, None))
    described, text = info(place, "in.npz")
    assert (described["kind"], described["container"]) == ("input", "npz")
    assert described["datasets"] == [
        {"name": "inputs", "shape": [4, 5, 3], "dtype": ">f2", "order": "C", **more},
        {"name": "lengths", "shape": [4], "dtype": "int64", "order": "C", **more},
    ]
    assert "  inputs: 4 x 5 x 3 >f2" in text


def test_weights_in_a_npz_are_weights(place):
    np.savez(place / "w.npz", kernel=np.ones((3, 8)), recurrent_kernel=np.ones((2, 8)), bias=np.zeros(8))
    done = rnnstates("info", "w.npz", "--convention", "keras", cwd=place)
    assert done.stdout.decode().startswith("file: w.npz\nbytes: 1154\nkind: weights\n")


def test_weights_tell_each_stack_and_its_sizes(place):
    described, text = info(place, "w.weights.h5")
    (stack,) = described["stacks"]
    assert (described["kind"], stack["layer"], stack["embedding"]) == ("weights", "lstm", None)
    assert [(part["features"], part["units"], part["direction"]) for part in stack["layers"]] == [(3, 5, "forward")]
    assert "units: 5\n" in text
    assert info(place, "e.weights.h5")[0]["stacks"][0]["embedding"] == {"vocabulary": 7, "width": 3}


def test_states_tell_layout_layers_counts_and_provenance(place):
    described, text = info(place, "out.h5")
    assert described["kind"] == "states"
    assert described["layers"] == ["layer0/forward", "layer0/backward", "layer1/forward", "layer1/backward"]
    assert (described["layout"], described["sequences"], described["longest"]) == ("packed", 4, 5)
    names = {data["name"] for data in described["datasets"]}
    assert {"layer0/forward/hidden", "layer1/backward/cell_mean", "offsets"} <= names
    assert described["provenance"]["rnnstates"] == library.__version__
    assert "provenance:\n" in text


def test_one_sequence_is_one_and_not_yes(tmp_path):
    library.extract(np.ones((1, 1, 3)), "full", output=tmp_path / "out.h5")
    assert "sequences: 1\nsteps: 1\n" in info(tmp_path, "out.h5")[1]


@pytest.mark.parametrize(
    "name, code, message",
    [
        ("no.h5", 66, "no.h5: no such file"),
        (".", 66, "a directory"),
        ("text", 65, "text that starts with 'hello'"),
        ("cut.h5", 65, "HDF5 cannot open it"),
        ("cut.npz", 65, "cut.npz: a zip archive that cannot be read"),
    ],
)
def test_what_cannot_be_described_is_reported(place, name, code, message):
    (place / "text").write_text("hello\n")
    (place / "cut.h5").write_bytes((place / "out.h5").read_bytes()[:3000])
    np.savez(place / "whole.npz", x=np.ones(3))
    (place / "cut.npz").write_bytes((place / "whole.npz").read_bytes()[:200])
    done = rnnstates("info", name, cwd=place)
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert done.stdout == b""


def test_an_unfinished_output_is_not_taken_for_states(place):
    content = (place / "out.h5").read_bytes()
    (place / "out.h5.partial").write_bytes(content)
    with h5py.File(place / "out.h5.partial", "r+") as file:
        file.attrs["complete"] = False
    done = rnnstates("info", "out.h5.partial", cwd=place)
    assert done.returncode == 65
    assert "the unfinished output of a run" in done.stderr.decode()
