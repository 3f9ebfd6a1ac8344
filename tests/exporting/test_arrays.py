"""Arrays: every file, read by the library that its users would use, equals the states bit for bit."""

import json

import numpy as np
import pytest

import rnnstates

from .reading import ARRAYS, TEXTS, made, of_steps, texts

pytestmark = pytest.mark.framework

FORMATS = list(ARRAYS)


def exported(path, suffix, **options):
    target = path.with_suffix(suffix)
    rnnstates.export(path, target, **options)
    return ARRAYS[suffix](target)


def plain(name, suffix):
    return name.replace("/", "_") if suffix == ".mat" else name


def check(read, name, suffix, expected):
    array = read[plain(name, suffix)]
    dtype = np.float32 if suffix == ".mat" and expected.dtype == np.float16 else expected.dtype
    assert array.dtype == dtype
    assert np.array_equal(array, expected, equal_nan=True), name


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("options", [
    {},
    {"stack": True, "layout": "packed", "ids": TEXTS},
    {"padding": "pre", "dtype": "float16", "ids": list(range(20, 29))},
    {"dtype": "float64", "precision": "float64", "stack": True, "ids": ["", *TEXTS[1:]]},
])  # fmt: skip
def test_all_states_come_back(options, suffix, tmp_path):
    path = made(tmp_path / "o.h5", **options)
    read = exported(path, suffix)
    with rnnstates.open(path) as states:
        names = [name for name in states.datasets if name != "ids"]
        for name in names:
            check(read, name, suffix, states[name][...])
        assert set(read) == {plain(name, suffix) for name in names} | {"provenance"} | ({"ids"} & set(states.datasets))
        assert json.loads(read["provenance"]) == states.provenance
    if "ids" in options:
        assert list(read["ids"]) == options["ids"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("options", [
    {"stored": {}, "layout": "packed"},
    {"stored": {"padding": "pre"}, "layout": "packed"},
    {"stored": {"layout": "packed"}, "layout": "padded"},
    {"stored": {"layout": "packed", "padding": "pre"}, "layout": "padded"},
])  # fmt: skip
@pytest.mark.parametrize("rows", [None, [5, 6, 7, 0, 8, 2, 2], "3:"])
def test_either_layout_is_made_of_the_other(options, rows, suffix, tmp_path):
    path = made(tmp_path / "o.h5", **options["stored"])
    read = exported(path, suffix, layout=options["layout"], rows=rows)
    inputs_path = made(tmp_path / "other.h5", **{**options["stored"], "layout": options["layout"]})
    chosen = {None: range(9), "3:": range(3, 9)}.get(rows, rows) if not isinstance(rows, list) else rows
    with rnnstates.open(inputs_path) as other:
        for name in ("hidden", "cell"):
            if options["layout"] == "packed":
                expected = np.concatenate([other[row][name] for row in chosen])
            else:
                expected = other[name][...][list(chosen)]
            check(read, name, suffix, expected)
        check(read, "hidden_mean", suffix, other["hidden_mean"][...][list(chosen)])
        check(read, "lengths", suffix, other.lengths[list(chosen)])
        if options["layout"] == "packed":
            check(read, "offsets", suffix, np.concatenate([[0], np.cumsum(other.lengths[list(chosen)])]))


@pytest.mark.parametrize(("suffix", "shortest"), [*((suffix, 0) for suffix in FORMATS), (".mat", 10**9)])
def test_small_blocks_give_the_same(suffix, shortest, tmp_path, monkeypatch):
    import rnnstates.exporting.content
    import rnnstates.exporting.mat
    import rnnstates.exporting.zarr_folder

    boxes = rnnstates.exporting.content.boxes
    for module in (rnnstates.exporting.content, rnnstates.exporting.mat, rnnstates.exporting.zarr_folder):
        monkeypatch.setattr(module, "boxes", lambda leading, size, *_: boxes(leading, size, 70))
    monkeypatch.setattr("rnnstates.exporting.reading.BLOCK", 400)
    monkeypatch.setattr("rnnstates.exporting.mat.SHORTEST", shortest)
    for number, (stored, layout) in enumerate([("padded", "padded"), ("padded", "packed"), ("packed", "padded")]):
        path = made(tmp_path / f"{number}.h5", layout=stored, ids=TEXTS)
        read = exported(path, suffix, layout=layout, units=[4, 0, 3], rows="1:")
        with rnnstates.open(path) as states:
            if layout == "packed":
                expected = of_steps(states[1:], "cell")
            else:
                expected = np.zeros((8, 8, 5), np.float32)
                for row, sequence in enumerate(list(states)[1:]):
                    expected[row, : sequence.length] = sequence.cell
            check(read, "cell", suffix, expected[..., [4, 0, 3]])
            assert texts(read["ids"]) == TEXTS[1:]


def test_one_array_is_what_numpy_reads(tmp_path):
    path = made(tmp_path / "o.h5", ids=TEXTS)
    rnnstates.export(path, tmp_path / "cell.npy", datasets="cell", rows=TEXTS[2:4], units="1:3")
    with rnnstates.open(path) as states:
        assert np.array_equal(np.load(tmp_path / "cell.npy"), states["cell"][2:4, :, 1:3])
    rnnstates.export(path, tmp_path / "lengths.npy", datasets=["lengths"])
    assert np.array_equal(np.load(tmp_path / "lengths.npy"), states.lengths)


def test_xarray_opens_a_zarr_folder_with_named_axes(tmp_path):
    import xarray

    path = made(tmp_path / "o.h5", stack=True, ids=TEXTS)
    rnnstates.export(path, tmp_path / "o.zarr")
    with rnnstates.open(path) as states:
        opened = xarray.open_zarr(tmp_path / "o.zarr", group="layer1/forward")
        assert opened["cell"].dims == ("sequence", "time", "unit")
        assert opened["cell_mean"].dims == ("sequence", "unit")
        assert np.array_equal(opened["cell"], states["layer1/forward/cell"][...])
        assert xarray.open_zarr(tmp_path / "o.zarr")["ids"].values.tolist() == TEXTS


def test_states_in_memory_are_exported_as_those_in_a_file(tmp_path):
    states = rnnstates.extract(np.ones((3, 4, 2), np.float32), [4, 0, 2], units=5, ids=["x", "y", "z"], engine="numpy")
    rnnstates.export(states, tmp_path / "o.npz")
    read = ARRAYS[".npz"](tmp_path / "o.npz")
    assert np.array_equal(read["hidden"], states["hidden"])
    assert read["ids"].tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_some_of_the_states_of_a_file_are_exported_as_they_are(suffix, layout, tmp_path):
    path = made(tmp_path / "o.h5", stack=True, ids=TEXTS, layout=layout)
    with rnnstates.open(path) as states:
        some = states[[5, 0, 6, 7]].layer("layer1")
        rnnstates.export(some, tmp_path / f"o{suffix}", layout="packed", rows="1:", units="1")
        read = ARRAYS[suffix](tmp_path / f"o{suffix}")
        for name in ("forward/hidden", "backward/cell"):
            check(read, name, suffix, of_steps(some[1:], name)[:, 1:2])
        assert list(read["ids"]) == [TEXTS[row] for row in (0, 6, 7)]


def test_states_that_were_compressed_are_exported(tmp_path):
    path = made(tmp_path / "o.h5", ids=TEXTS)
    rnnstates.repack(path, tmp_path / "small.h5", compression="gzip")
    rnnstates.export(tmp_path / "small.h5", tmp_path / "o.npz", rows="4:,1")
    with rnnstates.open(path) as states:
        check(ARRAYS[".npz"](tmp_path / "o.npz"), "cell", ".npz", states["cell"][...][[4, 5, 6, 7, 8, 1]])


def test_arrays_of_a_pt_file_begin_where_they_can_be_mapped(tmp_path):
    import torch

    path = made(tmp_path / "o.h5", stack=True)
    rnnstates.export(path, tmp_path / "o.pt")
    for name, tensor in torch.load(tmp_path / "o.pt", weights_only=True, mmap=True).items():
        if name != "provenance":
            assert tensor.data_ptr() % 64 == 0
