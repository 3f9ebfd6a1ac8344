"""The power goes after each operation: whatever of the last writes is on the disk, the same call finishes."""

import random

import pytest

from . import table
from .power import RecordingSystem
from .small import LAYOUTS

SEEDS, SOME = 2, 3


@pytest.fixture
def depth(request):
    """How often each loss is drawn."""
    return 10 * SEEDS if request.config.getoption("--every-fault") else SEEDS


def loop(small, fresh, some, depth, *, layout, source=None, system=None, **options):
    """Lose the power after each event of a run; gives how many cases there were."""
    place = fresh(source)
    system = system or RecordingSystem(place)
    small.run(place, layout, system, **options)
    trace, cases = system.trace, 0
    for at in some([moment for moment, *_ in trace.events], SOME, layout):
        for seed in range(depth):
            place = fresh()
            trace.after_loss(at, seed, place)
            small.finish(place, layout)
            table.count("power loss", trace.events[at - 1][0] if source is None else "M9")
            cases += 1
    return cases


@pytest.mark.parametrize("layout", LAYOUTS)
def test_after_a_power_loss_the_same_call_finishes(small, fresh, some, depth, layout):
    assert loop(small, fresh, some, depth, layout=layout) >= 20


@pytest.mark.parametrize("layout", LAYOUTS)
def test_after_a_power_loss_while_going_on_the_same_call_finishes(small, fresh, some, depth, begun, layout):
    assert loop(small, fresh, some, depth, layout=layout, source=begun[layout]) >= 20


@pytest.mark.parametrize("layout", LAYOUTS)
def test_after_two_power_losses_the_same_call_finishes(small, fresh, some, depth, tmp_path, layout):
    for seed in range(depth):
        place = fresh()
        system = RecordingSystem(place)
        small.run(place, layout, system)
        at = random.Random(seed).randint(1, len(system.trace.events))
        first, second = tmp_path / f"first{seed}", fresh()
        first.mkdir()
        system.trace.after_loss(at, seed, first)
        system = RecordingSystem(first)
        small.run(first, layout, system)
        system.trace.after_loss(random.Random(-seed).randint(0, len(system.trace.events)), seed, second)
        small.finish(second, layout)
        table.count("power loss", "M9")


def test_a_run_that_would_not_sync_is_found_out(small, fresh):
    """The check can fail: where syncs are promised and not made, some loss makes a difference."""

    class Lying(RecordingSystem):
        def _event(self, operation, arguments, result):
            event = super()._event(operation, arguments, result)
            # The journal is synced, the data is not.
            lie = operation == "fdatasync" and self._roles.get(arguments[0]) == ".partial"
            return None if lie else event

    place = fresh()
    system = Lying(place)
    small.run(place, "holes", system)
    recorded = [at for at, (moment, *_) in enumerate(system.trace.events, 1) if moment == "M5"]
    wrong = 0
    for seed, at in enumerate(recorded):
        place = fresh()
        system.trace.after_loss(at, seed, place)
        try:
            small.finish(place, "holes")
        except AssertionError:
            wrong += 1
    assert wrong
