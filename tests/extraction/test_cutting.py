"""Time cut into windows and pieces: the states are those of whole sequences, whatever is cut where."""

import functools
import io

import numpy as np
import pytest

import rnnstates
from rnnstates.engines.stack import sweeps
from rnnstates.extraction import agreement, grid
from rnnstates.inputs.memory import MemorySource
from rnnstates.network.model import Network, RecurrentLayer

from ..builders import BUILT_ENGINES, bidirectional_stack, cell_weights, embedded, layer_weights, one_layer, ragged


def backward_stack():
    return Network(
        (
            RecurrentLayer("low", backward=layer_weights(3, 4)),
            RecurrentLayer("high", backward=cell_weights("gru", 4, 6)),
        )
    )


def forward_stack():
    return Network((RecurrentLayer("low", layer_weights(3, 4)), RecurrentLayer("high", layer_weights(4, 5, seed=1))))


def bidirectional():
    return Network((RecurrentLayer("both", layer_weights(3, 4), layer_weights(3, 5, seed=1)),))


def apart():
    """As ELMo: two directions that never meet, with residuals."""
    low = RecurrentLayer("low", layer_weights(3, 4), layer_weights(3, 4, seed=1), merge="apart")
    high = RecurrentLayer(
        "high", layer_weights(4, 4, seed=2), layer_weights(4, 4, seed=3), merge="apart", residual=True
    )
    top = RecurrentLayer("top", layer_weights(4, 2, seed=4), layer_weights(4, 3, seed=5))
    return Network((low, high, top))


def turned():
    """Forward, then backward: the second layer waits for the end of the first."""
    return Network((RecurrentLayer("low", layer_weights(3, 4)), RecurrentLayer("high", None, layer_weights(4, 5))))


CUT = {
    "one layer": (one_layer, {"forward": ("",)}),
    "forward stack": (forward_stack, {"forward": ("layer0", "layer1")}),
    "backward stack": (backward_stack, {"backward": ("layer0", "layer1")}),
    "bidirectional": (bidirectional, {"forward": ("layer0/forward",), "backward": ("layer0/backward",)}),
    "apart": (
        apart,
        {
            "forward": ("layer0/forward", "layer1/forward", "layer2/forward"),
            "backward": ("layer0/backward", "layer1/backward", "layer2/backward"),
        },
    ),
    "turned": (turned, {"whole": ("layer0", "layer1")}),
    "bidirectional stack": (
        bidirectional_stack,
        {"whole": ("layer0/forward", "layer0/backward", "layer1/forward", "layer1/backward")},
    ),
}
POOL = "mean,last,final,first,max,min,sum,std"
# Four bands of tiles, each of three stretches of time.
ROWS, STEPS = 40, 24


@pytest.fixture
def cut_small(monkeypatch):
    """Windows of a few steps, pieces of fewer, bands of a few tiles."""

    def cut(window_bytes=3 * 9 * 12 * 10, operations=3000):
        monkeypatch.setattr(grid, "WINDOW_BYTES", window_bytes)
        monkeypatch.setattr(grid, "PIECE_OPERATIONS", operations)
        monkeypatch.setattr(grid, "TILES_TOGETHER", 2)

    return cut


@pytest.mark.parametrize("name", CUT)
def test_a_network_is_cut_where_nothing_waits_for_the_end(name):
    make, expected = CUT[name]
    assert sweeps(make()) == expected


def test_a_layer_above_two_directions_that_it_does_not_merge_still_waits_for_one_that_did():
    low = RecurrentLayer("low", layer_weights(3, 4), merge="concat")
    both = RecurrentLayer("both", layer_weights(4, 4), layer_weights(4, 4), merge="apart")
    assert list(sweeps(Network((low, both)))) == ["whole"]


# Who computes has no part in where states are put: each layout with each padding, but not for every engine. TensorFlow
# traces each layer anew for each run, which takes seconds, and knows one layer at a time.
COMPUTING = {
    "compiled": [("padded", "post"), ("packed", "pre")],
    "numpy": [("packed", "post"), ("padded", "pre")],
    "tensorflow": [("padded", "pre")],
}
OF_TENSORFLOW = ("one layer", "backward stack", "apart", "turned")
CASES = [
    (name, engine, *computing)
    for name in CUT
    for engine in BUILT_ENGINES
    for computing in COMPUTING[engine]
    if engine != "tensorflow" or name in OF_TENSORFLOW
]


