"""Files of foreign kinds as the libraries themselves write them: each function makes one in a folder."""

import json
import pickle
import zipfile

import numpy as np

from .real_values import VALUES

__all__ = ["REAL"]


def exported_program(folder):
    import torch

    program = torch.export.export(torch.nn.Linear(6, 2), (torch.zeros(1, 6),))
    torch.export.save(program, folder / "p.pt2")
    return folder / "p.pt2"


def torchscript(folder):
    import torch

    torch.jit.script(torch.nn.Linear(6, 2)).save(folder / "s.pt")
    return folder / "s.pt"


def equinox_cell(kind):
    import equinox
    import jax

    from ...weights.jax_models import KEY, randomised

    cell = randomised(equinox.filter_eval_shape(getattr(equinox.nn, kind), 3, 4, key=KEY))
    return jax.tree.map(jax.numpy.asarray, cell)


def equinox_leaves(folder):
    import equinox

    equinox.tree_serialise_leaves(folder / "m.eqx", equinox_cell("LSTMCell"))
    return folder / "m.eqx"


def equinox_with_sizes(folder):
    import equinox

    with open(folder / "m.eqx", "wb") as file:
        file.write((json.dumps({"inputs": 3, "units": 4}) + "\n").encode())
        equinox.tree_serialise_leaves(file, equinox_cell("GRUCell"))
    return folder / "m.eqx"


def orbax(folder):
    import jax.numpy as jnp
    from orbax.checkpoint import PyTreeCheckpointer

    PyTreeCheckpointer().save(folder / "orbax", {"kernel": jnp.ones((2, 3))})
    return folder / "orbax"


def orbax_steps(folder):
    (folder / "steps").mkdir()
    orbax(folder).rename(folder / "steps" / "100")
    return folder / "steps"


def keras_3_config(folder):
    import keras

    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)])
    (folder / "model.json").write_text(model.to_json())
    return folder / "model.json"


def keras_2_config(folder):
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((None, 3)), tf_keras.layers.LSTM(4)])
    (folder / "model.json").write_text(model.to_json(indent=2))
    return folder / "model.json"


def saved_model_alone(folder):
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(np.ones((2, 3), "f4"))
    tf.saved_model.save(module, folder / "model")
    (folder / "model" / "saved_model.pb").rename(folder / "saved_model.pb")
    return folder / "saved_model.pb"


def frozen_graph(folder):
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, (None, 3), name="inputs")
        (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "frozen.pb"


def pickled(protocol, content):
    def make(folder):
        (folder / "w.pkl").write_bytes(pickle.dumps(content, protocol))
        return folder / "w.pkl"

    return make


def joblib(compress):
    def make(folder):
        from joblib import dump

        dump({"kernel": np.ones((3, 4))}, folder / "w.joblib", compress=compress)
        return folder / "w.joblib"

    return make


def torch_file(**options):
    def make(folder):
        import torch

        torch.save(torch.nn.Linear(2, 3).state_dict(), folder / "w.pt", **options)
        return folder / "w.pt"

    return make


def safetensors(folder):
    from safetensors.numpy import save_file

    save_file({"kernel": np.ones((2, 3))}, folder / "w.safetensors")
    return folder / "w.safetensors"


def onnx(folder):
    from onnx import helper, save_model

    given = [helper.make_tensor_value_info(name, 1, [2]) for name in "XY"]
    graph = helper.make_graph([helper.make_node("Tanh", ["X"], ["Y"])], "g", given[:1], given[1:])
    save_model(helper.make_model(graph, producer_name="pytorch"), folder / "m.onnx")
    return folder / "m.onnx"


def flax(folder):
    from flax.serialization import to_bytes

    (folder / "w.msgpack").write_bytes(to_bytes({"params": {"kernel": np.ones((2, 3))}}))
    return folder / "w.msgpack"


def keras_file(folder):
    import keras

    keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)]).save(folder / "m.keras")
    return folder / "m.keras"


def unpacked(make):
    def extract(folder):
        with zipfile.ZipFile(make(folder)) as archive:
            archive.extractall(folder / "unpacked")
        found = [path for path in (folder / "unpacked").iterdir() if path.is_dir()]
        return found[0] if len(found) == 1 else folder / "unpacked"

    return extract


def onnx_data(folder):
    onnx(folder)
    (folder / "m.onnx.data").write_bytes(np.ones(50, "f4").tobytes())
    return folder / "m.onnx.data"


def saved_model(folder):
    saved_model_alone(folder).rename(folder / "model" / "saved_model.pb")
    return folder / "model"


# What the case is called: the kind that it is, and what makes it.
REAL = VALUES | {
    "torch.export": ("exported program", exported_program),
    "torch.jit": ("torchscript", torchscript),
    "eqx": ("equinox", equinox_leaves),
    "eqx with sizes": ("equinox", equinox_with_sizes),
    "orbax": ("orbax", orbax),
    "orbax of steps": ("orbax steps", orbax_steps),
    "to_json of Keras 3": ("keras config", keras_3_config),
    "to_json of Keras 2": ("keras config", keras_2_config),
    "saved_model.pb": ("saved model graph", saved_model_alone),
    "GraphDef": ("frozen graph", frozen_graph),
    **{f"pickle of protocol {p}": ("pickle", pickled(p, {"kernel": np.ones((2, 3))})) for p in range(6)},
    **{f"pickled list of protocol {p}": ("pickle", pickled(p, [1.5, {"a": 2}])) for p in range(6)},
    **{f"pickled array of protocol {p}": ("pickle", pickled(p, np.ones((2, 3)))) for p in range(6)},
    "Lasagne": ("theano", pickled(2, {"module": "lasagne.layers.recurrent LSTMLayer"})),
    "paddle.save": ("paddle", pickled(4, {"StructuredToParameterName@@": {"a": "b"}, "w": np.ones(3)})),
    "joblib": ("joblib", joblib(0)),
    "joblib, compressed": ("zlib", joblib(3)),
    "torch.save": ("torch", torch_file()),
    "torch.save of old": ("torch", torch_file(_use_new_zipfile_serialization=False)),
    "safetensors": ("safetensors", safetensors),
    "onnx": ("onnx", onnx),
    "flax": ("msgpack", flax),
    "keras": ("keras", keras_file),
    "unpacked .keras": ("unpacked keras", unpacked(keras_file)),
    "unpacked .pt": ("unpacked torch", unpacked(torch_file())),
    "onnx.data": ("onnx data", onnx_data),
    "SavedModel": ("saved model", saved_model),
}
