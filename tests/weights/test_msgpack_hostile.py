"""Flax's msgpack files that are damaged or made to attack: only BadWeights, and no more memory than is stored."""

import builtins
import importlib
import pickle
import resource

import msgpack
import msgpack.fallback
import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.weights.readers.msgpack_file import open_msgpack, recognise_msgpack

from .damage import refusal

UNITS, FEATURES = 5, 3


def packed(shape, dtype, values):
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, values)))


def array(*shape):
    values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32)
    return packed(shape, "float32", values.tobytes())


def cell():
    """The arrays of an LSTMCell, as Flax packs them."""
    gates = {f"i{gate}": {"kernel": array(FEATURES, UNITS)} for gate in "ifgo"}
    return gates | {f"h{gate}": {"kernel": array(UNITS, UNITS), "bias": array(UNITS)} for gate in "ifgo"}


def written(tmp_path, tree, name="w.msgpack"):
    path = tmp_path / name
    path.write_bytes(tree if isinstance(tree, bytes) else msgpack.packb(tree))
    return path


def with_kernel(tmp_path, kernel):
    """A file whose first kernel is something else."""
    return written(tmp_path, {"params": {**cell(), "ii": {"kernel": kernel}}})


@pytest.fixture(params=["C", "Python"])
def implementation(request, monkeypatch):
    """msgpack as its C extension reads, and as its own Python does where that is missing."""
    if request.param == "Python":
        monkeypatch.setattr(msgpack, "unpackb", msgpack.fallback.unpackb)


@pytest.mark.usefixtures("implementation")
def test_the_untouched_file_is_read_under_any_name(tmp_path):
    for name in ("w.msgpack", "w.flax", "w.ckpt", "weights"):
        assert rnnstates.load_weights(written(tmp_path, {"params": cell()}, name)).features == FEATURES


@pytest.mark.parametrize("name", ["w.msgpack", "w.ckpt", "w"])
def test_a_pickle_is_not_taken_for_msgpack_although_it_starts_like_an_empty_map(name, tmp_path):
    for protocol in (2, 3, 4, 5):
        path = written(tmp_path, pickle.dumps({"params": 1}, protocol=protocol), name)
        assert not recognise_msgpack(str(path))
        assert "a Python pickle, which is never loaded because it can run any code" in refusal(path)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\x80",
        b"\x89HDF\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00",
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        b"\x81",
        b"\x81\xa0",
        b"\x81\xa4ab",
        b"\x81\xd9",
        b"\x81\xa2\x00\x01",
        b"\xde\x00\x01\x01",
    ],
)
def test_what_is_no_map_of_names_is_not_recognised(start, tmp_path):
    assert not recognise_msgpack(str(written(tmp_path, start, "file")))


def test_large_maps_and_long_names_are_recognised_without_a_suffix(tmp_path):
    for tree in ({str(key): 1 for key in range(20)}, {"a" * 40: 1}, {str(key): 1 for key in range(70_000)}):
        assert recognise_msgpack(str(written(tmp_path, tree, "file")))


def test_garbage_is_refused(tmp_path):
    random = np.random.default_rng(1)
    for _ in range(50):
        path = written(tmp_path, b"\x8f" + random.bytes(300))
        assert "is not the msgpack of a model" in refusal(path) or "holds" in refusal(path)


def test_a_file_that_is_cut_short_is_refused_at_every_length(tmp_path):
    whole = msgpack.packb({"params": cell()})
    for length in [*range(1, 120), *range(120, len(whole), 97), len(whole) - 1]:
        assert "is not the msgpack of a model" in refusal(written(tmp_path, whole[:length]))


def test_bytes_behind_the_end_are_refused(tmp_path):
    assert "is not the msgpack of a model" in refusal(written(tmp_path, msgpack.packb({"params": cell()}) + b"\x00"))


@pytest.mark.parametrize("depth", [70, 5000, 200_000])
def test_deep_nesting_is_refused(depth, tmp_path):
    message = refusal(written(tmp_path, b"\x81\xa1a" * depth + b"\x01"))
    assert "is nested too deeply" in message or "is not the msgpack of a model" in message
    refusal(written(tmp_path, b"\x81\xa1a" + b"\x91" * depth + b"\x01"))
    inner = msgpack.ExtType(1, b"\x91" * depth + b"\x01")
    message = refusal(with_kernel(tmp_path, inner))
    assert "is no packed array" in message or "has no shape, dtype and values" in message


