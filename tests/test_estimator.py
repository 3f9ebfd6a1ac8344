"""The scikit-learn transformer: the vectors of ``extract``, for lists of sequences, inside scikit-learn's tools."""

import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pandas
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer, StateExtractor, arrays
from rnnstates.sequences import Expected, Padding, read_sequences
from rnnstates.sequences import ragged as ragged_rows

from .builders import bidirectional_stack, cell_weights, embedded, layer_weights, one_layer, ragged

SAMPLE_DATA = Path(__file__).parent.parent / "sample_data"


def projected():
    whole = layer_weights(3, 5)
    return LayerWeights(
        whole.kernel, whole.recurrent_kernel[:2], whole.bias, projection=np.linspace(-1, 1, 10).reshape(5, 2)
    )


NETWORKS = {
    "one layer": one_layer,
    "both directions, two layers": bidirectional_stack,
    "GRU": lambda: Network((RecurrentLayer("gru", forward=cell_weights("gru", 3, 5)),)),
    "a projection": lambda: Network((RecurrentLayer("projected", forward=projected()),)),
}


def cut(inputs, lengths, padding="post"):
    """Take the padding away."""
    if padding == "pre":
        return [row[len(row) - length :] for row, length in zip(inputs, lengths, strict=True)]
    return [row[:length] for row, length in zip(inputs, lengths, strict=True)]


def shifted(inputs, lengths, padding):
    """Move the padding, whatever is in it, to the other end."""
    if padding == "post":
        return inputs
    return np.stack([np.roll(row, len(row) - length, axis=0) for row, length in zip(inputs, lengths, strict=True)])


def side_by_side(extracted, network, states, pools):
    return np.concatenate(
        [
            extracted[f"{part}/{state}_{pool}".strip("/")]
            for part, *_ in network.parts()
            for state in states
            for pool in pools
        ],
        axis=1,
    )


def waves(sequences=40, seed=0):
    """Fast and slow waves of different lengths, and which is which."""
    random = np.random.default_rng(seed)
    fast = np.arange(sequences) % 2
    angles = [np.arange(random.integers(20, 40)) / (1 if label else 2) for label in fast]
    return [np.sin(angle + random.uniform(0, 6))[:, np.newaxis] for angle in angles], fast


# What is computed


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_those_of_extract_bit_for_bit(engine, name, padding):
    inputs, lengths = ragged()
    lengths[-1] = 1
    inputs = shifted(np.nan_to_num(inputs), lengths, padding)
    network, pools = NETWORKS[name](), ("std", "mean", "last", "final")
    options = {"weights": network, "states": "hidden", "pool": pools, "engine": engine, "padding": padding}
    vectors = StateExtractor(**options).fit_transform(inputs, lengths=lengths)
    wanted = side_by_side(rnnstates.extract(inputs, lengths, **options), network, ["hidden"], pools)
    np.testing.assert_array_equal(vectors, wanted, strict=True)


def test_states_come_first_and_poolings_inside_them_in_the_order_they_are_named():
    inputs, lengths = ragged()
    options = {"weights": one_layer(), "states": ["forget_gate", "cell", "state"], "pool": "max,mean"}
    vectors = StateExtractor(**options, empty=np.nan).fit_transform(inputs, lengths=lengths)
    wanted = side_by_side(
        rnnstates.extract(inputs, lengths, **options), one_layer(), options["states"], ["max", "mean"]
    )
    np.testing.assert_array_equal(vectors, wanted, strict=True)
    assert vectors.shape == (9, 40)


def test_without_states_those_that_the_cell_carries_are_pooled():
    inputs, lengths = ragged()
    vectors = StateExtractor(states="none", weights=one_layer()).fit(inputs, lengths=lengths)
    assert list(vectors.get_feature_names_out()[[0, 5]]) == ["hidden_mean_0", "cell_mean_0"]


