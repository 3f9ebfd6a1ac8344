"""One call of TensorFlow's op over many steps, ``BlockLSTMV2``, which computes a block of steps of a plain LSTM.

The op returns every state and gate of every step, in float32. It has no lengths, no projection and no other
activations; in its first version the clip is on unless set to 0; past its ``seq_len_max`` gates are uninitialised
memory. Here it always runs all steps that it is given, and ``BlockUnroll`` cuts off or clears the rest.
Tested against the packed loop and the NumPy engine. Not verified on a GPU.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...network.cells.lstm import LSTMState
from ...network.model import LayerWeights
from ...runtime.tensorflow_start import TensorFlow

__all__ = ["Block", "FusedBlock"]

# Inputs or states of some steps, time first, and the state before them.
Block = Annotated[npt.NDArray[np.float32], "S R _"]
FirstState = Annotated[npt.NDArray[np.floating[Any]], "R H"]

# Their names in the op.
OUTPUTS = {
    "hidden": "h",
    "cell": "cs",
    "input_gate": "i",
    "forget_gate": "f",
    "output_gate": "o",
    "candidate": "ci",
}


class FusedBlock:
    """Computes a block of steps in one op.

    Parameters
    ----------
    tf : module
    weights : LayerWeights
        Must fulfil ``lstm.is_plain``; the op's second version has the same order of gates.
    gates : sequence of str
        Gates to return together with the states.
    """

    # Number of arrays [S, R, H] that it always makes: i, cs, f, o, ci, co and h.
    made = 7

    def __init__(self, tf: TensorFlow, weights: LayerWeights, gates: Sequence[str]) -> None:
        self._op = tf.raw_ops.BlockLSTMV2
        self._outputs = {name: OUTPUTS[name] for name in (*LSTMState._fields, *gates)}
        peepholes = np.zeros((3, weights.units)) if weights.peepholes is None else weights.peepholes
        wci, wcf, wco = (tf.constant(values, tf.float32) for values in peepholes)
        self._arguments = {
            "w": tf.constant(np.concatenate([weights.kernel, weights.recurrent_kernel]), tf.float32),
            "b": tf.constant(weights.whole_bias(), tf.float32),
            "wci": wci,
            "wcf": wcf,
            "wco": wco,
            "use_peephole": weights.peepholes is not None,
            "cell_clip": weights.cell_clip or 0.0,
        }

    def rows(self, live: int) -> int:
        """Round up to an even number: with odd numbers the op makes copies and logs a warning."""
        return live + live % 2

    def __call__(self, inputs: Block, state: Mapping[str, FirstState]) -> Mapping[str, Block]:
        """Compute states and gates, float32 [S, R, H] by name, from inputs, float32 [S, R, I], and states [R, H]."""
        made = self._op(
            seq_len_max=len(inputs), x=inputs, cs_prev=state["cell"], h_prev=state["hidden"], **self._arguments
        )
        return {name: np.asarray(getattr(made, output)) for name, output in self._outputs.items()}
