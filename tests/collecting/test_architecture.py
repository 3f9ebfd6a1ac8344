"""A digest of what a model computes beside its weights: it changes with that, and with nothing else."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rnnstates.collecting.architecture import architecture_of
from rnnstates.keras.started import keras, tf

from . import models
from .models import FEATURES

layers, ops = keras.layers, keras.ops
FACTOR = 2.0
MADE = {
    name: getattr(models, name)
    for name in ("convolutional", "stacked", "masked", "several_inputs", "nested", "ours", "written")
}


def helped(values):
    return values * FACTOR


def other_help(values):
    return values + FACTOR


class Own(keras.Model):
    """Has all that code may read."""

    def __init__(self, factor=1.0, function=helped, activation=None, table=(1.0, 2.0, 3.0)):
        super().__init__(name="own")
        self._factor, self.function, self.table = factor, function, tf.constant(table)
        self.low = layers.LSTM(3, return_sequences=True, activation=activation)
        self.high = layers.LSTM(3, name="high")

    def call(self, inputs):
        return self.high(self.low(self.function(inputs) * self._factor + self.table))


class Turned(Own):
    def call(self, inputs):
        return self.low(self.high(self.function(inputs) * self._factor + self.table))


def sequential(*stack):
    return keras.Sequential([keras.Input((8, 3)), *stack, layers.LSTM(4, name="lstm")], name="model")


def functional(join):
    inputs = keras.Input((8, 3), name="inputs")
    first, second = layers.Dense(3), layers.Dense(3)
    return keras.Model(inputs, layers.LSTM(4)(join(first, second, inputs)), name="model")


def of_two(*names):
    inputs = [keras.Input((8, 3), name=name) for name in names]
    return keras.Model(inputs, layers.LSTM(4)(inputs[0]), name="model")


def made_with(scale):
    return functional(lambda first, second, x: layers.Lambda(lambda values: values * scale)(x))


CHANGES = {
    "an activation": lambda: (sequential(layers.Dense(3, activation=name)) for name in ("relu", "gelu")),
    "an activation of one's own": lambda: (sequential(layers.Dense(3, activation=one)) for one in (helped, other_help)),
    "a masked value": lambda: (sequential(layers.Masking(value)) for value in (0.0, 1.0)),
    "an epsilon": lambda: (sequential(layers.LayerNormalization(epsilon=value)) for value in (1e-3, 1e-6)),
    "a dtype": lambda: (sequential(layers.Dense(3, dtype=one)) for one in ("float32", "mixed_bfloat16")),
    "a layer without weights": lambda: (sequential(*some) for some in ([], [layers.UnitNormalization()])),
    "a direction": lambda: (keras.Sequential([keras.Input((8, 3)), layers.LSTM(4, go_backwards=back)], name="model")
                            for back in (False, True)),
    "code of a Lambda": lambda: (sequential(layers.Lambda(one)) for one in (lambda x: x * 2, lambda x: x * 3)),
    "what a Lambda holds": lambda: (made_with(scale) for scale in (2.0, 3.0)),
    "a residual connection": lambda: (functional(join) for join in (lambda a, b, x: a(x), lambda a, b, x: a(x) + x)),
    "an order": lambda: (functional(join) for join in (lambda a, b, x: a(x) - x, lambda a, b, x: x - a(x))),
    "what is connected": lambda: (functional(join) for join in (lambda a, b, x: b(a(x)) + x,
                                                                lambda a, b, x: b(a(x)) + a(x))),
    "a number in a graph": lambda: (functional(lambda a, b, x, k=k: a(x) * k) for k in (2.0, 3.0)),
    "an array in a graph": lambda: (functional(lambda a, b, x, k=k: a(x) + np.full(3, k, "f4")) for k in (2.0, 3.0)),
    "an option of an operation": lambda: (functional(lambda a, b, x, k=k: ops.roll(x, k, axis=1)) for k in (1, 2)),
    "names of inputs": lambda: (of_two(*names) for names in ("ab", "ba")),
    "code": lambda: (Own(), Turned()),
    "an attribute": lambda: (Own(factor) for factor in (1.0, 2.0)),
    "an array of one's own": lambda: (Own(table=table) for table in ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])),
    "a function": lambda: (Own(function=function) for function in (helped, other_help)),
    "an activation inside": lambda: (Own(activation=one) for one in ("relu", "tanh")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_states_changes_the_digest(change):
    one, other = map(architecture_of, CHANGES[change]())
    again, _ = map(architecture_of, CHANGES[change]())
    assert one != other
    assert again == one


def test_a_global_that_code_reads_is_in_the_digest(monkeypatch):
    before = architecture_of(Own())
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 3.0)
    assert architecture_of(Own()) != before


def test_what_matters_in_training_alone_does_not_change_the_digest(tmp_path):
    model = models.convolutional()
    before = architecture_of(model)
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(FEATURES, np.zeros((len(FEATURES), 2)), verbose=0)
    assert architecture_of(model) == before
    model.trainable = False
    assert architecture_of(model) == before


def test_shapes_that_follow_from_the_first_batch_do_not_change_the_digest():
    one, other = (keras.Sequential([layers.Conv1D(4, 3), layers.LSTM(5)], name="model") for _ in range(2))
    one(FEATURES)
    other(FEATURES[:2])
    assert architecture_of(one) == architecture_of(other)


@pytest.mark.parametrize("name", sorted(MADE.keys() - {"written"}))
def test_a_model_that_was_saved_or_cloned_has_the_same_digest(name, tmp_path):
    model = MADE[name]()
    model.save(tmp_path / "model.keras")
    expected = architecture_of(model)
    assert architecture_of(keras.saving.load_model(tmp_path / "model.keras")) == expected
    assert architecture_of(keras.models.clone_model(model)) == expected


def test_another_process_has_the_same_digests():
    given = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); "
    given += "from tests.collecting import test_architecture as t; t.tell()"
    # Sets have another order there.
    done = subprocess.run(
        [sys.executable, "-c", given], env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == digests()


def digests():
    made = [make() for make in MADE.values()]
    return [architecture_of(model) for model in (*made, Own(), next(iter(CHANGES["what a Lambda holds"]())))]


def tell():
    print(*digests())


def test_a_large_matrix_to_begin_with_is_not_written_out(monkeypatch):
    first = keras.initializers.Constant(np.ones((11, 3), np.float32))
    model = keras.Sequential([keras.Input((8,)), layers.Embedding(11, 3, embeddings_initializer=first), layers.LSTM(4)])
    monkeypatch.setattr(keras.initializers.Constant, "get_config", pytest.fail)
    architecture_of(model)
    assert model.layers[0].embeddings_initializer is first


def test_two_threads_that_describe_one_layer_leave_its_initializers():
    inside, described = threading.Event(), threading.Event()

    class Slow(keras.layers.Embedding):
        def get_config(self):
            if threading.current_thread() is second:
                inside.set()
                described.wait(5)
            elif not second.is_alive():
                second.start()
                # With one at a time the second one does not come in.
                inside.wait(0.5)
            return super().get_config()

    layer = Slow(3, 2, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((4,)), layer])
    second = threading.Thread(target=architecture_of, args=(model,))
    architecture_of(model)
    described.set()
    second.join()
    assert isinstance(layer.embeddings_initializer, keras.initializers.Ones)
