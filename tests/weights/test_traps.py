"""Where converters of recurrent weights go wrong, trap by trap, and the test that would see it.

The table names the tests; those that have no other place stand below it.
"""

import importlib
import itertools

import numpy as np
import pytest

import rnnstates
from rnnstates import Network, RecurrentLayer
from rnnstates.weights.conventions import CONVENTIONS
from rnnstates.weights.convert import to_layer_weights

from ..builders import BUILT_ENGINES, cell_weights, ragged

HERE, OTHERS = "tests.weights.test_traps", "tests.weights.test_"

TRAPS = {
    "the forget bias of the run is forgotten, or added where it is stored, or added twice": [
        (HERE, "test_1_is_added_at_run_time_by_tensorflow_1_haiku_and_elmo_and_by_nobody_else"),
        (OTHERS + "tensorflow1", "test_a_cudnn_lstm_adds_nothing_to_its_forget_gate"),
        (OTHERS + "elmo", "test_the_forget_bias_is_added_once"),
        (OTHERS + "unirep", "test_nothing_is_added_to_the_forget_gate"),
    ],
    "gates are taken in another order, which all have the same shapes": [
        (HERE, "test_an_lstm_read_in_the_order_of_another_framework_gives_other_states"),
        (OTHERS + "onnx", "test_a_peephole_is_read_in_the_order_of_onnx"),
        (OTHERS + "elmo", "test_exchanging_two_gates_would_be_seen"),
        (OTHERS + "unirep", "test_exchanging_two_gates_would_be_seen"),
    ],
    "a matrix is transposed, which a square one hides": [
        (HERE, "test_a_transposed_matrix_is_refused_or_gives_other_states"),
    ],
    "the rows of the inputs and of the hidden state are exchanged": [
        (
            OTHERS + "tensorflow1",
            "test_the_rows_of_the_inputs_come_first_and_a_projection_has_as_many_rows_as_it_is_wide",
        ),
        (OTHERS + "haiku", "test_every_state_is_the_one_haiku_computes"),
    ],
    "the gates of a GRU, the place of its reset and the sense of its update differ": [
        (HERE, "test_a_gru_read_in_the_order_or_sense_of_another_framework_gives_other_states"),
        (OTHERS + "keras_cells", "test_a_gru_is_that_of_keras_with_the_reset_before_and_after_the_product"),
        (OTHERS + "tensorflow1", "test_a_cudnn_gru_resets_behind_the_product_and_has_two_biases_of_the_candidate"),
    ],
    "hidden and cell state are taken to be equally wide": [
        (OTHERS + "torch", "test_every_state_is_the_one_pytorch_computes"),
    ],
    "the clips of the cell, the projection and what goes into activations are taken for each other": [
        (HERE, "test_each_clip_clips_something_else"),
        (HERE, "test_a_cell_state_beyond_3_is_not_clipped_unasked"),
        (OTHERS + "elmo", "test_both_clips_really_clip_so_that_a_missing_one_would_be_seen"),
    ],
    "the peephole of the output gate sees the old cell state": [
        (HERE, "test_the_output_gate_peeps_at_the_new_clipped_cell_state"),
    ],
    "hard_sigmoid has another slope in each generation": [
        (OTHERS + "keras_2", "test_hard_sigmoid_has_the_slope_it_had_in_keras_2"),
        (OTHERS + "keras_2", "test_a_configuration_without_recurrent_activation_takes_the_default_of_its_version"),
    ],
    "time comes first, or states come out in reading order": [
        (OTHERS + "keras_states", "test_a_stack_that_goes_backwards_is_aligned_with_the_input"),
        (OTHERS + "notes", "test_what_a_model_does_and_we_do_not_is_noted"),
    ],
    "the backward direction reads the padding first": [
        ("tests.extraction.test_semantics", "test_backward_state_is_the_one_after_reading_from_there_to_the_end"),
        ("tests.extraction.test_semantics", "test_padding_values_never_reach_a_state"),
    ],
    "kernels for cuDNN and the twelve arrays of Keras 1 are taken as they lie": [
        (OTHERS + "keras_1", "test_the_layers_for_cudnn_are_read_as_keras_2_reads_them"),
        (OTHERS + "keras_1", "test_the_twelve_and_nine_arrays_of_keras_1_are_read_as_keras_2_reads_them"),
    ],
    "arrays are found by the order in which a file lists them, and an optimizer's are taken": [
        (OTHERS + "keras_2", "test_arrays_in_another_order_are_refused"),
        (OTHERS + "guessing", "test_more_than_ten_layers_are_taken_in_the_order_of_their_numbers"),
        (
            OTHERS + "tensorflow1_variables",
            "test_copies_of_a_variable_that_an_optimizer_or_an_average_keeps_are_not_weights",
        ),
        (OTHERS + "tensorflow2", "test_what_an_optimizer_keeps_is_no_weight"),
        (OTHERS + "flax", "test_what_an_optimiser_keeps_beside_the_weights_is_no_cell"),
    ],
    "a model that does not start from zero is run from zero without a word": [
        (OTHERS + "notes", "test_what_a_model_does_and_we_do_not_is_noted"),
        (OTHERS + "published_tables", "test_going_on_from_the_final_states_is_what_a_stateful_layer_does"),
    ],
    "states are identified by their place in a tuple": [
        ("tests.extraction.test_semantics", "test_concatenated_state_is_cell_then_hidden"),
    ],
    "the cell state of every step is taken from what gives the hidden one": [
        (OTHERS + "keras_states", "test_every_state_is_the_one_keras_computes"),
    ],
    "products are computed in less than their precision": [
        (
            "tests.runtime.test_tensorflow_process",
            "test_extract_works_beside_a_model_in_use_and_leaves_its_settings",
        ),
        (OTHERS + "torch", "test_every_state_is_the_one_pytorch_computes"),
    ],
    "arrays that a variant has beside the cell's are passed over": [
        (OTHERS + "torch_refusals", "test_arrays_of_a_variant_are_listed_and_the_module_refused"),
        (OTHERS + "tensorflow1_variables", "test_a_cell_of_another_kind_is_refused_by_its_variables"),
        (OTHERS + "wrong", "test_an_array_that_an_lstm_does_not_have_is_not_overlooked"),
        (OTHERS + "flax", "test_arrays_that_no_cell_of_flax_has_are_refused"),
        (OTHERS + "elmo", "test_arrays_that_elmo_does_not_have_are_refused"),
    ],
    "weight normalisation is not applied": [
        (OTHERS + "unirep", "test_weight_normalisation_is_applied"),
        (OTHERS + "torch_parametrised", "test_weights_are_computed_as_pytorch_does_in_eval_mode"),
        (OTHERS + "torch_unclear", "test_other_parametrisations_are_refused_with_the_call_that_takes_them_off"),
    ],
    "a residual goes into the recurrent state": [
        (OTHERS + "elmo", "test_the_residual_goes_to_the_next_layer_but_not_into_the_recurrent_state"),
    ],
}


