"""Small sound files of weights, one or some of each kind; each is read without an error."""

import argparse
import collections
import functools
import io
import json
import pathlib
import tempfile
from pathlib import Path

import numpy as np

from .forms import FORMS, pack
from .onnx_seeds import onnx
from .seeds import FEATURES, UNITS, hdf5, hdf5_of, saved, values, zipped

__all__ = [
    "checkpoints_1", "checkpoints_2", "configurations", "elmo", "embedded", "json_arrays", "keras", "msgpack", "npz",
    "plain_hdf5", "safetensors", "saved_models", "torch", "unirep", "weights", "wrapped_arrays",
]  # fmt: skip


def keras_arrays(features=FEATURES, units=UNITS, gates=4):
    return [values(features, gates * units), values(units, gates * units), values(gates * units)]


def torch_arrays():
    return {
        "rnn.weight_ih_l0": values(4 * UNITS, FEATURES),
        "rnn.weight_hh_l0": values(4 * UNITS, UNITS),
        "rnn.bias_ih_l0": values(4 * UNITS),
        "rnn.bias_hh_l0": values(4 * UNITS),
    }


def plain_arrays():
    return dict(zip(("kernel", "recurrent_kernel", "bias"), keras_arrays(), strict=True))


def wrapped_arrays():
    """PyTorch's arrays, but that some stand for weights: dropped, normalised, pruned, divided by their norm."""
    arrays = {f"rnn.module.{name.removeprefix('rnn.')}": values for name, values in torch_arrays().items()}
    arrays["rnn.weight_hh_l0_raw"] = values(4 * UNITS, UNITS)
    arrays["rnn.module.weight_ih_l0_g"] = values(4 * UNITS, 1)
    arrays["rnn.module.weight_ih_l0_v"] = arrays.pop("rnn.module.weight_ih_l0")
    cell = {"cell.weight_ih_orig": values(UNITS, FEATURES), "cell.weight_ih_mask": np.ones((UNITS, FEATURES), "f4")}
    cell |= {"cell.parametrizations.weight_hh.original": values(UNITS, UNITS)}
    return arrays | cell | {f"cell.parametrizations.weight_hh.0._{letter}": values(UNITS) for letter in "uv"}


def npz():
    """Arrays of plain names, PyTorch's, Haiku's and Equinox' in .npz."""
    haiku = {"lstm/linear/w": values(FEATURES + UNITS, 4 * UNITS), "lstm/linear/b": values(4 * UNITS)}
    equinox = {
        ".weight_ih": values(4 * UNITS, FEATURES), ".weight_hh": values(4 * UNITS, UNITS), ".bias": values(4 * UNITS)
    }  # fmt: skip
    return [zipped(arrays) for arrays in (plain_arrays(), torch_arrays(), haiku, equinox, wrapped_arrays(), _scope_1())]


def _flax_flat():
    gates = {f"params/i{gate}/kernel": values(FEATURES, UNITS) for gate in "ifgo"}
    gates |= {f"params/h{gate}/kernel": values(UNITS, UNITS) for gate in "ifgo"}
    return gates | {f"params/h{gate}/bias": values(UNITS) for gate in "ifgo"}


def _unirep_arrays():
    shapes = {
        "wx": (FEATURES, 4 * UNITS), "wh": (UNITS, 4 * UNITS), "wmx": (FEATURES, UNITS), "wmh": (UNITS, UNITS),
        "gx": (4 * UNITS,), "gh": (4 * UNITS,), "gmx": (UNITS,), "gmh": (UNITS,), "b": (4 * UNITS,),
    }  # fmt: skip
    arrays = {f"rnn_mlstm_mlstm_{leaf}:0": values(*shape) for leaf, shape in shapes.items()}
    return arrays | {"embed_matrix:0": values(5, FEATURES)}


def unirep():
    """Folders of an array a file."""
    return [pack({f"{name}.npy": saved(array) for name, array in _unirep_arrays().items()})]


