"""TensorFlow 1's checkpoints: every state is the one its own cells compute under ``dynamic_rnn``."""

import warnings

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.load import describe_weights

from ..builders import engines_for
from .census import parity
from .tensorflow1_models import (
    ATOL,
    CASES,
    CLIPPED,
    LENGTHS,
    SUFFIX,
    asked,
    check,
    collecting,
    initialise,
    session,
    write,
)


@parity("tensorflow1", "simple_rnn")
@parity("tensorflow1", "gru")
@parity("tensorflow1", "lstm")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("case", CASES)
def test_every_state_is_the_one_tensorflow_1_computes(case, precision, tmp_path):
    write(tmp_path / SUFFIX, asked(case, precision)[1])
    check(tmp_path / SUFFIX, case, precision, **CASES[case][1])


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_of_a_checkpoint_are_read(version, tmp_path):
    write(tmp_path / SUFFIX, asked("stacked", "float32")[1], version)
    check(tmp_path / SUFFIX, "stacked", "float32")


def as_in_1_0(name):
    """What TensorFlow 1.0 and 1.1 called a variable."""
    return name.replace("kernel", "weights").replace("bias", "biases")


def as_in_0(name):
    """What TensorFlow 0 called a variable of ``stacked``."""
    scope, kind, leaf = name.removeprefix("encoder/multi_rnn_cell/").split("/", 2)
    if kind == "lstm_cell":
        leaf = {"kernel": "W_0", "bias": "B", "projection/kernel": "W_P_0"}.get(leaf, leaf.replace("w_", "W_"))
        leaf = leaf.replace("_i_", "_I_").replace("_f_", "_F_").replace("_o_", "_O_")
    else:
        leaf = leaf.replace("kernel", "Linear/Matrix").replace("bias", "Linear/Bias")
        leaf = leaf.replace("gates", "Gates").replace("candidate", "Candidate")
    kind = {"lstm_cell": "LSTMCell", "basic_lstm_cell": "BasicLSTMCell", "gru_cell": "GRUCell"}[kind]
    return f"A/RNN/MultiRNNCell/{scope.replace('cell_', 'Cell')}/{kind}/{leaf}"


@pytest.mark.parametrize("rename", [as_in_1_0, as_in_0])
def test_earlier_versions_called_the_same_variables_otherwise(rename, tmp_path):
    variables = asked("stacked", "float32")[1]
    write(tmp_path / SUFFIX, {rename(name): values for name, values in variables.items()})
    check(tmp_path / SUFFIX, "stacked", "float32")


def test_shards_of_a_kernel_are_put_together_by_their_numbers(tmp_path):
    variables = {as_in_0(name): values for name, values in asked("stacked", "float32")[1].items()}
    kernel = variables.pop("A/RNN/MultiRNNCell/Cell0/LSTMCell/W_0")
    rest = np.vstack([kernel, np.zeros((6, 20), "f4")])  # eleven rows, so that W_10 sorts before W_2 as text
    shards = {f"A/RNN/MultiRNNCell/Cell0/LSTMCell/W_{row}": rest[row : row + 1] for row in range(11)}
    write(tmp_path / SUFFIX, variables | shards)
    network = rnnstates.load_weights(tmp_path / SUFFIX)
    read = network.layers[0].forward
    blocks = np.hstack([np.split(rest, 4, axis=1)[block] for block in (0, 2, 1, 3)])
    np.testing.assert_array_equal(np.vstack([read.kernel, read.recurrent_kernel]), blocks)
    write(tmp_path / SUFFIX, variables | {name: shard for name, shard in shards.items() if not name.endswith("W_3")})
    with pytest.raises(BadWeights, match=r"W_0.*which LSTMCell does not have"):
        rnnstates.load_weights(tmp_path / SUFFIX)


