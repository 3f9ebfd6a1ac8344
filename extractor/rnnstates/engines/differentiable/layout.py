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

__all__ = ["Layout", "begun", "gathered", "lay_out", "spread", "valid_steps"]


class Layout(NamedTuple):
    """Places of steps.

    Parameters
    ----------
    groups : tuple of int32 [S, R]
        For each group and step, the index into the batch seen as [B * T]; B * T itself for nothing.
    back : int32 [B, T]
        For each step of the batch, the index into the concatenated rows of the groups; past the last for none.
    counts : tuple of int32
        The number R of rows of each group.
    order : int32 [sum of R] or None
        The sequences of all groups; a row added to make a number even may be any. None for the order of the batch.
    plain : bool
        All sequences are complete and in one group: only the axes are swapped.
    """

    groups: tuple[Tensor, ...]
    back: Tensor
    counts: tuple[Tensor, ...]
    order: Tensor = None
    plain: bool = False


def valid_steps(tf: TensorFlow, lengths: Tensor, mask: Tensor, steps: Tensor) -> Tensor:
    """Return which steps count: bool [B, T] from lengths [B], else from the mask, else None for all of them."""
    if lengths is not None:
        return tf.sequence_mask(lengths, steps)
    return None if mask is None else tf.cast(mask, tf.bool)


def lay_out(
    tf: TensorFlow,
    rows: Tensor,
    steps: Tensor,
    lengths: Tensor,
    mask: Tensor,
    *,
    backward: bool,
    groups: int,
    even: bool = False,
) -> Layout:
    """Compute the layout, in few nodes: each costs TensorFlow about as much time as running a small layer.

    Parameters
    ----------
    tf : module
    rows, steps : int32
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
        return Layout((None,), None, (rows,), plain=True)
    read, numbers = _reading(tf, steps, lengths, mask, backward), tf.range(rows)[:, tf.newaxis]
    places, nothing = numbers * steps + read.steps, rows * steps
    if read.there is not None:
        places = tf.where(read.there, places, nothing)
    if not groups:
        back = numbers + read.ranks * rows
        back = back if read.valid is None else tf.where(read.valid, back, nothing)
        return Layout((_transposed(tf, places),), back, (rows,))
    return _grouped(tf, read, places, _cut(tf, rows, groups, even=even), (rows, steps))


def _grouped(tf: TensorFlow, read: "_Reading", places: Tensor, cut: "_Cut", shape: tuple[Tensor, Tensor]) -> Layout:
    """Split the places [B, T] into groups of sequences, longest first, each as far as its longest."""
    (rows, steps), longest, order = shape, shape[1], tf.range(shape[0])
    slots = order
    if read.counts is not None:
        ranked, order = tf.math.top_k(read.counts, rows)
        places, slots = tf.gather(places, order), tf.math.invert_permutation(order)
        # Products and loops expect at least one step; a group without rows takes no more.
        longest = tf.gather(tf.pad(ranked, [[0, 1]]), cut.starts) * tf.minimum(cut.sizes, 1)
        longest = tf.minimum(steps, tf.maximum(longest, 1))
    added = tf.reduce_sum(cut.counts) - rows
    places = tf.pad(places, [[0, added], [0, 0]], constant_values=rows * steps)
    parts = tf.split(places, cut.counts, num=cut.groups)
    if read.counts is not None:
        ends = tf.unstack(longest, cut.groups)
        parts = [tf.slice(part, [0, 0], [-1, end]) for part, end in zip(parts, ends, strict=True)]
    slots, taken = slots[:, tf.newaxis], cut.counts * longest
    group = tf.reduce_sum(tf.cast(slots >= cut.between, tf.int32), axis=1, keepdims=True)
    first = tf.cumsum(taken, exclusive=True) - cut.starts
    back = tf.gather(first, group) + slots + read.ranks * tf.gather(cut.counts, group)
    back = back if read.valid is None else tf.where(read.valid, back, tf.reduce_sum(taken))
    counts = tuple(tf.unstack(cut.counts, cut.groups))
    return Layout(tuple(_transposed(tf, part) for part in parts), back, counts, tf.pad(order, [[0, added]]))


def begun(tf: TensorFlow, values: Tensor, layout: Layout, dtype: object) -> list[Tensor]:
    """Give a state before the first step, [B, W], to the groups, each [R, W]; zeros where only W is given."""
    if isinstance(values, int):
        return [tf.zeros([count, values], dtype) for count in layout.counts]
    if layout.order is None:
        return [values]
    return list(tf.split(_of_rows(tf, values, layout.order), layout.counts))


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


def _of_rows(tf: TensorFlow, values: Tensor, rows: Tensor) -> Tensor:
    """Gather some rows of [B, W] into [R, W]; the gradient is a dense tensor, not a sparse one."""

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
    """How each sequence is read; all of ``counts``, ``there`` and ``valid`` are None where every step counts.

    Parameters
    ----------
    ranks : int32 [B, T] or [T]
        Position at which each step is read; arbitrary where it does not count.
    steps : int32 [B, T] or [T]
        The step read at each position; arbitrary past the last.
    counts : int32 [B]
        Number of steps that count.
    there : bool [B, T]
        Whether a step is read at each position.
    valid : bool [B, T]
        Whether each step counts.
    """

    ranks: Tensor
    steps: Tensor
    counts: Tensor = None
    there: Tensor = None
    valid: Tensor = None


def _reading(tf: TensorFlow, steps: Tensor, lengths: Tensor, mask: Tensor, backward: bool) -> _Reading:
    positions = tf.range(steps)
    if lengths is not None:
        there, order = positions < lengths[:, tf.newaxis], positions
        if backward:
            order = lengths[:, tf.newaxis] - 1 - positions
        return _Reading(order, tf.maximum(order, 0) if backward else order, lengths, there, there)
    if mask is None:
        order = steps - 1 - positions if backward else positions
        return _Reading(order, order)
    seen = tf.cast(mask, tf.int32)
    counts, ranks = tf.reduce_sum(seen, axis=1), tf.cumsum(seen, axis=1, reverse=backward) - 1
    # Equal values stay in their order.
    order = tf.math.top_k(tf.reverse(seen, [1]) if backward else seen, steps).indices
    order = steps - 1 - order if backward else order
    return _Reading(ranks, order, counts, positions < counts[:, tf.newaxis], mask)


def _transposed(tf: TensorFlow, places: Tensor) -> Tensor:
    """Transpose integers [R, S] to [S, R], cast to another type: TensorFlow would log warnings about integers."""
    return tf.bitcast(tf.transpose(tf.bitcast(places, tf.float32)), tf.int32)


class _Cut(NamedTuple):
    """Rows split into ``groups``, each but the last of even size.

    Parameters
    ----------
    groups : int
        G.
    starts, sizes, counts : int32 [G]
        The first row of each, their number, and that with the row that makes it even.
    between : int32 [G - 1]
        ``starts`` without the first.
    """

    groups: int
    starts: Tensor
    sizes: Tensor
    counts: Tensor
    between: Tensor


def _cut(tf: TensorFlow, rows: Tensor, groups: int, *, even: bool) -> _Cut:
    between = rows * tf.constant([*range(1, groups)], tf.int32) // (2 * groups) * 2
    starts = tf.concat([[0], between], axis=0)
    sizes = tf.concat([between, rows[tf.newaxis]], axis=0) - starts
    return _Cut(groups, starts, sizes, sizes + sizes % 2 if even else sizes, between)