def test_the_mean_is_that_of_the_states_of_the_unpadded_sequence():
    weights = layer_weights(3, 5)
    inputs, lengths = ragged()
    extractor = StateExtractor(weights=one_layer(), precision="float64")
    vectors = extractor.fit_transform(cut(inputs, lengths))
    for row, length in enumerate(lengths[:-1]):
        hidden = cell = np.zeros(5)
        collected = []
        for features in inputs[row, :length]:
            i, f, g, o = np.split(features @ weights.kernel + hidden @ weights.recurrent_kernel + weights.bias, 4)
            cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            hidden = np.tanh(cell) / (1 + np.exp(-o))
            collected.append(hidden)
        np.testing.assert_allclose(vectors[row], np.mean(collected, axis=0), atol=1e-12)


def test_random_weights_are_those_of_extract():
    inputs, lengths = ragged()
    random = {"units": 6, "seed": 3, "forget_bias": 0.5}
    vectors = StateExtractor(**random, empty=np.nan).fit_transform(cut(inputs, lengths))
    np.testing.assert_array_equal(vectors, rnnstates.extract(inputs, lengths, **random)["hidden_mean"], strict=True)


def test_the_default_is_the_mean_hidden_state_of_64_units_and_seed_0():
    inputs, lengths = ragged()
    vectors = StateExtractor(empty=np.nan).fit_transform(cut(inputs, lengths))
    np.testing.assert_array_equal(vectors, rnnstates.extract(inputs, lengths)["hidden_mean"], strict=True)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_vectors_have_the_precision_they_are_computed_in(precision):
    inputs, lengths = ragged()
    assert StateExtractor(precision=precision).fit_transform(cut(inputs, lengths)).dtype == precision


# What X may be


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_a_list_a_tuple_an_object_array_and_a_padded_array_give_the_same_bits(padding):
    inputs, lengths = ragged()
    rows = cut(inputs, lengths)
    objects = np.empty(len(rows), object)
    objects[:] = rows
    extractor = StateExtractor(units=5, padding=padding, pool=("mean", "last")).fit(rows)
    wanted = extractor.transform(rows)
    padded = shifted(inputs, lengths, padding)
    zeros = np.nan_to_num(padded)
    as_lists = [row.tolist() for row in rows]
    for X, options in [
        (tuple(rows), {}),
        (objects, {}),
        (as_lists, {}),
        ([pandas.DataFrame(row) for row in rows], {}),
        (rows, {"lengths": "full"}),
        (rows, {"lengths": lengths}),
        (padded, {"lengths": lengths}),
        (padded, {"lengths": lengths.tolist()}),
        (pandas.array(zeros.ravel()).to_numpy().reshape(zeros.shape), {"lengths": lengths}),
        (np.asfortranarray(padded), {"lengths": lengths}),
    ]:
        np.testing.assert_array_equal(extractor.transform(X, **options), wanted, strict=True)
    for value in (np.nan, 0, np.float32(0), -7.5):
        filled = np.where(np.isnan(padded), value, padded)
        extractor.set_params(padding_value=value)
        np.testing.assert_array_equal(extractor.transform(filled), wanted, strict=True)


def test_the_mask_of_one_feature_is_no_padding():
    """A step is padding where all of its features have the value, and only behind the last step that has others."""
    X = np.array([[[1, 0], [0, 0], [0, 2], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]]], np.uint8)
    vectors = StateExtractor(units=3, padding_value=0).fit_transform(X)
    np.testing.assert_array_equal(vectors, StateExtractor(units=3).fit_transform([X[0, :3], X[1, :0]]))
    before = StateExtractor(units=3, padding_value=0, padding="pre").fit_transform(X)
    np.testing.assert_array_equal(before, StateExtractor(units=3).fit_transform([X[0], X[1, :0]]))


def test_lengths_go_before_the_padding_value():
    inputs, lengths = ragged()
    extractor = StateExtractor(weights=one_layer(), padding_value=0)
    vectors = extractor.fit_transform(np.zeros_like(inputs), lengths=lengths)
    assert vectors[:-1].all()
    np.testing.assert_array_equal(vectors, extractor.transform([np.zeros((length, 3)) for length in lengths]))


def test_the_padding_value_says_nothing_of_a_list():
    zeros = [np.zeros((4, 3)), np.zeros((2, 3))]
    vectors = StateExtractor(weights=one_layer(), padding_value=0).fit_transform(zeros)
    assert vectors.all()
    np.testing.assert_array_equal(vectors, StateExtractor(weights=one_layer()).fit_transform(zeros))


