"""Maps the steps of a batch to the time-first order in which a cell reads them, and back.

An unroll needs time first and the valid steps of each sequence only, in the order in which they are read. A batch has
sequences first, padding at either end or in between, and backward layers read from the end. Each of these is a
permutation, so together they are one: rows are gathered once on the way there and once on the way back, and each
gather is the gradient of the other. Steps that do not count are never read, and become zero.

Sequences may be split into groups that run in parallel, longest first, each only as far as its longest sequence.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...arrays.axes import Tensor
from ...runtime.tensorflow_start import TensorFlow

__all__ = ["Layout", "gathered", "lay_out", "of_rows", "spread", "valid_steps"]


class Layout(NamedTuple):
    """Places of steps.

    Parameters
    ----------
    groups : tuple of int32 [S, R]
        For each group and step, the index into the batch seen as [B * T]; B * T itself for nothing.
    back : int32 [B, T]
        For each step of the batch, the index into the concatenated rows of the groups; past the last for none.
    rows : tuple of int32 [R]
        The sequences of each group; a row added to make the number even may be any.
    plain : bool
        All sequences are complete and in one group: only the axes are swapped.
    """

    groups: tuple[Any, ...]
    back: Tensor
    rows: tuple[Any, ...]
    plain: bool = False


def valid_steps(tf: TensorFlow, lengths: Tensor, mask: Tensor, steps: Tensor) -> Tensor:
    """Return which steps count: bool [B, T] from lengths [B], else from the mask, else None for all of them."""
    if lengths is not None:
        return tf.sequence_mask(lengths, steps)
    return None if mask is None else tf.cast(mask, tf.bool)


def lay_out(
    tf: TensorFlow, shape: Tensor, lengths: Tensor, mask: Tensor, *, backward: bool, groups: int, even: bool = False
) -> Layout:
    """Compute the layout.

    Parameters
    ----------
    tf : module
    shape : int32 [2]
        B and T.
    lengths : int32 [B] or None
    mask : bool [B, T] or None
        Used if there are no lengths.
    backward : bool
        Whether sequences are read from their last valid step to the first.
    groups : int
        Number of groups; 0 for one group that runs to T with the sequences in their order, which XLA can compile.
    even : bool
        Whether groups must have even numbers of rows: with odd numbers TensorFlow's op over many steps makes copies
        and logs a warning.
    """
    if lengths is None and mask is None and not backward and not even and groups <= 1:
        return Layout((None,), None, (None,), plain=True)
    read = _reading(tf, shape, lengths, mask, backward)
    order = tf.argsort(-read.counts, stable=True) if groups and read.ragged else tf.range(shape[0])
    slots = tf.argsort(order) if groups and read.ragged else order
    taken, cuts = _take(tf, shape, read, order), _cuts(shape[0], groups)
    made, bases, strides, offset = [], [], [], 0
    for start, stop in cuts:
        longest = tf.reduce_max(tf.gather(read.counts, order[start:stop])) if groups and read.ragged else shape[1]
        # At least one step: products and loops expect it.
        part = taken[start:stop, : tf.minimum(shape[1], tf.maximum(longest, 1))]
        part = tf.pad(part, [[0, (stop - start) % 2], [0, 0]], constant_values=shape[0] * shape[1]) if even else part
        made.append(_transposed(tf, part))
        bases.append(offset + tf.range(stop - start))
        strides.append(tf.fill([stop - start], tf.shape(part)[0]))
        offset += tf.size(part)
    base, stride = (tf.gather(tf.concat(values, axis=0), slots)[:, tf.newaxis] for values in (bases, strides))
    back = base + read.ranks * stride
    rows = [tf.pad(order[start:stop], [[0, (stop - start) % 2 if even else 0]]) for start, stop in cuts]
    return Layout(tuple(made), back if read.valid is None else tf.where(read.valid, back, offset), tuple(rows))


def spread(tf: TensorFlow, values: Tensor, layout: Layout) -> list[Any]:
    """Gather a batch [B, T, W] into groups, each [S, R, W]; zero where there is no step."""
    if layout.plain:
        return [tf.transpose(values, [1, 0, 2])]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def there(values: Tensor, back: Tensor, *groups: Any) -> Tensor:
        inside = _inside(tf, groups, back)
        none = [None] * (1 + len(groups))
        return _spread(tf, values, inside), lambda *upstream: (gathered(tf, upstream, inside), *none)

    return list(there(values, layout.back, *layout.groups))


def of_rows(tf: TensorFlow, values: Tensor, rows: Tensor) -> Tensor:
    """Gather some rows of [B, W] into [R, W]; the gradient is a dense tensor, not a sparse one."""
    if rows is None:
        return values

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def take(values: Tensor, rows: Tensor) -> Tensor:
        count, rows = tf.shape(values)[0], tf.identity(rows)
        return tf.gather(values, rows), lambda upstream: (tf.math.unsorted_segment_sum(upstream, rows, count), None)

    return take(values, rows)


def gathered(tf: TensorFlow, parts: Sequence[Any], layout: Layout) -> Tensor:
    """Gather groups, each [S, R, W], back into a batch [B, T, W]; zero at steps that do not count."""
    if layout.plain:
        return tf.transpose(parts[0], [1, 0, 2])

    count = len(parts)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def back(*given: Any) -> Tensor:
        inside = _inside(tf, given[count + 1 :], given[count])
        none = [None] * (1 + len(inside.groups))
        return _gathered(tf, given[:count], inside), lambda upstream: (*spread(tf, upstream, inside), *none)

    return back(*parts, layout.back, *layout.groups)


def _inside(tf: TensorFlow, groups: Sequence[Any], back: Tensor) -> Layout:
    """Capture the indices in the graph under construction: the gradient of a gradient cannot reach another graph."""
    return Layout(tuple(tf.identity(places) for places in groups), tf.identity(back), ())


def _spread(tf: TensorFlow, values: Tensor, layout: Layout) -> list[Any]:
    width = values.shape[-1]
    flat = tf.concat([tf.reshape(values, [-1, width]), tf.zeros([1, width], values.dtype)], axis=0)
    return [tf.gather(flat, places) for places in layout.groups]


def _gathered(tf: TensorFlow, parts: Sequence[Any], layout: Layout) -> Tensor:
    width, dtype = parts[0].shape[-1], parts[0].dtype
    flat = tf.concat([*(tf.reshape(part, [-1, width]) for part in parts), tf.zeros([1, width], dtype)], axis=0)
    return tf.gather(flat, layout.back)


class _Reading(NamedTuple):
    """How each sequence is read.

    Parameters
    ----------
    counts : int32 [B]
        Number of steps that count.
    ranks : int32 [B, T]
        Position at which each step is read; arbitrary where it does not count.
    steps : int32 [B, T]
        The step read at each position; arbitrary past the last.
    valid : bool [B, T] or None
    ragged : bool
    """

    counts: Tensor
    ranks: Tensor
    steps: Tensor
    valid: Tensor
    ragged: bool


def _reading(tf: TensorFlow, shape: Tensor, lengths: Tensor, mask: Tensor, backward: bool) -> _Reading:
    valid = valid_steps(tf, lengths, mask, shape[1])
    ranks = steps = tf.broadcast_to(tf.range(shape[1]), shape)
    counts = tf.fill(shape[:1], shape[1]) if lengths is None else lengths
    if lengths is None and valid is not None:
        seen = tf.cast(valid, tf.int32)
        counts, ranks = tf.reduce_sum(seen, axis=1), tf.cumsum(seen, axis=1) - 1
        steps = tf.argsort(1 - seen, axis=1, stable=True)
    if backward:
        last = counts[:, tf.newaxis] - 1
        steps = tf.gather(steps, tf.maximum(last - tf.range(shape[1]), 0), batch_dims=1)
        ranks = last - ranks
    return _Reading(counts, ranks, steps, valid, valid is not None)


def _take(tf: TensorFlow, shape: Tensor, read: _Reading, order: Tensor) -> Tensor:
    """Return the indices into the batch in reading order, with the rows in a given order: int32 [B, T]."""
    places = tf.range(shape[0])[:, tf.newaxis] * shape[1] + read.steps
    if read.valid is not None:
        there = tf.range(shape[1]) < read.counts[:, tf.newaxis]
        places = tf.where(there, places, shape[0] * shape[1])
    return tf.gather(places, order)


def _transposed(tf: TensorFlow, places: Tensor) -> Tensor:
    """Transpose integers [R, S] to [S, R], cast to another type: TensorFlow would log warnings about integers."""
    return tf.bitcast(tf.transpose(tf.bitcast(places, tf.float32)), tf.int32)


def _cuts(rows: Tensor, groups: int) -> list[tuple[Any, Any]]:
    """Split rows into groups, each but the last of even size."""
    ends = [rows * number // groups // 2 * 2 for number in range(groups)] if groups else [0]
    return list(zip(ends, [*ends[1:], rows], strict=True))
