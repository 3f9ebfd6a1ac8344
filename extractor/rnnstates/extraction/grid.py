"""Cuts an input into windows, a window into tiles of similar length, a tile into pieces of time. Pure.

A window is what is read at a time: consecutive rows (a band), and for long sequences a stretch of time. A tile is what
one thread runs: sequences of the band with similar lengths. A piece is what it runs in one go; where time is cut, the
states are carried from piece to piece.

The grid depends only on the lengths, the widths, the network and the engine, never on the number of threads or on
``memory``, so that the same command on the same input gives the same bits wherever the arithmetic is equal
(``engines.arithmetic``). ``Grid`` is recorded in the output.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..arrays.axes import Lengths, Places

__all__ = ["Grid", "Widths", "Window", "make_grid", "memory_needed", "pieces", "tiles", "windows"]

# Bytes read at a time, including those for converting and checking, and bytes kept per band: large enough to sort by
# length within, small enough to have three of them.
WINDOW_BYTES = 16 * 2**20
# Bytes of inputs and states that a piece may use.
TILE_BYTES = 16 * 2**20
# Floating-point operations of a piece: some tenths of a second, after which an interrupt is noticed.
PIECE_OPERATIONS = 2e10
# Tiles in a band whose sequences are too long for one window, so that this many threads have work.
TILES_TOGETHER = 8
# The sweep that begins at the end (engines.stack.sweeps).
BACKWARD = "backward"


@dataclass(frozen=True)
class Widths:
    """Bytes per step, unless stated otherwise.

    Parameters
    ----------
    window : int
        In a held window: as stored, plus as converted if that differs.
    computed : int
        As the first layer reads it: features in the precision of the computation.
    states : int
        All states of all layers in the precision of the computation, including what pooling needs.
    kept : int
        Bytes per sequence that are held until its band is finished: pooled vectors, the states of short sequences, the
        initial states.
    checked : int
        While a window is checked, in addition to what is held.
    operations : int
        Floating-point operations per step.
    """

    window: int
    computed: int
    states: int
    kept: int = 0
    checked: int = 0
    operations: int = 0


@dataclass(frozen=True)
class Grid:
    """How an input is cut; the same grid means the same tiles.

    Parameters
    ----------
    window_rows, window_steps : int
        Rows and steps read at a time.
    tile_rows : int
        The most sequences in a tile.
    tile_steps : int
        The most steps (sequences times steps) in a piece, unless one step of all its sequences is more.
    cut : bool
        Whether sequences may be cut in time. If not, tiles of long sequences have fewer of them.
    """

    window_rows: int
    window_steps: int
    tile_rows: int
    tile_steps: int
    cut: bool = False

    def as_dict(self) -> dict[str, int]:
        """Return the grid in JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Window:
    """Consecutive rows and steps, and what is done with them.

    Parameters
    ----------
    number : int
        Number of its band, from 0: what an output calls a window.
    rows, steps : slice
        Positions in the input.
    sweeps : tuple of str
        The sweeps over time that read it: all, or one if time is cut.
    first, last : bool
        Whether it is the first and the last of its band for these sweeps.
    """

    number: int
    rows: slice
    steps: slice
    sweeps: tuple[str, ...] = ("whole",)
    first: bool = True
    last: bool = True


