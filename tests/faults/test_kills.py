"""Processes killed for good, at each operation and whenever; each is a process of its own."""

import random
import signal

import pytest

from . import table
from .children import DONE, MEANT, Children
from .small import LAYOUTS, left

SOME = 2


@pytest.fixture(scope="module")
def children(small):
    """What forks."""
    with Children(small.inputs) as made:
        yield made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_process_killed_at_an_operation_can_be_finished(small, fresh, some, children, begun, layout):
    for source in (None, begun[layout]):
        log = small.log(fresh(source), layout, "SIGKILL")
        for at in some(log, SOME if source is None else 2, layout):
            place = fresh(source)
            assert children.run(place, layout, at=at) == -signal.SIGKILL
            # Whatever is killed holds the lock, but for its first and last operations.
            small.finish(place, layout)
            table.count("SIGKILL", log[at - 1] if source is None else "M9")


def test_a_process_killed_whenever_and_again_can_be_finished(small, fresh, children, request):
    draw = random.Random(1)
    for case in range(300 if request.config.getoption("--every-fault") else 5):
        layout, place, kills = LAYOUTS[case % 3], fresh(), 0
        while kills < 20:
            code = children.run(place, layout, after=draw.uniform(0.002, 0.04))
            # Ended in an error: there was nothing left to do, but for a lock.
            if code == DONE or (code >= MEANT and left(place) == ["out.h5"]):
                break
            assert code == -signal.SIGKILL
            small.check_left(place, layout)
            # What the process did is not known; by what it left one can tell.
            table.count("SIGKILL", "M9" if kills else moment_of(place))
            kills += 1
            if left(place) == ["out.h5"]:
                break
        small.finish(place, layout)


def test_a_process_interrupted_whenever_can_be_finished(small, fresh, children, request):
    draw = random.Random(2)
    for case in range(1000 if request.config.getoption("--every-fault") else 15):
        layout, place = LAYOUTS[case % 3], fresh()
        code = children.run(place, layout, after=draw.uniform(0.002, 0.08), number=signal.SIGINT)
        # The signal may come before Python can tell of it.
        assert code in (DONE, -signal.SIGINT) or code >= MEANT
        # A lock may be left where the signal came between its making and its being known to be made: a dead one's.
        small.finish(place, layout)
        table.count("SIGINT", moment_reported(code))


def moment_reported(code):
    """The last operation's moment; a process that had finished was interrupted after all of them."""
    if code < MEANT:
        return "M7" if code == DONE else "M0"
    return list(table.MOMENTS)[code - MEANT]


def moment_of(place):
    """When a process was ended, by the files that it left; all between beginning and naming counts as computing."""
    names = {name for name in left(place) if name.startswith("out.h5")}
    if not names:
        return "M0"
    if "out.h5" in names:
        return "M7"
    return "M2" if "out.h5.partial" in names else "M1"
