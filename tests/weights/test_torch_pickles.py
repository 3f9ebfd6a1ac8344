"""Pickles in PyTorch's files that would take the process down, or years: refused before the unpickler runs them."""

import pickle
import struct
import time

import pytest
import torch

import rnnstates
from rnnstates.weights.readers.torch.pickle import _SHARED

from .attacks import torch_zip

START = b"\x80\x02"
# What a file of the old form begins with: a magic number, a version, a machine.
HEADER = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"".join(pickle.dumps(part, 2) for part in (1001, {}))
SET, ORDERED = b"c__builtin__\nset\n", b"ccollections\nOrderedDict\n"
MANY = b"\x8a\x05\x00\x00\x00\x00\x10"  # 64 GiB
NUMBER = b"K\x01"


def doubled(times):
    """A tuple of itself and itself, so often."""
    return NUMBER + b"".join(b"q" + bytes([place]) + b"h" + bytes([place]) + b"\x86" for place in range(times))


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def many_times_a_set(count):
    return SET + b"q\x01]q\x00(" + NUMBER * count + b"e" + b"h\x01h\x00\x85R" * count


ENDLESS, SLOW = "nests tuples without end", "has keys that take too long to tell apart"
BYTES, ARRAY = "asks for bytes that are not in it", "asks for an array that is not in it"
CALLED, CODEC = "passes on a function that it would have to call", "asks for a codec that PyTorch does not use"
ATTACKS = {
    "a key that holds itself often": (b"}" + doubled(60) + NUMBER + b"s", ENDLESS),
    "a value that holds itself often": (b"}" + text(b"a") + doubled(60) + b"s", ENDLESS),
    "a member of a set that does": (SET + b"]" + doubled(60) + b"a\x85R", ENDLESS),
    "a key as deep as the stack": (b"}" + NUMBER + b"\x85" * 300_000 + NUMBER + b"s", ENDLESS),
    "pairs with a key that is large": (
        ORDERED + b"](" + b"]" + doubled(20) + b"a" + NUMBER + b"aq\xff" + b"h\xff" * 40 + b"e\x85R",
        SLOW,
    ),
    "a large key very often": (b"}(" + doubled(20) + b"q\xff" + NUMBER + (b"h\xff" + NUMBER) * 40 + b"u", SLOW),
    "a set of one list very often": (many_times_a_set(20_000), SLOW),
    "bytes by their number": (b"c__builtin__\nbytearray\n" + MANY + b"\x85R", BYTES),
    "bytes by a number in a list": (b"cbuiltins\nbytearray\n]" + MANY + b"aR", BYTES),
    "bytes by another function": (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nbytearray\nctorch\nTensor\n" + MANY + b"\x85}tR",
        CALLED,
    ),
    "an array without values": (b"ctorch\nFloatTensor\n" + MANY + b"\x85R", ARRAY),
    "an array without values that is new": (b"ctorch\nFloatTensor\n" + MANY + b"\x85\x81", ARRAY),
    "an array by another function": (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nFloatTensor\nctorch\nTensor\n" + MANY + b"\x85}tR",
        CALLED,
    ),
    "a codec that is slow": (b"c_codecs\nencode\n" + text(b"a") + text(b"punycode") + b"\x86R", CODEC),
}


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize("case", ATTACKS)
def test_what_takes_time_or_memory_out_of_proportion_is_refused(case, old_form, tmp_path):
    content, message = ATTACKS[case]
    path = torch_zip(tmp_path, START + content + b".")
    if old_form:
        path.write_bytes(HEADER + START + content + b".")
    began = time.process_time()
    with pytest.raises(rnnstates.BadWeights, match=f"{message}.*Save a state_dict"):
        rnnstates.load_weights(path)
    assert time.process_time() - began < 20


HONEST = {
    "a mapping by pairs of tuples": {("a", 1): 2, ("b", (2, 3)): torch.Size([1, 2])},
    "a long tuple": tuple(map(str, range(20_000))),
    "a long history": [float(number) for number in range(20_000)],
    "bytes": (b"ab", bytearray(b"ab"), bytearray(), b""),
    "a parameter with an attribute": torch.nn.Parameter(torch.ones(2)),
    "a view": torch.ones(3, 4).t(),
    "a set": {1, 2, (3, 4)},
    "deep lists": [[[[[[[["a"]]]]]]]],
}


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize("case", HONEST)
def test_what_programs_save_is_read_as_before(case, old_form, tmp_path):
    if isinstance(HONEST[case], torch.nn.Parameter):
        HONEST[case].label = "a"
    content = {"state_dict": torch.nn.GRU(3, 5).state_dict(), case: HONEST[case]}
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=not old_form)
    assert rnnstates.load_weights(tmp_path / "w.pt").layers[0].forward.units == 5


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        b"\x8d" + b"\xff" * 7 + b"\x7f",
        b"\x8e" + b"\xff" * 8,
        b"\x8b\xff\xff\xff\xff",
        b"h\x07",
        b"R",
        b"t",
        b"e",
        b"ca\\\xc2\nb\n",
    ],
)
def test_a_damaged_pickle_is_refused_by_the_unpickler(content, old_form, tmp_path):
    path = torch_zip(tmp_path, START + content + b".")
    if old_form:
        path.write_bytes(HEADER + START + content + b".")
    with pytest.raises(rnnstates.BadWeights, match="PyTorch refuses to read it as weights alone"):
        rnnstates.load_weights(path)


def test_nothing_of_one_file_is_left_for_the_next(tmp_path):
    """An ordered mapping grows; what stands for all plain values does not."""
    key = tuple(range(1000))
    torch.save({"state_dict": torch.nn.GRU(3, 5).state_dict(), "a": {key: {key: 1}}}, tmp_path / "w.pt")
    for _ in range(3):
        assert rnnstates.load_weights(tmp_path / "w.pt").layers[0].forward.units == 5
    assert all(value.items == [] for value in _SHARED)