def block_lstm(inputs, kernel, bias, **settings):
    """Run one row [T, I] through TensorFlow's whole-sequence operation: cell and hidden [T, H]."""
    tf = import_tensorflow()
    units = len(bias) // 4
    zero, none = np.zeros((1, units), "f4"), np.zeros(units, "f4")
    peepholes = {name: settings.pop(name, none) for name in ("wci", "wcf", "wco")}
    result = tf.raw_ops.BlockLSTM(
        seq_len_max=len(inputs), x=inputs[:, np.newaxis], cs_prev=zero, h_prev=zero, w=kernel, b=bias, **peepholes,
        **{"cell_clip": -1.0, **settings},
    )  # fmt: skip
    return result.cs.numpy()[:, 0], result.h.numpy()[:, 0]


def arrays(seed=4, **shapes):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype("f4") * 0.7 for name, shape in shapes.items()}


@pytest.mark.parametrize("scope", ["lstm_fused_cell", "lstm_block_wrapper", "lstm_cell", "lstm_fused_cell_1"])
def test_a_block_cell_is_read_with_peepholes_and_clip(scope, tmp_path):
    one = arrays(kernel=(8, 20), bias=20, w_i_diag=5, w_f_diag=5, w_o_diag=5, x=(7, 3))
    inputs = one.pop("x")
    write(tmp_path / SUFFIX, {f"rnn/{scope}/{name}": values for name, values in one.items()})
    peepholes = {"wci": one["w_i_diag"], "wcf": one["w_f_diag"], "wco": one["w_o_diag"]}
    cell, hidden = block_lstm(inputs, one["kernel"], one["bias"], use_peephole=True, **peepholes | {"cell_clip": 0.4})
    states = rnnstates.extract(inputs[np.newaxis], "full", weights=tmp_path / SUFFIX, cell_clip=0.4)
    np.testing.assert_allclose(states["cell"][0], cell, rtol=0, atol=1e-6)
    np.testing.assert_allclose(states["hidden"][0], hidden, rtol=0, atol=1e-6)


CUDNN = "cudnn_lstm/stack_bidirectional_rnn/cell_{}/bidirectional_rnn/{}/cudnn_compatible_lstm_cell/{}"


@parity("cudnn", "lstm")
def test_a_cudnn_lstm_adds_nothing_to_its_forget_gate(tmp_path):
    """Two layers, both directions, under the canonical names that CudnnLSTM saves."""
    inputs = arrays(x=(6, 3))["x"]
    saved, reads, expected = {}, inputs, {}
    for layer, width in enumerate((3, 10)):
        outputs = []
        for place, (direction, name) in enumerate({"fw": "forward", "bw": "backward"}.items()):
            one = arrays(10 * layer + place, kernel=(width + 5, 20), bias=20)
            saved |= {CUDNN.format(layer, direction, leaf): values for leaf, values in one.items()}
            saved[CUDNN.format(layer, direction, "bias_cudnn_0")] = one["bias"] / 2
            turn = slice(None, None, -1 if direction == "bw" else 1)
            both = block_lstm(reads[turn], **one, forget_bias=0.0)
            expected[f"layer{layer}/{name}"] = [values[turn] for values in both]
            outputs.append(both[1][turn])
        reads = np.hstack(outputs)
    write(tmp_path / SUFFIX, saved)
    network = rnnstates.load_weights(tmp_path / SUFFIX)
    for engine in engines_for(network):
        states = rnnstates.extract(inputs[np.newaxis], "full", weights=network, engine=engine)
        for path, (cell, hidden) in expected.items():
            np.testing.assert_allclose(states[f"{path}/cell"][0], cell, rtol=0, atol=1e-6)
            np.testing.assert_allclose(states[f"{path}/hidden"][0], hidden, rtol=0, atol=1e-6)
    assert any("0.0 added to the forget gate" in note for note in network.notes)