def test_rows_of_different_types_are_read_as_one_that_holds_both():
    random = np.random.default_rng(0)
    exact = [random.integers(0, 200, (steps, 2)) for steps in (5, 3, 0)]
    types = [np.dtype(">f8"), np.uint8, np.int64]
    mixed = [row.astype(dtype) for row, dtype in zip(exact, types, strict=True)]
    extractor = StateExtractor(units=3, precision="float64").fit(mixed)
    np.testing.assert_array_equal(extractor.transform(mixed), extractor.transform([row * 1.0 for row in exact]))


def test_an_empty_sequence_says_nothing_of_the_type():
    rows = [np.ones((2, 3), np.float32), [], np.zeros((0, 3))]
    assert read_sequences(rows, None, Padding(), Expected()).source.dtype == np.float32


def test_one_vector_does_not_depend_on_the_sequences_beside_it(engine):
    inputs, lengths = ragged(sequences=40, steps=60)
    rows = cut(inputs, lengths)
    extractor = StateExtractor(units=6, engine=engine, pool=("mean", "std", "last")).fit(rows)
    together = extractor.transform(rows)
    alone = np.concatenate([extractor.transform([row]) for row in rows])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(extractor.transform(rows[::-1])[::-1], together, rtol=1e-5, atol=1e-6)


def test_threads_and_memory_change_no_bit(engine):
    inputs, lengths = ragged(sequences=40, steps=60)
    rows = cut(inputs, lengths)
    options = {"weights": bidirectional_stack(), "engine": engine}
    one = StateExtractor(**options, threads=1, memory="8M").fit_transform(rows)
    np.testing.assert_array_equal(StateExtractor(**options, threads=4).fit_transform(rows), one, strict=True)


