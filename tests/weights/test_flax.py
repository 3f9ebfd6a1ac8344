"""Flax's cells of linen and nnx, from msgpack, .npz and safetensors: every state is the one Flax computes."""

import functools

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax import nnx, serialization, traverse_util
from safetensors.numpy import save_file

import rnnstates
from rnnstates.errors.articles import with_article

from .census import parity
from .damage import refusal
from .jax_models import KEY, in_precision, randomised
from .running import LENGTHS, assert_same_states, ragged_inputs

CELLS = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")
CONTAINERS = {"msgpack": "w.msgpack", "npz": "w.npz", "safetensors": "w.safetensors"}


def flat(tree, separator="/"):
    return {
        separator.join(map(str, path)): np.asarray(array) for path, array in traverse_util.flatten_dict(tree).items()
    }


def save_as(tree, folder, container):
    path = folder / CONTAINERS[container]
    if container == "msgpack":
        path.write_bytes(serialization.to_bytes(tree))
    elif container == "npz":
        np.savez(path, **flat(tree))
    else:
        save_file(flat(tree, "."), path)
    return path


def linen_cell(kind, precision):
    """A cell of linen with 3 features and 5 units: (variables, step)."""
    cell, zeros = getattr(nn, kind)(features=5, param_dtype=precision), np.zeros((1, 3), precision)
    shapes = jax.eval_shape(lambda: cell.init(KEY, cell.initialize_carry(KEY, (1, 3)), zeros))
    variables = randomised(shapes, precision)
    return variables, lambda carry, inputs: cell.apply(variables, carry, inputs)[0]


def nnx_cell(kind, precision):
    """The same of nnx: (state as plain dicts, step)."""
    options = {"dtype": precision} if kind == "SimpleCell" else {}
    cell = nnx.eval_shape(lambda: getattr(nnx, kind)(3, 5, param_dtype=precision, rngs=nnx.Rngs(0), **options))
    return randomise(cell, precision), lambda carry, inputs: cell(carry, inputs)[0]


def randomise(module, precision="float32"):
    """Give a module of nnx random parameters, and give them as plain dicts."""
    state = randomised(nnx.to_pure_dict(nnx.state(module, nnx.Param)), precision)
    nnx.update(module, state)
    return state


MODULES = {"linen": linen_cell, "nnx": nnx_cell}


@functools.cache
def all_made(precision):
    """Every cell: (trees by module and kind, carries, function that makes a step of all), compiled in one go."""
    with in_precision(precision):
        cells = {(module, kind): make(kind, precision) for module, make in MODULES.items() for kind in CELLS}
        carries = {name: getattr(nn, name[1])(5).initialize_carry(KEY, (1, 3)) for name in cells}

    @jax.jit
    def step(carries, inputs):
        return {name: step(carries[name], inputs) for name, (_, step) in cells.items()}

    return {name: tree for name, (tree, _) in cells.items()}, carries, step


def made(module, kind, precision="float32"):
    """A cell: (tree, oracle)."""
    trees, carries, step = all_made(precision)

    def oracle(sequence):
        done = [carries]
        with in_precision(precision):
            for inputs in sequence[:, np.newaxis]:
                done.append(step(done[-1], inputs))
        return named([each[module, kind] for each in done[1:]])

    return trees[module, kind], oracle


def named(carries):
    """Give what cells carried by name; Flax carries (cell, hidden), or hidden alone."""
    names = ("cell", "hidden") if isinstance(carries[0], tuple) else ("hidden",)
    states = [done if isinstance(done, tuple) else (done,) for done in carries]
    found = {name: np.array(values)[:, 0] for name, values in zip(names, zip(*states, strict=True), strict=True)}
    return found | {f"{name}_final": values[-1] for name, values in found.items()}


@parity("flax", "lstm")
@parity("flax", "gru")
@parity("flax", "simple_rnn")
@pytest.mark.parametrize(
    "container, precision", [*((container, "float32") for container in CONTAINERS), ("msgpack", "float64")]
)
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("module", MODULES)
def test_every_state_is_the_one_flax_computes(module, kind, container, precision, tmp_path):
    tree, oracle = made(module, kind, precision)
    path = save_as({"encoder": {"cell": tree.get("params", tree)}}, tmp_path, container)
    assert_same_states(path, oracle, precision=precision)


@pytest.mark.parametrize("kind", CELLS)
def test_a_lone_cell_is_called_cell(kind, tmp_path):
    variables, oracle = made("linen", kind)
    path = save_as(variables, tmp_path, "msgpack")
    assert_same_states(path, oracle)
    assert rnnstates.load_weights(path).layers[0].name == "cell"


