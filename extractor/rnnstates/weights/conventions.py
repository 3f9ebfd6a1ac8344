"""Table of how frameworks store each cell: gate order, matrix orientation, what is added at run time.

A container says how arrays are stored; a convention says what they mean. ``convert`` applies one to the other. A parity
test compares every row with the framework itself (``tests/weights/test_census.py`` counts them).
"""

from dataclasses import dataclass

from ..network.names import GATES

__all__ = ["CONVENTIONS", "Convention"]

I, F, C, O = "input_gate", "forget_gate", "candidate", "output_gate"  # noqa: E741
Z, R = "update_gate", "reset_gate"


@dataclass(frozen=True)
class Convention:
    """How one framework stores one cell.

    Parameters
    ----------
    framework : str
        A value of the option ``convention``.
    cell : str
        A name in ``GATES``.
    gates : tuple of str
        The order of the blocks; a permutation of ``GATES[cell]``.
    peepholes : tuple of str
        The order of the peepholes if they are one array.
    transposed : bool
        Blocks are rows: kernel [G * H, I], recurrent kernel [G * H, W], projection [P, H].
    forget_bias : float
        What the framework adds to the forget gate at run time, on top of the stored bias.
    negated : tuple of str
        Gates that are the complement of ours: 1 - gate. The logistic function of -x is 1 minus that of x.
    reset_after : bool
        Whether a GRU resets the product; files that state it themselves override this.
    source : str
        Where it is documented.
    """

    framework: str
    cell: str
    gates: tuple[str, ...]
    source: str
    peepholes: tuple[str, ...] = (I, F, O)
    transposed: bool = False
    forget_bias: float = 0.0
    negated: tuple[str, ...] = ()
    reset_after: bool = False

    @property
    def name(self) -> str:
        """Its display name, e.g. ``torch gru``."""
        return f"{self.framework} {self.cell}"


_KERAS = "keras/src/layers/rnn/{lstm,gru,simple_rnn}.py: LSTMCell.call, GRUCell.call, SimpleRNNCell.call"
_TORCH = "torch/nn/modules/rnn.py: the equations in the docstrings of LSTM, GRU, RNN"
_ONNX = "onnx.defs.get_schema: LSTM, GRU, RNN, since_version 22"
_TF1 = "tensorflow/python/keras/layers/legacy_rnn/rnn_cell_impl.py: LSTMCell, GRUCell, BasicRNNCell"
_CUDNN = "tensorflow/contrib/cudnn_rnn/python/ops/cudnn_rnn_ops.py: CudnnCompatibleLSTMCell, CudnnCompatibleGRUCell"
_FLAX = "flax/linen/recurrent.py: OptimizedLSTMCell, GRUCell, SimpleCell; flax/nnx/nn/recurrent.py"
_EQUINOX = "equinox/nn/_rnn.py: LSTMCell, GRUCell"
_HAIKU = "haiku/_src/recurrent.py: LSTM, GRU, VanillaRNN"

_ROWS = (
    # unit_forget_bias only affects the initial bias, so nothing is added at run time.
    Convention("keras", "lstm", (I, F, C, O), _KERAS),
    Convention("keras", "gru", (Z, R, C), _KERAS, reset_after=True),
    Convention("keras", "simple_rnn", (C,), _KERAS),
    Convention("torch", "lstm", (I, F, C, O), _TORCH, transposed=True),
    Convention("torch", "gru", (R, Z, C), _TORCH, transposed=True, reset_after=True),
    Convention("torch", "simple_rnn", (C,), _TORCH, transposed=True),
    Convention("onnx", "lstm", (I, O, F, C), _ONNX, peepholes=(I, O, F), transposed=True),
    Convention("onnx", "gru", (Z, R, C), _ONNX, transposed=True),
    Convention("onnx", "simple_rnn", (C,), _ONNX, transposed=True),
    Convention("tensorflow1", "lstm", (I, C, F, O), _TF1, forget_bias=1.0),
    Convention("tensorflow1", "gru", (R, Z, C), _TF1),
    Convention("tensorflow1", "simple_rnn", (C,), _TF1),
    # What CudnnLSTM and CudnnGRU save: the blocks of TensorFlow 1, nothing added at run time.
    Convention("cudnn", "lstm", (I, C, F, O), _CUDNN),
    Convention("cudnn", "gru", (R, Z, C), _CUDNN, reset_after=True),
    Convention("flax", "lstm", (I, F, C, O), _FLAX),
    Convention("flax", "gru", (R, Z, C), _FLAX, reset_after=True),
    Convention("flax", "simple_rnn", (C,), _FLAX),
    Convention("equinox", "lstm", (I, F, C, O), _EQUINOX, transposed=True),
    Convention("equinox", "gru", (R, Z, C), _EQUINOX, transposed=True, reset_after=True),
    Convention("haiku", "lstm", (I, C, F, O), _HAIKU, forget_bias=1.0),
    Convention("haiku", "gru", (Z, R, C), _HAIKU, negated=(Z,)),
    Convention("haiku", "simple_rnn", (C,), _HAIKU),
    Convention("elmo", "lstm", (I, C, F, O), "allennlp/modules/lstm_cell_with_projection.py", forget_bias=1.0),
    Convention("unirep", "mlstm", (I, F, O, C), "churchlab/UniRep: unirep.py, mLSTMCell"),
)

CONVENTIONS: dict[str, dict[str, Convention]] = {}
for _row in _ROWS:
    assert sorted(_row.gates) == sorted(GATES[_row.cell])
    CONVENTIONS.setdefault(_row.framework, {})[_row.cell] = _row
