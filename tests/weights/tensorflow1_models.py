"""What TensorFlow 1 computes itself: its own cells, run under ``dynamic_rnn`` step by step, without a graph."""

import functools
import warnings

import numpy as np

import rnnstates
from rnnstates.runtime.tensorflow_start import import_tensorflow

from ..builders import engines_for

LENGTHS = np.array([4, 2, 0, 1])
ATOL = {"float32": 1e-6, "float64": 1e-12}
SUFFIX = "model.ckpt-7"


def collecting(name):
    """TensorFlow 1's class of that name, but that its output is all its states, in the order (c, h) of each layer."""
    tf = import_tensorflow()
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    base = getattr(rnn_cell_impl, name)

    class Collecting(base):
        @property
        def output_size(self):
            return sum(tf.nest.flatten(self.state_size))

        def call(self, inputs, state):
            _, state = super().call(inputs, state)
            return tf.concat(tf.nest.flatten(state), 1), state

    Collecting.__name__ = name  # variables are named after it
    return Collecting


def single(name, **settings):
    """One cell under ``dynamic_rnn``."""

    def build(tf, inputs, lengths, dtype):
        cell = collecting(name)(5, dtype=dtype, **settings)
        outputs, final = tf.nn.dynamic_rnn(cell, inputs, lengths, dtype=dtype)
        return [("", cell, outputs, final)]

    return build


def cells_of(several, dtype):
    """Cells that feed each other: the first has a projection."""
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl as cells

    lowest = cells.LSTMCell(5, num_proj=2, use_peepholes=True, dtype=dtype)
    return several([lowest, cells.BasicLSTMCell(4, dtype=dtype), cells.GRUCell(6, dtype=dtype)])


def stacked(tf, inputs, lengths, dtype):
    """Three cells in a MultiRNNCell."""
    cell = cells_of(collecting("MultiRNNCell"), dtype)
    outputs, final = tf.nn.dynamic_rnn(cell, inputs, lengths, dtype=dtype, scope="encoder")
    return [("layer{}", cell, outputs, final)]


def both_ways(tf, inputs, lengths, dtype):
    """Cells of different sizes, forward and backward."""
    cells = collecting("BasicLSTMCell")(5, dtype=dtype), collecting("GRUCell")(4, dtype=dtype)
    outputs, finals = tf.nn.bidirectional_dynamic_rnn(*cells, inputs, lengths, dtype=dtype, scope="a/b")
    return list(zip(("layer0/forward", "layer0/backward"), cells, outputs, finals, strict=True))


def apart(tf, inputs, lengths, dtype):
    """A MultiRNNCell in each direction: the directions never meet between layers."""
    cells = [cells_of(collecting("MultiRNNCell"), dtype) for _ in range(2)]
    outputs, finals = tf.nn.bidirectional_dynamic_rnn(*cells, inputs, lengths, dtype=dtype)
    return list(zip(("layer{}/forward", "layer{}/backward"), cells, outputs, finals, strict=True))


def stacked_both_ways(tf, inputs, lengths, dtype):
    """``stack_bidirectional_dynamic_rnn``: each layer reads both directions of the one below."""
    found = []
    with tf.variable_scope("stack_bidirectional_rnn"):
        for number, units in enumerate((5, 4)):
            with tf.variable_scope(f"cell_{number}"):
                cells = [collecting("LSTMCell")(units, dtype=dtype) for _ in range(2)]
                outputs, finals = tf.nn.bidirectional_dynamic_rnn(*cells, inputs, lengths, dtype=dtype)
            paths = f"layer{number}/forward", f"layer{number}/backward"
            found += zip(paths, cells, outputs, finals, strict=True)
            inputs = tf.concat([states[..., units:] for states in outputs], 2)
    return found


