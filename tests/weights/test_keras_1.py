"""What Keras 1 and the layers for cuDNN stored. Keras 2 still turns such files into its own layers: the oracle."""

import warnings

import h5py
import numpy as np
import pytest

from .keras_models import keras_of
from .running import assert_same_states
from .test_keras_cells import both_by, hidden_by


def keras_2_loads(model_2, source, target):
    """Let Keras 2 load a weights file into a model of its own, and give that model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model_2.load_weights(source)
    return model_2


def save_weights_file(path, layer, arrays, version):
    """Write a legacy weights file, as Keras 1 and 2 do."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"], file.attrs["keras_version"] = [layer.encode()], version.encode()
        file.attrs["backend"] = b"tensorflow"
        group = file.create_group(layer)
        group.attrs["weight_names"] = [name.encode() for name in arrays]
        for name, array in arrays.items():
            group[name] = array


def random_arrays(shapes, seed=4):
    random = np.random.default_rng(seed)
    return {name: (random.normal(size=shape) * 0.4).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("both", [False, True], ids=["forward", "bidirectional"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_layers_for_cudnn_are_read_as_keras_2_reads_them(cell, both, tmp_path):
    keras = keras_of(2)
    blocks, units = {"LSTM": 4, "GRU": 3}[cell], 5
    shapes = {
        "kernel:0": (3, blocks * units),
        "recurrent_kernel:0": (units, blocks * units),
        "bias:0": (2 * blocks * units,),
    }
    halves = ("forward_", "backward_") if both else ("",)
    arrays = random_arrays({f"enc/{half}cu_dnn/{name}": shape for half in halves for name, shape in shapes.items()})
    save_weights_file(tmp_path / "w.h5", "enc", arrays, "2.2.4")
    layer = getattr(keras.layers, cell)(
        units, return_sequences=True, name="enc", **({"reset_after": True} if cell == "GRU" else {})
    )
    layer = keras.layers.Bidirectional(layer, name="enc") if both else layer
    model = keras_2_loads(keras.Sequential([keras.Input((None, 3)), layer]), tmp_path / "w.h5", None)
    assert_same_states(tmp_path / "w.h5", both_by(model, units=units) if both else hidden_by(model))


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_twelve_and_nine_arrays_of_keras_1_are_read_as_keras_2_reads_them(cell, tmp_path):
    keras = keras_of(2)
    gates = {"LSTM": "icfo", "GRU": "zrh"}[cell]
    shapes = {f"enc_{part}_{gate}": {"W": (3, 5), "U": (5, 5), "b": (5,)}[part] for gate in gates for part in "WUb"}
    save_weights_file(tmp_path / "w.h5", "enc", random_arrays(shapes), "1")
    options = {"recurrent_activation": "hard_sigmoid", **({"reset_after": False} if cell == "GRU" else {})}
    layer = getattr(keras.layers, cell)(5, return_sequences=True, name="enc", **options)
    model = keras_2_loads(keras.Sequential([keras.Input((None, 3)), layer]), tmp_path / "w.h5", None)
    assert_same_states(tmp_path / "w.h5", hidden_by(model))
