"""BLAS held to one thread while anybody needs it, then as it was."""

import threading

import pytest
from threadpoolctl import threadpool_limits

from rnnstates.runtime.blas import _libraries, one_thread
from rnnstates.runtime.shared_setting import SharedSetting


def blas_threads():
    return {library["num_threads"] for library in _libraries().info()}


def test_runs_that_overlap_hold_it_together_and_leave_it_as_it_was():
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first():
        with one_thread():
            first_in.set()
            assert second_in.wait(10)
        first_out.set()

    def second():
        assert first_in.wait(10)
        with one_thread():
            second_in.set()
            assert first_out.wait(10)
            seen.append(blas_threads())

    with threadpool_limits(3):
        before = blas_threads()
        threads = [threading.Thread(target=task) for task in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [{1}]
        assert blas_threads() == before
    assert before != {1}


def test_a_setting_that_cannot_be_made_is_tried_again():
    setting, made = SharedSetting(), []

    def fail():
        raise OSError("no such setting")

    with pytest.raises(OSError, match="no such setting"), setting.held(fail):
        pass
    with setting.held(lambda: made.append("made") or (lambda: made.append("undone"))):
        assert made == ["made"]
    assert made == ["made", "undone"]