@functools.cache
def whole(name, engine, layout, padding):
    """The states and poolings of whole sequences; what goes into them, too."""
    inputs, lengths = ragged(ROWS, STEPS)
    if padding == "pre":
        inputs = np.stack([np.roll(row, STEPS - length, axis=0) for row, length in zip(inputs, lengths, strict=True)])
    options = {"weights": CUT[name][0](), "layout": layout, "padding": padding, "pool": POOL, "precision": "float64"}
    options |= {"initial_state": {"hidden": np.full(5, 0.2)} if name == "one layer" else None}
    return inputs, lengths, options, rnnstates.extract(inputs, lengths, engine=engine, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine", "layout", "padding"), CASES)
def test_cut_in_time_gives_the_states_and_poolings_of_whole_sequences(name, layout, padding, cut_small, engine):
    # TensorFlow's cut states must be NumPy's whole ones.
    inputs, lengths, options, expected = whole(name, engine.replace("tensorflow", "numpy"), layout, padding)
    cut_small()
    cut = rnnstates.extract(inputs, lengths, engine=engine, **options)
    plan = cut.provenance["plan"]
    assert plan["cut"] is (name not in ("turned", "bidirectional stack"))
    assert expected.provenance["plan"]["window_steps"] == STEPS
    assert (plan["window_steps"] <= 10) is plan["cut"]
    assert set(cut.datasets) == set(expected.datasets)
    for dataset in expected.datasets:
        np.testing.assert_allclose(cut[dataset], expected[dataset], rtol=0, atol=1e-13, err_msg=dataset)


def test_the_compiled_engine_gives_the_same_bits_wherever_time_and_rows_are_cut(cut_small):
    if "compiled" not in BUILT_ENGINES:
        pytest.skip("the compiled engine was not built: no C compiler")
    inputs, lengths = ragged(ROWS, STEPS)
    options = {"weights": bidirectional(), "engine": "compiled", "states": "hidden,cell,forget_gate"}
    whole = rnnstates.extract(inputs, lengths, **options)
    cut_small()
    cut = rnnstates.extract(inputs, lengths, **options)
    alone = [rnnstates.extract(inputs[i : i + 1], lengths[i : i + 1], **options) for i in range(10)]
    for dataset in whole.datasets:
        if not dataset.endswith("_mean"):
            np.testing.assert_array_equal(cut[dataset], whole[dataset], err_msg=dataset)
            np.testing.assert_array_equal(np.concatenate([one[dataset] for one in alone]), whole[dataset][:10])


def test_token_ids_are_cut_too(cut_small, engine):
    ids = np.random.default_rng(0).integers(0, 7, (30, 20))
    lengths = np.random.default_rng(1).integers(0, 21, 30)
    options = {"weights": embedded(), "engine": engine, "precision": "float64"}
    whole = rnnstates.extract(ids, lengths, **options)
    cut_small(window_bytes=24 * 44 * 7)
    cut = rnnstates.extract(ids, lengths, **options)
    assert cut.provenance["plan"]["window_steps"] == 14
    for dataset in whole.datasets:
        np.testing.assert_allclose(cut[dataset], whole[dataset], rtol=0, atol=1e-13, err_msg=dataset)


def test_progress_comes_while_a_long_sequence_is_computed(cut_small):
    cut_small(window_bytes=3 * 13 * 10)
    reported = []
    rnnstates.extract(
        np.zeros((1, 500, 3)), "full", weights=bidirectional(), progress=lambda *done: reported.append(done)
    )
    assert len(reported) == 100
    assert reported == sorted(reported)
    assert reported[-1] == (500, 500)


@pytest.mark.parametrize("name", ["one layer", "backward stack", "bidirectional"])
def test_a_stream_that_is_read_once_is_cut_into_whole_rows(name, cut_small):
    inputs, lengths = ragged(ROWS, STEPS)
    inputs = np.nan_to_num(inputs)
    written = io.BytesIO()
    np.save(written, inputs)
    written.seek(0)
    cut_small()
    options = {"weights": CUT[name][0](), "engine": "numpy", "precision": "float64"}
    piped = rnnstates.extract(written, lengths, **options)
    assert piped.provenance["plan"]["window_rows"] < 10
    assert piped.provenance["plan"]["window_steps"] == STEPS
    direct = rnnstates.extract(inputs, lengths, **options)
    assert direct.provenance["plan"]["window_steps"] <= 10
    for dataset in direct.datasets:
        np.testing.assert_allclose(piped[dataset], direct[dataset], rtol=0, atol=1e-13, err_msg=dataset)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_of_a_stretch_of_time_only_sequences_that_have_steps_in_it_are_read(padding, cut_small, monkeypatch):
    lengths = np.full(70, 3)
    lengths[[20, 60]] = 400
    inputs = np.random.default_rng(0).normal(size=(70, 400, 3))
    options = {"weights": bidirectional(), "engine": "numpy", "precision": "float64", "padding": padding}
    whole = rnnstates.extract(inputs, lengths, **options)
    cut_small()
    read, taken = MemorySource.read, []

    def counted(self, rows, steps):
        taken.append((rows.stop - rows.start) * (steps.stop - steps.start))
        return read(self, rows, steps)

    monkeypatch.setattr(MemorySource, "read", counted)
    cut = rnnstates.extract(inputs, lengths, **options)
    plan = cut.provenance["plan"]
    assert plan["window_steps"] <= 20
    assert plan["window_rows"] > 10
    # Both directions read all valid steps, and what shares a window with the first of them.
    assert sum(taken) < 2 * (lengths.sum() + 70 * plan["window_steps"])
    for dataset in whole.datasets:
        np.testing.assert_allclose(cut[dataset], whole[dataset], rtol=0, atol=1e-13, err_msg=dataset)


def test_what_is_wrong_in_a_stretch_of_time_is_named_by_its_place_in_the_input(cut_small):
    lengths = np.full(70, 3)
    lengths[[20, 60]] = 400
    inputs = np.ones((70, 400, 3))
    inputs[60, 300, 1] = np.nan
    cut_small()
    with pytest.raises(rnnstates.BadInput, match="sequence 60, step 300, feature 1 is nan"):
        rnnstates.extract(inputs, lengths, weights=one_layer(), engine="numpy")


def test_notes_do_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(agreement, "MUCH", 1)
    inputs, lengths = ragged(70, 40)
    notes = [rnnstates.preview(inputs, lengths, weights=bidirectional_stack(), threads=n)["notes"] for n in (1, 8)]
    assert any("GiB per thread for the longest, of 40 steps" in note for note in notes[0])
    assert notes[0] == notes[1]
