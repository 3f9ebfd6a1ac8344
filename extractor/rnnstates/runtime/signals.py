"""Delays signals for the milliseconds in which an exception raised by their handler would do harm.

Python calls a signal handler between any two steps of the main thread, even inside a function that a C library has
called; an exception raised there leaves the library as something else, or not at all.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["signals_wait"]

ENDING: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Finish the ``with`` block before any signal handler is called.

    Does nothing outside the main thread, where handlers are never called.
    """
    arrived: list[tuple[int, Any]] = []
    before: dict[int, Callable[[int, Any], Any]] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                handler = signal.getsignal(number)
                if callable(handler):
                    before[number] = handler
                    signal.signal(number, lambda number, frame: arrived.append((number, frame)))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, frame in arrived:
            before[number](number, frame)
