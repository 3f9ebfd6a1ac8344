"""Holding NumPy's linear algebra to one thread."""

import contextlib
from collections.abc import Iterator

__all__ = ["one_thread"]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread for a while.

    Two levels of threads would fight for the cores, and products split among threads round differently.
    """
    # Imported late: it looks through all loaded libraries, and not every run needs BLAS.
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
