"""Memory is bounded whatever the input: every array is counted while a job runs, by size, not by time.

NumPy tells tracemalloc of its arrays; windows of the input lie in memory of their own and are counted here.
"""

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import rnnstates
from rnnstates.arrays import axes
from rnnstates.extraction import grid
from rnnstates.inputs import hdf5, npy

from ..builders import BUILT_ENGINES, bidirectional_stack, embedded, one_layer

pytestmark = pytest.mark.slow

ENGINES = [name for name in BUILT_ENGINES if name != "tensorflow"]
# Windows, tiles and inputs are so much smaller than those of a real run, which holds as much more. NumPy alone takes
# minutes for millions of steps one after the other.
SMALLER = 16 if "compiled" in BUILT_ENGINES else 64
STEPS = 2**21 // SMALLER
# What a run holds beside windows and tiles: lengths, positions and the like, a few numbers a sequence; Python's own.
A_SEQUENCE, BESIDE = 64, 2**18
# How much of a larger input may be seen in the peak: what threads hold at once differs from run to run, by parts of a
# window; whatever grew with the input would be far more.
SEEN = 10


@pytest.fixture(scope="module", autouse=True)
def nothing_of_other_tests_is_looked_through():
    """Beside millions of objects Python would leave the few of a run uncollected for long, and take long to collect."""
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.fixture(autouse=True)
def smaller(monkeypatch):
    for name in ("WINDOW_BYTES", "TILE_BYTES"):
        monkeypatch.setattr(grid, name, getattr(grid, name) // SMALLER)


class Windows:
    """Counts the windows that are alive, and the most bytes there were in all."""

    def __init__(self, monkeypatch):
        self.lock, self.alive, self.peak = threading.Lock(), 0, 0
        for module in (npy, hdf5):
            monkeypatch.setattr(module, "empty_window", self.make)

    def make(self, shape, dtype):
        window = axes.empty_window(shape, dtype)
        self.count(window.nbytes)
        if window.base is not None:
            # Views of the window hold its base, not the window.
            weakref.finalize(window.base, self.count, -window.nbytes)
        return window

    def count(self, size):
        with self.lock:
            self.alive += size
            self.peak = max(self.peak, self.alive + tracemalloc.get_traced_memory()[0])


@pytest.fixture
def peak(monkeypatch, tmp_path):
    """Run a job on zeros, which take no disk, and give the most bytes of arrays that were alive."""

    def run(shape, lengths="full", **options):
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with (tmp_path / "in.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 4 * int(np.prod(shape)))
        windows = Windows(monkeypatch)
        gc.collect()
        tracemalloc.start()
        try:
            rnnstates.extract(tmp_path / "in.npy", lengths, output=tmp_path / "out.h5", force=True, **options).close()
            return max(windows.peak, tracemalloc.get_traced_memory()[1] + windows.alive)
        finally:
            tracemalloc.stop()

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_does_not_grow_with_the_number_of_sequences(peak, engine):
    options = {"weights": one_layer(8, 16), "engine": engine}
    few, many = (peak((count, 40, 8), **options) for count in (30_000 // SMALLER, 90_000 // SMALLER))
    assert few < 100 * 2**20 // SMALLER
    assert many < few + 60_000 // SMALLER * 40 * 8 * 4 // SEEN


@pytest.mark.parametrize("states", ["hidden,cell", "none"])
def test_memory_does_not_grow_with_the_length_of_a_sequence(peak, states):
    options = {"weights": one_layer(8, 16), "states": states, "engine": ENGINES[0]}
    short, long = (peak((1, steps, 8), **options) for steps in (STEPS, 4 * STEPS))
    assert long < short + 3 * STEPS * 8 * 4 // SEEN
    assert long < 80 * 2**20 // SMALLER


@pytest.mark.parametrize("shape", [(75, 8000 // SMALLER, 16), (3, 100_000 // SMALLER, 16), (20_000 // SMALLER, 3, 16)])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_job_says_it_holds_is_what_it_holds_at_most(peak, engine, shape, tmp_path):
    options = {"weights": one_layer(16, 24), "engine": engine, "pool": "mean,std,last,max", "states": "hidden,cell"}
    used = peak(shape, **options)
    said = rnnstates.preview(tmp_path / "in.npy", "full", **options)["memory"]
    assert used < said + shape[0] * A_SEQUENCE + BESIDE


def test_a_job_stays_within_the_memory_it_is_given_and_computes_the_same(peak, tmp_path):
    options = {"weights": one_layer(16, 24), "engine": ENGINES[0], "threads": 4}
    free = peak((100, 2000 // SMALLER, 16), **options)
    needed = rnnstates.preview(tmp_path / "in.npy", "full", **options)["memory"]
    with rnnstates.open(tmp_path / "out.h5") as states:
        expected = {name: values[...] for name, values in states.datasets.items()}
    given = needed // 2
    held = peak((100, 2000 // SMALLER, 16), memory=given, **options)
    assert held < given + BESIDE
    assert held < free
    with rnnstates.open(tmp_path / "out.h5") as states:
        for name, values in expected.items():
            np.testing.assert_array_equal(states[name], values)


@pytest.mark.parametrize("size", ["99999999999999T", "9" * 400 + "G"])
def test_more_memory_than_there_can_be_is_no_bound(size):
    given = {"inputs": np.ones((3, 4, 2)), "lengths": "full", "weights": one_layer(2, 3)}
    assert rnnstates.preview(**given, memory=size)["memory"] == rnnstates.preview(**given)["memory"]


def test_too_little_memory_is_refused_with_the_least_that_would_do(peak, tmp_path):
    options = {"weights": one_layer(16, 24), "engine": ENGINES[0]}
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"holds at least \d+ bytes .* give at least memory=\"\d+M\""):
        peak((400, 500, 16), memory=1000, **options)
    message = ""
    try:
        peak((400, 500, 16), memory=1000, **options)
    except rnnstates.MemoryBudgetError as reason:
        message = str(reason)
    least = message.rpartition('memory="')[2].rstrip('".')
    peak((400, 500, 16), memory=least, **options)


def test_a_network_that_cannot_be_cut_says_how_much_a_long_sequence_takes(peak):
    with pytest.raises(
        rnnstates.MemoryBudgetError, match=r"longest sequence has 200000 steps, and its layers need it whole"
    ):
        peak((1, 200_000, 3), weights=bidirectional_stack(), memory="16M", engine=ENGINES[0])


def test_a_network_that_cannot_be_cut_says_so_beforehand_when_that_takes_much():
    inputs = np.broadcast_to(np.zeros((), np.float32), (1, 10**7, 3))
    cut = rnnstates.preview(inputs, "full", weights=one_layer())
    assert not [note for note in cut["notes"] if "held whole" in note]
    whole = rnnstates.preview(inputs, "full", weights=bidirectional_stack())
    assert whole["memory"] > 2**30
    assert any("each sequence is held whole: about" in note and "10000000 steps" in note for note in whole["notes"])


def test_token_ids_are_bounded_too(peak):
    # Ids come as numbers of any type; zeros are ids as well.
    options = {"weights": embedded(features=16, units=8), "engine": ENGINES[0], "states": "none"}
    short, long = (peak((1, steps), **options) for steps in (STEPS, 8 * STEPS))
    assert long < short + 7 * STEPS * 4 // SEEN
    assert long < 60 * 2**20 // SMALLER