# It imports the tests of every framework.
@pytest.mark.framework
@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_named_tests(trap):
    for module, name in TRAPS[trap]:
        assert callable(getattr(importlib.import_module(module), name)), name


def states_of(weights, **options):
    inputs, lengths = ragged()
    network = Network((RecurrentLayer("layer", weights),))
    return rnnstates.extract(inputs, lengths, weights=network, precision="float64", **options)


def test_1_is_added_at_run_time_by_tensorflow_1_haiku_and_elmo_and_by_nobody_else():
    adding = {name for name, cells in CONVENTIONS.items() for row in cells.values() if row.forget_bias}
    assert adding == {"tensorflow1", "haiku", "elmo"}
    assert {row.forget_bias for cells in CONVENTIONS.values() for row in cells.values()} == {0.0, 1.0}


def read_as(framework, cell, arrays):
    """Read arrays whose blocks lie in columns by the order of a framework."""
    row = CONVENTIONS[framework][cell]
    turned = {name: array.T if row.transposed and array.ndim == 2 else array for name, array in arrays.items()}
    return to_layer_weights(turned, row, forget_bias=0.0)


def differing(cell, sense):
    """Pairs of frameworks that keep a cell differently."""
    kept = {name: sense(cells[cell]) for name, cells in CONVENTIONS.items() if cell in cells}
    return [(one, two) for one, two in itertools.combinations(kept, 2) if kept[one] != kept[two]]


