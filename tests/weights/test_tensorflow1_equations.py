"""A TensorFlow 1 cell is held against the graph beside it: the session's states, or refused by the operation."""

import random
from dataclasses import replace

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.frameworks import tensorflow1
from rnnstates.weights.readers.checkpoint.file import open_checkpoint

from . import tensorflow1_own_cells as own
from .tensorflow1_models import LENGTHS as TRAINED
from .tensorflow1_models import collecting
from .tensorflow1_own_cells import LENGTHS, UNITS, of_gru, of_lstm, of_simple, save
from .test_tensorflow1 import train

AS_GIVEN = {"convention": "tensorflow1"}
# Loops as functions, loops as TensorFlow wrote them until 1.13, and steps written out.
WAYS = {"functions": (True, True), "frames": (True, False), "written out": (False, True)}


def tensorflow(name):
    def call(*arguments):
        tf = import_tensorflow().compat.v1
        return getattr(tf, name, None)(*arguments) if hasattr(tf, name) else getattr(tf.nn, name)(*arguments)

    return call


def clipped(low, high):
    return lambda c: tensorflow("clip_by_value")(c, low, high)


READ = {
    "as an LSTMCell": of_lstm(),
    "another forget bias": of_lstm(bias=0.3),
    "no forget bias": of_lstm(bias=0.0),
    "the state's rows first": of_lstm(swapped=True),
    "another order of gates": of_lstm(order="ifjo"),
    "another order, and the state first": of_lstm(order="oijf", swapped=True, bias=0.5),
    "another activation": of_lstm(act=tensorflow("softsign")),
    "a clip": of_lstm(change=clipped(-0.3, 0.3)),
    "a kernel cut by rows": own.cut_rows,
    "a kernel cut by rows, the state first": own.cut_rows_swapped,
    "dropout": own.dropped,
    "rows of a mask": own.masked,
    "a gru": of_gru(),
    "a gru's gates the other way": of_gru(order="ur"),
    "a gru's states first": of_gru(swapped=(True, True), act="sigmoid"),
    "a gru's states first in the candidate": of_gru(swapped=(False, True)),
    "a simple cell": of_simple(),
    "a simple cell, the state first": of_simple(swapped=True, act="sigmoid"),
}
SIN = "computes the candidate by Sin, which is not a known activation"
REFUSED = {
    "a hidden state of relu": (
        of_lstm(out=tensorflow("relu")),
        "applies relu to the cell state, but tanh to the candidate",
    ),
    "a linear hidden state": (of_lstm(out=lambda c: c), "applies linear to the cell state, but tanh to the candidate"),
    "no output gate": (own.ignored_gate, r"passes on Relu\(Add\(.*\) as the hidden state"),
    "gates of hard sigmoid": (own.hard_gates, r"has .*Minimum.* after the product with it"),
    "an uneven clip": (of_lstm(change=clipped(-0.3, 0.5)), r"applies Tanh\(Maximum\) to the cell state"),
    "an unknown activation": (
        of_lstm(act=tensorflow("sin")),
        "computes the candidate by Sin, which is not a known activation",
    ),
    "a layer norm": (own.layer_norm, "has .*Mean.*SquaredDifference.* after the product with it"),
    "a coupled input gate": (own.coupled, r"computes the cell state by Add\(Mul\(.*Sub"),
    "another hidden state handed on": (own.handed_on, r"passes on Relu\(Mul\(.*\) as the hidden state"),
    "another cell state handed on": (own.kept_cell, r"passes on Maximum\(.*\) as the cell state"),
    "zoneout": (own.zoneout, r"passes on Add\(.*0\.9.*\) as the hidden state"),
    "more on the input gate": (
        own.biased_input,
        "adds something other than LSTMCell does to the input or the forget gate",
    ),
    "a gru's gate the other way": (
        of_gru(mixed=lambda u, h, c: u * c + (1 - u) * h),
        r"expected the equations of GRUCell",
    ),
}


# Each case in one way, in turn; what shows most in every way.
EVERY_WAY = ("as an LSTMCell", "the state's rows first", "a gru", "a simple cell", "another hidden state handed on")