class Tagger(nn.Module):
    """Two layers, the lower one both ways; its names are kept, because it is made in ``setup``."""

    lower, upper = nn.LSTMCell, nn.GRUCell

    def setup(self):
        self.embed = nn.Embed(9, 3)
        self.both = nn.Bidirectional(nn.RNN(self.lower(4)), nn.RNN(self.lower(6)))
        self.top = nn.RNN(self.upper(5), return_carry=True)
        self.head = nn.Dense(2)

    def __call__(self, inputs, lengths):
        self.embed(np.zeros(2, int))
        between = self.both(inputs, seq_lengths=lengths)
        carry, outputs = self.top(between, seq_lengths=lengths)
        self.head(outputs)
        return between, outputs, carry


def test_the_directions_of_a_bidirectional_are_identified_by_their_names(tmp_path):
    inputs, model = np.nan_to_num(ragged_inputs()), Tagger()
    variables = randomised(jax.eval_shape(model.init, KEY, inputs, LENGTHS))
    path = save_as(variables, tmp_path, "msgpack")
    both, hidden, carry = jax.jit(model.apply)(variables, inputs, LENGTHS)
    states = rnnstates.extract(inputs[..., :3], LENGTHS, weights=merged(path), pool="final")
    for row, length in enumerate(LENGTHS):
        pairs = {
            "layer0/forward/hidden": np.asarray(both)[row, :length, :4],
            "layer0/backward/hidden": np.asarray(both)[row, :length, 4:],
            "layer1/hidden": np.asarray(hidden)[row, :length],
        }
        for name, expected in pairs.items():
            np.testing.assert_allclose(states[name][row, :length], expected, rtol=0, atol=1e-6)
        if length:
            np.testing.assert_allclose(states["layer1/hidden_final"][row], np.asarray(carry)[row], rtol=0, atol=1e-6)


def merged(path):
    """Put the two stacks of a Tagger above each other; the file does not say which feeds which."""
    lower, upper = (rnnstates.load_weights(path, layer=layer) for layer in ("both", "top/cell"))
    assert any("embedding 'params/embed/embedding' is assumed to feed 'both'" in note for note in lower.notes)
    return rnnstates.Network((*lower.layers, *upper.layers))


def test_the_two_directions_of_nnx_are_identified_by_their_names(tmp_path):
    def directions():
        rngs = nnx.Rngs(0)
        forward, backward = nnx.OptimizedLSTMCell(3, 4, rngs=rngs), nnx.GRUCell(3, 6, rngs=rngs)
        return nnx.Bidirectional(nnx.RNN(forward), nnx.RNN(backward))

    @jax.jit
    def run(state):
        nnx.update(both := directions(), state)
        return both(inputs, seq_lengths=LENGTHS, return_carry=True)

    state, inputs = randomise(nnx.eval_shape(directions)), np.nan_to_num(ragged_inputs())
    (_, final_gru), outputs = run(state)
    path = save_as({"both": state}, tmp_path, "npz")
    states = rnnstates.extract(inputs, LENGTHS, weights=path, pool="final")
    for row, length in enumerate(LENGTHS):
        expected = np.asarray(outputs)[row, :length]
        np.testing.assert_allclose(states["layer0/forward/hidden"][row, :length], expected[:, :4], rtol=0, atol=1e-6)
        np.testing.assert_allclose(states["layer0/backward/hidden"][row, :length], expected[:, 4:], rtol=0, atol=1e-6)
        if length:
            final = states["layer0/backward/hidden_final"][row]
            np.testing.assert_allclose(final, np.asarray(final_gru)[row], rtol=0, atol=1e-6)


