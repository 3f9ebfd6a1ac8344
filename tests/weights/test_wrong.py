"""Weights files that are damaged, contradict themselves or are something else: the message says what was found."""

import contextlib
import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.weights.load import describe_weights

from .damage import KERNEL, both_ways, called_on, functional, refusal, replace_kernel, zipped
from .keras_models import bidirectional, keras_of, nested, save


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda file: file.create_dataset(KERNEL, data=np.ones((3, 20), "i4")), "has dtype int32; expected a floating"),
        (lambda file: file.create_dataset(KERNEL, data=np.ones((3, 20), "c8")), "has dtype complex64; expected"),
        (lambda file: file.create_dataset(KERNEL, data=b"text"), "kernel has shape"),
        (lambda file: file.create_dataset(KERNEL, data=np.ones((3, 24), "f4")), r"kernel has shape (3, 24); expected"),
        (lambda file: file.create_dataset(KERNEL, data=np.ones((0, 20), "f4")), "kernel has shape (0, 20); expected"),
        (lambda file: file.create_dataset(KERNEL, data=np.ones((3, 5, 4), "f4")), "has shape (3, 5, 4); expected"),
        (lambda file: file.create_dataset(KERNEL, data=np.ones((3, 20), "f4"), compression="lzf"), "HDF5 filter 32000"),
        (
            lambda file: file.create_dataset(KERNEL, data=np.full((3, 20), np.nan, "f4")),
            "kernel has 60 values that are NaN or infinite, the first at (0, 0)",
        ),
        (lambda file: None, "'layers/lstm/cell/vars' holds the arrays 1, 2; expected 0 to 1. One is missing"),
    ],
    ids=["integers", "complex", "text", "columns", "no features", "rank", "filter", "nan", "missing"],
)
def test_wrong_arrays_are_named_with_what_was_expected(weights, make, message):
    replace_kernel(weights, make)
    assert message in refusal(weights)


def test_an_array_that_an_lstm_does_not_have_is_not_overlooked(weights):
    with h5py.File(weights, "r+") as file:
        file["layers/lstm/cell/norm/vars/0"] = np.ones(5, "f4")
    assert "has 'layers/lstm/cell/norm/vars/0', which such a layer does not have besides kernels" in refusal(weights)


def test_a_configuration_and_arrays_that_disagree_are_refused(members, tmp_path):
    for edit, message in (
        ({"units": 6}, "recurrent kernel has shape (5, 20); expected (6, 24), because the configuration says 6"),
        ({"units": "many"}, "has units 'many'; expected a positive whole number"),
        ({"use_bias": False}, "has a bias, but the configuration says use_bias=False"),
    ):
        config = json.loads(members["config.json"])
        config["config"]["layers"][-1]["config"].update(edit)
        path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
        assert message in refusal(path)


def test_a_name_that_differs_between_configuration_and_arrays_is_refused(members, tmp_path):
    config = members["config.json"].replace(b'"enc"', b'"other"')
    path = zipped(tmp_path / "m.keras", members | {"config.json": config})
    assert "the configuration calls a layer 'other' and the weights call it 'enc'" in refusal(path)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"not json", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1]", "holds a JSON list; expected an object"),
    ],
    ids=["deep", "no json", "no text", "a list"],
)
def test_a_configuration_that_is_no_configuration_is_refused(members, tmp_path, text, message):
    path = zipped(tmp_path / "m.keras", members | {"config.json": text})
    assert message in refusal(path)


@pytest.mark.parametrize(
    "config, message",
    [
        (functional(called_on("a", "nowhere")), "reads 'nowhere', which is not in its model"),
        (functional(called_on("a"), called_on("a")), "two layers called 'a'"),
        (functional({"class_name": 5, "config": {}}), "has no class or name"),
        (functional({"config": {"name": "x"}}), "has no class or name"),
        (functional(called_on("a", "b"), called_on("b", "a")), "feed each other in a circle"),
        (functional(called_on("a", class_name="Bidirectional", layer=3)), "a Bidirectional around nothing"),
        (functional(both_ways(go_backwards=True)), "the forward layer of its Bidirectional goes backwards"),
        (functional(both_ways(merge="max")), "merges its directions by 'max'; known: concat"),
        (functional(both_ways(units=None)), "has units None; expected a positive whole number"),
    ],
    ids=["nowhere", "twice", "no class", "no name", "circle", "wraps a number", "backwards", "merge", "units"],
)
def test_a_configuration_that_contradicts_itself_is_refused(members, tmp_path, config, message):
    path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
    assert message in refusal(path)


