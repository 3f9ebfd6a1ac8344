"""Unrolls a layer inside a TensorFlow graph: ``layout`` orders the steps, ``fused`` or ``looped`` runs the cell."""

import os
from functools import partial
from typing import Any

from ...arrays.axes import Tensor
from ...runtime.tensorflow_start import TensorFlow, import_tensorflow
from .fused import Fused, is_fused, is_one_op
from .layout import Layout, begun, gathered, lay_out, spread
from .looped import looped

__all__ = ["unrolled"]

MOST_GROUPS = 8


def unrolled(
    cell: str,
    parameters: Any,
    inputs: Tensor,
    start: Any,
    *,
    lengths: Tensor | None = None,
    mask: Tensor | None = None,
    backward: bool = False,
    fuse: bool = True,
) -> Any:
    """Run a cell over the steps that count.

    Parameters
    ----------
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    parameters : NamedTuple
        The cell's parameters, as tensors of the dtype of the states.
    inputs : floating [B, T, I]
        Values at steps that do not count are arbitrary. A narrower dtype than that of the states is used for the
        factors of products.
    start : NamedTuple
        The states before the first step read, floating [B, W]; or their widths, int, to start from zero.
    lengths : int32 [B] or None
        Number of valid steps at the start of each row; None to use the mask.
    mask : bool [B, T] or None
        Which steps count, in any pattern; None for all. The other steps leave the states unchanged.
    backward : bool
        Whether steps are read from the last valid one to the first.
    fuse : bool
        Whether to use the op over many steps if it computes the cell.

    Returns
    -------
    NamedTuple
        The states, floating [B, T, W] of the dtype of ``parameters``, each at the step of its input; zero at steps that
        do not count. Differentiable with respect to ``inputs``, ``start`` and every tensor of ``parameters``.
    """
    tf = import_tensorflow()
    dtype = parameters.kernel.dtype
    fuse = fuse and inputs.dtype == dtype and is_fused(cell, parameters, dtype)
    ragged = lengths is not None or mask is not None
    one_op = fuse and is_one_op(parameters)
    groups = _groups(tf, ragged=ragged, one_op=one_op) if fuse else 0
    rows, steps, _ = tf.unstack(tf.shape(inputs))
    layout = lay_out(tf, rows, steps, lengths, mask, backward=backward, groups=groups, even=one_op)
    if fuse:
        run: Any = Fused(tf, parameters)
    else:
        run = partial(looped, tf, cell, parameters, factors=inputs.dtype, **_live(tf, layout, rows * steps))
    begin = zip(*(begun(tf, values, layout, dtype) for values in start), strict=True)
    made = [run(values, type(start)(*states)) for values, states in zip(spread(tf, inputs, layout), begin, strict=True)]
    return type(start)(*(gathered(tf, parts, layout) for parts in zip(*made, strict=True)))


def _groups(tf: TensorFlow, *, ragged: bool, one_op: bool) -> int:
    """Return the number of groups that run in parallel: one per core if that gains anything, one on a GPU.

    Short sequences finish earlier in a group of their own, and the op over many steps mostly uses one core; products
    of many rows use all cores. Not verified on a GPU.
    """
    if tf.config.list_physical_devices("GPU") or not (ragged or one_op):
        return 1
    return min(MOST_GROUPS, len(os.sched_getaffinity(0)))


def _live(tf: TensorFlow, layout: Layout, nothing: Tensor) -> dict[str, Any]:
    """Return the loop's argument ``live``, where a sequence has a step; nothing if all steps are valid."""
    if layout.plain:
        return {}
    (places,) = layout.groups
    return {"live": tf.expand_dims(places < nothing, -1)}