def test_one_long_sequence_among_many_does_not_pad_the_others_in_memory(monkeypatch):
    alive = []

    def counted(shape, dtype):
        window = arrays.empty_window(shape, dtype)
        alive.append(window.nbytes)
        return window

    monkeypatch.setattr(ragged_rows, "empty_window", counted)
    rows = [np.ones((5, 2), np.float32)] * 400 + [np.ones((100_000, 2), np.float32)]
    padded_bytes = len(rows) * rows[-1].nbytes
    tracemalloc.start()
    try:
        StateExtractor(units=4, states="cell", threads=1).fit_transform(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert padded_bytes > 300e6
    assert peak + 2 * max(alive) < 100e6
    assert sum(alive) < 100e6


# Empty sequences


def test_an_empty_sequence_gives_zero_or_what_is_asked_for(caplog):
    rows = [np.ones((2, 3)), np.ones((0, 3)), [], np.zeros(0, int)]
    pools = tuple(rnnstates.POOLINGS)
    with caplog.at_level("WARNING", logger="rnnstates"):
        zero = StateExtractor(units=2, pool=pools).fit_transform(rows)
        nan = StateExtractor(units=2, pool=pools, empty="nan").fit_transform(rows)
    assert not zero[1:].any()
    assert zero[0].any()
    np.testing.assert_array_equal(nan[0], zero[0])
    final = [pool == "final" for pool in pools for _ in range(2)]
    assert np.isnan(nan[1:, ~np.array(final)]).all()
    assert not nan[1:, final].any()
    assert not caplog.messages


def test_the_final_state_of_an_empty_sequence_is_where_the_weights_start():
    weights = layer_weights(3, 2, initial={"hidden": np.array([0.25, -0.5])})
    network = Network((RecurrentLayer("lstm", forward=weights),))
    vectors = StateExtractor(weights=network, pool="final,last").fit_transform([np.ones((2, 3)), []])
    assert vectors[1].tolist() == [0.25, -0.5, 0, 0]


def test_sequences_may_all_be_empty_where_the_number_of_features_is_known():
    extractor = StateExtractor(units=4).fit([np.zeros((0, 3))])
    assert extractor.n_features_in_ == 3
    assert extractor.transform([[], np.zeros((0, 3))]).tolist() == [[0] * 4] * 2


# Token ids


def test_token_ids_of_the_sample_data_give_what_extract_gives_for_the_file():
    path, weights = SAMPLE_DATA / "parens.h5", SAMPLE_DATA / "parens.keras"
    with h5py.File(path) as file:
        ids, lengths = file["inputs"][:], file["lengths"][:]
    wanted = rnnstates.extract(path, weights=weights)["hidden_mean"]
    extractor = StateExtractor(weights=weights)
    vectors = extractor.fit_transform(cut(ids, lengths))
    np.testing.assert_array_equal(vectors, wanted, strict=True)
    np.testing.assert_array_equal(extractor.fit_transform(ids, lengths=lengths), wanted, strict=True)
    extractor.set_params(padding_value=0)
    np.testing.assert_array_equal(extractor.fit_transform(ids), wanted, strict=True)
    assert extractor.n_features_in_ == 1
    assert extractor.token_ids_


def test_weights_with_an_embedding_also_read_features_of_its_width():
    network = embedded()
    ids = [np.array([1, 4, 6]), np.array([0])]
    by_ids = StateExtractor(weights=network).fit_transform(ids)
    by_features = StateExtractor(weights=network).fit([network.embedding[row] for row in ids])
    assert not by_features.token_ids_
    assert by_features.n_features_in_ == 3
    np.testing.assert_array_equal(by_features.transform([network.embedding[row] for row in ids]), by_ids)


def test_empty_lists_of_token_ids_are_empty_sequences():
    extractor = StateExtractor(weights=embedded()).fit([[], [1.0, 2.0]])
    assert extractor.token_ids_
    assert not extractor.transform([[], []]).any()
    assert StateExtractor(weights=embedded()).fit([[]]).token_ids_


# Names of the columns


def test_columns_are_named_as_the_datasets_of_a_file():
    inputs, lengths = ragged()
    plain = StateExtractor(units=2, states="cell,hidden", pool="mean,last").fit(cut(inputs, lengths))
    assert plain.get_feature_names_out().tolist() == [
        *("cell_mean_0", "cell_mean_1", "cell_last_0", "cell_last_1"),
        *("hidden_mean_0", "hidden_mean_1", "hidden_last_0", "hidden_last_1"),
    ]
    stack = StateExtractor(weights=bidirectional_stack(), pool="max").fit(cut(inputs, lengths))
    names = stack.get_feature_names_out(["ignored"])
    assert names.dtype == object
    assert names[[0, 4, 9, 11]].tolist() == [
        f"layer{layer}/{direction}/hidden_max_0" for layer in (0, 1) for direction in ("forward", "backward")
    ]
    assert len(names) == stack.transform(cut(inputs, lengths)).shape[1] == 17


def test_set_output_gives_a_data_frame_with_these_names():
    rows, _ = waves(4)
    extractor = StateExtractor(units=2).set_output(transform="pandas")
    for frame in (extractor.fit_transform(rows), extractor.transform(rows)):
        assert isinstance(frame, pandas.DataFrame)
        assert frame.columns.tolist() == ["hidden_mean_0", "hidden_mean_1"]
        assert set(frame.dtypes) == {np.dtype("float32")}


# Inside scikit-learn


def test_a_pipeline_learns_from_lists_of_sequences():
    rows, fast = waves()
    model = make_pipeline(StateExtractor(states="cell", pool="std"), LogisticRegression())
    scores = cross_val_score(model, rows, fast, cv=4)
    assert scores.min() > 0.9


def test_a_padded_array_is_cut_into_folds_when_padding_has_a_value():
    rows, fast = waves()
    padded = np.full((len(rows), max(map(len, rows)), 1), np.nan)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    model = make_pipeline(StateExtractor(states="cell", pool="std"), LogisticRegression())
    by_list = cross_val_score(model, rows, fast, cv=4)
    model.set_params(stateextractor__padding_value=np.nan)
    np.testing.assert_array_equal(cross_val_score(model, padded, fast, cv=4), by_list)


def test_a_grid_search_goes_through_units_and_poolings():
    rows, fast = waves()
    model = make_pipeline(StateExtractor(states="cell"), LogisticRegression())
    grid = {"stateextractor__units": [2, 16], "stateextractor__pool": ["mean", ("mean", "std")]}
    search = GridSearchCV(model, grid, cv=2).fit(rows, fast)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_["stateextractor__pool"] == ("mean", "std")
    assert search.best_estimator_[0].n_features_in_ == 1
    assert search.predict(rows).shape == (40,)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_lengths_are_routed_to_fit_and_transform():
    rows, fast = waves()
    padded = np.zeros((len(rows), 50, 1))
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    lengths = np.array([len(row) for row in rows])
    extractor = StateExtractor(states="cell", pool="std")
    routed = extractor.set_fit_request(lengths=True).set_transform_request(lengths=True)
    model = make_pipeline(routed, LogisticRegression())
    scores = cross_val_score(model, padded, fast, params={"lengths": lengths}, cv=4)
    np.testing.assert_array_equal(scores, cross_val_score(model, rows, fast, params={"lengths": lengths}, cv=4))
    model.fit(padded, fast, lengths=lengths)
    np.testing.assert_array_equal(model.predict(padded, lengths=lengths), model.predict(rows, lengths=lengths))


def test_a_clone_has_the_same_parameters_and_is_not_fitted():
    rows, _ = waves(4)
    extractor = StateExtractor(weights=one_layer(1), padding_value=np.nan, pool=["mean"]).fit(rows)
    copy = clone(extractor)
    assert repr(copy) == repr(extractor)
    assert "pool=['mean']" in repr(copy)
    assert not hasattr(copy, "network_")
    np.testing.assert_array_equal(copy.fit_transform(rows), extractor.transform(rows))


def test_a_fitted_one_is_pickled_with_its_weights(tmp_path):
    rows, _ = waves(4)
    path = tmp_path / "weights.safetensors"
    rnnstates.save_weights(one_layer(1), path)
    extractor = StateExtractor(weights=path).fit(rows)
    wanted = extractor.transform(rows)
    path.unlink()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(extractor)).transform(rows), wanted, strict=True)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_it_passes_those_checks_of_scikit_learn_that_need_no_table(check):
    check("StateExtractor", StateExtractor())


