"""How often Python runs: once for a layer, whatever the shapes and however many the steps and batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates.engines.differentiable import looped
from rnnstates.keras import LengthAwareMean, StateLSTM

from .building import H, I, ours, ragged

pytestmark = pytest.mark.usefixtures("all_graphs_as_they_are")
SHAPES = [(2, 4), (3, 9), (1, 1), (7, 5), (4, 12), (2, 40)]


@pytest.fixture
def executions(monkeypatch):
    """Each Python execution of what computes the states."""
    (base,) = StateLSTM.__bases__
    ran, states = [], base._states

    def counted(self, *args, **options):
        ran.append(self.name)
        return states(self, *args, **options)

    monkeypatch.setattr(base, "_states", counted)
    return ran


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_a_layer_is_traced_once_whatever_the_shapes(case, executions):
    layer = ours(case)
    for number, (rows, steps) in enumerate(SHAPES):
        inputs = tf.constant(ragged(rows=rows, steps=steps))
        lengths = np.arange(rows) % (steps + 1)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs, lengths=lengths.astype("int64" if number % 2 else "int32")).hidden)
        assert tape.gradient(loss, layer.trainable_variables)[0] is not None
    assert executions == [layer.name]


def test_each_way_to_call_a_layer_has_one_graph(executions):
    layer = ours("lstm", dropout=0.5)
    for rows, steps in SHAPES[:3]:
        inputs, mask = ragged(rows=rows, steps=steps), np.ones((rows, steps), bool)
        for training in (False, True):
            layer(inputs, training=training)
            layer(inputs, mask=mask, training=training)
    assert executions == [layer.name] * 4


def test_epochs_and_batches_of_one_model_do_not_run_python_again(executions):
    inputs = keras.Input((None, I))
    model = keras.Model(inputs, LengthAwareMean()(StateLSTM(H)(keras.layers.Masking()(inputs))))
    model.compile("sgd", "mse")
    # Keras traces a model once more for an optimiser without variables.
    model.optimizer.build(model.trainable_variables)
    data, targets = ragged(rows=12), np.zeros((12, H), "float32")
    model.fit(data, targets, batch_size=4, verbose=0)
    once = len(executions)
    model.fit(data, targets, batch_size=4, epochs=3, verbose=0)
    assert len(executions) == once


def test_batches_of_new_shapes_do_not_run_python_again_once_two_shapes_were_seen(executions):
    inputs = keras.Input((None, I))
    model = keras.Model(inputs, LengthAwareMean()(StateLSTM(H)(inputs)))
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    seen = []
    for rows, steps in SHAPES:
        model.train_on_batch(ragged(rows=rows, steps=steps), np.zeros((rows, H), "float32"))
        seen.append(len(executions))
    assert len(set(seen[2:])) == 1


@pytest.mark.parametrize("case, kind", [("lstm looped", "lstm"), ("gru", "gru"), ("simple_rnn", "simple_rnn")])
def test_python_runs_a_step_of_the_loop_as_often_for_many_steps_as_for_few(case, kind, monkeypatch):
    counts = []
    for steps in (3, 300):
        ran, recur = [], looped.RECUR[kind]
        with monkeypatch.context() as patched:
            patched.setitem(looped.RECUR, kind, lambda *args, ran=ran, recur=recur: ran.append(1) or recur(*args))
            tf.function(ours(case)).get_concrete_function(tf.TensorSpec([2, steps, I]))
        counts.append(len(ran))
    assert counts[0] == counts[1] <= 2


@pytest.mark.parametrize("case", ["lstm", "lstm looped"])
def test_a_graph_of_states_and_gradients_has_as_many_nodes_for_many_steps_as_for_few(case):
    sizes = []
    for steps in (3, 300):
        layer = ours(case)

        def run(inputs, layer=layer):
            states = layer(inputs)
            return tf.gradients(sum(tf.reduce_sum(values) for values in states), inputs)

        graph = tf.function(run).get_concrete_function(tf.TensorSpec([2, steps, I])).graph.as_graph_def()
        sizes.append(len(graph.node) + sum(len(part.node_def) for part in graph.library.function))
    assert sizes[0] == sizes[1]
