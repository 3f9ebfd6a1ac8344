"""How a job runs: windows in memory, progress, threads."""

import io
import threading
import time
import weakref

import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import grid, schedule
from rnnstates.output.writer import FileSink

from ..builders import bidirectional_stack, one_layer, ragged


@pytest.fixture
def many_windows(monkeypatch):
    """Windows of a few rows, so that a small input has many."""
    monkeypatch.setattr(grid, "WINDOW_BYTES", 3 * 8 * 3 * 8)


def test_at_most_two_windows_are_in_memory(monkeypatch, many_windows):
    read_window, seen, alive = schedule.read_window, [], []

    def watched(job, window):
        alive.append(sum(reference() is not None for reference in seen))
        block = read_window(job, window)
        block = block._replace(values=block.values.copy())
        seen.append(weakref.ref(block.values))
        return block

    monkeypatch.setattr(schedule, "read_window", watched)
    inputs, lengths = ragged(sequences=300)
    rnnstates.extract(inputs, lengths, weights=one_layer(), threads=2)
    assert len(seen) > 20
    # Beside the one that is being read.
    assert max(alive) == 1


def test_windows_and_threads_do_not_change_a_bit_of_the_result(many_windows, monkeypatch):
    inputs, lengths = ragged(sequences=50)
    cut = rnnstates.extract(inputs, lengths, weights=one_layer(), threads=2)
    monkeypatch.undo()
    whole = rnnstates.extract(inputs, lengths, weights=one_layer(), threads=1)
    for name in whole.datasets:
        np.testing.assert_array_equal(cut[name], whole[name])


def test_progress_counts_every_valid_step_once(many_windows):
    inputs, lengths = ragged(sequences=50)
    reported = []
    rnnstates.extract(inputs, lengths, weights=one_layer(), progress=lambda done, of: reported.append((done, of)))
    assert reported == sorted(reported)
    assert reported[-1] == (lengths.sum(), lengths.sum())


def test_an_interruption_while_computing_ends_the_run(many_windows):
    inputs, lengths = ragged(sequences=50)

    def interrupt(_done, _of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rnnstates.extract(inputs, lengths, weights=one_layer(), progress=interrupt)


RAISED = (
    OSError(28, "x"), BrokenPipeError(), TimeoutError(), ValueError("embedded null byte"), MemoryError("x"),
    RuntimeError("x"), StopIteration(), rnnstates.Stopped("mine"), KeyError("x"),
)  # fmt: skip


@pytest.mark.parametrize("output", [None, "out.h5"])
@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_what_progress_raises_is_raised_as_it_is(error, output, many_windows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs, lengths = ragged(sequences=50)
    error.__cause__ = cause = KeyError("the caller's")

    def fail(_done, _of):
        raise error

    with pytest.raises(type(error)) as raised:
        rnnstates.extract(inputs, lengths, weights=one_layer(), progress=fail, output=output)
    assert raised.value is error
    assert error.__cause__ is cause
    assert raised.traceback[-1].name == "fail"
    # Finished work is reused.
    truth = rnnstates.extract(inputs, lengths, weights=one_layer())
    with rnnstates.extract(inputs, lengths, weights=one_layer(), output="out.h5") as states:
        np.testing.assert_array_equal(states["hidden"], truth["hidden"])


def test_threads_and_memory_do_not_change_a_byte_of_the_file(many_windows, tmp_path, engine):
    inputs, lengths = ragged(sequences=50)
    quiet = {"command": None, "started": None}
    made = set()
    plan = rnnstates.preview(inputs, lengths, weights=one_layer(), engine=engine, threads=1)
    for options in ({"threads": 1}, {"threads": 2}, {"threads": 8}, {"threads": 8, "memory": plan["memory"]}):
        output = tmp_path / "out.h5"
        rnnstates.extract(
            inputs, lengths, output=output, force=True, weights=one_layer(), engine=engine, provenance=quiet, **options
        ).close()
        made.add(output.read_bytes())
    assert len(made) == 1


def test_no_thread_is_left_after_a_run_or_an_error(many_windows, engine):
    inputs, lengths = ragged(sequences=50)
    before = set(threading.enumerate())
    rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    inputs[0, 0, 0] = np.inf
    with pytest.raises(rnnstates.BadInput):
        rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    assert set(threading.enumerate()) <= before


def test_the_next_window_is_read_while_the_first_is_computed(monkeypatch, many_windows):
    read_window, gather = schedule.read_window, schedule.gather
    windows, second_read = [], threading.Event()

    def watched(job, window):
        windows.append(window)
        if len(windows) == 2:
            second_read.set()
        return read_window(job, window)

    def waiting(*arguments, **options):
        # Never set, if reading waited for the first window's tiles.
        assert second_read.wait(20)
        return gather(*arguments, **options)

    monkeypatch.setattr(schedule, "read_window", watched)
    monkeypatch.setattr(schedule, "gather", waiting)
    inputs, lengths = ragged(sequences=50)
    rnnstates.extract(inputs, lengths, weights=one_layer(), threads=1)
    assert len(windows) > 2


def test_one_window_is_written_while_the_next_is_computed(monkeypatch, many_windows, tmp_path):
    """A write that does not end until a later tile has begun."""
    write, gather = FileSink._write, schedule.gather
    begun, first_write, later = [], threading.Event(), threading.Event()

    def waiting(self, *arguments):
        if not first_write.is_set():
            first_write.set()
            assert later.wait(20)
        write(self, *arguments)

    def watched(*arguments, **options):
        begun.append(None)
        if len(begun) > 1:
            # Computed before that, it would be no sign.
            assert first_write.wait(20)
            later.set()
        return gather(*arguments, **options)

    monkeypatch.setattr("rnnstates.extraction.memory.SHORT", 0)  # states are written tile by tile
    monkeypatch.setattr(FileSink, "_write", waiting)
    monkeypatch.setattr(schedule, "gather", watched)
    inputs, lengths = ragged(sequences=50)
    output = tmp_path / "out.h5"
    # A network whose sequences are not cut: no tile waits for the states of another.
    rnnstates.extract(inputs, lengths, weights=bidirectional_stack(), threads=2, output=output, memory="100M").close()
    assert len(begun) > 2


@pytest.mark.slow
def test_waiting_for_a_slow_input_takes_no_processor(many_windows):
    """A pipe that gives a window's worth now and then: whoever polled or spun meanwhile would use the processor."""
    inputs, lengths = ragged(sequences=50)
    whole = io.BytesIO()
    np.save(whole, np.nan_to_num(inputs))

    class Slow:
        def __init__(self):
            self.left, self.pauses = whole.getvalue(), 0

        def read(self, count):
            if self.pauses < 10:
                self.pauses += 1
                time.sleep(0.2)
            count = min(count, len(whole.getvalue()) // 12)
            piece, self.left = self.left[:count], self.left[count:]
            return piece

    rnnstates.extract(inputs, lengths, weights=one_layer())  # so that nothing is imported below
    began, used = time.monotonic(), time.process_time()
    rnnstates.extract(Slow(), lengths, weights=one_layer())
    waited, used = time.monotonic() - began, time.process_time() - used
    assert waited > 2
    assert used < waited / 4