CLIPPED = {"use_peepholes": True, "cell_clip": 0.4, "num_proj": 2, "proj_clip": 0.15, "forget_bias": 0.3}
# By name: how it is built, and what the checkpoint does not say.
CASES = {
    "basic lstm": (single("BasicLSTMCell"), {}),
    "lstm": (single("LSTMCell"), {}),
    "lstm with all": (
        single("LSTMCell", activation="relu", **CLIPPED),
        {"cell_clip": 0.4, "projection_clip": 0.15, "forget_bias": 0.3, "activation": "relu"},
    ),
    "gru": (single("GRUCell"), {}),
    "basic rnn": (single("BasicRNNCell"), {}),
    "stacked": (stacked, {}),
    "both ways": (both_ways, {}),
    "apart": (apart, {}),
    "stacked both ways": (stacked_both_ways, {}),
}


def parts(path, cell):
    """Give the path, name and width of each state, in the order of their flattening."""
    inside = list(getattr(cell, "_cells", [cell]))
    for number, one in enumerate(inside):
        sizes = one.state_size if isinstance(one.state_size, tuple) else (one.state_size,)
        names = ("cell", "hidden") if len(sizes) == 2 else ("hidden",)
        yield from ((path.format(number), name, size) for name, size in zip(names, sizes, strict=True))


def run(build, random):
    """Give random values to the variables that a program of TensorFlow 1 makes, and run it once more with them."""
    from tensorflow.python.ops.variable_scope import EagerVariableStore

    store, values = EagerVariableStore(), {}
    with warnings.catch_warnings(), store.as_default():
        warnings.simplefilter("ignore")  # its own deprecation
        build()
        for variable in store.variables():
            name = variable.name.removesuffix(":0")
            values[name] = random.normal(size=variable.shape).astype(variable.dtype.as_numpy_dtype) * 0.7
            variable.assign(values[name])
        return values, build()


@functools.cache
def asked(case, dtype):
    """What TensorFlow 1 says: the inputs, the variables by name, all states and the final ones by our names."""
    tf = import_tensorflow()
    random = np.random.default_rng(3)
    inputs = random.normal(size=(len(LENGTHS), LENGTHS.max(), 3)).astype(dtype)
    variables, built = run(lambda: CASES[case][0](tf.compat.v1, tf.constant(inputs), LENGTHS, dtype), random)
    expected = {}
    for path, cell, collected, final in built:
        places = list(parts(path, cell))
        pieces = np.split(collected, np.cumsum([size for *_, size in places])[:-1], axis=-1)
        for (place, name, _), piece, last in zip(places, pieces, tf.nest.flatten(final), strict=True):
            expected[f"{place}/{name}".lstrip("/")] = piece, last
    return inputs, variables, expected


def session():
    """Start a session that runs a graph as it is: a graph that is run once is not worth making faster."""
    v1 = import_tensorflow().compat.v1
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return v1.Session(config=config)


def initialise(running, random, scale=1.0):
    """Give trainable variables random values in a session, and others their own."""
    v1 = import_tensorflow().compat.v1
    feeds = {
        variable.initializer.inputs[1]: random.normal(size=variable.shape).astype(variable.dtype.as_numpy_dtype) * scale
        for variable in v1.trainable_variables()
    }
    running.run(v1.global_variables_initializer(), feeds)


def write(path, arrays, version=2):
    """Write arrays as a checkpoint."""
    tf = import_tensorflow()
    names, values = list(arrays), list(arrays.values())
    with tf.device("cpu"):
        if version == 2:
            tf.raw_ops.SaveV2(prefix=str(path), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
        else:
            tf.raw_ops.Save(filename=str(path), tensor_names=names, data=values)
    return path


def check(path, case, precision, **options):
    """Hold each engine against TensorFlow."""
    inputs, _, expected = asked(case, precision)
    network = rnnstates.load_weights(path, **options)
    for engine in engines_for(network, precision):
        states = rnnstates.extract(
            inputs, LENGTHS, weights=network, engine=engine, precision=precision, pool=("final",)
        )
        for name, (values, final) in expected.items():
            np.testing.assert_allclose(states[name], values, rtol=0, atol=ATOL[precision])
            np.testing.assert_allclose(states[f"{name}_final"], final, rtol=0, atol=ATOL[precision])
