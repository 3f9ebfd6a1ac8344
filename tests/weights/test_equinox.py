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
from .jax_models import KEY, in_precision, randomised
from .running import ATOL, assert_same_states

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


def cell_of(kind, precision, use_bias=True):
    """A cell with 3 features and 5 units."""
    return randomised(
        equinox.filter_eval_shape(CELLS[kind], 3, 5, use_bias=use_bias, dtype=precision, key=KEY), precision
    )


@functools.cache
def all_made(precision):
    """Every cell, with biases and without: (cells, function that makes a step with each), compiled in one go."""
    with in_precision(precision):
        cells = {(kind, biased): cell_of(kind, precision, biased) for kind in CELLS for biased in (True, False)}
    return cells, jax.jit(lambda states, inputs: {name: cell(inputs, states[name]) for name, cell in cells.items()})


def made(kind, precision="float32", use_bias=True):
    """A cell: (cell, oracle)."""
    cells, step = all_made(precision)

    def oracle(sequence):
        zero = np.zeros(5, precision)
        done = [{name: (zero, zero) if name[0] == "LSTMCell" else zero for name in cells}]
        with in_precision(precision):
            for inputs in sequence:
                done.append(step(done[-1], inputs))
        states = [each[kind, use_bias] for each in done[1:]]
        states = zip(*states, strict=True) if kind == "LSTMCell" else (states,)
        found = {name: np.array(values) for name, values in zip(("hidden", "cell"), states, strict=False)}
        return found | {f"{name}_final": values[-1] for name, values in found.items()}

    return cells[kind, use_bias], oracle


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
    around = equinox.filter_eval_shape(lambda: (equinox.nn.Embedding(9, 3, key=KEY), equinox.nn.Linear(5, 2, key=KEY)))
    model = Model(cells, *randomised(around))
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
