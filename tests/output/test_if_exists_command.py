"""The command over an output that exists: --if-exists in its words and exit codes."""

import json
import re
import sys

import rnnstates
from rnnstates.engines.numpy_engine import NumpyEngine
from rnnstates.extraction import extract, prepare
from rnnstates_cli.main import _run

from .test_if_exists import place  # noqa: F401


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["rnnstates", "extract", *arguments])
    code = _run()
    return code, *capsys.readouterr()


def test_the_command_ends_with_0_where_the_job_is_done_and_says_so(monkeypatch, capsys):
    job = ["in.h5", "out.h5", "--units", "4", "--if-exists", "skip", "--json"]
    code, first, _ = command(monkeypatch, capsys, *job)
    assert (code, "skipped" in json.loads(first)) == (0, False)
    code, again, printed = command(monkeypatch, capsys, *job)
    assert (code, json.loads(again)["skipped"]) == (0, True)
    assert "already done" in printed
    assert json.loads(again)["datasets"] == json.loads(first)["datasets"]
    code, _, printed = command(monkeypatch, capsys, *job, "--seed", "1")
    assert code == 78
    assert re.search(r"weights\.\S*seed was 0, is 1", printed)
    assert command(monkeypatch, capsys, *job, "--force")[0] == 2
    assert command(monkeypatch, capsys, *job[:-3])[0] == 73


def test_tensorflow_is_not_started_where_the_job_is_done(monkeypatch):
    job = {"inputs": "in.npy", "lengths": "full", "units": 4, "engine": "tensorflow", "output": "out.h5"}
    # Whatever computes in its name: its start takes seconds.
    monkeypatch.setattr(prepare, "begin", lambda engine, precision: None)
    monkeypatch.setattr(extract, "make_engine", lambda _, precision, *kernel: NumpyEngine(precision))
    rnnstates.extract(**job).close()

    def never(*_):
        raise AssertionError("TensorFlow was started")

    monkeypatch.setattr(prepare, "begin", never)
    monkeypatch.setattr(extract, "make_engine", never)
    monkeypatch.setattr("rnnstates.runtime.tensorflow_start.import_tensorflow", never)
    with rnnstates.extract(**job, if_exists="skip") as states:
        assert states.skipped