def test_its_tags_say_that_sequences_come_in_three_dimensions():
    tags = StateExtractor().__sklearn_tags__()
    given = tags.input_tags
    assert (given.two_d_array, given.three_d_array, given.sparse, given.allow_nan) == (False, True, False, False)
    assert tags.requires_fit
    assert not tags.target_tags.required
    assert tags.transformer_tags.preserves_dtype == []


@pytest.mark.parametrize("call", [lambda new: new.transform([[[1.0]]]), lambda new: new.get_feature_names_out()])
def test_what_is_not_fitted_says_so(call):
    with pytest.raises(NotFittedError, match="This StateExtractor instance is not fitted yet"):
        call(StateExtractor())


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)


def test_small_data_is_transformed_without_tensorflow():
    script = (
        "import sys, rnnstates\n"
        "rnnstates.StateExtractor().fit_transform([[[1.0, 2.0]], []])\n"
        "print('tensorflow' in sys.modules, 'sklearn' in sys.modules)"
    )
    assert run(script).stdout.split() == ["False", "True"]


def test_importing_rnnstates_brings_no_scikit_learn():
    assert run("import sys, rnnstates; print('sklearn' in sys.modules)").stdout.split() == ["False"]


def test_without_scikit_learn_the_error_names_the_extra():
    done = run("import sys; sys.modules['sklearn'] = None\nimport rnnstates\nrnnstates.StateExtractor")
    assert "rnnstates.errors.EngineUnavailable: scikit-learn cannot be imported" in done.stderr
    assert 'pip install "rnnstates[sklearn]"' in done.stderr


# Errors

ROWS = [np.ones((4, 3)), np.ones((2, 3))]