def make_grid(
    shape: tuple[int, int], widths: Widths, *, tile_rows: int, cut: bool = False, together: tuple[int, int] = (1, 1)
) -> Grid:
    """Choose the grid for an input.

    Parameters
    ----------
    shape : (int, int)
        N and T, the padded length.
    widths : Widths
    tile_rows : int
        The most sequences of a tile; the engine's choice.
    cut : bool
        Whether sequences may be cut in time.
    together : (int, int)
        Rows and steps best read together (those of a chunk); window edges fall on multiples of the steps, and of the
        rows if a window has that many.
    """
    step_bytes = widths.window + widths.checked
    window_rows, window_steps = _window(shape, step_bytes, widths.kept, tile_rows=tile_rows, cut=cut)
    if window_steps < shape[1]:
        window_steps = min(shape[1], max(together[1], window_steps - window_steps % together[1]))
        window_rows = max(1, min(window_rows, WINDOW_BYTES // (window_steps * step_bytes)))
    if window_rows > together[0]:
        window_rows -= window_rows % together[0]
    tile_steps = TILE_BYTES // (widths.computed + widths.states)
    if cut:
        tile_steps = min(tile_steps, int(PIECE_OPERATIONS / max(1, widths.operations)))
    return Grid(window_rows, window_steps, tile_rows, max(1, tile_steps), cut)


def _window(shape: tuple[int, int], step_bytes: int, kept: int, *, tile_rows: int, cut: bool) -> tuple[int, int]:
    """Choose the rows and steps of a window by bytes: whole rows, unless enough rows for all threads are too large."""
    sequences, steps = shape
    kept_rows = WINDOW_BYTES // max(1, kept)
    rows = max(1, min(WINDOW_BYTES // (steps * step_bytes), kept_rows))
    enough = max(1, min(TILES_TOGETHER * tile_rows, sequences, max(tile_rows, kept_rows)))
    if not cut or (rows >= enough and steps * step_bytes <= WINDOW_BYTES):
        return rows, steps
    return enough, min(steps, max(1, WINDOW_BYTES // (enough * step_bytes)))


def windows(
    lengths: Lengths, steps: int, grid: Grid, *, padding: str = "post", sweeps: Sequence[str] = ("whole",)
) -> Iterator[Window]:
    """Yield the windows, band by band; the sweeps of a cut band take turns.

    Parameters
    ----------
    lengths : int64 [N]
    steps : int
        T.
    padding : str
        ``post``: the valid steps come first. ``pre``: last.
    sweeps : sequence of str
        The sweeps over each band; ``backward`` begins at the end.
    """
    for number, start in enumerate(range(0, len(lengths), grid.window_rows)):
        rows = slice(start, min(start + grid.window_rows, len(lengths)))
        longest = int(lengths[rows].max())
        valid = slice(0, longest) if padding == "post" else slice(steps - longest, steps)
        spans = list(_spans(valid, grid.window_steps)) or [valid]
        if len(spans) == 1:
            yield Window(number, rows, valid, tuple(sweeps))
            continue
        for at in range(len(spans)):
            for sweep in sweeps:
                span = spans[-1 - at] if sweep == BACKWARD else spans[at]
                yield Window(number, rows, span, (sweep,), at == 0, at == len(spans) - 1)


def tiles(lengths: Lengths, grid: Grid) -> Iterator[Places]:
    """Split a band into tiles, the longest sequences first.

    Parameters
    ----------
    lengths : int64 [R]
        Lengths of the band's rows.

    Yields
    ------
    int64 [B]
        Row numbers within the band, longest first; rows of equal length keep their order.

    Examples
    --------
    >>> [tile.tolist() for tile in tiles(np.array([1, 5, 4, 5]), Grid(4, 5, tile_rows=2, tile_steps=100))]
    [[1, 3], [2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = grid.tile_rows if grid.cut else min(grid.tile_rows, grid.tile_steps // longest)
        stop = start + max(1, rows)
        yield order[start:stop]
        start = stop


def pieces(rows: int, steps: slice, grid: Grid, sweep: str) -> list[slice]:
    """Split a window's steps into the pieces of a tile, in the order in which a sweep reads them.

    Parameters
    ----------
    rows : int
        B, the sequences of the tile.
    steps : slice
        Steps of the window.
    sweep : str

    Examples
    --------
    >>> pieces(2, slice(10, 20), Grid(4, 100, tile_rows=2, tile_steps=8, cut=True), "backward")
    [slice(18, 20, None), slice(14, 18, None), slice(10, 14, None)]
    """
    if not grid.cut:
        return [steps]
    cut = list(_spans(steps, max(1, grid.tile_steps // rows)))
    return cut[::-1] if sweep == BACKWARD else cut


def _spans(steps: slice, most: int) -> Iterator[slice]:
    return (slice(at, min(at + most, steps.stop)) for at in range(steps.start, steps.stop, most))


def memory_needed(lengths: Lengths, grid: Grid, widths: Widths, *, windows_held: int, threads: int) -> int:
    """Bound the bytes that a run holds at once, in addition to the libraries themselves.

    Parameters
    ----------
    lengths : int64 [N]
    windows_held : int
        Windows read but not yet finished.
    threads : int
        Tiles computed in parallel.
    """
    if not len(lengths):
        return 0
    longest = int(lengths.max())
    starts = np.arange(0, len(lengths), grid.window_rows)
    rows = np.minimum(grid.window_rows, len(lengths) - starts)
    window_steps = int((rows * np.minimum(np.maximum.reduceat(lengths, starts), grid.window_steps)).max())
    tile_rows = min(grid.tile_rows, len(lengths))
    if grid.cut:
        tile_steps = min(max(grid.tile_steps, tile_rows), tile_rows * min(longest, grid.window_steps))
    else:
        tile_steps = max(longest, min(grid.tile_steps, tile_rows * longest))
    held = window_steps * (windows_held * widths.window + widths.checked)
    # One more band than windows held may have unfinished sequences.
    kept = (windows_held + 1) * int(rows.max()) * widths.kept
    return held + kept + threads * tile_steps * (widths.computed + widths.states)
