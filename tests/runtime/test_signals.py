"""Signals wait where an exception would do harm, and are heeded afterwards."""

import signal
import threading

import pytest

from rnnstates.runtime.signals import signals_wait


@pytest.fixture(autouse=True)
def heeded():
    """Who runs the tests in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_is_heeded_when_what_it_waits_for_is_done():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with signals_wait():
            signal.raise_signal(signal.SIGINT)
            done.append(None)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals_wait():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_leaves_the_handlers_alone():
    seen = []

    def work():
        with signals_wait():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