def elmo():
    """Folders of HDF5 and its options."""
    lstm = {"dim": UNITS, "n_layers": 1, "projection_dim": 2, "cell_clip": 3, "proj_clip": 3}
    arrays = {}
    for direction in range(2):
        root = f"RNN_{direction}/RNN/MultiRNNCell/Cell0/LSTMCell"
        arrays[f"{root}/W_0"] = values(FEATURES + 2, 4 * UNITS)
        arrays[f"{root}/B"] = values(4 * UNITS)
        arrays[f"{root}/W_P_0"] = values(UNITS, 2)
    options = json.dumps({"lstm": lstm | {"use_skip_connections": True}, "char_cnn": {}}).encode()
    return [pack({"options.json": options, "weights.hdf5": hdf5_of(arrays)})]


def safetensors():
    """Arrays of plain names, PyTorch's and Flax' in safetensors."""
    return [_safetensors(arrays) for arrays in (plain_arrays(), torch_arrays(), _flax_flat(), wrapped_arrays())]


def _safetensors(arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        end = len(data) + array.nbytes
        header[name.replace("/", ".")] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), end]}
        data += array.tobytes()
    return FORMS["safetensors"].join({"header": json.dumps(header).encode(), "data": data})


def json_arrays():
    """A state_dict with its description, plain names, RTNeural's layers and NAM's list."""
    state = {name: array.tolist() for name, array in torch_arrays().items()}
    said = {"hidden_size": UNITS, "input_size": FEATURES, "unit_type": "LSTM", "num_layers": 1, "skip": 1}
    rtneural = [
        {"type": kind, "activation": "", "shape": [None, None, UNITS], "weights": [a.tolist() for a in arrays]}
        for kind, arrays in (("lstm", keras_arrays()), ("gru", keras_arrays(UNITS, gates=3)), ("dense", [values(3, 1)]))
    ]
    nam = {"num_layers": 1, "input_size": FEATURES, "hidden_size": UNITS}
    flat = values(4 * UNITS * (FEATURES + UNITS) + 6 * UNITS + UNITS + 1).tolist()
    texts = (
        {"model_data": said, "state_dict": state},
        {"lstm": {name: array.tolist() for name, array in plain_arrays().items()}},
        {"in_shape": [None, None, FEATURES], "layers": rtneural},
        {"version": "0.5.2", "architecture": "LSTM", "config": nam, "weights": flat},
    )
    return [json.dumps(text).encode() for text in texts]


def msgpack():
    """Flax' own tree, and its array in chunks."""
    import msgpack

    def leaf(array):
        return msgpack.ExtType(1, msgpack.packb((array.shape, "float32", array.tobytes())))

    tree = {}
    for name, array in _flax_flat().items():
        _, gate, kind = name.split("/")
        tree.setdefault(gate, {})[kind] = leaf(array)
    parted = tree | {"ii": {"kernel": _in_chunks(leaf, values(FEATURES, UNITS))}}
    return [msgpack.packb({"params": tree, "step": 3}), msgpack.packb({"params": parted})]


def _in_chunks(leaf, array):
    half = array.size // 2
    pieces = {"0": leaf(array.ravel()[:half]), "1": leaf(array.ravel()[half:])}
    return {"__msgpack_chunked_array__": True, "shape": dict(zip("01", array.shape, strict=True)), "chunks": pieces}


def torch():
    """A state_dict as an archive, one as the old form, a checkpoint around one, and checkpoints with company."""
    import torch

    state = {name: torch.from_numpy(array) for name, array in torch_arrays().items()}
    company = {
        "best": np.float64(0.5), "options": argparse.Namespace(path=pathlib.PurePosixPath("a"), dtype=np.dtype("f4")),
        "losses": collections.defaultdict(list, {"a": [1.0]}), "queue": collections.deque([1], 2),
        "model": {"encoder": torch_arrays(), "decoder": [state]}, "optimizer": {"state": {}, "param_groups": []},
    }  # fmt: skip
    wrapped = {name: torch.from_numpy(array) for name, array in wrapped_arrays().items()}
    kinds = [(state, True), (state, False), ({"epoch": 3, "state_dict": state}, True)]
    beside = {"lstm": torch_arrays(), "h0": torch.ones(1, UNITS), "c0": np.ones(UNITS, "f4"), 0: {"b": torch.ones(3)}}
    kinds += [(company, True), (company, False), ({"net": wrapped}, True), (beside, True)]
    found = []
    for content, as_zip in kinds:
        held = io.BytesIO()
        torch.save(content, held, _use_new_zipfile_serialization=as_zip)
        found.append(held.getvalue())
    return found


