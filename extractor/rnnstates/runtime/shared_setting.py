"""A setting of the whole process that several runs need at once."""

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["SharedSetting"]


class SharedSetting:
    """Made by the first that needs it, undone by the last: a run that ends first does not undo it under another.

    Examples
    --------
    >>> setting = SharedSetting()
    >>> def make():
    ...     print("made")
    ...     return lambda: print("undone")
    >>> with setting.held(make):
    ...     with setting.held(make):
    ...         print("held")
    made
    held
    undone
    """

    def __init__(self) -> None:
        self._lock, self._holders = threading.Lock(), 0
        self._undo: Callable[[], None] | None = None

    @contextlib.contextmanager
    def held(self, make: Callable[[], Callable[[], None]]) -> Iterator[None]:
        """Be entered by those who need it.

        Parameters
        ----------
        make : callable
            Changes the setting, and gives what changes it back.
        """
        with self._lock:
            if self._undo is None:
                self._undo = make()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0 and self._undo is not None:
                    undo, self._undo = self._undo, None
                    undo()
