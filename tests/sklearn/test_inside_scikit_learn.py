"""The transformer inside pipelines, cross-validation and searches."""

import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import rnnstates
import sklearn
from rnnstates import StateExtractor

from ..builders import bidirectional_stack, one_layer, ragged
from .making import cut, waves

SCIKIT_LEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

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
@pytest.mark.skipif(SCIKIT_LEARN < (1, 8), reason="scikit-learn hands a pipeline's parameters to its score from 1.8 on")
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
