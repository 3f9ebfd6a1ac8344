"""Names near to those of frameworks: read by ``--convention`` as the framework computes them, or refused."""

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import rnnstates

from .unirep_models import LENGTHS, asked, extracted, largest_difference, random_arrays

FEATURES, UNITS = 3, 5
ATOL = 2e-6
# PyTorch's names, and others that people give to the same arrays.
SPELLED = {
    "enc_w_ih": ("enc_w_ih", "enc_w_hh", "enc_b_ih", "enc_b_hh"),
    "capitals": ("W_ih", "W_hh", "b_ih", "b_hh"),
    "short": ("Wx", "Wh", "bx", "bh"),
    "dots": ("encoder.weights_ih", "encoder.weights_hh", "encoder.biases_ih", "encoder.biases_hh"),
    "slashes": ("rnn/w_xh", "rnn/w_hh", "rnn/b_x", "rnn/b_h"),
    "layer numbers": ("dec_w_ih_l0", "dec_w_hh_l0", "dec_b_ih_l0", "dec_b_hh_l0"),
    "Gluon": ("lstm0_l0_i2h_weight", "lstm0_l0_h2h_weight", "lstm0_l0_i2h_bias", "lstm0_l0_h2h_bias"),
    "inputs and recurrent": ("w_input", "w_recurrent", "b_input", "b_recurrent"),
    "whole words": ("input_weights", "hidden_weights", "input_bias", "hidden_bias"),
    "letters": ("W", "R", "B", "RB"),
    "to hidden": ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"),
}
THEIRS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}


def module_of(cell, **options):
    torch.manual_seed(7)
    return MODULES[cell](FEATURES, UNITS, batch_first=True, **options).eval()


def arrays_of(module):
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def write(path, arrays, container):
    if container == "npz":
        np.savez(path, **arrays)
        return path.with_suffix(".npz")
    if container == "safetensors":
        save_file(arrays, path)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


def given(steps=6):
    return np.random.default_rng(3).normal(size=(4, steps, FEATURES)).astype("f4")


def wanted(module, inputs):
    with torch.no_grad():
        return module(torch.from_numpy(inputs))[0].numpy()


@pytest.mark.parametrize("container", ["npz", "safetensors", "hdf5"])
@pytest.mark.parametrize("cell", MODULES)
@pytest.mark.parametrize("spelling", SPELLED)
def test_near_names_are_read_as_pytorch_computes_them(spelling, cell, container, tmp_path):
    module = module_of(cell)
    arrays = dict(zip(SPELLED[spelling], (arrays_of(module)[name] for name in THEIRS), strict=True))
    path = write(tmp_path / "w", arrays, container)
    network = rnnstates.load_weights(path, convention="torch")
    assert any(f"'{SPELLED[spelling][0]}' as kernel" in note for note in network.notes)
    states = rnnstates.extract(given(), "full", weights=network, engine="numpy")
    np.testing.assert_allclose(states["hidden"], wanted(module, given()), atol=ATOL)


@pytest.mark.parametrize("cell", MODULES)
def test_layers_and_directions_are_one_stack(cell, tmp_path):
    module = module_of(cell, num_layers=2, bidirectional=True)
    arrays = {f"enc_{name.replace('weight', 'w').replace('bias', 'b')}": a for name, a in arrays_of(module).items()}
    states = rnnstates.extract(
        given(), "full", weights=write(tmp_path / "w", arrays, "npz"), convention="torch", engine="numpy"
    )
    both = np.concatenate([states["layer1/forward/hidden"], states["layer1/backward/hidden"]], axis=-1)
    np.testing.assert_allclose(both, wanted(module, given()), atol=ATOL)


def test_gates_in_columns_are_read_by_a_convention_that_has_them_so(tmp_path):
    import keras

    layer = keras.layers.LSTM(UNITS, return_sequences=True)
    layer(given())
    layer.set_weights([np.random.default_rng(1).normal(size=part.shape) * 0.5 for part in layer.get_weights()])
    for names in (("Wx", "Wh", "b"), ("W", "U", "b"), ("cell_W_in", "cell_W_rec", "cell_bias")):
        path = write(tmp_path / "w", dict(zip(names, layer.get_weights(), strict=True)), "npz")
        states = rnnstates.extract(given(), "full", weights=path, convention="keras", engine="numpy")
        np.testing.assert_allclose(states["hidden"], np.array(layer(given())), atol=ATOL)


@pytest.mark.parametrize("reset_after", [True, False])
def test_keras_gru_of_near_names_resets_where_its_biases_say(reset_after, tmp_path):
    import keras

    layer = keras.layers.GRU(UNITS, return_sequences=True, reset_after=reset_after)
    layer(given())
    layer.set_weights([np.random.default_rng(1).normal(size=part.shape) * 0.5 for part in layer.get_weights()])
    path = write(tmp_path / "w", dict(zip(("Wx", "Wh", "b"), layer.get_weights(), strict=True)), "npz")
    states = rnnstates.extract(given(), "full", weights=path, convention="keras", engine="numpy")
    np.testing.assert_allclose(states["hidden"], np.array(layer(given())), atol=ATOL)


