"""Outputs for ``verify``: making them, looking at healthy ones, damaging others."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates, Network, RecurrentLayer
from rnnstates.network.pooling import POOLINGS
from rnnstates.output.integrity import MEANING

from ..builders import bidirectional_stack, layer_weights, ragged

ALL_POOLS = ",".join(POOLINGS)
INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)

NETWORKS = {
    "a bidirectional stack": bidirectional_stack(),
    "a backward layer": Network((RecurrentLayer("lstm", backward=layer_weights(3, 5)),)),
    "a projection": Network(
        (
            RecurrentLayer(
                "lstm",
                forward=rnnstates.LayerWeights(
                    np.ones((3, 20)) * 0.1, np.ones((2, 20)) * 0.2, np.zeros(20), projection=np.ones((5, 2)) * 0.3
                ),
            ),
        )
    ),
}


def make(inputs="in.h5", lengths=None, output="out.h5", **options):
    options = {"weights": "w.weights.h5", "engine": "numpy", "pool": ALL_POOLS, **options}
    rnnstates.extract(inputs, lengths, output=output, **options).close()


def right(path="out.h5", **options):
    """Verify all sequences of a healthy file."""
    found = rnnstates.verify(path, **{"sample": 100, **options})
    assert found["reason"] is None
    assert found["recomputed"]
    return found


def edit(name, place, value, path="out.h5"):
    with h5py.File(path, "r+") as file:
        file[name][place] = value
    seal(path)


def seal(path="out.h5"):
    """Make the checksums of an edited file right, so that what stands behind them is looked at.

    Written after what the file itself says of them, with nothing of the library's.
    """
    with h5py.File(path, "r+") as file:
        group, lengths = file["integrity"], file["lengths"][()]
        names = [name.decode() for name in group.attrs["datasets"]]
        places = [_place(file[name]) for name in (*names, "integrity/sums", "integrity/rest")]
        sums = [
            [_sums(file[name], lengths, window * group.attrs["window_rows"], group.attrs["window_rows"])
             for name in names]
            for window in range(len(group["sums"]))
        ]  # fmt: skip
        if sums:
            group["sums"][...] = np.array(sums, np.uint64)
    content = bytearray(Path(path).read_bytes())
    start, size = places[-1]
    content[start : start + size] = rest(content, places)
    Path(path).write_bytes(content)


def rest(content, places):
    """Digest the bytes that lie in none of some (position, size)."""
    others = np.ones(len(content), np.bool_)
    for start, size in places:
        others[start : start + size] = False
    return hashlib.sha256(np.frombuffer(bytes(content), np.uint8)[others].tobytes()).digest()


def _place(dataset):
    return dataset.id.get_offset() or 0, dataset.nbytes


def _sums(dataset, lengths, first, count):
    packed = dataset.ndim == 2 and len(dataset) == lengths.sum() and dataset.name.rpartition("_")[2] not in POOLINGS
    edges = np.concatenate([[0], np.cumsum(lengths)]) if packed else np.arange(len(lengths) + 1)
    begin, end = edges[min(first, len(lengths))], edges[min(first + count, len(lengths))]
    row = dataset[:1].size
    words = dataset[begin:end].reshape(-1).view(f"<u{dataset.dtype.itemsize}").astype(object)
    numbers = [int(word) for word in words]
    weighted = sum((int(begin) * row + place + 1) * word for place, word in enumerate(numbers))
    return sum(numbers) % 2**64, weighted % 2**64


def without_checksums(path="out.h5"):
    """Make a file one that was made before there were checksums."""
    with h5py.File(path, "r+") as file:
        del file["integrity"]
    content = Path(path).read_bytes()
    Path(path).write_bytes(content.replace(MEANING.encode(), bytes(len(MEANING.encode()))))


def wrong(message, error=BadStates, path="out.h5", **options):
    """Verify a damaged file; the message must match."""
    with pytest.raises(error, match=message) as raised:
        rnnstates.verify(path, **{"sample": 100, **options})
    assert str(raised.value).endswith((".", ")"))


def edit_provenance(**values):
    with h5py.File("out.h5", "r+") as file:
        made = json.loads(file.attrs["provenance"])
        for name, value in values.items():
            if value is None:
                del made[name]
            else:
                made[name] = value
        set_text(file, "provenance", json.dumps(made))
    seal()


def set_text(file, name, text):
    """Write an attribute as a states file has it: of fixed length."""
    data = text.encode()
    file.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data)))


def flipped(content, at, bit=1):
    """Write bad.h5: the content with some bits of a byte changed."""
    changed = bytearray(content)
    changed[at] ^= bit
    Path("bad.h5").write_bytes(changed)
