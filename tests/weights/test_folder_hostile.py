"""Folders of weights made to attack, or damaged: nothing outside is read, nothing hangs, each fault is reported."""

import json
import math
import os
import pickle

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights, MissingInput
from rnnstates.weights.readers import folder

LSTM = {
    "dim": 4,
    "n_layers": 1,
    "projection_dim": 2,
    "cell_clip": 3,
    "proj_clip": 3.0,
    "use_skip_connections": True,
}
KERNEL = "rnn_mlstm_mlstm_wh:0.npy"
MISSING = object()


@pytest.fixture
def arrays(tmp_path):
    """A folder of UniRep's arrays."""
    path = tmp_path / "unirep"
    path.mkdir()
    shapes = {
        "wx": (3, 16),
        "wh": (4, 16),
        "wmx": (3, 4),
        "wmh": (4, 4),
        "gx": 16,
        "gh": 16,
        "gmx": 4,
        "gmh": 4,
        "b": 16,
    }
    random = np.random.default_rng(0)
    for leaf, shape in shapes.items():
        np.save(path / f"rnn_mlstm_mlstm_{leaf}:0.npy", random.normal(size=shape).astype("f4"))
    assert rnnstates.load_weights(path).features == 3
    return path


@pytest.fixture
def model(tmp_path):
    """A folder of ELMo's weights and options."""
    path = tmp_path / "elmo"
    path.mkdir()
    with h5py.File(path / "weights.hdf5", "w") as file:
        for direction in range(2):
            root = f"RNN_{direction}/RNN/MultiRNNCell/Cell0/LSTMCell"
            file[f"{root}/W_0"], file[f"{root}/B"] = np.ones((5, 16), "f4"), np.ones(16, "f4")
            file[f"{root}/W_P_0"] = np.ones((4, 2), "f4")
    (path / "options.json").write_text(json.dumps({"lstm": LSTM}))
    assert rnnstates.load_weights(path).features == 3
    return path


def refusal(path, kind=BadWeights):
    with pytest.raises(kind) as error:
        rnnstates.load_weights(path)
    assert str(path) in str(error.value)
    return str(error.value)


