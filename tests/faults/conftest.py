"""The small job, its directories, and how many operations are made to fail."""

import gc
import random
import shutil
import signal
from collections import defaultdict

import pytest

from .small import LAYOUTS, Small, copied, interrupt_at, left


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The job; one for all tests."""
    return Small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def begun(small, tmp_path_factory):
    """Directories in which two of six windows are recorded, by layout."""
    made = {}
    for layout in LAYOUTS:
        made[layout] = tmp_path_factory.mktemp("begun")
        outcome = small.run(made[layout], layout, progress=interrupt_at(2))
        assert isinstance(outcome.error, KeyboardInterrupt)
        assert left(made[layout]) == ["out.h5.journal", "out.h5.partial"]
    return made


@pytest.fixture
def fresh(tmp_path):
    """Give empty directories, or copies of one, and take each away when the next is asked for."""
    place = tmp_path / "run"

    def make(source=None):
        shutil.rmtree(place, ignore_errors=True)
        if source is None:
            place.mkdir()
            return place
        return copied(source, place)

    return make


@pytest.fixture
def some(request):
    """Choose operations by their moments: all with ``--every-fault``, else so many of each moment."""

    def choose(log, most, seed):
        numbers = range(1, len(log) + 1)
        if request.config.getoption("--every-fault"):
            return list(numbers)
        of_moment = defaultdict(list)
        for number, moment in zip(numbers, log, strict=True):
            of_moment[moment].append(number)
        draw = random.Random(seed)
        return sorted(n for those in of_moment.values() for n in draw.sample(those, min(most, len(those))))

    return choose


@pytest.fixture(autouse=True)
def signals_are_heeded():
    """Who runs the tests in the background ignores SIGINT, and so would they."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def nothing_of_other_tests_is_freed():
    """Python drops what a handler raises while an object is freed, and graphs of TensorFlow take long to be freed."""
    # And never again: to thaw them would have every later test look through all that collecting the tests has made.
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd):
    """Standard output holds only what was asked for."""
    yield
    assert capfd.readouterr().out == ""
