"""Reading .npy files: against np.save and plain slicing; damaged ones against their messages."""

import math
import os
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from rnnstates.arrays.axes import empty_window
from rnnstates.errors import BadInput, MissingInput, OptionError
from rnnstates.inputs import npy, open_source
from rnnstates.inputs.form import Form

from .conformance import make_inputs

DTYPES = [
    *("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i1", "<u1", "<i2", ">u2", "<i4", ">i4", "<i8", ">i8", ">u8"),
    np.dtype(np.longdouble).str,
]


def write(path, array, version=(1, 0)):
    with open(path, "wb") as file, warnings.catch_warnings():
        # NumPy warns that old readers do not know versions 2 and 3.
        warnings.simplefilter("ignore", UserWarning)
        npy_format.write_array(file, array, version=version)


def write_header(path, header, data=b"", version=(1, 0), length=None):
    width = 2 if version == (1, 0) else 4
    text = header if isinstance(header, bytes) else header.encode()
    length = len(text) if length is None else length
    path.write_bytes(b"\x93NUMPY" + bytes(version) + length.to_bytes(width, "little") + text + data)


def header_of(shape, descr="'<f4'", order=False):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@st.composite
def cases(draw):
    shape = tuple(draw(st.integers(1, 6)) for _ in range(draw(st.sampled_from([2, 3, 3]))))
    start_row, start_step = (draw(st.integers(0, axis)) for axis in shape[:2])
    rows = slice(start_row, draw(st.integers(start_row, shape[0])))
    steps = slice(start_step, draw(st.integers(start_step, shape[1])))
    return shape, rows, steps


