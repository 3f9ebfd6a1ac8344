"""What the transformer refuses, and in which words."""

import itertools

import numpy as np
import pandas
import pytest
import scipy.sparse

import rnnstates
from rnnstates import Network, RecurrentLayer, StateExtractor
from rnnstates.inputs import ragged as ragged_rows

from ..builders import cell_weights, embedded, layer_weights, one_layer, ragged
from .making import cut

# Errors

ROWS = [np.ones((4, 3)), np.ones((2, 3))]


@pytest.mark.parametrize(
    "X, reported",
    [
        ([], r"X: has no sequences; expected at least one\."),
        (np.zeros((0, 4, 3)), r"X: has no sequences; expected at least one\."),
        (np.array([], dtype=object), r"X: has no sequences; expected at least one\."),
        ([[], []], r"X: all sequences are empty and have no features; expected one of shape \(0, features\)\."),
        ([*ROWS, np.ones((3, 2))], r"X: row 2 has 2 features per step; expected 3, as row 0 has\."),
        ([[], *ROWS, np.ones((0, 2))], r"X: row 3 has 2 features per step; expected 3, as row 1 has\."),
        ([np.ones((2, 0))], r"X: row 0 has 0 features per step; expected at least 1\."),
        ([ROWS[0], np.ones(3)], r"X: row 1: shape \(3,\); expected \(steps, features\)\. For one .* \(steps, 1\)\."),
        ([ROWS[0], np.ones((1, 2, 3))], r"X: row 1: shape \(1, 2, 3\); expected \(steps, features\)\."),
        ([1.0, 2.0], r"X: row 0: shape \(\); expected \(steps, features\)\."),
        ([ROWS[0], [[1, 2], [3]]], r"X: row 1: not a rectangular array \(.*\)\. Expected one number per feature"),
        ([ROWS[0], [["a", "b", "c"]]], r"X: row 1: dtype <U1 \(strings\); expected float16, .* Convert it"),
        ([ROWS[0], np.ma.ones((2, 3))], r"X: row 1: a masked array, whose mask would be lost; give the plain array"),
        (np.ma.ones((2, 4, 3)), r"X: a masked array, whose mask would be lost; .* \(\.filled\(0\)\) and lengths"),
        (np.ones((2, 4)), r"X: shape \(2, 4\); expected \(N, T, I\): .* One feature per step is x\[:, :, np"),
        (np.ones((2, 4), int), r"X: shape \(2, 4\); expected \(N, T, I\): .* Token ids need weights with an embedding"),
        (np.ones((2, 4, 3, 1)), r"X: shape \(2, 4, 3, 1\); expected \(N, T, I\)"),
        (np.ones((2, 4)) > 0, r"X: dtype bool \(booleans\); expected"),
        (np.ones((2, 4, 3), object), r"X: Python objects in an array of shape \(2, 4, 3\); .* give the list itself\."),
        (scipy.sparse.eye_array(3).tocsr(), r"X: a sparse csr_array; expected a list of arrays, .* Take \.toarray\(\)"),
        (pandas.DataFrame({"a": [1]}), r"X: a DataFrame; expected a list of arrays, .* frame\.groupby\(name\)"),
        (pandas.Series([1]), r"X: a Series; expected a list of arrays"),
        ("in.h5", r"X: a str; expected a list of arrays, .* Files are read by rnnstates\.extract\."),
        ((row for row in ROWS), r"X: a generator; expected a list of arrays"),
        (None, r"X: a NoneType; expected a list of arrays"),
    ],
)
def test_what_is_no_list_of_sequences_is_refused(X, reported):
    with pytest.raises(rnnstates.BadInput, match=reported):
        StateExtractor().fit(X)


@pytest.mark.parametrize(
    "X, reported",
    [
        ([np.ones((2, 3)), np.ones((2, 4))], r"X: row 1 has 4 features per step; expected 3, as in fit\."),
        (np.ones((2, 5, 4)), r"X: has 4 features per step; expected 3, as in fit\."),
        ([np.ones((2, 3)), np.ones(2)], r"X: row 1: shape \(2,\); expected \(steps, features\)"),
        ([], r"X: has no sequences"),
    ],
)
def test_what_was_not_fitted_is_refused(X, reported):
    extractor = StateExtractor(padding_value=0).fit(ROWS)
    with pytest.raises(rnnstates.BadInput, match=reported):
        extractor.transform(X)


@pytest.mark.parametrize(
    "X, reported",
    [
        ([np.ones((2, 4))], r"X: row 0 has 4 features per step; expected 3, which layer 'lstm' reads\."),
        (np.ones((2, 5, 4)), r"X: has 4 features per step; expected 3, which layer 'lstm' reads\."),
    ],
)
def test_what_the_weights_do_not_read_is_refused(X, reported):
    with pytest.raises(rnnstates.BadInput, match=reported):
        StateExtractor(weights=one_layer()).fit(X, lengths="full")


