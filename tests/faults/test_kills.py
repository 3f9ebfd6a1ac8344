"""Processes killed for good, at each operation and whenever; each is a process of its own."""

import random
import signal

import pytest

from . import table
from .children import DONE, Children
from .faulty import Faulty
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
        log = small.run(fresh(source), layout, Faulty("SIGKILL")).system.log
        for at in some(log, SOME if source is None else 2, layout):
            place = fresh(source)
            assert children.run(place, layout, at=at) == -signal.SIGKILL
            # Whatever is killed holds the lock, but for its first and last operations.
            small.finish(place, layout)
            table.count("SIGKILL", log[at - 1] if source is None else "M9")


def test_a_process_killed_whenever_and_again_can_be_finished(small, fresh, children, request):
    draw = random.Random(1)
    for case in range(2000 if request.config.getoption("--every-fault") else 9):
        layout, place, kills = LAYOUTS[case % 3], fresh(), 0
        while kills < 20:
            code = children.run(place, layout, after=draw.uniform(0.002, 0.04))
            if code == DONE:
                break
            assert code == -signal.SIGKILL
            small.check_left(place, layout)
            # What the process did is not known; by what it left one can tell.
            table.count("SIGKILL", "M9" if kills else moment_of(place))
            kills += 1
            if left(place) == ["out.h5"]:
                break
        small.finish(place, layout)


def moment_of(place):
    """When a process was killed, by the files that it left."""
    names = set(left(place))
    if "out.h5" in names:
        return "M7"
    return "M2" if "out.h5.partial" in names else "M1"
