"""Gradients of every weight, input and start: against finite differences, Keras, and one path against the other."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from .building import LENGTHS, MASKS, RIGHT, B, H, P, T, ours, ragged, shared, starts, theirs

OPTIONS = {
    "lstm all": {"peepholes": True, "projection": P, "cell_clip": 0.4, "projection_clip": 0.3, "forget_bias": 1.0},
    "gru": {},
    "gru before": {},
    "simple_rnn": {},
}


def factors(states, seed=6):
    """Random weights of a loss that reads every state at every step."""
    random = np.random.default_rng(seed)
    return [random.normal(size=values.shape) for values in states]


def loss_of(states, weights):
    return sum(
        tf.reduce_sum(values * tf.cast(weight, values.dtype)) for values, weight in zip(states, weights, strict=True)
    )


def gradients(layer, inputs, start, loss, **counting):
    """Give the loss' gradients of inputs, initial states and weights by name, and the states."""
    sources = {"inputs": tf.constant(inputs)} | {f"start {n}": tf.constant(a) for n, a in enumerate(start)}
    with tf.GradientTape() as tape:
        tape.watch(list(sources.values()))
        inputs, *start = sources.values()
        states = layer(inputs, initial_state=start, **counting)
        value = loss(states)
    sources |= {weight.name: weight for weight in layer.trainable_variables}
    made = tape.gradient(value, list(sources.values()))
    return {name: gradient.numpy() for name, gradient in zip(sources, made, strict=True)}, states


