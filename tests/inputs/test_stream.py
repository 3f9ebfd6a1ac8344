"""A .npy arriving on standard input."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest

from rnnstates.errors import BadInput, MissingInput
from rnnstates.inputs import open_source

from .conformance import make_inputs


def to_npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


class Sips(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, content):
        self._inner = io.BytesIO(content)

    def read(self, size=-1):
        return self._inner.read(min(size, 5))


def test_short_reads_are_continued():
    truth = make_inputs()
    source = open_source(Sips(to_npy(truth)))
    np.testing.assert_array_equal(source.read(slice(0, 4), slice(0, 5)), truth[:4])
    np.testing.assert_array_equal(source.read(slice(5, 7), slice(2, 4)), truth[5:, 2:4])


def test_fortran_order_cannot_be_streamed():
    with pytest.raises(
        BadInput, match=r"standard input: the array is in Fortran order.*np\.ascontiguousarray.*as a file"
    ):
        open_source(io.BytesIO(to_npy(np.asfortranarray(make_inputs()))))


def test_hdf5_cannot_be_streamed():
    with pytest.raises(
        BadInput, match=r"standard input: HDF5, which cannot be read from a stream .* Give it as a file"
    ):
        open_source(io.BytesIO(b"\x89HDF\r\n\x1a\n" + bytes(100)))


def test_rows_cannot_be_read_again():
    source = open_source(io.BytesIO(to_npy(make_inputs())))
    source.read(slice(2, 4), slice(0, 2))
    with pytest.raises(BadInput, match="a stream is read once, from front to back"):
        source.read(slice(3, 5), slice(0, 5))


def test_a_stream_that_ends_early_names_expected_and_found():
    source = open_source(io.BytesIO(to_npy(make_inputs())[:-10]))
    with pytest.raises(
        BadInput, match=r"standard input: cut short; shape \(7, 5, 3\) of float32 takes 420 bytes, found 410"
    ):
        source.read(slice(0, 7), slice(0, 5))


def test_a_stream_that_ends_early_in_steps_nobody_wanted_is_refused_too():
    source = open_source(io.BytesIO(to_npy(make_inputs())[:-10]))
    with pytest.raises(BadInput, match="cut short"):
        source.read(slice(0, 7), slice(0, 1))


@pytest.mark.parametrize("count", [7, 0])
def test_a_second_array_behind_the_first_is_refused(count):
    both = to_npy(make_inputs()[:count]) + to_npy(make_inputs())
    with pytest.raises(BadInput, match=r"more bytes follow the array .*\(np\.concatenate\)"):
        open_source(io.BytesIO(both)).read(slice(0, count), slice(0, 5))


def test_text_streams_are_refused():
    with pytest.raises(BadInput, match="inputs=: is a text stream; expected a binary one"):
        open_source(io.StringIO("abc"))


def test_a_stream_of_something_else_is_refused():
    class Words:
        def read(self, size):
            return "word"

    with pytest.raises(BadInput, match=r"its read\(\) gives str; expected bytes"):
        open_source(Words())


def test_an_empty_stream_is_refused():
    with pytest.raises(BadInput, match=r"standard input: empty, not one byte; expected a \.npy stream"):
        open_source(io.BytesIO())


def test_a_failing_stream_is_reported():
    class Broken:
        def read(self, size):
            raise OSError(5, "Input/output error")

    with pytest.raises(MissingInput, match=r"standard input: cannot be read .*Input/output error"):
        open_source(Broken())


PACKED = {"gzip": gzip, "lzma": lzma, "bz2": bz2}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("damage", ["cut short", "changed", "another kind"])
def test_a_damaged_stream_that_unpacks_is_refused(name, damage):
    values = np.random.default_rng(0).normal(size=(50, 40, 6)).astype("f4")
    content = PACKED[name].compress(to_npy(values))
    half = len(content) // 2
    content = {
        "cut short": content[:half],
        "changed": content[: -20 if name == "gzip" else half] + bytes(20) + content[half + 20 :],
        "another kind": b"no archive",
    }[damage]
    with PACKED[name].open(io.BytesIO(content)) as stream:
        with pytest.raises(BadInput, match=r"^standard input: "):
            open_source(stream).read(slice(0, 50), slice(0, 40))


def test_a_damaged_member_of_a_zip_is_refused():
    with zipfile.ZipFile(held := io.BytesIO(), "w") as archive:
        archive.writestr("x.npy", to_npy(make_inputs()))
    content = bytearray(held.getvalue())
    content[300] ^= 1
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open("x.npy") as stream:
        with pytest.raises(BadInput, match=r"Bad CRC-32 .*; it is damaged or cut short"):
            open_source(stream).read(slice(0, 7), slice(0, 5))


@pytest.mark.parametrize("error", [RuntimeError("boom"), EOFError(), KeyError("boom")])
def test_a_stream_whose_read_raises_anything_is_refused(error):
    class Raises:
        def read(self, size):
            raise error

    with pytest.raises(BadInput, match=r"cannot be read \('?(boom|EOFError)"):
        open_source(Raises())


def test_a_closed_stream_is_refused():
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(MissingInput, match="closed file"):
        open_source(stream)


def test_a_stream_given_to_us_stays_open():
    stream = io.BytesIO(to_npy(make_inputs()))
    open_source(stream).close()
    assert not stream.closed
