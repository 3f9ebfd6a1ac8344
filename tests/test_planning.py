import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnstates.planning import Grid, Widths, make_grid, memory_needed, tiles, windows

lengths_of_rows = st.lists(st.integers(0, 50), min_size=1, max_size=60).map(np.array)
grids = st.builds(Grid, st.integers(1, 20), st.integers(1, 8), st.integers(1, 120))


@given(lengths_of_rows, grids)
def test_every_row_is_in_exactly_one_tile(lengths, grid):
    seen = [
        window.rows.start + member
        for window in windows(lengths, 50, grid)
        for tile in tiles(lengths[window.rows], grid)
        for member in tile
    ]
    assert sorted(seen) == list(range(len(lengths)))


@given(lengths_of_rows, grids)
def test_tiles_are_sorted_longest_first_and_within_the_budget(lengths, grid):
    longest_before = np.inf
    for tile in tiles(lengths, grid):
        of_tile = lengths[tile]
        assert (np.diff(of_tile) <= 0).all()
        assert of_tile[0] <= longest_before
        longest_before = of_tile[0]
        assert len(tile) <= grid.tile_rows
        assert len(tile) == 1 or len(tile) * of_tile[0] <= grid.tile_steps


@given(lengths_of_rows, grids)
def test_windows_hold_every_valid_step_at_either_padding(lengths, grid):
    for padding in ("post", "pre"):
        for window in windows(lengths, 50, grid, padding=padding):
            longest = lengths[window.rows].max()
            wanted = (0, longest) if padding == "post" else (50 - longest, 50)
            assert (window.steps.start, window.steps.stop) == wanted


def test_window_edges_fall_on_chunk_edges_where_a_window_holds_several():
    grid = make_grid(100, Widths(128, 128, 2048), rows_together=100)
    assert grid.window_rows > 100
    assert grid.window_rows % 100 == 0


def test_one_enormous_sequence_still_makes_a_grid():
    grid = make_grid(10**6, Widths(400, 400, 4000))
    assert grid.window_rows == 1
    assert [tile.tolist() for tile in tiles(np.array([10**6]), grid)] == [[0]]


def test_the_grid_does_not_know_threads_or_memory():
    assert set(Grid.__dataclass_fields__) == {"window_rows", "tile_rows", "tile_steps"}


def test_memory_grows_with_threads_and_not_with_the_number_of_sequences():
    widths = Widths(128, 128, 2048)
    grid = make_grid(100, widths)

    def need(count, threads):
        return memory_needed(np.full(count, 100), grid, widths, windows_held=2, threads=threads)

    assert need(10**6, 1) == need(10**5, 1)
    assert need(10**5, 2) > need(10**5, 1)
