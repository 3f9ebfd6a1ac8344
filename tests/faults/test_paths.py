"""Every call on a file that the user gave fails in turn: the error is one of ours, and no file changes."""

import errno
import itertools
import os
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import RnnstatesError
from rnnstates.extraction.system_errors import documented
from rnnstates.output import unfinished

from . import path_faults
from .path_faults import Faults
from .path_files import NEW, make
from .path_jobs import JOBS

# ESTALE is what NFS gives for a file that was replaced on the server.
NUMBERS = (errno.EIO, errno.EACCES, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EMFILE)


@pytest.fixture
def chosen(request):
    """Choose which of so many calls fail: some that lie evenly, or all with ``--every-fault``."""

    def choose(calls, most, *, for_ever):
        # Coprime to the number of errors, so that each of them is met.
        stride = max(1, calls // most)
        stride = 1 if request.config.getoption("--every-fault") else stride + (stride % len(NUMBERS) == 0)
        return range(1 + (stride // 2 if for_ever else 0), calls + 1, stride)

    return choose


def _contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _remove_all_but(before, folder):
    for path in folder.iterdir():
        if path.is_file() and path not in before:
            assert path.name.startswith((NEW[:4], f".{NEW[:4]}")), path
            path.unlink()


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_failing_call_on_a_file_is_an_error_of_ours(job, for_ever, tmp_path, chosen):
    job.make(tmp_path)
    before = _contents(tmp_path)
    job.prepare(tmp_path)
    whole = Faults(tmp_path)
    with whole.injected():
        job.run(tmp_path)
    made = _made(tmp_path)
    assert whole.calls > 1
    ats = chosen(whole.calls, job.most, for_ever=for_ever)
    for at, number in zip(ats, itertools.cycle(NUMBERS), strict=False):
        _remove_all_but(before, tmp_path)
        job.prepare(tmp_path)
        with Faults(tmp_path, at, number, for_ever=for_ever).injected(), suppress(RnnstatesError):
            job.run(tmp_path)
        assert _contents(tmp_path).items() >= before.items()
        assert _made(tmp_path).items() <= made.items()


def _made(folder):
    """Give what was made, by name: the arrays of an output, the bytes of another file."""
    endings = (".weights.h5", ".csv", ".npz")
    made = {path.name: path.read_bytes() for ending in endings for path in folder.glob(f"new*{ending}")}
    if (folder / NEW).exists():
        with rnnstates.open(folder / NEW) as states:
            made[NEW] = {name: np.asarray(values).tobytes() for name, values in states.datasets.items()}
    return made


def test_the_sweep_sees_an_error_that_is_not_ours(tmp_path):
    make(tmp_path)
    with pytest.raises(OSError, match="Input/output"):
        for at in range(1, 20):
            with Faults(tmp_path, at, errno.EIO).injected():
                unfinished.status(tmp_path / "done.h5")


def test_the_sweep_fails_what_reads_a_file_that_was_opened(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with Faults(tmp_path, 2, errno.EIO).injected(), (tmp_path / "a").open("rb") as file:
        with pytest.raises(OSError, match="Input/output"):
            file.read()
        assert file.read() == b"abc"


def test_hdf5_that_cannot_close_a_file_is_an_error_of_ours(tmp_path):
    @documented
    def closes(path):
        with h5py.File(path) as file:
            os.close(file.id.get_vfd_handle())

    make(tmp_path)
    with pytest.raises(rnnstates.MissingInput, match=r"done\.h5: HDF5 fails"):
        closes(str(tmp_path / "done.h5"))


def test_another_error_at_run_time_stays_what_it_is():
    @documented
    def fails():
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        fails()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"inputs": [1], "lengths": "full", "weights": "w.h5", "engine": "numpy"}, "w.h5"),
        ({"engine": "numpy", "lengths": "l.npy", "inputs": "in.npy"}, "in.npy"),
        ({"inputs": [1], "lengths": "full", "initial_state": "zero", "layout": "padded"}, "a file"),
    ],
)
def test_a_failure_without_a_name_is_that_of_a_path_and_of_no_word(given, named):
    @documented
    def fails(inputs=None, lengths=None, *, weights=None, initial_state=None, engine=None, layout=None):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(rnnstates.MissingInput, match=f"^{named}: cannot be read"):
        fails(**given)


def test_links_in_a_circle_are_an_error_of_ours(tmp_path):
    (tmp_path / "a").symlink_to("a")

    @documented
    def resolves(path):
        Path(path).resolve(strict=True)

    with pytest.raises(rnnstates.MissingInput, match=r"/a: cannot be read \(Too many levels of symbolic links\)"):
        resolves(tmp_path / "a")


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_disk_that_fails_below_an_archive_is_no_damage(for_ever, tmp_path, monkeypatch):
    # No disk is needed to seek, and zipfile takes an error there for the end of the file.
    monkeypatch.setattr(path_faults, "OF_FILES", ("read", "readinto", "readline"))
    random = np.random.default_rng(0)
    shapes = {"kernel": (2, 8), "recurrent_kernel": (2, 8), "bias": (8,)}
    np.savez(tmp_path / "w.npz", **{name: random.normal(size=shape) for name, shape in shapes.items()})

    def load():
        rnnstates.load_weights(str(tmp_path / "w.npz"), convention="keras")

    whole = Faults(tmp_path)
    with whole.injected():
        load()
    for at in range(1, whole.calls + 1):
        # Some calls may fail and the weights are read all the same.
        with Faults(tmp_path, at, errno.EIO, for_ever=for_ever).injected(), suppress(rnnstates.MissingInput):
            load()