IDS = [np.array([1, 2, 6]), np.array([0])]


@pytest.mark.parametrize(
    "fitted, X, reported",
    [
        (None, [IDS[0], np.ones((2, 3))], r"row 1: shape \(2, 3\); expected \(steps,\), token ids, as the rows before"),
        (None, [np.ones((2, 3)), IDS[0]], r"row 1: shape \(3,\); expected \(steps, features\), as the rows before"),
        (IDS, [np.ones((2, 3))], r"row 0: shape \(2, 3\); expected \(steps,\), token ids, as in fit\."),
        (IDS, np.ones((2, 5, 3)), r"X: shape \(2, 5, 3\); expected \(N, T\), token ids, as in fit\."),
        ([np.ones((2, 3))], IDS, r"row 0: shape \(3,\); expected \(steps, features\), as in fit\."),
        ([np.ones((2, 3))], np.ones((2, 5), int), r"X: shape \(2, 5\); expected \(N, T, 3\), as in fit\."),
        (IDS, [*IDS, np.array([2, 7])], r"X: sequence 2, step 1 has token id 7 .* whole numbers from 0 to 6"),
        (IDS, [*IDS, np.array([0.5])], r"X: sequence 2, step 0 has token id 0.5 "),
    ],
)
def test_token_ids_and_features_are_not_mixed(fitted, X, reported):
    extractor = StateExtractor(weights=embedded(), padding_value=0).fit(fitted or X[:1])
    with pytest.raises(rnnstates.BadInput, match=reported):
        extractor.transform(X) if fitted else extractor.fit(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_by_its_row_in_X(engine, value):
    rows = [np.ones((steps, 3)) for steps in (0, 9, 2, 5, 700)]
    rows[3][4, 1] = value
    extractor = StateExtractor(engine=engine).fit(rows)
    with pytest.raises(rnnstates.BadInput, match=r"X: sequence 3, step 4, feature 1 is (nan|inf) .* finite numbers"):
        extractor.transform(rows)
    with pytest.raises(rnnstates.BadInput, match=r"X: sequence 1, step 4, feature 1 is (nan|inf) "):
        extractor.transform(rows[2:])


def test_a_value_that_only_float64_holds_is_named():
    with pytest.raises(rnnstates.BadInput, match=r"X: sequence 1, step 0, feature 2 is 1e\+300, which does not fit"):
        StateExtractor().fit_transform([np.ones((2, 3)), np.array([[1, 1, 1e300]])])


@pytest.mark.parametrize(
    "X, lengths, reported",
    [
        (
            np.ones((2, 4, 3)),
            None,
            (
                r"X: a padded array of shape \(2, 4, 3\), and no lengths given, so the padding is unknown\. "
                r"Give lengths=, or lengths=.full. if .*; set padding_value to .*; or give a list of arrays"
            ),
        ),
        (np.ones((2, 4, 3)), "in.npy", r"lengths: 'in\.npy'; expected whole numbers, one per sequence, or \"full\"\."),
        (np.ones((2, 4, 3)), [1, 5], r"lengths: row 1 has length 5, but X has 4 steps"),
        (np.ones((2, 4, 3)), [1], r"lengths: 1 lengths, but X has 2 sequences"),
        (np.ones((2, 4, 3)), np.ones(2, bool), r"lengths: dtype bool .* A mask has one value per sequence and step"),
        (ROWS, [4, 1], r"lengths: row 1 is 1, but sequence 1 of X has 2 steps, which all count, .* Leave the"),
        (ROWS, "none", r"lengths: 'none'; expected whole numbers"),
    ],
)
def test_lengths_that_are_missing_or_wrong_are_refused(X, lengths, reported):
    with pytest.raises(rnnstates.BadLengths, match=reported):
        StateExtractor().fit(X, lengths=lengths)
    with pytest.raises(rnnstates.BadLengths, match=reported):
        StateExtractor().fit(ROWS).transform(X, lengths=lengths)


@pytest.mark.parametrize(
    "options, reported",
    [
        ({"pool": "meen"}, r"pool='meen': unknown; known are mean, .* Did you mean 'mean'\?"),
        ({"pool": ()}, r"pool=None: vectors need a pooling; expected some of mean, last"),
        ({"states": ("hiden",)}, r"states='hiden': unknown; known are hidden, .* Did you mean 'hidden'\?"),
        ({"states": "update_gate"}, r"states='update_gate': no layer has it; layer 'lstm' is an lstm\."),
        (
            {"states": "cell,state", "pool": "final"},
            r"pool='final': not available for 'state', only .* Use pool='last'",
        ),
        ({"padding": "front"}, r"padding='front': unknown; known are post, pre\."),
        ({"engine": "jax"}, r"engine='jax': unknown; known are auto"),
        ({"precision": "float16"}, r"precision='float16': unknown; known are float32, float64, bfloat16\."),
        ({"threads": 0}, r"threads=0: expected at least 1\."),
        ({"memory": "much"}, r"memory='much': not a size; write 512M or 2G\."),
        ({"units": 0}, r"units=0: expected at least 1\."),
        ({"units": "64"}, r"units='64': expected a whole number\."),
        ({"units": 6.0}, r"units=6\.0: expected a whole number\."),
        ({"seed": None}, r"seed=None: expected a whole number\."),
        ({"seed": -1}, r"seed=-1: expected 0 to 4294967295\."),
        ({"forget_bias": np.nan}, r"forget_bias=nan: expected a finite number\."),
        ({"padding_value": "nan"}, r"padding_value='nan': expected a number, NaN or None\."),
        ({"empty": 1}, r"empty=1: expected 0 or NaN\."),
        ({"empty": None}, r"empty=None: expected 0 or NaN\."),
        ({"empty": "zero"}, r"empty='zero': expected 0 or NaN\."),
        ({"layer": "lstm"}, r"layer='lstm': applies only to a weights file; pass weights=\."),
        ({"convention": "keras"}, r"convention='keras': applies only to a weights file; pass weights=\."),
        (
            {"weights": one_layer(), "units": 32},
            r"units=32: applies only to random weights",
        ),
        (
            {"weights": one_layer(), "seed": 1},
            r"seed=1: applies only to random weights",
        ),
    ],
)
def test_parameters_that_are_wrong_are_reported_by_fit(options, reported):
    with pytest.raises(rnnstates.OptionError, match=reported):
        StateExtractor(**options).fit(ROWS)


def test_weights_that_are_absent_are_reported_by_fit(tmp_path):
    with pytest.raises(rnnstates.MissingInput, match=r"absent\.keras"):
        StateExtractor(weights=tmp_path / "absent.keras").fit(ROWS)


def test_too_little_memory_is_reported_with_what_suffices():
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"memory=10: this job holds at least \d+ bytes"):
        StateExtractor(memory=10).fit_transform(ROWS)


