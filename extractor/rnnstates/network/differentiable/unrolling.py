"""All states of a layer inside a TensorFlow graph: steps brought in order, the cell run over them, and back."""

from typing import Any

from .fused import fused, is_fused
from .looped import looped
from .steps import cleared, count_steps, in_order, valid_steps

__all__ = ["unrolled"]


def unrolled(
    tf: Any,
    cell: str,
    parameters: Any,
    inputs: Any,
    start: Any,
    *,
    lengths: Any = None,
    mask: Any = None,
    backward: bool = False,
    fuse: bool = True,
) -> Any:
    """Run a cell over the steps that count.

    Parameters
    ----------
    tf : module
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    parameters : NamedTuple
        What the cell reads, of tensors in the dtype of ``start``.
    inputs : floating [B, T, I]
        Anything may stand at steps that do not count. A narrower dtype than that of ``start`` is that of the factors
        of products.
    start : NamedTuple
        The states before the first step that is read, floating [B, W].
    lengths : int32 [B] or None
        Each row's first steps are valid, so many; None for what the mask says.
    mask : bool [B, T] or None
        Which steps count, in any pattern; None for all. The states go past the others unchanged.
    backward : bool
        Whether steps are read from the last valid one to the first.
    fuse : bool
        Whether the op over many steps is used where it computes the cell.

    Returns
    -------
    NamedTuple
        The states floating [B, T, W], of the dtype of ``start``, each where its input stands; zero at steps that do
        not count. Differentiable in ``inputs``, ``start`` and every tensor of ``parameters``.
    """
    valid = valid_steps(tf, lengths, mask, tf.shape(inputs)[1])
    inputs = cleared(tf, inputs, valid)
    counts = lengths if lengths is not None else None if valid is None else count_steps(tf, valid)
    fuse = fuse and inputs.dtype == start[0].dtype and is_fused(cell, parameters, start[0].dtype)

    def run(values: Any) -> Any:
        if fuse:
            return fused(tf, parameters, values, counts, start)
        return looped(tf, cell, parameters, values, start, inputs.dtype)

    def run_in_order(front: Any, back: Any) -> Any:
        states = run(_turned(tf, front(inputs), counts, backward))
        return type(start)(*(back(_turned(tf, values, counts, backward)) for values in states))

    # Lengths leave every step where it is.
    states = in_order(tf, None if lengths is not None else valid, run_in_order)
    return type(start)(*(cleared(tf, values, valid) for values in states))


def _turned(tf: Any, values: Any, counts: Any, backward: bool) -> Any:
    """Reverse the valid part of each row [B, T, W]; does the same again on the way back."""
    if not backward:
        return values
    return tf.reverse(values, [1]) if counts is None else tf.reverse_sequence(values, counts, seq_axis=1)
