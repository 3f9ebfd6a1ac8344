"""Small sound inputs, lengths, ids and states, from which fuzzing starts; each is read without an error."""

import gzip
import io
import pickle
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

import rnnstates
from rnnstates.output.journal import Header, Window, encode

from .forms import FORMS

__all__ = [
    "foreign",
    "ids",
    "initial",
    "inputs_hdf5",
    "inputs_npy",
    "inputs_npz",
    "inputs_stream",
    "journals",
    "keras_arrays",
    "lengths",
    "plain_arrays",
    "states",
    "tables_arrow",
    "tables_parquet",
]

FEATURES, UNITS = 2, 3
RANDOM = np.random.default_rng(0)


def values(*shape, dtype="f4"):
    return RANDOM.normal(size=shape).astype(dtype)


def keras_arrays(features=FEATURES, units=UNITS, gates=4):
    return [values(features, gates * units), values(units, gates * units), values(gates * units)]


def plain_arrays():
    return dict(zip(("kernel", "recurrent_kernel", "bias"), keras_arrays(), strict=True))


def saved(array, version=None):
    held = io.BytesIO()
    np.lib.format.write_array(held, np.asarray(array), version)
    return held.getvalue()


def hdf5(fill, **options):
    held = io.BytesIO()
    with h5py.File(held, "w", **options) as file:
        fill(file)
    return held.getvalue()


def hdf5_of(arrays, **options):
    return hdf5(lambda file: [file.create_dataset(name, data=array) for name, array in arrays.items()], **options)


def inputs_stream():
    """Streams of .npy: versions and dtypes, in C order."""
    return [
        saved(values(2, 3, FEATURES)),
        saved(values(2, 3, FEATURES, dtype=">f8"), (2, 0)),
        saved(np.arange(6, dtype="i4").reshape(2, 3), (3, 0)),
    ]


def inputs_npy():
    """Files of .npy: in the order of Fortran as well."""
    return [*inputs_stream(), saved(np.asfortranarray(values(2, 3, FEATURES)))]


def inputs_hdf5():
    """Sequences in HDF5, with lengths and ids: contiguous, chunked, compressed."""
    beside = {"lengths": np.array([3, 2]), "ids": np.array([b"a", b"bc"])}
    chunked = {"chunks": (1, 2, FEATURES), "compression": "gzip", "shuffle": True, "fletcher32": True}

    def fill(file):
        file.create_dataset("inputs", data=values(2, 3, FEATURES), **chunked)
        file.create_dataset("ids", data=["a", "bc"], dtype=h5py.string_dtype())
        file["lengths"] = np.array([[3], [0]], "u1")

    def chunked_ids(file):
        file["a/x"], file["lengths"] = np.ones((2, 3), "i8"), [3, 2]
        file.create_dataset("ids", data=["a", "bc"], dtype=h5py.string_dtype(), maxshape=(None,))

    return [
        hdf5_of(beside | {"inputs": values(2, 3, FEATURES)}),
        hdf5(chunked_ids, libver="latest"),
        hdf5(fill),
    ]


def inputs_npz():
    """Sequences in .npz, with lengths and ids, stored and compressed."""
    beside = {"lengths": np.array([3, 2]), "ids": np.array(["a", "bc"]), "more/offsets": np.arange(3)}
    made = []
    for save in (np.savez, np.savez_compressed):
        held = io.BytesIO()
        save(held, inputs=values(2, 3, FEATURES), **beside)
        made.append(held.getvalue())
    return [*made, zipped(beside | {"a": np.asfortranarray(values(2, 3, FEATURES))})]


def lengths():
    """Lengths of four sequences of five steps, as arrays and text."""
    return [saved(np.array([5, 0, 1, 2])), saved(np.array([[5.0], [0], [1], [2]], "f2")), b"5\n0\n1.0\r\n2\n\n"]


def ids():
    """Ids of four sequences, as arrays and text."""
    return [saved(np.array(["a", "b", "c", "dé"])), saved(np.array([1, 2, 3, -4])), b"\xef\xbb\xbfa\nb\xff\r\nc\n\n"]


