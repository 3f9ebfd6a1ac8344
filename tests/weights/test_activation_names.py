"""A name of an activation that the user gives means what it means in the generation that the file belongs to."""

import numpy as np
import pytest

import rnnstates
from rnnstates import OptionError
from rnnstates.runtime.tensorflow_start import import_tensorflow

from .keras_models import keras_of, randomise, save

INPUTS = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4") * 2


def one_layer(generation, layer="LSTM", **settings):
    keras = keras_of(generation)
    made = getattr(keras.layers, layer)(5, return_sequences=True, name="enc", **settings)
    return randomise(keras.Sequential([keras.Input((None, 3)), made]))


def check(model, path, note="", **options):
    states = rnnstates.extract(INPUTS, "full", weights=path, **options)
    np.testing.assert_allclose(states["hidden"], np.array(model(INPUTS)), rtol=0, atol=1e-6)
    notes = rnnstates.load_weights(path, **options).notes
    assert any(note in found for found in notes), notes


FORMULA = {2: "hard_sigmoid of Keras 2, clip(x / 5 + 1 / 2), as given.", 3: "hard_sigmoid of Keras 3, relu6(x + 3) / 6"}


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
@pytest.mark.parametrize("generation", [2, 3])
def test_hard_sigmoid_means_that_of_the_version_a_legacy_file_names(generation, layer, tmp_path):
    model = one_layer(generation, layer, recurrent_activation="hard_sigmoid")
    save(model, tmp_path / "w.h5", "legacy weights.h5")
    check(model, tmp_path / "w.h5", FORMULA[generation], recurrent_activation="hard_sigmoid")


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
@pytest.mark.parametrize("generation", [2, 3])
def test_hard_sigmoid_means_that_of_the_version_a_configuration_names(generation, kind, tmp_path):
    save(one_layer(generation, "SimpleRNN", activation="relu"), tmp_path / "file", kind)
    model = one_layer(generation, "SimpleRNN", activation="hard_sigmoid")
    check(model, tmp_path / "file", f"activation is {FORMULA[generation]}", activation="hard_sigmoid")


@pytest.mark.parametrize("generation", [2, 3])
def test_hard_sigmoid_means_that_of_the_keras_whose_objects_a_checkpoint_holds(generation, tmp_path):
    model = one_layer(generation, recurrent_activation="hard_sigmoid")
    path = import_tensorflow().train.Checkpoint(net=model).write(str(tmp_path / "c"))
    check(model, path, FORMULA[generation], recurrent_activation="hard_sigmoid")


def test_a_weights_file_that_names_its_layers_is_of_keras_3(tmp_path):
    model = one_layer(3, recurrent_activation="hard_sigmoid")
    save(model, tmp_path / "w", ".weights.h5")
    check(model, tmp_path / "w", FORMULA[3], recurrent_activation="hard_sigmoid")


def test_a_file_that_says_nothing_of_its_version_takes_only_names_of_one_meaning(tmp_path):
    model = one_layer(2, recurrent_activation="hard_sigmoid")
    save(model, tmp_path / "w", ".weights.h5")
    with pytest.raises(OptionError, match=r"in Keras 2 and relu6\(x \+ 3\) / 6 in Keras 3, .* give hard_sigmoid_fifth"):
        rnnstates.load_weights(tmp_path / "w", recurrent_activation="hard_sigmoid")
    check(model, tmp_path / "w", "is hard_sigmoid_fifth, as given", recurrent_activation="hard_sigmoid_fifth")


@pytest.mark.parametrize("name", ["swish", "leaky_relu", "elu", "gelu", "mish", "selu"])
@pytest.mark.parametrize("generation", [2, 3])
def test_other_names_mean_what_both_generations_compute(generation, name, tmp_path):
    model = one_layer(generation, "SimpleRNN", activation=name)
    save(model, tmp_path / "w.h5", "legacy weights.h5")
    check(model, tmp_path / "w.h5", activation=name)


def test_a_name_that_keras_2_did_not_have_is_said_to_be_that_of_keras_3(tmp_path):
    save(one_layer(2, "SimpleRNN"), tmp_path / "w.h5", "legacy weights.h5")
    (note,) = [n for n in rnnstates.load_weights(tmp_path / "w.h5", activation="hard_tanh").notes if "given" in n]
    assert note == "activation is hard_tanh, as given; Keras 2 has none, that of Keras 3 is used."


def test_what_was_given_is_kept_as_given_and_what_is_used_is_reported(tmp_path):
    save(one_layer(2), tmp_path / "w.h5", "legacy weights.h5")
    network = rnnstates.load_weights(tmp_path / "w.h5", recurrent_activation="hard_sigmoid")
    assert network.origin["options"] == {"recurrent_activation": "hard_sigmoid"}
    assert network.origin["layers"][0]["recurrent_activation"] == "hard_sigmoid_fifth (option)"
    again = rnnstates.load_weights(tmp_path / "w.h5", **network.origin["options"])
    assert again.layers[0].forward.recurrent_activation == "hard_sigmoid_fifth"


def test_leaky_relu_of_pytorch_is_flatter_than_that_of_tensorflow(tmp_path):
    torch = pytest.importorskip("torch")
    rnn = torch.nn.RNN(3, 5, batch_first=True)
    torch.save(rnn.state_dict(), tmp_path / "w.pt")
    network = rnnstates.load_weights(tmp_path / "w.pt", activation="leaky_relu")
    assert network.layers[0].forward.activation == "leaky_relu(0.01)"
    # What PyTorch itself computes for one step without a recurrent part.
    states = rnnstates.extract(INPUTS[:, :1], "full", weights=tmp_path / "w.pt", activation="leaky_relu")
    before = torch.nn.functional.linear(torch.tensor(INPUTS[:, :1]), rnn.weight_ih_l0, rnn.bias_ih_l0 + rnn.bias_hh_l0)
    expected = torch.nn.functional.leaky_relu(before).detach().numpy()
    np.testing.assert_allclose(states["hidden"], expected, rtol=0, atol=1e-6)


def test_tensorflow_1_had_the_hard_sigmoid_of_keras_2(tmp_path):
    tf = import_tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        random = np.random.default_rng(2).normal
        tf.compat.v1.get_variable("rnn/gru_cell/gates/kernel", initializer=random(size=(7, 8)).astype("f4"))
        tf.compat.v1.get_variable("rnn/gru_cell/gates/bias", initializer=np.ones(8, "f4"))
        tf.compat.v1.get_variable("rnn/gru_cell/candidate/kernel", initializer=random(size=(7, 4)).astype("f4"))
        tf.compat.v1.get_variable("rnn/gru_cell/candidate/bias", initializer=np.ones(4, "f4"))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "c"), write_meta_graph=False)
    network = rnnstates.load_weights(tmp_path / "c", recurrent_activation="hard_sigmoid")
    assert network.layers[0].forward.recurrent_activation == "hard_sigmoid_fifth"
    assert any("hard_sigmoid of TensorFlow 1, clip(x / 5 + 1 / 2), as given" in note for note in network.notes)
