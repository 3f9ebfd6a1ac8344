"""``rnnstates repack`` and ``extract --compression``: what is printed, and exit codes."""

import json

import h5py
import numpy as np

from .running import rnnstates, text


def test_it_says_what_it_made(tmp_path):
    np.save(tmp_path / "in.npy", np.ones((3, 4, 2), np.float32))
    options = ("--lengths", "full", "--compression", "gzip", "--engine", "numpy")
    made = rnnstates("extract", "in.npy", "out.h5", *options, cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, b"")
    assert "note: out.h5: all states are computed and are compressed now (gzip)." in text(made.stderr)
    done = rnnstates("repack", "out.h5", "new.h5", "--layout", "packed", "--dtype", "float16", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    note, said = text(done.stderr).splitlines()
    assert note == "note: the states are rounded from float32 to float16."
    assert said.startswith("new.h5: packed, float16, gzip; ")
    with h5py.File(tmp_path / "new.h5") as file:
        assert (file["hidden"].compression, file["hidden"].dtype) == ("gzip", "f2")
    verified = rnnstates("verify", "new.h5", cwd=tmp_path)
    assert text(verified.stdout).startswith("new.h5: complete; 3 sequences, 12 steps; every value as it was written")
    as_json = rnnstates("repack", "out.h5", "more.h5", "--compression", "none", "--json", "--quiet", cwd=tmp_path)
    found = json.loads(as_json.stdout)
    assert (as_json.stderr, found["compression"], found["layout"], found["notes"]) == (b"", "none", "padded", [])
    taken = rnnstates("repack", "out.h5", "more.h5", cwd=tmp_path)
    assert taken.returncode == 73
    assert "replace it with --force, or choose another output" in text(taken.stderr)
    assert rnnstates("repack", "in.npy", "other.h5", cwd=tmp_path).returncode == 65
    assert rnnstates("repack", "nowhere.h5", "other.h5", cwd=tmp_path).returncode == 66