@given(
    cases(),
    st.sampled_from(DTYPES),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_block_of_any_npy_equals_the_slice(tmp_path, case, dtype, version, fortran):
    shape, rows, steps = case
    truth = make_inputs(shape, np.uint8).astype(dtype)
    write(tmp_path / "x.npy", np.asfortranarray(truth) if fortran else truth, version)
    source = open_source(tmp_path / "x.npy", form=Form(tokens=True))
    block = source.read(rows, steps)
    source.close()
    assert source.dtype == np.dtype(dtype)
    assert block.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(block, np.load(tmp_path / "x.npy")[rows, steps])


def test_a_fortran_file_says_what_it_costs(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(make_inputs()))
    source = open_source(tmp_path / "x.npy")
    source.close()
    assert "Fortran order" in source.notes[0]


def test_a_header_of_python_2_is_read(tmp_path):
    truth = make_inputs((2, 3, 4))
    write_header(tmp_path / "x.npy", header_of("(2L, 3L, 4L)"), truth.tobytes())
    source = open_source(tmp_path / "x.npy")
    np.testing.assert_array_equal(source.read(slice(0, 2), slice(0, 3)), truth)
    source.close()


def test_short_reads_are_continued(tmp_path, monkeypatch):
    truth = make_inputs()
    np.save(tmp_path / "x.npy", truth)
    source = open_source(tmp_path / "x.npy")
    whole = os.preadv
    calls = []

    def in_sips(descriptor, buffers, offset):
        calls.append(offset)
        return whole(descriptor, [buffers[0][:5]], offset)

    monkeypatch.setattr(os, "preadv", in_sips)
    np.testing.assert_array_equal(source.read(slice(1, 6), slice(0, 5)), truth[1:6])
    source.close()
    assert len(calls) == math.ceil(truth[1:6].nbytes / 5)


def test_a_file_cut_short_while_it_is_read_is_bad_input(tmp_path, monkeypatch):
    path = tmp_path / "x.npy"
    np.save(path, make_inputs())
    size = path.stat().st_size
    source = open_source(path)
    os.truncate(path, size - 10)
    with pytest.raises(BadInput, match=rf"x\.npy: had {size} bytes when it was opened and has {size - 10} now"):
        source.read(slice(0, 7), slice(0, 5))
    # And when it happens between that check and the reading.
    monkeypatch.setattr(npy, "check_unchanged", lambda *_, **__: None)
    with pytest.raises(BadInput, match=r"x\.npy: ends at byte \d+, but was longer when it was opened"):
        source.read(slice(0, 7), slice(0, 5))
    source.close()


def test_a_disk_that_fails_is_reported(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", make_inputs())
    source = open_source(tmp_path / "x.npy")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(MissingInput, match=r"x\.npy: cannot be read at byte \d+ \(Input/output error\)"):
        source.read(slice(0, 7), slice(0, 5))
    source.close()


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_grows_with_the_block_and_not_with_the_file(tmp_path, order, monkeypatch):
    path = tmp_path / "x.npy"
    shape = (200_000, 100, 50)
    write_header(path, header_of(shape, order=order == "F"))
    os.truncate(path, path.stat().st_size + math.prod(shape) * 4)
    windows = []
    monkeypatch.setattr(npy, "empty_window", lambda *of: windows.append(empty_window(*of)) or windows[-1])
    source = open_source(path)
    tracemalloc.start()
    block = source.read(slice(150_000, 150_010), slice(20, 40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    source.close()
    assert block.nbytes == 10 * 20 * 50 * 4
    assert [window.nbytes for window in windows] == [block.nbytes]
    assert peak < block.nbytes + 50_000


def test_a_truncated_file_names_expected_and_found_bytes(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, make_inputs())
    os.truncate(path, 200)
    expected = 128 + 7 * 5 * 3 * 4
    with pytest.raises(
        BadInput, match=rf"x\.npy: cut short; shape \(7, 5, 3\) of float32 takes {expected} bytes, found 200"
    ):
        open_source(path)


def test_trailing_bytes_are_refused(tmp_path):
    with open(tmp_path / "x.npy", "wb") as file:
        np.save(file, make_inputs())
        file.write(bytes(152))
    with pytest.raises(BadInput, match=r"x\.npy: has 152 trailing bytes; shape \(7, 5, 3\)"):
        open_source(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "header, message",
    [
        (
            header_of((10**12, 200, 64)),
            r"cut short; shape \(1000000000000, 200, 64\) of float32 takes 51200000000000\d+ bytes",
        ),
        (header_of((10**30, 200, 64)), r"claims shape \(10+, 200, 64\), more than any memory holds"),
        (header_of((0, 10**30, 64)), r"claims shape \(0, 10+, 64\), more than any memory holds"),
        (header_of((-7, 5, 3)), r"header says shape \(-7, 5, 3\)"),
        (header_of((True, 5, 3)), r"header says shape \(True, 5, 3\)"),
        (header_of((2, 3, 4), order=7), r"fortran_order 7; expected whole numbers from 0 and True or False"),
        (header_of("[2, 3, 4]"), r"header says shape \[2, 3, 4\]"),
        (
            header_of((2, 3, 4), descr="[('a', '<f4')]"),
            r"a structured dtype, \[\('a', '<f4'\)\]; expected plain numbers",
        ),
        (header_of((2, 3, 4), descr="'(2,3)f4'"), r"a structured dtype"),
        (header_of((2, 3, 4), descr="'Q99'"), r"dtype 'Q99' is unknown"),
        (header_of((2, 3, 4), descr="'|S0'"), r"dtype '\|S0' has no width"),
        ("{'shape': (2, 3, 4)}", r"expected the keys descr, fortran_order and shape"),
        ("__import__('os').system('true')", r"\.npy header is damaged"),
        ("{" * 5000, r"\.npy header is damaged"),
        ("-" * 60000 + "1", r"\.npy header is damaged|expected the keys"),
        (b"\xff\x00\x01", r"\.npy header is damaged"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(tmp_path, header, message):
    write_header(tmp_path / "x.npy", header)
    tracemalloc.start()
    with pytest.raises(BadInput, match=rf"x\.npy: .*{message}"):
        open_source(tmp_path / "x.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_header_larger_than_the_file_is_refused(tmp_path):
    write_header(tmp_path / "x.npy", header_of((2, 3, 4)), length=4000)
    with pytest.raises(BadInput, match=r"x\.npy: ends inside its \.npy header: 4000 bytes expected, \d+ found"):
        open_source(tmp_path / "x.npy")


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    write_header(tmp_path / "x.npy", header_of((2, 3, 4)), version=(2, 0), length=2**32 - 1)
    with pytest.raises(BadInput, match=r"its \.npy header claims 4294967295 bytes; expected at most 65536"):
        open_source(tmp_path / "x.npy")


def test_an_unknown_version_is_refused(tmp_path):
    write_header(tmp_path / "x.npy", header_of((2, 3, 4)), version=(9, 1))
    with pytest.raises(BadInput, match=r"\.npy version 9\.1; known: 1\.0, 2\.0, 3\.0"):
        open_source(tmp_path / "x.npy")


class Bomb:
    def __reduce__(self):
        return (os._exit, (3,))


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.array([Bomb(), None], dtype=object), allow_pickle=True)
    with pytest.raises(
        BadInput, match=r"holds pickled Python objects .* never loaded .* sequences padded to one length"
    ):
        open_source(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((2, 3), bool), r"dtype bool \(booleans\); expected float16, float32"),
        (np.zeros((2, 3, 4), complex), r"dtype complex128 \(complex numbers\)"),
        (np.zeros((2, 3, 4), "U5"), r"dtype <U5 \(strings\)"),
        (np.zeros((2, 3, 4), "S5"), r"dtype \|S5 \(strings\)"),
        (np.zeros((2, 3, 4), "V5"), r"dtype \|V5 \(structured or raw values\)"),
        (np.zeros((2, 3, 4), "M8[s]"), r"dtype datetime64\[s\] \(dates\)"),
        (np.zeros((2, 3, 4), "m8[s]"), r"dtype timedelta64\[s\] \(time spans\)"),
        (np.zeros((2, 3, 4), [("a", "f4")]), r"a structured dtype"),
        (np.zeros(()), r"shape \(\); expected \(N, T, I\)"),
        (np.zeros(4), r"shape \(4,\); expected \(N, T, I\): sequences, steps, features"),
        (
            np.zeros((4, 3)),
            r"shape \(4, 3\); expected \(N, T, I\): .* One feature per step is .* lengths= that sum to their 4 rows\.",
        ),
        (np.zeros((4, 3, 2, 1)), r"shape \(4, 3, 2, 1\); expected \(N, T, I\)"),
        (np.zeros((4, 0, 3)), r"shape \(4, 0, 3\) has 0 steps \(T\); expected at least 1"),
        (np.zeros((4, 3, 0)), r"shape \(4, 3, 0\) has 0 features \(I\); expected at least 1"),
    ],
)
def test_what_is_no_batch_of_sequences_is_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(BadInput, match=rf"x\.npy: {message}"):
        open_source(tmp_path / "x.npy")
    # The same words for arrays in memory.
    if array.dtype.names is None:
        with pytest.raises(BadInput, match=rf"inputs: {message}"):
            open_source(array)


def test_sequences_already_embedded_may_come_with_weights_that_bring_an_embedding(tmp_path):
    np.save(tmp_path / "x.npy", make_inputs())
    source = open_source(tmp_path / "x.npy", form=Form(tokens=True))
    source.close()
    assert source.shape == (7, 5, 3)


def test_a_dataset_name_for_a_npy_file_is_a_contradiction(tmp_path):
    np.save(tmp_path / "x.npy", make_inputs())
    with pytest.raises(OptionError, match=r"x\.npy: dataset='inputs' names a dataset .* leave dataset= out"):
        open_source(tmp_path / "x.npy", dataset="inputs")
