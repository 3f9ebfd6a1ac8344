"""Limits NumPy's linear algebra (BLAS) to one thread."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from .shared_setting import SharedSetting

__all__ = ["one_thread"]


class _OneThread:
    """Limits BLAS to one thread from construction until ``undo``."""

    def __init__(self) -> None:
        self._take_over()
        self._limits = _libraries().limit(limits=1)

    def undo(self) -> None:
        """Restore the number of threads that BLAS had."""
        self._take_over()
        self._limits.restore_original_limits()
        self._take_over()

    def _take_over(self) -> None:
        """Let any thread change the limit: newer versions ignore all but the thread that set it last."""
        import threadpoolctl

        clear = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
        if clear is not None:
            clear(force=True)


@functools.cache
def _libraries() -> Any:
    """Find NumPy's BLAS, once: to look through all libraries takes 0.2 ms, beside TensorFlow 2 ms."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")


_one_thread = SharedSetting()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread inside a ``with`` block, in the whole process.

    Two levels of threads would compete for the cores, and products split among threads round differently.
    """
    with _one_thread.held(lambda: _OneThread().undo):
        yield
