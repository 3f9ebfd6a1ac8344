"""What others do meanwhile: to the input, to the lock, to the clock; and engines that are not made for tests."""

import datetime
import json
import os
import resource
import socket
import time

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.inputs import identity
from rnnstates.output import lock

from ..builders import BUILT_ENGINES
from ..cli.running import process as command
from . import table
from .faulty import Faulty
from .small import WINDOWS, Small, interrupt_at, left

ALL = tuple(range(WINDOWS))


@pytest.fixture
def own(tmp_path):
    """The job with inputs that a test may spoil."""
    (tmp_path / "inputs").mkdir()
    return Small(tmp_path / "inputs")


def replaced(path):
    """Another array of the same shape under the same name."""
    values = np.load(path)
    np.save(path.with_suffix(".new.npy"), values + 1)
    os.replace(path.with_suffix(".new.npy"), path)


def written_over(path):
    np.save(path, np.load(path) + 1)


def written_through_a_map(path):
    """Stores to pages that are dirty already do not move the time of change."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write((content := path.read_bytes())[:128] + bytes(len(content) - 128))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut_short(path):
    os.truncate(path, path.stat().st_size // 2)


def made_longer(path):
    with path.open("ab") as file:
        file.write(bytes(1000))


def one_sequence_more(path):
    values = np.load(path)
    np.save(path, np.concatenate([values, values[:1]]))


CHANGES = [replaced, written_over, written_through_a_map, cut_short, made_longer, one_sequence_more]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_an_input_changed_between_runs_is_refused_and_the_work_is_kept(own, fresh, change):
    place = fresh()
    own.run(place, progress=interrupt_at(3))
    whole = (own.inputs / "in.npy").read_bytes()
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert before
    times = os.stat(own.inputs / "in.npy")
    change(own.inputs / "in.npy")
    outcome = own.run(place)
    # 78, or 65 where the file alone shows that something is wrong.
    assert isinstance(outcome.error, rnnstates.DoesNotMatch | rnnstates.BadInput | rnnstates.BadLengths)
    if change in (replaced, written_over, written_through_a_map):
        assert isinstance(outcome.error, rnnstates.DoesNotMatch)
        assert "was begun by a different job: input." in str(outcome.error)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    (own.inputs / "in.npy").write_bytes(whole)
    os.utime(own.inputs / "in.npy", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert own.finish(place, "holes")
    table.count("input changed", "M9")


@pytest.mark.parametrize("change", CHANGES[1:], ids=lambda change: change.__name__)
@pytest.mark.parametrize("tile", range(1, WINDOWS + 1))
def test_an_input_changed_during_a_run_ends_it(own, fresh, change, tile):
    """Not ``replaced``: who has a file open reads on what it was, whatever has its name."""
    place, reported = fresh(), []

    def progress(_done, _of):
        reported.append(None)
        if len(reported) == tile:
            change(own.inputs / "in.npy")

    outcome = own.run(place, progress=progress)
    assert isinstance(outcome.error, rnnstates.BadInput)
    # What was read before it was noticed may have been wrong already.
    assert not isinstance(outcome.error, rnnstates.InputChanged) or left(place) == []
    assert not (place / "out.h5").exists()
    table.count("input changed", "M2")


def test_an_input_replaced_during_a_run_is_read_to_its_end(own, fresh):
    place = fresh()
    whole = own.whole("holes", place.parent)
    outcome = own.run(place, progress=lambda done, _: replaced(own.inputs / "in.npy") if done < 20 else None)
    assert outcome.error is None
    assert (place / "out.h5").read_bytes() == whole
    table.count("input changed", "M2")


def test_an_hdf5_input_cut_short_during_a_run_ends_it(own, fresh):
    with h5py.File(own.inputs / "in.h5", "w") as file:
        file["inputs"] = np.load(own.inputs / "in.npy")
    place = fresh()
    outcome = own.run(place, inputs=own.inputs / "in.h5", progress=lambda *_: os.truncate(own.inputs / "in.h5", 3000))
    assert isinstance(outcome.error, rnnstates.BadInput | rnnstates.MissingInput)
    assert not (place / "out.h5").exists()
    table.count("input changed", "M2")


@pytest.mark.parametrize("output", ["out.h5", None])
@pytest.mark.parametrize("change", [written_through_a_map, made_longer], ids=lambda change: change.__name__)
def test_initial_states_changed_during_a_run_end_it(tmp_path, change, output):
    values, units = np.random.RandomState(0).standard_normal((6, 5, 3)).astype(np.float32), 4
    start = tmp_path / "start.h5"
    with h5py.File(start, "w") as file:
        file["hidden"], file["cell"] = np.ones((6, units)), np.ones((6, units))

    def run(progress=None):
        given = {"initial_state": start, "output": output and tmp_path / output, "if_exists": "replace"}
        return rnnstates.extract(values, "full", units=units, engine="numpy", progress=progress, **given)

    run().close()
    with pytest.raises(rnnstates.InputChanged, match=r"start\.h5: (had|was written to)"):
        run(progress=lambda *_: change(start))
    assert left(tmp_path) == [*([output] if output else []), "start.h5"]
    table.count("input changed", "M2")


def test_an_array_changed_where_its_sample_does_not_look_is_found_out(small, fresh, monkeypatch):
    monkeypatch.setattr(identity, "SAMPLE_BYTES", 16)
    values = np.load(small.inputs / "in.npy")
    place = fresh()
    small.run(place, inputs=values, progress=interrupt_at(3))
    changed = values.copy()
    changed[1, 0, 0] += 1
    outcome = small.run(place, inputs=changed)
    assert isinstance(outcome.error, rnnstates.DoesNotMatch)
    assert "sequences 0 to 1 are not those that the unfinished output was made from" in str(outcome.error)
    assert small.run(place, inputs=values).error is None
    assert left(place) == ["out.h5"]
    table.count("input changed", "M9")


def test_a_second_run_learns_who_holds_the_lock(small, fresh):
    """One in the same process, and the command in a process of its own."""
    place, reported = fresh(), []

    def progress(_done, _of):
        if not reported:
            reported.append(str(small.run(place).error))
            done = command("extract", small.inputs / "in.npy", place / "out.h5", "--lengths",
                           small.inputs / "lengths.npy", "--engine", "numpy")  # fmt: skip
            reported.append(done.stderr.decode())
            assert done.returncode == 75

    assert small.run(place, progress=progress).error is None
    for text in reported:
        assert f"out.h5.lock: locked by {socket.gethostname()}:{os.getpid()} since 20" in text
    assert left(place) == ["out.h5"]
    assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
    table.count("two runs", "M1", cases=2)


def holder(**changed):
    me = {"host": socket.gethostname(), "boot": lock._boot(), "pid": os.getpid(), "began": lock._began(os.getpid()),
          "since": "2020-01-01T00:00:00Z"}  # fmt: skip
    return json.dumps(me | changed).encode()


STALE = {
    "empty": b"",
    "garbage": b"\0\xffgarbage" * 1000,
    "deep": b'{"host": "", "pid": ' + b"[" * 100_000,
    "of another kind": b'{"host": "3", "pid": "4"}',
    "torn": holder()[:40],
    "a dead process": holder(pid=2**22 + 1),
    "a number used again": holder(began=1),
    "another boot": holder(boot="another"),
    "another container": holder(host="another"),
}


@pytest.mark.parametrize("text", STALE.values(), ids=STALE)
def test_a_lock_that_nobody_holds_is_taken_over(small, fresh, begun, text):
    for source in (None, begun["holes"]):
        place = fresh(source)
        (place / "out.h5.lock").write_bytes(text)
        assert small.finish(place, "holes")
        table.count("stale lock", "M1" if source is None else "M9")


def test_another_machines_lock_is_left_alone(small, fresh):
    place = fresh()
    (place / "out.h5.lock").write_bytes(holder(host="elsewhere", boot="another"))
    outcome = small.run(place)
    assert isinstance(outcome.error, rnnstates.OutputBusy)
    assert f"locked by elsewhere:{os.getpid()} since 2020-01-01T00:00:00Z, on another machine" in str(outcome.error)
    assert left(place) == ["out.h5.lock"]
    (place / "out.h5.lock").unlink()
    small.finish(place, "holes")
    table.count("stale lock", "M1")


def test_a_clock_that_jumps_back_changes_nothing(small, fresh, begun, monkeypatch):
    now = [2e9]

    def jumping():
        now[0] -= 1e6
        return now[0]

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(jumping(), tz)

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(lock, "datetime", Jumping)
    for source, moment in ((None, "M2"), (begun["holes"], "M9")):
        assert small.finish(fresh(source), "holes")
        table.count("clock jumps", moment)


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_every_engine_resumes_after_a_full_disk_to_the_same_bytes(small, fresh, engine):
    whole = fresh()
    log = Faulty("ENOSPC")
    assert small.run(whole, "holes", log, engine=engine).error is None
    expected = (whole / "out.h5").read_bytes()
    for at in [number for number, moment in enumerate(log.log, 1) if moment in ("M3", "M5")][4::9]:
        place = fresh()
        outcome = small.run(place, "holes", Faulty("ENOSPC", at, for_ever=True), engine=engine)
        assert isinstance(outcome.error, rnnstates.WriteFailed)
        outcome = small.run(place, "holes", engine=engine)
        assert outcome.error is None
        assert (place / "out.h5").read_bytes() == expected
        assert left(place) == ["out.h5"]
        table.count("ENOSPC", log.log[at - 1])


def test_a_limit_on_the_size_of_files_is_reported_before_anything_is_computed(small, fresh):
    place = fresh()
    done = command(
        "extract", small.inputs / "in.npy", place / "out.h5", "--lengths", small.inputs / "lengths.npy",
        "--engine", "numpy", "--units", "100",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )  # fmt: skip
    assert done.returncode == 74
    assert b"larger than may be written there" in done.stderr
    assert b"Traceback" not in done.stderr
    assert left(place) == []
    table.count("EFBIG", "M1")