def test_heads_and_tables_beside_them_are_left_alone(tmp_path):
    module = module_of("lstm")
    arrays = dict(zip(SPELLED["capitals"], (arrays_of(module)[name] for name in THEIRS), strict=True))
    arrays |= {"W_hy": np.ones((2, UNITS)), "b_y": np.ones(2), "fc_w": np.ones((2, 2)), "embedding": np.ones((9, 2))}
    states = rnnstates.extract(
        given(), "full", weights=write(tmp_path / "w", arrays, "npz"), convention="torch", engine="numpy"
    )
    np.testing.assert_allclose(states["hidden"], wanted(module, given()), atol=ATOL)


LSTM = {"W_ih": np.ones((20, 3)), "W_hh": np.ones((20, 5)), "b_ih": np.ones(20), "b_hh": np.ones(20)}
GRU = {"Wx": np.ones((15, 3)), "Wh": np.ones((15, 5)), "b": np.ones(15)}
REFUSED = {
    "no convention": (
        LSTM,
        None,
        r"holds 'W_ih' as kernel, .* by their names .* the order of the gates; pass convention=NAME, one of torch,",
    ),
    "gates the other way": (
        LSTM,
        "keras",
        r"'W_ih' has shape \(20, 3\) and 'W_hh' \(20, 5\), gates in rows, which is not a cell of 'keras'",
    ),
    "one bias of two": (GRU, "torch", r"has one bias, 'b', but a GRU of 'torch' adds one after each of two products"),
    "an array inside the cell": (LSTM | {"ln_gamma": np.ones(5)}, "torch", "has 'ln_gamma', which this layer does not"),
    "a layer missing": (
        {f"{name}_l{n}": array for name, array in LSTM.items() for n in (0, 2)},
        "torch",
        r"holds the layers \[0, 2\]",
    ),
    "no names": ({"arr_0": np.ones(2), "arr_1": np.ones(3)}, "torch", r"called arr_0, arr_1, .* save them by name"),
    "two spellings of one": (LSTM | {"Wx": LSTM["W_ih"]}, "torch", "no recurrent layer found"),
    "shapes that fit no cell": ({"Wx": np.ones((3, 7)), "Wh": np.ones((5, 7))}, "keras", "no recurrent layer found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_near_names_that_are_not_clear_are_refused_with_what_to_do(case, tmp_path):
    arrays, convention, message = REFUSED[case]
    with pytest.raises(rnnstates.BadWeights, match=message):
        rnnstates.load_weights(write(tmp_path / "w", arrays, "npz"), convention=convention)


def test_an_unknown_convention_is_an_option_error(tmp_path):
    with pytest.raises(rnnstates.OptionError, match="convention='pytorch': unknown; known are keras, torch"):
        rnnstates.load_weights(write(tmp_path / "w", LSTM, "npz"), convention="pytorch")


def test_an_input_file_is_no_weights_for_its_names(tmp_path):
    path = write(tmp_path / "x.h5", {"arr_0": np.ones((2, 3, 4)), "w": np.ones((2, 3)), "u": np.ones((2, 3))}, "hdf5")
    assert rnnstates.describe(path)["kind"] == "input"


@pytest.mark.parametrize("prefix", ["", "params."])
@pytest.mark.parametrize("numbers", [(1,), (1, 3, 4)], ids=str)
def test_a_list_of_unireps_layers_is_read_by_its_numbers(numbers, prefix, tmp_path):
    """The layers of the model are numbered together with the table before them and what lies between."""
    arrays, inputs, states = asked("{layer}.{leaf}", len(numbers), "float64", "float32")
    renamed = {
        f"{prefix}{numbers[int(name[0])]}{name[1:]}": array for name, array in arrays.items() if name[0].isdigit()
    }
    path = write(tmp_path / "w", renamed, "npz")
    assert largest_difference(extracted(path, inputs), states) <= 1e-12
    notes = rnnstates.load_weights(path).notes
    said = ", ".join(map(str, numbers))
    assert any(f"wmh' and the like are read as UniRep's layers, by their numbers {said}." in note for note in notes)


def test_the_table_of_such_a_list_embeds_tokens(tmp_path):
    arrays = random_arrays("{layer}.{leaf}", 1, precision="float64")
    named = {f"1{name[1:]}": array for name, array in arrays.items() if name.startswith("0.")}
    path = write(tmp_path / "w", named | {"0": arrays["embed_matrix:0"], "5.b": np.ones(2)}, "npz")
    tokens = np.random.default_rng(3).integers(1, 24, size=(len(LENGTHS), 7))
    by_ids = extracted(path, tokens)
    np.testing.assert_array_equal(by_ids["hidden"], extracted(path, arrays["embed_matrix:0"][tokens])["hidden"])


@pytest.mark.parametrize("names", [("kernel", "recurrent_kernel", "bias"), ("Wx", "Wh", "b")])
def test_trained_starts_beside_the_arrays_of_a_layer_are_used(names, tmp_path):
    random = np.random.default_rng(4)
    shapes = ((FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))
    arrays = {name: random.normal(size=shape) for name, shape in zip(names, shapes, strict=True)}
    starts = {name: random.normal(size=(1, UNITS)) for name in ("h0", "c0")}
    path = write(tmp_path / "w", {**arrays, **starts}, "npz")
    found = rnnstates.load_weights(path, convention="keras").layers[0].forward.initial
    np.testing.assert_array_equal(found["hidden"], starts["h0"][0])
    np.testing.assert_array_equal(found["cell"], starts["c0"][0])
