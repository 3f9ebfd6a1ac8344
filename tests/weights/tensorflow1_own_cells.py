"""Cells that a program of TensorFlow 1 writes itself, of an LSTMCell's shapes, and what it makes of them.

Each function gives the new states (c, h) of one step, or the new hidden state of a GRU or simple cell.
"""

import warnings

import numpy as np

from rnnstates.runtime.tensorflow_start import import_tensorflow

from .tensorflow1_models import initialise, session

LENGTHS = np.array([3, 2, 0, 1])
FEATURES, UNITS = 3, 4


def lstm(tf, z, c, *, order="ijfo", bias=1.0, act=None, out=None, gate=None, change=lambda c: c):
    """One step of an LSTM from its product."""
    act, gate = act or tf.tanh, gate or tf.sigmoid
    parts = dict(zip(order, tf.split(z, 4, axis=1), strict=True))
    c = change(c * gate(parts["f"] + bias) + gate(parts["i"]) * act(parts["j"]))
    return c, (out or act)(c) * gate(parts["o"])


def product(tf, x, h, get, *, swapped=False, columns=4 * UNITS, name=""):
    """``[x, h] @ kernel + bias``."""
    kernel = get(f"{name}kernel", (FEATURES + UNITS, columns))
    return tf.matmul(tf.concat([h, x] if swapped else [x, h], 1), kernel) + get(f"{name}bias", (columns,))


def of_lstm(**settings):
    """An LSTM whose product and step take settings of their own."""
    swapped = settings.pop("swapped", False)
    return lambda tf, x, c, h, get: lstm(tf, product(tf, x, h, get, swapped=swapped), c, **settings)


def cut_rows(tf, x, c, h, get):
    """Two products, each with rows of the kernel."""
    kernel = get("kernel", (FEATURES + UNITS, 4 * UNITS))
    z = tf.matmul(x, kernel[:FEATURES]) + tf.matmul(h, kernel[FEATURES:]) + get("bias", (4 * UNITS,))
    return lstm(tf, z, c)


def cut_rows_swapped(tf, x, c, h, get):
    """The same with the rows of the hidden state first, and columns taken by slices."""
    of_h, of_x = tf.split(get("kernel", (FEATURES + UNITS, 4 * UNITS)), [UNITS, FEATURES], axis=0)
    z = tf.nn.bias_add(tf.matmul(x, of_x) + tf.matmul(h, of_h), get("bias", (4 * UNITS,)))
    i, j, f, o = (z[:, gate * UNITS : (gate + 1) * UNITS] for gate in range(4))
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(j)
    return c, tf.sigmoid(o) * tf.tanh(c)


def layer_norm(tf, x, c, h, get):
    """An LSTM that normalises its product without variables of its own."""
    z = product(tf, x, h, get)
    mean, variance = tf.nn.moments(z, [1], keep_dims=True)
    return lstm(tf, (z - mean) * tf.rsqrt(variance + 1e-6), c)


def ignored_gate(tf, x, c, h, get):
    """The hidden state without an output gate."""
    c, _ = lstm(tf, product(tf, x, h, get), c)
    return c, tf.nn.relu(c)


def coupled(tf, x, c, h, get):
    """One minus the forget gate in place of the input gate."""
    _, j, f, o = tf.split(product(tf, x, h, get), 4, axis=1)
    kept = tf.sigmoid(f + 1.0)
    c = c * kept + (1.0 - kept) * tf.tanh(j)
    return c, tf.tanh(c) * tf.sigmoid(o)


def handed_on(tf, x, c, h, get):
    """The hidden state that is handed on is not the one that stands in the output."""
    c, h = lstm(tf, product(tf, x, h, get), c)
    return c, tf.nn.relu(h)


def kept_cell(tf, x, c, h, get):
    """The cell state is clipped only where it is handed on."""
    c, h = lstm(tf, product(tf, x, h, get), c)
    return tf.clip_by_value(c, -0.2, 0.2), h


def zoneout(tf, x, c, h, get):
    """Part of the state before, as zoneout keeps it once it is trained."""
    c, new = lstm(tf, product(tf, x, h, get), c)
    return c, 0.9 * new + 0.1 * h


