"""Getting bytes on their way to the disk while others are still computed.

Linux keeps what is written in memory until much has gathered; a run that ends with ``fsync`` would then compute first
and wait for the disk afterwards. ``sync_file_range`` starts the writing without waiting for it and promises nothing,
so that durability remains ``fsync``'s affair.
"""

import ctypes
import threading
from collections.abc import Callable

__all__ = ["Writeback"]

# Bytes after which the disk is set to work.
TOGETHER = 16 * 2**20
# Of <fcntl.h>: start writing what is dirty, wait for nothing.
SYNC_FILE_RANGE_WRITE = 2


class Writeback:
    """Counts what is written to a file, from any thread, and starts the writing now and then.

    Parameters
    ----------
    descriptor : int
        Of a file open for writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._start = descriptor, _sync_file_range()
        self._waiting, self._lock = 0, threading.Lock()

    def wrote(self, count: int) -> None:
        """Tell that some bytes were written."""
        with self._lock:
            self._waiting += count
            if self._waiting < TOGETHER:
                return
            self._waiting = 0
        # From the first byte to the last: what is on its way already costs nothing.
        self._start(self._descriptor, 0, 0, SYNC_FILE_RANGE_WRITE)


def _sync_file_range() -> Callable[[int, int, int, int], int]:
    """Give the system's function, or one that does nothing where there is none."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return lambda *_: 0
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    function.restype = ctypes.c_int
    started: Callable[[int, int, int, int], int] = function
    return started
