"""Holding NumPy's linear algebra to one thread."""

import contextlib
from collections.abc import Iterator
from typing import Any

from .shared_setting import SharedSetting

__all__ = ["one_thread"]


class _OneThread:
    """BLAS held to one thread, from its making until ``undo``."""

    def __init__(self) -> None:
        # Imported late: it looks through all loaded libraries, and not every run needs BLAS.
        import threadpoolctl

        self._library: Any = threadpoolctl
        self._take_over()
        self._limits = threadpoolctl.threadpool_limits(1)

    def undo(self) -> None:
        """Give BLAS the threads that it had."""
        self._take_over()
        self._limits.restore_original_limits()
        self._take_over()

    def _take_over(self) -> None:
        """Let any thread change the limit: newer versions let the one that set it last, and ignore others."""
        clear = getattr(self._library.OpenBLASController, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


_one_thread = SharedSetting()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread for a while, in the whole process.

    Two levels of threads would fight for the cores, and products split among threads round differently.
    """
    with _one_thread.held(lambda: _OneThread().undo):
        yield
