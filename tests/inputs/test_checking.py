"""What valid steps may hold; what padding holds is nobody's business."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstates.errors import BadInput
from rnnstates.inputs.checking import check_finite, check_tokens

PLACE = {"first_row": 0, "first_step": 0, "steps": 5, "padding": "post", "where": "x.npy"}


def make_block(rows=3, steps=5, features=2):
    return np.random.RandomState(3).standard_normal((rows, steps, features)).astype(np.float32)


def test_finite_blocks_pass():
    check_finite(make_block(), np.array([5, 0, 3]), **PLACE)
    check_finite(np.full((3, 5, 2), 2**62), np.array([5, 0, 3]), **PLACE)
    check_finite(np.zeros((0, 5, 2)), np.zeros(0, int), **PLACE)


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_padding_may_hold_anything(padding, value):
    lengths = np.array([5, 0, 3])
    block = make_block()
    for row, length in enumerate(lengths):
        block[row, slice(length, None) if padding == "post" else slice(0, 5 - length)] = value
    check_finite(block, lengths, **{**PLACE, "padding": padding})


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_first_offender_is_named_by_its_place_in_the_input(data):
    steps, padding = 9, data.draw(st.sampled_from(["post", "pre"]))
    start = data.draw(st.integers(0, 8))
    stop = data.draw(st.integers(start + 1, 9))
    lengths = np.array(data.draw(st.lists(st.integers(0, 9), min_size=3, max_size=3)))
    block = np.ones((3, stop - start, 2))
    for place in data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, stop - start - 1), st.integers(0, 1)))):
        block[place] = np.nan
    offenders = []
    for row, column, feature in np.argwhere(np.isnan(block)):
        step = start + column
        if step < lengths[row] if padding == "post" else step >= steps - lengths[row]:
            offenders.append((row + 40, step, feature))
    call = {"first_row": 40, "first_step": start, "steps": steps, "padding": padding, "where": "x.npy"}
    if not offenders:
        check_finite(block, lengths, **call)
        return
    row, step, feature = offenders[0]
    place = rf"x\.npy: sequence {row}, step {step}, feature {feature} is nan"
    message = rf"^{place} \({len(offenders)} such in sequences 40 to 42\); .*allow_nonfinite=True\.$"
    with pytest.raises(BadInput, match=message):
        check_finite(block, lengths, **call)


def test_infinity_is_named_too():
    block = make_block()
    block[1, 2, 1] = -np.inf
    with pytest.raises(BadInput, match=r"sequence 1, step 2, feature 1 is -inf \(1 such"):
        check_finite(block, np.array([5, 3, 3]), **PLACE)


def test_a_value_too_large_for_float32_names_the_precision():
    original = make_block().astype(np.float64)
    original[1, 2, 0] = 1e39
    original[2, 0, 0] = -1e300
    original[1, 4, 0] = 1e50
    with np.errstate(over="ignore"):
        block = original.astype(np.float32)
    with pytest.raises(
        BadInput,
        match=r'sequence 1, step 2, feature 0 is 1e\+39, which does not fit float32 \(2 such .*precision="float64"\.$',
    ):
        check_finite(block, np.array([5, 3, 3]), original=original, **PLACE)


def test_a_value_never_finite_is_no_question_of_precision():
    original = make_block().astype(np.float64)
    original[0, 1, 0] = np.nan
    original[1, 2, 0] = 1e39
    with np.errstate(over="ignore"):
        block = original.astype(np.float32)
    with pytest.raises(BadInput, match=r"sequence 0, step 1, feature 0 is nan \(1 such .*allow_nonfinite=True"):
        check_finite(block, np.array([5, 3, 3]), original=original, **PLACE)


def tokens(block, lengths, **changes):
    return check_tokens(np.asarray(block), np.asarray(lengths), **{**PLACE, "steps": 3, "vocabulary": 10, **changes})


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i8", "u8", "f2", "f4", ">f8"])
def test_ids_become_int64_and_padding_becomes_zero(dtype):
    result = tokens(np.array([[9, 2, 77], [0, 99, 99]], dtype), [2, 1])
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, [[9, 2, 0], [0, 0, 0]])


def test_padding_of_floats_may_be_nan():
    np.testing.assert_array_equal(tokens([[1.0, np.nan, np.inf]], [1]), [[1, 0, 0]])


def test_padding_in_front_is_zeroed_in_front():
    block = [[-5, 3, 4], [-5, -5, 7]]
    np.testing.assert_array_equal(tokens(block, [2, 1], padding="pre"), [[0, 3, 4], [0, 0, 7]])


@pytest.mark.parametrize(
    "block, value, count",
    [
        ([[1, 2, 3], [1, -1, 10]], "-1", 2),
        ([[1, 2, 3], [1, 10, 3]], "10", 1),
        ([[1, 2, 3], [1, 1.5, 3]], r"1\.5", 1),
        ([[1, 2, 3], [1, np.nan, -np.inf]], "nan", 2),
        (np.array([[1, 2, 3], [1, 2**64 - 1, 3]], np.uint64), "18446744073709551615", 1),
    ],
)
def test_ids_outside_the_vocabulary_are_refused(block, value, count):
    with pytest.raises(
        BadInput,
        match=rf"x\.npy: sequence 21, step 1 has token id {value} \({count} such in sequences 20 to 21\); "
        "expected whole numbers from 0 to 9, the rows of the embedding",
    ):
        tokens(block, [3, 3], first_row=20)


def test_steps_are_counted_in_the_whole_input():
    with pytest.raises(BadInput, match="sequence 0, step 8 has token id 11"):
        tokens([[1, 11, 3]], [3], first_step=7, steps=10, padding="pre")


def test_a_vocabulary_larger_than_float16_holds_is_compared_exactly():
    np.testing.assert_array_equal(tokens(np.array([[2048.0]], "f2"), [1], vocabulary=10**6), [[2048]])
