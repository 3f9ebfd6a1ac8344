"""``preview`` takes what ``extract`` takes and checks the same, and changes nothing."""

import inspect
import os

import numpy as np
import pytest

import rnnstates
from rnnstates.engines import compiled_engine

INPUTS, LENGTHS = np.random.RandomState(0).standard_normal((3, 5, 4)), [5, 2, 1]


def test_the_signatures_are_the_same():
    takes, previewed = inspect.signature(rnnstates.extract), inspect.signature(rnnstates.preview)
    assert list(previewed.parameters.values()) == list(takes.parameters.values())


@pytest.mark.parametrize("call", [rnnstates.extract, rnnstates.preview])
def test_an_unknown_argument_is_reported_by_python(call):
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        call(INPUTS, LENGTHS, foo=1)


def test_what_says_how_a_run_goes_is_accepted(tmp_path):
    plan = rnnstates.preview(
        INPUTS, LENGTHS, output=tmp_path / "o.h5", progress=print, verify=True, restart=True, max_runtime="1h",
        provenance={"command": "x"}, save_weights=tmp_path / "w.weights.h5", force=True, engine="numpy",
    )  # fmt: skip
    assert (plan["sequences"], plan["steps"]) == (3, 8)
    assert not os.listdir(tmp_path)


def stop(done, whole):
    raise KeyboardInterrupt


def exists(folder):
    (folder / "o.h5").write_bytes(b"precious")
    return {}


def begun(folder):
    with pytest.raises(KeyboardInterrupt):
        rnnstates.extract(INPUTS, LENGTHS, units=3, engine="numpy", output=folder / "o.h5", progress=stop)
    return {"units": 4}


def foreign(folder):
    (folder / "o.h5.partial").write_bytes(b"precious")
    return {}


MISTAKES = {
    "an output that exists": exists,
    "another job's unfinished output": begun,
    "a foreign file in the way": foreign,
    "a duration that is none": lambda folder: {"max_runtime": "soon"},
    "weights kept under another ending": lambda folder: {"save_weights": folder / "w.txt"},
    "weights that are absent": lambda folder: {"weights": folder / "w.keras"},
    "initial states of another width": lambda folder: {"initial_state": {"hidden": np.ones(99)}},
    "initial states that are NaN": lambda folder: {"units": 4, "initial_state": {"hidden": np.full(4, np.nan)}},
    "one initial state that is infinite": lambda folder: {
        "units": 4,
        "initial_state": {"cell": np.where(np.arange(12).reshape(3, 4) == 9, np.inf, 0)},
    },
    "ids that are too few": lambda folder: {"ids": ["a"]},
    "lengths beyond the steps": lambda folder: {"lengths": [9, 9, 9]},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_extract_raises_before_it_computes_preview_raises(mistake, tmp_path):
    given = {"inputs": INPUTS, "lengths": LENGTHS, "engine": "numpy", "output": tmp_path / "o.h5"}
    given |= MISTAKES[mistake](tmp_path)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(rnnstates.RnnstatesError) as previewed:
        rnnstates.preview(**given)
    assert sorted(os.listdir(tmp_path)) == before
    with pytest.raises(rnnstates.RnnstatesError) as extracted:
        rnnstates.extract(**given)
    assert (type(previewed.value), str(previewed.value)) == (type(extracted.value), str(extracted.value))


@pytest.mark.parametrize("engine", ["compiled", "tensorflow"])
def test_an_engine_that_extract_cannot_start_preview_cannot(engine, monkeypatch):
    monkeypatch.setattr(compiled_engine, "kinds", lambda: {"plain": (4, 1)})
    for call in (rnnstates.preview, rnnstates.extract):
        with pytest.raises(rnnstates.EngineUnavailable, match=r'precision="bfloat16"|install a C compiler'):
            call(INPUTS, LENGTHS, units=3, engine=engine, precision="bfloat16")


def test_the_same_unfinished_job_passes(tmp_path):
    given = {"units": 3, "engine": "numpy", "output": tmp_path / "o.h5"}
    begun(tmp_path)
    assert rnnstates.preview(INPUTS, LENGTHS, **given)["steps"] == 8
    rnnstates.extract(INPUTS, LENGTHS, **given).close()
