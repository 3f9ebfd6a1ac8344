"""The lock of an output: who has it, who gets it, and what becomes of one that is left behind."""

import errno
import json
import os
import subprocess
import sys

import pytest

from rnnstates.errors import CannotCreate, OutputBusy
from rnnstates.output import lock
from rnnstates.output.lock import Holder, RunLock, holder_of, is_held
from rnnstates.output.names import names_of
from rnnstates.output.system import DISK, Disk, Place

ELSEWHERE = {"host": "elsewhere", "boot": "another", "pid": 17, "began": 5, "since": "2020-01-01T00:00:00Z"}


@pytest.fixture
def names(tmp_path):
    return names_of(tmp_path / "out.h5")


class WithoutFlock(Disk):
    """A file system that knows no locks."""

    def lock(self, fd):
        raise OSError(errno.ENOLCK, "no locks here")


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def sign(names, **changes):
    names.lock.write_text(json.dumps(ELSEWHERE | changes))


def here():
    return {"host": os.uname().nodename, "boot": lock._boot()}


def test_a_lock_says_who_made_it_and_is_gone_when_let_go(names):
    with RunLock(Place(names)) as held:
        assert holder_of(names.lock) == held.holder
        assert held.holder.pid == os.getpid()
        assert is_held(names.lock)
    assert not names.lock.exists()
    assert not is_held(names.lock)
    held.release()


def test_one_process_at_a_time_has_it(names):
    script = (
        "import sys; from rnnstates.output.lock import RunLock; from rnnstates.output.names import names_of;"
        "from rnnstates.output.system import Place; held = RunLock(Place(names_of(sys.argv[1])));"
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, names.output]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(OutputBusy, match=rf"out\.h5\.lock: locked by \S+:{other.pid} since 2\S+Z; wait for that"):
            RunLock(Place(names))
        assert is_held(names.lock)
        other.kill()
        other.wait()
    # It is dead now, and its lock is still there.
    assert names.lock.exists()
    assert not is_held(names.lock)
    RunLock(Place(names)).release()
    assert not names.lock.exists()


@pytest.mark.parametrize("text", [b"", b'{"ho', b'{"host": "', b'{"host": "x", "bo', b"\0" * 10_000])
def test_a_lock_that_was_not_written_whole_is_taken_over(names, text):
    names.lock.write_bytes(text)
    RunLock(Place(names)).release()
    assert not names.lock.exists()


@pytest.mark.parametrize("text", [b"garbage", b"{}", b"[" * 100_000, b'{"pid": 1}', b"\xff" * 10_000, b"{ "])
def test_a_file_that_no_run_can_have_written_is_left_alone(names, text):
    names.lock.write_bytes(text)
    with pytest.raises(CannotCreate, match=r"out\.h5\.lock: begins with b.*; expected a lock of rnnstates.* Move it"):
        RunLock(Place(names))
    assert names.lock.read_bytes() == text


def test_a_pipe_in_the_lock_s_place_is_not_waited_for(names):
    os.mkfifo(names.lock)
    for look in (is_held, holder_of, lambda path: RunLock(Place(names))):
        with pytest.raises(CannotCreate, match=r"out\.h5\.lock: not a regular file, so no run left it; remove it"):
            look(names.lock)
    assert names.lock.is_fifo()


def test_a_lock_of_another_machine_is_left_alone_with_advice(names):
    sign(names)
    with pytest.raises(
        OutputBusy, match=r"locked by elsewhere:17 since .*, on another machine; .*If it is dead, remove"
    ):
        RunLock(Place(names))
    assert is_held(names.lock)
    assert json.loads(names.lock.read_text()) == ELSEWHERE


@pytest.mark.parametrize(
    "known", [{"boot": here()["boot"]}, {"host": here()["host"]}], ids=["a container", "restarted"]
)
def test_a_lock_of_a_container_or_of_before_a_restart_is_of_this_machine(names, known):
    sign(names, **known)
    RunLock(Place(names)).release()


@pytest.mark.parametrize("system", [DISK, WithoutFlock()], ids=["flock", "no flock"])
def test_a_dead_process_holds_nothing_and_neither_does_another_of_its_number(names, system):
    sign(names, **here(), pid=dead_process())
    RunLock(Place(names, system)).release()
    sign(names, **here(), pid=os.getpid(), began=1)
    RunLock(Place(names, system)).release()


def test_without_flock_a_process_that_lives_and_one_unknown_are_believed(names):
    with RunLock(Place(names, WithoutFlock())):
        with pytest.raises(OutputBusy, match=rf"locked by .*:{os.getpid()} since"):
            RunLock(Place(names, WithoutFlock()))
    names.lock.write_bytes(b"")
    with pytest.raises(OutputBusy, match="another run is writing this output"):
        RunLock(Place(names, WithoutFlock()))


def test_a_lock_that_is_taken_away_while_it_is_looked_at_is_made_again(names):
    class Meddling(Disk):
        """Another run lets the lock go between our opening and our locking it."""

        times = 0

        def lock(self, fd):
            self.times += 1
            if self.times < 3:
                names.lock.unlink()
            super().lock(fd)

    names.lock.write_bytes(b"")
    system = Meddling()
    with RunLock(Place(names, system)):
        assert system.times == 3
        assert holder_of(names.lock).pid == os.getpid()


def test_a_link_in_the_lock_s_place_is_not_followed(names, tmp_path):
    (tmp_path / "precious").write_text("precious")
    names.lock.symlink_to(tmp_path / "precious")
    with pytest.raises(CannotCreate, match="a symbolic link is in the way"):
        RunLock(Place(names))
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_lock_that_somebody_else_has_taken_meanwhile_stays_theirs(names):
    with RunLock(Place(names)):
        names.lock.unlink()
        theirs = RunLock(Place(names))
    assert is_held(names.lock)
    theirs.release()
    assert not names.lock.exists()


def test_the_time_plays_no_part(names, monkeypatch):
    sign(names, **here(), pid=dead_process(), since="2999-01-01T00:00:00Z")
    with RunLock(Place(names)):
        pass
    assert Holder(**ELSEWHERE).is_here is False
