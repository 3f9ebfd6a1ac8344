"""Arrays called kernel, recurrent_kernel and bias, in .npz, HDF5 and safetensors: the caller says what they mean."""

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

import rnnstates
from rnnstates.network.model import GATES
from rnnstates.weights.conventions import CONVENTIONS

from ..builders import cell_weights, ragged
from .keras_models import keras_of, randomise

FRAMEWORKS = [
    (framework, cell) for framework, cells in CONVENTIONS.items() for cell in cells if (framework, cell)[1] != "mlstm"
]


def stored(framework, weights):
    """Our arrays as the convention says that the framework keeps them, block by block."""
    convention = CONVENTIONS[framework][weights.cell]
    blocks = len(convention.gates)

    def turned(array):
        parts = dict(zip(GATES[weights.cell], np.split(array, blocks, axis=-1), strict=True))
        sign = {gate: -1 if gate in convention.negated else 1 for gate in convention.gates}
        joined = np.concatenate([sign[gate] * parts[gate] for gate in convention.gates], axis=-1)
        return np.ascontiguousarray(joined.T) if convention.transposed and array.ndim == 2 else joined

    arrays = {"kernel": turned(weights.kernel), "recurrent_kernel": turned(weights.recurrent_kernel)}
    arrays["bias"] = turned(weights.bias)
    if weights.recurrent_bias is not None:
        arrays["recurrent_bias"] = turned(weights.recurrent_bias)
    return arrays


def write(container, path, arrays, prefix=""):
    named = {f"{prefix}{name}": array for name, array in arrays.items()}
    if container == "npz":
        np.savez(path.with_suffix(".npz"), **named)
        return path.with_suffix(".npz")
    if container == "safetensors":
        save_file(named, path)
    else:
        with h5py.File(path, "w") as file:
            for name, array in named.items():
                file[name] = array
    return path


@pytest.mark.parametrize("container", ["npz", "hdf5", "safetensors"])
@pytest.mark.parametrize(("framework", "cell"), FRAMEWORKS)
def test_each_convention_reads_its_own_order(framework, cell, container, tmp_path):
    convention = CONVENTIONS[framework][cell]
    options = {"reset_after": convention.reset_after} if cell == "gru" else {}
    if cell == "gru" and not convention.reset_after:
        options["recurrent_bias"] = None
    weights = cell_weights(cell, 3, 5, forget_bias=convention.forget_bias, **options)
    path = write(container, tmp_path / "w", stored(framework, weights), "encoder/")
    loaded = rnnstates.load_weights(path, convention=framework)
    layer = loaded.layers[0].forward
    for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias", "forget_bias", "reset_after", "cell"):
        np.testing.assert_array_equal(getattr(layer, name), getattr(weights, name), err_msg=name)
    assert loaded.layers[0].name == "encoder"
    assert any(f"read by the convention '{framework}', as given" in note for note in loaded.notes)


def test_keras_two_biases_of_a_gru_are_parted(tmp_path):
    weights = cell_weights("gru", 3, 5)
    arrays = {**stored("keras", weights), "bias": np.stack([weights.bias, weights.recurrent_bias])}
    del arrays["recurrent_bias"]
    path = write("npz", tmp_path / "w", arrays)
    inputs, lengths = ragged()
    ours = rnnstates.extract(inputs, lengths, weights=path, convention="keras", precision="float64")
    theirs = rnnstates.extract(
        inputs, lengths, weights=rnnstates.Network((rnnstates.RecurrentLayer("x", weights),)), precision="float64"
    )
    np.testing.assert_array_equal(ours["hidden"], theirs["hidden"])


def test_peepholes_and_a_projection_are_read(tmp_path):
    weights = cell_weights("lstm", 3, 5)
    arrays = stored("onnx", weights)
    arrays["peepholes"] = np.arange(15.0).reshape(3, 5)
    loaded = rnnstates.load_weights(write("npz", tmp_path / "p", arrays), convention="onnx").layers[0].forward
    # ONNX stores them in the order input, output, forget.
    np.testing.assert_array_equal(loaded.peepholes[:, 0], [0, 10, 5])
    arrays = stored("torch", weights)
    arrays |= {"recurrent_kernel": arrays["recurrent_kernel"][:, :2], "projection": np.ones((2, 5))}
    loaded = rnnstates.load_weights(write("npz", tmp_path / "q", arrays), convention="torch").layers[0].forward
    assert (loaded.units, loaded.width, loaded.projection.shape) == (5, 2, (5, 2))