def test_each_cell_of_a_compact_model_is_a_stack_of_its_own(tmp_path):
    """Numbers say in which order cells were made, not which feeds which: here the upper one is number 0."""

    class Compact(nn.Module):
        @nn.compact
        def __call__(self, inputs):
            return nn.RNN(nn.OptimizedLSTMCell(2))(nn.RNN(nn.OptimizedLSTMCell(5))(inputs))

    model, inputs = Compact(), np.nan_to_num(ragged_inputs())
    variables = randomised(jax.eval_shape(model.init, KEY, inputs))
    path = save_as(variables, tmp_path, "msgpack")
    assert "has 2 recurrent stacks; choose one: layer='OptimizedLSTMCell_0' (LSTMCell)" in refusal(path)
    upper, lower = (rnnstates.load_weights(path, layer=f"OptimizedLSTMCell_{number}") for number in range(2))
    network = rnnstates.Network((*lower.layers, *upper.layers))
    states = rnnstates.extract(inputs, "full", weights=network, states="hidden")
    np.testing.assert_allclose(states["layer1/hidden"], jax.jit(model.apply)(variables, inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [".{}", "{}", "['params']['{}']", "params/{}/value"])
def test_the_separators_of_jax_and_flax_are_alike(name, tmp_path):
    variables, oracle = made("linen", "LSTMCell")
    separator = "']['" if "[" in name else "." if name[0] == "." else "/"
    arrays = {name.format(path): array for path, array in flat(variables["params"], separator).items()}
    np.savez(tmp_path / "w.npz", **arrays)
    assert_same_states(tmp_path / "w.npz", oracle)


def test_what_an_optimiser_keeps_beside_the_weights_is_no_cell(tmp_path):
    variables, oracle = made("linen", "GRUCell")
    tree = {"step": 3, "params": {"rnn": variables["params"]}, "tx": {"0": {"mu": {"rnn": variables["params"]}}}}
    tree["opt_state"] = {"inner": {"rnn": variables["params"]}}
    assert_same_states(save_as(tree, tmp_path, "msgpack"), oracle)


def test_the_keys_of_random_numbers_in_a_cell_are_passed_over(tmp_path):
    state, oracle = made("nnx", "LSTMCell")
    tree = {"cell": {**state, "rngs": {"count": np.uint32(3), "key": np.zeros(2, np.uint32)}}}
    assert_same_states(save_as(tree, tmp_path, "msgpack"), oracle)


def test_layers_in_a_list_have_numbers_in_their_names(tmp_path):
    state, oracle = made("nnx", "SimpleCell")
    path = tmp_path / "w.msgpack"
    path.write_bytes(serialization.msgpack_serialize({"layers": {0: state}}))
    assert_same_states(path, oracle)
    assert rnnstates.load_weights(path).layers[0].name == "layers/0"


def test_an_array_in_chunks_is_put_together(tmp_path, monkeypatch):
    variables, oracle = made("linen", "LSTMCell")
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 20)
    path = save_as(variables, tmp_path, "msgpack")
    assert b"__msgpack_chunked_array__" in path.read_bytes()
    assert_same_states(path, oracle)


def test_bfloat16_is_widened_without_loss(tmp_path):
    variables, _ = made("linen", "LSTMCell")
    rounded = jax.tree.map(lambda array: jax.numpy.asarray(array, "bfloat16"), variables)
    low = rnnstates.load_weights(save_as(rounded, tmp_path, "msgpack"))
    expected = [np.asarray(rounded["params"][gate]["kernel"], np.float32) for gate in ("ii", "if", "ig", "io")]
    np.testing.assert_array_equal(low.layers[0].forward.kernel, np.concatenate(expected, axis=1))


def test_what_flax_does_not_store_is_reported(tmp_path):
    path = save_as(made("linen", "SimpleCell")[0], tmp_path, "msgpack")
    notes = " ".join(rnnstates.load_weights(path).notes)
    assert "tanh, no residual, reading forward and a stack of its own are assumed" in notes
    path = save_as(made("linen", "GRUCell")[0], tmp_path, "msgpack")
    network = rnnstates.load_weights(path)
    assert "tanh and sigmoid, reading forward and a stack of its own are assumed" in " ".join(network.notes)
    assert network.origin["layers"][0]["activation"] == "tanh (default)"
    assert network.origin["source_format"] == "Flax parameters (msgpack)"


@pytest.mark.parametrize("kind", ["MGUCell", "ConvLSTMCell"])
def test_a_cell_of_another_kind_is_refused_by_name(kind, tmp_path):
    cell = nn.MGUCell(5) if kind == "MGUCell" else nn.ConvLSTMCell(5, (3,))
    inputs = np.zeros((1, 3) if kind == "MGUCell" else (1, 7, 3), np.float32)
    variables = randomised(jax.eval_shape(lambda: cell.init(KEY, cell.initialize_carry(KEY, inputs.shape), inputs)))
    assert f"which are those of {with_article(kind)}" in refusal(save_as(variables, tmp_path, "msgpack"))


def test_arrays_that_no_cell_of_flax_has_are_refused(tmp_path):
    params = made("linen", "LSTMCell")[0]["params"]
    tree = {"params": {"rnn": {**params, "norm": {"scale": np.ones(5, np.float32)}}}}
    message = refusal(save_as(tree, tmp_path, "msgpack"))
    assert "has 'params/rnn/norm/scale', which Flax's own cells do not have" in message


def test_a_cell_with_a_missing_gate_is_refused(tmp_path):
    params = dict(made("linen", "LSTMCell")[0]["params"])
    del params["ig"]
    assert "Some are missing" in refusal(save_as({"params": {"rnn": params}}, tmp_path, "msgpack"))


def test_cells_that_are_stacked_in_one_array_are_refused(tmp_path):
    stacked = jax.tree.map(lambda array: np.stack([array, array]), made("linen", "LSTMCell")[0])
    assert "several cells are stacked by nn.scan or vmap" in refusal(save_as(stacked, tmp_path, "msgpack"))


def test_gates_of_different_width_are_refused(tmp_path):
    params = dict(made("linen", "LSTMCell")[0]["params"])
    params["ig"] = {"kernel": np.ones((2, 5), np.float32)}
    assert "do not fit each other" in refusal(save_as({"params": {"rnn": params}}, tmp_path, "msgpack"))
