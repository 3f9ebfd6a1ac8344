"""A setting of the whole process that several runs may need at the same time."""

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["SharedSetting"]


class SharedSetting:
    """Made by the first holder and undone by the last, so that no run undoes it while another needs it.

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
        """Keep the setting inside a ``with`` block.

        Parameters
        ----------
        make : callable
            Changes the setting and returns the function that restores it.
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
