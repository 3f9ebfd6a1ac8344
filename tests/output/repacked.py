"""Outputs to repack, and how the new ones are compared with them."""

import itertools

import h5py
import hdf5plugin  # noqa: F401 - registers the filters with which h5py reads here
import numpy as np

import rnnstates

from ..builders import one_layer, ragged

INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)
IDS = [f"séq/{row}" for row in range(9)]
# Bytes of a chunk: all, some sequences, some steps of one.
CHUNKS = (2**20, 100, 20)
WAYS = [
    (layout, padding, compression, CHUNKS[number % 3])
    for number, (layout, padding, compression) in enumerate(
        itertools.product(rnnstates.LAYOUTS, ("post", "pre"), rnnstates.COMPRESSIONS)
    )
]


def make(output="out.h5", lengths=LENGTHS, inputs=INPUTS, **options):
    options = {"weights": one_layer(), "engine": "numpy", "pool": "mean,final", "ids": IDS[: len(lengths)], **options}
    rnnstates.extract(inputs, lengths, output=output, **options).close()


def valid(file, name):
    """Read the valid steps of each sequence, or its vector, with h5py alone."""
    dataset, found = file[name], []
    for row, length in enumerate(file["lengths"]):
        if name.rpartition("_")[2] in rnnstates.POOLINGS:
            found.append(dataset[row])
        elif file.attrs["layout"] == b"packed":
            found.append(dataset[file["offsets"][row] : file["offsets"][row + 1]])
        else:
            pre = file.attrs["padding"] == b"pre"
            found.append(dataset[row, dataset.shape[1] - length :] if pre else dataset[row, :length])
    return found


def same_values(one, other):
    with h5py.File(one) as before, h5py.File(other) as after:
        names = [name.decode() for name in before["integrity"].attrs["datasets"]]
        for name in names:
            for mine, theirs in zip(valid(before, name), valid(after, name), strict=True):
                assert mine.tobytes() == theirs.tobytes(), name
            if after.attrs["layout"] == b"padded" and after[name].ndim == 3:
                assert np.count_nonzero(after[name][()]) == sum(map(np.count_nonzero, valid(after, name)))
        for name in {"lengths", "ids"} & set(before):
            assert before[name].dtype == after[name].dtype
            assert before[name][()].tobytes() == after[name][()].tobytes()
        for group in before.attrs["layers"]:
            assert dict(before[group].attrs).keys() <= dict(after[group].attrs).keys()
            assert before[group].attrs["layer_name"] == after[group].attrs["layer_name"]