def in_turn(cases):
    ways = list(WAYS)
    for number, case in enumerate(cases):
        for way in ways if case in EVERY_WAY else ways[number % 3 :][:1]:
            yield pytest.param(case, way, id=f"{case}, {way}")


def held(path, step, way):
    loops, functions = WAYS[way]
    # A simple cell is one under such a scope alone.
    return save(path, step, loops=loops, functions=functions, scope="rnn_own")


@pytest.mark.parametrize(("case", "way"), list(in_turn(READ)))
def test_what_the_graph_shows_is_what_is_computed(case, way, tmp_path):
    inputs, expected = held(tmp_path / "m.ckpt", READ[case], way)
    states = rnnstates.extract(inputs, LENGTHS, weights=tmp_path / "m.ckpt", **AS_GIVEN)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(states["hidden"][row, :length], expected[row, :length, UNITS:], rtol=0, atol=2e-6)
        if "cell" in states.datasets:
            np.testing.assert_allclose(states["cell"][row, :length], expected[row, :length, :UNITS], rtol=0, atol=2e-6)
    notes = rnnstates.load_weights(tmp_path / "m.ckpt", **AS_GIVEN).notes
    assert not any("assumed" in note for note in notes)


@pytest.mark.parametrize(("case", "way"), list(in_turn(REFUSED)))
def test_what_differs_from_the_cell_is_refused_with_the_operation(case, way, tmp_path):
    step, message = REFUSED[case]
    held(tmp_path / "m.ckpt", step, way)
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(tmp_path / "m.ckpt", **AS_GIVEN)


def test_without_the_graph_the_equations_are_assumed(tmp_path):
    held(tmp_path / "m.ckpt", of_lstm(out=tensorflow("relu")), "functions")
    (tmp_path / "m.ckpt.meta").unlink()
    notes = rnnstates.load_weights(tmp_path / "m.ckpt", **AS_GIVEN).notes
    assert any(
        "its equations, and that a kernel has the rows of the inputs first, are assumed" in note for note in notes
    )


def test_a_saved_model_is_held_against_its_graph_and_its_variables_alone_are_not(tmp_path):
    tf = import_tensorflow()
    v1 = tf.compat.v1
    held(tmp_path / "m.ckpt", of_lstm(out=tensorflow("relu")), "functions")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "m.ckpt.meta")).restore(session, str(tmp_path / "m.ckpt"))
        builder = v1.saved_model.builder.SavedModelBuilder(str(tmp_path / "saved"))
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save()
    with pytest.raises(BadWeights, match=r"applies relu to the cell state.*for a SavedModel, give variables/variables"):
        rnnstates.load_weights(tmp_path / "saved", **AS_GIVEN)
    notes = rnnstates.load_weights(tmp_path / "saved" / "variables" / "variables", **AS_GIVEN).notes
    assert any("are assumed" in note for note in notes)


def of_wrapped(wrap):
    """Three layers, of which the middle one is wrapped."""

    def build(dtype):
        return collecting("MultiRNNCell")([wrap(number, _cell(number, dtype)) for number in range(3)])

    return build


def _cell(number, dtype):
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    return (rnn_cell_impl.LSTMCell, rnn_cell_impl.GRUCell, rnn_cell_impl.BasicLSTMCell)[number](4, dtype=dtype)


def residual(number, cell):
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    return rnn_cell_impl.ResidualWrapper(cell) if number == 1 else cell


def squared(number, cell):
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    tf = import_tensorflow()
    return rnn_cell_impl.ResidualWrapper(cell, lambda _inputs, outputs: tf.square(outputs)) if number == 1 else cell


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("wrap", [residual, lambda _number, cell: cell], ids=["residual", "plain"])
def test_a_residual_connection_between_layers_is_read_from_the_graph(wrap, loops, tmp_path):
    inputs, expected = train(tmp_path / "m.ckpt", of_wrapped(wrap), loops=loops)
    states = rnnstates.extract(inputs, TRAINED, weights=tmp_path / "m.ckpt")
    named = ("layer0/cell", "layer0/hidden", "layer1/hidden", "layer2/cell", "layer2/hidden")
    for row, length in enumerate(TRAINED):
        whole = np.concatenate([states[name][row, :length] for name in named], axis=-1)
        np.testing.assert_allclose(whole, expected[row, :length], rtol=0, atol=2e-6)
    assert rnnstates.load_weights(tmp_path / "m.ckpt").notes == ()


