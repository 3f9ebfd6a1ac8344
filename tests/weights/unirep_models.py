"""UniRep's published cell in TensorFlow 1, and its equations once more in NumPy."""

import functools
import warnings
from pathlib import Path

import numpy as np

import rnnstates
from rnnstates.runtime.tensorflow_start import import_tensorflow

from ..builders import engines_for
from ..parity_table import record

GOLDEN = Path(__file__).parent.parent / "golden" / "unirep"
LENGTHS = np.array([7, 0, 4, 1, 6])
ATOL = {"float32": 1e-6, "float64": 1e-12}
SINGLE = "rnn_mlstm_mlstm_{leaf}:0"
STACKED = "rnn_mlstm_stack_mlstm_stack{layer}_mlstm_stack{layer}_{leaf}:0"
MATRICES = ("wx", "wh", "wmx", "wmh")


def random_arrays(names, layers, features=3, units=5, seed=2, precision="float32"):
    """Make the arrays of UniRep by name; the columns' lengths are not those of the columns."""
    random = np.random.default_rng(seed)
    arrays = {"embed_matrix:0": random.normal(size=(26, features))}
    for layer in range(layers):
        read = features if layer == 0 else units
        shapes = {
            "wx": (read, 4 * units),
            "wh": (units, 4 * units),
            "wmx": (read, units),
            "wmh": (units, units),
            "gx": 4 * units,
            "gh": 4 * units,
            "gmx": units,
            "gmh": units,
            "b": 4 * units,
        }
        arrays |= {names.format(layer=layer, leaf=leaf): random.normal(size=shape) for leaf, shape in shapes.items()}
    arrays["fully_connected_weights:0"] = random.normal(size=(units, 25))
    arrays["fully_connected_biases:0"] = random.normal(size=25)
    return {name: values.astype(precision) for name, values in arrays.items()}


def write(path, arrays):
    """Write a folder as the published models are, or an .npz of the same names."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return path
    path.mkdir(exist_ok=True)
    for name, values in arrays.items():
        np.save(path / f"{name}.npy", values)
    return path


def leaves_of(arrays, names, layer):
    start = names.format(layer=layer, leaf="")
    start = start.removesuffix(":0")
    return {
        name.removeprefix(start).removesuffix(":0"): values for name, values in arrays.items() if name.startswith(start)
    }


def ragged(features, precision):
    inputs = np.random.default_rng(7).normal(size=(len(LENGTHS), LENGTHS.max(), features)).astype(precision)
    inputs[np.arange(LENGTHS.max()) >= LENGTHS[:, np.newaxis]] = np.nan
    return inputs


def published_cell(tf, weights, *, normalised, **options):
    """Make the cell of the paper's repository, which here gives out its whole state; its state is (c, h)."""
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    units = weights["wmh"].shape[0]

    class Published(rnn_cell_impl.RNNCell):
        state_size = (units, units)
        output_size = 2 * units

        def call(self, step, state):
            w = dict(weights)
            c, h = state
            if normalised:
                for name in MATRICES:
                    w[name] = tf.nn.l2_normalize(w[name], axis=0) * w[name.replace("w", "g")]
            m = tf.matmul(step, w["wmx"]) * tf.matmul(h, w["wmh"])
            i, f, o, u = tf.split(tf.matmul(step, w["wx"]) + tf.matmul(m, w["wh"]) + w["b"], 4, 1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(u)
            h = tf.sigmoid(o) * tf.tanh(c)
            return tf.concat([h, c], axis=1), (c, h)

    return Published(**options)


def tensorflow_states(arrays, names, layers, inputs, *, normalised=True):
    """Run the published cell as TensorFlow 1 runs it, each sequence alone and to its own length.

    Returns
    -------
    list of (hidden, cell)
        Of each layer, [N, T, H], zero past the length.
    """
    tf = import_tensorflow()
    units = leaves_of(arrays, names, 0)["wmh"].shape[0]
    found = []
    for layer in range(layers):
        leaves = {leaf: values.astype(inputs.dtype) for leaf, values in leaves_of(arrays, names, layer).items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's own deprecations
            cell = published_cell(tf, leaves, normalised=normalised, dtype=inputs.dtype)
            states = np.zeros((*inputs.shape[:2], 2 * units), inputs.dtype)
            for row, length in enumerate(LENGTHS):
                if length:
                    alone = inputs[row : row + 1, :length]
                    states[row, :length] = tf.compat.v1.nn.dynamic_rnn(cell, alone, dtype=inputs.dtype)[0][0]
        found.append(tuple(np.split(states, 2, axis=-1)))
        inputs = found[-1][0]
    return found


def numpy_states(arrays, names, layers, inputs, order=(0, 1, 2, 3)):
    """Write the equations out, in float64; ``order`` is that of the gates i, f, o, u among the columns."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    inputs = np.nan_to_num(inputs).astype("float64")
    found = []
    for layer in range(layers):
        w = {leaf: values.astype("float64") for leaf, values in leaves_of(arrays, names, layer).items()}
        for name in MATRICES:
            w[name] = w[name] / np.linalg.norm(w[name], axis=0) * w[name.replace("w", "g")]
        hidden = np.zeros((*inputs.shape[:2], len(w["wmh"])))
        cell = np.zeros_like(hidden)
        for row, length in enumerate(LENGTHS):
            h, c = np.zeros((2, len(w["wmh"])))
            for step in range(length):
                x = inputs[row, step]
                blocks = np.split(x @ w["wx"] + ((x @ w["wmx"]) * (h @ w["wmh"])) @ w["wh"] + w["b"], 4)
                i, f, o, u = (blocks[place] for place in order)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
                h = sigmoid(o) * np.tanh(c)
                hidden[row, step], cell[row, step] = h, c
        found.append((hidden, cell))
        inputs = hidden
    return found


@functools.cache
def asked(names, layers, precision, stored):
    arrays = random_arrays(names, layers, precision=stored)
    del arrays["embed_matrix:0"]  # so that inputs are given as they are
    inputs = ragged(3, precision)
    return arrays, inputs, tensorflow_states(arrays, names, layers, inputs)


def extracted(path, inputs, engine="numpy", precision="float64"):
    return rnnstates.extract(
        inputs, LENGTHS, weights=path, engine=engine, precision=precision, pool=("final",), threads=1
    )


def of_each_engine(path, inputs, precision="float64"):
    """Give the states of each engine."""
    network = rnnstates.load_weights(path)
    return [extracted(network, inputs, engine, precision) for engine in engines_for(network, precision)]


def largest_difference(states, wanted):
    """Compare every state of every layer, and the final ones."""
    differences = []
    for layer, both in enumerate(wanted):
        path = f"layer{layer}/" if len(wanted) > 1 else ""
        for name, values in zip(("hidden", "cell"), both, strict=True):
            last = np.where(LENGTHS[:, np.newaxis] > 0, values[np.arange(len(LENGTHS)), LENGTHS - 1], 0)
            differences += [np.abs(states[f"{path}{name}"] - values).max()]
            differences += [np.abs(states[f"{path}{name}_final"] - last).max()]
    return record(max(differences))
