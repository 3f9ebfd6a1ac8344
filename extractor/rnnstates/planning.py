"""From lengths to windows of consecutive rows, and from a window to tiles of similar length. Pure.

A window is what is read at once; a tile is what one thread runs at once. The grid depends on the lengths, the widths
and the constants below only, never on the number of threads or on ``--memory``, so that the same command on the same
input gives the same bits wherever it runs. ``Grid`` is recorded in the output.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Grid", "Widths", "Window", "make_grid", "tiles", "windows"]

Rows = npt.NDArray[np.int64]

# Bytes read at once, before conversion. Large enough to sort by length inside, small enough to have three of them.
WINDOW_BYTES = 16 * 2**20
# Sequences a tile: larger ones fall out of the cache (performance: 64 rows beat 512 twice over at 1024 units).
TILE_ROWS = 64
# Bytes of inputs and states a tile may take; bounds the tiles of very long sequences.
TILE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Widths:
    """Bytes of one step.

    Parameters
    ----------
    stored : int
        As it lies in the input.
    computed : int
        As the first layer reads it: features in the computing precision.
    states : int
        All states of all layers in the computing precision, with what pooling them takes.
    """

    stored: int
    computed: int
    states: int


@dataclass(frozen=True)
class Grid:
    """How rows are cut; the same grid means the same tiles.

    Parameters
    ----------
    window_rows : int
        Rows read at once.
    tile_rows, tile_steps : int
        The most sequences of a tile, and the most steps (sequences times longest length) unless one sequence alone
        has more.
    """

    window_rows: int
    tile_rows: int
    tile_steps: int

    def as_dict(self) -> dict[str, int]:
        """Give the grid in JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Window:
    """Consecutive rows, and the steps that hold all their valid ones."""

    rows: slice
    steps: slice


def make_grid(steps: int, widths: Widths, rows_together: int = 1) -> Grid:
    """Choose the cut for an input.

    Parameters
    ----------
    steps : int
        T, the padded length.
    widths : Widths
    rows_together : int
        Rows best read at once (a chunk's); window edges fall on multiples of it where a window is that large.
    """
    window_rows = max(1, WINDOW_BYTES // (steps * widths.stored))
    if window_rows > rows_together:
        window_rows -= window_rows % rows_together
    return Grid(window_rows, TILE_ROWS, max(1, TILE_BYTES // (widths.computed + widths.states)))


def windows(lengths: Rows, steps: int, grid: Grid, *, padding: str = "post") -> Iterator[Window]:
    """Yield the windows from the first row to the last.

    Parameters
    ----------
    lengths : int64 [N]
    steps : int
        T.
    padding : str
        ``post``: the valid steps come first. ``pre``: last.
    """
    for start in range(0, len(lengths), grid.window_rows):
        stop = min(start + grid.window_rows, len(lengths))
        longest = int(lengths[start:stop].max())
        valid = slice(0, longest) if padding == "post" else slice(steps - longest, steps)
        yield Window(slice(start, stop), valid)


def tiles(lengths: Rows, grid: Grid) -> Iterator[Rows]:
    """Cut a window into tiles, the longest sequences first.

    Parameters
    ----------
    lengths : int64 [R]
        Of the window's rows.

    Yields
    ------
    int64 [B]
        Numbers of rows inside the window, longest first; equal lengths keep the rows' order.

    Examples
    --------
    >>> [tile.tolist() for tile in tiles(np.array([1, 5, 4, 5]), Grid(4, tile_rows=2, tile_steps=100))]
    [[1, 3], [2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, min(grid.tile_rows, grid.tile_steps // longest))
        yield order[start:stop]
        start = stop


def memory_needed(lengths: Rows, grid: Grid, widths: Widths, *, windows_held: int, threads: int) -> int:
    """Bound the bytes a run holds at once, beside the libraries themselves.

    Parameters
    ----------
    lengths : int64 [N]
    windows_held : int
        Windows read but not yet finished.
    threads : int
        Tiles computed at once.
    """
    if not len(lengths):
        return 0
    longest = int(lengths.max())
    window_steps: int = max(
        (w.rows.stop - w.rows.start) * (w.steps.stop - w.steps.start) for w in windows(lengths, longest, grid)
    )
    tile_steps: int = max(longest, min(grid.tile_steps, grid.tile_rows * longest))
    held = windows_held * window_steps * (widths.stored + widths.computed)
    return held + threads * tile_steps * (widths.computed + widths.states)
