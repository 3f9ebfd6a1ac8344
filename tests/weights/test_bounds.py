"""Bounds on what a header may declare: a file just over each is refused at once, one below it is read."""

import json
import time
import zipfile

import h5py
import msgpack
import numpy as np
import onnx
import pytest
from onnx import helper
from safetensors.numpy import save_file

import rnnstates
from rnnstates.untrusted import hdf5 as untrusted_hdf5
from rnnstates.untrusted import json_text, zip
from rnnstates.weights.readers import (
    hdf5,
    json_arrays,
    protobuf_size,
    safetensors,
)
from rnnstates.weights.readers.base import MOST_TENSORS, Container, Tensor
from rnnstates.weights.readers.checkpoint import file as checkpoint
from rnnstates.weights.readers.checkpoint import graph as checkpoint_graph
from rnnstates.weights.readers.onnx import file as onnx_file
from rnnstates.weights.readers.torch import file as torch_file
from rnnstates.weights.readers.torch import pickle as torch_pickle

from ..fuzzing import keras_seeds, tensorflow_seeds
from ..fuzzing.forms import packed_parts


def safetensors_of(path, count):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    text = json.dumps({f"t{number}": entry for number in range(count)}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_a_safetensors_header_of_too_many_tensors_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = safetensors_of(tmp_path / "many.safetensors", MOST_TENSORS + 1)
    monkeypatch.setattr(safetensors.json, "loads", pytest.fail)
    for door in (rnnstates.load_weights, rnnstates.describe):
        with pytest.raises(rnnstates.BadWeights, match=rf"expected at most {MOST_TENSORS} tensors"):
            door(path)


def test_as_many_tensors_as_allowed_are_parsed(tmp_path):
    with pytest.raises(rnnstates.BadWeights, match="no recurrent layer"):
        rnnstates.load_weights(safetensors_of(tmp_path / "most.safetensors", MOST_TENSORS))


def test_a_safetensors_header_of_100_mb_is_refused_unread(tmp_path):
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write((100_000_000).to_bytes(8, "little") + b"{")
        file.truncate(100_000_008)
    started = time.process_time()
    with pytest.raises(rnnstates.BadWeights, match="header of 100000000 bytes; expected at most 33554432"):
        rnnstates.load_weights(path)
    assert time.process_time() - started < 5


def test_brackets_without_end_are_refused_by_their_count(tmp_path):
    text = b"{" + b"[" * 100_000
    path = tmp_path / "deep.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(rnnstates.BadWeights, match="has 100000 objects or lists"):
        rnnstates.load_weights(path)


def test_no_container_has_more_arrays_than_any_model():
    tensors = dict.fromkeys(map(str, range(MOST_TENSORS + 1)), Tensor("t", (), lambda: np.zeros(())))
    with pytest.raises(rnnstates.BadWeights, match=f"f: has {MOST_TENSORS + 1} arrays; expected at most"):
        Container("f", "any", tensors)


def test_hdf5_of_many_datasets_is_refused_as_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.weights.readers.base.MOST_TENSORS", 5)
    monkeypatch.setattr("rnnstates.weights.readers.hdf5.MOST_TENSORS", 5)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for number in range(9):
            file[f"d{number}"] = np.zeros(1, np.float32)
    with pytest.raises(rnnstates.BadWeights, match="has 6 arrays; expected at most 5"):
        rnnstates.load_weights(tmp_path / "w.h5")


def _many_stacks(count):
    shapes = {"weight_ih_l0": (8, 3), "weight_hh_l0": (8, 2), "bias_ih_l0": (8,), "bias_hh_l0": (8,)}
    arrays = {f"m{n}.lstm.{name}": np.ones(shape, "f4") for n in range(count) for name, shape in shapes.items()}
    return arrays | {"m0.embedding.weight": np.ones((5, 3), "f4")}


@pytest.mark.parametrize("end", ["npz", "safetensors"])
def test_beside_which_of_very_many_stacks_an_embedding_lies_is_left_to_loading(tmp_path, end):
    writers = {"npz": lambda path, arrays: np.savez(path, **arrays), "safetensors": lambda path, a: save_file(a, path)}
    save = writers[end]
    few, many = tmp_path / f"few.{end}", tmp_path / f"many.{end}"
    save(few, _many_stacks(3))
    save(many, _many_stacks(101))
    assert rnnstates.describe(few)["stacks"][0]["embedding"] == {"vocabulary": 5, "width": 3}
    stacks = {stack["layer"]: stack for stack in rnnstates.describe(many)["stacks"]}
    assert len(stacks) == 101
    assert (stacks["m7.lstm"]["layers"][0]["units"], stacks["m0.lstm"]["embedding"]) == (2, None)
    assert "has 101 stacks, so the embedding, initial states" in stacks["m7.lstm"]["notes"][-1]
    assert "layer='m7.lstm' examines them." in stacks["m7.lstm"]["notes"][-1]
    assert rnnstates.load_weights(many, layer="m0.lstm").embedding.shape == (5, 3)


def _chain(count):
    nodes = [helper.make_node("Relu", [f"a{number}"], [f"a{number + 1}"]) for number in range(count)]
    return helper.make_model(helper.make_graph(nodes, "g", [], [])).SerializeToString()


class _Unparsed:
    """A kind of message that must not be parsed."""

    DESCRIPTOR = onnx.ModelProto.DESCRIPTOR
    FromString = pytest.fail


@pytest.mark.parametrize("end", [b"", b"\xff"], ids=["whole", "damaged at its end"])
def test_an_onnx_model_of_too_many_fields_is_refused_before_it_is_parsed(tmp_path, monkeypatch, end):
    monkeypatch.setattr(protobuf_size, "MOST_FIELDS", 300)
    monkeypatch.setattr(onnx_file, "_import", lambda: (_Unparsed, ()))
    (tmp_path / "m.onnx").write_bytes(_chain(100) + end)
    for door in (rnnstates.load_weights, rnnstates.describe):
        with pytest.raises(rnnstates.BadWeights, match=r"m\.onnx: has more than 300 fields; expected at most"):
            door(tmp_path / "m.onnx")


def _fields(message, content):
    walk = protobuf_size._Walk(content)
    walk.message(message.DESCRIPTOR, 0, len(content))
    return walk.count


def test_fields_are_counted_in_messages_inside_and_by_the_bytes_of_packed_numbers():
    node = onnx.NodeProto(input=["a", "b"], attribute=[onnx.AttributeProto(name="n", i=5, type=2)])
    assert _fields(onnx.NodeProto, node.SerializeToString()) == 2 + 1 + 3
    tensor = onnx.TensorProto(int64_data=[1] * 800, float_data=[1] * 800, dims=[1] * 80)
    # onnx does not pack the axes: each of them is a field.
    assert _fields(onnx.TensorProto, tensor.SerializeToString()) == 1 + 800 // 8 + 1 + 80


def test_a_message_of_tensorflow_of_too_many_fields_is_refused(monkeypatch):
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    monkeypatch.setattr(protobuf_size, "MOST_FIELDS", 10)
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    for _ in range(11):
        graph.nodes.add()
    with pytest.raises(rnnstates.BadWeights, match=r"^m: has more than 10 fields"):
        checkpoint_graph.read_objects(graph.SerializeToString(), "m")


def test_msgpack_of_many_arrays_is_refused_at_the_first_that_is_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.weights.readers.base.MOST_TENSORS", 5)
    monkeypatch.setattr("rnnstates.weights.readers.msgpack_file.MOST_TENSORS", 5)
    (tmp_path / "w.msgpack").write_bytes(msgpack.packb({f"a{number}": 1.0 for number in range(9)}))
    with pytest.raises(rnnstates.BadWeights, match="has 6 arrays; expected at most 5"):
        rnnstates.load_weights(tmp_path / "w.msgpack")


def _keras_zip(path, config):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", keras_seeds.embedded())


def _keras_h5(path, config):
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"], file.attrs["model_config"] = "2.3.1", "tensorflow", config
        file.create_group("model_weights").attrs["layer_names"] = [b"lstm"]


CONFIG = keras_seeds.configurations()[0].decode()
MANY = {
    "objects": CONFIG[:-1] + ', "more": [' + "[], " * 200 + "1]}",
    "values": CONFIG[:-1] + ', "more": "' + "," * 500 + '"}',
}


@pytest.mark.parametrize("config", MANY.values(), ids=MANY)
@pytest.mark.parametrize("write", [_keras_zip, _keras_h5])
def test_a_configuration_of_very_many_objects_or_values_is_refused_before_it_is_parsed(
    tmp_path, monkeypatch, write, config
):
    monkeypatch.setattr(json_text, "MOST_OBJECTS", 200)
    monkeypatch.setattr(json_text, "MOST_VALUES", 500)
    write(tmp_path / "m", config)
    monkeypatch.setattr(json_text.json, "loads", pytest.fail)
    with pytest.raises(rnnstates.BadWeights, match=r"[0-9,]+ values; expected at most 200 and 500"):
        rnnstates.load_weights(tmp_path / "m")


def test_json_of_very_many_names_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    (tmp_path / "m.json").write_text(json.dumps({f"n{number}": 1 for number in range(21)}))
    monkeypatch.setattr(json_arrays, "MOST_NAMES", 20)
    monkeypatch.setattr(json_arrays.json, "loads", pytest.fail)
    with pytest.raises(rnnstates.BadWeights, match=r"values under 21 names; expected at most [0-9]+, [0-9]+ and 20"):
        rnnstates.load_weights(tmp_path / "m.json")


@pytest.mark.parametrize("bound", ["MOST_ATTRIBUTES", "MOST_VALUES"])
def test_attributes_of_hdf5_without_end_are_refused_unread(tmp_path, monkeypatch, bound):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/lstm/cell/vars/0"] = np.zeros((2, 12), "f4")
        for number in range(20):
            file.attrs[f"a{number}"] = np.zeros(30)
    monkeypatch.setattr(hdf5, bound, 19 if bound == "MOST_ATTRIBUTES" else 29)
    found = {"MOST_ATTRIBUTES": "has 20 attributes", "MOST_VALUES": "attribute 'a0' has 30 values"}[bound]
    with pytest.raises(rnnstates.BadWeights, match=f"{found}; expected at most"):
        rnnstates.load_weights(tmp_path / "w.h5")


def test_a_pickle_of_very_many_steps_is_refused_before_torch_reads_it(tmp_path, monkeypatch):
    import torch

    torch.save({"history": [0.5] * 1000}, tmp_path / "w.pt")
    monkeypatch.setattr(torch_pickle, "MOST_STEPS", 1000)
    monkeypatch.setattr(torch_file, "load_checked", pytest.fail)
    with pytest.raises(rnnstates.BadWeights, match="takes more than 1,000 steps to unpickle"):
        rnnstates.load_weights(tmp_path / "w.pt")


def test_the_directory_of_an_archive_is_refused_by_its_size(tmp_path, monkeypatch):
    np.savez(tmp_path / "w.npz", **{f"a{number}": np.zeros(1, "f4") for number in range(100)})
    monkeypatch.setattr(zip, "LARGEST_DIRECTORY", 5000)
    for door in (rnnstates.load_weights, rnnstates.describe):
        with pytest.raises(rnnstates.BadWeights, match=r"a directory of \d{4} bytes; expected at most 5000"):
            door(tmp_path / "w.npz")


def test_groups_of_very_many_names_are_refused_before_one_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted_hdf5, "MOST_OBJECTS", 20)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for number in range(21):
            file[f"a{number}"] = file["a0"] if number else np.zeros(1, "f4")
    for door, error in ((rnnstates.load_weights, rnnstates.BadWeights), (rnnstates.describe, rnnstates.BadInput)):
        with pytest.raises(error, match=r"has 21 objects or more; expected at most 20\. Put more into each"):
            door(tmp_path / "w.h5")


def test_a_table_of_contents_of_very_many_entries_is_refused_before_they_are_parsed(tmp_path, monkeypatch):
    for name, part in packed_parts(tensorflow_seeds.checkpoints_2()[0]).items():
        (tmp_path / name).write_bytes(part)
    monkeypatch.setattr(checkpoint, "MOST_ENTRIES", 2)
    monkeypatch.setattr(checkpoint, "bundle_entries", pytest.fail)
    for door in (rnnstates.load_weights, rnnstates.describe):
        with pytest.raises(rnnstates.BadWeights, match=r"m\.index: lists more than 2 arrays"):
            door(tmp_path / "m")


def test_a_field_that_runs_over_its_end_is_left_to_the_parser():
    # Field 1, a list of numbers by its size, which is four thousand million.
    protobuf_size.check_fields(onnx.TensorProto, b"\n\xff\xff\xff\xff\x0f", "m")
