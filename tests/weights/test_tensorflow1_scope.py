"""TensorFlow 1's cells under names of their own, by ``--convention tensorflow1``: the states of its own cells."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.frameworks import tensorflow1
from rnnstates.weights.readers import Container, Tensor

from .tensorflow1_models import CASES, LENGTHS, SUFFIX, asked, check, collecting, write
from .test_tensorflow1 import train

AS_GIVEN = {"convention": "tensorflow1"}
CLIPPED_WITHOUT_PEEPHOLES = {"cell_clip": 0.4, "num_proj": 2, "proj_clip": 0.15, "forget_bias": 0.3}


def renamed(case, *replacements, precision="float32"):
    """What TensorFlow 1 computed with, under other scopes."""
    variables = asked(case, precision)[1]
    for old, new in replacements:
        assert any(old in name for name in variables)
        variables = {name.replace(old, new): values for name, values in variables.items()}
    return variables


OWN = {
    "an lstm": ("basic lstm", [("rnn/basic_lstm_cell", "rnn/fw")], {}),
    "an lstm with a cell's name": ("lstm", [("rnn/lstm_cell", "tagger/my_lstm_cell")], {}),
    "an lstm without a scope": ("lstm", [("rnn/lstm_cell/", "")], {}),
    "an lstm far inside": ("lstm", [("rnn/lstm_cell", "a/b/c/memory_1")], {}),
    "an lstm at the top": ("lstm", [("rnn/lstm_cell", "memory")], {}),
    "an lstm of 1.0": ("lstm", [("rnn/lstm_cell", "memory"), ("kernel", "weights"), ("bias", "biases")], {}),
    "peepholes and a projection": ("lstm with all", [("rnn/lstm_cell", "enc/mine")], CASES["lstm with all"][1]),
    "a gru": ("gru", [("rnn/gru_cell", "enc/mine")], {}),
    "a simple cell": ("basic rnn", [("rnn/basic_rnn_cell", "my_rnn/step")], {}),
    "cells in a stack": (
        "stacked",
        [("/lstm_cell", ""), ("/basic_lstm_cell", "/own"), ("/gru_cell", "/other")],
        {},
    ),
    "cells in a stack without scopes": (
        "stacked",
        [("/lstm_cell", ""), ("/basic_lstm_cell", ""), ("/gru_cell", "")],
        {},
    ),
    "both directions": ("both ways", [("/basic_lstm_cell", "/mine"), ("/gru_cell", "/mine")], {}),
    "both directions without scopes": ("both ways", [("/basic_lstm_cell", ""), ("/gru_cell", "")], {}),
}


@pytest.mark.parametrize("case", OWN)
def test_a_cell_with_a_name_of_its_own_is_read_as_given_and_a_note_says_so(case, tmp_path):
    name, replacements, options = OWN[case]
    write(tmp_path / SUFFIX, renamed(name, *replacements))
    check(tmp_path / SUFFIX, name, "float32", **AS_GIVEN, **options)
    notes = rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN).notes
    by_name = case in ("peepholes and a projection", "a gru")  # other variables say what these are
    assert any("by its shapes, as convention='tensorflow1' says" in note for note in notes) != by_name


def test_nothing_else_is_assumed_of_it_than_of_an_lstm_cell(tmp_path):
    write(tmp_path / SUFFIX, renamed("lstm", ("rnn/lstm_cell", "rnn/fw")))
    network = rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN)
    assert network.layers[0].forward.forget_bias == 1.0
    assert network.layers[0].name == "rnn/fw"
    said, assumed = network.notes
    assert "'rnn/fw': read as LSTMCell by its shapes, as convention='tensorflow1' says; its equations, and" in said
    assert "1.0 added to the forget gate (forget_bias=)" in assumed
    assert rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN, forget_bias=0).layers[0].forward.forget_bias == 0


@pytest.mark.parametrize("loops", [True, False])
def test_the_graph_beside_the_checkpoint_says_how_it_is_run(loops, tmp_path):
    def build(dtype):
        return collecting("LSTMCell")(5, name="mine", activation="softsign", dtype=dtype, **CLIPPED_WITHOUT_PEEPHOLES)

    inputs, expected = train(tmp_path / SUFFIX, build, loops=loops)
    states = rnnstates.extract(inputs, LENGTHS, weights=tmp_path / SUFFIX, **AS_GIVEN)
    for row, length in enumerate(LENGTHS):
        both = np.concatenate([states["cell"][row, :length], states["hidden"][row, :length]], axis=-1)
        np.testing.assert_allclose(both, expected[row, :length], rtol=0, atol=1e-6)
    (note,) = rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN).notes
    assert "'rnn/mine': read as LSTMCell by its shapes" in note


def as_npz(path, variables):
    np.savez(path.with_suffix(".npz"), **variables)
    return path.with_suffix(".npz")


def as_hdf5(path, variables):
    with h5py.File(path, "w") as file:
        for name, values in variables.items():
            file[name] = values
    return path


def as_saved_model(path, variables):
    tf = import_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for name, values in variables.items():
            v1.get_variable(name, initializer=values)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save()
    return path


CONTAINERS = {
    "version 1": lambda path, variables: write(path, variables, 1),
    "version 2": write,
    "npz": as_npz,
    "hdf5": as_hdf5,
    "saved model": as_saved_model,
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_of_such_names_is_read(container, precision, tmp_path):
    variables = renamed("lstm", ("rnn/lstm_cell", "decoder/step"), precision=precision)
    path = CONTAINERS[container](tmp_path / "w", variables)
    check(path, "lstm", precision, **AS_GIVEN)


@pytest.mark.parametrize("container", ["version 2", "npz", "hdf5"])
def test_without_the_convention_the_refusal_names_it_and_the_scope(container, tmp_path):
    path = CONTAINERS[container](tmp_path / "w", renamed("lstm", ("rnn/lstm_cell", "rnn/fw")))
    with pytest.raises(BadWeights) as refused:
        rnnstates.load_weights(path)
    assert "'rnn/fw' has a kernel and a bias that fit a cell of TensorFlow 1" in str(refused.value)
    assert 'pass convention="tensorflow1"' in str(refused.value)
    with pytest.raises(BadWeights) as refused:
        rnnstates.load_weights(path, convention="keras")
    assert 'convention="tensorflow1"' in str(refused.value)


def test_such_a_file_is_described_as_weights(tmp_path):
    path = as_hdf5(tmp_path / "w", renamed("lstm", ("rnn/lstm_cell", "rnn/fw")))
    assert rnnstates.describe(path, convention="tensorflow1")["selected"] == "rnn/fw"
    with pytest.raises(BadWeights, match='pass convention="tensorflow1"'):
        rnnstates.describe(path)


def test_a_cell_that_is_called_like_an_unknown_one_names_the_convention_too(tmp_path):
    write(tmp_path / SUFFIX, renamed("lstm", ("rnn/lstm_cell", "rnn/my_lstm_cell")))
    with pytest.raises(BadWeights, match=r"of an unknown cell, or of an LSTMCell with a custom name"):
        rnnstates.load_weights(tmp_path / SUFFIX)


def layer(rows, columns, seed=0):
    random = np.random.default_rng(seed)
    return {
        "kernel": random.normal(size=(rows, columns)).astype("f4"),
        "bias": random.normal(size=columns).astype("f4"),
    }


def under(scope, arrays):
    return {f"{scope}/{name}": values for name, values in arrays.items()}


def test_of_several_scopes_that_fit_one_is_chosen_by_layer(tmp_path):
    variables = under("mix", layer(16, 8)) | renamed("lstm", ("rnn/lstm_cell", "memory"))
    write(tmp_path / SUFFIX, variables)
    with pytest.raises(BadWeights, match=r"choose one: layer='memory' \(LSTMCell\), layer='mix' \(LSTMCell\)"):
        rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN)
    check(tmp_path / SUFFIX, "lstm", "float32", layer="memory", **AS_GIVEN)


def test_what_is_called_like_another_layer_or_does_not_fit_is_none(tmp_path):
    beside = under("dense", layer(16, 8)) | under("out/logits", layer(9, 4)) | under("mix", layer(3, 20))
    beside |= under("mask", {"kernel": np.ones((3, 3, 1, 4), "f4"), "bias": np.ones(4, "f4")})
    beside |= under("odd", layer(9, 7)) | under("short", {"kernel": np.ones((9, 8), "f4"), "bias": np.ones(4, "f4")})
    variables = renamed("lstm", ("rnn/lstm_cell", "memory"))
    slots = {f"{name}/{slot}": values for name, values in variables.items() for slot in ("Adam", "Adam_1")}
    write(tmp_path / SUFFIX, beside | variables | slots)
    check(tmp_path / SUFFIX, "lstm", "float32", **AS_GIVEN)
    present = rnnstates.describe(tmp_path / SUFFIX, convention="tensorflow1")["present"]
    assert "memory (LSTMCell)" in present
    assert "dense/kernel" in present


def test_cells_known_by_name_and_others_stand_side_by_side(tmp_path):
    write(tmp_path / SUFFIX, asked("gru", "float32")[1] | renamed("lstm", ("rnn/lstm_cell", "memory")))
    assert rnnstates.describe(tmp_path / SUFFIX)["selected"] == "rnn/gru_cell"
    check(tmp_path / SUFFIX, "gru", "float32")
    check(tmp_path / SUFFIX, "gru", "float32", layer="rnn/gru_cell", **AS_GIVEN)
    check(tmp_path / SUFFIX, "lstm", "float32", layer="memory", **AS_GIVEN)


REFUSED = {
    "normalisation beside": ({"rnn/fw/gamma": (20,)}, "has 'rnn/fw/gamma', which LSTMCell does not have"),
    "normalisation inside": ({"rnn/fw/norm/gamma": (20,)}, "has 'rnn/fw/norm/gamma', which LSTMCell does not have"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_scope_with_more_than_a_cell_s_variables_is_refused(case, tmp_path):
    shapes, message = REFUSED[case]
    more = {name: np.ones(shape, "f4") for name, shape in shapes.items()}
    write(tmp_path / SUFFIX, renamed("lstm", ("rnn/lstm_cell", "rnn/fw")) | more)
    with pytest.raises(BadWeights, match=message):
        rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN)


@pytest.mark.parametrize("name", ["ugrnn_cell", "nas_rnn", "layer_norm_basic_lstm_cell", "phased_lstm_cell_1"])
def test_other_cells_of_tensorflow_1_stay_refused(name, tmp_path):
    write(tmp_path / SUFFIX, renamed("lstm", ("rnn/lstm_cell", f"rnn/{name}")))
    with pytest.raises(BadWeights, match=r"of an unknown cell\. This kind of cell"):
        rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN)


def test_a_wrapper_around_a_scope_is_refused(tmp_path):
    write(tmp_path / SUFFIX, renamed("lstm", ("rnn/lstm_cell", "decoder/attention_wrapper/mine")))
    with pytest.raises(BadWeights, match="is inside 'attention_wrapper', which changes"):
        rnnstates.load_weights(tmp_path / SUFFIX, **AS_GIVEN)


def test_a_name_of_a_million_scopes_is_no_cell_and_takes_no_memory():
    """Each scope would be kept with the rest of the name: a terabyte."""
    shapes = {"a/" * 500_000 + "kernel": (8, 20), "a/" * 500_000 + "bias": (20,)}
    container = Container("w", "npz", {name: Tensor(name, shape, np.zeros) for name, shape in shapes.items()})
    assert not tensorflow1.fits(container)
    assert not tensorflow1.recognises(container)
    assert tensorflow1.hint(container) == ""
