"""Small sound files that Keras writes: configurations, weights alone, whole models of both layouts."""

import json

from .forms import FORMS
from .seeds import FEATURES, UNITS, hdf5, hdf5_of, keras_arrays, plain_arrays, values

__all__ = ["INNER", "configurations", "embedded", "keras", "plain_hdf5"]

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