def dropped(tf, x, c, h, get):
    """Dropout of inputs and state, which is off where the rate is fed as 0."""
    rate = tf.placeholder_with_default(np.float32(0), ())
    c, h = lstm(tf, product(tf, tf.nn.dropout(x, rate=rate), h, get), c)
    return c, tf.nn.dropout(h, rate=rate)


def masked(tf, x, c, h, get):
    """New states in the rows of a mask alone, which is fed as ones where it is not given."""
    mask = tf.placeholder_with_default(np.ones((1, 1), "f4"), (None, 1))
    new_c, new_h = lstm(tf, product(tf, x, h, get), c)
    return new_c * mask + c * (1 - mask), new_h * mask + h * (1 - mask)


def hard_gates(tf, x, c, h, get):
    """Gates of Keras' hard_sigmoid."""
    return lstm(tf, product(tf, x, h, get), c, gate=lambda z: tf.clip_by_value(0.2 * z + 0.5, 0.0, 1.0))


def biased_input(tf, x, c, h, get):
    """A constant on the input gate too."""
    i, j, f, o = tf.split(product(tf, x, h, get), 4, axis=1)
    c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i + 0.5) * tf.tanh(j)
    return c, tf.tanh(c) * tf.sigmoid(o)


def of_gru(*, order="ru", swapped=(False, False), mixed=lambda u, h, c: u * h + (1 - u) * c, act="tanh"):
    """A GRU of the names of GRUCell."""

    def step(tf, x, _c, h, get):
        gates = tf.sigmoid(product(tf, x, h, get, swapped=swapped[0], columns=2 * UNITS, name="gates/"))
        gate = dict(zip(order, tf.split(gates, 2, axis=1), strict=True))
        total = product(tf, x, gate["r"] * h, get, swapped=swapped[1], columns=UNITS, name="candidate/")
        return None, mixed(gate["u"], h, getattr(tf, act)(total))

    return step


def of_simple(*, swapped=False, act="tanh"):
    """A simple cell."""
    return lambda tf, x, _c, h, get: (None, getattr(tf, act)(product(tf, x, h, get, swapped=swapped, columns=UNITS)))


def save(path, step, *, loops, functions, scope="own"):
    """Save a program that runs a cell of its own with its graph; give its inputs and all its states.

    Parameters
    ----------
    loops : bool
        Whether it runs by ``dynamic_rnn``, and otherwise by ``static_rnn``.
    functions : bool
        Whether loops are functions, as TensorFlow writes them since 1.14.
    """
    tf = import_tensorflow()
    v1 = tf.compat.v1
    random = np.random.default_rng(5)
    values = random.normal(size=(len(LENGTHS), LENGTHS.max(), FEATURES)).astype("f4")
    switches = ("control_flow_v2", "resource_variables")
    for switch in switches if not functions else ():
        getattr(v1, f"disable_{switch}")()
    try:
        with tf.Graph().as_default(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cell = _cell(tf, step, scope)
            if loops:
                outputs, _ = v1.nn.dynamic_rnn(cell, tf.constant(values), LENGTHS, dtype="float32")
            else:
                outputs = tf.stack(
                    v1.nn.static_rnn(cell, tf.unstack(tf.constant(values), axis=1), dtype="float32")[0], 1
                )
            with session() as running:
                initialise(running, random)
                v1.train.Saver().save(running, str(path))
                return values, running.run(outputs)
    finally:
        for switch in switches:
            getattr(v1, f"enable_{switch}")()


def _cell(tf, step, name):
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    v1 = tf.compat.v1

    class Own(rnn_cell_impl.RNNCell):
        state_size = (UNITS, UNITS)
        output_size = 2 * UNITS

        def __call__(self, inputs, state, scope=None):
            with v1.variable_scope(name, reuse=v1.AUTO_REUSE):
                c, h = step(v1, inputs, *state, v1.get_variable)
            c = h if c is None else c
            return tf.concat([c, h], 1), (c, h)

    return Own()