def header(descr, shape, data=b""):
    """Write a .npy with a header of one's own."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64 + 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_a_pickled_array_is_not_unpickled(arrays, tmp_path):
    bait = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (open, (str(bait), "w"))

    (arrays / KERNEL).write_bytes(header("|O", (4, 16), pickle.dumps(Evil())))
    assert f"{KERNEL}: holds pickled Python objects (dtype object), which are never loaded" in refusal(arrays)
    assert not bait.exists()


@pytest.mark.parametrize(
    "content, message",
    [
        (header("<f4", (4, 16), bytes(4 * 63)), "cut short; shape (4, 16) of float32 takes 385 bytes, found 381"),
        (header("<f4", (4, 16), bytes(4 * 65)), "has 4 trailing bytes; shape (4, 16) of float32 takes"),
        (header("<f4", (2**40, 16), bytes(64)), "cut short; shape (1099511627776, 16) of float32 takes"),
        (header("<f4", (-4, -16), bytes(256)), "says shape (-4, -16) and fortran_order False; expected whole numbers"),
        (header("<f4", (2**80, 0)), "more than any memory holds, so it is damaged"),
        (header("<f4", (0, 16)), "has shape (0, 16) and no values"),
        (header("<f4", (1,) * 80, bytes(4)), "expected whole numbers from 0"),
        (header([("a", "<f4")], (4, 16), bytes(256)), "a structured dtype, [('a', '<f4')]; expected plain numbers"),
        (header("<U1", (4, 16), bytes(256)), "has dtype <U1; expected numbers"),
        (header("<c8", (4, 16), bytes(512)), "has dtype complex64; expected a floating-point type"),
        (header("|V2", (4, 16), bytes(128)), "expected a floating-point type"),
        (header("<f4", "4 +", bytes(256)), "its .npy header is damaged"),
        (header("<f4", "(" * 3000 + ")" * 3000), "its .npy header is damaged"),
        (header("<f4", (4, 16))[:30], "ends inside its .npy header"),
        (b"\x93NUMPY\x09\x00" + bytes(300), ".npy version 9.0; known: 1.0, 2.0, 3.0"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(300), "its .npy header claims 2147483647 bytes"),
        (b"\x92NUMPY" + bytes(300), "does not begin like a .npy file"),
        (b"", "ends inside its .npy header"),
    ],
    ids=range(18),
)
def test_a_damaged_array_is_reported_with_its_file(content, message, arrays):
    (arrays / KERNEL).write_bytes(content)
    with pytest.raises(BadWeights) as error, folder.open_folder(str(arrays)) as container:
        container.tensors[KERNEL.removesuffix(".npy")].read()
    assert message in str(error.value)
    assert KERNEL in str(error.value)
    assert str(arrays) in refusal(arrays)


def test_an_array_of_holes_takes_no_memory(arrays):
    """It says 64 GB, and the file system agrees, though nothing is stored."""
    with (arrays / KERNEL).open("wb") as file:
        file.write(header("<f4", (2**20, 2**14)))
        file.truncate(file.tell() + 2**36)
    assert "is sparse and refused" in refusal(arrays)


def test_a_file_that_changes_while_it_is_read_is_reported(arrays, monkeypatch):
    with folder.open_folder(str(arrays)) as container:
        np.save(arrays / KERNEL, np.ones((5, 16), "f4"))
        with pytest.raises(BadWeights, match="changed while it was read"):
            container.tensors[KERNEL.removesuffix(".npy")].read()


def test_a_link_in_a_folder_of_arrays_is_not_followed(arrays, tmp_path):
    (arrays / KERNEL).rename(tmp_path / "elsewhere.npy")
    (arrays / KERNEL).symlink_to(tmp_path / "elsewhere.npy")
    assert f"{KERNEL}: a link; expected a regular file" in refusal(arrays)
    (arrays / KERNEL).unlink()
    (arrays / KERNEL).symlink_to("nothing")
    assert f"{KERNEL}: a link" in refusal(arrays)


def test_a_pipe_among_the_arrays_does_not_hang(arrays):
    os.mkfifo(arrays / "x.npy")
    assert "x.npy: a pipe, socket or device; expected a regular file" in refusal(arrays)


def test_a_folder_called_as_an_array_is_reported(arrays):
    (arrays / "x.npy").mkdir()
    assert "x.npy: a directory; expected a regular file" in refusal(arrays)


def test_more_arrays_than_any_model_has_are_refused(arrays, monkeypatch):
    monkeypatch.setattr(folder, "MOST_FILES", 8)
    assert "holds 9 arrays; expected at most 8" in refusal(arrays)


@pytest.mark.parametrize("name", ["options.json", "weights.hdf5"])
def test_a_link_beside_the_weights_is_not_followed(name, model, tmp_path):
    (model / name).rename(tmp_path / "elsewhere")
    (model / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name}: a link; expected a regular file" in refusal(model)


def test_options_that_are_a_link_are_not_followed_for_named_weights_either(model, tmp_path):
    (model / "options.json").rename(tmp_path / "elsewhere")
    (model / "options.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadWeights, match=r"options\.json: a link"):
        rnnstates.load_weights(model / "weights.hdf5")


@pytest.mark.parametrize("name", ["options.json", "weights.hdf5"])
def test_a_pipe_beside_the_weights_does_not_hang(name, model):
    (model / name).unlink()
    os.mkfifo(model / name)
    assert f"{name}: a pipe, socket or device; expected a regular file" in refusal(model)


def test_links_inside_the_hdf5_are_not_followed(model, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["B"] = np.ones(16, "f4")
    with h5py.File(model / "weights.hdf5", "r+") as file:
        del file["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B"]
        file["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/B")
    assert "'B' is a link into another file" in refusal(model)


def test_hdf5_cut_short_is_reported(model):
    content = (model / "weights.hdf5").read_bytes()
    (model / "weights.hdf5").write_bytes(content[: len(content) // 2])
    assert "HDF5 cannot" in refusal(model)
    (model / "weights.hdf5").write_bytes(b"")
    assert "not an HDF5 file" in refusal(model)


@pytest.mark.parametrize("name", ["dim", "n_layers", "projection_dim"])
@pytest.mark.parametrize(
    "value",
    [-4, 0, 2.0, "4", True, None, [4], 2**70, math.nan, MISSING],
    ids=lambda value: "missing" if value is MISSING else repr(value),
)
def test_an_invalid_size_is_reported(name, value, model):
    lstm = LSTM | {name: value}
    if value is MISSING:
        del lstm[name]
    (model / "options.json").write_text(json.dumps({"lstm": lstm}))
    reported = refusal(model)
    assert f"options.json: '{name}' is " in reported
    assert "expected a whole number from 1" in reported


@pytest.mark.parametrize("name", ["cell_clip", "proj_clip"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3, 0, "3", True, [3], {}, 10**400], ids=str)
def test_an_invalid_clip_is_reported(name, value, model):
    (model / "options.json").write_text(json.dumps({"lstm": LSTM | {name: value}}))
    assert f"options.json: '{name}' is " in refusal(model)


@pytest.mark.parametrize("value", [None, 1, "true", []], ids=str)
def test_whether_there_are_skip_connections_must_be_said(value, model):
    (model / "options.json").write_text(json.dumps({"lstm": LSTM | {"use_skip_connections": value}}))
    assert "'use_skip_connections' is " in refusal(model)
    (model / "options.json").write_text(json.dumps({"lstm": LSTM, "bidirectional": "no"}))
    assert "'bidirectional' is 'no'; expected true or false" in refusal(model)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b"[]", "holds a JSON list; expected an object"),
        (b"{}", "has no object 'lstm'"),
        (b'{"lstm": 3}', "has no object 'lstm'"),
        (b'{"lstm": null}', "has no object 'lstm'"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "is nested too deeply"),
        (b'{"lstm": {"dim": ' + b"9" * 6000 + b"}}", "is not JSON"),
        (b" " * (64 * 2**20 + 5), "expected at most"),
    ],
    ids=range(10),
)
def test_unknown_options_are_reported(text, message, model):
    (model / "options.json").write_bytes(text)
    assert message in refusal(model)


def test_the_options_are_read_for_elmo_alone(tmp_path):
    """Keras' weights may have such a neighbour by chance."""
    (tmp_path / "options.json").write_text("nonsense")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["layer/kernel"], file["layer/recurrent_kernel"] = np.ones((3, 16), "f4"), np.ones((4, 16), "f4")
    for path in (tmp_path, tmp_path / "weights.h5"):
        assert rnnstates.load_weights(path, convention="keras").features == 3


