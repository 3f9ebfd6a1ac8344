"""Files of foreign kinds as the libraries themselves write them: each function makes one in a folder."""

import gzip
import json
import pickle
import sqlite3
import tarfile
import wave
import zipfile

import numpy as np

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


def equinox_leaves(folder):
    import equinox
    import jax

    equinox.tree_serialise_leaves(folder / "m.eqx", equinox.nn.LSTMCell(3, 4, key=jax.random.PRNGKey(0)))
    return folder / "m.eqx"


def equinox_with_sizes(folder):
    import equinox
    import jax

    with open(folder / "m.eqx", "wb") as file:
        file.write((json.dumps({"inputs": 3, "units": 4}) + "\n").encode())
        equinox.tree_serialise_leaves(file, equinox.nn.GRUCell(3, 4, key=jax.random.PRNGKey(0)))
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


def tfrecord(folder):
    import tensorflow as tf

    example = tf.train.Example(
        features=tf.train.Features(feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))})
    )
    with tf.io.TFRecordWriter(str(folder / "x.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    return folder / "x.tfrecord"


def events(folder):
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder / "logs"))
    writer.close()
    return next((folder / "logs").iterdir())


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


def matlab_5(folder):
    from scipy.io import savemat

    savemat(folder / "x.mat", {"x": np.ones((2, 3, 4))})
    return folder / "x.mat"


def netcdf_3(folder):
    from scipy.io import netcdf_file

    with netcdf_file(folder / "x.nc", "w") as file:
        file.createDimension("n", 2)
        file.createVariable("x", "f4", ("n",))[:] = 1
    return folder / "x.nc"


def npz(folder):
    np.savez(folder / "x.npz", inputs=np.ones((2, 3, 4)))
    return folder / "x.npz"


def npy(folder):
    np.save(folder / "x.npy", np.ones((2, 3, 4)))
    return folder / "x.npy"


def csv(folder):
    np.savetxt(folder / "x.csv", np.ones((4, 3)), delimiter=",")
    return folder / "x.csv"


def sqlite(folder):
    with sqlite3.connect(folder / "x.db") as base:
        base.execute("create table x (a real)")
    base.close()
    return folder / "x.db"


def wav(folder):
    with wave.open(str(folder / "x.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(100))
    return folder / "x.wav"


def zipped(folder):
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("model.h5", b"x")
        archive.writestr("readme.txt", b"x")
    return folder / "all.zip"


def tar_gz(folder):
    with tarfile.open(folder / "all.tar.gz", "w:gz") as archive:
        archive.add(csv(folder), "x.csv")
    return folder / "all.tar.gz"


def tar(folder):
    with tarfile.open(folder / "all.tar", "w") as archive:
        archive.add(csv(folder), "x.csv")
    return folder / "all.tar"


def gzipped(folder):
    with gzip.open(folder / "x.npy.gz", "wb") as file:
        np.save(file, np.ones((2, 3, 4)))
    return folder / "x.npy.gz"


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
REAL = {
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
    "TFRecord": ("tfrecord", tfrecord),
    "TensorBoard": ("events", events),
    **{f"pickle of protocol {p}": ("pickle", pickled(p, {"kernel": np.ones((2, 3))})) for p in range(6)},
    **{f"pickled list of protocol {p}": ("pickle", pickled(p, [1.5, {"a": 2}])) for p in range(6)},
    **{f"pickled array of protocol {p}": ("pickle", pickled(p, np.ones((2, 3)))) for p in range(6)},
    "Lasagne": ("theano", pickled(2, {"module": "lasagne.layers.recurrent LSTMLayer"})),
    "paddle.save": ("paddle", pickled(4, {"StructuredToParameterName@@": {"a": "b"}, "w": np.ones(3)})),
    "joblib": ("joblib", joblib(0)),
    "joblib, compressed": ("zlib", joblib(3)),
    "savemat": ("matlab 5", matlab_5),
    "netCDF": ("netcdf 3", netcdf_3),
    "savez": ("npz", npz),
    "np.save": ("npy", npy),
    "savetxt": ("text", csv),
    "sqlite": ("sqlite", sqlite),
    "wav": ("wav", wav),
    "zip": ("zip", zipped),
    "tar.gz": ("gzip of tar", tar_gz),
    "tar": ("tar", tar),
    "gz": ("gzip", gzipped),
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