def arrays_of(cell):
    weights = cell_weights(cell, 3, 5)
    return {"kernel": weights.kernel, "recurrent_kernel": weights.recurrent_kernel, "bias": weights.bias}


@pytest.mark.parametrize(("one", "two"), differing("lstm", lambda row: row.gates))
def test_an_lstm_read_in_the_order_of_another_framework_gives_other_states(one, two):
    first, second = (states_of(read_as(name, "lstm", arrays_of("lstm")))["hidden"] for name in (one, two))
    assert np.abs(first - second).max() > 0.05


@pytest.mark.parametrize(("one", "two"), differing("gru", lambda row: (row.gates, row.negated, row.reset_after)))
def test_a_gru_read_in_the_order_or_sense_of_another_framework_gives_other_states(one, two):
    first, second = (states_of(read_as(name, "gru", arrays_of("gru")))["hidden"] for name in (one, two))
    assert np.abs(first - second).max() > 0.01


def test_a_transposed_matrix_is_refused_or_gives_other_states():
    arrays = arrays_of("simple_rnn")
    straight = states_of(read_as("keras", "simple_rnn", arrays))["hidden"]
    square = {**arrays, "recurrent_kernel": arrays["recurrent_kernel"].T}
    assert np.abs(straight - states_of(read_as("keras", "simple_rnn", square))["hidden"]).max() > 0.05
    with pytest.raises(rnnstates.BadWeights, match=r"kernel has shape \(5, 3\); expected"):
        read_as("keras", "simple_rnn", {**arrays, "kernel": arrays["kernel"].T})


def test_each_clip_clips_something_else():
    weights = {"recurrent_kernel": cell_weights("lstm", 3, 5).recurrent_kernel[:2], "projection": np.ones((5, 2))}
    plain = cell_weights("lstm", 3, 5)
    made = [
        states_of(to_layer_weights({"kernel": plain.kernel, "bias": plain.bias, **weights}, KERAS, **clip))
        for clip in ({}, {"cell_clip": 0.2}, {"projection_clip": 0.2}, {"preactivation_clip": 0.2})
    ]
    free, cell, projected, before = made
    assert np.abs(cell["cell"]).max() == 0.2
    assert np.abs(projected["hidden"]).max() == 0.2
    assert np.abs(projected["cell"]).max() > 0.2
    assert np.abs(before["cell"]).max() > 0.2
    for one, two in itertools.combinations((free, cell, projected, before), 2):
        assert np.abs(one["hidden"] - two["hidden"]).max() > 1e-3


KERAS = CONVENTIONS["keras"]["lstm"]


def test_a_cell_state_beyond_3_is_not_clipped_unasked():
    weights = cell_weights("lstm", 3, 5, activation="relu", forget_bias=5.0)
    for engine in BUILT_ENGINES:
        assert states_of(weights, engine=engine)["cell"].max() > 3


def test_the_output_gate_peeps_at_the_new_clipped_cell_state():
    peepholes = np.zeros((3, 5))
    peepholes[2] = 4.0
    weights = cell_weights("lstm", 3, 5, peepholes=peepholes, cell_clip=0.3)
    states = states_of(weights, states="hidden,cell,output_gate")
    inputs, lengths = ragged()
    for row in np.flatnonzero(lengths):
        x, cell = inputs[row, 0], states["cell"][row, 0]
        z = (x @ weights.kernel + weights.bias)[15:] + 4.0 * cell
        np.testing.assert_allclose(states["output_gate"][row, 0], 1 / (1 + np.exp(-z)), atol=1e-12)
    assert np.abs(states["cell"]).max() == 0.3