def assert_near(ours, theirs, tolerance):
    """Compare gradients, each to a part of its largest value."""
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        scale = max(np.abs(expected).max(), 1e-3)
        np.testing.assert_allclose(ours[name] / scale, expected / scale, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize("case, way", [*((case, "holes") for case in OPTIONS), ("lstm all", "lengths")])
def test_gradients_are_central_finite_differences(case, way):
    kind = "lstm looped" if case.startswith("lstm") else case
    layer = ours(kind, dtype="float64", go_backwards=way == "holes", **OPTIONS[case])
    counting = {"lengths": LENGTHS} if way == "lengths" else {"mask": MASKS["holes"]}
    inputs = ragged("float64")
    start = [a.astype("float64") for a in starts(case, width=P if case == "lstm all" else H)]
    weights = factors(layer(inputs, initial_state=start, **counting))
    made, _ = gradients(layer, inputs, start, lambda states: loss_of(states, weights), **counting)
    arrays = {"inputs": inputs} | {f"start {n}": a for n, a in enumerate(start)}
    arrays |= {weight.name: weight.numpy().copy() for weight in layer.trainable_variables}
    random = np.random.default_rng(8)
    # One random direction tests all elements of an array at once.
    for name in arrays:
        direction = random.normal(size=arrays[name].shape)
        expected = _difference(layer, arrays, name, direction, weights, counting)
        assert np.sum(made[name] * direction) == pytest.approx(expected, rel=1e-6, abs=1e-7), name


def _difference(layer, arrays, name, direction, weights, counting, step=1e-6):
    values = []
    for sign in (1, -1):
        moved = {**arrays, name: arrays[name] + sign * step * direction}
        layer.set_weights([moved[weight.name] for weight in layer.weights])
        start = [array for key, array in moved.items() if key.startswith("start")]
        values.append(loss_of(layer(moved["inputs"], initial_state=start, **counting), weights).numpy())
    layer.set_weights([arrays[weight.name] for weight in layer.weights])
    return (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_gradients_are_those_of_keras_own_layer(case):
    layer, keras_layer, inputs, start = shared(case), theirs(case), ragged(), starts(case)
    keras_layer.set_weights(layer.get_weights())
    every = np.random.default_rng(6).normal(size=(B, T, H)) * RIGHT[:, :, np.newaxis]
    ends = factors(start, seed=7)

    def loss(hidden, final):
        return loss_of([hidden], [every]) + loss_of(final, ends)

    made, _ = gradients(layer, inputs, start, lambda states: loss(states.hidden, states.last), lengths=LENGTHS)
    expected, _ = gradients(keras_layer, inputs, start, lambda made: loss(made[0], made[1:]), mask=tf.constant(RIGHT))
    assert_near(made, expected, 1e-5)


FUSED = {
    "plain": {},
    "clip": {"cell_clip": 0.4},
    "peepholes, bias, backward": {"peepholes": True, "forget_bias": 1.0, "go_backwards": True},
    "wide": {"units": 130},  # which takes another way than few
    "wide, peepholes": {"units": 130, "peepholes": True},
}


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize(
    "options, way",
    [
        ("plain", "none"),
        ("clip", "lengths"),
        ("peepholes, bias, backward", "holes"),
        ("wide", "none"),
        ("wide, peepholes", "lengths"),
    ],
)
def test_the_fused_path_has_the_gradients_of_the_loop_in_float64(options, way):
    fast = shared("lstm", **FUSED[options])
    exact = shared("lstm looped", dtype="float64", **FUSED[options])
    counting = {"none": {}, "lengths": {"lengths": LENGTHS}, "holes": {"mask": MASKS["holes"]}}[way]
    inputs, start = ragged(), starts("lstm", fast.units)
    weights = factors([np.empty((B, T, fast.units))] * 2)
    made, states = gradients(fast, inputs, start, lambda states: loss_of(states, weights), **counting)
    expected, wanted = gradients(
        exact, np.float64(inputs), [np.float64(a) for a in start], lambda states: loss_of(states, weights), **counting
    )
    assert_near(made, expected, 1e-5)
    for left, right in zip(states, wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-5)
    if "cell_clip" in FUSED[options]:
        clipped = np.abs(states.cell.numpy()[RIGHT & MASKS["holes"]]) == np.float32(0.4)
        assert 0.05 < clipped.mean() < 0.95


def test_a_clip_that_the_gradient_forgot_would_be_seen():
    inputs, start, weights = ragged(), starts("lstm"), factors([np.empty((B, T, H))] * 2)
    clipped, free = (
        gradients(shared("lstm", **options), inputs, start, lambda states: loss_of(states, weights), lengths=LENGTHS)[0]
        for options in (FUSED["clip"], FUSED["plain"])
    )
    with pytest.raises(AssertionError):
        assert_near(clipped, free, 1e-2)


@pytest.mark.usefixtures("graphs_as_they_are")
def test_narrow_gradients_are_near_those_of_float32():
    inputs, start, weights = ragged(), starts("lstm"), factors([np.empty((B, T, H))] * 2)
    narrow, exact = (
        gradients(layer, inputs, start, lambda states: loss_of(states, weights), lengths=LENGTHS)[0]
        for layer in (shared("lstm", dtype="mixed_float16"), shared("lstm"))
    )
    assert_near(narrow, exact, 0.01)


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize(
    "case, backward",
    [("lstm", False), ("lstm", True), ("lstm looped", False), ("gru", True), ("simple_rnn", False)],
)
def test_the_states_of_every_step_are_differentiable_in_what_was_read_and_in_nothing_else(case, backward):
    layer = shared(case, go_backwards=True) if backward else shared(case)
    inputs, start = tf.constant(ragged()), starts(case)
    for state, step in itertools.product(range(len(start)), range(T)):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(layer(inputs, lengths=LENGTHS, initial_state=start)[state][:, step])
        depends = np.abs(tape.gradient(total, inputs)).max(axis=2) > 0
        for row, length in enumerate(LENGTHS):
            read = np.zeros(T, bool)
            if step < length:
                read[slice(step, length) if backward else slice(step + 1)] = True
            np.testing.assert_array_equal(depends[row], read, err_msg=f"row {row}, state at {step}")


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_a_batch_of_empty_sequences_has_no_gradient_but_that_of_where_it_started(case):
    layer, start = shared(case), starts(case)
    made, _ = gradients(
        layer, ragged(), start, lambda states: loss_of([*states, *states.last], factors([*states, *states.last])),
        lengths=np.zeros(B, int),
    )  # fmt: skip
    for name, gradient in made.items():
        assert np.isfinite(gradient).all(), name
        assert gradient.any() == name.startswith("start"), name


def registered_and_difference(op, **options):
    """Give the slope of a loss in one direction of the weights, by an op's registered gradient and by differences."""
    random = np.random.default_rng(0)
    x, cell, hidden, w = (
        random.normal(size=n).astype("float32") / 2 for n in ((T, 2, 3), (2, H), (2, H), (3 + H, 4 * H))
    )
    factor, direction = random.normal(size=(T, 2, H)).astype("float32"), random.normal(size=w.shape).astype("float32")
    none, biases = tf.zeros([H]), tf.zeros([4 * H])

    def loss(w):
        made = op(seq_len_max=np.int64(T), x=x, cs_prev=cell, h_prev=hidden, w=w, wci=none, wcf=none, wco=none,
                  b=biases, use_peephole=False, **options)  # fmt: skip
        return tf.reduce_sum(made.h * factor)

    with tf.GradientTape() as tape:
        tape.watch(w := tf.constant(w))
        value = loss(w)
    difference = (loss(w + 1e-2 * direction) - loss(w - 1e-2 * direction)) / 2e-2
    return float(tf.reduce_sum(tape.gradient(value, w) * direction)), float(difference)


def test_the_gradient_that_tensorflow_registers_for_its_newer_fused_op_is_wrong():
    """Why the layers do not leave it to ``BlockLSTMV2``; that of ``BlockLSTM`` shows that the check can pass."""
    older = registered_and_difference(tf.raw_ops.BlockLSTM, forget_bias=0.0, cell_clip=-1.0)
    newer = registered_and_difference(tf.raw_ops.BlockLSTMV2, cell_clip=0.0)
    assert older[0] == pytest.approx(older[1], rel=0.02)
    if newer[0] == pytest.approx(newer[1], rel=0.02):
        pytest.skip(f"TensorFlow {tf.__version__} has mended it; fused.py may be simpler from here on.")


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru"])
def test_a_tape_that_persists_gives_the_same_gradients_even_at_the_first_call_of_a_layer(case):
    # For such a tape TensorFlow also makes, but does not run, the gradients of gradients: they may not fail as made.
    inputs, start, made = tf.constant(ragged()), starts(case), []
    for layer, persistent in ((shared(case), False), (ours(case), True)):
        with tf.GradientTape(persistent=persistent) as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs, lengths=LENGTHS, initial_state=start)[-1] ** 2)
        made.append(tape.gradient(loss, [inputs, *layer.trainable_variables]))
    for once, often in zip(*made, strict=True):
        assert np.abs(once).max() > 0
        np.testing.assert_allclose(once, often, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("graphs_as_they_are")
def test_the_loop_has_gradients_of_gradients():
    layer, inputs = shared("lstm looped", dtype="float64"), tf.constant(ragged("float64"))
    direction = np.random.default_rng(5).normal(size=inputs.shape)

    def slope(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            states = layer(inputs, lengths=LENGTHS)
            loss = tf.reduce_sum(states.hidden**2) + tf.reduce_sum(states.cell**3)
        return tf.reduce_sum(tape.gradient(loss, inputs) ** 2)

    # All of them under the tape, so that they run the same graphs.
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = slope(inputs)
        difference = (slope(inputs + 1e-6 * direction) - slope(inputs - 1e-6 * direction)) / 2e-6
    second = np.sum(tape.gradient(value, inputs) * direction)
    assert second == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.usefixtures("graphs_as_they_are")
def test_gradients_of_gradients_of_the_fused_path_are_refused_or_right_but_never_silently_wrong():
    # The op's own gradient knows nothing of its gates: left to TensorFlow, a graph gives wrong numbers without a word.
    inputs = tf.constant(ragged())

    def second(layer):
        @tf.function
        def run():
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    inner.watch(inputs)
                    states = layer(inputs, lengths=LENGTHS)
                    loss = tf.reduce_sum(states.hidden**2) + tf.reduce_sum(states.cell**3)
                slope = tf.reduce_sum(inner.gradient(loss, inputs) ** 2)
            return outer.gradient(slope, [weight.value for weight in layer.trainable_variables])

        return run()

    try:
        made = second(shared("lstm"))
    except Exception as reason:
        if "fused=False" not in str(reason):
            raise
        return
    for left, right in zip(made, second(shared("lstm looped")), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-4)


def test_a_layer_trains_as_keras_own_does():
    inputs, targets = ragged(), np.random.default_rng(3).normal(size=(B, H)).astype("float32")
    layer, keras_layer = ours("lstm"), theirs("lstm")
    optimisers = [keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)]
    for _ in range(3):
        for recurrent, optimiser in zip((layer, keras_layer), optimisers, strict=True):
            counting = {"lengths": LENGTHS} if recurrent is layer else {"mask": tf.constant(RIGHT)}
            with tf.GradientTape() as tape:
                made = recurrent(inputs, **counting)
                last = made.last.hidden if recurrent is layer else made[1]
                loss = tf.reduce_sum((last - targets) ** 2)
            optimiser.apply(tape.gradient(loss, recurrent.trainable_variables), recurrent.trainable_variables)
    for left, right in zip(layer.get_weights(), keras_layer.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-5)