def test_running_out_of_memory_is_reported_with_advice(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(ragged_rows, "empty_window", full)
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"out of memory; this job holds about \d+ bytes"):
        StateExtractor().fit_transform(ROWS)


def test_a_state_that_only_some_layers_have_is_left_out_where_it_is_not():
    below = RecurrentLayer("low", forward=layer_weights(3, 4))
    above = RecurrentLayer("high", forward=cell_weights("gru", 4, 2))
    extractor = StateExtractor(weights=Network((below, above)), states="cell,hidden", pool="final").fit(ROWS)
    parts = [name.rpartition("_")[0] for name in extractor.get_feature_names_out()]
    assert list(dict.fromkeys(parts)) == ["layer0/cell_final", "layer0/hidden_final", "layer1/hidden_final"]
    assert extractor.transform(ROWS).shape == (2, 10)


def test_what_the_weights_say_of_themselves_is_logged(caplog):
    network = Network(one_layer().layers, notes=("The gates are guessed.",))
    with caplog.at_level("INFO", logger="rnnstates"):
        StateExtractor(weights=network).fit(ROWS)
    assert caplog.messages == ["The gates are guessed."]


def test_no_array_that_was_given_is_changed():
    inputs, lengths = ragged()
    before = inputs.copy()
    StateExtractor().fit_transform(inputs, lengths=lengths)
    StateExtractor().fit_transform(cut(inputs, lengths))
    np.testing.assert_array_equal(inputs, before)


def test_a_forget_bias_is_added_to_a_file_of_weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    rnnstates.save_weights(one_layer(), path)
    network = Network((RecurrentLayer("lstm", forward=layer_weights(3, 5, forget_bias=2.0)),))
    vectors = StateExtractor(weights=path, forget_bias=2).fit_transform(ROWS)
    np.testing.assert_allclose(vectors, StateExtractor(weights=network).fit_transform(ROWS), rtol=1e-5)


@pytest.mark.parametrize("name", ["states", "pool", "layer", "convention", "embedding", "engine", "memory"])
@pytest.mark.parametrize("wrong", [slice(0, 2), {"a": 1}, itertools.count()], ids=["slice", "dict", "endless"])
def test_a_parameter_of_another_type_is_refused_by_its_name(name, wrong):
    with pytest.raises(rnnstates.OptionError, match=f"^{name}=: is a "):
        StateExtractor(**{name: wrong}).fit(ROWS)
