"""Every call on a path that the user gave fails in turn: the error is one of ours, and no file changes."""

import errno
import io
import itertools
import os
from contextlib import suppress

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import RnnstatesError
from rnnstates.output import unfinished
from rnnstates.system_errors import documented

# ESTALE is what NFS gives for a file that was replaced on the server.
NUMBERS = (errno.EIO, errno.EACCES, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EMFILE)
NETWORK = rnnstates.random_network(2, units=3, seed=0)
CALLS = ((os, "stat"), (os, "lstat"), (os, "access"), (os, "listdir"), (os, "scandir"), (os, "readlink"), (io, "open"))


class Faults:
    """Fails one call on a path below a folder, once or from then on."""

    def __init__(self, folder, at, number, *, for_ever):
        self.folder, self.at, self.number, self.for_ever = str(folder), at, number, for_ever
        self.calls = 0

    def wrap(self, function):
        def called(path, *args, **kwargs):
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder):
                self.calls += 1
                if self.calls == self.at or (self.for_ever and self.calls > self.at):
                    raise OSError(self.number, os.strerror(self.number), os.fspath(path))
            return function(path, *args, **kwargs)

        return called


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "in.npy", np.ones((2, 3, 2), np.float32))
    (tmp_path / "lengths.txt").write_text("3\n2\n")
    (tmp_path / "ids.txt").write_text("a\nb\n")
    rnnstates.save_weights(NETWORK, tmp_path / "w.safetensors")
    np.savez(tmp_path / "start.npz", hidden=np.ones(3, np.float32))
    _extract(tmp_path, tmp_path / "done.h5")
    return tmp_path


def _extract(folder, output):
    rnnstates.extract(
        str(folder / "in.npy"), str(folder / "lengths.txt"), ids=str(folder / "ids.txt"), output=str(output),
        units=2, engine="numpy",
    ).close()  # fmt: skip


JOBS = {
    "extract": lambda folder: _extract(folder, folder / "new.h5"),
    "open": lambda folder: rnnstates.open(str(folder / "done.h5")).close(),
    "describe": lambda folder: rnnstates.describe(str(folder / "in.npy")),
    "status": lambda folder: rnnstates.status(str(folder / "done.h5")),
    "clean": lambda folder: rnnstates.clean(str(folder / "done.h5")),
    "verify": lambda folder: rnnstates.verify(str(folder / "done.h5"), sample=1),
    "load_weights": lambda folder: rnnstates.load_weights(str(folder / "w.safetensors")),
    "save_weights": lambda folder: rnnstates.save_weights(NETWORK, str(folder / "new.h5.weights.h5")),
    "extract --weights": lambda folder: rnnstates.extract(
        np.ones((1, 2, 2)),
        "full",
        weights=str(folder / "w.safetensors"),
        initial_state=str(folder / "start.npz"),
        output=str(folder / "new.h5"),
        engine="numpy",
    ).close(),
}


# A run of extract makes about 50 such calls and takes 0.2 s; coprime to the errors, so that every one is met.
STRIDES = {"extract": 6, "extract --weights": 8, "verify": 8}


def _run(job, folder, faults):
    with pytest.MonkeyPatch.context() as patch:
        for module, name in CALLS:
            patch.setattr(module, name, faults.wrap(getattr(module, name)))
        with suppress(RnnstatesError):
            job(folder)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("job", JOBS)
def test_a_failing_call_on_a_path_is_an_error_of_ours(job, for_ever, files):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    for at, number in zip(itertools.count(1, STRIDES.get(job, 1)), itertools.cycle(NUMBERS), strict=False):
        faults = Faults(files, at, number, for_ever=for_ever)
        _run(JOBS[job], files, faults)
        assert all((files / name).read_bytes() == content for name, content in before.items())
        for path in files.glob("new.h5*"):
            path.unlink()
        if faults.calls < at:
            break
    assert at > 1


def test_the_sweep_sees_an_error_that_is_not_ours(files):
    with pytest.raises(OSError, match="Input/output"):
        for at in range(1, 20):
            _run(
                lambda folder: unfinished.status(folder / "done.h5"),
                files,
                Faults(files, at, errno.EIO, for_ever=False),
            )


def test_hdf5_that_cannot_close_a_file_is_an_error_of_ours(files):
    @documented
    def closes(path):
        with h5py.File(path) as file:
            os.close(file.id.get_vfd_handle())

    with pytest.raises(rnnstates.MissingInput, match=r"done\.h5: HDF5 fails"):
        closes(str(files / "done.h5"))


def test_another_error_at_run_time_stays_what_it_is():
    @documented
    def fails():
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        fails()
