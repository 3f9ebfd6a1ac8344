"""Each operation fails, once and for ever, in a new run and in one that goes on."""

import sys

import pytest

import rnnstates
from rnnstates_cli import main

from . import table
from .faulty import Faulty
from .small import LAYOUTS, WINDOWS, at_once, interrupt_at, left, recorded_in

ERRORS = ("ENOSPC", "EDQUOT", "EFBIG", "EIO")
SIGNALS = ("signal before", "signal after")
# Who is interrupted for ever has to try for ever.
INVISIBLE = (("EINTR", False), ("short write", False), ("short write", True))
TOLD = {
    "ENOSPC": "the disk is full",
    "EDQUOT": "quota is used up",
    "EFBIG": "larger than may be written",
    "EIO": "writing failed",
}
# Cases of each moment without --every-fault.
SOME = 2


def as_tabled(outcome, fault):
    """Whether the error is the one that the fault should come to; a run may get by an error, not a signal."""
    if fault in SIGNALS:
        return isinstance(outcome.error, KeyboardInterrupt)
    if outcome.error is None:
        return True
    # What is locked is not written: a lock that cannot be taken is reported as such.
    return isinstance(outcome.error, rnnstates.WriteFailed) and TOLD[fault] in str(outcome.error)


def loop(small, fresh, some, fault, *, for_ever, source=None, most=SOME):
    """Make each operation fail in turn; gives how many cases there were."""
    cases = 0
    seed = f"{fault} {for_ever} {source is not None}"
    for layout in LAYOUTS:
        start = None if source is None else source[layout]
        log = small.log(fresh(start), layout, fault)
        for at in some(log, most, seed + layout):
            place = fresh(start)
            outcome = small.run(place, layout, Faulty(fault, at, for_ever=for_ever))
            case = f"{fault} at {at} ({log[at - 1]}), for ever: {for_ever}, {layout}, {outcome.error!r}"
            assert outcome.system.struck, case
            assert outcome.system.struck[0] == log[at - 1], case
            assert as_tabled(outcome, fault), case
            assert not outcome.system.sins, case
            small.finish(place, layout)
            table.count(fault, log[at - 1] if source is None else "M9")
            cases += 1
    return cases


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("fault", ERRORS)
def test_a_failing_operation_ends_a_run_that_can_be_finished(small, fresh, some, fault, for_ever):
    assert loop(small, fresh, some, fault, for_ever=for_ever) >= 15


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("fault", ERRORS)
def test_a_failing_operation_ends_a_run_that_goes_on(small, fresh, some, begun, fault, for_ever):
    assert loop(small, fresh, some, fault, for_ever=for_ever, source=begun, most=1) >= 8


def test_a_window_is_not_recorded_where_its_sync_failed_and_no_sync_is_tried_again(small, fresh):
    log = Faulty("EIO")
    small.run(fresh(), "holes", log)
    synced = [at for at, pair in enumerate(zip(log.log, log.names, strict=True), 1) if pair == ("M4", "fdatasync")]
    assert len(synced) == WINDOWS
    for number, at in enumerate(synced):
        place = fresh()
        outcome = small.run(place, "holes", Faulty("EIO", at))
        assert isinstance(outcome.error, rnnstates.WriteFailed)
        assert not outcome.system.sins
        assert recorded_in(place) == set(range(number))
        # The last sync that was made was the one that failed.
        assert outcome.system.log.count("M4") == log.log[:at].count("M4")
        small.finish(place, "holes")
        table.count("EIO", "M4")


@pytest.mark.parametrize("fault", SIGNALS)
def test_a_signal_at_an_operation_ends_a_run_that_can_be_finished(small, fresh, some, begun, fault):
    assert loop(small, fresh, some, fault, for_ever=False, most=2) >= 15
    assert loop(small, fresh, some, fault, for_ever=False, most=2, source=begun) >= 8


@pytest.mark.parametrize(("fault", "for_ever"), INVISIBLE)
def test_short_and_interrupted_writes_are_not_seen(small, fresh, some, begun, fault, for_ever):
    for layout in LAYOUTS:
        for start in (None, begun[layout]):
            log = small.log(fresh(start), layout, fault)
            for at in some(log, 1, fault):
                place = fresh(start)
                outcome = small.run(place, layout, Faulty(fault, at, for_ever=for_ever))
                assert outcome.error is None
                assert outcome.system.struck
                assert left(place) == ["out.h5"]
                assert (place / "out.h5").read_bytes() == small.whole(layout, place.parent)
                table.count(fault, log[at - 1] if start is None else "M9")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_signal_while_computing_keeps_what_was_finished(small, fresh, layout):
    for tile in range(1, WINDOWS + 1):
        place = fresh()
        outcome = small.run(place, layout, progress=interrupt_at(tile))
        assert isinstance(outcome.error, KeyboardInterrupt)
        # At most those that were begun are computed again.
        assert len(small.finish(place, layout)) <= WINDOWS - tile
        table.count("signal before", "M2")


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
def test_the_command_ends_with_74_and_prints_no_traceback(small, fresh, some, monkeypatch, capfd, fault):
    def command(place, system):
        arguments = ("extract", "in.npy", str(place / "out.h5"), "--lengths", "lengths.npy", "--units", "2",
                     "--engine", "numpy", "--threads", "1", "--no-timestamps")  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["rnnstates", *arguments])
        with at_once(system, "padded", []):
            code = main._run()
        reported = capfd.readouterr()
        assert reported.out == ""
        assert "Traceback" not in reported.err
        return code, reported.err

    monkeypatch.chdir(small.inputs)
    whole, log = None, Faulty(fault)
    place = fresh()
    assert command(place, log)[0] == 0
    whole = (place / "out.h5").read_bytes()
    for at in some(log.log, 2, fault):
        place = fresh()
        code, reported = command(place, Faulty(fault, at))
        assert code in (0, 74)
        if code:
            assert f"rnnstates: {place}" in reported
            assert TOLD[fault] in reported
            assert code == 74
        code, reported = command(place, Faulty())
        assert code == 0 or (code, "exists; replace it" in reported) == (73, True)
        assert (place / "out.h5").read_bytes() == whole
        assert left(place) == ["out.h5"]
        table.count(fault, log.log[at - 1])
