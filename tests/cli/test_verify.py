"""``rnnstates verify``: results, notes, exit codes."""

import json
import re
import shutil

import h5py
import numpy as np
import pytest

from ..builders import ragged
from ..verification.making import seal, set_text, without_checksums
from .running import rnnstates, text


@pytest.fixture
def place(tmp_path):
    """A directory with in.h5 and out.h5, which was made from it with random weights."""
    inputs, lengths = ragged(sequences=9, steps=8, features=3)
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"], file["lengths"] = inputs.astype(np.float32), lengths
    assert rnnstates("extract", "in.h5", "out.h5", "--units", 5, cwd=tmp_path).returncode == 0
    return tmp_path


def test_a_right_file_is_reported_in_a_few_lines(place):
    done = rnnstates("verify", "out.h5", cwd=place)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = text(done.stdout).splitlines()
    assert re.fullmatch(r"out.h5: complete; 9 sequences, \d+ steps; every byte as it was written", lines[0])
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "hidden", "cell", "hidden_mean", "hidden_last", "cell_mean", "cell_last",
    ]  # fmt: skip
    assert lines[1].startswith("hidden: largest difference ")
    assert lines[1].endswith(" in 8 sequences recomputed in float64")
    assert lines[4].endswith(" in 8 sequences recomputed in float64, 0 from the stored states pooled again")


def test_json_prints_one_object(place):
    found = json.loads(rnnstates("verify", "out.h5", "--json", "--sample", 3, cwd=place).stdout)
    assert (found["file"], found["sequences"], len(found["recomputed"])) == ("out.h5", 9, 3)
    assert found["datasets"]["cell"]["recomputed"] < 1e-6


def test_a_quick_look_says_what_it_did_not_look_at(place):
    with h5py.File(place / "out.h5", "r+") as file:
        file["cell_mean"][8, 1] = 0.75
    lines = text(rnnstates("verify", "out.h5", "--quick", cwd=place).stdout).splitlines()
    assert re.fullmatch(r"out.h5: complete; 9 sequences, \d+ steps; bytes not checked", lines[0])
    assert lines[3].endswith(" in 8 sequences recomputed in float64")
    found = json.loads(rnnstates("verify", "out.h5", "--quick", "--json", "--sample", 3, cwd=place).stdout)
    assert found["checksums"] == "not looked at"
    assert rnnstates("verify", "out.h5", "--full", cwd=place).returncode == 65


def test_a_file_without_checksums_is_a_note_and_no_error(place):
    without_checksums(place / "out.h5")
    done = rnnstates("verify", "out.h5", cwd=place)
    assert done.returncode == 0
    assert text(done.stderr) == (
        "note: out.h5: has no checksums, because it was made before files had them; only its values were checked.\n"
    )
    assert text(done.stdout).splitlines()[0].endswith(" steps; no checksums")


def test_what_is_not_recomputed_is_a_note_and_no_error(place):
    (place / "in.h5").rename(place / "moved.h5")
    done = rnnstates("verify", "out.h5", cwd=place)
    assert done.returncode == 0
    assert text(done.stderr) == (
        "note: no sequence was recomputed: the input in.h5 is not there; give it with --inputs FILE.\n"
    )
    assert "hidden_last: largest difference 0 from the stored states pooled again\n" in text(done.stdout)
    done = rnnstates("verify", "out.h5", "--inputs", "moved.h5", cwd=place)
    assert (done.returncode, done.stderr) == (0, b"")


def test_another_file_of_the_same_values_is_a_note(place):
    with h5py.File(place / "in.h5") as file:
        np.save(place / "in.npy", file["inputs"][()])
    done = rnnstates("verify", "out.h5", "--inputs", "in.npy", cwd=place)
    assert done.returncode == 0
    assert text(done.stderr).startswith("note: in.npy: is not the file that the states were made from (kind is npy")


def test_bfloat16_is_reported_as_its_error(place):
    with h5py.File(place / "out.h5", "r+") as file:
        made = json.loads(file.attrs["provenance"])
        set_text(file, "provenance", json.dumps(made | {"precision": "bfloat16"}))
    seal(place / "out.h5")
    lines = text(rnnstates("verify", "out.h5", cwd=place).stdout).splitlines()
    assert lines[1].startswith("hidden: largest error ")
    assert lines[1].endswith(" against the exact states, in 8 sequences recomputed in float64")


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["damaged.h5"], 65, "damaged.h5: 'cell_last': sequences 0 to 8 are not as they were written. The file was"),
        (["edited.h5"], 65, "edited.h5: 'cell_last' is not the last of 'cell' in sequence 2 ("),
        (["damaged.h5.partial"], 65, "damaged.h5: not finished: "),
        (["cut.h5"], 65, "cut.h5: HDF5 cannot open it"),
        (["in.h5"], 65, "in.h5: not a states file"),
        (["no.h5"], 66, "no.h5: no such file"),
        (["out.h5", "--inputs", "no.npy"], 66, "no.npy: no such file"),
        (["out.h5", "--initial-state", "x.npz"], 2, "--initial-state: out.h5 was made without one"),
        (["out.h5", "--sample", "-1"], 2, "-1"),
    ],
)
def test_what_is_wrong_exits_as_tabled_without_a_trace(place, arguments, code, message):
    content = (place / "out.h5").read_bytes()
    (place / "cut.h5").write_bytes(content[:4000])
    (place / "damaged.h5").write_bytes(content)
    (place / "damaged.h5.partial").write_bytes(content)
    with h5py.File(place / "damaged.h5", "r+") as file:
        file["cell_last"][2, 1] = 0.75
    shutil.copy(place / "damaged.h5", place / "edited.h5")
    seal(place / "edited.h5")
    done = rnnstates("verify", *arguments, "--json", cwd=place)
    assert done.returncode == code
    assert message in text(done.stderr)
    assert "Traceback" not in text(done.stderr)
    assert json.loads(done.stdout)["code"] == code