RNN = {"units": UNITS, "return_sequences": True, "use_bias": False}
INNER = {"class_name": "GRU", "config": RNN | {"name": "inner", "reset_after": True, "go_backwards": False}}
FUNCTIONS = {"activation": "tanh", "recurrent_activation": "hard_sigmoid"}
# Two models of few arrays: an embedding before an LSTM, and both directions of a GRU.
EMBEDDED = [
    {"class_name": "InputLayer", "config": {"name": "words", "batch_shape": [None, None]}},
    {"class_name": "Embedding", "config": {"name": "embedding", "input_dim": 5, "output_dim": FEATURES}},
    {"class_name": "LSTM", "config": RNN | FUNCTIONS | {"name": "lstm"}},
]
BOTH = [
    {"class_name": "InputLayer", "config": {"name": "words", "batch_shape": [None, None, FEATURES]}},
    {"class_name": "Bidirectional", "config": {"name": "both", "merge_mode": "concat", "layer": INNER}},
    {"class_name": "Dense", "config": {"name": "dense", "units": 1, "activation": {"class_name": "relu"}}},
]


def configurations():
    """What stands beside a file of weights alone: a Sequential model, without its version and with that of Keras 2."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": EMBEDDED}}
    return [json.dumps(config | more).encode() for more in ({"module": "keras"}, {"keras_version": "2.15.0"})]


def _functional(given):
    layers, before = [], None
    for layer in given:
        nodes = [] if before is None else [[[before, 0, 0, {}]]]
        layers.append(layer | {"name": layer["config"]["name"], "inbound_nodes": nodes})
        before = layer["config"]["name"]
    inside = {"name": "m", "layers": layers, "input_layers": [["words", 0, 0]], "output_layers": [[before, 0, 0]]}
    return {"class_name": "Functional", "config": inside}


def _numbered(groups):
    """Put arrays where Keras 3 puts them."""
    arrays = {f"layers/{group}/vars/{n}": array for group, held in groups.items() for n, array in enumerate(held)}
    return hdf5_of(arrays)


def embedded():
    """The weights alone of an embedding and an LSTM."""
    return _numbered({"embedding": [values(5, FEATURES)], "lstm/cell": keras_arrays()[:2]})


def _both():
    return _numbered({f"bidirectional/{way}_layer/cell": keras_arrays(gates=3)[:2] for way in ("forward", "backward")})


def _legacy(file):
    """A whole model as Keras 2 saves it."""
    file.attrs["keras_version"], file.attrs["backend"] = "2.3.1", "tensorflow"
    layer = {"class_name": "LSTM", "config": {"name": "lstm", "units": UNITS, "return_sequences": True}}
    file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}})
    names = [f"lstm/lstm_cell/{name}:0" for name in plain_arrays()]
    file.create_group("model_weights").attrs["layer_names"] = [b"lstm"]
    group = file.create_group("model_weights/lstm")
    group.attrs["weight_names"] = [name.encode() for name in names]
    for name, array in zip(names, keras_arrays(), strict=True):
        group[name] = array


def keras():
    """Keras' zip, of a Sequential and of a Functional model."""
    metadata = json.dumps({"keras_version": "3.3.0", "date_saved": "x"}).encode()
    sequential = {"class_name": "Sequential", "config": {"name": "m", "layers": EMBEDDED}}
    return [
        FORMS["zip"].join(
            {"config.json": json.dumps(config).encode(), "metadata.json": metadata, "model.weights.h5": weights}
        )
        for config, weights in ((sequential, embedded()), (_functional(BOTH), _both()))
    ]


