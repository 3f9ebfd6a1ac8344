"""Models that Keras builds and saves, with random weights; each layer's sizes differ from all others'."""

import functools
import os
import warnings

import h5py
import numpy as np


def randomise(model, seed=0):
    """Give every weight a random value, biases too: what stays zero or symmetric hides exchanged gates."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=weight.shape).astype(weight.dtype) * 0.4 for weight in model.get_weights()])
    return model


@functools.cache
def shared(build, generation, dtype="float32"):
    """A model with random weights, for all tests that change nothing of it."""
    return randomise(build(keras_of(generation), dtype))


def lstm(keras, dtype="float32"):
    layers = keras.layers
    return keras.Sequential([keras.Input((None, 3)), layers.LSTM(5, name="enc", dtype=dtype)])


def bidirectional(keras, dtype="float32"):
    layers = keras.layers
    inner = layers.LSTM(4, return_sequences=True, dtype=dtype)
    both = layers.Bidirectional(inner, name="both", dtype=dtype)
    return keras.Sequential([keras.Input((None, 3)), both, layers.Dense(2, dtype=dtype)])


def stacked(keras, dtype="float32"):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.LSTM(5, name="low", return_sequences=True, dtype=dtype),
            layers.Dropout(0.3),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, dtype=dtype), name="middle", dtype=dtype),
            layers.LSTM(2, name="high", use_bias=False, dtype=dtype),
        ]
    )


def embedded(keras, dtype="float32"):
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    vectors = layers.Embedding(11, 3, mask_zero=True, name="words", dtype=dtype)(tokens)
    steps = layers.LSTM(5, return_sequences=True, name="reader", dtype=dtype)(vectors)
    return keras.Model(tokens, layers.Dense(2, dtype=dtype)(steps), name="tagger")


def nested(keras, dtype="float32"):
    """An encoder inside a bigger model, a convolution before it, another LSTM beside it."""
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((None, 6)),
            layers.LSTM(5, name="inner", return_sequences=True, dtype=dtype),
            layers.LSTM(2, name="upper", dtype=dtype),
        ],
        name="encoder",
    )
    inputs = keras.Input((None, 3))
    features = layers.Conv1D(6, 2, padding="causal", name="conv", dtype=dtype)(inputs)
    beside = layers.LSTM(4, name="beside", dtype=dtype)(inputs)
    return keras.Model(inputs, [encoder(features), beside])


# Model: the names of a stack of it from below; and what its layers are called in a file that keeps no names.
KERAS_MODELS = {
    lstm: (["enc"], ["lstm"]),
    bidirectional: (["both"], ["bidirectional"]),
    stacked: (["low", "middle", "high"], ["lstm", "bidirectional", "lstm_1"]),
    embedded: (["reader"], ["lstm"]),
    nested: (["encoder/inner", "encoder/upper"], ["sequential/lstm", "sequential/lstm_1"]),
}


def keeps_names(model, kind):
    """Tell whether a file names its layers; .weights.h5 does so since Keras 3."""
    return kind != ".weights.h5" or not is_keras_2(model)


def is_keras_2(model):
    return type(model).__module__.startswith("tf_keras")


# Kinds of files, and how Keras 3 and Keras 2 (tf_keras) write each.
KINDS = [".keras", ".weights.h5", "legacy model.h5", "legacy weights.h5"]


def save(model, path, kind):
    """Write a model of either Keras in one kind of file, under a name of our choice."""
    legacy = f"{path}.legacy.h5"
    if kind == ".keras":
        written = f"{path}.keras"
        model.save(written)
    elif kind == ".weights.h5":
        written = f"{path}.weights.h5"
        model.save_weights(written)
    elif is_keras_2(model):
        written = legacy
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the format is old is why it is tested
            model.save(legacy) if kind == "legacy model.h5" else model.save_weights(legacy)
    else:
        written = save_legacy(model, legacy, whole=kind == "legacy model.h5")
    os.replace(written, path)


def save_legacy(model, path, *, whole):
    """Keras 3 keeps the code that writes legacy weights alone, but no public way to it."""
    from keras.src.legacy.saving import legacy_h5_format

    if whole:
        legacy_h5_format.save_model_to_hdf5(model, path)
    else:
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def keras_of(generation):
    """Import Keras 3, or Keras 2 in its last release."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if generation == 2:
            import tf_keras as keras

            without_kernels_for_cudnn()
        else:
            import keras
    return keras


def layer_named(model, path):
    """Find a layer by its name, in the models inside too."""
    first, _, rest = path.partition("/")
    layer = model.get_layer(first)
    return layer_named(layer, rest) if rest else layer


@functools.cache
def without_kernels_for_cudnn():
    """Keep Keras 2 from tracing kernels for cuDNN, and their gradients, in graphs that it throws away.

    It calls a layer in a scratch graph only to learn what shape comes out. Where it runs or saves the layer, it traces
    all of them.
    """
    import tensorflow as tf
    from tf_keras.src.layers.rnn import gru_lstm_utils

    register = gru_lstm_utils.function_register

    def register_if_kept(*args, **kwargs):
        if not tf.compat.v1.get_default_graph().name.endswith("_scratch_graph"):
            register(*args, **kwargs)

    gru_lstm_utils.function_register = register_if_kept
