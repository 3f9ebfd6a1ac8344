"""What others do meanwhile to the unfinished file, to its folder, and to the folder in which the run began."""

import os
import shutil
from pathlib import Path

import pytest

import rnnstates

from ..builders import one_layer
from . import table
from .small import WINDOWS, interrupt_at, left

ALL = tuple(range(WINDOWS))
ELSEWHERE = b'{"host": "elsewhere", "boot": "another", "pid": 17, "began": 5, "since": "2020-01-01T00:00:00Z"}'


def replaced_by_a_copy(path):
    """What a synchronisation or a restored backup does."""
    shutil.copy(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def moved_away(path):
    os.replace(path, path.with_name("moved"))


@pytest.mark.parametrize("change", [replaced_by_a_copy, moved_away], ids=lambda change: change.__name__)
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("tile", [1, 3, WINDOWS])
def test_an_unfinished_file_that_is_replaced_gets_no_name(small, fresh, change, force, tile):
    place, reported = fresh(), []

    def progress(_done, _of):
        reported.append(None)
        if len(reported) == tile:
            change(place / "out.h5.partial")

    outcome = small.run(place, progress=progress, force=force)
    assert isinstance(outcome.error, rnnstates.WriteFailed)
    assert "out.h5.partial: was moved, removed or replaced while this run was computing" in str(outcome.error)
    assert not (place / "out.h5").exists()
    (place / "moved").unlink(missing_ok=True)
    small.run(place)
    assert (place / "out.h5").read_bytes() == small.whole("holes", place.parent)
    assert left(place) == ["out.h5"]
    table.count("files replaced", "M2")


def test_a_run_ended_after_its_file_was_replaced_leaves_no_journal_to_believe(small, fresh):
    place, interrupt = fresh(), interrupt_at(4)

    def progress(done, of):
        if done and (place / "out.h5.partial").exists():
            replaced_by_a_copy(place / "out.h5.partial")
        interrupt(done, of)

    assert isinstance(small.run(place, progress=progress).error, KeyboardInterrupt)
    assert left(place) == ["out.h5.partial"]
    assert small.finish(place, "holes") == ALL
    table.count("files replaced", "M2")


@pytest.mark.parametrize("turn", ["chdir", "link"])
def test_a_folder_that_is_another_by_now_is_left_alone(small, fresh, monkeypatch, turn):
    """The output's name is that of the folder in which the run began."""
    place = fresh()
    for name in ("one", "two"):
        (place / name).mkdir()
    small.run(place / "two", progress=interrupt_at(2))
    before = {path.name: path.read_bytes() for path in (place / "two").iterdir()}
    (place / "cur").symlink_to("one")
    monkeypatch.chdir(place / "one" if turn == "chdir" else place)

    def progress(_done, _of):
        if turn == "chdir":
            os.chdir(place / "two")
        else:
            (place / "new").symlink_to("two")
            os.replace(place / "new", place / "cur")

    outcome = small.run(Path() if turn == "chdir" else Path("cur"), progress=progress)
    assert outcome.error is None
    assert (place / "one" / "out.h5").read_bytes() == small.whole("holes", place.parent)
    assert left(place / "one") == ["out.h5"]
    assert {path.name: path.read_bytes() for path in (place / "two").iterdir()} == before
    table.count("files replaced", "M2")


def test_messages_call_the_output_as_the_caller_does(small, fresh, monkeypatch, caplog):
    place = fresh()
    monkeypatch.chdir(place)
    small.run(Path(), progress=interrupt_at(2))
    assert str(small.run(Path(), weights=one_layer(units=2, seed=1)).error).startswith("out.h5.partial: was begun by")
    with pytest.raises(rnnstates.BadStates, match=r"^out\.h5: not finished: \d of 6 windows"):
        rnnstates.verify("out.h5.partial")
    os.mkdir("sub")
    Path("sub/out.h5.lock").write_bytes(ELSEWHERE)
    assert str(small.run(Path("sub")).error).startswith("sub/out.h5.lock: locked by elsewhere")
    caplog.clear()
    assert rnnstates.status("out.h5")["output"] == "out.h5"
    assert rnnstates.clean("out.h5") == ["out.h5.partial", "out.h5.journal"]
    assert str(place) not in caplog.text