@parity("cudnn", "gru")
@pytest.mark.parametrize("precision", sorted(ATOL))
def test_a_cudnn_gru_resets_behind_the_product_and_has_two_biases_of_the_candidate(precision, tmp_path):
    """A GRU of Keras with ``reset_after`` computes the same; its gates are update, reset, candidate."""
    import keras

    scope = "cudnn_gru/rnn/multi_rnn_cell/cell_0/cudnn_compatible_gru_cell"
    leaves = {"gates/kernel": (8, 10), "gates/bias": 10, "candidate/input_projection/kernel": (3, 5)}
    leaves |= {"candidate/hidden_projection/kernel": (5, 5), "candidate/input_projection/bias": 5}
    leaves |= {"candidate/hidden_projection/bias": 5}
    saved = {name: values.astype(precision) for name, values in arrays(**leaves, x=(7, 3)).items()}
    inputs = saved.pop("x")
    write(tmp_path / SUFFIX, {f"{scope}/{leaf}": values for leaf, values in saved.items()})
    gates, bias = np.split(saved["gates/kernel"], 2, axis=1)[::-1], np.split(saved["gates/bias"], 2)[::-1]
    reads, hidden, input_bias, hidden_bias = list(saved.values())[2:]
    layer = keras.layers.GRU(5, return_sequences=True, dtype=precision)
    layer.build((None, None, 3))
    kernel = np.hstack([*(gate[:3] for gate in gates), reads])
    recurrent = np.hstack([*(gate[3:] for gate in gates), hidden])
    layer.set_weights([kernel, recurrent, np.stack([[*bias[0], *bias[1], *input_bias], [*np.zeros(10), *hidden_bias]])])
    states = rnnstates.extract(inputs[np.newaxis], "full", weights=tmp_path / SUFFIX, precision=precision)
    np.testing.assert_allclose(states["hidden"], np.array(layer(inputs[np.newaxis])), rtol=0, atol=ATOL[precision])


def train(path, build, *, loops, gradients=False, older=None, dtype="float32"):
    """Save a program with its graph and an optimizer, as TensorFlow 1 did; give its inputs and all its states.

    Parameters
    ----------
    gradients : bool
        The graph computes them, which takes most of the time, and they are not zero.
    older : str, optional
        Where the same is saved as version 1, too.
    """
    tf = import_tensorflow()
    random = np.random.default_rng(3)
    values = random.normal(size=(len(LENGTHS), LENGTHS.max(), 3)).astype(dtype)
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    v1.disable_resource_variables()
    try:
        with tf.Graph().as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cell = build(dtype)
            if loops:
                outputs, _ = v1.nn.dynamic_rnn(cell, tf.constant(values), LENGTHS, dtype=dtype)
            else:
                outputs = tf.stack(v1.nn.static_rnn(cell, tf.unstack(tf.constant(values), axis=1), dtype=dtype)[0], 1)
            step = optimizer_step(v1, outputs if gradients else None)
            with session() as running:
                initialise(running, random, 0.7)
                running.run(step)
                for version, where in {1: older, 2: path}.items():
                    if where is not None:
                        v1.train.Saver(write_version=version).save(running, str(where))
                return values, running.run(outputs)
    finally:
        v1.enable_control_flow_v2()
        v1.enable_resource_variables()


def optimizer_step(v1, outputs):
    """Let an optimizer make its variables, and reduce the outputs."""
    optimizer = v1.train.AdamOptimizer(0.1)
    if outputs is not None:
        return optimizer.minimize(v1.reduce_sum(outputs * outputs))
    return optimizer.apply_gradients([(v1.zeros_like(variable), variable) for variable in v1.trainable_variables()])


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "softsign"])
def test_the_graph_beside_a_checkpoint_says_what_is_added_and_where_it_clips(activation, loops, tmp_path):
    """Of either version of a checkpoint, with the gradients of one activation."""

    def build(dtype):
        return collecting("LSTMCell")(5, activation=activation, dtype=dtype, **CLIPPED)

    paths = tmp_path / SUFFIX, tmp_path / "older.ckpt"
    inputs, expected = train(paths[0], build, loops=loops, gradients=activation == "tanh", older=paths[1])
    for path in paths:
        states = rnnstates.extract(inputs, LENGTHS, weights=path)
        for row, length in enumerate(LENGTHS):
            both = np.concatenate([states["cell"][row, :length], states["hidden"][row, :length]], axis=-1)
            np.testing.assert_allclose(both, expected[row, :length], rtol=0, atol=1e-6)
        network = rnnstates.load_weights(path)
        assert network.layers[0].forward.cell_clip == pytest.approx(0.4)
        assert network.notes == ()
        described = describe_weights(path)["stacks"][0]["layers"][0]
        assert described["forget_bias"].endswith("(file)")
        assert described["activation"] == f"{activation} (file)"


