"""Reading HDF5: against h5py used directly; hostile and damaged files against their messages."""

import contextlib
import resource
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstates.arrays.axes import empty_window
from rnnstates.errors import BadInput
from rnnstates.inputs import hdf5, open_source
from rnnstates.inputs.form import Form
from rnnstates.inputs.hdf5 import MOST_CACHE, Hdf5Source

from .conformance import make_inputs


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5"


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array


STORAGE = [
    {},
    {"chunks": (2, 3, 1)},
    {"chunks": (4, 2, 3), "compression": "gzip"},
    {"chunks": True, "compression": "lzf"},
]


@given(st.data(), st.sampled_from(["<f2", ">f4", "<f8", ">i2", "<u8", "<i1"]), st.sampled_from(STORAGE))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_block_of_any_storage_equals_the_slice(tmp_path, data, dtype, storage):
    truth = make_inputs((5, 4, 3), np.uint8).astype(dtype)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("inputs", data=truth, **storage)
    start_row, start_step = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 4))
    rows = slice(start_row, data.draw(st.integers(start_row, 5)))
    steps = slice(start_step, data.draw(st.integers(start_step, 4)))
    source = open_source(tmp_path / "x.h5")
    block = source.read(rows, steps)
    source.close()
    assert block.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(block, truth[rows, steps])


def test_rows_and_steps_together_are_those_of_a_chunk(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("chunked", data=make_inputs((9, 5, 3)), chunks=(4, 2, 3))
        file.create_dataset("plain", data=make_inputs((9, 5, 3)))
        file.create_dataset("growing", shape=(0, 5, 3), maxshape=(None, 5, 3), chunks=(4, 5, 3))
    for name, expected in (("chunked", (4, 2)), ("plain", (1, 1)), ("growing", (1, 5))):
        source = open_source(path, dataset=name)
        source.close()
        assert (source.rows_together, source.steps_together) == expected


def test_one_row_of_chunks_is_kept_decompressed(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", shape=(40, 300, 200), chunks=(20, 100, 200), dtype="f4", compression="gzip")
    source = open_source(path)
    assert isinstance(source, Hdf5Source)
    assert source._dataset.id.get_access_plist().get_chunk_cache()[1] == 20 * 300 * 200 * 4
    source.close()


def test_enormous_chunks_are_noted(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", shape=(200, 1000, 100), chunks=(200, 1000, 100), dtype="f4")
        file["inputs"][0, 0] = 1
    source = open_source(path)
    source.close()
    assert source._dataset is not None
    assert f"has chunks of {200 * 1000 * 100 * 4} bytes" in source.notes[0]
    assert MOST_CACHE < 200 * 1000 * 100 * 4


def test_memory_grows_with_the_block_and_not_with_the_file(path, monkeypatch):
    shape = (200_000, 100, 50)
    with h5py.File(path, "w") as file:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple(shape)
        h5py.h5d.create(file.id, b"inputs", h5py.h5t.IEEE_F32LE, space, settings)
    assert path.stat().st_blocks * 512 < 10_000_000
    windows = []
    monkeypatch.setattr(hdf5, "empty_window", lambda *of: windows.append(empty_window(*of)) or windows[-1])
    source = open_source(path)
    tracemalloc.start()
    block = source.read(slice(150_000, 150_010), slice(20, 40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    source.close()
    assert block.nbytes == 10 * 20 * 50 * 4
    assert [window.nbytes for window in windows] == [block.nbytes]
    assert peak < block.nbytes + 100_000


def test_the_dataset_inputs_goes_before_others(path):
    write(path, inputs=make_inputs(seed=1), other=make_inputs(seed=2))
    source = open_source(path)
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 5)), make_inputs(seed=1))
    source.close()
    assert source.name == f"{path}: dataset 'inputs'"
    assert source.identity["dataset"] == "inputs"


def test_the_only_dataset_that_fits_is_taken(path):
    write(path, lengths=np.full(7, 5), train__x=make_inputs(), matrix=np.zeros((3, 3)), label=b"text")
    source = open_source(path)
    source.close()
    assert source.name.endswith("dataset 'train/x'")


def test_integers_with_two_axes_fit_when_the_weights_bring_an_embedding(path):
    write(path, characters=make_inputs((6, 4), np.uint8), lengths=np.full((6, 1), 4))
    source = open_source(path, form=Form(tokens=True))
    source.close()
    assert source.shape == (6, 4)
    with pytest.raises(BadInput, match=r"none that fits; .* integers of shape \(N, T\) are token ids and need weights"):
        open_source(path)


def test_token_ids_stored_as_floats_are_read_when_named_inputs(path):
    write(path, inputs=make_inputs((6, 4), np.float32))
    source = open_source(path, form=Form(tokens=True))
    source.close()
    assert source.shape == (6, 4)


def test_several_that_fit_are_listed(path):
    write(path, a=make_inputs(), b=make_inputs((2, 3, 4), np.int16), c=np.zeros(3))
    listed = r"'a' \(7, 5, 3\) float32, 'b' \(2, 3, 4\) int16"
    with pytest.raises(BadInput, match=rf"no dataset 'inputs', and 2 that fit: {listed}\. Name one with dataset="):
        open_source(path)


def test_none_that_fits_lists_what_is_there_and_guesses(path):
    write(path, input=np.zeros((2, 3)), c=np.zeros(3))
    with pytest.raises(
        BadInput, match=r"present: 'c' \(3,\) float64, 'input' \(2, 3\) float64\. Did you mean 'input'\?"
    ):
        open_source(path)


def test_a_long_list_is_cut(path):
    write(path, **{f"d{number}": np.zeros(number) for number in range(9)})
    with pytest.raises(BadInput, match=r"'d4' \(4,\) float64 and 4 more\."):
        open_source(path)


def test_an_empty_file_says_so(path):
    write(path)
    with pytest.raises(BadInput, match="present: none"):
        open_source(path)


def test_a_wrong_name_gets_a_guess(path):
    write(path, inputs=make_inputs(), group__thing=make_inputs())
    with pytest.raises(
        BadInput, match=r"no dataset 'input'; present: .* Did you mean 'inputs'\? Name one with dataset="
    ):
        open_source(path, dataset="input")
    with pytest.raises(BadInput, match=r"x\.h5: group 'group': shape \(7, 5, 3\); .* Name one of its datasets"):
        open_source(path, dataset="/group")


def test_chunks_of_which_one_row_is_read_do_not_stay_in_memory(tmp_path):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    with h5py.File(tmp_path / "x.h5", "w") as file:
        # 40 chunks of 2 MB.
        file.create_dataset("inputs", (40 * 64, 128, 64), "f4", chunks=(64, 128, 64), fillvalue=1)
        for start in range(0, 40 * 64, 64):
            file["inputs"][start : start + 64] = start
    with contextlib.closing(open_source(tmp_path / "x.h5")) as source:
        before = resident()
        for row in range(0, 40 * 64, 64):
            assert source.read(slice(row, row + 1), slice(0, 128)).max() == row
        assert resident() - before < 2**25
