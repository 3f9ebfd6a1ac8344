"""What every ``Source`` must do; a test class of an implementation inherits ``SourceConformance``."""

import json

import numpy as np
import pytest

SHAPE = (7, 5, 3)


def make_inputs(shape=SHAPE, dtype=np.float32, seed=1):
    """Make values that are all different, so that no two places can be exchanged unseen."""
    values = np.random.RandomState(seed).permutation(int(np.prod(shape))) + 1
    return values.reshape(shape).astype(dtype)


class SourceConformance:
    """Inherit, and give ``open_array``.

    Attributes
    ----------
    magic : bytes or None
        The entry of OPENERS it covers.
    reads_again : bool
        Rows may be read in any order.
    samples_content : bool
        Its identity knows the content, not only shape and dtype.
    """

    magic = None
    reads_again = True
    samples_content = True

    def open_array(self, array, tmp_path, *, tokens=False):
        """Open an array as this kind of source: every class of tests has its own way."""
        raise NotImplementedError

    @pytest.fixture
    def truth(self):
        return make_inputs()

    @pytest.fixture
    def source(self, truth, tmp_path):
        source = self.open_array(truth, tmp_path)
        yield source
        source.close()

    def test_shape_and_dtype_are_those_of_the_input(self, source, truth):
        assert source.shape == truth.shape
        assert source.dtype == truth.dtype

    def test_windows_in_order_give_the_whole_input(self, source, truth):
        blocks = [source.read(slice(start, min(start + 3, 7)), slice(0, 5)) for start in range(0, 7, 3)]
        np.testing.assert_array_equal(np.concatenate(blocks), truth)

    def test_each_window_may_have_its_own_steps(self, source, truth):
        wanted = [
            (slice(0, 2), slice(0, 3)),
            (slice(2, 3), slice(4, 5)),
            (slice(3, 5), slice(2, 2)),
            (slice(5, 7), slice(1, 5)),
        ]
        for rows, steps in wanted:
            np.testing.assert_array_equal(source.read(rows, steps), truth[rows, steps])

    def test_any_block_equals_a_slice_of_the_truth(self, source, truth):
        if not self.reads_again:
            return
        for rows, steps in [
            (slice(4, 7), slice(1, 4)),
            (slice(0, 7), slice(2, 3)),
            (slice(3, 3), slice(0, 5)),
            (slice(0, 1), slice(0, 5)),
        ]:
            np.testing.assert_array_equal(source.read(rows, steps), truth[rows, steps])

    def test_blocks_are_native_and_cannot_change_the_input(self, source, truth):
        block = source.read(slice(0, 2), slice(0, 5))
        assert block.dtype.isnative
        if block.flags.writeable and self.reads_again:
            block[:] = 0
            np.testing.assert_array_equal(source.read(slice(0, 2), slice(0, 5)), truth[:2])

    def test_big_endian_values_are_read_right(self, truth, tmp_path):
        source = self.open_array(truth.astype(">f4"), tmp_path)
        block = source.read(slice(0, 7), slice(0, 4))
        source.close()
        assert block.dtype == np.float32
        assert block.dtype.isnative
        np.testing.assert_array_equal(block, truth[:, :4])

    def test_token_ids_have_two_axes(self, tmp_path):
        truth = make_inputs((6, 4), np.int16)
        source = self.open_array(truth, tmp_path, tokens=True)
        assert source.shape == (6, 4)
        blocks = [source.read(slice(0, 4), slice(0, 3)), source.read(slice(4, 6), slice(1, 4))]
        source.close()
        np.testing.assert_array_equal(blocks[0], truth[:4, :3])
        np.testing.assert_array_equal(blocks[1], truth[4:, 1:])

    def test_no_sequences_are_a_valid_input(self, tmp_path):
        source = self.open_array(np.zeros((0, 5, 3), np.float32), tmp_path)
        assert source.read(slice(0, 0), slice(0, 5)).shape == (0, 5, 3)
        source.close()

    def test_closing_twice_is_safe(self, source):
        source.close()
        source.close()

    def test_identity_survives_json_and_names_shape_and_dtype(self, source, truth):
        identity = json.loads(json.dumps(source.identity))
        assert identity == source.identity
        assert identity["shape"] == list(truth.shape)
        assert np.dtype(identity["dtype"]) == truth.dtype
        assert {"kind", "path", "size", "mtime_ns", "sample_sha256"} <= set(identity)

    def test_identity_tells_contents_apart(self, source, truth, tmp_path):
        other = truth.copy()
        other[3, 2, 1] += 100
        if not self.samples_content:
            other = other[:-1]
        (tmp_path / "other").mkdir()
        changed = self.open_array(other, tmp_path / "other")
        changed.close()
        ignored = {"path", "mtime_ns", "size"}
        assert {k: v for k, v in changed.identity.items() if k not in ignored} != {
            k: v for k, v in source.identity.items() if k not in ignored
        }

    def test_summary_fields_have_their_types(self, source):
        assert isinstance(source.name, str)
        assert 1 <= source.rows_together <= max(1, source.shape[0])
        assert 1 <= source.steps_together <= max(1, source.shape[1])
        assert all(isinstance(note, str) for note in source.notes)