@pytest.mark.parametrize("name", ["BasicLSTMCell", "GRUCell", "BasicRNNCell"])
def test_the_graph_says_the_activation_of_every_cell(name, tmp_path):
    inputs, expected = train(
        tmp_path / SUFFIX, lambda dtype: collecting(name)(5, activation="relu", dtype=dtype), loops=True
    )
    states = rnnstates.extract(inputs, LENGTHS, weights=tmp_path / SUFFIX)
    np.testing.assert_allclose(states["hidden"], expected[..., -5:], rtol=0, atol=1e-6)


def test_an_activation_that_is_not_known_is_refused(tmp_path):
    tf = import_tensorflow()
    train(tmp_path / SUFFIX, lambda dtype: collecting("GRUCell")(5, activation=tf.sin, dtype=dtype), loops=True)
    with pytest.raises(BadWeights, match="computes the candidate by Sin, which is not a known activation"):
        rnnstates.load_weights(tmp_path / SUFFIX)
    (tmp_path / f"{SUFFIX}.meta").unlink()
    assert rnnstates.load_weights(tmp_path / SUFFIX, activation="relu").layers[0].forward.activation == "relu"


def test_a_block_operation_says_its_forget_bias_and_clip_itself(tmp_path):
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session, v1.variable_scope("rnn/lstm_fused_cell"):
        kernel, bias = v1.get_variable("kernel", (8, 20)), v1.get_variable("bias", 20)
        zero, none = tf.zeros((1, 5)), tf.zeros(5)
        tf.raw_ops.BlockLSTM(
            seq_len_max=2, x=tf.zeros((2, 1, 3)), cs_prev=zero, h_prev=zero, w=kernel, wci=none, wcf=none, wco=none,
            b=bias, forget_bias=0.25, cell_clip=1.5,
        )  # fmt: skip
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / SUFFIX))
    read = rnnstates.load_weights(tmp_path / SUFFIX).layers[0].forward
    assert (read.forget_bias, read.cell_clip) == (0.25, 1.5)


def test_without_a_graph_a_note_says_what_is_assumed_and_options_overrule_it(tmp_path):
    write(tmp_path / SUFFIX, asked("lstm with all", "float32")[1])
    network = rnnstates.load_weights(tmp_path / SUFFIX)
    assert network.layers[0].forward.forget_bias == 1.0
    assert "1.0 added to the forget gate (forget_bias=), no clip of the cell state (cell_clip=)" in network.notes[0]
    assert "none of the projection (projection_clip=)" in network.notes[0]
    assert rnnstates.load_weights(tmp_path / SUFFIX, forget_bias=0).layers[0].forward.forget_bias == 0


def test_the_rows_of_the_inputs_come_first_and_a_projection_has_as_many_rows_as_it_is_wide(tmp_path):
    variables = asked("lstm with all", "float64")[1]
    write(tmp_path / SUFFIX, variables)
    read = rnnstates.load_weights(tmp_path / SUFFIX).layers[0].forward
    kernel = variables["rnn/lstm_cell/kernel"]
    assert (read.features, read.units, read.width) == (3, 5, 2)
    np.testing.assert_array_equal(read.kernel[:, :5], kernel[:3, :5])
    np.testing.assert_array_equal(read.recurrent_kernel[:, 5:10], kernel[3:, 10:15])
