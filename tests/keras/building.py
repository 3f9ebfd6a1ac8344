"""Layers with random weights, ragged inputs, and what the states are by equations in NumPy."""

import functools

import keras
import numpy as np

from rnnstates.keras import StateGRU, StateLSTM, StateRNN

# All different, or exchanged axes and gates would go unseen.
B, T, I, H, P = 6, 8, 3, 5, 4
LENGTHS = np.array([8, 3, 0, 1, 6, 8])

# Our layer, Keras' own, and the options of both.
PAIRS = {
    "lstm": (StateLSTM, keras.layers.LSTM, {}),
    "lstm looped": (StateLSTM, keras.layers.LSTM, {}),
    "gru": (StateGRU, keras.layers.GRU, {"reset_after": True}),
    "gru before": (StateGRU, keras.layers.GRU, {"reset_after": False}),
    "simple_rnn": (StateRNN, keras.layers.SimpleRNN, {}),
}


def ours(case, units=H, *, seed=0, features=I, **options):
    """Build one of our layers with random weights; ``lstm looped`` is the one that leaves the fused op alone."""
    layer_class, _, more = PAIRS[case]
    more = {**more, "fused": False} if case == "lstm looped" else more
    return randomised(layer_class(units, **{**more, **options}), features, seed)


@functools.cache
def shared(case, **options):
    """The same, once: its graphs need not be traced for every test. Its weights stay as they are."""
    return ours(case, **options)


def theirs(case, units=H, *, seed=0, features=I, **options):
    """Build the layer of Keras, which gives its final states too."""
    layer = PAIRS[case][1](units, return_sequences=True, return_state=True, **{**PAIRS[case][2], **options})
    return randomised(layer, features, seed)


def randomised(layer, features=I, seed=0):
    """Give every weight a random value, biases too."""
    if not layer.built:
        layer.build((None, None, features))
    random = np.random.default_rng(seed)
    layer.set_weights([random.normal(size=weight.shape) * 0.5 for weight in layer.get_weights()])
    return layer


def by_name(layer):
    """The weights of a recurrent layer by their names, float64."""
    return {weight.name: weight.numpy().astype(np.float64) for weight in layer.weights}


def ragged(dtype="float32", *, rows=B, steps=T, features=I, seed=1):
    """Inputs [B, T, I]."""
    return np.random.default_rng(seed).normal(size=(rows, steps, features)).astype(dtype)


def starts(case, units=H, *, width=None, seed=2, rows=B):
    """Initial states in Keras' order: hidden, then cell."""
    random, widths = np.random.default_rng(seed), (width or units, units)
    count = 2 if case.startswith("lstm") else 1
    return [random.normal(size=(rows, wide)).astype("float32") for wide in widths[:count]]


def _masks():
    right = np.arange(T) < LENGTHS[:, np.newaxis]
    holes = np.random.default_rng(4).random((B, T)) < 0.6
    holes[1], holes[2] = True, False
    return {"right": right, "left": right[:, ::-1].copy(), "holes": holes}


# Which steps count, bool [B, T]: padded behind, padded in front, any.
MASKS = _masks()
RIGHT = MASKS["right"]


def ways(valid_of=MASKS):
    """The ways to say which steps count, by name: (arguments of the call, what they mean)."""
    by_mask = {f"mask {name}": ({"mask": mask}, mask) for name, mask in valid_of.items()}
    return {"none": ({}, np.ones((B, T), bool)), "lengths": ({"lengths": LENGTHS}, RIGHT), **by_mask}


# The equations once more, in the plainest words: one sequence, no batch, no padding.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(w, sequence, hidden, cell, *, activation=np.tanh, gate=sigmoid, forget_bias=0, **clips):
    cell_clip, projection_clip = clips.get("cell_clip", np.inf), clips.get("projection_clip", np.inf)
    peephole_i, peephole_f, peephole_o = w.get("peepholes", np.zeros((3, cell.size)))
    for x in sequence:
        i, f, c, o = np.split(x @ w["kernel"] + hidden @ w["recurrent_kernel"] + w.get("bias", 0), 4)
        kept = gate(f + forget_bias + peephole_f * cell) * cell
        cell = np.clip(kept + gate(i + peephole_i * cell) * activation(c), -cell_clip, cell_clip)
        hidden = gate(o + peephole_o * cell) * activation(cell)
        if "projection" in w:
            hidden = np.clip(hidden @ w["projection"], -projection_clip, projection_clip)
        yield hidden, cell


def gru(w, sequence, hidden, *, after=True, activation=np.tanh, gate=sigmoid):
    none = np.zeros(3 * hidden.size)
    bias, recurrent_bias = w.get("bias", (none, none)) if after else (w.get("bias", none), none)
    for x in sequence:
        x_z, x_r, x_c = np.split(x @ w["kernel"] + bias, 3)
        h_z, h_r, h_c = np.split(hidden @ w["recurrent_kernel"] + recurrent_bias, 3)
        z, r = gate(x_z + h_z), gate(x_r + h_r)
        if not after:
            h_c = (r * hidden) @ np.split(w["recurrent_kernel"], 3, axis=1)[2]
        candidate = activation(x_c + (r * h_c if after else h_c))
        hidden = z * hidden + (1 - z) * candidate
        yield (hidden,)


def simple_rnn(w, sequence, hidden, *, activation=np.tanh):
    for x in sequence:
        hidden = activation(x @ w["kernel"] + hidden @ w["recurrent_kernel"] + w.get("bias", 0))
        yield (hidden,)


EQUATIONS = {
    "lstm": lstm,
    "lstm looped": lstm,
    "gru": gru,
    "gru before": functools.partial(gru, after=False),
    "simple_rnn": simple_rnn,
}


def by_equations(case, weights, inputs, valid, start=None, *, backward=False, **options):
    """Give the states [B, T, W] of every step that counts, and those at the ends [B, W]; float64.

    Returns
    -------
    states, last : list of array
        ``states`` zero where a step does not count; ``last`` as they were started from for empty rows.
    """
    units = weights["kernel"].shape[1] // {"l": 4, "g": 3, "s": 1}[case[0]]
    widths = [weights["recurrent_kernel"].shape[0], units][: 2 if case.startswith("lstm") else 1]
    last = [np.zeros((len(inputs), width)) for width in widths] if start is None else [np.float64(a) for a in start]
    states = [np.zeros((*valid.shape, width)) for width in widths]
    for row, counts in enumerate(valid):
        places = np.flatnonzero(counts)[:: -1 if backward else 1]
        begun = [ends[row] for ends in last]
        for place, step in zip(
            places, EQUATIONS[case](weights, np.float64(inputs[row, places]), *begun, **options), strict=True
        ):
            for values, ends, made in zip(states, last, step, strict=True):
                values[row, place] = ends[row] = made
    return states, last


def assert_states(made, expected, tolerance=2e-6):
    """Compare all states of a tuple, hidden first."""
    assert len(made) == len(expected)
    for name, values, wanted in zip(made._fields, made, expected, strict=True):
        np.testing.assert_allclose(np.asarray(values).astype(np.float64), wanted, rtol=0, atol=tolerance, err_msg=name)
