"""Objects of other libraries: read as NumPy would read their values, or refused with what makes an array of them."""

import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput
from rnnstates.untrusted.given import as_array

torch = pytest.importorskip("torch")
VALUES = np.random.RandomState(0).standard_normal((3, 5, 4)).astype("float32")


def tensorflow():
    return pytest.importorskip("tensorflow")


READ = {
    "a tensor with gradients": lambda: torch.from_numpy(VALUES).requires_grad_(),
    "a list of tensors with gradients": lambda: [torch.from_numpy(row).requires_grad_() for row in VALUES],
    "a tuple of tensors in bfloat16": lambda: tuple(torch.from_numpy(row).bfloat16() for row in VALUES),
    "a conjugate view": lambda: torch.from_numpy(VALUES).to(torch.complex64).conj().real,
    "a tensor of TensorFlow": lambda: tensorflow().constant(VALUES),
    "a variable": lambda: tensorflow().Variable(VALUES),
    "an array of JAX": lambda: pytest.importorskip("jax.numpy").asarray(VALUES),
    "an array of xarray": lambda: pytest.importorskip("xarray").DataArray(VALUES),
    "lists": VALUES.tolist,
    "bfloat16 of TensorFlow": lambda: tensorflow().cast(VALUES, "bfloat16"),
    "bfloat16 of JAX": lambda: pytest.importorskip("jax.numpy").asarray(VALUES, "bfloat16"),
    "a list of rows in bfloat16": lambda: [tensorflow().cast(row, "bfloat16") for row in VALUES],
    "a memory view": lambda: memoryview(VALUES),
}


@pytest.mark.parametrize("name", READ)
def test_arrays_of_other_libraries_are_read(name):
    # Three digits are what bfloat16 has.
    np.testing.assert_allclose(as_array(READ[name](), "x", BadInput), VALUES, rtol=2**-8 if "bfloat16" in name else 0)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e3m4", "int4"])
def test_numbers_that_numpy_does_not_know_are_read_everywhere(name):
    dtype = getattr(pytest.importorskip("ml_dtypes"), name)
    random = np.random.RandomState(0)
    shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    weights = {key: (2 * random.standard_normal(shape)).astype(dtype) for key, shape in shapes.items()}
    inputs, lengths, start = (2 * VALUES).astype(dtype), np.array([5, 3, 2]).astype(dtype), np.ones(3).astype(dtype)

    def run(of):
        return rnnstates.extract(
            of(inputs), of(lengths), weights={key: of(values) for key, values in weights.items()}, engine="numpy",
            convention="keras", initial_state={"hidden": of(start)},
        )  # fmt: skip

    made, truth = run(np.asarray), run(lambda values: values.astype("float32"))
    np.testing.assert_array_equal(made["hidden"], truth["hidden"])
    rows = [row[:length] for row, length in zip(inputs, [5, 3, 2], strict=True)]
    np.testing.assert_array_equal(
        rnnstates.StateExtractor(units=3).fit_transform(rows),
        rnnstates.StateExtractor(units=3).fit_transform([row.astype("float32") for row in rows]),
    )


class Raising:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no values yet")


def loader():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(VALUES)))


def nested(layout):
    return torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=layout)


