"""Weights given as live objects equal those of the same model's file, and the framework's own states."""

import h5py
import numpy as np
import pytest

import rnnstates

torch = pytest.importorskip("torch")
INPUTS = np.random.RandomState(0).standard_normal((3, 5, 4)).astype("float32")


def same(one, other):
    assert list(one.datasets) == list(other.datasets)
    for name in one.datasets:
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


@pytest.mark.parametrize("wrong", [3, object(), [1, 2], np.ones((2, 3)), print, b"x", 1.5, {"a"}])
def test_what_holds_no_weights_is_refused(wrong):
    with pytest.raises(rnnstates.OptionError, match=r"^weights: is of type .* expected"):
        extract(wrong)


def lstm_arrays():
    """An LSTM's arrays, in a module of its own."""
    return {f"rnn.{name}": value.numpy() for name, value in torch.nn.LSTM(4, 3).state_dict().items()}


WRONG = {
    "masked": lambda values: np.ma.masked_array(values),
    "complex": lambda values: values.astype(complex),
    "text": lambda values: values.astype(str),
    "objects": lambda values: values.astype(object),
    "ragged": lambda values: [[1], [1, 2]],
    "sparse": lambda values: torch.from_numpy(values).to_sparse(),
    "raw bytes": lambda values: values.view("V4"),
    "flags": lambda values: values > 0,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("array", ["rnn.weight_hh_l0", "rnn.bias_ih_l0"])
def test_wrong_arrays_are_refused_by_name_where_they_are_used(name, array):
    given = lstm_arrays()
    with pytest.raises(rnnstates.BadWeights, match=f"weights: '{array}'"):
        extract(given | {array: WRONG[name](given[array])})


def random_key():
    return pytest.importorskip("jax").random.key(0)


BESIDE = {
    "a random key": random_key,
    "a text": lambda: np.array("text"),
    "texts": lambda: np.array(["a", "b"]),
    "objects": lambda: np.array([None, {}]),
    "dates": lambda: np.zeros(3, "M8[s]"),
    "complex numbers": lambda: np.ones((2, 2), complex),
    "a masked array": lambda: np.ma.ones(3),
    "a nested tensor": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("wrap", [lambda arrays: arrays, lambda arrays: {"model": arrays}])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_lies_beside_the_weights_is_not_judged(name, wrap):
    arrays = lstm_arrays()
    same(extract(wrap(arrays | {"beside.it": BESIDE[name]()})), extract(arrays))


def test_a_text_in_an_open_file_is_none_of_its_weights(tmp_path):
    arrays = lstm_arrays()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key, value in arrays.items():
            file[key] = value
        file["note"] = "of the text"
        same(extract(file), extract(arrays))
        datasets = {key: file[key] for key in arrays}
    with pytest.raises(rnnstates.BadWeights, match=r"'rnn\..*': is a dataset of a closed HDF5 file; .* Open the file"):
        extract(datasets)


def test_a_tree_in_bfloat16_is_read_and_what_npz_makes_of_it_refused(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    arrays = {name: value.astype(ml_dtypes.bfloat16) for name, value in lstm_arrays().items()}
    rounded = {name: value.astype("float32") for name, value in arrays.items()}
    same(extract(arrays), extract(rounded))
    same(extract({"params": arrays}), extract({"params": rounded}))
    np.savez(tmp_path / "a.npz", **arrays)
    with np.load(tmp_path / "a.npz") as file:
        for given in (tmp_path / "a.npz", file):
            with pytest.raises(rnnstates.BadWeights, match=r"dtype \|V2; .* cannot hold bfloat16 .* save float32"):
                extract(given)


@pytest.mark.parametrize("damage", ["objects", "bytes"])
def test_an_open_npz_that_fails_when_it_is_read_is_refused(damage, tmp_path):
    path, more = tmp_path / "a.npz", {"more": np.array([None, {}])} if damage == "objects" else {}
    np.savez(path, **lstm_arrays(), **more)
    if damage == "bytes":
        content = bytearray(path.read_bytes())
        content[200] ^= 0xFF
        path.write_bytes(content)
    with np.load(path) as file, pytest.raises(rnnstates.BadWeights, match="NpzFile that cannot be read"):
        extract(file)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"model": state, "epoch": 3, "loss": 0.5},
                                  lambda state: {"a": {"b": state}, "optimizer": {"state": {}}}])  # fmt: skip
def test_a_checkpoint_equals_its_state_dict(wrap):
    state = MODULES["stack"]().state_dict()
    same(extract(wrap(state)), extract(state))


def test_arrays_of_numpy_between_tensors_of_a_checkpoint_count(tmp_path):
    state = MODULES["stack"]().state_dict()
    mixed = {name: value.numpy() if "bias" in name else value for name, value in state.items()}
    same(extract({"model": mixed, "losses": np.ones(3)}), extract(state))


