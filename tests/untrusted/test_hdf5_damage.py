"""One flipped byte anywhere in an HDF5 file: every door answers, or refuses with an error of the library."""

import contextlib
import random

import h5py
import numpy as np
import pytest

import rnnstates

from ..builders import one_layer, ragged

PATTERNS = (1, 2, 4, 8, 16, 32, 64, 128, 255)
FLIPS = 12


def inputs(path, libver):
    values, lengths = ragged(sequences=3, steps=4, features=2)
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("inputs", data=values, chunks=(1, 4, 2), compression="gzip")
        file["lengths"], file["ids"] = lengths, ["a", "b", "c"]
        file["elsewhere"] = h5py.SoftLink("/inputs")
        file.create_group("group/inside").attrs["note"] = "text"
        file["group/inside"].attrs["numbers"] = np.arange(3)


def states(path, layout):
    values, lengths = ragged(sequences=3, steps=4, features=3)
    rnnstates.extract(values, lengths, weights=one_layer(), output=path, layout=layout, engine="numpy")


KINDS = {
    "earliest": lambda path: inputs(path, "earliest"),
    "latest": lambda path: inputs(path, "latest"),
    "weights": lambda path: rnnstates.save_weights(one_layer(), path),
    "padded": lambda path: states(path, "padded"),
    "packed": lambda path: states(path, "packed"),
}


def read_all(path):
    with rnnstates.open(path) as opened:
        assert opened.layers
        assert repr(opened)
        for sequence in opened:
            assert repr(sequence)
            assert all(sequence[name] is not None for name in opened.datasets if name != "offsets")


DOORS = (rnnstates.describe, rnnstates.load_weights, read_all, rnnstates.status, rnnstates.verify)


def answers_or_refuses(door, path):
    """Let anything but a refusal out."""
    with contextlib.suppress(rnnstates.RnnstatesError):
        door(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_byte_ends_in_an_answer_or_a_refusal(tmp_path, kind):
    path = tmp_path / ("sound.weights.h5" if kind == "weights" else "sound.h5")
    KINDS[kind](path)
    content, choose = path.read_bytes(), random.Random(kind)
    # Damage in the first kilobytes hits the tables of groups, behind which lies the rest.
    stops = (len(content), min(len(content), 2048))
    for turn in range(FLIPS):
        damaged = bytearray(content)
        damaged[choose.randrange(stops[turn % 2])] ^= choose.choice(PATTERNS)
        (tmp_path / "damaged.h5").write_bytes(damaged)
        for door in DOORS:
            answers_or_refuses(door, tmp_path / "damaged.h5")


def test_info_refuses_a_group_that_cannot_be_walked(tmp_path):
    path = tmp_path / "in.h5"
    inputs(path, "earliest")
    content = path.read_bytes()
    for mark in (b"SNOD", b"HEAP", b"TREE"):
        path.write_bytes(content.replace(mark, b"XXXX"))
        with pytest.raises(rnnstates.BadInput, match="HDF5 cannot read it"):
            rnnstates.describe(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layers", ["../x"]),
        ("layers", ["/etc"]),
        ("layers", 3),
        ("layout", "other"),
        ("padding", "sideways"),
        ("provenance", "[1]"),
        ("provenance", "no JSON"),
        ("provenance", "[" * 30_000),
        ("provenance", '{"a": ' + "9" * 5000 + "}"),
    ],
)
def test_attributes_that_extract_does_not_write_are_refused(tmp_path, name, value):
    path = tmp_path / "out.h5"
    states(path, "padded")
    with h5py.File(path, "r+") as file:
        file.attrs[name] = (
            np.array(value, "S")
            if isinstance(value, list)
            else np.asarray(value, "S" if isinstance(value, str) else None)
        )
    for door in (rnnstates.open, rnnstates.describe, rnnstates.verify):
        with pytest.raises(rnnstates.BadStates, match=r"damaged|cannot be"):
            door(path)
