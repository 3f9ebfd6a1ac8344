"""Equinox's cells, from .npz and safetensors: every state is the one Equinox computes."""

import functools

import equinox
import jax
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import rnnstates

from .census import parity
from .damage import refusal
from .jax_precision import in_precision
from .running import ATOL, assert_same_states

KEY = jax.random.PRNGKey(0)
CELLS = {"LSTMCell": equinox.nn.LSTMCell, "GRUCell": equinox.nn.GRUCell}


class Model(equinox.Module):
    """A cell in a model, with an embedding and a head."""

    cells: list
    embedding: equinox.nn.Embedding
    head: equinox.nn.Linear


def arrays_of(tree):
    """Give the arrays by their paths, as JAX writes them."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(array) for path, array in leaves}


@functools.cache
def made(kind, precision="float32", use_bias=True):
    """A cell with 3 features and 5 units: (cell, oracle)."""
    random = np.random.default_rng(7)
    with in_precision(precision):
        cell = CELLS[kind](3, 5, use_bias=use_bias, dtype=precision, key=KEY)
        cell = jax.tree.map(
            lambda array: jax.numpy.asarray(random.normal(size=array.shape) * 0.4, precision),
            cell,
        )

    def oracle(sequence):
        with in_precision(precision):
            zero = jax.numpy.zeros(5, precision)
            state, collected = ((zero, zero) if kind == "LSTMCell" else zero), []
            for inputs in sequence:
                state = cell(inputs, state)
                collected.append(state if kind == "LSTMCell" else (state,))
        found = {
            name: np.array([np.asarray(states[place]) for states in collected])
            for place, name in enumerate(("hidden", "cell")[: len(collected[0])])
        }
        return found | {f"{name}_final": values[-1] for name, values in found.items()}

    return cell, oracle


def save_as(arrays, folder, container="npz"):
    path = folder / f"w.{container}"
    if container == "npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    return path


@parity("equinox", "lstm")
@parity("equinox", "gru")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("container", ["npz", "safetensors"])
@pytest.mark.parametrize("kind", CELLS)
def test_every_state_is_the_one_equinox_computes(kind, container, precision, tmp_path):
    cell, oracle = made(kind, precision)
    assert_same_states(save_as(arrays_of(cell), tmp_path, container), oracle, precision=precision)


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_may_lie_anywhere_in_a_model(kind, separator, tmp_path):
    cell, oracle = made(kind)
    arrays = {f"model{separator}cell{name.replace('.', separator)}": array for name, array in arrays_of(cell).items()}
    assert_same_states(save_as(arrays, tmp_path), oracle)
    assert rnnstates.load_weights(tmp_path / "w.npz").layers[0].name == "model/cell"


def test_the_paths_of_jax_in_a_model_are_read(tmp_path):
    cells = [made(kind)[0] for kind in CELLS]
    model = Model(cells, equinox.nn.Embedding(9, 3, key=KEY), equinox.nn.Linear(5, 2, key=KEY))
    path = save_as(arrays_of(model), tmp_path)
    assert "choose one: layer='cells/0' (LSTMCell), layer='cells/1' (GRUCell)" in refusal(path)
    network = rnnstates.load_weights(path, layer="cells/1")
    assert network.embedding.shape == (9, 3)
    tokens = np.array([[3, 0, 8, 1]])
    states = rnnstates.extract(tokens, "full", weights=network)
    embedded = np.asarray(model.embedding.weight)[tokens[0]]
    np.testing.assert_allclose(states["hidden"][0], made("GRUCell")[1](embedded)["hidden"], rtol=0, atol=1e-6)


def test_what_an_optimiser_keeps_beside_the_weights_is_no_cell(tmp_path):
    cell, oracle = made("LSTMCell")
    arrays = arrays_of(({"cell": cell}, [{"mu": cell}]))
    assert any("mu" in name for name in arrays)
    assert_same_states(save_as(arrays, tmp_path), oracle)


def test_a_cell_at_the_top_and_one_called_cell_are_two(tmp_path):
    (top, oracle), (other, _) = made("LSTMCell"), made("GRUCell")
    arrays = arrays_of(top) | {f"cell{name}": array for name, array in arrays_of(other).items()}
    path = save_as(arrays, tmp_path)
    assert "layer='/' (LSTMCell), layer='cell' (GRUCell)" in refusal(path)
    assert_same_states(path, oracle, layer="/")


@pytest.mark.parametrize("kind", CELLS)
def test_cells_without_biases_are_read_as_those_of_pytorch_which_they_equal(kind, tmp_path):
    cell, oracle = made(kind, use_bias=False)
    path = save_as(arrays_of(cell), tmp_path)
    assert_same_states(path, oracle)
    assert rnnstates.load_weights(path).origin["convention"].startswith("torch")


def test_a_cell_without_biases_beside_one_with_them_is_read(tmp_path):
    bare, oracle = made("LSTMCell", use_bias=False)
    arrays = {
        f"{name}{path}": array
        for name, cell in (("a", bare), ("b", made("GRUCell")[0]))
        for path, array in arrays_of(cell).items()
    }
    assert_same_states(save_as(arrays, tmp_path), oracle, layer="a")


@pytest.mark.parametrize("module", [torch.nn.LSTMCell, torch.nn.GRUCell, torch.nn.LSTM])
def test_modules_of_pytorch_are_left_to_pytorch(module, tmp_path):
    arrays = {f"cell.{name}": value.numpy() for name, value in module(3, 5).state_dict().items()}
    path = save_as(arrays, tmp_path, "safetensors")
    assert rnnstates.load_weights(path).origin["convention"].startswith("torch")


def test_a_pytorch_file_with_one_bias_is_not_taken_for_equinox(tmp_path):
    arrays = {f"cell{name}": torch.from_numpy(array.copy()) for name, array in arrays_of(made("LSTMCell")[0]).items()}
    torch.save(arrays, tmp_path / "w.pt")
    assert "has 'cell.bias', which PyTorch's own LSTM, GRU and RNN do not have" in refusal(tmp_path / "w.pt")


def test_arrays_that_no_cell_of_equinox_has_are_refused(tmp_path):
    arrays = {f"cell{name}": array for name, array in arrays_of(made("LSTMCell")[0]).items()}
    message = refusal(save_as(arrays | {"cell.norm.weight": np.ones(5, np.float32)}, tmp_path))
    assert "has 'cell.norm.weight', which Equinox's LSTMCell and GRUCell do not have" in message


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_with_the_biases_of_another_is_refused(kind, tmp_path):
    arrays = arrays_of(made(kind)[0])
    if kind == "LSTMCell":
        arrays[".bias_n"] = np.ones(5, np.float32)
    else:
        del arrays[".bias_n"]
    assert f"an Equinox {kind} has other biases" in refusal(save_as(arrays, tmp_path))


def test_a_recurrent_matrix_of_no_cell_is_refused(tmp_path):
    arrays = {"weight_ih": np.ones((10, 3)), "weight_hh": np.ones((10, 5)), "bias": np.ones(10)}
    message = refusal(save_as(arrays, tmp_path))
    assert "weight_hh has shape (10, 5); expected (4 or 3 times its columns, columns)" in message


def test_an_array_of_equinox_that_does_not_fit_is_refused(tmp_path):
    arrays = arrays_of(made("GRUCell")[0]) | {".bias_n": np.ones(4, np.float32)}
    assert "recurrent bias has shape (14,)" in refusal(save_as(arrays, tmp_path))