def test_what_a_file_declares_costs_no_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    huge = [
        b"\x81\xa1a" + b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a" + b"\xdd\xff\xff\xff\xff" * 1000,
        b"\x81\xa1a" + b"\xdd\x00\x00\xff\xff" * 1000 + b"\x00" * 70_000,
        b"\x81\xa1a" + b"\xc6\xff\xff\xff\xff",
        b"\x81\xa1a" + b"\xc9\xff\xff\xff\xff\x01",
    ]
    for content in huge:
        assert "is not the msgpack of a model" in refusal(written(tmp_path, content))
    for shape in ((2**40, 2**20), (2**62, 2), (0, 2**62)):
        assert "'params/ii/kernel'" in refusal(with_kernel(tmp_path, packed(shape, "float32", bytes(60))))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_shape_without_values_is_refused_when_it_is_read(tmp_path):
    empty = {f"i{gate}": {"kernel": packed((0, UNITS), "float32", b"")} for gate in "ifgo"}
    message = refusal(written(tmp_path, {"params": cell() | empty}))
    assert "has dtype float32 and shape (0, 5); expected floating-point values, one at least" in message


def test_long_names_are_not_multiplied(tmp_path):
    """A long name above many arrays would be copied for each of them."""
    message = refusal(written(tmp_path, {"a" * 2000: {str(key): 1 for key in range(1000)}}))
    assert "has a map whose keys are not names" in message
    nested = {str(key): 1 for key in range(1000)}
    for _ in range(3):
        nested = {"a" * 999: nested}
    assert "is nested too deeply for a model" in refusal(written(tmp_path, nested))


@pytest.mark.usefixtures("implementation")
def test_more_entries_than_a_model_has_are_refused(tmp_path):
    tree = {str(key): [0] * 60_000 for key in range(10)}
    assert "has more than 500000 entries" in refusal(written(tmp_path, tree))


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("twice", [(b"\xa6params", b"\xa6params"), (b"\xa10", b"\x00")], ids=["names", "0 and '0'"])
def test_a_name_that_is_given_twice_is_refused(twice, tmp_path):
    content = b"\x82" + b"".join(key + msgpack.packb(cell()) for key in twice)
    assert "has a map that names something twice" in refusal(written(tmp_path, content))


def test_two_paths_that_read_the_same_are_refused(tmp_path):
    tree = {"params": cell(), "params/ii": {"kernel": array(FEATURES, UNITS)}}
    assert "names 'params/ii/kernel' twice" in refusal(written(tmp_path, tree))


@pytest.mark.parametrize("key", [b"\xc3", b"\x91\x01", b"\xc4\x01a", b"\xcb" + bytes(8), b"\xc0"])
def test_keys_that_are_no_names_are_refused(key, tmp_path):
    content = b"\x82\xa6params" + msgpack.packb(cell()) + key + b"\x01"
    message = refusal(written(tmp_path, content))
    assert "has a map whose keys are not names" in message or "is not the msgpack of a model" in message


@pytest.mark.parametrize(
    "kernel, message",
    [
        (packed((3, 5), "object", bytes(120)), "has dtype 'object'; known are float64"),
        (packed((3, 5), "<f4", bytes(60)), "has dtype '<f4'; known are"),
        (packed((3, 5), "O" * 10_000, bytes(60)), "known are"),
        (packed((3, 5), b"\xff\xfe", bytes(60)), "known are"),
        (packed((3, 5), "float32", bytes(59)), "has 59 bytes; expected 60"),
        (packed((3, -5), "float32", bytes(60)), "has no shape, dtype and values"),
        (packed((3.0, 5), "float32", bytes(60)), "has no shape, dtype and values"),
        (packed((True, 15), "float32", bytes(60)), "has no shape, dtype and values"),
        (packed((1,) * 40, "float32", bytes(4)), "is no packed array"),
        (packed({"a": 1}, "float32", bytes(60)), "is no packed array"),
        (packed(None, "float32", bytes(60)), "has no shape, dtype and values"),
        (packed((3, 5), None, bytes(60)), "has no shape, dtype and values"),
        (packed((3, 5), "float32", [1, 2]), "has no shape, dtype and values"),
        (packed((3, 5), "int32", bytes(60)), "expected floating-point values"),
        (packed((3, 5), "float32", np.full(15, np.nan, "<f4").tobytes()), "are NaN or infinite"),
        (packed((15,), "float32", bytes(60)), "do not fit each other"),
        (msgpack.ExtType(1, b""), "is no packed array"),
        (msgpack.ExtType(1, b"\x93\x92\x03"), "is no packed array"),
        (msgpack.ExtType(1, b"\x01"), "has no shape, dtype and values"),
        (msgpack.ExtType(4, b"abc"), "is of the msgpack extension 4"),
        (msgpack.ExtType(2, b"\x92\x01\x01"), "Some are missing"),
        (7, "do not fit each other"),
        ("text", "Some are missing"),
        (None, "Some are missing"),
    ],
)
def test_an_array_that_is_not_what_it_declares_is_refused(kernel, message, tmp_path):
    assert message in refusal(with_kernel(tmp_path, kernel))


