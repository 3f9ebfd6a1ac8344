"""``rnnstates convert``: what comes back is what went in, in PyTorch's own layers and in Keras'."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import rnnstates
from rnnstates import Network, RecurrentLayer

from ..builders import cell_weights, embedded
from ..cli.running import rnnstates as command
from .keras_models import keras_of, randomise

CELLS = ("lstm", "gru", "simple_rnn")


def stack(cell, **options):
    """Two layers of both directions and the same units, in float32 as people have them."""
    made = [half(cell_weights(cell, width, 4, seed, **options)) for seed, width in enumerate((3, 3, 8, 8))]
    return Network((RecurrentLayer("low", *made[:2]), RecurrentLayer("high", *made[2:])))


def half(weights):
    arrays = ("kernel", "recurrent_kernel", "bias", "recurrent_bias", "projection")
    values = {name: getattr(weights, name) for name in arrays}
    return replace(weights, **{name: array.astype("f4") for name, array in values.items() if array is not None})


def arrays_of(path):
    if path.suffix == ".safetensors":
        return {name: tensor.numpy() for name, tensor in load_file(path).items()}
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


@pytest.mark.parametrize("first", [".safetensors", ".weights.h5"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_round_trip_by_way_of_the_other_format_changes_no_bit_that_is_stored(cell, first, tmp_path):
    other = {".safetensors": ".weights.h5", ".weights.h5": ".safetensors"}[first]
    rnnstates.save_weights(stack(cell), tmp_path / f"a{first}")
    for source, target in ((f"a{first}", f"b{other}"), (f"b{other}", f"c{first}"), (f"c{first}", f"d{other}")):
        rnnstates.save_weights(rnnstates.load_weights(tmp_path / source), tmp_path / target)
    for one, two in ((f"b{other}", f"d{other}"), (f"a{first}", f"c{first}")):
        before, after = arrays_of(tmp_path / one), arrays_of(tmp_path / two)
        assert before.keys() == after.keys()
        for name in before:
            summed = "bias" in name and cell != "gru"  # Keras stores the sum of PyTorch's two
            if not summed or one.startswith("b"):
                assert before[name].dtype == after[name].dtype
                np.testing.assert_array_equal(before[name], after[name])


@pytest.mark.parametrize("cell", CELLS)
def test_pytorch_computes_the_same_states_from_what_is_written(cell, tmp_path):
    network = stack(cell)
    rnnstates.save_weights(network, tmp_path / "n.safetensors", to="torch")
    made = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}[cell](3, 4, 2, bidirectional=True)
    state = load_file(tmp_path / "n.safetensors")
    made.load_state_dict({name.removeprefix("rnn."): tensor for name, tensor in state.items()})
    inputs = np.random.default_rng(0).normal(size=(6, 3)).astype("f4")
    with torch.no_grad():
        theirs = made(torch.from_numpy(inputs))[0].numpy()
    states = rnnstates.extract(inputs[np.newaxis], "full", weights=network)
    ours = np.concatenate([states["layer1/forward/hidden"], states["layer1/backward/hidden"]], axis=-1)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_keras_computes_the_same_states_of_a_gru_from_what_is_written(reset_after, tmp_path):
    network = Network((RecurrentLayer("gru", cell_weights("gru", 3, 5, reset_after=reset_after)),))
    rnnstates.save_weights(network, tmp_path / "n.weights.h5")
    keras = keras_of(3)
    layer = keras.layers.GRU(5, return_sequences=True, reset_after=reset_after, dtype="float64")
    model = keras.Sequential([keras.Input((None, 3), dtype="float64"), layer])
    model.load_weights(tmp_path / "n.weights.h5")
    inputs = np.random.default_rng(0).normal(size=(2, 6, 3))
    states = rnnstates.extract(inputs, "full", weights=network, precision="float64")
    np.testing.assert_allclose(states["hidden"], np.array(model(inputs)), atol=1e-12)


def test_a_projection_and_an_embedding_go_to_pytorch(tmp_path):
    weights = cell_weights("lstm", 3, 5)
    projected = replace(weights, recurrent_kernel=weights.recurrent_kernel[:2], projection=np.ones((5, 2)) * 0.3)
    network = Network((RecurrentLayer("lstm", projected),), embedding=embedded().embedding)
    rnnstates.save_weights(network, tmp_path / "n.safetensors")
    again = rnnstates.load_weights(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(again.layers[0].forward.projection, projected.projection)
    np.testing.assert_array_equal(again.embedding, network.embedding)


def layer(**options):
    return Network((RecurrentLayer("odd", replace(cell_weights(options.pop("cell", "lstm"), 3, 4), **options)),))


P = {"recurrent_kernel": np.ones((2, 16)), "projection": np.ones((4, 2))}
CANNOT = {
    "peepholes": (layer(peepholes=np.ones((3, 4))), "has peepholes", {"keras", "torch"}),
    "a cell clip": (layer(cell_clip=3.0), "clips its cell state", {"keras", "torch"}),
    "a projection clip": (layer(**P, projection_clip=3.0), "clips its projection", {"keras", "torch"}),
    "a clip before": (layer(preactivation_clip=3.0), "clips the inputs of its activations", {"keras", "torch"}),
    "coupled gates": (layer(coupled=True), "couples its input and forget gates", {"keras", "torch"}),
    "a start": (layer(initial={"hidden": np.ones(4)}), "has trained initial states", {"keras", "torch"}),
    "relu": (layer(cell="simple_rnn", activation="relu"), "uses relu instead of tanh", {"keras", "torch"}),
    "the multiplicative": (layer(cell="mlstm"), "is a multiplicative LSTM", {"keras", "torch"}),
    "a projection": (layer(**P), "projects its hidden state", {"keras"}),
    "reset before": (layer(cell="gru", reset_after=False), "resets before the product", {"torch"}),
    "sizes": (
        Network((RecurrentLayer("a", cell_weights("lstm", 3, 4)), RecurrentLayer("b", cell_weights("lstm", 4, 5)))),
        "its layers differ in cell, units, projection or directions",
        {"torch"},
    ),
    "apart": (
        Network((RecurrentLayer("a", cell_weights("lstm", 3, 4), cell_weights("lstm", 3, 4), merge="apart"),)),
        "merges its directions by apart",
        {"keras", "torch"},
    ),
    "residual": (
        Network((RecurrentLayer("a", cell_weights("lstm", 4, 4), residual=True),)),
        "adds its inputs to its outputs",
        {"keras", "torch"},
    ),
}


@pytest.mark.parametrize("target", sorted(rnnstates.WRITERS))
@pytest.mark.parametrize("case", CANNOT)
def test_what_the_target_cannot_express_is_refused_with_the_reason(case, target, tmp_path):
    network, reason, refusing = CANNOT[case]
    path = tmp_path / f"n{rnnstates.WRITERS[target].suffix}"
    if target not in refusing:
        rnnstates.save_weights(network, path)
        return
    with pytest.raises(
        rnnstates.OptionError, match=f"{reason}.*; a {path.suffixes[-1]}|{reason}.* file cannot express that"
    ):
        rnnstates.save_weights(network, path)
    assert not list(tmp_path.iterdir())


def test_the_command_converts_and_says_what_it_wrote(tmp_path):
    keras = keras_of(3)
    model = randomise(keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(5, name="enc")]))
    model.save(tmp_path / "m.keras")
    done = command("convert", "m.keras", "m.safetensors", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"m.safetensors: <Network: 'enc' 3 -> 5 forward>\n")
    assert json.loads(done.stdout)["weights"]["convention"] == "keras lstm"
    kernel = load_file(tmp_path / "m.safetensors")["rnn.weight_ih_l0"].numpy()
    np.testing.assert_array_equal(kernel.T, model.get_weights()[0])


WRONG = {
    "an ending": (["m.safetensors", "out.pt"], 2, "expected a name that ends in .weights.h5 (keras) or .safetensors"),
    "another ending": (["m.safetensors", "o.safetensors", "--to", "keras"], 2, "that ends in .weights.h5, because"),
    "a missing source": (["no.keras", "out.weights.h5"], 66, "no.keras: no such file"),
    "an existing target": (["m.safetensors", "m.safetensors"], 73, "exists; choose another name"),
    "an unknown convention": (["m.safetensors", "o.weights.h5", "--convention", "cafe"], 2, "unknown; known are keras"),
    "a clip of a gru": (["m.safetensors", "o.weights.h5", "--cell-clip", "3"], 2, "is a gru, which has none"),
    "a negative clip": (["m.safetensors", "o.weights.h5", "--cell-clip", "-3"], 2, "expected a positive number"),
    "an unknown activation": (
        ["m.safetensors", "o.weights.h5", "--activation", "tan"],
        2,
        "--activation tan: unknown",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_conversion_says_what_to_do_and_leaves_nothing(case, tmp_path):
    rnnstates.save_weights(stack("gru"), tmp_path / "m.safetensors")
    arguments, code, message = WRONG[case]
    done = command("convert", *arguments, cwd=tmp_path)
    assert message in done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_layers_of_one_name_are_kept_apart(tmp_path):
    layers = RecurrentLayer("enc/rnn", cell_weights("lstm", 3, 4)), RecurrentLayer("rnn", cell_weights("gru", 4, 5))
    rnnstates.save_weights(Network(layers), tmp_path / "n.weights.h5")
    again = rnnstates.load_weights(tmp_path / "n.weights.h5")
    assert [(layer.name, layer.forward.cell) for layer in again.layers] == [("rnn", "lstm"), ("rnn_2", "gru")]
    with h5py.File(tmp_path / "n.weights.h5", "r+") as file:
        file["layers/gru/vars"].attrs["name"] = "rnn"
    assert [layer.forward.cell for layer in rnnstates.load_weights(tmp_path / "n.weights.h5").layers] == ["lstm", "gru"]


def test_a_bias_of_half_precision_is_not_rounded_when_something_is_added(tmp_path):
    weights = cell_weights("lstm", 3, 4, forget_bias=1.0)
    weights = replace(weights, bias=weights.bias.astype("f2"))
    for suffix in (".weights.h5", ".safetensors"):
        rnnstates.save_weights(Network((RecurrentLayer("a", weights),)), tmp_path / f"n{suffix}")
        again = rnnstates.load_weights(tmp_path / f"n{suffix}").layers[0].forward
        np.testing.assert_array_equal(again.whole_bias(), weights.whole_bias().astype("f4"))