def test_a_tree_of_parameters_equals_its_names_in_a_row():
    random = np.random.RandomState(2)
    dense = {"kernel": (4, 3), "bias": (3,)}
    tree = {"params": {"cell": {
        **{f"i{gate}": {"kernel": random.standard_normal((4, 3))} for gate in "ifgo"},
        **{f"h{gate}": {name: random.standard_normal((3, *shape[1:])) for name, shape in dense.items()}
           for gate in "ifgo"},
    }}}  # fmt: skip
    flat = {f"params/cell/{gate}/{name}": value for gate, arrays in tree["params"]["cell"].items()
            for name, value in arrays.items()}  # fmt: skip
    same(extract(tree), extract(flat))


def test_a_mapping_that_holds_itself_is_refused():
    endless = {}
    endless["again"] = endless
    with pytest.raises(rnnstates.BadWeights, match="weights: is nested too deeply for a model, below 'again/again"):
        extract(endless)


@pytest.mark.parametrize("kind", ["npz", "HDF5"])
@pytest.mark.parametrize("parameter", ["weights", "initial_state"])
def test_a_closed_file_given_as_a_mapping_is_refused(kind, parameter, tmp_path):
    if kind == "npz":
        np.savez(tmp_path / "a.npz", hidden=np.zeros(4))
        file = np.load(tmp_path / "a.npz")
    else:
        file = h5py.File(tmp_path / "a.h5", "w")
        file["hidden"] = np.zeros(4)
    file.close()
    given = {"weights": torch.nn.LSTM(4, 3)} | {parameter: file}
    with pytest.raises(rnnstates.BadData, match=f"^{parameter}=?: an? .*File that cannot be read .* open it again"):
        rnnstates.extract(INPUTS, "full", **given)


def test_an_initial_state_of_a_closed_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("hidden", data=np.zeros(3))
    with pytest.raises(rnnstates.BadInput, match="initial_state: 'hidden': is a dataset of a closed HDF5 file"):
        extract(torch.nn.LSTM(4, 3), initial_state={"hidden": dataset})


def doubled(module, inputs):
    return (inputs[0] * 2,)


class Doubling(torch.nn.LSTM):
    def forward(self, inputs):
        return super().forward(inputs * 2)


def test_code_around_a_layer_is_named_because_it_is_not_run():
    hooked, own = torch.nn.LSTM(4, 3), torch.nn.Sequential(Doubling(4, 3))
    hooked.register_forward_pre_hook(doubled)
    hooked.register_forward_hook(lambda module, inputs, outputs: None)
    assert [note.partition(" is not run")[0] for note in extract(hooked).provenance["notes"]] == [
        "weights: the hook doubled of 'LSTM'", "weights: the hook <lambda> of 'LSTM'",
    ]  # fmt: skip
    (note,) = extract(own).provenance["notes"]
    assert note.startswith("weights: the forward of the class Doubling of '0' is not run; check")


@pytest.mark.parametrize("normalised", [
    lambda module: torch.nn.utils.parametrizations.weight_norm(module, "weight_hh_l0"),
    lambda module: torch.nn.utils.parametrizations.spectral_norm(module, "weight_ih_l0"),
    lambda module: torch.nn.utils.weight_norm(module, "weight_ih_l0"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_pytorch_computes_weights_from_is_followed(normalised):
    module = normalised(torch.nn.LSTM(4, 3, batch_first=True)).eval()
    truth = module(torch.from_numpy(INPUTS))[0].detach().numpy()
    made = extract(module)
    np.testing.assert_allclose(made["hidden"], truth, atol=1e-6)
    assert not [note for note in made.provenance["notes"] if "is not run" in note]


def test_cells_equal_a_loop_over_them():
    for cell in (torch.nn.GRUCell(4, 3), torch.nn.RNNCell(4, 3, nonlinearity="relu")):
        state, truth = None, []
        for step in torch.from_numpy(INPUTS).unbind(1):
            state = cell(step, state)
            truth.append(state.detach().numpy())
        np.testing.assert_allclose(extract(cell)["hidden"], np.stack(truth, 1), atol=1e-6)


def test_an_output_is_verified_with_the_same_object(tmp_path):
    module, output = torch.nn.LSTM(4, 3), tmp_path / "o.h5"
    extract(module, output=output).close()
    assert "in memory" in rnnstates.verify(output, inputs=INPUTS)["reason"]
    answer = rnnstates.verify(output, inputs=INPUTS, weights=module)
    assert answer["recomputed"] == [0, 1, 2]
    assert not [note for note in answer["notes"] if "not known" in note]
    with pytest.raises(rnnstates.BadStates):
        rnnstates.verify(output, inputs=INPUTS, weights=torch.nn.LSTM(4, 3))
    with pytest.raises(rnnstates.OptionError, match="weights: is of type int; expected"):
        rnnstates.verify(output, inputs=INPUTS, weights=3)


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
