"""Classes that look harmless in PyTorch's files: nothing of them is called, and the process stays as it was."""

import argparse
import collections
import pathlib
import pickle
import threading

import numpy as np
import pytest
import torch

import rnnstates
from rnnstates.weights.readers.torch.data import STAND_INS

from .attacks import Payload, Reduced, bait
from .test_torch_checkpoints import COMPANY, saved, state
from .test_torch_unread import Mine

SCALAR, DTYPE = np._core.multiarray.scalar, np.dtype
HARMLESS_LOOKING = {
    # NumPy would unpickle the bytes of a scalar of objects.
    "a scalar of objects": lambda folder: Reduced(SCALAR, (np.dtype("O"), _pickled(folder))),
    "a scalar of objects by its state": lambda folder: Reduced(
        SCALAR, (Reduced(DTYPE, ("O8", False, True), (3, "|", None, None, None, -1, -1, 63)), _pickled(folder))
    ),
    "an array of objects": lambda folder: np.array([Payload(folder)], object),
    "a factory": lambda _folder: collections.defaultdict(breakpoint),
    "options that are code": lambda folder: argparse.Namespace(run=Payload(folder)),
    "a path made of code": lambda folder: Reduced(pathlib.PurePosixPath, (Payload(folder),)),
    "a class of a module's own": lambda _folder: {"a": np.testing.assert_equal},
}


def _pickled(folder):
    return pickle.dumps(Payload(folder))


@pytest.mark.parametrize("case", HARMLESS_LOOKING)
def test_code_inside_what_looks_harmless_is_refused_and_never_runs(case, tmp_path):
    content = {"state_dict": state(), "a": np.float64(1), "company": HARMLESS_LOOKING[case](tmp_path)}
    path = saved(tmp_path, content)
    with pytest.raises(rnnstates.BadWeights, match="PyTorch refuses to read it as weights alone"):
        rnnstates.load_weights(path)
    assert not bait(tmp_path).exists()


INERT = {
    "attributes of a class": Reduced(argparse.Namespace, (), {"__class__": 3, "__dict__": 4, "a": 5}),
    "slots of a class": Reduced(argparse.Namespace, (), (None, {"state": 3, "__setstate__": 4})),
    "arguments of a builtin": Reduced(list, ([1, 2],)),
    "an array without bytes": Reduced(np._core.multiarray._reconstruct, (np.ndarray, (2**40,), b"b")),
    "a dtype of nonsense": Reduced(np.dtype, (["a", 1], 2), {"b": 3}),
    "a path of nonsense": Reduced(pathlib.PosixPath, (1, None, ["a"])),
    "a number of nonsense": Reduced(np.float64, ("no number",)),
}


@pytest.mark.parametrize("case", INERT)
def test_classes_of_the_list_are_never_called(case, tmp_path):
    path = saved(tmp_path, {"state_dict": state(), "company": INERT[case]})
    assert rnnstates.load_weights(path).layers[0].forward.units == 5


WRONG_ARRAYS = {
    "more values than bytes": (1, (2**40, 5), np.dtype("f4"), False, bytes(400)),
    "a negative shape": (1, (-20, -5), np.dtype("f4"), False, bytes(400)),
    "a shape of text": (1, ("20", 5), np.dtype("f4"), False, bytes(400)),
    "objects": (1, (20, 5), np.dtype("O"), False, [None] * 100),
    "no bytes": (1, (20, 5), np.dtype("f4"), False, None),
    "nothing": None,
    "too much": (1, (20, 5), np.dtype("f4"), False, bytes(400), 6),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_an_array_of_numpy_that_contradicts_itself_is_refused(case, tmp_path):
    made = Reduced(np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), WRONG_ARRAYS[case] or {"a": 1})
    arrays = {name: value.numpy() for name, value in state().items()} | {"weight_hh_l0": made}
    with pytest.raises(rnnstates.BadWeights, match="'weight_hh_l0': is a NumPy array, but not a plain one"):
        rnnstates.load_weights(saved(tmp_path, arrays))


def test_nested_mappings_are_searched_to_a_depth_and_shared_ones_so_often(tmp_path):
    deep = state()
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(rnnstates.BadWeights, match="holds keys a and no weights"):
        rnnstates.load_weights(saved(tmp_path, deep))
    wide = [1.0]
    for _ in range(6):
        wide = [wide] * 30
    with pytest.raises(rnnstates.BadWeights, match="has the same mappings and lists in too many places"):
        rnnstates.load_weights(saved(tmp_path, {"state_dict": state(), "wide": wide}))
    circle = {"state_dict": state("rnn.")}
    circle["self"] = circle["state_dict"]["self"] = circle
    assert rnnstates.load_weights(saved(tmp_path, circle)).layers[0].name == "rnn"
    around = [state("rnn.")]
    around += [around, {"a": around}]
    assert rnnstates.load_weights(saved(tmp_path, around)).layers[0].name == "0.rnn"


def test_what_the_process_allows_is_afterwards_as_before(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    path = saved(tmp_path, {"state_dict": state(), "a": np.float64(1)})
    rnnstates.load_weights(path)
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(rnnstates.BadWeights):
        rnnstates.load_weights(saved(tmp_path, {"state_dict": state(), "a": np.float64(1), "b": Mine()}))
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(Exception, match="Unsupported global"):
        torch.load(saved(tmp_path, np.float64(1)), weights_only=True)


def test_what_a_program_has_allowed_itself_stays_allowed(tmp_path):
    path = saved(tmp_path, {"state_dict": state("rnn."), "a": argparse.Namespace(b=np.ones((2, 2))), "p": COMPANY})
    with torch.serialization.safe_globals([argparse.Namespace, np.ndarray]):
        before = set(torch.serialization.get_safe_globals())
        rnnstates.load_weights(path)
        assert set(torch.serialization.get_safe_globals()) == before
        assert torch.load(saved(tmp_path, argparse.Namespace(b=1)), weights_only=True).b == 1


@pytest.mark.parametrize("company", ["a scalar", "a default", "a queue"])
def test_another_thread_reads_no_more_than_it_would_otherwise(company, tmp_path, monkeypatch):
    path = saved(tmp_path, {"state_dict": state(), "a": COMPANY[company]})
    own, found, before = torch.load, [], len(torch.serialization.get_safe_globals())
    reading = threading.current_thread()

    def load(*arguments, **options):
        listed = len(torch.serialization.get_safe_globals()) > before
        if threading.current_thread() is reading and listed:
            other = threading.Thread(target=attempt)
            other.start()
            other.join()
        return own(*arguments, **options)

    def attempt():
        try:
            found.append(own(path, weights_only=True))
        except Exception as reason:
            found.append(str(reason))

    monkeypatch.setattr(torch, "load", load)
    rnnstates.load_weights(path)
    (said,) = found
    assert "Unsupported global" in said


def test_threads_read_at_once(tmp_path):
    path = saved(tmp_path, {"state_dict": state(), "a": np.float64(1)})
    read = []
    threads = [threading.Thread(target=lambda: read.append(rnnstates.load_weights(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 8


def test_every_class_of_the_list_is_one_of_ours():
    assert {kind.__module__ for kind in STAND_INS.values()} == {"rnnstates.weights.readers.torch.data"}
