"""``pool="mean,cell:last"``: poolings of all states and of one."""

import numpy as np
import pytest

import rnnstates
from rnnstates import Network, OptionError, RecurrentLayer, StateExtractor

from ..builders import bidirectional_stack, cell_weights, one_layer, ragged

INPUTS, LENGTHS = ragged()
PARTS = ("layer0/forward", "layer0/backward", "layer1/forward", "layer1/backward")


def extract(pool, **options):
    return rnnstates.extract(INPUTS, LENGTHS, pool=pool, **{"weights": one_layer(), "engine": "numpy", **options})


def pooled(states):
    return {name for name in states.datasets if "_" in name and name != "forget_gate"}


@pytest.mark.parametrize(
    ("pool", "states", "names"),
    [
        ("hidden:mean,cell:last", "hidden,cell", {"hidden_mean", "cell_last"}),
        ({"hidden": ("mean", "max"), "cell": "last"}, "hidden", {"hidden_mean", "hidden_max", "cell_last"}),
        (["mean", "cell:last"], "hidden,cell", {"hidden_mean", "cell_mean", "cell_last"}),
        ("mean,cell:mean", "cell", {"cell_mean"}),
        ("forget_gate:mean", "none", {"forget_gate_mean"}),
        ("state:max,final", "hidden", {"state_max", "hidden_final", "cell_final"}),
    ],
)
def test_a_pooling_of_one_state_is_that_of_all_without_the_others(engine, pool, states, names):
    found = extract(pool, states=states, engine=engine)
    assert pooled(found) == names
    every = extract("mean,last,max,final", states="hidden,cell,state,forget_gate", engine=engine)
    for name in names:
        np.testing.assert_array_equal(found[name], every[name])


def test_a_stack_pools_one_state_in_every_layer():
    found = extract("cell:last", weights=bidirectional_stack(), states="none")
    assert set(found.datasets) - {"lengths"} == {f"{part}/cell_last" for part in PARTS}


def test_verify_recomputes_what_is_pooled_by_state(tmp_path):
    rnnstates.save_weights(one_layer(), tmp_path / "w.weights.h5")
    rnnstates.extract(
        np.nan_to_num(INPUTS), LENGTHS, weights=tmp_path / "w.weights.h5", output=tmp_path / "out.h5",
        states="hidden", pool="hidden:mean,forget_gate:max",
    ).close()  # fmt: skip
    found = rnnstates.verify(tmp_path / "out.h5", inputs=np.nan_to_num(INPUTS))
    assert found["reason"] is None
    assert all(0 <= data["recomputed"] < 1e-5 for data in found["datasets"].values())
    assert found["datasets"].keys() == {"hidden", "hidden_mean", "forget_gate_max"}
    assert rnnstates.open(tmp_path / "out.h5").provenance["pool"] == ["hidden:mean", "forget_gate:max"]


def test_vectors_of_scikit_learn_follow_state_by_state():
    pool = "cell:last,hidden:mean,max"
    extractor = StateExtractor(weights=one_layer(), states="hidden", pool=pool, engine="numpy", empty=np.nan)
    vectors = extractor.fit_transform(np.nan_to_num(INPUTS), lengths=LENGTHS)
    found = extract(pool, states="hidden")
    expected = [found[name] for name in ("hidden_mean", "hidden_max", "cell_last")]
    np.testing.assert_array_equal(vectors, np.concatenate(expected, axis=1))


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ("hiden:mean", r"pool='hiden': unknown; known are hidden, .*Did you mean 'hidden'\?"),
        ("hidden:men", r"pool='men': unknown; known are mean, .*Did you mean 'mean'\?"),
        ("hidden:final", r"pool='hidden:final': final is kept of every state .*; expected pool=\"final\"\."),
        ({"hidden": 3}, r"pool=: is a dict; expected a str of names .* or a dict of them by state or None\."),
        ("reset_gate:mean", r"pool='reset_gate:mean': no layer has it; layer 'lstm' is an lstm\. Available: hidden"),
    ],
)
def test_a_pooling_that_no_state_has_is_refused(pool, message):
    with pytest.raises(OptionError, match=message):
        extract(pool)


def test_a_state_that_the_cell_lacks_is_refused_by_name_although_it_is_kept_by_default():
    network = Network((RecurrentLayer("gru", forward=cell_weights("gru", 3, 5)),))
    assert "cell" not in extract("mean", weights=network).datasets
    with pytest.raises(OptionError, match=r"pool='cell:last': no layer has it; layer 'gru' is a gru\."):
        extract("mean,cell:last", weights=network)