REFUSED = {
    "tf.data": (lambda: tensorflow().data.Dataset.from_tensor_slices(VALUES), "Collect its items"),
    "a DataLoader": (loader, "Collect its items"),
    "a Dataset of torch": (lambda: torch.utils.data.TensorDataset(torch.ones(2)), "Collect its items"),
    "a generator": (lambda: (row for row in VALUES), "is a generator; expected an array or a path"),
    "a RaggedTensor": (lambda: tensorflow().ragged.constant([[1.0], [1.0, 2.0]]), "Pad it"),
    "a SparseTensor": (lambda: tensorflow().sparse.from_dense(VALUES), "Make it dense"),
    "a sparse array": (lambda: pytest.importorskip("scipy.sparse").csr_array(VALUES[0]), "Make it dense"),
    "a Dataset of xarray": (lambda: pytest.importorskip("xarray").Dataset({"x": ("n", [1.0])}), "one of its arrays"),
    "a nested tensor": (lambda: nested(torch.strided), "a nested tensor; pad it"),
    "a jagged tensor": (lambda: nested(torch.jagged), "a nested tensor; pad it"),
    "a sparse tensor": (lambda: torch.eye(2).to_sparse(), "to_dense"),
    "a meta tensor": (lambda: torch.ones(2, device="meta"), "holds no values"),
    "a quantized tensor": (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "dequantize"),
    "a PackedSequence": (lambda: torch.nn.utils.rnn.pack_sequence([torch.ones(3, 4), torch.ones(2, 4)]), "Unpack it"),
    "a masked array": (lambda: np.ma.array(VALUES, mask=VALUES > 0), "whose mask would be lost"),
    "bytes": (lambda: b"\0\1\2", "is a bytes"),
    "an array that raises": (Raising, r"not a rectangular array \(no values yet\)"),
    "lists of several lengths": (lambda: [[[1.0]], [[1.0], [2.0]]], "not a rectangular array"),
}
# Those that are sequences of different lengths, so that they are inputs.
SEQUENCES = ("a nested tensor", "a jagged tensor", "a PackedSequence", "lists of several lengths")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    "parameter, name",
    [
        (parameter, name)
        for parameter in ("inputs", "lengths", "initial_state", "weights")
        for name in REFUSED
        if parameter != "inputs" or name not in SEQUENCES
    ],
)
def test_everything_else_is_refused_with_what_to_do(parameter, name):
    make, advice = REFUSED[name]
    advice = "is an iterator, .* pass output=" if (parameter, name) == ("inputs", "a generator") else advice
    given = {"inputs": VALUES, "lengths": "full", "units": 2, "engine": "numpy"}
    if parameter in ("inputs", "lengths"):
        given[parameter] = make()
    elif parameter == "initial_state":
        given[parameter] = {"hidden": make()}
    else:
        given |= {"units": None, "weights": torch.nn.LSTM(4, 3).state_dict() | {"weight_hh_l0": make()}}
        # What is no array at all lies beside the weights, as the epoch does in a checkpoint.
        advice = "weight_hh|no recurrent layer found"
    with pytest.raises(rnnstates.RnnstatesError, match=advice) as reason:
        rnnstates.extract(**given)
    assert parameter.partition("_")[0] in str(reason.value)


WEIGHTS = {
    "masked": lambda w: np.ma.masked_array(w.numpy(), w.numpy() > 0.2),
    "sparse": lambda w: w.to_sparse(),
    "meta device": lambda w: w.to("meta"),
    "csr_matrix": lambda w: pytest.importorskip("scipy.sparse").csr_matrix(w.numpy()),
    "SparseTensor": lambda w: tensorflow().sparse.from_dense(w.numpy()),
    "dtype object": lambda w: w.numpy().astype(object),
    "dtype complex64": lambda w: w.numpy() + 0j,
}


@pytest.mark.parametrize("found", WEIGHTS)
def test_a_weight_of_the_right_shape_is_refused_for_what_it_is(found):
    stored = torch.nn.LSTM(4, 3).state_dict()
    stored["weight_hh_l0"] = WEIGHTS[found](stored["weight_hh_l0"])
    with pytest.raises(rnnstates.BadWeights, match=f"'weight_hh_l0'.*{found}"):
        rnnstates.extract(VALUES, "full", weights=stored, engine="numpy")


@pytest.mark.parametrize("name", ["a meta tensor", "a masked array", "a PackedSequence", "an array that raises"])
def test_collect_and_the_estimator_refuse_likewise(name):
    from rnnstates.keras import keras

    model = keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(2)])
    with pytest.raises(BadInput, match="inputs"):
        rnnstates.collect(model, REFUSED[name][0](), "full")
    with pytest.raises(BadInput, match="X"):
        rnnstates.StateExtractor(units=2).fit(REFUSED[name][0]())


def test_collect_refuses_what_tensorflow_has_not():
    from rnnstates.keras import keras

    model = keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(2)])
    with pytest.raises(BadInput, match="dtype float128; expected one that TensorFlow has"):
        rnnstates.collect(model, VALUES.astype("longdouble"), "full")
    with pytest.raises(BadInput, match="inputs: none given"):
        rnnstates.collect(model, {}, "full")


def test_initial_states_in_memory_are_not_taken_for_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "initial_state").write_text("another file")

    def stop(done, whole):
        raise KeyboardInterrupt

    def run(value, **more):
        return rnnstates.extract(
            VALUES, "full", units=2, engine="numpy", output="o.h5", initial_state={"hidden": np.full(2, value)}, **more
        )

    with pytest.raises(KeyboardInterrupt):
        run(0.5, progress=stop)
    with pytest.raises(rnnstates.DoesNotMatch):
        run(0.25)
