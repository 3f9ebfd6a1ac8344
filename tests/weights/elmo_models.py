"""ELMo of TensorFlow 1's own cells, put together as the published model puts them together."""

import functools
import json
import warnings

import h5py
import numpy as np

import rnnstates
from rnnstates.runtime.tensorflow_start import import_tensorflow

from ..builders import engines_for
from ..parity_table import record

LENGTHS = np.array([6, 3, 0, 1, 5])
ATOL = {"float32": 1e-6, "float64": 1e-12}
DIRECTIONS = ("forward", "backward")
LSTM = {
    "dim": 5,
    "n_layers": 3,
    "projection_dim": 2,
    "cell_clip": 0.6,
    "proj_clip": 0.2,
    "use_skip_connections": True,
}


def random_arrays(lstm, features=3, seed=5, precision="float32"):
    """Make the arrays of ELMo by name, of both directions."""
    random = np.random.default_rng(seed)
    units, width = lstm["dim"], lstm["projection_dim"]
    projected = width < units
    arrays = {}
    for direction in range(2):
        for number in range(lstm["n_layers"]):
            hidden = width if projected else units
            root = f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell"
            read = features if number == 0 else hidden
            arrays[f"{root}/W_0"] = random.normal(size=(read + hidden, 4 * units)).astype(precision)
            arrays[f"{root}/B"] = random.normal(size=4 * units).astype(precision)
            if projected:
                arrays[f"{root}/W_P_0"] = random.normal(size=(units, width)).astype(precision)
    return arrays


def write(path, arrays, lstm=LSTM, **others):
    """Write a folder as the published models are."""
    path.mkdir(exist_ok=True)
    with h5py.File(path / "weights.hdf5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file["char_embed"] = np.ones((261, 4), "f4")
        file["CNN/W_cnn_0"] = np.ones((1, 1, 4, 8), "f4")
    (path / "options.json").write_text(json.dumps({"lstm": lstm, "char_cnn": {}} | others))
    return path


def ragged(features, precision="float32"):
    inputs = np.random.default_rng(7).normal(size=(len(LENGTHS), LENGTHS.max(), features)).astype(precision)
    inputs[np.arange(LENGTHS.max()) >= LENGTHS[:, np.newaxis]] = np.nan
    return inputs


def tensorflow_states(arrays, lstm, inputs, forget_bias=1.0):
    """Run TensorFlow 1's ``LSTMCell`` and ``ResidualWrapper`` under ``dynamic_rnn``, layer by layer.

    Returns
    -------
    dict
        By path ``layer0/forward``: ``emitted`` and ``hidden`` [N, T, P], ``cell`` [N, T, H], aligned with the inputs,
        and the final ``last_cell`` and ``last_hidden``.
    """
    tf = import_tensorflow()
    found = {}
    for number, direction in enumerate(DIRECTIONS):
        layer_input = turned(tf, np.nan_to_num(inputs), direction)
        for layer in range(lstm["n_layers"]):
            root = f"RNN_{number}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
            stored = {name.removeprefix(root): values for name, values in arrays.items() if name.startswith(root)}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TensorFlow's own deprecations
                result = tensorflow_layer(tf, layer_input, lstm, layer, forget_bias, stored)
            layer_input = result["emitted"]
            found[f"layer{layer}/{direction}"] = {
                name: np.array(values if name.startswith("last") else turned(tf, values, direction))
                for name, values in result.items()
            }
    return found


def turned(tf, values, direction):
    return values if direction == "forward" else tf.reverse_sequence(values, LENGTHS, seq_axis=1, batch_axis=0)


def tensorflow_layer(tf, inputs, lstm, number, forget_bias, stored):
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    units, projected = lstm["dim"], lstm["projection_dim"] < lstm["dim"]
    width = lstm["projection_dim"] if projected else units
    clips = {"cell_clip": lstm.get("cell_clip"), "proj_clip": lstm.get("proj_clip")}
    plain = rnn_cell_impl.LSTMCell(
        units, num_proj=width if projected else None, forget_bias=forget_bias, dtype=inputs.dtype, **clips
    )
    plain.build(inputs.shape[:1] + inputs.shape[2:])
    for variable in plain.weights:
        leaf = "W_P_0" if "projection" in variable.name else "W_0" if "kernel" in variable.name else "B"
        variable.assign(stored[leaf])
    residual = lstm["use_skip_connections"] and number > 0
    cell = rnn_cell_impl.ResidualWrapper(plain) if residual else plain

    class Collecting(rnn_cell_impl.RNNCell):
        """A cell whose output is the inner one's and its states."""

        state_size = cell.state_size
        output_size = 2 * width + units

        def call(self, step, state):
            output, state = cell(step, state)
            return tf.concat([output, state.h, state.c], axis=1), state

    outputs, final = tf.compat.v1.nn.dynamic_rnn(
        Collecting(dtype=inputs.dtype), inputs, sequence_length=LENGTHS, dtype=inputs.dtype
    )
    emitted, hidden, cells = tf.split(outputs, [width, width, units], axis=-1)
    return {"emitted": emitted, "hidden": hidden, "cell": cells, "last_hidden": final.h, "last_cell": final.c}


@functools.cache
def asked(precision, features=3, **changes):
    lstm = LSTM | changes
    arrays = random_arrays(lstm, features, precision=precision)
    inputs = ragged(features, precision)
    return lstm, arrays, inputs, tensorflow_states(arrays, lstm, inputs)


def extracted(path, inputs, engine="numpy", precision="float64"):
    return rnnstates.extract(
        inputs, LENGTHS, weights=path, engine=engine, precision=precision, pool=("final",), threads=1
    )


def of_each_engine(path, inputs, precision="float64"):
    """Give the states of each engine."""
    network = rnnstates.load_weights(path)
    return [extracted(network, inputs, engine, precision) for engine in engines_for(network, precision)]


def largest_difference(states, wanted, lstm):
    """Compare every state of every layer and direction, and the final ones."""
    paths = [f"layer{number}/{direction}" for number in range(lstm["n_layers"]) for direction in DIRECTIONS]
    assert len(paths) == len(wanted)
    return record(
        max(
            np.abs(states[f"{path}/{ours}"] - wanted[path][theirs]).max()
            for path in paths
            for ours, theirs in {
                "hidden": "hidden",
                "cell": "cell",
                "hidden_final": "last_hidden",
                "cell_final": "last_cell",
            }.items()
        )
    )
