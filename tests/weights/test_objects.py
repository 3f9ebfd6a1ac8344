"""Weights given as live objects equal those of the same model's file, and the framework's own states."""

import numpy as np
import pytest

import rnnstates

torch = pytest.importorskip("torch")
INPUTS = np.random.RandomState(0).standard_normal((3, 5, 4)).astype("float32")


def same(one, other):
    assert list(one.keys()) == list(other.keys())
    for name in one.keys():
        np.testing.assert_array_equal(one[name], other[name])


def extract(weights, **options):
    return rnnstates.extract(INPUTS, "full", weights=weights, engine="numpy", **options)


MODULES = {
    "lstm": lambda: torch.nn.LSTM(4, 3, batch_first=True),
    "stack": lambda: torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5),
    "projected": lambda: torch.nn.LSTM(4, 6, proj_size=2, batch_first=True),
    "gru": lambda: torch.nn.GRU(4, 3, batch_first=True),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_state_dict_equal_the_file(name, tmp_path):
    module = MODULES[name]()
    torch.save(module.state_dict(), tmp_path / "m.pt")
    from_file = extract(tmp_path / "m.pt")
    same(extract(module), from_file)
    same(extract(module.state_dict()), from_file)
    same(extract({key: value.detach().numpy() for key, value in module.named_parameters()}), from_file)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_nonlinearity_of_a_module_is_that_of_the_module(nonlinearity):
    module = torch.nn.RNN(4, 3, nonlinearity=nonlinearity, batch_first=True)
    truth = module(torch.from_numpy(INPUTS))[0].detach().numpy()
    np.testing.assert_allclose(extract(module)["hidden"], truth, atol=1e-6)


def test_plain_arrays_take_a_convention():
    random = np.random.RandomState(1)
    arrays = {name: random.standard_normal(shape) for name, shape in
              {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}.items()}  # fmt: skip
    assert extract(arrays, convention="keras")["hidden"].shape == (3, 5, 3)


@pytest.mark.parametrize("wrong", [3, object(), [1, 2], {1: np.ones(2)}, np.ones((2, 3)), print, b"x", 1.5, {"a"}])
def test_what_holds_no_weights_is_refused(wrong):
    with pytest.raises(rnnstates.OptionError, match=r"^weights=: .* expected"):
        extract(wrong)


@pytest.mark.parametrize("value", [np.ma.ones((2, 2)), np.ones(2, complex), np.array(["a"]), [[1], [1, 2]]])
def test_wrong_arrays_are_refused_by_name(value):
    with pytest.raises(rnnstates.BadWeights, match="weights: 'kernel'"):
        extract({"kernel": value})


def test_an_unfinished_run_resumes_with_the_same_module_only(tmp_path):
    def stop(done, whole):
        raise KeyboardInterrupt

    module, output = torch.nn.LSTM(4, 3), tmp_path / "o.h5"
    with pytest.raises(KeyboardInterrupt):
        extract(module, output=output, progress=stop)
    with pytest.raises(rnnstates.DoesNotMatch):
        extract(torch.nn.LSTM(4, 3), output=output)
    extract(module, output=output).close()


def test_a_keras_model_and_a_layer_equal_the_file(tmp_path):
    from rnnstates.keras import keras

    layer = keras.layers.LSTM(3, return_sequences=True)
    model = keras.Sequential([keras.Input((None, 4)), layer])
    model.save(tmp_path / "m.keras")
    from_file = extract(tmp_path / "m.keras")
    same(extract(model), from_file)
    same(extract(layer), from_file)
    np.testing.assert_allclose(from_file["hidden"], np.asarray(model(INPUTS)), atol=1e-6)
    with pytest.raises(rnnstates.BadWeights, match="has no weights yet; call it once on data"):
        extract(keras.layers.GRU(3))
    with pytest.raises(rnnstates.BadWeights, match="no recurrent layer"):
        extract(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