@pytest.mark.parametrize("kind", [".keras", ".weights.h5", "legacy model.h5"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.98])
def test_a_truncated_file_is_refused(saved, tmp_path, kind, share):
    content = (saved / kind).read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(share * len(content))])
    refusal(tmp_path / "cut")


@pytest.mark.parametrize("kind", [".keras", ".weights.h5", "legacy model.h5"])
def test_damaged_bytes_never_end_in_a_stack_trace(saved, tmp_path, kind):
    """Any byte may be wrong: the file is read, or refused by one of our errors."""
    content = (saved / kind).read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        place = int(random.integers(len(damaged)))
        damaged[place : place + 8] = random.bytes(len(damaged[place : place + 8]))
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            rnnstates.load_weights(tmp_path / "damaged")
            describe_weights(tmp_path / "damaged")
        except rnnstates.errors.RnnstatesError:
            refused += 1
    assert refused > 5


JUNK = [None, 0, -1, 10**30, "", "LSTM", [], {}, [[]], {"a": 1}, True, ["a", 0, 0], "hard_sigmoid"]


def places(value, place=()):
    """Name every place in nested JSON."""
    yield place
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*place, key))


@pytest.mark.parametrize("build, layer", [(bidirectional, "both"), (nested, "encoder/upper")])
def test_junk_in_a_configuration_never_ends_in_a_stack_trace(build, layer, tmp_path):
    save(build(keras_of(3)), tmp_path / "m.keras", ".keras")
    assert rnnstates.load_weights(tmp_path / "m.keras", layer=layer)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    random = np.random.default_rng(1)
    all_places = list(places(json.loads(members["config.json"])))[1:]
    refused = described = 0
    for place in all_places:
        config = json.loads(members["config.json"])
        target = config
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = JUNK[random.integers(len(JUNK))]
        path = zipped(tmp_path / "m.keras", members | {"config.json": json.dumps(config).encode()})
        try:
            rnnstates.load_weights(path, layer=layer)
        except rnnstates.RnnstatesError:
            refused += 1
        with contextlib.suppress(rnnstates.RnnstatesError):
            described += bool(describe_weights(path))
    assert 20 < refused < len(all_places)
    assert described > 20


def test_files_of_another_kind_are_refused_with_what_they_are(tmp_path):
    for content, message in (
        (b"", "empty, not one byte; expected weights of Keras"),
        (
            b"\x80\x04pickle",
            "a Python pickle, which is never loaded because it can run any code; expected weights of Keras",
        ),
        (b"pickle", "text that starts with 'pickle'; expected weights of Keras"),
    ):
        (tmp_path / "m.keras").write_bytes(content)
        assert message in refusal(tmp_path / "m.keras")
    np.savez(tmp_path / "m.npz", kernel=np.ones(3))
    assert "no recurrent layer found; the npz holds 'kernel'" in refusal(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("readme.txt", "none")
    assert "a zip archive that holds 'readme.txt'; expected weights of Keras" in refusal(tmp_path / "m.zip")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["inputs"] = np.ones((2, 3, 4))
    assert "no recurrent layer found; the HDF5 holds 'inputs'. Expected the names" in refusal(tmp_path / "m.h5")


def test_files_that_cannot_be_read_are_missing_input(tmp_path):
    with pytest.raises(rnnstates.errors.MissingInput, match="no such file; expected weights of Keras"):
        rnnstates.load_weights(tmp_path / "absent.keras")
    with pytest.raises(rnnstates.errors.MissingInput, match="a directory; expected weights of Keras"):
        rnnstates.load_weights(tmp_path)
    if os.geteuid():  # root may read everything
        (tmp_path / "closed").write_bytes(b"x")
        (tmp_path / "closed").chmod(0)
        with pytest.raises(rnnstates.errors.MissingInput, match="may not be read"):
            rnnstates.load_weights(tmp_path / "closed")
