"""Where the steps of a batch stand while a cell runs over them, and the way there and back.

An unroll wants time first, the steps of each sequence in the order in which they are read, from the first on, and
nothing else. A batch has sequences first, padding at either end or in between, and backward layers read from the end.
Each is a change of places, so all of them together are one: rows are gathered once on the way there and once on the
way back, and the gradient of the one is the other. What stands at a step that does not count is never read, and gets
zero.

Sequences may be cut into groups that are run side by side, longest first, each only as far as its longest.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Layout", "gathered", "lay_out", "of_rows", "spread", "valid_steps"]


class Layout(NamedTuple):
    """Places of steps.

    Parameters
    ----------
    groups : tuple of int32 [S, R]
        For each group and step of it the place in the batch seen as [B * T]; B * T itself for nothing.
    back : int32 [B, T]
        For each step of the batch the place in the groups, seen as rows one after the other; behind the last for none.
    rows : tuple of int32 [R]
        The sequences of each group; one that was added to make them even is any.
    plain : bool
        All sequences from end to end, in one group: nothing but time first.
    """

    groups: tuple[Any, ...]
    back: Any
    rows: tuple[Any, ...]
    plain: bool = False


def valid_steps(tf: Any, lengths: Any, mask: Any, steps: Any) -> Any:
    """Tell which steps count: bool [B, T] from lengths [B], else from the mask, else None for all of them."""
    if lengths is not None:
        return tf.sequence_mask(lengths, steps)
    return None if mask is None else tf.cast(mask, tf.bool)


def lay_out(tf: Any, shape: Any, lengths: Any, mask: Any, *, backward: bool, groups: int, even: bool = False) -> Layout:
    """Choose places.

    Parameters
    ----------
    tf : module
    shape : int32 [2]
        B and T.
    lengths : int32 [B] or None
    mask : bool [B, T] or None
        Used where there are no lengths.
    backward : bool
        Whether sequences are read from their last valid step on.
    groups : int
        0 for all sequences in one group that is run to T, in their order: what XLA can compile.
    even : bool
        Whether groups have to have even numbers of rows: of odd ones TensorFlow's op over many steps makes copies, and
        complains of it in the log.
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
        # At least one step, which is what products and loops expect.
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


def spread(tf: Any, values: Any, layout: Layout) -> list[Any]:
    """Bring a batch [B, T, W] to its groups, each [S, R, W]; zero where nothing stands."""
    if layout.plain:
        return [tf.transpose(values, [1, 0, 2])]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def there(values: Any, back: Any, *groups: Any) -> Any:
        inside = _inside(tf, groups, back)
        none = [None] * (1 + len(groups))
        return _spread(tf, values, inside), lambda *upstream: (gathered(tf, upstream, inside), *none)

    return list(there(values, layout.back, *layout.groups))


def of_rows(tf: Any, values: Any, rows: Any) -> Any:
    """Give the values [B, W] of some sequences, [R, W]; its gradient is a plain tensor, not a sparse one."""
    if rows is None:
        return values

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def take(values: Any, rows: Any) -> Any:
        count, rows = tf.shape(values)[0], tf.identity(rows)
        return tf.gather(values, rows), lambda upstream: (tf.math.unsorted_segment_sum(upstream, rows, count), None)

    return take(values, rows)


def gathered(tf: Any, parts: Sequence[Any], layout: Layout) -> Any:
    """Bring groups, each [S, R, W], back to a batch [B, T, W]; zero at steps that do not count."""
    if layout.plain:
        return tf.transpose(parts[0], [1, 0, 2])

    count = len(parts)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def back(*given: Any) -> Any:
        inside = _inside(tf, given[count + 1 :], given[count])
        none = [None] * (1 + len(inside.groups))
        return _gathered(tf, given[:count], inside), lambda upstream: (*spread(tf, upstream, inside), *none)

    return back(*parts, layout.back, *layout.groups)


def _inside(tf: Any, groups: Sequence[Any], back: Any) -> Layout:
    """Take places up into the graph that is being made: the gradient of a gradient can reach no other one."""
    return Layout(tuple(tf.identity(places) for places in groups), tf.identity(back), ())


def _spread(tf: Any, values: Any, layout: Layout) -> list[Any]:
    width = values.shape[-1]
    flat = tf.concat([tf.reshape(values, [-1, width]), tf.zeros([1, width], values.dtype)], axis=0)
    return [tf.gather(flat, places) for places in layout.groups]


def _gathered(tf: Any, parts: Sequence[Any], layout: Layout) -> Any:
    width, dtype = parts[0].shape[-1], parts[0].dtype
    flat = tf.concat([*(tf.reshape(part, [-1, width]) for part in parts), tf.zeros([1, width], dtype)], axis=0)
    return tf.gather(flat, layout.back)


class _Reading(NamedTuple):
    """How each sequence is read.

    Parameters
    ----------
    counts : int32 [B]
        Steps that count.
    ranks : int32 [B, T]
        When each step is read; anything where it does not count.
    steps : int32 [B, T]
        Which step is read when; anything behind the last.
    valid : bool [B, T] or None
    ragged : bool
    """

    counts: Any
    ranks: Any
    steps: Any
    valid: Any
    ragged: bool


def _reading(tf: Any, shape: Any, lengths: Any, mask: Any, backward: bool) -> _Reading:
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


def _take(tf: Any, shape: Any, read: _Reading, order: Any) -> Any:
    """Give the places in the batch of what is read, row by row in an order: int32 [B, T]."""
    places = tf.range(shape[0])[:, tf.newaxis] * shape[1] + read.steps
    if read.valid is not None:
        there = tf.range(shape[1]) < read.counts[:, tf.newaxis]
        places = tf.where(there, places, shape[0] * shape[1])
    return tf.gather(places, order)


def _transposed(tf: Any, places: Any) -> Any:
    """Turn whole numbers [R, S] to [S, R]; as if they were others, for of these TensorFlow's log would complain."""
    return tf.bitcast(tf.transpose(tf.bitcast(places, tf.float32)), tf.int32)


def _cuts(rows: Any, groups: int) -> list[tuple[Any, Any]]:
    """Cut rows into groups of an even number each, but the last."""
    ends = [rows * number // groups // 2 * 2 for number in range(groups)] if groups else [0]
    return list(zip(ends, [*ends[1:], rows], strict=True))
