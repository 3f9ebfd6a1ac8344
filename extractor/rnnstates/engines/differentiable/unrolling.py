"""Unrolls a layer inside a TensorFlow graph: ``layout`` orders the steps, ``fused`` or ``looped`` runs the cell."""

import os
from functools import partial
from typing import Any

from ...arrays.axes import Tensor
from ...runtime.tensorflow_start import TensorFlow, import_tensorflow
from .fused import Fused, is_fused, is_one_op
from .layout import Layout, gathered, lay_out, of_rows, spread
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
        The cell's parameters, as tensors of the dtype of ``start``.
    inputs : floating [B, T, I]
        Values at steps that do not count are arbitrary. A narrower dtype than that of ``start`` is used for the
        factors of products.
    start : NamedTuple
        The states before the first step read, floating [B, W].
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
        The states, floating [B, T, W] of the dtype of ``start``, each at the step of its input; zero at steps that do
        not count. Differentiable with respect to ``inputs``, ``start`` and every tensor of ``parameters``.
    """
    tf = import_tensorflow()
    exact = inputs.dtype == start[0].dtype
    fuse = fuse and exact and is_fused(cell, parameters, start[0].dtype)
    ragged = lengths is not None or mask is not None
    one_op = fuse and is_one_op(parameters)
    groups = _groups(tf, ragged=ragged, one_op=one_op) if fuse else 0
    layout = lay_out(
        tf, tf.shape(inputs)[:2], lengths, mask, backward=backward, groups=groups, even=one_op
    )  # fmt: skip
    if fuse:
        run: Any = Fused(tf, parameters)
    else:
        run = partial(looped, tf, cell, parameters, factors=inputs.dtype, **_live(tf, layout, inputs))
    made = [
        run(values, type(start)(*(of_rows(tf, state, rows) for state in start)))
        for values, rows in zip(spread(tf, inputs, layout), layout.rows, strict=True)
    ]
    return type(start)(*(gathered(tf, parts, layout) for parts in zip(*made, strict=True)))


def _groups(tf: TensorFlow, *, ragged: bool, one_op: bool) -> int:
    """Return the number of groups that run in parallel: one per core if that gains anything, one on a GPU.

    Short sequences finish earlier in a group of their own, and the op over many steps mostly uses one core; products
    of many rows use all cores. Not verified on a GPU.
    """
    if tf.config.list_physical_devices("GPU") or not (ragged or one_op):
        return 1
    return min(MOST_GROUPS, len(os.sched_getaffinity(0)))


def _live(tf: TensorFlow, layout: Layout, inputs: Tensor) -> dict[str, Any]:
    """Return the loop's argument ``live``, where a sequence has a step; nothing if all steps are valid."""
    if layout.plain:
        return {}
    (places,) = layout.groups
    return {"live": places < tf.reduce_prod(tf.shape(inputs)[:2])}
