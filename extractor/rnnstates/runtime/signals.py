"""Having signals wait for some milliseconds, in which an exception out of nowhere would do harm.

Python calls the handler of a signal between any two steps of the main thread, those of a function that a library in C
has called included; what the handler raises there comes out of the library as something else, or not at all.
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
    """Let what is done inside be finished before a handler of a signal is called.

    In another thread than the main one nothing is done, and needs to be: handlers are called in the main thread.
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
