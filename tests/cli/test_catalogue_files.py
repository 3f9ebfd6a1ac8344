"""Bad input, what a file is: absent, unreadable, of another kind, cut short, pickled."""

import errno
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy_format

from .catalogue import (
    DATA,
    FROM_HDF5,
    FROM_NPY,
    INPUTS,
    LENGTHS,
    MISSING,
    WHOLE,
    Accepted,
    Mistake,
    check_accepted,
    check_refused,
    content,
    cut,
    npy,
    only,
)

WEIGHTS = "expected weights of Keras (.keras, .weights.h5, .h5), PyTorch"


def headed(text, *, version=(1, 0), length=None):
    """Make in.npy of a header and nothing behind it."""
    size = (len(text) if length is None else length).to_bytes(2 if version == (1, 0) else 4, "little")
    return content("in.npy", b"\x93NUMPY" + bytes(version) + size + text.encode())


def header(shape, descr="<f4"):
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"


def of_version(version):
    def make():
        with open("in.npy", "wb") as file, warnings.catch_warnings():
            # NumPy warns that old readers do not know versions 2 and 3.
            warnings.simplefilter("ignore", UserWarning)
            npy_format.write_array(file, WHOLE, version=version)

    return make


def appended():
    with open("in.npy", "ab") as file:
        file.write(b"xyz")


def unreadable(monkeypatch, name="in.npy"):
    """Root, as whom tests may run, can read everything; so the system's answer is given here."""
    whole = Path.open

    def refuse(path, *arguments, **options):
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)


def failing(monkeypatch):
    """No test has a disk that fails."""

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)


PICKLE = ("a Python pickle, which is never loaded because it can run any code", "np.save")
OBJECTS = ("holds pickled Python objects (dtype object), which are never loaded because", "save that with np.save")
ARCHIVE = ("a zip archive such as .npz", "np.save('inputs.npy', np.load('file.npz')['inputs'])")
EXPECTED = "expected a .npy, .npz, HDF5, Zarr, Parquet or Arrow file"
LENGTHS_EXPECTED = "expected a .npy file or text with one whole number per line"
LONG = r"9" * 31

