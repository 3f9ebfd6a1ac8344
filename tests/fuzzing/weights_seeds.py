"""Small sound files of weights, one or some of each kind; each is read without an error.

Those of Keras and of TensorFlow have modules of their own.
"""

import argparse
import collections
import io
import json
import pathlib

import numpy as np

from .forms import FORMS, pack
from .keras_seeds import keras, plain_hdf5
from .onnx_seeds import onnx
from .seeds import FEATURES, UNITS, hdf5_of, keras_arrays, plain_arrays, saved, values, zipped
from .tensorflow_seeds import scope_1

__all__ = ["elmo", "json_arrays", "msgpack", "npz", "safetensors", "torch", "unirep", "weights", "wrapped_arrays"]


def torch_arrays():
    return {
        "rnn.weight_ih_l0": values(4 * UNITS, FEATURES),
        "rnn.weight_hh_l0": values(4 * UNITS, UNITS),
        "rnn.bias_ih_l0": values(4 * UNITS),
        "rnn.bias_hh_l0": values(4 * UNITS),
    }


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
    """Arrays of plain names, PyTorch's, Haiku's and Equinox's in .npz."""
    haiku = {"lstm/linear/w": values(FEATURES + UNITS, 4 * UNITS), "lstm/linear/b": values(4 * UNITS)}
    equinox = {
        ".weight_ih": values(4 * UNITS, FEATURES), ".weight_hh": values(4 * UNITS, UNITS), ".bias": values(4 * UNITS)
    }  # fmt: skip
    return [zipped(arrays) for arrays in (plain_arrays(), torch_arrays(), haiku, equinox, wrapped_arrays(), scope_1())]


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
    """Arrays of plain names, PyTorch's and Flax's in safetensors."""
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
    """Flax's own tree, and its array in chunks."""
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


def weights():
    """Files of weights of all kinds."""
    return [kind()[0] for kind in (safetensors, npz, msgpack, onnx, torch, plain_hdf5, keras)]