@pytest.mark.parametrize(
    "X, told",
    [
        ([], r"X: has no sequences; expected at least one\."),
        (np.zeros((0, 4, 3)), r"X: has no sequences; expected at least one\."),
        (np.array([], dtype=object), r"X: has no sequences; expected at least one\."),
        ([[], []], r"X: all sequences are empty and have no features; expected one of shape \(0, features\)\."),
        ([*ROWS, np.ones((3, 2))], r"X: row 2 has 2 features a step; expected 3, as row 0 has\."),
        ([[], *ROWS, np.ones((0, 2))], r"X: row 3 has 2 features a step; expected 3, as row 1 has\."),
        ([np.ones((2, 0))], r"X: row 0 has 0 features a step; expected at least 1\."),
        ([ROWS[0], np.ones(3)], r"X: row 1: shape \(3,\); expected \(steps, features\)\. Token ids .* \(steps, 1\)\."),
        ([ROWS[0], np.ones((1, 2, 3))], r"X: row 1: shape \(1, 2, 3\); expected \(steps, features\)\."),
        ([1.0, 2.0], r"X: row 0: shape \(\); expected \(steps, features\)\."),
        ([ROWS[0], [[1, 2], [3]]], r"X: row 1: no array \(.*\); expected one number a feature in each step\."),
        ([ROWS[0], [["a", "b", "c"]]], r"X: row 1: dtype <U1 \(strings\); expected float16, .* Convert it"),
        ([ROWS[0] > 0], r"X: row 0: dtype bool \(booleans\); expected float16, "),
        ([ROWS[0], np.ma.ones((2, 3))], r"X: row 1: a masked array, whose mask would be lost; expected a plain one\."),
        (np.ma.ones((2, 4, 3)), r"X: a masked array, whose mask would be lost; .* Give \.filled\(\) and the lengths"),
        (np.ones((2, 4)), r"X: shape \(2, 4\); expected \(N, T, I\)\. Token ids need weights with an embedding"),
        (np.ones((2, 4, 3, 1)), r"X: shape \(2, 4, 3, 1\); expected \(N, T, I\)"),
        (np.ones((2, 4, 3)) > 0, r"X: dtype bool \(booleans\); expected"),
        (np.ones((2, 4, 3), object), r"X: Python objects in an array of shape \(2, 4, 3\); .* give the list itself\."),
        (scipy.sparse.eye_array(3).tocsr(), r"X: a sparse csr_array; expected a list of arrays, .* Take \.toarray\(\)"),
        (pandas.DataFrame({"a": [1]}), r"X: a DataFrame; expected a list of arrays, .* frame\.groupby\(name\)"),
        (pandas.Series([1]), r"X: a Series; expected a list of arrays"),
        ("in.h5", r"X: a str; expected a list of arrays, .* Files are read by rnnstates\.extract\."),
        ((row for row in ROWS), r"X: a generator; expected a list of arrays"),
        (None, r"X: a NoneType; expected a list of arrays"),
    ],
)
def test_what_is_no_list_of_sequences_is_refused(X, told):
    with pytest.raises(rnnstates.BadInput, match=told):
        StateExtractor().fit(X)


@pytest.mark.parametrize(
    "X, told",
    [
        ([np.ones((2, 3)), np.ones((2, 4))], r"X: row 1 has 4 features a step; expected 3, as in fit\."),
        (np.ones((2, 5, 4)), r"X: has 4 features a step; expected 3, as in fit\."),
        ([np.ones((2, 3)), np.ones(2)], r"X: row 1: shape \(2,\); expected \(steps, features\)"),
        ([], r"X: has no sequences"),
    ],
)
def test_what_was_not_fitted_is_refused(X, told):
    extractor = StateExtractor(padding_value=0).fit(ROWS)
    with pytest.raises(rnnstates.BadInput, match=told):
        extractor.transform(X)


@pytest.mark.parametrize(
    "X, told",
    [
        ([np.ones((2, 4))], r"X: row 0 has 4 features a step; expected 3, which layer 'lstm' reads\."),
        (np.ones((2, 5, 4)), r"X: has 4 features a step; expected 3, which layer 'lstm' reads\."),
    ],
)
def test_what_the_weights_do_not_read_is_refused(X, told):
    with pytest.raises(rnnstates.BadInput, match=told):
        StateExtractor(weights=one_layer()).fit(X, lengths="full")


IDS = [np.array([1, 2, 6]), np.array([0])]


