"""Every kind of healthy output passes."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import Network, RecurrentLayer
from rnnstates.engines import compiled_engine
from rnnstates.network.cells import CELLS
from rnnstates.verification import blocks, comparing, recomputing

from ..builders import BUILT_ENGINES, cell_weights, embedded, layer_weights, one_layer
from .making import INPUTS, LENGTHS, NETWORKS, edit, edit_provenance, make, right, seal, wrong


@pytest.mark.slow
@pytest.mark.parametrize("dtype", rnnstates.DTYPES)
@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_every_layout_padding_and_dtype_passes(place, layout, padding, dtype):
    make(layout=layout, padding=padding, dtype=dtype, states=",".join(["hidden", "cell", "state", "input_gate"]))
    found = right()
    assert found["recomputed"] == list(range(8))
    assert (found["sequences"], found["steps"], found["notes"]) == (9, int(LENGTHS.sum()), [])
    bound = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-5}[dtype]
    for name, data in found["datasets"].items():
        assert 0 <= data["recomputed"] < bound, name
        assert (data["pooled"] is None) == (name in ("hidden", "cell", "state", "input_gate"))
        assert data["pooled"] is None or data["pooled"] < bound, name


def test_every_engine_passes(place, engine):
    make(engine=engine)
    assert max(data["recomputed"] for data in right()["datasets"].values()) < 1e-5


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_float64_is_held_to_float64(place, engine):
    make(engine=engine, precision="float64")
    assert max(data["recomputed"] for data in right()["datasets"].values()) < 1e-12
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 1, 2] += 1e-9
    seal()
    wrong(r"'hidden_mean' is not the mean of 'hidden' in sequence 0 ")
    make(engine=engine, precision="float64", pool="none", force=True)
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 1, 2] += 1e-9
    seal()
    wrong(r"'hidden' differs from the result in float64 in sequence 0 \(step 1, unit 2 is .*at most 1.0e-10 plus the r")


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_passes_with_all_its_states(place, cell):
    network = Network((RecurrentLayer(cell, forward=cell_weights(cell, 3, 5)),))
    has = [*CELLS[cell].state._fields, *CELLS[cell].gates._fields, "state"]
    make(weights=network, states=has, pool="mean,std,final")
    assert set(right(weights=network)["datasets"]) >= set(has)


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_passes(place, name, layout):
    make(weights=NETWORKS[name], layout=layout, states="hidden,cell,state")
    right(weights=NETWORKS[name])


@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
def test_token_ids_pass(place, padding):
    rnnstates.save_weights(embedded(), "e.weights.h5")
    np.save("ids.npy", np.random.default_rng(0).integers(0, 7, (9, 8)))
    make("ids.npy", LENGTHS, weights="e.weights.h5", padding=padding)
    right()


def test_random_weights_are_drawn_again(place):
    make(weights=None, units=6, seed=5, forget_bias=0.5)
    right()


def test_random_weights_of_an_edited_file_are_refused(place):
    make(weights=None, units=6)
    edit_provenance(weights={"random": {"units": 6, "colour": 1}})
    wrong("its provenance gives {'units': 6, 'colour': 1} for the random weights; expected features, units, seed and ")


def test_options_of_the_weights_are_remembered(place):
    np.savez("w.npz", kernel=np.ones((3, 8)) * 0.3, recurrent_kernel=np.eye(2, 8), bias=np.zeros(8))
    make(weights="w.npz", convention="keras", forget_bias=1.0, activation="relu", cell_clip=0.8)
    with rnnstates.open("out.h5") as states:
        recorded = states.provenance["weights"]["options"]
    assert recorded == {"convention": "keras", "forget_bias": 1.0, "activation": "relu", "cell_clip": 0.8}
    right()
    wrong("'hidden' differs from the result in float64 in ", forget_bias=0.0)


def test_the_chosen_layer_is_remembered(place):
    with h5py.File("two.weights.h5", "w") as file:
        for name, network in (("lstm", one_layer()), ("lstm_1", one_layer(seed=7))):
            rnnstates.save_weights(network, f"{name}.weights.h5")
            with h5py.File(f"{name}.weights.h5") as one:
                one.copy("layers/lstm", file.require_group("layers"), name)
    make(weights="two.weights.h5", layer="lstm_1")
    right()


@pytest.mark.parametrize("one_for_all", [True, False])
def test_an_initial_state_from_a_file_passes(place, one_for_all):
    random = np.random.default_rng(4)
    shape = (5,) if one_for_all else (9, 5)
    np.savez("start.npz", hidden=random.normal(size=shape), cell=random.normal(size=shape))
    make(initial_state="start.npz")
    right()


def test_a_continued_run_passes(place):
    make(output="a.h5", pool="final")
    make(initial_state="a.h5")
    right()


def test_pooled_values_alone_pass(place):
    make(states="none", dtype="float16")
    assert all(data["pooled"] is None for data in right()["datasets"].values())


def test_nonfinite_inputs_pass_where_they_were_allowed(place):
    inputs = INPUTS.copy()
    inputs[0, 2, 1] = np.nan
    np.save("in.npy", inputs)
    make("in.npy", LENGTHS, allow_nonfinite=True)
    right()
    edit("cell_mean", (2, 1), 9.0)
    wrong("'cell_mean' is not the mean of 'cell' in sequence 2 ")


def test_large_states_before_an_input_that_is_not_finite_pass(place):
    """The bound is relative to the largest finite state."""
    counting = rnnstates.LayerWeights(np.full((3, 20), 3.0), np.zeros((5, 20)), np.full(20, 40.0))
    rnnstates.save_weights(Network((RecurrentLayer("lstm", forward=counting),)), "counting.weights.h5")
    inputs = np.full((2, 900, 3), 0.37, np.float32)
    inputs[0, 850:] = np.nan
    with h5py.File("long.h5", "w") as file:
        file["inputs"], file["lengths"] = inputs, [900, 900]
    make("long.h5", weights="counting.weights.h5", allow_nonfinite=True, pool="last")
    right()
    with h5py.File("out.h5") as file:
        assert file["cell"][0, 849, 0] > 800


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_inputs_of_any_size_pass(place, engine):
    """Raw samples of sound, say: sums of thousands that cancel leave errors that no state shows the size of."""
    random = np.random.default_rng(0)
    np.save("loud.npy", random.normal(scale=2e4, size=(40, 100, 16)).astype(np.float32))
    make("loud.npy", "full", weights=None, units=64, engine=engine, pool="last", states="hidden,cell,candidate")
    assert right()["datasets"]["candidate"]["recomputed"] > 1e-5


def test_states_too_large_for_their_dtype_pass_as_infinite(place):
    weights = layer_weights(3, 5)
    large = rnnstates.LayerWeights(
        weights.kernel, weights.recurrent_kernel * 0.1, weights.bias, activation="linear", forget_bias=5.0
    )
    network = Network((RecurrentLayer("lstm", forward=large),))
    np.save("in.npy", np.abs(INPUTS) * 1e5)
    make("in.npy", LENGTHS, weights=network, dtype="float16", states="cell", pool="none")
    with rnnstates.open("out.h5") as states:
        assert np.isinf(states["cell"][()]).any()
    right(weights=network)


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("sequences", [0, 4])
def test_an_output_without_a_step_passes_and_says_why_nothing_is_recomputed(place, sequences, layout):
    np.save("in.npy", np.zeros((sequences, 5, 3), np.float32))
    make("in.npy", np.zeros(sequences, int), layout=layout)
    found = rnnstates.verify("out.h5")
    assert (found["recomputed"], found["reason"]) == ([], "no sequence has any steps")


@pytest.mark.slow
def test_blocks_and_groups_of_any_size_give_the_same(place, monkeypatch):
    for layout in rnnstates.LAYOUTS:
        for padding in rnnstates.PADDINGS:
            make(layout=layout, padding=padding, output=f"{layout}-{padding}.h5")
            expected = right(f"{layout}-{padding}.h5")
            # A sequence each, through a file; some together; all at once.
            for values, group_bytes in ((5, 1), (7 * 5, 3000), (20 * 5, recomputing.GROUP_BYTES)):
                with monkeypatch.context() as small:
                    small.setattr(blocks, "BLOCK_VALUES", values)
                    small.setattr(comparing, "BLOCK_VALUES", values)
                    small.setattr(recomputing, "GROUP_BYTES", group_bytes)
                    found = right(f"{layout}-{padding}.h5")
            for name, data in found["datasets"].items():
                assert data["recomputed"] == pytest.approx(expected["datasets"][name]["recomputed"], abs=1e-12)


@pytest.mark.skipif(
    "compiled" not in BUILT_ENGINES or "bfloat16" not in compiled_engine.kinds(),
    reason="this processor does not multiply bfloat16, or there is no C compiler",
)
def test_bfloat16_passes_with_its_error_against_the_exact_states(place):
    make(engine="compiled", precision="bfloat16")
    found = right()
    assert 1e-4 < found["datasets"]["hidden"]["recomputed"] < 0.05
