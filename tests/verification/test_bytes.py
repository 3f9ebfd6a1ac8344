"""No byte of a file can change without being found, and what is found is named."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates, Network, RecurrentLayer
from rnnstates.output.format import DatasetSpec, Shape
from rnnstates.output.integrity import window_sums
from rnnstates.verification import raw_file, whole_file
from rnnstates.verification.digests import Grid, Located, damaged_windows, told
from rnnstates.verification.raw_file import open_raw

from ..builders import layer_weights
from .making import LENGTHS, NETWORKS, edit, make, right, seal, without_checksums, wrong

FLIPS = 150
FILES = {
    "padded": {},
    "packed": {"layout": "packed"},
    "a padded stack in float16, padded before": {
        "weights": NETWORKS["a bidirectional stack"], "dtype": "float16", "padding": "pre", "pool": "mean,final",
    },
    "a packed stack in float16": {
        "weights": NETWORKS["a bidirectional stack"], "dtype": "float16", "layout": "packed", "pool": "mean,final",
    },
    "float64, pooled only": {"precision": "float64", "states": "none"},
}  # fmt: skip


@pytest.fixture
def windows(place, monkeypatch):
    """Windows of one sequence each."""
    monkeypatch.setattr("rnnstates.planning.WINDOW_BYTES", 1)


def flipped(content, at, bit=1):
    changed = bytearray(content)
    changed[at] ^= bit
    Path("bad.h5").write_bytes(changed)


def place_of(name, path="out.h5"):
    with h5py.File(path) as file:
        return file[name].id.get_offset(), file[name].nbytes


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found(windows, name):
    make(**FILES[name])
    content = Path("out.h5").read_bytes()
    Path("bad.h5").write_bytes(content)
    assert rnnstates.verify("bad.h5", sample=0)["checksums"] == "right"
    random = np.random.default_rng(len(name))
    for at in random.integers(0, len(content), FLIPS).tolist():
        flipped(content, at, 1 << int(random.integers(8)))
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5", sample=0)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_of_a_state_is_named_by_dataset_and_sequence(windows, name):
    make(**FILES[name])
    content = Path("out.h5").read_bytes()
    with h5py.File("out.h5") as file:
        datasets = {called.decode(): file[called] for called in file["integrity"].attrs["datasets"]}
        places = {
            called: (found.id.get_offset(), found.nbytes, found[:1].nbytes, found.ndim)
            for called, found in datasets.items()
        }
    random = np.random.default_rng(0)
    for called, (start, size, row, axes) in places.items():
        at = int(random.integers(size))
        flipped(content, start + at, 1 << int(random.integers(8)))
        sequence = at // row
        if FILES[name].get("layout") == "packed" and axes == 2 and size == LENGTHS.sum() * row:
            sequence = int(np.searchsorted(np.cumsum(LENGTHS), at // row, "right"))
        wrong(f"^bad.h5: '{called}': sequence {sequence} is not as it was written. The file was damaged", path="bad.h5")


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_the_checksums_are_those_that_the_file_says(windows, layout):
    make(layout=layout)
    content = Path("out.h5").read_bytes()
    seal()
    assert Path("out.h5").read_bytes() == content
    edit("hidden", 0, 0.5)
    wrong("'hidden_mean' is not the mean of 'hidden' in sequence")


def test_damaged_checksums_are_found(windows):
    make()
    content = Path("out.h5").read_bytes()
    start, _ = place_of("integrity/sums")
    with h5py.File("out.h5") as file:
        _, datasets, _ = file["integrity/sums"].shape
        named = file["integrity"].attrs["datasets"][3].decode()
    flipped(content, start + 16 * (4 * datasets + 3))
    wrong(f"^bad.h5: '{named}': sequence 4 is not as it was written", path="bad.h5")
    flipped(content, place_of("integrity/rest")[0] + 31)
    wrong(r"^bad.h5: something outside the states was changed \(attributes, lengths, ids, …\)\. The", path="bad.h5")


def test_a_changed_attribute_or_id_is_found(windows):
    make()
    content = Path("out.h5").read_bytes()
    flipped(content, place_of("ids")[0])
    wrong("^bad.h5: something outside the states was changed", path="bad.h5")
    flipped(content, content.index(b'"engine": "numpy"') + 12)
    wrong("^bad.h5: something outside the states was changed", path="bad.h5")


@pytest.mark.parametrize("longer", [b"\0", b"x" * 5000])
def test_bytes_behind_the_end_are_found(place, longer):
    make()
    Path("out.h5").write_bytes(Path("out.h5").read_bytes() + longer)
    wrong("^out.h5: something outside the states was changed")


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_truncated_file_is_found_wherever_it_ends(place, layout):
    make(layout=layout)
    content = Path("out.h5").read_bytes()
    for keep in [*range(0, len(content), 997), len(content) - 1]:
        Path("bad.h5").write_bytes(content[:keep])
        wrong("^bad.h5: (not an HDF5 file|HDF5 cannot)", path="bad.h5")


def test_a_window_that_was_never_written_is_found(windows):
    make()
    content = bytearray(Path("out.h5").read_bytes())
    start, size = place_of("cell")
    content[start + size // 9 * 2 : start + size // 9 * 4] = bytes(size // 9 * 2)
    Path("out.h5").write_bytes(content)
    wrong("^out.h5: 'cell': sequences 2 to 3 are not as they were written.")


def test_sequences_that_changed_places_are_found(windows):
    make(layout="padded", pool="none")
    start, size = place_of("cell")
    content, row = bytearray(Path("out.h5").read_bytes()), size // 9
    rows = [content[start + place : start + place + row] for place in range(0, size, row)]
    content[start : start + size] = b"".join([rows[0], rows[2], rows[1], *rows[3:]])
    Path("out.h5").write_bytes(content)
    wrong("^out.h5: 'cell': sequences 1 to 2 are not as they were written. The", sample=0)


def test_rows_that_changed_places_within_a_window_are_found(place):
    make(layout="packed", pool="none")
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][:2] = file["hidden"][()][[1, 0]]
    wrong("^out.h5: 'hidden': sequences 0 to 8 are not as they were written.", sample=0)


def test_much_damage_is_told_shortly(windows):
    make()
    content = bytearray(Path("out.h5").read_bytes())
    with h5py.File("out.h5") as file:
        names = [name.decode() for name in file["integrity"].attrs["datasets"]]
        for name in names:
            for sequence in range(0, 9, 2) if name != "hidden" else range(9):
                content[file[name].id.get_offset() + sequence * file[name][:1].nbytes] ^= 1
    Path("out.h5").write_bytes(content)
    wrong(
        r"^out.h5: 'hidden': sequences 0 to 8 are not as they were written; 'cell': sequences 0, 2, 4, 6, 8 are not as "
        rf"they were written; .*; and {len(names) - 5} more datasets\. The file was damaged or edited after it was made"
    )
    assert told({"cell": [(row, row) for row in range(0, 30, 2)]}) == [
        "'cell': sequences 0, 2, 4, 6, 8, and 10 more stretches are not as they were written"
    ]


def test_a_file_made_before_there_were_checksums_passes_with_a_note(place):
    make()
    without_checksums()
    found = right()
    assert found["checksums"] == "absent"
    assert found["notes"] == [
        "out.h5: has no checksums, because it was made before files had them; its values alone were looked at."
    ]
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][4, 2] += 1e-3
    wrong("'cell_mean' is not the mean of 'cell' in sequence 4 ")


@pytest.mark.parametrize("piece", [7, whole_file.AT_ONCE])
def test_checksums_that_were_taken_away_are_missed(place, monkeypatch, piece):
    monkeypatch.setattr(whole_file, "AT_ONCE", piece)
    make()
    content = Path("out.h5").read_bytes()
    Path("out.h5").write_bytes(content.replace(b"integrity\0", b"intagrity\0"))
    wrong("^out.h5: has had checksums, but there is no group 'integrity' any more. The file was damaged or edited")


DAMAGES = {
    "other sums": (lambda group: replace(group, "sums", np.zeros((1, 3, 2), "u8")),
                   r"dataset 'integrity/sums' has shape \(1, 3, 2\) and dtype uint64; expected \(1, \d+, 2\) and uint"),
    "sums of floats": (lambda group: replace(group, "sums", group["sums"][()].astype("f8")), "and dtype float64"),
    "no sums": (lambda group: group.pop("sums"), "dataset 'integrity/sums' is missing"),
    "a group of sums": (lambda group: group.pop("sums") and group.create_group("sums"), "'integrity/sums' is missing"),
    "a short digest": (lambda group: replace(group, "rest", np.zeros(31, "u1")), r"'integrity/rest' has shape \(31,\)"),
    "no digest": (lambda group: group.pop("rest"), "dataset 'integrity/rest' is missing"),
    "sums in chunks": (lambda group: replace(group, "sums", group["sums"][()], chunks=True), "not lie in the file in "),
    "sums elsewhere": (
        lambda group: replace(group, "sums", None, shape=group["sums"].shape, dtype="<u8", external=[("x", 0, 9999)]),
        r"'integrity/sums': its values lie in another file \(x\)"),
    "no window": (lambda group: group.attrs.create("window_rows", np.int64(0)), "window_rows is 0; expected 1 or more"),
    "no number": (lambda group: group.attrs.create("window_rows", np.bytes_(b"many")), "many.*; expected"),
    "no rows": (lambda group: group.attrs.pop("window_rows"), "window_rows is None; expected"),
    "smaller windows": (lambda group: group.attrs.create("window_rows", np.int64(1)), r"expected \(9, \d+, 2\)"),
    "other names": (
        lambda group: group.attrs.create("datasets", np.array([b"hidden", b"mood"])),
        "they are of hidden, mood",
    ),
    "a number for names": (lambda group: group.attrs.create("datasets", 3), "they are of 3; expected hidden, "),
    "no names": (lambda group: group.attrs.pop("datasets"), "they are of no datasets; expected hidden, "),
}  # fmt: skip


def replace(group, name, value, **options):
    del group[name]
    group.create_dataset(name, data=value, **options)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_group_of_checksums_is_told(place, name):
    damage, message = DAMAGES[name]
    make()
    with h5py.File("out.h5", "r+") as file:
        damage(file["integrity"])
    wrong(message)


def test_a_group_that_is_none_is_told(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        del file["integrity"]
        file["integrity"] = 3
    wrong("^out.h5: has had checksums, but there is no group 'integrity' any more")


def test_states_that_were_stored_in_another_way_are_told(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        replace(file, "cell", file["cell"][()], chunks=True, compression="gzip")
    wrong("^out.h5: 'cell' does not lie in the file in one piece, as it was written; its checksums say nothing of it.")
    without_checksums()
    assert right()["checksums"] == "absent"


def test_a_quick_look_reads_the_sample_only(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][8, 1] = 0.75
    found = right(quick=True)
    assert found["checksums"] == "not looked at"
    assert all(data["pooled"] is None for data in found["datasets"].values())
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][2, 1] = 0.75
    wrong("'cell_mean' is not what float64 gives in sequence 2 ", quick=True)
    with h5py.File("out.h5", "r+") as file:
        file["lengths"][3] = 9
    wrong("dataset 'lengths' has 9 for sequence 3", quick=True)


@pytest.mark.parametrize("sequences", [0, 4])
def test_an_output_without_a_step_has_checksums(place, sequences):
    np.save("in.npy", np.zeros((sequences, 5, 3), np.float32))
    for layout in rnnstates.LAYOUTS:
        make("in.npy", np.zeros(sequences, int), layout=layout, force=True)
        assert rnnstates.verify("out.h5")["checksums"] == "right"
        content = Path("out.h5").read_bytes()
        flipped(content, content.index(b"padded" if layout == "padded" else b"packed"))
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5")


def test_holes_are_passed_over_and_what_is_in_them_is_found(place, monkeypatch):
    """Sequences of one step in two thousand: nearly all of the file is holes."""
    network = Network((RecurrentLayer("lstm", forward=layer_weights(3, 5)),))
    inputs = np.random.default_rng(0).normal(size=(40, 20_000, 3)).astype(np.float32)
    np.save("sparse.npy", inputs)
    make("sparse.npy", np.full(40, 10), weights=network, states="hidden", pool="none")
    with h5py.File("out.h5") as file:
        start, size = file["hidden"].id.get_offset(), file["hidden"].nbytes
    read = []
    whole = raw_file.RawFile.read

    def counted(self, count, position):
        read.append(count)
        return whole(self, count, position)

    monkeypatch.setattr(raw_file.RawFile, "read", counted)
    with h5py.File("out.h5") as file:
        assert not file["hidden"][3, 10:].any()
    assert rnnstates.verify("out.h5", sample=0)["checksums"] == "right"
    if Path("out.h5").stat().st_blocks * 512 < size / 4:
        assert sum(read) < size / 2
    with Path("out.h5").open("r+b") as file:
        file.seek(start + size // 2 + 4 * 5 * 15_000)
        file.write(b"\1")
    wrong("^out.h5: 'hidden': sequences 0 to 39 are not as they were written.", sample=0)


@pytest.mark.parametrize("width, item", [(5, 4), (3, 2), (7, 8), (1, 4)])
def test_sums_past_holes_are_sums_of_all_bytes(tmp_path, monkeypatch, width, item):
    monkeypatch.setattr(raw_file, "SHORT_HOLE", 4096)
    random = np.random.default_rng(width)
    path, offset, rows = tmp_path / "sparse", 24, 40_000
    spec = DatasetSpec("x", "", "x", None, (rows, width), np.dtype(f"u{item}"), ())
    with path.open("wb") as file:
        for at in np.sort(random.integers(0, rows * width * item, 30)):
            file.seek(offset + int(at))
            file.write(random.bytes(int(random.integers(1, 9000))))
        file.truncate(offset + rows * width * item)
    grid = Grid(Shape(np.ones(rows, np.int64), 1, "packed"), 13_000)
    with open_raw(str(path)) as raw:
        expected = [
            window_sums(raw.read, offset, spec, (number * 13_000, min(rows, (number + 1) * 13_000)))
            for number in range(4)
        ]
        looked_at = raw, [Located(spec, offset)], grid, range(4), lambda number, _: expected[number]
        assert damaged_windows(*looked_at) == {}
        monkeypatch.setattr("os.lseek", unknown)
        assert damaged_windows(*looked_at) == {}
        expected[2] = (1, 1)
        assert damaged_windows(*looked_at) == {"x": [(26_000, 38_999)]}


def unknown(*_):
    raise OSError(22, "this file system knows no holes")


def test_a_read_that_gives_less_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    whole = raw_file.os.pread
    monkeypatch.setattr("os.pread", lambda fd, count, position: whole(fd, min(count, 7), position))
    with open_raw(str(path)) as raw:
        assert raw.read(50, 3) == bytes(range(3, 53))
        assert raw.read(50, 80) == bytes(range(80, 100))


def test_the_account_says_in_which_precision(place):
    make()
    content = Path("out.h5").read_bytes()
    Path("bad.h5").write_bytes(content.replace(b'"precision"', b'"precisiom"'))
    wrong("^bad.h5: its provenance lacks precision; expected all", path="bad.h5")


def test_a_damaged_mark_of_a_dimension_does_not_end_the_process(place):
    """HDF5's own test for one frees memory twice."""
    make()
    content = Path("out.h5").read_bytes()
    at = content.index(b"CLASS\0")
    for offset in range(-8, 48):
        flipped(content, at + offset, 0x04)
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5", sample=0)
