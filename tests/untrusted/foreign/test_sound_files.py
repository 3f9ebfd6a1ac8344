"""What is read today is never taken for a foreign kind: every sound file from which fuzzing starts, and edges of it."""

import io

import numpy as np
import pytest

import rnnstates
from rnnstates.inputs import open_ids, read_lengths
from rnnstates.inputs.memory import MemorySource
from rnnstates.untrusted.foreign import Wanted, kind_of_path
from rnnstates.weights.readers import reader_of

from ...fuzzing.forms import packed_parts
from ...fuzzing.targets import COMMANDS, PARSERS

# What is given of a folder: itself, or a file or prefix in it.
FOLDERS = {
    **dict.fromkeys(("unirep", "elmo", "saved-model"), ""),
    **dict.fromkeys(("checkpoint-1", "checkpoint-2"), "m"),
    "onnx-external": "m.onnx",
}
# A configuration is named as one: it is given beside weights.
OTHERS = {"initial", "kind-of-weights", *COMMANDS}
LISTS = {"lengths", "ids", "rows", "journal", "npy-header", "npy-stream", "foreign", "keras-config"}
WANTED = {name: Wanted.WEIGHTS if parser.reader else Wanted.INPUTS for name, parser in PARSERS.items()}


def unpacked(content, folder):
    for name, data in packed_parts(content).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("name", sorted(set(PARSERS) - set(FOLDERS) - LISTS - OTHERS))
def test_a_sound_file_is_not_foreign(name, tmp_path):
    for number, content in enumerate(PARSERS[name].seeds()):
        path = tmp_path / str(number)
        path.write_bytes(content)
        kind = kind_of_path(path)
        assert kind is None or not kind.is_foreign(WANTED[name]), kind
        if PARSERS[name].reader:
            assert reader_of(str(path)) is not None


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_sound_folder_is_not_foreign(name, tmp_path):
    for number, content in enumerate(PARSERS[name].seeds()):
        folder = unpacked(content, tmp_path / str(number))
        assert reader_of(str(folder / FOLDERS[name])) is not None
        for path in folder.rglob("*.index"):
            assert reader_of(str(path)) is not None


TWO = MemorySource(np.zeros((2, 5, 3), "f4"))


@pytest.mark.parametrize(
    "text",
    [
        b"cat\ndog\n", b"<s>\n</s>\n", b"{a}\n{b}\n", b"[1]\n[2]\n", b"BZh1\nBZh2\n", b"root\nORC\n", b"#!1\n#2\n",
        b"RDX\nID3\n", "größe\nmaß\n".encode("latin-1"), b"ccc\nddd\n",
    ],
)  # fmt: skip
def test_any_text_is_a_list_of_ids(text, tmp_path):
    (tmp_path / "ids.txt").write_bytes(text)
    assert open_ids(tmp_path / "ids.txt", TWO).count == 2


def test_lengths_stay_lengths(tmp_path):
    for text in (b"5\n3\n", b"0 \n1\n", b"\xef\xbb\xbf4\r\n2\r\n"):
        (tmp_path / "lengths.txt").write_bytes(text)
        assert len(read_lengths(tmp_path / "lengths.txt", TWO).lengths) == 2


@pytest.mark.parametrize("length", [0xFEFF, 0x8B1F, 0x9C78, 0x5A4D, 0x030480, 0x040480])
def test_a_safetensors_header_of_any_length_is_one(length, tmp_path):
    """The first bytes of the file are that length, and look like UTF-16, gzip, zlib, a program or a pickle."""
    header = b'{"weight_ih_l0": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'.ljust(length)
    (tmp_path / "w").write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    assert reader_of(str(tmp_path / "w")).recogniser == "safetensors.recognise_safetensors"


def test_hdf5_behind_a_page_is_hdf5(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w", userblock_size=512) as file:
        file["inputs"] = np.ones((2, 3, 4))
    with open(tmp_path / "x.h5", "r+b") as file:
        file.write(b"<!DOCTYPE html><html>")
    assert rnnstates.describe(tmp_path / "x.h5")["kind"] == "input"


def test_standard_input_is_named_by_all_that_has_arrived():
    page = io.BufferedReader(io.BytesIO(b"<!DOCTYPE html><html><body>404</body></html>"))
    with pytest.raises(rnnstates.BadInput, match="standard input: an HTML page, saved instead of the requested file"):
        rnnstates.extract(page, "full")


@pytest.mark.parametrize(
    "text, advice",
    [
        ("the cat sat\non the mat\n", "Map words to token ids by the vocabulary of the weights"),
        (
            "5\n3\n4\n",
            r"One number per line is what lengths= and ids= take. As one feature .*np\.loadtxt\(FILE\)",
        ),
        ("1 2\n3 4\n", r"Read it with np\.loadtxt\(FILE\), shape it with \.reshape\(N, T, I\)"),
        ("a,b\n1,2\n3,4\n", r"Read it with np\.loadtxt\(FILE, delimiter=',', skiprows=1\)"),
        ("".join(f"w{n} {'0.5 ' * 20}\n" for n in range(3)), "It looks like a table of word vectors"),
    ],
)
def test_advice_fits_the_text(text, advice, tmp_path):
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(rnnstates.BadInput, match=advice):
        rnnstates.extract(tmp_path / "x.txt", "full")


def test_a_folder_is_looked_at_without_following_its_links(tmp_path):
    (tmp_path / "outside.json").write_text('{"format": "layers-model", "modelTopology": {}}')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.json").symlink_to(tmp_path / "outside.json")
    assert kind_of_path(tmp_path / "folder") is None


def test_names_in_an_archive_cannot_print_what_they_like(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a\x1b[31m" + "x" * 500, b"")
    found = kind_of_path(tmp_path / "x.zip").found
    assert found.isprintable()
    assert len(found) < 200
