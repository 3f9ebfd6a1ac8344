import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnstates.extraction.grid import WINDOW_BYTES, Grid, Widths, make_grid, memory_needed, pieces, tiles, windows

lengths_of_rows = st.lists(st.integers(0, 50), min_size=1, max_size=60).map(np.array)
grids = st.builds(Grid, st.integers(1, 20), st.just(50), st.integers(1, 8), st.integers(1, 120))
cut_grids = st.builds(
    Grid, st.integers(1, 20), st.integers(1, 50), st.integers(1, 8), st.integers(1, 120), st.just(True)
)


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


@given(lengths_of_rows, cut_grids, st.sampled_from(["post", "pre"]))
def test_each_sweep_goes_once_over_every_valid_step_in_its_order(lengths, grid, padding):
    seen = {"forward": [[] for _ in lengths], "backward": [[] for _ in lengths]}
    for window in windows(lengths, 50, grid, padding=padding, sweeps=tuple(seen)):
        for sweep in window.sweeps:
            for span in pieces(len(lengths), window.steps, grid, sweep):
                steps = range(span.start, span.stop)
                for row in range(window.rows.start, window.rows.stop):
                    seen[sweep][row] += steps if sweep == "forward" else reversed(steps)
    for row, length in enumerate(lengths):
        valid = set(range(length) if padding == "post" else range(50 - length, 50))
        for sweep, rows in seen.items():
            assert valid <= set(rows[row])
            assert rows[row] == sorted(set(rows[row]), reverse=sweep == "backward")


@given(lengths_of_rows, cut_grids)
def test_the_first_and_last_window_of_a_band_are_marked_once_a_sweep(lengths, grid):
    for sweeps in (("forward",), ("forward", "backward")):
        made = list(windows(lengths, 50, grid, sweeps=sweeps))
        bands = {window.rows.start for window in made}
        for sweep in sweeps:
            of_sweep = [window for window in made if sweep in window.sweeps]
            assert sum(window.first for window in of_sweep) == sum(window.last for window in of_sweep) == len(bands)


def test_windows_of_a_cut_band_come_in_turns_so_that_both_directions_have_work():
    grid = Grid(4, 10, 4, 100, cut=True)
    made = list(windows(np.array([30, 5]), 30, grid, sweeps=("forward", "backward")))
    assert [(window.sweeps[0], window.steps.start) for window in made] == [
        ("forward", 0), ("backward", 20), ("forward", 10), ("backward", 10), ("forward", 20), ("backward", 0),
    ]  # fmt: skip


def test_window_edges_fall_on_chunk_edges_where_a_window_holds_several():
    grid = make_grid((10**5, 100), Widths(128, 128, 2048), tile_rows=64, together=(100, 1))
    assert grid.window_rows > 100
    assert grid.window_rows % 100 == 0


def test_one_enormous_sequence_makes_windows_and_pieces_of_bounded_size():
    grid = make_grid((1, 10**6), Widths(400, 400, 4000, operations=50_000), tile_rows=48, cut=True)
    assert grid.window_rows == 1
    assert grid.window_steps * 400 <= WINDOW_BYTES
    assert [tile.tolist() for tile in tiles(np.array([10**6]), grid)] == [[0]]
    assert max(span.stop - span.start for span in pieces(1, slice(0, 10**6), grid, "forward")) == grid.tile_steps


def test_an_enormous_sequence_that_cannot_be_cut_is_one_tile():
    grid = make_grid((3, 10**6), Widths(400, 400, 4000), tile_rows=48)
    assert grid.window_steps == 10**6
    assert [tile.tolist() for tile in tiles(np.array([10**6, 5, 10**6]), grid)] == [[0], [2], [1]]
    assert pieces(1, slice(0, 10**6), grid, "whole") == [slice(0, 10**6)]


def test_bands_of_long_sequences_hold_tiles_for_several_threads():
    grid = make_grid((10**4, 10**5), Widths(128, 128, 2048), tile_rows=48, cut=True)
    assert grid.window_rows == 8 * 48
    assert grid.window_rows * grid.window_steps * 128 <= WINDOW_BYTES


def test_the_grid_does_not_know_threads_or_memory():
    assert set(Grid.__dataclass_fields__) == {"window_rows", "window_steps", "tile_rows", "tile_steps", "cut"}


def test_memory_grows_with_threads_and_not_with_the_number_of_sequences_or_their_length():
    widths = Widths(128, 128, 2048, kept=500)

    def need(count, steps=100, threads=1, windows_held=2):
        grid = make_grid((count, steps), widths, tile_rows=64, cut=True)
        return memory_needed(np.full(count, steps), grid, widths, windows_held=windows_held, threads=threads)

    assert need(10**6) == need(10**5)
    assert need(10**5, threads=2) > need(10**5) > need(10**5, windows_held=1)
    assert need(1, steps=10**7) == need(1, steps=10**6)
    assert need(10**4, steps=10**5) < 200 * 2**20


def test_steps_that_are_stored_together_are_read_together():
    widths = Widths(256, 256, 2048)
    cut = make_grid((1000, 1000), widths, tile_rows=48, cut=True)
    assert cut.window_steps < 1000
    rounded = make_grid((1000, 1000), widths, tile_rows=48, cut=True, together=(1, 30))
    assert rounded.window_steps % 30 == 0
    assert 0 < rounded.window_steps <= cut.window_steps
    whole = make_grid((1000, 1000), widths, tile_rows=48, cut=True, together=(1, 1000))
    assert whole.window_steps == 1000
    assert whole.window_rows * 1000 * 256 <= WINDOW_BYTES
    assert make_grid((1000, 10**6), widths, tile_rows=48, cut=True, together=(1, 10**6)).window_rows == 1


def test_what_is_kept_of_each_sequence_bounds_a_band_where_time_may_be_cut_too():
    kept = 500_000
    for cut in (False, True):
        grid = make_grid((10**5, 20), Widths(128, 128, 2048, kept=kept), tile_rows=16, cut=cut)
        assert grid.window_rows * kept <= WINDOW_BYTES
        assert grid.window_rows >= 16