@pytest.mark.parametrize(
    "fitted, X, told",
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
def test_token_ids_and_features_are_not_mixed(fitted, X, told):
    extractor = StateExtractor(weights=embedded(), padding_value=0).fit(fitted or X[:1])
    with pytest.raises(rnnstates.BadInput, match=told):
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
    "X, lengths, told",
    [
        (
            np.ones((2, 4, 3)),
            None,
            (
                r"X: a padded array of shape \(2, 4, 3\), and no lengths given; expected to be told what is padding\. "
                r"Give lengths=, or lengths=.full. if .*; set padding_value to .*; or give a list of arrays"
            ),
        ),
        (np.ones((2, 4, 3)), "in.npy", r"lengths: 'in\.npy'; expected whole numbers, one a sequence, or \"full\"\."),
        (np.ones((2, 4, 3)), [1, 5], r"lengths: row 1 has length 5, but X has 4 steps"),
        (np.ones((2, 4, 3)), [1], r"lengths: 1 lengths, but X has 2 sequences"),
        (np.ones((2, 4, 3)), np.ones((2, 4), bool), r"lengths: dtype bool .* If they are a mask, sum it"),
        (ROWS, [4, 1], r"lengths: row 1 is 1, but row 1 of X has 2 steps, which all count in a list\. Leave the"),
        (ROWS, "none", r"lengths: 'none'; expected whole numbers"),
    ],
)
def test_lengths_that_are_missing_or_wrong_are_refused(X, lengths, told):
    with pytest.raises(rnnstates.BadLengths, match=told):
        StateExtractor().fit(X, lengths=lengths)
    with pytest.raises(rnnstates.BadLengths, match=told):
        StateExtractor().fit(ROWS).transform(X, lengths=lengths)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"pool": "meen"}, r"--pool 'meen': unknown; known are mean, .* Did you mean 'mean'\?"),
        ({"pool": ()}, r"--pool none: there is no vector without one; expected some of mean, last"),
        ({"states": ("hiden",)}, r"--states 'hiden': unknown; known are hidden, .* Did you mean 'hidden'\?"),
        ({"states": "update_gate"}, r"--states update_gate: no layer has it; layer 'lstm' is a lstm\."),
        (
            {"states": "cell,state", "pool": "final"},
            r"--pool final: there is none of 'state', only .* Pool it with last",
        ),
        ({"padding": "front"}, r"--padding 'front': unknown; known are post, pre\."),
        ({"engine": "jax"}, r"--engine 'jax': unknown; known are auto"),
        ({"precision": "float16"}, r"--precision 'float16': unknown; known are float32, float64, bfloat16\."),
        ({"threads": 0}, r"--threads 0: expected at least 1\."),
        ({"memory": "much"}, r"--memory much: not a size; write 512M or 2G\."),
        ({"units": 0}, r"--units 0: expected at least 1\."),
        ({"units": "64"}, r"units='64': expected a whole number\."),
        ({"units": 6.0}, r"units=6\.0: expected a whole number\."),
        ({"seed": None}, r"seed=None: expected a whole number\."),
        ({"seed": -1}, r"--seed -1: expected 0 to 4294967295\."),
        ({"forget_bias": np.nan}, r"--forget-bias nan: expected a finite number\."),
        ({"padding_value": "nan"}, r"padding_value='nan': expected a number, NaN or None\."),
        ({"empty": 1}, r"empty=1: expected 0 or NaN\."),
        ({"empty": None}, r"empty=None: expected 0 or NaN\."),
        ({"empty": "zero"}, r"empty='zero': expected 0 or NaN\."),
        ({"layer": "lstm"}, r"--layer lstm: says something of a weights file; give one with --weights\."),
        ({"convention": "keras"}, r"--convention keras: says something of a weights file; give one with --weights\."),
        ({"weights": one_layer(), "units": 32}, r"--units 32: is for random weights, but --weights gives a file"),
        ({"weights": one_layer(), "seed": 1}, r"--seed 1: is for random weights, but --weights gives a file"),
    ],
)
def test_parameters_that_are_wrong_are_told_by_fit(options, told):
    with pytest.raises(rnnstates.OptionError, match=told):
        StateExtractor(**options).fit(ROWS)


def test_weights_that_are_absent_are_told_by_fit(tmp_path):
    with pytest.raises(rnnstates.MissingInput, match=r"absent\.keras"):
        StateExtractor(weights=tmp_path / "absent.keras").fit(ROWS)


def test_too_little_memory_is_told_with_what_would_do():
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"--memory 10: this job holds at least \d+ bytes"):
        StateExtractor(memory=10).fit_transform(ROWS)


def test_out_of_memory_is_told_with_advice(monkeypatch):
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
