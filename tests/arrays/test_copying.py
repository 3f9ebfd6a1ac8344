import numpy as np
import pytest

from rnnstates.arrays import copying

from ..builders import BUILT_ENGINES

WAYS = {"numpy": copying._copy_in_numpy}
if "compiled" in BUILT_ENGINES:
    WAYS["compiled"] = copying._copy_compiled


@pytest.fixture(params=WAYS)
def copy(request, monkeypatch):
    monkeypatch.setattr(copying, "_copy", WAYS[request.param])
    return copying.copy_rows


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "f8", "i8"])
def test_stretches_are_copied_and_nothing_else(copy, dtype):
    source = np.random.default_rng(0).integers(1, 9, (30, 3)).astype(dtype)
    target = np.zeros((20, 3), dtype)
    copy(source, np.array([5, 0, 29, 3]), target, np.array([0, 10, 19, 4]), np.array([4, 3, 1, 0]))
    expected = np.zeros((20, 3), dtype)
    expected[0:4], expected[10:13], expected[19] = source[5:9], source[0:3], source[29]
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize(
    ("first", "place", "count"),
    [(28, 0, 3), (0, 18, 3), (-1, 0, 1), (0, -1, 1), (0, 0, -1), (0, 0, 2**62), (2**62, 0, 1)],
)
def test_a_stretch_outside_its_array_is_refused(copy, first, place, count):
    with pytest.raises(ValueError, match="a stretch of rows lies outside its array"):
        copy(np.zeros((30, 3)), np.array([first]), np.zeros((20, 3)), np.array([place]), np.array([count]))


def test_no_stretch_and_no_width_copy_nothing(copy):
    none = np.zeros(0, np.int64)
    copy(np.zeros((3, 2)), none, np.zeros((3, 2)), none, none)
    copy(np.zeros((3, 0)), np.array([0]), np.zeros((3, 0)), np.array([0]), np.array([2]))