def plain_hdf5():
    """Keras' numbered groups without a configuration, its older files, and plain names."""
    plain = plain_arrays()
    return [embedded(), hdf5(_legacy), hdf5_of(plain), hdf5_of(plain, libver="latest")]


def weights():
    """Files of weights of all kinds."""
    return [kind()[0] for kind in (safetensors, npz, msgpack, onnx, torch, plain_hdf5, keras)]


@functools.cache
def _tensorflow():
    from rnnstates.tensorflow_start import import_tensorflow

    return import_tensorflow()


def _folder(write):
    """Pack what is written into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return pack({str(path.relative_to(folder)): path.read_bytes() for path in files})


def _cell_1():
    return {"rnn/lstm_cell/kernel": values(FEATURES + UNITS, 4 * UNITS), "rnn/lstm_cell/bias": values(4 * UNITS)}


def _module():
    tf = _tensorflow()
    model = tf.Module()
    model.lstm = tf.Module()
    model.lstm.cell = tf.Module()
    for name, array in plain_arrays().items():
        setattr(model.lstm.cell, name, tf.Variable(array))
    return model


def _scope_1():
    return {"rnn/fw/kernel": values(FEATURES + UNITS, 4 * UNITS), "rnn/fw/bias": values(4 * UNITS)}


def _save(folder, version, cell=_cell_1):
    tf, arrays = _tensorflow(), cell()
    names, tensors = list(arrays), list(arrays.values())
    if version == 1:
        tf.raw_ops.Save(filename=str(folder / "m"), tensor_names=names, data=tensors)
    else:
        slices = [""] * len(names)
        tf.raw_ops.SaveV2(prefix=str(folder / "m"), tensor_names=names, shape_and_slices=slices, tensors=tensors)


def checkpoints_1():
    """A checkpoint of version 1."""
    return [_folder(lambda folder: _save(folder, 1))]


def checkpoints_2():
    """Checkpoints of version 2: of TensorFlow 1's names, of a name of one's own, and of objects."""
    tf = _tensorflow()
    return [
        _folder(lambda folder: _save(folder, 2)),
        _folder(lambda folder: _save(folder, 2, _scope_1)),
        _folder(lambda folder: tf.train.Checkpoint(net=_module()).write(str(folder / "m"))),
    ]


def _serving():
    """A module that runs its cell over time, as an exported layer does."""
    tf = _tensorflow()
    module = _module()
    cell = module.lstm.cell

    def call(inputs):
        inputs = tf.transpose(inputs, [1, 0, 2])
        steps = tf.shape(inputs)[0]
        read, made = (tf.TensorArray(tf.float32, steps) for _ in range(2))
        read, zero = read.unstack(inputs), tf.zeros([tf.shape(inputs)[1], UNITS])

        def body(step, made, hidden, state):
            gates = tf.matmul(read.read(step), cell.kernel) + tf.matmul(hidden, cell.recurrent_kernel) + cell.bias
            entry, forget, candidate, output = tf.split(gates, 4, axis=1)
            state = tf.sigmoid(forget) * state + tf.sigmoid(entry) * tf.tanh(candidate)
            hidden = tf.sigmoid(output) * tf.tanh(state)
            return step + 1, made.write(step, hidden), hidden, state

        _, made, _, _ = tf.while_loop(lambda step, *_: step < steps, body, [0, made, zero, zero])
        return tf.transpose(made.stack(), [1, 0, 2])

    module.call = tf.function(call, input_signature=[tf.TensorSpec([None, None, FEATURES])])
    return module


def saved_models():
    """SavedModels without functions, and with one that runs a layer."""
    tf = _tensorflow()
    serving = _serving()
    return [
        _folder(lambda folder: tf.saved_model.save(_module(), str(folder))),
        _folder(lambda folder: tf.saved_model.save(serving, str(folder), signatures=serving.call)),
    ]
