"""Files of values and archives as the libraries themselves write them: each function makes one in a folder."""

import gzip
import sqlite3
import tarfile
import wave
import zipfile

import numpy as np

__all__ = ["VALUES"]


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


def npy_of_objects(folder):
    np.save(folder / "x.npy", {"kernel": np.ones((2, 3))}, allow_pickle=True)
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


# What the case is called: the kind that it is, and what makes it.
VALUES = {
    "TFRecord": ("tfrecord", tfrecord),
    "TensorBoard": ("events", events),
    "savemat": ("matlab 5", matlab_5),
    "netCDF": ("netcdf 3", netcdf_3),
    "savez": ("npz", npz),
    "np.save": ("npy", npy),
    "np.save of a dictionary": ("npy of objects", npy_of_objects),
    "savetxt": ("text", csv),
    "sqlite": ("sqlite", sqlite),
    "wav": ("wav", wav),
    "zip": ("zip", zipped),
    "tar.gz": ("gzip of tar", tar_gz),
    "tar": ("tar", tar),
    "gz": ("gzip", gzipped),
}