def test_what_else_stands_between_layers_is_refused(tmp_path):
    train(tmp_path / "m.ckpt", of_wrapped(squared), loops=True)
    with pytest.raises(BadWeights, match=r"from the states of '.*cell_1/gru_cell' by Square, which is not run"):
        rnnstates.load_weights(tmp_path / "m.ckpt")


def block(tf, inputs, kernel, bias, **settings):
    """TensorFlow's second whole-sequence operation, whose gates are in another order."""
    zero, none = tf.zeros((1, 4)), tf.zeros(4)
    return tf.raw_ops.BlockLSTMV2(
        seq_len_max=len(inputs), x=inputs[:, np.newaxis], cs_prev=zero, h_prev=zero, w=kernel, b=bias, wci=none,
        wcf=none, wco=none, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"cell_clip": 0.3}])
def test_a_block_operation_of_the_second_kind_has_gates_in_another_order_and_adds_nothing(settings, tmp_path):
    tf = import_tensorflow()
    v1, generator = tf.compat.v1, np.random.default_rng(2)
    inputs, kernel, bias = (generator.normal(size=size).astype("f4") for size in ((6, 3), (7, 16), 16))
    with tf.Graph().as_default(), v1.Session() as session, v1.variable_scope("rnn/lstm_fused_cell"):
        variables = [v1.get_variable(name, initializer=one) for name, one in (("kernel", kernel), ("bias", bias))]
        block(tf, inputs, *variables, **settings)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "m.ckpt"))
    states = rnnstates.extract(inputs[np.newaxis], "full", weights=tmp_path / "m.ckpt")
    expected = block(tf, inputs, kernel, bias, **settings)
    np.testing.assert_allclose(states["hidden"][0], expected.h.numpy()[:, 0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(states["cell"][0], expected.cs.numpy()[:, 0], rtol=0, atol=1e-6)


def damaged(graph, chance):
    """A GraphDef of which a few operations read, or are, something else."""
    copy = type(graph)()
    copy.CopyFrom(graph)
    nodes = [
        node for nodes in (copy.node, *(function.node_def for function in copy.library.function)) for node in nodes
    ]
    for node in chance.choices(nodes, k=4):
        other, place = chance.choice(nodes), chance.randrange(max(len(node.input), 1))
        change = chance.choice(["op", "less", "more", "name", "constant", "number"])
        if change == "op":
            node.op = other.op
        elif change == "less" and node.input:
            del node.input[place]
        elif change == "more":
            node.input.append(other.name + chance.choice(["", ":1", ":x", ":output:0", ":99999999"]))
        elif change == "name":
            node.name = other.name
        elif change == "constant" and "value" in node.attr:
            node.attr["value"].tensor.tensor_content = chance.randbytes(chance.choice([0, 4, 8]))
        elif change == "number" and node.attr:
            node.attr[chance.choice(sorted(node.attr))].i = chance.choice([-1, 0, 2**40])
    return copy


@pytest.mark.parametrize("case", ["a clip", "a gru", "a kernel cut by rows, the state first"])
def test_a_damaged_graph_is_read_or_refused(case, tmp_path):
    held(tmp_path / "m.ckpt", READ[case], "functions")
    outcomes, chance = set(), random.Random(1)
    with open_checkpoint(str(tmp_path / "m.ckpt")) as container:
        for _ in range(40):
            documents = {"graph": damaged(container.documents["graph"], chance)}
            model = tensorflow1.interpret(replace(container, documents=documents), by_shape=True)
            try:
                outcomes.add(bool(model.stack(model.tops()[0])))
            except BadWeights:
                outcomes.add(False)
    assert outcomes == {True, False}
