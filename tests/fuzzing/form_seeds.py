"""Small sound inputs in each form: one by one, one after another, with chosen rows, masks, padding, more to copy."""

import h5py
import numpy as np

from .forms import pack
from .seeds import FEATURES, hdf5, hdf5_of, saved, values, zipped

__all__ = ["carried", "masks", "one_by_one", "packed", "padding_values", "rows"]

LENGTHS = (3, 0, 2)
COMPRESSED = {"chunks": (2, FEATURES), "compression": "gzip", "shuffle": True}


def one_by_one():
    """Groups with a dataset per sequence, plain and compressed; arrays of varying length, in chunks and not."""
    return [
        hdf5_of({f"inputs/{name}": values(size, FEATURES) for name, size in zip("abc", LENGTHS, strict=True)}),
        hdf5(_compressed, libver="latest"),
        hdf5_of({f"inputs/{name}": np.arange(size, dtype="u1") for name, size in zip("ba", (1, 4), strict=True)}),
        *(hdf5(_varying(kind, **how)) for kind, how in (("f4", {}), ("i2", {"chunks": (2,), "compression": "gzip"}))),
    ]


def _compressed(file):
    group = file.create_group("inputs", track_order=True)
    for name, size in (("b", 3), ("a", 4)):
        group.create_dataset(name, data=values(size, FEATURES, dtype=">f8"), **COMPRESSED)
    group["a"].attrs["scale_factor"] = 0.5


def _varying(kind, name="inputs", lengths=LENGTHS, **how):
    def fill(file):
        made = file.create_dataset(name, (len(lengths),), h5py.vlen_dtype(kind), **how)
        for row, size in enumerate(lengths):
            made[row] = np.arange(size)

    return fill


def packed():
    """Steps of three sequences: in HDF5 and .npz with lengths and offsets, in .npy with a file beside it."""
    steps, offsets = values(sum(LENGTHS), FEATURES), np.cumsum((0, *LENGTHS))
    inside = {"inputs": steps, "lengths": np.array(LENGTHS)}
    return [
        pack({"in": hdf5_of(inside | {"offsets": offsets})}),
        pack({"in": hdf5_of({"a/hidden": steps, "a/lengths": np.array(LENGTHS, "u1")})}),
        pack({"in": zipped(inside)}),
        pack({"in": saved(steps), "lengths": saved(offsets.astype("f8"))}),
        pack({"in": saved(steps), "lengths": b"3\n0\n2.0\n"}),
    ]


def rows():
    """Choices among four sequences: places, a mask and ids, as arrays, text and datasets."""
    inputs = {"inputs": values(4, 3, FEATURES)}
    return [
        *map(saved, (np.array([2, -1, 0]), np.array([True, False, True, True]), np.array(["bc", "a"]))),
        *(b"3\n-2\n0\n\n", b"\xef\xbb\xbfd\xc3\xa9\r\na\n9\n"),
        *(hdf5_of(inputs | {"rows": some}) for some in (np.array([1, 1, 3], "i1"), np.arange(4) > 1)),
        hdf5(lambda file: _with_texts(file, "rows", ["a", "bc"], inputs)),
    ]


def _with_texts(file, name, texts, others):
    for other, array in others.items():
        file[other] = array
    file.create_dataset(name, data=texts, dtype=h5py.string_dtype())


def masks():
    """Masks of four sequences of five steps, as arrays and as datasets: in front, behind, whole."""
    counts = np.arange(5) < np.array([5, 0, 1, 2])[:, np.newaxis]
    inputs = {"inputs": values(4, 5, FEATURES)}
    return [
        *map(saved, (counts, counts[:, ::-1].astype("f2"), np.asfortranarray(counts.astype(">i4")))),
        *(hdf5_of(inputs | {"mask": some}) for some in (counts, counts.astype("u1"))),
        hdf5(lambda file: (file.update(inputs), file.create_dataset("mask", data=counts, **_chunked(2, 5)))),
    ]


def _chunked(*chunks):
    return {"chunks": chunks, "compression": "gzip"}


def padding_values():
    """Sequences padded with zeros, ones and NaN, on both sides; token ids."""
    made = []
    for value in (0, 1, np.nan):
        padded = values(3, 4, FEATURES)
        padded[0, 2:], padded[1], padded[2, 1] = value, value, value
        made += [saved(padded), saved(padded[:, ::-1])]
    ids = np.array([[1, 0, 2, 0], [0, 0, 0, 0]], "i8")
    return [*made, saved(ids), hdf5_of({"inputs": padded}), hdf5_of({"inputs": ids})]


def carried():
    """Inputs with labels, targets, vectors and texts beside them: padded and one by one, in HDF5 and .npz."""
    numbers = {
        "label": np.array([3, 1, 2], "i2"), "target": values(3, 4), "flags": np.arange(3) > 1,
        "vector": values(3, 2, dtype=">f8"), "fixed": np.array([b"a", b"", b"bcd"]),
    }  # fmt: skip
    padded = numbers | {"inputs": values(3, 4, FEATURES), "lengths": np.array([4, 0, 2])}
    words = np.array([["a", "dé", "", "x"]] * 3, object)
    return [
        hdf5(lambda file: (_with_texts(file, "words", words, padded), _varying("i2", "marks", (4, 0, 2))(file))),
        hdf5(lambda file: (_with_texts(file, "words", ["x", "", "dé"], numbers), _varying("f4")(file))),
        zipped(padded | {"words": words.astype(str)}),
    ]