# Missing, unreadable, a directory; neither HDF5 nor .npy; empty; wrong suffix.
KINDS = {
    "a missing file": Mistake(None, ["no.h5"], MISSING, (f"no.h5: no such file; {EXPECTED}. Check",)),
    "missing lengths": Mistake(
        None, ["in.npy", "--lengths", "no.npy"], MISSING, ("--lengths no.npy: no such file", "Check the path")
    ),
    "lengths that are no dataset": Mistake(
        None,
        ["in.h5", "--lengths", "length"],
        DATA,
        (
            "--lengths length: neither a dataset of in.h5 nor a file; present: 'inputs' (4, 5, 3)",
            "Did you mean 'lengths'?",
        ),
    ),
    "missing ids": Mistake(
        None, [*FROM_NPY, "--ids", "no.txt"], MISSING, ("--ids no.txt: no such file", "Check the path")
    ),
    "missing weights": Mistake(
        None, ["in.h5", "--weights", "no.keras"], MISSING, ("no.keras: no such file; " + WEIGHTS, "Check the path")
    ),
    "missing initial states": Mistake(
        None,
        ["in.h5", "--initial-state", "no.npz"],
        MISSING,
        ("no.npz: no such file; expected a .npz or HDF5 file",),
    ),
    "an unreadable file": Mistake(None, FROM_NPY, MISSING, ("in.npy: may not be read; check its",), unreadable),
    "unreadable lengths": Mistake(
        None,
        FROM_NPY,
        MISSING,
        ("lengths.npy: may not be read; check its",),
        lambda monkeypatch: unreadable(monkeypatch, "lengths.npy"),
    ),
    "a failing disk": Mistake(
        None, FROM_NPY, MISSING, ("lengths.npy: cannot be read at byte 128 (Input/output error)",), failing
    ),
    "a directory": Mistake(None, ["folder"], MISSING, (f"folder: a directory; {EXPECTED}. Name",)),
    "a directory of lengths": Mistake(
        None, ["in.npy", "--lengths", "folder"], MISSING, ("folder: a directory; " + LENGTHS_EXPECTED,)
    ),
    "a directory of weights": Mistake(
        None, ["in.h5", "--weights", "folder"], MISSING, ("folder: a directory; " + WEIGHTS,)
    ),
    "an empty file": Mistake(
        content("in.npy", b""),
        FROM_NPY,
        DATA,
        (f"in.npy: empty, not one byte; {EXPECTED}", "Make it again"),
    ),
    "empty lengths": Mistake(
        content("lengths.npy", b""), FROM_NPY, DATA, ("lengths.npy: empty, not one byte; " + LENGTHS_EXPECTED,)
    ),
    "empty ids": Mistake(
        content("ids.txt", b""),
        [*FROM_NPY, "--ids", "ids.txt"],
        DATA,
        ("ids.txt: empty, not one byte", "Make it again"),
    ),
    "empty weights": Mistake(
        content("x.h5", b""),
        ["in.h5", "--weights", "x.h5"],
        DATA,
        ("x.h5: empty, not one byte; " + WEIGHTS, "Make it again"),
    ),
    "neither kind": Mistake(
        content("in.npy", b"\x00\x01\x02\x03"),
        FROM_NPY,
        DATA,
        (rf"in.npy: starts with b'\x00\x01\x02\x03', which is not a known kind of file; {EXPECTED}",),
    ),
    "a text": Mistake(
        content("in.npy", b"1,2,3\n"),
        FROM_NPY,
        DATA,
        ("in.npy: text that starts with '1,2,3'", "np.loadtxt", "np.save"),
    ),
    "a text with another suffix": Mistake(
        content("in.h5", b"1,2,3\n"), FROM_HDF5, DATA, ("in.h5: text that starts with '1,2,3'",)
    ),
    "a text in UTF-16": Mistake(
        content("in.npy", "1,2".encode("utf-16")), FROM_NPY, DATA, ("text in UTF-16", "Save it as UTF-8")
    ),
    "lengths in HDF5": Mistake(
        None, ["in.npy", "--lengths", "in.h5"], DATA, ("in.h5: an HDF5 file; " + LENGTHS_EXPECTED, "Copy the dataset")
    ),
    "weights that are a text": Mistake(
        content("x.h5", b"hello\n"),
        ["in.h5", "--weights", "x.h5"],
        DATA,
        ("x.h5: text that starts with 'hello'; " + WEIGHTS, "It holds values, not a model"),
    ),
    "weights that are a npy": Mistake(
        None,
        ["in.h5", "--weights", "in.npy"],
        DATA,
        ("in.npy: a single NumPy array (.npy); " + WEIGHTS, "Weights need names"),
    ),
}

# Truncated .npy; header larger than the file; absurd shape; other versions.
DAMAGED_NPY = {
    "a npy cut inside its data": Mistake(
        cut("in.npy", 200),
        FROM_NPY,
        DATA,
        ("in.npy: cut short; shape (4, 5, 3) of float32 takes 368 bytes, found 200. Copy or make",),
    ),
    "a npy cut inside its header": Mistake(
        cut("in.npy", 40), FROM_NPY, DATA, ("in.npy: ends inside its .npy header: 118 bytes expected, 30 found",)
    ),
    "a npy of its first bytes alone": Mistake(cut("in.npy", 6), FROM_NPY, DATA, ("8 bytes expected, 6 found",)),
    "lengths cut short": Mistake(
        cut("lengths.npy", 150),
        FROM_NPY,
        DATA,
        ("lengths.npy: cut short; shape (4,) of int64 takes 160 bytes, found 150",),
    ),
    "bytes behind a npy": Mistake(appended, FROM_NPY, DATA, ("has 3 trailing bytes; shape (4, 5, 3)", "found 371")),
    "a header larger than the file": Mistake(
        headed(header((4, 5, 3)), length=60_000), FROM_NPY, DATA, ("header: 60000 bytes expected, 62 found",)
    ),
    "a header of 2 GiB": Mistake(
        headed(header((4, 5, 3)), version=(2, 0), length=2**31),
        FROM_NPY,
        DATA,
        ("its .npy header claims 2147483648 bytes; expected at most 65536",),
    ),
    "a header of something else": Mistake(
        headed("print('hello')"), FROM_NPY, DATA, ("header is damaged: \"print('hello')\". Save it again with np.save",)
    ),
    "an absurd shape": Mistake(
        headed(header((int(LONG), 5, 3))), FROM_NPY, DATA, (f"claims shape ({LONG}, 5, 3), more than any memory holds",)
    ),
    "a shape beyond the file": Mistake(
        headed(header((10**12, 5, 3))), FROM_NPY, DATA, ("(1000000000000, 5, 3) of float32 takes 60000000000084 bytes",)
    ),
    "a negative shape": Mistake(headed(header((-4, 5, 3))), FROM_NPY, DATA, ("header says shape (-4, 5, 3)",)),
    "an unknown version": Mistake(
        headed(header((4, 5, 3)), version=(9, 9)), FROM_NPY, DATA, (".npy version 9.9; known: 1.0, 2.0, 3.0. Save it",)
    ),
}

