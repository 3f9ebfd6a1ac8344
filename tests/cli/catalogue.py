"""Bad input through the whole command: where each case starts, how it is made of good files, how it is judged.

The readers' own tests look at each variant; here each kind of mistake goes through ``rnnstates extract``, once with a
new output and once with one that exists already.
"""

import functools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates_cli.main import _run

from ..builders import embedded, one_layer, ragged
from .running import rnnstates as rnnstates_command

USAGE, DATA, MISSING = 2, 65, 66

# NaN in the padding: whoever reads it is found out.
INPUTS, LENGTHS = ragged(sequences=4, steps=5, features=3)
INPUTS = INPUTS.astype(np.float32)
TOKENS = np.ones((4, 5), np.int32)
# Values that every accepted dtype holds.
WHOLE = np.random.default_rng(1).integers(0, 7, INPUTS.shape).astype(np.float32)

FROM_NPY = ["in.npy", "--lengths", "lengths.npy"]
FROM_HDF5 = ["in.h5"]
WITH_WEIGHTS = ["in.h5", "--weights", "w.weights.h5"]
WITH_TOKENS = ["in.npy", "--lengths", "full", "--weights", "e.weights.h5"]


class Mistake(NamedTuple):
    """A job that is refused: what is done to the good files, arguments, exit code, what the message says.

    ``simulate(monkeypatch)`` stands in for what no test can bring about.
    """

    make: Callable[[], Any] | None
    arguments: list[str]
    code: int
    says: tuple[str, ...]
    simulate: Callable[[Any], None] | None = None


class Accepted(NamedTuple):
    """An unusual job that gives what the usual one gives, and the notes it gets beyond the usual one's."""

    make: Callable[[], Any]
    arguments: list[str]
    notes: tuple[str, ...] = ()


def fill_place():
    """Put good inputs, lengths and weights, and an output of an earlier run, into the working directory."""
    for name, data in good_files().items():
        Path(name).write_bytes(data)
    Path("taken.h5").write_bytes(b"precious" * 100)
    Path("folder").mkdir()


@functools.cache
def good_files():
    """Inputs, lengths and weights: {name: bytes}."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        hdf5()()
        np.save("in.npy", INPUTS)
        np.save("lengths.npy", LENGTHS)
        rnnstates.save_weights(one_layer(), "w.weights.h5")
        rnnstates.save_weights(embedded(), "e.weights.h5")
        return contents()


def run(monkeypatch, *arguments):
    """Run the command in this process, where the compiled modules are loaded already; gives its exit code."""
    monkeypatch.setattr(sys, "argv", ["rnnstates", *arguments])
    return _run()


def contents():
    return {name: read(name) for name in os.listdir() if os.path.isfile(name)}


def read(name):
    # Not by Path, in whose place some cases put something that fails.
    with open(name, "rb") as file:
        return file.read()


def check_refused(case, monkeypatch, capsys):
    """Run a mistake with a new and an existing output: message, exit code, and every file as it was."""
    if case.make is not None:
        case.make()
    before = contents()
    if case.simulate is not None:
        case.simulate(monkeypatch)
    for output in ("new.h5", "taken.h5"):
        code = run(monkeypatch, "extract", case.arguments[0], output, *case.arguments[1:], "--force")
        out, err = capsys.readouterr()
        assert (code, out) == (case.code, ""), err
        notes, _, complaint = err.rpartition("rnnstates: ")
        for words in case.says:
            assert words in complaint
        assert complaint.count("\n") == 1
        assert all(line.startswith(("note: ", "warning: ")) for line in notes.splitlines())
        assert contents() == before


def notes_of(printed):
    return [line for line in printed.splitlines() if line.startswith(("note: ", "warning: "))]


@functools.cache
def usual_job():
    """What the usual job of these values makes, and its notes."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "usual.npy"), WHOLE)
        np.save(Path(folder, "lengths.npy"), LENGTHS)
        done = rnnstates_command("extract", "usual.npy", "usual.h5", "--lengths", "lengths.npy", cwd=folder)
        assert done.returncode == 0, done.stderr
        return Path(folder, "usual.h5").read_bytes(), notes_of(done.stderr.decode())


def check_accepted(case, monkeypatch, capsys):
    """Run an unusual job beside the usual one: the same states, and the notes it should get."""
    output, usual = usual_job()
    Path("usual.h5").write_bytes(output)
    case.make()
    assert run(monkeypatch, "extract", case.arguments[0], "new.h5", *case.arguments[1:]) == 0
    beyond = [note for note in notes_of(capsys.readouterr().err) if note not in usual]
    assert len(beyond) == len(case.notes), beyond
    assert all(words in note for words, note in zip(case.notes, beyond, strict=True)), beyond
    check_same("new.h5", "usual.h5")


def check_same(one, other):
    with rnnstates.open(one) as made, rnnstates.open(other) as truth:
        assert set(made.datasets) == set(truth.datasets)
        for name in truth.datasets:
            np.testing.assert_array_equal(made[name][()], truth[name][()])


def hdf5(**datasets):
    """Make in.h5 with these datasets instead of good ones."""
    return lambda: only(**({"inputs": INPUTS, "lengths": LENGTHS} | datasets))()


def only(name="in.h5", /, **datasets):
    """Make an HDF5 file of these datasets and nothing else."""

    def make():
        with h5py.File(name, "w") as file:
            for key, value in datasets.items():
                file[key] = value

    return make


def declared(**datasets):
    """Make in.h5 with good lengths and datasets that are created by these arguments."""

    def make():
        with h5py.File("in.h5", "w") as file:
            file["lengths"] = LENGTHS
            for key, arguments in datasets.items():
                file.create_dataset(key, **arguments)

    return make


def npy(array, name="in.npy", **options):
    return lambda: np.save(name, array, **options)


def content(name, data):
    return lambda: Path(name).write_bytes(data)


def cut(name, size):
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[:size])


def with_value(place, value, array=INPUTS):
    array = array.copy()
    array[place] = value
    return array