def test_without_a_convention_plain_names_are_refused_and_the_known_ones_listed(tmp_path):
    path = write("npz", tmp_path / "w", stored("keras", cell_weights("lstm", 3, 5)))
    with pytest.raises(
        rnnstates.BadWeights, match="not the order of the gates; pass convention=NAME, one of keras, torch"
    ):
        rnnstates.load_weights(path)
    with pytest.raises(rnnstates.OptionError, match="convention='kears': unknown; known are keras"):
        rnnstates.load_weights(path, convention="kears")
    assert rnnstates.describe(path, convention="keras")["selected"] == "layer"


WRONG = {
    "a cell the convention has not": ("unirep", {}, "which fits no cell of the convention 'unirep'"),
    "a kernel that is none": ("keras", {"recurrent_kernel": np.ones((5, 7))}, "recurrent kernel has shape (5, 7)"),
    "another array beside": (
        "keras",
        {"layer_norm": np.ones(5)},
        "'enc/layer_norm', which this lstm does not have",
    ),
    "a kernel of whole numbers": ("keras", {"kernel": np.ones((3, 20), int)}, "expected a floating-point type"),
}


@pytest.mark.parametrize("case", WRONG)
def test_plain_arrays_of_something_else_are_refused(case, tmp_path):
    framework, change, message = WRONG[case]
    path = write("npz", tmp_path / "w", {**stored("keras", cell_weights("lstm", 3, 5)), **change}, "enc/")
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path, convention=framework)
    assert message in str(refused.value)


@pytest.mark.parametrize("reset_after", [True, False])
def test_one_bias_of_a_keras_gru_means_that_it_resets_before_the_product(reset_after, tmp_path):
    keras = keras_of(3)
    layer = keras.layers.GRU(4, reset_after=reset_after, return_sequences=True)
    model = randomise(keras.Sequential([keras.Input((None, 3)), layer]))
    path = write(
        "npz", tmp_path / "w", dict(zip(("kernel", "recurrent_kernel", "bias"), layer.get_weights(), strict=True))
    )
    inputs = np.random.default_rng(1).normal(size=(2, 6, 3)).astype("f4")
    states = rnnstates.extract(inputs, "full", weights=path, convention="keras")
    np.testing.assert_allclose(states["hidden"], np.array(model(inputs)), atol=1e-6)


def test_where_arrays_do_not_say_where_a_gru_resets_it_is_noted(tmp_path):
    arrays = stored("onnx", cell_weights("gru", 3, 5, reset_after=False))
    notes = rnnstates.load_weights(write("npz", tmp_path / "w", arrays), convention="onnx").notes
    assert any("do not say where the GRU resets; before the product" in note for note in notes)


@pytest.mark.parametrize("prefix", ["", "enc.", "enc/"])
def test_an_array_beside_the_plain_ones_is_refused_wherever_they_lie(prefix, tmp_path):
    arrays = {**stored("keras", cell_weights("lstm", 3, 5)), "gamma": np.ones(5)}
    with pytest.raises(rnnstates.BadWeights, match="gamma', which this lstm does not have"):
        rnnstates.load_weights(write("npz", tmp_path / "w", arrays, prefix), convention="keras")


def test_peepholes_that_are_none_and_names_that_cannot_be_printed_are_refused(tmp_path):
    arrays = {**stored("onnx", cell_weights("lstm", 3, 5)), "peepholes": np.ones((4, 3))}
    with pytest.raises(rnnstates.BadWeights, match=r"peepholes has shape \(4, 3\); expected \(3, units\)"):
        rnnstates.load_weights(write("safetensors", tmp_path / "w", arrays), convention="onnx")
    for name in ("a\x1b[31m/kernel", "a\0/kernel", "a\u202eb/kernel", "a\u2066b/kernel", "a\u2028b/kernel"):
        path = write("safetensors", tmp_path / "w", {name: np.ones(3)})
        with pytest.raises(rnnstates.BadWeights, match="expected printable characters"):
            rnnstates.load_weights(path)
