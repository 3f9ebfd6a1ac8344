"""How frameworks store a cell, as data: the order of the gates in the columns, what is added at run time.

A container says how arrays are stored; a convention says what they mean. ``convert`` applies one to the other.
"""

from dataclasses import dataclass

from .canonical import GATE_ORDER

__all__ = ["KERAS_LSTM", "Convention"]


@dataclass(frozen=True)
class Convention:
    """How one framework stores one cell.

    Parameters
    ----------
    name : str
        For provenance.
    cell : str
        A name in ``rnnstates.network.cells.CELLS``.
    gates : tuple of str
        The order of the blocks of columns; a permutation of ``GATE_ORDER``.
    forget_bias : float
        What the framework adds to the forget gate at run time, beside the stored bias.
    """

    name: str
    cell: str
    gates: tuple[str, ...]
    forget_bias: float


# keras/src/layers/rnn/lstm.py: z = split(x @ kernel + h @ recurrent_kernel + bias, 4), in the order i, f, c, o.
# unit_forget_bias only shapes the initial bias, so nothing is added at run time.
KERAS_LSTM = Convention("Keras LSTM", "lstm", GATE_ORDER, 0.0)
