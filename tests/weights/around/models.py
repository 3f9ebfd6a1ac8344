"""Files of every format that knows its layers by names alone, with modules before and behind a recurrent layer.

A model is a list of (kind, name, features, units); each framework makes the layers and names their arrays.
"""

import equinox
import flax.linen as nn
import haiku as hk
import jax
import numpy as np
import torch
from flax import serialization
from safetensors.torch import save_file

from ..jax_models import KEY, randomised
from ..keras_models import keras_of, randomise, save
from ..tensorflow1_models import write

# The layer that every model has: 3 features, 5 units.
READER = ("LSTM", "reader_lstm", 3, 5)


def torch_modules(layers):
    makers = {
        "Dense": torch.nn.Linear,
        "Norm": lambda features, _: torch.nn.BatchNorm1d(features),
        "LayerNorm": lambda features, _: torch.nn.LayerNorm(features),
        "Conv": lambda features, units: torch.nn.Conv1d(features, units, 2),
        "Embedding": torch.nn.Embedding,
        "LSTM": lambda features, units: torch.nn.LSTM(features, units, batch_first=True),
        "GRU": lambda features, units: torch.nn.GRU(features, units, batch_first=True),
    }
    return torch.nn.ModuleDict({name: makers[kind](features, units) for kind, name, features, units in layers})


def save_torch(layers, folder):
    torch.save(torch_modules(layers).state_dict(), folder / "m.pt")
    return folder / "m.pt"


def save_safetensors(layers, folder):
    save_file(torch_modules(layers).state_dict(), folder / "m.safetensors")
    return folder / "m.safetensors"


def save_keras(generation, kind):
    def saved(layers, folder):
        keras = keras_of(generation)
        own = keras.layers
        makers = {
            "Dense": lambda name, units: own.Dense(units, name=name),
            "Norm": lambda name, _: own.BatchNormalization(name=name),
            "LayerNorm": lambda name, _: own.LayerNormalization(name=name),
            "Conv": lambda name, units: own.Conv1D(units, 2, name=name),
            "LSTM": lambda name, units: own.LSTM(units, return_sequences=True, name=name),
            "GRU": lambda name, units: own.GRU(units, return_sequences=True, name=name),
        }
        made = [makers[layer](name, units) for layer, name, _, units in layers]
        model = randomise(keras.Sequential([keras.Input((None, layers[0][2])), *made]))
        save(model, folder / "m.h5", kind)
        return folder / "m.h5"

    return saved


def save_tensorflow1(layers, folder):
    shapes = {
        "Dense": lambda features, units: {"kernel": (features, units), "bias": (units,)},
        "Norm": lambda features, _: dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (features,)),
        "LayerNorm": lambda features, _: {"gamma": (features,), "beta": (features,)},
        "Conv": lambda features, units: {"kernel": (2, features, units), "bias": (units,)},
        "LSTM": lambda f, units: {"lstm_cell/kernel": (f + units, 4 * units), "lstm_cell/bias": (4 * units,)},
        "GRU": lambda f, units: {
            "gru_cell/gates/kernel": (f + units, 2 * units),
            "gru_cell/gates/bias": (2 * units,),
            "gru_cell/candidate/kernel": (f + units, units),
            "gru_cell/candidate/bias": (units,),
        },
    }
    arrays = {
        f"{name}/{leaf}": np.ones(shape, "f4")
        for kind, name, features, units in layers
        for leaf, shape in shapes[kind](features, units).items()
    }
    slots = {f"{name}/{slot}": array for name, array in arrays.items() for slot in ("Adam", "Adam_1")}
    write(folder / "m", {**arrays, **slots, "beta1_power": np.ones((), "f4"), "global_step": np.ones((), "i8")})
    return folder / "m"


def save_flax(layers, folder):
    def made(kind, features, units):
        inputs = np.ones((1, 4, features), "f4")
        if kind in ("LSTM", "GRU"):
            cell = {"LSTM": nn.OptimizedLSTMCell, "GRU": nn.GRUCell}[kind](units)
            return cell.init(KEY, cell.initialize_carry(KEY, (1, features)), inputs[:, 0])["params"]
        other = {"Dense": nn.Dense(units), "LayerNorm": nn.LayerNorm(), "Conv": nn.Conv(units, (2,))}
        return other["LayerNorm" if kind == "Norm" else kind].init(KEY, inputs)["params"]

    params = randomised(jax.eval_shape(lambda: {name: made(kind, *sizes) for kind, name, *sizes in layers}))
    (folder / "m.msgpack").write_bytes(serialization.to_bytes({"params": params}))
    return folder / "m.msgpack"


def save_haiku(layers, folder):
    def run(inputs):
        for kind, name, _, units in layers:
            if kind in ("LSTM", "GRU"):
                core = {"LSTM": hk.LSTM, "GRU": hk.GRU}[kind](units, name=name)
                hk.dynamic_unroll(core, inputs, core.initial_state(1))
                inputs = np.ones((*inputs.shape[:2], units), "f4")
            elif kind == "Dense":
                inputs = hk.Linear(units, name=name)(inputs)
            elif kind == "Conv":
                inputs = hk.Conv1D(units, 2, name=name)(inputs)
            else:
                inputs = hk.LayerNorm(-1, create_scale=True, create_offset=True, name=name)(inputs)
        return inputs

    params = randomised(jax.eval_shape(hk.transform(run).init, KEY, np.ones((4, 1, layers[0][2]), "f4")))
    np.savez(
        folder / "m.npz", **{f"{module}/{leaf}": array for module, own in params.items() for leaf, array in own.items()}
    )
    return folder / "m.npz"


def save_equinox(layers, folder):
    makers = {
        "Dense": lambda features, units: equinox.nn.Linear(features, units, key=KEY),
        "Norm": lambda features, _: equinox.nn.LayerNorm(features),
        "LayerNorm": lambda features, _: equinox.nn.LayerNorm(features),
        "Conv": lambda features, units: equinox.nn.Conv1d(features, units, 2, key=KEY),
        "LSTM": lambda features, units: equinox.nn.LSTMCell(features, units, key=KEY),
        "GRU": lambda features, units: equinox.nn.GRUCell(features, units, key=KEY),
    }
    tree = equinox.filter_eval_shape(lambda: {name: makers[kind](*sizes) for kind, name, *sizes in layers})
    leaves = jax.tree_util.tree_flatten_with_path(randomised(tree))[0]
    np.savez(folder / "m.npz", **{jax.tree_util.keystr(path): np.asarray(array) for path, array in leaves})
    return folder / "m.npz"


FORMATS = {
    "PyTorch": save_torch,
    "safetensors": save_safetensors,
    "Keras 3 weights": save_keras(3, ".weights.h5"),
    "Keras 3 legacy weights": save_keras(3, "legacy weights.h5"),
    "Keras 2 legacy weights": save_keras(2, "legacy weights.h5"),
    "TensorFlow 1": save_tensorflow1,
    "Flax": save_flax,
    "Haiku": save_haiku,
    "Equinox": save_equinox,
}