def test_timestamps_and_other_things_of_msgpack_are_no_arrays(tmp_path):
    with_time = b"\x82\xa6params" + msgpack.packb(cell()) + b"\xa1t\xd6\xff\x00\x00\x00\x01"
    assert rnnstates.load_weights(written(tmp_path, with_time)).features == FEATURES
    assert "is not the msgpack of a model" in refusal(written(tmp_path, with_time[:-6] + b"\xd4\xff\x00"))


def chunked(sizes, *chunks, **others):
    numbered = {str(place): chunk for place, chunk in enumerate(chunks)}
    shape = {str(place): size for place, size in enumerate(sizes)}
    return {"__msgpack_chunked_array__": True, "shape": shape, "chunks": numbered} | others


@pytest.mark.parametrize(
    "kernel, message",
    [
        (chunked((3, 6), array(10), array(5)), "its chunks have 15 values of float32; expected 18"),
        (chunked((2**40, 2**40), array(10), array(5)), "its chunks have 15 values of float32; expected"),
        (chunked((3, 5), array(10), packed((5,), "float64", bytes(40))), "values of float32, float64; expected 15"),
        (chunked((3, 5)), "not as Flax parts arrays"),
        (chunked((3, 5), 7), "not as Flax parts arrays"),
        (chunked((3, 5), msgpack.ExtType(3, array(15).data)), "not as Flax parts arrays"),
        (chunked((3, 5), array(15), shape=[3.5, 5]), "not as Flax parts arrays"),
        (chunked((3, 5), array(15), shape={"0": 3, "2": 5}), "not as Flax parts arrays"),
        (chunked((3, 5), array(15), shape=None), "not as Flax parts arrays"),
        (chunked((3, -5), array(15)), "not as Flax parts arrays"),
        (chunked((3, 5), array(15), chunks={"1": array(15)}), "not as Flax parts arrays"),
        (chunked((1,) * 40 + (15,), array(15)), "do not fit each other"),
        ({"__msgpack_chunked_array__": True}, "not as Flax parts arrays"),
    ],
)
def test_chunks_that_are_not_what_they_declare_are_refused(kernel, message, tmp_path):
    assert message in refusal(with_kernel(tmp_path, kernel))


def test_a_file_of_something_else_is_refused(tmp_path):
    assert "no recurrent layer found" in refusal(written(tmp_path, {"params": {"Dense_0": {"kernel": array(3, 5)}}}))
    assert "no recurrent layer found" in refusal(written(tmp_path, {"a": 1}))


@pytest.mark.slow
def test_flipped_bytes_give_a_network_or_a_refusal(tmp_path):
    whole, random = msgpack.packb({"params": cell(), "step": 3}), np.random.default_rng(11)
    # Most bytes are values; the others are what reading can stumble over.
    structure = [place for place, byte in enumerate(whole) if byte >= 0x80 or 0x20 <= byte < 0x7F]
    refused = 0
    for _ in range(600):
        damaged = bytearray(whole)
        for place in random.choice(structure, random.integers(1, 4)):
            damaged[place] = random.integers(256)
        reported = told_of(written(tmp_path, bytes(damaged)))
        assert not reported or str(tmp_path) in reported
        refused += bool(reported)
    assert 100 < refused < 600


def told_of(path):
    """What a refusal says; empty where the file is read."""
    try:
        rnnstates.load_weights(path)
    except BadWeights as reason:
        return str(reason)
    return ""


def test_without_msgpack_its_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, {"params": cell()})

    def missing(name, *arguments):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(rnnstates.EngineUnavailable, match=r"need msgpack .* pip install 'rnnstates\[flax\]'"):
        with open_msgpack(str(path)):
            pass


def test_telling_the_format_needs_no_msgpack(tmp_path, monkeypatch):
    real = builtins.__import__

    def guarded(name, *arguments, **options):
        assert name != "msgpack"
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", guarded)
    assert recognise_msgpack(str(written(tmp_path, b"\x81\xa1a\x01")))
