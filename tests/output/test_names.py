"""Names of outputs that promise another format are refused before anything is read or made."""

import os

import h5netcdf
import numpy as np
import pytest

import rnnstates
from rnnstates.output.names import PROMISES, check_suffix
from rnnstates_cli.main import _run

from ..builders import one_layer, ragged

PASSING = ["out.h5", "out.HDF5", "o.nc", "o.he5", "o.hdf", "out", "out.states", "run.2026-11-29", "v1.0", ".csv", "csv",
           "my.csv.h5", "data.csv.d/out", "jsonl", "x.h5py"]  # fmt: skip


@pytest.mark.parametrize("ending", [*PROMISES, ".CSV", ".Npz", ".h5.gz", ".tar.bz2"])
def test_an_ending_that_promises_another_format_is_refused(ending):
    with pytest.raises(
        rnnstates.OptionError, match=r"the ending \.\w+(\.h5|\.new)? promises .*; expected .*Name it a/out\."
    ) as reported:
        check_suffix(f"a/out{ending}")
    # What the message advises is accepted.
    check_suffix(str(reported.value).rpartition("Name it ")[2].removesuffix("."))


@pytest.mark.parametrize("name", PASSING)
def test_a_name_without_such_a_promise_passes(name):
    check_suffix(name)


@pytest.mark.parametrize("name", [".partial", ".journal", ".lock", ".partial.new", "z.h5.partial.new"])
def test_a_name_that_would_be_taken_for_what_a_run_leaves_is_refused(name):
    with pytest.raises(rnnstates.OptionError, match=r"promises what an unfinished run leaves .*Name it (out|z)\.h5\."):
        check_suffix(name)


def test_library_refuses_it_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (rnnstates.extract, rnnstates.preview):
        with pytest.raises(rnnstates.OptionError, match=r"out.parquet: the ending .parquet promises Parquet"):
            call("missing.npy", "full", output="out.parquet")
    with pytest.raises(rnnstates.OptionError, match=r"out.mat: the ending .mat promises a MATLAB file"):
        rnnstates.collect("missing.keras", "missing.npy", output="out.mat")
    assert os.listdir() == []


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--force"], ["--model", "missing.keras"]])
def test_command_refuses_it_as_wrong_usage(tmp_path, monkeypatch, capsys, more):
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", ragged()[0])
    monkeypatch.setattr("sys.argv", ["rnnstates", "extract", "in.npy", "out.npz", "--lengths", "full", *more])
    assert _run() == 2
    assert "out.npz: the ending .npz promises NumPy's own format, but an output is HDF5" in capsys.readouterr().err
    assert os.listdir() == ["in.npy"]


def test_a_link_with_a_good_name_to_a_bad_one_is_refused(tmp_path):
    (tmp_path / "out.h5").symlink_to(tmp_path / "out.csv")
    with pytest.raises(rnnstates.OptionError, match=r"out.csv: the ending .csv promises"):
        rnnstates.preview(*ragged(), output=tmp_path / "out.h5")


def test_an_output_called_nc_opens_as_netcdf(tmp_path):
    rnnstates.extract(*ragged(), weights=one_layer(), output=tmp_path / "out.nc").close()
    with h5netcdf.File(tmp_path / "out.nc") as file:
        assert file["cell"].dimensions == ("sequence", "time", "unit")
