"""Which engine ``auto`` takes, and how large tiles are: by the tabled costs alone."""

import numpy as np
import pytest

import rnnstates
from rnnstates.engines import compiled_engine, costs
from rnnstates.engines.base import Executor
from rnnstates.engines.choice import ENGINES, begin, choose_engine
from rnnstates.engines.costs import seconds, tile_rows
from rnnstates.network.model import Network, RecurrentLayer

from ..builders import cell_weights, layer_weights, ragged


@pytest.fixture
def not_built(monkeypatch):
    monkeypatch.setattr(compiled_engine, "is_built", lambda: False)


@pytest.fixture
def built(monkeypatch):
    monkeypatch.setattr(compiled_engine, "is_built", lambda: True)
    monkeypatch.setattr(compiled_engine, "kinds", lambda: {"plain": (4, 1), "avx2": (8, 1)})


def network(cell="lstm", units=256):
    return Network((RecurrentLayer(cell, forward=cell_weights(cell, 64, units)),))


def lengths(sequences, steps=100):
    return np.full(sequences, steps)


def test_a_plain_lstm_is_compiled_whatever_the_size(built):
    for sequences in (1, 1000, 10**6):
        assert choose_engine(network(), lengths(sequences)) == "compiled"


def test_a_kernel_of_narrow_vectors_is_left_for_others_where_products_decide(built, monkeypatch):
    monkeypatch.setattr(compiled_engine, "kinds", lambda: {"plain": (4, 1)})
    assert choose_engine(network(), lengths(1)) == "compiled"
    assert choose_engine(network(units=1024), lengths(100)) == "numpy"
    assert choose_engine(network(units=1024), lengths(10**5)) == "tensorflow"


def test_without_the_compiled_engine_a_small_job_does_not_start_tensorflow_and_a_large_one_does(not_built):
    assert choose_engine(network(), lengths(10)) == "numpy"
    assert choose_engine(network(), lengths(10**6)) == "tensorflow"


def test_what_the_compiled_engine_leaves_to_numpy_is_counted_as_numpys(built):
    assert choose_engine(network("gru"), lengths(10**6)) == "tensorflow"
    assert choose_engine(network(), lengths(10**6), precision="float64") == "tensorflow"
    options = {"steps": 1000, "calls": 100}
    assert seconds(ENGINES["compiled"], network("gru"), **options) == pytest.approx(
        seconds(ENGINES["numpy"], network("gru"), **options), abs=ENGINES["compiled"].start + 1e-12
    )


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bfloat16_is_the_compiled_engines_which_says_what_is_missing(not_built, cell):
    for preferred in (None, "tensorflow"):
        assert choose_engine(network(cell), lengths(10), precision="bfloat16", preferred=preferred) == "compiled"


def test_the_estimate_is_what_starting_calls_products_and_elementwise_work_take(monkeypatch):
    cost = Executor("numpy", call=0.5, rate=100, elementwise=0.25)
    monkeypatch.setattr(ENGINES["numpy"], "executor_of", lambda weights, precision: cost)
    monkeypatch.setattr(ENGINES["numpy"], "start", 5)
    made = Network((RecurrentLayer("lstm", forward=layer_weights(2, 3)),))
    products = 2 * (2 + 3) * 12
    assert seconds(ENGINES["numpy"], made, steps=10, calls=4) == 5 + 4 * 0.5 + 10 * (products / 100 + 3 * 0.25)


def test_tiles_are_larger_where_sequences_are_short_and_smaller_where_there_are_few():
    ordinary = tile_rows(ENGINES["compiled"], network(), lengths(10**5))
    assert ordinary == ENGINES["compiled"].tile_rows
    assert tile_rows(ENGINES["compiled"], network(units=16), lengths(10**6, 5)) > 4 * ordinary
    assert tile_rows(ENGINES["compiled"], network(), lengths(16 * 20)) == 20
    assert tile_rows(ENGINES["compiled"], network(), lengths(3)) == costs.LEAST_ROWS
    assert tile_rows(ENGINES["compiled"], network(), np.zeros(0, np.int64)) == costs.LEAST_ROWS


def test_the_plan_and_the_engine_are_recorded_and_do_not_depend_on_threads_or_memory():
    inputs, of_rows = ragged(sequences=50)
    made = Network((RecurrentLayer("lstm", forward=layer_weights(3, 5)),))
    runs = [
        rnnstates.extract(inputs, of_rows, weights=made, **options).provenance
        for options in ({"threads": 1}, {"threads": 8}, {"memory": "100M"})
    ]
    for record in runs[1:]:
        assert (record["plan"], record["engine"]) == (runs[0]["plan"], runs[0]["engine"])


def test_an_engine_that_cannot_compute_in_a_precision_is_not_begun(monkeypatch):
    """TensorFlow's log would stand before the refusal."""
    begun = []
    monkeypatch.setattr("rnnstates.engines.tensorflow.engine.begin_import", lambda: begun.append("tensorflow"))
    for name, precision in (("tensorflow", "bfloat16"), ("auto", "float32"), ("numpy", "float32")):
        begin(name, precision)
    assert not begun
    begin("tensorflow", "float32")
    assert begun == ["tensorflow"]
