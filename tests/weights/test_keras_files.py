"""Every kind of Keras file, of either generation, gives the arrays that Keras itself holds."""

import hashlib

import numpy as np
import pytest

import rnnstates
from rnnstates.weights.load import describe_weights
from rnnstates.weights.recognise import is_weights_file

from .keras_models import KERAS_MODELS, KINDS, keeps_names, keras_of, layer_named, lstm, nested, save, shared

GENERATIONS = [2, 3]


@pytest.fixture(scope="module", params=GENERATIONS, ids=lambda generation: f"keras {generation}")
def generation(request):
    return request.param


def assert_same_weights(network, model, names):
    for layer, name in zip(network.layers, names, strict=True):
        theirs = layer_named(model, name).get_weights()
        arrays = len(theirs) // len(layer.directions)
        for weights in layer.directions.values():
            (kernel, recurrent_kernel, *bias), theirs = theirs[:arrays], theirs[arrays:]
            np.testing.assert_array_equal(weights.kernel, kernel)
            np.testing.assert_array_equal(weights.recurrent_kernel, recurrent_kernel)
            np.testing.assert_array_equal(weights.bias, bias[0] if bias else np.zeros(kernel.shape[1]))
            assert weights.forget_bias == 0
        assert not theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("build", KERAS_MODELS, ids=lambda build: build.__name__)
def test_the_weights_are_those_that_keras_holds(generation, build, kind, tmp_path):
    names, numbered = KERAS_MODELS[build]
    model = shared(build, generation)
    save(model, tmp_path / "file", kind)
    called = names if keeps_names(model, kind) else numbered
    network = rnnstates.load_weights(tmp_path / "file", layer=called[-1])
    assert [layer.name for layer in network.layers] == called
    assert_same_weights(network, model, names)
    embeddings = [layer.get_weights()[0] for layer in model.layers if type(layer).__name__ == "Embedding"]
    assert (network.embedding is None) == (not embeddings)
    if embeddings:
        np.testing.assert_array_equal(network.embedding, embeddings[0])


@pytest.mark.parametrize("kind", KINDS)
def test_info_tells_layers_sizes_and_how_to_choose(generation, kind, tmp_path):
    model = shared(nested, generation)
    save(model, tmp_path / "file", kind)
    described = describe_weights(tmp_path / "file")
    inner, upper = KERAS_MODELS[nested][not keeps_names(model, kind)]
    assert {stack["layer"] for stack in described["stacks"]} == {
        "beside" if keeps_names(model, kind) else "lstm",
        upper,
    }
    stack = next(stack for stack in described["stacks"] if stack["layer"] == upper)
    sizes = [(layer["name"], layer["features"], layer["units"]) for layer in stack["layers"]]
    assert sizes == [(inner, 6, 5), (upper, 5, 2)]
    assert is_weights_file(tmp_path / "file")


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5", "legacy weights.h5"])
def test_provenance_says_how_the_file_was_understood(generation, kind, tmp_path):
    save(shared(lstm, generation), tmp_path / "file", kind)
    assert rnnstates.load_weights(tmp_path / "file").origin == {
        "file": str(tmp_path / "file"),
        "sha256": hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest(),
        "source_format": {
            ".keras": "Keras model (.keras)",
            "legacy model.h5": "legacy Keras model (.h5)",
            "legacy weights.h5": "legacy Keras weights (.h5)",
        }[kind],
        "version": keras_of(generation).__version__,
        "options": {},
        "convention": "keras lstm",
        "gate_order": "input_gate, forget_gate, candidate, output_gate",
        "forget_bias": "in the stored bias; 0.0 is added at run time",
        "layers": [
            {
                "name": "enc",
                "direction": "forward",
                "cell": "lstm",
                "features": 3,
                "units": 5,
                "activation": "tanh (default)" if kind == "legacy weights.h5" else "tanh (file)",
                "recurrent_activation": "sigmoid (default)" if kind == "legacy weights.h5" else "sigmoid (file)",
                "forget_bias": "0.0 (format)",
                "gate_order": "input_gate, forget_gate, candidate, output_gate",
            }
        ],
    }


def test_files_are_distinguished_by_content_not_by_name(generation, tmp_path):
    for kind in KINDS:
        save(shared(lstm, generation), tmp_path / "weights.npy", kind)
        assert rnnstates.load_weights(tmp_path / "weights.npy").features == 3