def test_several_weights_in_a_folder_must_be_named(model):
    for start in ("small_", "large_"):
        (model / f"{start}weights.hdf5").write_bytes((model / "weights.hdf5").read_bytes())
        (model / f"{start}options.json").write_bytes((model / "options.json").read_bytes())
    assert "'large_weights.hdf5', 'small_weights.hdf5', 'weights.hdf5' each have options" in refusal(model)
    assert rnnstates.load_weights(model / "small_weights.hdf5").features == 3


def test_options_that_belong_to_other_weights_are_not_taken(model):
    (model / "options.json").rename(model / "small_options.json")
    (model / "large_weights.hdf5").write_bytes((model / "weights.hdf5").read_bytes())
    with pytest.raises(BadWeights, match=r"options\.json, which is missing"):
        rnnstates.load_weights(model / "weights.hdf5")


def test_a_folder_of_something_else_is_reported(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert "a directory; expected" in refusal(tmp_path, MissingInput)
    np.save(tmp_path / "sequences.npy", np.ones(3))
    assert "no recurrent layer found; the folder of .npy holds 'sequences'" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "absent_weights.hdf5", MissingInput)


@pytest.mark.slow
def test_any_damage_to_an_array_or_to_options_is_either_read_or_reported(arrays, model):
    """Bytes changed at random: another kind of error than ours never comes out."""
    random = np.random.default_rng(0)
    for path, name in ((arrays, KERNEL), (model, "options.json")):
        whole = (path / name).read_bytes()
        for attempt in range(200):
            content = bytearray(whole)
            for _ in range(random.integers(1, 4)):
                content[random.integers(0, min(len(content), 130))] = random.integers(0, 256)
            (path / name).write_bytes(content)
            try:
                rnnstates.load_weights(path)
            except BadWeights as error:
                assert str(path) in str(error), attempt  # noqa: PT017
