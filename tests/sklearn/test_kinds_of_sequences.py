"""Empty sequences, token ids, and the names of what comes out."""

import h5py
import numpy as np

import rnnstates
from rnnstates import Network, RecurrentLayer, StateExtractor

from ..builders import embedded, layer_weights
from .making import SAMPLE_DATA, cut

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
