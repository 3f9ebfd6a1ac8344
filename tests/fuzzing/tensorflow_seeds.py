"""Small sound checkpoints and SavedModels of TensorFlow, written by TensorFlow itself."""

import functools
import tempfile
from pathlib import Path

from ..weights.exports import export
from .forms import pack
from .seeds import FEATURES, UNITS, plain_arrays, values

__all__ = ["checkpoints_1", "checkpoints_2", "looping_model", "saved_models", "scope_1"]


@functools.cache
def _tensorflow():
    from rnnstates.runtime.tensorflow_start import import_tensorflow

    return import_tensorflow()


def _keras():
    _tensorflow()
    import keras

    return keras


def _folder(write):
    """Pack what is written into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return pack({str(path.relative_to(folder)): path.read_bytes() for path in files})


def _cell_1():
    return {"rnn/lstm_cell/kernel": values(FEATURES + UNITS, 4 * UNITS), "rnn/lstm_cell/bias": values(4 * UNITS)}


def _module():
    tf = _tensorflow()
    model = tf.Module()
    model.lstm = tf.Module()
    model.lstm.cell = tf.Module()
    for name, array in plain_arrays().items():
        setattr(model.lstm.cell, name, tf.Variable(array))
    return model


def scope_1():
    """Kernel and bias under a name of one's own."""
    return {"rnn/fw/kernel": values(FEATURES + UNITS, 4 * UNITS), "rnn/fw/bias": values(4 * UNITS)}


def _save(folder, version, cell=_cell_1):
    tf, arrays = _tensorflow(), cell()
    names, tensors = list(arrays), list(arrays.values())
    if version == 1:
        tf.raw_ops.Save(filename=str(folder / "m"), tensor_names=names, data=tensors)
    else:
        slices = [""] * len(names)
        tf.raw_ops.SaveV2(prefix=str(folder / "m"), tensor_names=names, shape_and_slices=slices, tensors=tensors)


@functools.cache
def checkpoints_1():
    """A checkpoint of version 1."""
    return [_folder(lambda folder: _save(folder, 1))]


@functools.cache
def checkpoints_2():
    """Checkpoints of version 2: of TensorFlow 1's names, of a name of one's own, and of objects."""
    tf = _tensorflow()
    return [
        _folder(lambda folder: _save(folder, 2)),
        _folder(lambda folder: _save(folder, 2, scope_1)),
        _folder(lambda folder: tf.train.Checkpoint(net=_module()).write(str(folder / "m"))),
    ]


def _serving():
    """A module that runs its cell over time, as an exported layer does."""
    tf = _tensorflow()
    module = _module()
    cell = module.lstm.cell

    def call(inputs):
        inputs = tf.transpose(inputs, [1, 0, 2])
        steps = tf.shape(inputs)[0]
        read, made = (tf.TensorArray(tf.float32, steps) for _ in range(2))
        read, zero = read.unstack(inputs), tf.zeros([tf.shape(inputs)[1], UNITS])

        def body(step, made, hidden, state):
            gates = tf.matmul(read.read(step), cell.kernel) + tf.matmul(hidden, cell.recurrent_kernel) + cell.bias
            entry, forget, candidate, output = tf.split(gates, 4, axis=1)
            state = tf.sigmoid(forget) * state + tf.sigmoid(entry) * tf.tanh(candidate)
            hidden = tf.sigmoid(output) * tf.tanh(state)
            return step + 1, made.write(step, hidden), hidden, state

        _, made, _, _ = tf.while_loop(lambda step, *_: step < steps, body, [0, made, zero, zero])
        return tf.transpose(made.stack(), [1, 0, 2])

    module.call = tf.function(call, input_signature=[tf.TensorSpec([None, None, FEATURES])])
    return module


def _exported(*layers):
    """Export a model of Keras of three steps."""
    keras = _keras()
    model = keras.Sequential([keras.Input((3, FEATURES)), *layers])
    return _folder(lambda folder: export(model, folder))


@functools.cache
def looping_model():
    """A SavedModel with one function, which runs a layer."""
    serving = _serving()
    return _folder(lambda folder: _tensorflow().saved_model.save(serving, str(folder), signatures=serving.call))


@functools.cache
def saved_models():
    """SavedModels without functions, with one that runs a layer, of steps without a loop, of a masked Bidirectional."""
    layers = _keras().layers
    return [
        _folder(lambda folder: _tensorflow().saved_model.save(_module(), str(folder))),
        looping_model(),
        _exported(layers.GRU(UNITS, return_sequences=True, unroll=True)),
        _exported(layers.Masking(), layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True))),
    ]