# Object or pickled .npy, .npz, .pkl.
PICKLED = {
    **{
        f"a pickle of protocol {protocol}": Mistake(
            content("in.pkl", pickle.dumps(INPUTS, protocol)), ["in.pkl"], DATA, ("in.pkl: ", *PICKLE)
        )
        for protocol in range(6)
    },
    "lengths in a pickle": Mistake(
        content("lengths.npy", pickle.dumps([1])), FROM_NPY, DATA, ("lengths.npy: ", *PICKLE, LENGTHS_EXPECTED)
    ),
    "ids in a pickle": Mistake(
        content("ids.txt", pickle.dumps(["a"])), [*FROM_NPY, "--ids", "ids.txt"], DATA, ("ids.txt: ", *PICKLE)
    ),
    "weights in a pickle": Mistake(
        content("w.pkl", pickle.dumps([1])),
        ["in.h5", "--weights", "w.pkl"],
        DATA,
        ("w.pkl: a Python pickle", "safetensors"),
    ),
    "a npy of objects": Mistake(
        npy(np.full((4, 5, 3), None), allow_pickle=True), FROM_NPY, DATA, ("in.npy: ", *OBJECTS, "padded to one length")
    ),
    "lengths of objects": Mistake(
        npy(np.full(4, None), "lengths.npy", allow_pickle=True), FROM_NPY, DATA, ("lengths.npy: ", *OBJECTS)
    ),
    "a npz of objects": Mistake(
        lambda: np.savez("in.npz", inputs=np.full((4, 5, 3), None)),
        ["in.npz"],
        DATA,
        ("in.npz: dataset 'inputs': ", *OBJECTS, "padded to one length"),
    ),
    "lengths in a npz": Mistake(
        lambda: np.savez("l.npz", lengths=LENGTHS),
        ["in.npy", "--lengths", "l.npz"],
        DATA,
        ("l.npz: ", ARCHIVE[0], "np.save('lengths.npy', np.load('file.npz')['lengths'])"),
    ),
}

CASES = KINDS | DAMAGED_NPY | PICKLED


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_file_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(CASES[name], monkeypatch, capsys)


ACCEPTED = {
    "a npy of version 1": Accepted(of_version((1, 0)), FROM_NPY),
    "a npy of version 2": Accepted(of_version((2, 0)), FROM_NPY),
    "a npy of version 3": Accepted(of_version((3, 0)), FROM_NPY),
    "a npy with the suffix of HDF5": Accepted(
        lambda: (np.save("x.npy", WHOLE), os.rename("x.npy", "x.h5")), ["x.h5", "--lengths", "lengths.npy"]
    ),
    "an HDF5 with the suffix of npy": Accepted(only("x.npy", inputs=WHOLE, lengths=LENGTHS), ["x.npy"]),
    "a npz": Accepted(lambda: np.savez("in.npz", inputs=WHOLE, lengths=LENGTHS), ["in.npz"]),
    "a npz with the suffix of HDF5": Accepted(
        lambda: (np.savez("x.npz", inputs=WHOLE, lengths=LENGTHS), os.rename("x.npz", "x.h5")), ["x.h5"]
    ),
    "an HDF5 without a suffix": Accepted(only("x", inputs=WHOLE, lengths=LENGTHS), ["x"]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_file_of_another_version_or_suffix_is_read_without_a_word(place, name, monkeypatch, capsys):
    check_accepted(ACCEPTED[name], monkeypatch, capsys)
