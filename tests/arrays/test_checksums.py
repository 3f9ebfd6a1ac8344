"""The sums of ``checksums``: against their definition, in any order, compiled and not."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnstates
from rnnstates.arrays import checksums
from rnnstates.arrays.checksums import MODULUS, add, sums
from rnnstates.output.integrity import _outside, digest_rest

UNSIGNED = [np.dtype(f"<u{size}") for size in (1, 2, 4, 8)]
BUILT = checksums._sums is checksums._sums_compiled
IMPLEMENTATIONS = [checksums._sums_in_numpy, *([checksums._sums_compiled] if BUILT else [])]
some_words = st.sampled_from(UNSIGNED).flatmap(lambda dtype: arrays(dtype, st.integers(0, 200)))
one_or_more = st.sampled_from(UNSIGNED).flatmap(lambda dtype: arrays(dtype, st.integers(1, 200)))


def defined(words, start=0):
    """What the module says, in Python's own integers."""
    numbers = [int(word) for word in words]
    weighted = sum((start + place + 1) * number for place, number in enumerate(numbers))
    return sum(numbers) % MODULUS, weighted % MODULUS


def whole(implementation, words):
    """The sums of a flat array as one stretch."""
    nothing = np.zeros(1, np.int64)
    return implementation(words.reshape(-1, 1), nothing, nothing, np.array([len(words)]))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@given(some_words)
def test_they_are_as_defined(implementation, words):
    assert whole(implementation, words) == defined(words)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@given(st.data())
def test_they_are_of_the_rows_that_are_reported(implementation, data):
    width, count = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 12))
    values = data.draw(arrays(data.draw(st.sampled_from(UNSIGNED)), (count, width)))
    stretches = data.draw(st.lists(st.tuples(*[st.integers(0, 12)] * 2).map(sorted), max_size=5))
    rows = np.array([min(start, count) for start, _ in stretches], np.int64)
    counts = np.array([min(stop, count) for _, stop in stretches], np.int64) - rows
    places = np.array([data.draw(st.integers(0, 2**40)) for _ in stretches], np.int64)
    expected = (0, 0)
    for row, place, rows_of in zip(rows.tolist(), places.tolist(), counts.tolist(), strict=True):
        expected = add(expected, defined(values[row : row + rows_of].reshape(-1), place * width))
    assert implementation(values, rows, places, counts) == expected


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(("row", "count"), [(-1, 1), (0, 5), (4, 1), (0, -1), (2**62, 2**62), (5, 0)])
def test_rows_that_are_not_there_are_refused(implementation, row, count):
    with pytest.raises(ValueError, match="outside its array"):
        implementation(np.zeros((4, 3), np.float32), np.array([row]), np.array([0]), np.array([count]))


@pytest.mark.skipif(not BUILT, reason="there is no C compiler")
@pytest.mark.parametrize("count", [0, 1, 2, 7, 31, 1001, 2**14 - 1, 2**14, 2**14 + 1, 3 * 2**14 + 5])
@pytest.mark.parametrize("dtype", UNSIGNED)
def test_the_compiled_ones_are_those_of_numpy(dtype, count):
    words = np.frombuffer(np.random.default_rng(count).bytes(count * dtype.itemsize), dtype)
    assert whole(checksums._sums_compiled, words) == whole(checksums._sums_in_numpy, words)
    full = np.full(count, np.iinfo(dtype).max, dtype)
    assert whole(checksums._sums_compiled, full) == whole(checksums._sums_in_numpy, full) == defined(full)


@pytest.mark.skipif(not BUILT, reason="there is no C compiler")
@pytest.mark.parametrize("dtype", UNSIGNED)
def test_the_compiled_ones_are_right_beyond_one_block(dtype):
    words = np.frombuffer(np.random.default_rng(1).bytes((2**20 + 77) * dtype.itemsize), dtype)
    assert whole(checksums._sums_compiled, words) == whole(checksums._sums_in_numpy, words)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i4", "i8", "?"])
def test_they_are_of_the_bits(dtype):
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    assert sums(values) == defined(values.reshape(-1).view(f"<u{values.itemsize}"))


