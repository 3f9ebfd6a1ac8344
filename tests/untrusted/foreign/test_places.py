"""The whole table of foreign kinds, at every place where a file is given: named, with the way out, exit code 65."""

import warnings

import numpy as np
import pytest

import rnnstates
from rnnstates.inputs import open_ids, open_source, read_lengths
from rnnstates.inputs.initial import open_initial
from rnnstates.inputs.memory import MemorySource
from rnnstates.untrusted.foreign import KINDS, Wanted, is_text, kind_of_bytes, kind_of_path
from rnnstates.weights.load import open_keras_model
from rnnstates.weights.readers.model_json import read_model_json

from ...cli.catalogue import run
from .crafted import CRAFTED
from .real import REAL

CASES = REAL | CRAFTED
TWO = MemorySource(np.zeros((2, 5, 3), "f4"))
# What opens a file there, and what is wanted of it.
PLACES = {
    "INPUT": (open_source, Wanted.INPUTS),
    "--weights and convert": (rnnstates.load_weights, Wanted.WEIGHTS),
    "--lengths": (lambda path: read_lengths(path, TWO), Wanted.LIST),
    "--ids": (lambda path: open_ids(path, TWO), Wanted.LIST),
    "--initial-state": (lambda path: open_initial(path, {("", "hidden"): 3}, 2), Wanted.STATES),
    "--model": (open_keras_model, Wanted.WEIGHTS),
    "--config": (lambda path: read_model_json(str(path)), Wanted.SETTINGS),
    "info": (rnnstates.describe, Wanted.ANY),
    "verify": (lambda path: rnnstates.verify(path), Wanted.OUTPUT),
    "status": (lambda path: rnnstates.status(path), Wanted.OUTPUT),
}
# A text may be a list of ids or lengths, whatever it looks like, but for these.
NO_LISTS = {"html", "lfs", "annex", "error page", "pickle", "empty"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every case, made once."""
    folder = tmp_path_factory.mktemp("foreign")
    paths = {}
    with warnings.catch_warnings():
        # What the libraries say of their own past and future.
        warnings.simplefilter("ignore")
        for number, (name, (_, make)) in enumerate(CASES.items()):
            (folder / str(number)).mkdir()
            paths[name] = make(folder / str(number))
    return paths


def test_every_kind_has_a_file():
    assert {kind for kind, _ in CASES.values()} - {"text"} == set(KINDS) - {"hdf5"}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_of_the_kind_that_it_is(name, made):
    kind = CASES[name][0]
    found = kind_of_path(made[name])
    if kind == "text":
        assert found.found.startswith("text that starts with ")
    else:
        assert (
            found.found.partition(" that holds")[0].partition(", with")[0]
            == (KINDS[kind].found.partition(" that holds")[0].partition(", with")[0])
        )


def may_be_a_list(path, kind):
    """Tell whether it is a file of text, or of bytes that only another file beside it explains."""
    if path.is_dir() or kind in NO_LISTS:
        return False
    start = path.read_bytes()[:2000]
    return is_text(start) or kind_of_bytes(start) is None


def is_refused(name, wanted, kind, path):
    """Tell whether a file is foreign there; .npz and text are read where other kinds like them are not."""
    if wanted is Wanted.LIST and may_be_a_list(path, CASES[name][0]):
        return False
    if wanted is Wanted.STATES and CASES[name][0] in ("npz", "zip", "damaged zip"):
        return False
    return kind.is_foreign(wanted)


@pytest.mark.parametrize("name", CASES)
def test_a_foreign_file_is_named_with_the_way_out_wherever_it_is_given(name, made):
    path, kind = made[name], kind_of_path(made[name])
    for place, (open_it, wanted) in PLACES.items():
        refusal = refusal_of(open_it, path)
        if is_refused(name, wanted, kind, path):
            assert isinstance(refusal, rnnstates.BadData), place
            message = str(refusal)
            assert message.startswith(f"{path}: {kind.found}; expected "), place
            assert message.endswith("."), place
            assert "\n" not in message, place
            assert len(message) < 1500, place
        else:
            # Read there, or refused for what is in it.
            assert kind.found not in str(refusal), place


def refusal_of(open_it, path):
    """Open a file at a place; give the error that says why it cannot be, if there is one."""
    try:
        if hasattr(opened := open_it(path), "close"):
            opened.close()
    except rnnstates.RnnstatesError as reason:
        return reason
    return None


@pytest.mark.parametrize("name", ["page", "torch.export", "LFS", "tfjs folder", "words", "GGUF", "PNG", "orbax"])
def test_the_command_ends_with_65(name, made, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "x.npy", np.zeros((2, 5, 3)))
    source, output, path = str(tmp_path / "x.npy"), str(tmp_path / "o.h5"), str(made[name])
    for arguments in (
        ["extract", path, output],
        ["extract", source, output, "--lengths", "full", "--weights", path],
        ["info", path],
        ["convert", path, str(tmp_path / "o.safetensors")],
        ["verify", path],
        ["status", path],
    ):
        assert run(monkeypatch, *arguments) == 65, arguments
        assert f"{path}: {kind_of_path(path).found}; expected " in capsys.readouterr().err
    assert not (tmp_path / "o.h5").exists()


# Of the advice for one place nothing may reach another.
WAYS = {
    "--lengths": "Save the list as text, one entry per line, or as an array with np.save.",
    "--initial-state": "Save the states by name: np.savez('states.npz', hidden=..., cell=...).",
    "--config": "Write the configuration where the model was made: open('model.json', 'w').write(model.to_json()).",
    "verify": "Give the file that extract wrote.",
}


@pytest.mark.parametrize("place", WAYS)
@pytest.mark.parametrize("name", ["joblib", "savemat", "pickle of protocol 0", "torch.jit", "wav"])
def test_the_way_out_fits_the_place(name, place, made):
    with pytest.raises(rnnstates.BadData) as refused:
        PLACES[place][0](made[name])
    assert f". {WAYS[place]}" in str(refused.value)


@pytest.mark.parametrize("place", PLACES)
def test_a_compressed_file_is_to_be_unpacked_and_piped_in_only_where_sequences_are_wanted(place, made):
    with pytest.raises(rnnstates.BadData, match=r"Unpack it \(gzip -d FILE\) and give the file in it\.") as refused:
        PLACES[place][0](made["gz"])
    assert ("| rnnstates extract - OUTPUT" in str(refused.value)) == (place == "INPUT")
