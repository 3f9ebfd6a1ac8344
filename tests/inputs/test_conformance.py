"""Every way an input can come, held to the same promises."""

import io

import h5py
import numpy as np
import pytest

from rnnstates.inputs import OPENERS, open_source
from rnnstates.inputs.form import Form

from . import tables
from .conformance import SourceConformance


class TestNpyFile(SourceConformance):
    magic = b"\x93NUMPY"

    def open_array(self, array, tmp_path, *, tokens=False):
        np.save(tmp_path / "x.npy", array)
        return open_source(tmp_path / "x.npy", form=Form(tokens=tokens))


class TestFortranNpyFile(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        np.save(tmp_path / "x.npy", np.asfortranarray(array))
        return open_source(str(tmp_path / "x.npy"), form=Form(tokens=tokens))


class TestContiguousHdf5(SourceConformance):
    magic = b"\x89HDF\r\n\x1a\n"

    def open_array(self, array, tmp_path, *, tokens=False):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("inputs", data=array)
        return open_source(tmp_path / "x.h5", form=Form(tokens=tokens))


class TestCompressedHdf5(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        storage = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        chunks, maxshape = (2,) * array.ndim, (None, *array.shape[1:])
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("a/b", data=array, chunks=chunks, maxshape=maxshape, **storage)
        return open_source(tmp_path / "x.h5", dataset="a/b", form=Form(tokens=tokens))


class TestNpz(SourceConformance):
    magic = b"PK\x03\x04"

    def open_array(self, array, tmp_path, *, tokens=False):
        np.savez(tmp_path / "x.npz", inputs=array)
        return open_source(tmp_path / "x.npz", form=Form(tokens=tokens))


class TestCompressedNpz(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        np.savez_compressed(tmp_path / "x.npz", **{"a/b": array, "lengths": np.ones(len(array))})
        return open_source(tmp_path / "x.npz", dataset="a/b", form=Form(tokens=tokens))


class TestFortranNpz(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        np.savez_compressed(tmp_path / "x.npz", inputs=np.asfortranarray(array))
        return open_source(tmp_path / "x.npz", form=Form(tokens=tokens))


class TestZarr2(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        write_zarr(tmp_path / "x.zarr", array, zarr_format=2, order="F")
        return open_source(tmp_path / "x.zarr", form=Form(tokens=tokens))


class TestZarr3(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        write_zarr(tmp_path / "x.zarr", array, zarr_format=3)
        return open_source(tmp_path / "x.zarr", dataset="inputs", form=Form(tokens=tokens))


def write_zarr(path, array, **options):
    zarr = pytest.importorskip("zarr", minversion="3")
    made = zarr.create_array(
        str(path), name="inputs", shape=array.shape, dtype=array.dtype, chunks=(3,) * array.ndim, **options
    )
    if array.size:
        made[:] = array


class TestArray(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        return open_source(array, form=Form(tokens=tokens))


class TestStridedArray(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        return open_source(np.repeat(array, 2, axis=1)[:, ::2], form=Form(tokens=tokens))


class TestStream(SourceConformance):
    reads_again = False
    samples_content = False

    def open_array(self, array, tmp_path, *, tokens=False):
        stream = io.BytesIO()
        np.save(stream, array)
        stream.seek(0)
        return open_source(stream, form=Form(tokens=tokens))


class TestParquet(SourceConformance):
    magic = b"PAR1"

    def open_array(self, array, tmp_path, *, tokens=False):
        return open_source(tables.whole(tmp_path, "parquet", array), form=Form(tokens=tokens))


class TestArrow(SourceConformance):
    magic = b"ARROW1"

    def open_array(self, array, tmp_path, *, tokens=False):
        return open_source(tables.whole(tmp_path, "arrow", array), form=Form(tokens=tokens))


def test_every_opener_has_a_conformance_class():
    assert {case.magic for case in SourceConformance.__subclasses__()} - {None} == set(OPENERS)


def test_the_conformance_class_can_fail(tmp_path):
    class Broken(TestArray):
        def open_array(self, array, tmp_path, *, tokens=False):
            return open_source(array[::-1], form=Form(tokens=tokens))

    truth = np.arange(105.0).reshape(7, 5, 3)
    with pytest.raises(AssertionError):
        Broken().test_windows_in_order_give_the_whole_input(Broken().open_array(truth, tmp_path), truth)