@given(some_words, st.lists(st.integers(0, 200), max_size=6), st.randoms(use_true_random=False))
def test_parts_in_any_order_add_up_to_the_whole(words, cuts, random):
    edges = sorted({0, len(words), *(cut for cut in cuts if cut < len(words))})
    parts = list(itertools.pairwise(edges))
    random.shuffle(parts)
    total = (0, 0)
    for start, stop in parts:
        total = add(total, sums(words[start:stop], start))
    assert total == sums(words) == defined(words)


@given(one_or_more, st.data())
def test_one_changed_element_changes_the_first_sum(words, data):
    place = data.draw(st.integers(0, len(words) - 1))
    other = data.draw(st.integers(0, np.iinfo(words.dtype).max).filter(lambda value: value != words[place]))
    changed = words.copy()
    changed[place] = other
    assert sums(changed)[0] != sums(words)[0]


@given(one_or_more, st.data())
def test_two_elements_that_changed_places_change_the_second_sum(words, data):
    one, two = (data.draw(st.integers(0, len(words) - 1)) for _ in range(2))
    changed = words.copy()
    changed[[one, two]] = words[[two, one]]
    assert sums(changed)[0] == sums(words)[0]
    assert (sums(changed)[1] == sums(words)[1]) == (words[one] == words[two])


@given(st.sampled_from(UNSIGNED[:3]).flatmap(lambda dtype: arrays(dtype, st.integers(1, 200))), st.data())
def test_lost_values_make_the_first_sum_smaller(words, data):
    start = data.draw(st.integers(0, len(words) - 1))
    stop = data.draw(st.integers(start + 1, len(words)))
    lost = words.copy()
    lost[start:stop] = 0
    assert (sums(lost)[0] < sums(words)[0]) == bool(words[start:stop].any())


def test_zeros_add_nothing():
    assert sums(np.zeros(1000, np.float32), 17) == (0, 0)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_the_digest_is_of_what_lies_outside(content, cuts):
    edges = sorted({min(cut, len(content)) for cut in cuts})
    stretches = [(start, stop - start) for start, stop in zip(edges[::2], edges[1::2], strict=False)]
    covered = {at for start, length in stretches for at in range(start, start + length)}
    rest = bytes(byte for at, byte in enumerate(content) if at not in covered)
    found = digest_rest(lambda count, at: content[at : at + count], len(content), reversed(stretches))
    assert found == hashlib.sha256(rest).hexdigest()
    assert b"".join(content[start:stop] for start, stop in _outside(len(content), stretches)) == rest


def unaligned(array):
    """Copy an array to where no element begins at a multiple of its size."""
    moved = np.frombuffer(b"abc" + array.tobytes(), array.dtype, offset=3).reshape(array.shape)
    assert not moved.flags.aligned
    return moved


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", UNSIGNED[1:])
def test_they_are_of_values_at_any_byte(implementation, dtype):
    words = np.frombuffer(np.random.default_rng(0).bytes(40 * dtype.itemsize), dtype)
    assert whole(implementation, unaligned(words)) == defined(words)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4"])
def test_arrays_at_any_byte_are_read(dtype, engine):
    random = np.random.default_rng(0)
    inputs = (9 * random.normal(size=(3, 5, 6))).astype(dtype)
    weights = {"kernel": (6, 16), "recurrent_kernel": (4, 16), "bias": (16,)}
    weights = {name: random.normal(size=shape).astype("f4") for name, shape in weights.items()}
    start = {"hidden": random.normal(size=(3, 4)).astype("f4")}

    def run(given, of):
        return rnnstates.extract(
            of(inputs), of(np.array([5, 3, 2])), initial_state={"hidden": of(start["hidden"])},
            weights={name: of(values) for name, values in given.items()}, convention="keras", engine=engine,
        )  # fmt: skip

    np.testing.assert_array_equal(run(weights, unaligned)["hidden"], run(weights, np.copy)["hidden"])


def test_one_feature_cut_out_of_several_is_read(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("f4")
    states = rnnstates.extract(inputs[:, :, :1], "full", units=4, output=tmp_path / "o.h5")
    with states:
        found = states["hidden"][:]
    np.testing.assert_array_equal(found, rnnstates.extract(inputs[:, :, :1].copy(), "full", units=4)["hidden"])
