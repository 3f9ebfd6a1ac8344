"""ELMo's states equal those of TensorFlow 1's own cells, put together as the published model puts them together."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights

from .census import parity
from .elmo_models import (
    ATOL,
    DIRECTIONS,
    LENGTHS,
    LSTM,
    asked,
    extracted,
    largest_difference,
    of_each_engine,
    random_arrays,
    tensorflow_states,
    write,
)


@parity("elmo", "lstm")
@pytest.mark.parametrize("precision", sorted(ATOL))
def test_every_state_is_the_one_tensorflow_computes(precision, tmp_path):
    lstm, arrays, inputs, wanted = asked(precision)
    for states in of_each_engine(write(tmp_path / "elmo", arrays), inputs, precision):
        assert largest_difference(states, wanted, lstm) <= ATOL[precision]


@parity("elmo", "lstm")
@pytest.mark.parametrize(
    "changes",
    [
        {"use_skip_connections": False},
        {"cell_clip": None, "proj_clip": None},
        {"projection_dim": 5},
        {"n_layers": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_variant_of_the_options_is_the_one_tensorflow_computes(changes, tmp_path):
    lstm, arrays, inputs, wanted = asked("float64", **changes)
    for states in of_each_engine(write(tmp_path / "elmo", arrays, lstm), inputs):
        assert largest_difference(states, wanted, lstm) <= 1e-12


@parity("elmo", "lstm")
def test_inputs_as_wide_as_the_projection_are_distinguished_from_the_hidden_state(tmp_path):
    """So wide they always are in ELMo: the shapes alone would not show an exchange."""
    lstm, arrays, inputs, wanted = asked("float64", 2)
    for states in of_each_engine(write(tmp_path / "elmo", arrays), inputs):
        assert largest_difference(states, wanted, lstm) <= 1e-12


def test_both_clips_really_clip_so_that_a_missing_one_would_be_seen():
    _, _, _, wanted = asked("float64")
    for path, states in wanted.items():
        for name, clip in (("cell", LSTM["cell_clip"]), ("hidden", LSTM["proj_clip"])):
            share = np.mean(np.abs(states[name][0]) == clip)
            assert 0 < share < 1, (path, name)


def test_the_residual_goes_to_the_next_layer_but_not_into_the_recurrent_state(tmp_path):
    lstm, arrays, inputs, wanted = asked("float64")
    states = extracted(write(tmp_path / "elmo", arrays), inputs)
    for direction in DIRECTIONS:
        below, middle, above = (states[f"layer{number}/{direction}/hidden"] for number in range(3))
        # What ELMo gives out, as the note says.
        np.testing.assert_allclose(wanted[f"layer0/{direction}"]["emitted"], below, atol=1e-12)
        np.testing.assert_allclose(wanted[f"layer1/{direction}"]["emitted"], middle + below, atol=1e-12)
        np.testing.assert_allclose(wanted[f"layer2/{direction}"]["emitted"], above + middle + below, atol=1e-12)
    without = extracted(write(tmp_path / "without", arrays, lstm | {"use_skip_connections": False}), inputs)
    np.testing.assert_array_equal(without["layer1/forward/hidden"], states["layer1/forward/hidden"])
    assert np.abs(without["layer2/forward/hidden"] - states["layer2/forward/hidden"]).max() > 0.01


def test_the_two_directions_never_meet(tmp_path):
    _, arrays, inputs, _ = asked("float64")
    states = extracted(write(tmp_path / "elmo", arrays), inputs)
    other = {name: values if name.startswith("RNN_0") else values[::-1] for name, values in arrays.items()}
    changed = extracted(write(tmp_path / "other", other), inputs)
    for number in range(3):
        path = f"layer{number}/forward/hidden"
        np.testing.assert_array_equal(states[path], changed[path])
        path = f"layer{number}/backward/hidden"
        assert np.abs(states[path] - changed[path]).max() > 0.01


def test_the_forget_bias_is_added_once(tmp_path):
    lstm, arrays, inputs, _ = asked("float64")
    path = write(tmp_path / "elmo", arrays)
    network = rnnstates.load_weights(path)
    assert {weights.forget_bias for _, _, _, weights in network.parts()} == {1.0}
    stored = arrays["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B"]
    np.testing.assert_array_equal(network.layers[0].forward.bias[5:10], stored[10:15])
    for wrong in (0.0, 2.0):
        others = tensorflow_states(arrays, lstm, inputs, wrong)
        assert largest_difference(extracted(path, inputs), others, lstm) > 0.01


@pytest.mark.parametrize("first, second", [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
def test_exchanging_two_gates_would_be_seen(first, second, tmp_path):
    lstm, arrays, inputs, wanted = asked("float64")
    exchanged = {}
    for name, values in arrays.items():
        blocks = np.split(values, 4, axis=-1) if "W_P" not in name else []
        if blocks:
            blocks[first], blocks[second] = blocks[second], blocks[first]
        exchanged[name] = np.concatenate(blocks, axis=-1) if blocks else values
    states = extracted(write(tmp_path / "elmo", exchanged), inputs)
    assert largest_difference(states, wanted, lstm) > 0.01


def test_shards_are_rows_put_together_in_the_order_of_their_numbers(tmp_path):
    """Twelve of them: in the order of their names, W_10 would stand before W_2."""
    lstm = LSTM | {"projection_dim": 13, "dim": 14, "n_layers": 1}
    arrays = random_arrays(lstm)
    sharded = {}
    for name, values in arrays.items():
        parts = np.array_split(values, 12) if name.endswith("_0") else [values]
        sharded |= {name.removesuffix("_0") + (f"_{n}" if len(parts) > 1 else ""): part for n, part in enumerate(parts)}
    assert "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_11" in sharded
    whole = rnnstates.load_weights(write(tmp_path / "whole", arrays, lstm)).layers[0]
    joined = rnnstates.load_weights(write(tmp_path / "sharded", sharded, lstm)).layers[0]
    for name in ("kernel", "recurrent_kernel", "projection"):
        np.testing.assert_array_equal(getattr(joined.backward, name), getattr(whole.backward, name))


def test_the_weights_may_be_named_where_the_options_lie_beside_them(tmp_path):
    _, arrays, inputs, _ = asked("float64")
    path = write(tmp_path / "elmo", arrays)
    wanted = extracted(path, inputs)
    (path / "weights.hdf5").rename(path / "small_weights.hdf5")
    (path / "options.json").rename(path / "small_options.json")
    for named in (path, path / "small_weights.hdf5"):
        states = extracted(named, inputs)
        np.testing.assert_array_equal(states["layer2/backward/cell"], wanted["layer2/backward/cell"])


def test_weights_without_their_options_are_refused_with_the_reason(tmp_path):
    path = write(tmp_path / "elmo", asked("float32")[1])
    (path / "options.json").unlink()
    with pytest.raises(BadWeights, match=r"in options\.json, which is missing; .* give the folder"):
        rnnstates.load_weights(path / "weights.hdf5")


def test_a_layer_can_be_chosen(tmp_path):
    _, arrays, inputs, wanted = asked("float64")
    path = write(tmp_path / "elmo", arrays)
    states = rnnstates.extract(inputs, LENGTHS, weights=path, layer="Cell1", precision="float64", engine="numpy")
    assert not [name for name in states.datasets if name.startswith("layer2")]
    np.testing.assert_allclose(states["layer1/backward/cell"], wanted["layer1/backward"]["cell"], atol=1e-12)


def test_forward_alone_is_read_where_the_options_say_so(tmp_path):
    _, arrays, inputs, wanted = asked("float64")
    forward = {name: values for name, values in arrays.items() if name.startswith("RNN_0")}
    states = extracted(write(tmp_path / "elmo", forward, bidirectional=False), inputs)
    np.testing.assert_allclose(states["layer2/cell"], wanted["layer2/forward"]["cell"], atol=1e-12)
    with pytest.raises(BadWeights, match="has Cell0 forward; expected backward and forward, because"):
        rnnstates.load_weights(write(tmp_path / "elmo", forward))
    with pytest.raises(BadWeights, match="has Cell0 backward and forward; expected forward, because"):
        rnnstates.load_weights(write(tmp_path / "elmo", arrays, bidirectional=False))


def test_what_is_assumed_is_noted(tmp_path):
    lstm = {name: value for name, value in LSTM.items() if "clip" not in name}
    path = write(tmp_path / "elmo", random_arrays(LSTM), lstm)
    notes = "\n".join(rnnstates.load_weights(path).notes)
    assert "ELMo's encoder, which is not run (char_embed, CNN/W_cnn_0, …)" in notes
    assert "states start from zero" in notes
    assert "layer1/forward/hidden + layer0/forward/hidden" in notes
    assert "options.json has no cell_clip and no proj_clip, so none is applied" in notes
    write(tmp_path / "elmo", random_arrays(LSTM))
    assert not [note for note in rnnstates.load_weights(path).notes if "none is applied" in note]


def test_what_the_options_say_is_reported_as_if_from_the_file(tmp_path):
    network = rnnstates.load_weights(write(tmp_path / "elmo", random_arrays(LSTM)))
    reported = network.origin["layers"][0]
    assert reported["cell_clip"] == "0.6 (file)"
    assert reported["projection_clip"] == "0.2 (file)"
    assert (reported["features"], reported["units"], reported["projected"]) == (3, 5, 2)
    assert network.origin["source_format"] == "ELMo (HDF5 with options)"


@pytest.mark.parametrize(
    "name, message",
    [
        ("RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_F_diag", "Cell0/LSTMCell/W_F_diag', which ELMo's LSTM does not have"),
        ("RNN_1/RNN/MultiRNNCell/Cell1/LayerNorm/gamma", "LayerNorm/gamma', which ELMo's LSTM does not have"),
        ("RNN_2/RNN/MultiRNNCell/Cell0/LSTMCell/W_0", "'RNN_2/RNN/MultiRNNCell/Cell0/LSTMCell/W_0', which ELMo's"),
        ("RNN_0/RNN/MultiRNNCell/Cell3/LSTMCell/W_0", r"holds the layers \[0, 1, 2, 3\], but options.json says n_l"),
        ("RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_2", r"Cell1 \(forward\): has shards \[0, 2\] of W; some are missing"),
        ("RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_1", r"Cell1.*do not fit each other"),
    ],
)
def test_arrays_that_elmo_does_not_have_are_refused(name, message, tmp_path):
    path = write(tmp_path / "elmo", random_arrays(LSTM) | {name: np.ones((3, 7), "f4")})
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(path)


@pytest.mark.parametrize(
    "leaf, message",
    [("W_0", "has only B, W_P_0"), ("B", "has only W_0, W_P_0"), ("W_P_0", "has only B, W_0; expected W_0, B and W_P")],
)
def test_a_missing_array_is_reported(leaf, message, tmp_path):
    arrays = random_arrays(LSTM)
    del arrays[f"RNN_1/RNN/MultiRNNCell/Cell2/LSTMCell/{leaf}"]
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(write(tmp_path / "elmo", arrays))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"dim": 6}, r"W has shape \(5, 20\); expected \(5, 24\), as options.json says"),
        ({"projection_dim": 1}, r"W_P has shape \(5, 2\); expected \(5, 1\), as options.json says"),
        ({"projection_dim": 7}, r"W has shape \(5, 20\); expected more than 7 rows, as options.json says"),
        ({"n_layers": 2}, r"holds the layers \[0, 1, 2\], but options.json says n_layers 2"),
    ],
    ids=str,
)
def test_options_of_another_model_are_reported(changes, message, tmp_path):
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(write(tmp_path / "elmo", random_arrays(LSTM), LSTM | changes))