def initial():
    """States for four sequences of three units."""
    states = {"hidden": values(4, UNITS), "cell": values(UNITS)}

    def final(file):
        file.attrs["format"] = "rnnstates"
        for name in ("hidden_final", "cell_final"):
            file.create_dataset(name, data=values(4, UNITS), chunks=(2, UNITS), compression="gzip")

    return [zipped(states), hdf5_of(states), hdf5(final), hdf5_of(states, libver="latest")]


def zipped(arrays):
    return FORMS["zip"].join({f"{name}.npy": saved(array) for name, array in arrays.items()})


def foreign():
    """Files of kinds that are named and not read: archives, texts, records, messages, pickles, streams of arrays."""
    config = b'{"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": []}}'
    return [
        FORMS["zip"].join({"policy.pth": b"x", "data": b"{}"}),
        FORMS["zip"].join({"a.txt": b"x"}),
        config,
        b'<?xml version="1.0"?>\n<net name="m" version="11"></net>',
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"the 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8\nof 1 2 3 4 5 6 7 8\n",
        pickle.dumps({"a": [1.5]}, 0),
        b"\x08\x04\x12\x10\x0a\x0e\x0a\x05input\x1a\x05\x2a\x03\x12\x01\x01",
        b"\x0a\x0a\x0a\x01x\x12\x05Const",
        gzip.compress(b"X\n\0\0\0\3" + bytes(40), mtime=0),
        saved(values(2, 3)) + saved(values(3)),
    ]


def journals():
    """Journals of a run that began, that went on, that is complete."""
    header = Header(
        identity={"input": {"size": 5}}, offsets={"hidden": 800, "cell": 900}, sizes=[96, 96], sums_at=1000,
        rest_at=2000, size=3000, rest="00" * 32, windows=2, window_rows=8, steps=40, command="rnnstates extract",
    )  # fmt: skip
    first, second = (Window(at, 20, 0, 1.5 * at, ((1, 2), (3, 2**64 - 1)), (4, 5) if at else None) for at in (0, 1))
    records = ["host:1 since then", first, 0, "host:2 since now", first, second, None]
    return [b"".join(map(encode, (header, *records[:count]))) for count in (0, 2, 3, len(records))]


def states():
    """Outputs of both layouts, compressed ones among them."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for layout, compression in (("padded", "none"), ("packed", "none"), ("padded", "gzip"), ("packed", "zstd")):
            path = Path(folder, f"{layout}-{compression}")
            options = {"units": UNITS, "layout": layout, "compression": compression, "ids": ["a", "b"]}
            options["engine"] = "numpy"
            rnnstates.extract(values(2, 3, FEATURES), [3, 1], output=path, **options).close()
            made.append(path.read_bytes())
    return made


def tables():
    """Make tables of sequences: lists of lists, of lists of one size, and of numbers."""
    numbers = [[1.5, 2.5], [], [0.25]]
    steps = [[[1.0, 2.0], [3.0, 4.0]], [], [[5.0, 6.0]]]
    ids, lengths = pa.array(["a", "b", "a"]).dictionary_encode(), pa.array([2, 0, 1])
    for column in (
        pa.array(steps, pa.list_(pa.list_(pa.float32()))),
        pa.array(steps, pa.large_list(pa.list_(pa.float64(), 2))),
        pa.array(numbers, pa.list_(pa.float32())),
    ):
        yield pa.table({"inputs": column, "ids": ids, "lengths": lengths})


def tables_parquet():
    made = []
    for table in tables():
        for options in ({}, {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 2}):
            held = io.BytesIO()
            parquet.write_table(table, held, **options)
            made.append(held.getvalue())
    return made


def tables_arrow():
    made = []
    for table in tables():
        for compression in (None, "lz4"):
            held = io.BytesIO()
            with ipc.new_file(held, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as file:
                file.write_table(table, max_chunksize=2)
            made.append(held.getvalue())
    return made
