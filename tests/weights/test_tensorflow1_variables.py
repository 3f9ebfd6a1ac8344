"""Variables of TensorFlow 1's checkpoints that are no weights of a cell: left out, refused, or taken with a note."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights

from .tensorflow1_models import SUFFIX, asked, check, write
from .test_tensorflow1 import arrays


def test_copies_of_a_variable_that_an_optimizer_or_an_average_keeps_are_not_weights(tmp_path):
    variables = asked("stacked", "float32")[1]
    copies = {
        f"{name}/{slot}": values + 1
        for name, values in variables.items()
        for slot in ("Adam", "Adam_1", "Momentum", "ExponentialMovingAverage")
    }
    copies |= {f"train/{name}/RMSProp": values + 1 for name, values in variables.items()}
    write(tmp_path / SUFFIX, copies | variables | {"global_step": np.int64(7), "beta1_power": np.float32(0.9)})
    check(tmp_path / SUFFIX, "stacked", "float32")


FOREIGN = {
    "rnn/lstm_cell/input/gamma": "has 'rnn/lstm_cell/input/gamma', which LSTMCell does not have",
    "rnn/layer_norm_basic_lstm_cell/kernel": "'rnn/layer_norm_basic_lstm_cell/kernel', of an unknown cell",
    "rnn/ugrnn_cell/kernel": "of an unknown cell",
    "rnn/nas_rnn/recurrent_kernel": "of an unknown cell",
    "rnn/phased_lstm_cell/mask_gates/kernel": "of an unknown cell",
    "rnn/attention_cell_wrapper/basic_lstm_cell/kernel": "is inside 'attention_cell_wrapper', which changes",
    "decoder/attention_wrapper/lstm_cell/kernel": "is inside 'attention_wrapper', which changes",
    "rnn/zoneout_wrapper/lstm_cell/kernel": "is inside 'zoneout_wrapper', which changes",
    "decoder/attention/multi_rnn_cell/cell_0_attention/attention/lstm_cell/kernel": "is inside 'cell_0_attention'",
    "cudnn_lstm/opaque_kernel": "the weights of a cuDNN layer in one array, in an order that only cuDNN knows",
    "rnn/multi_rnn_cell/cell_1/lstm_cell/kernel": "some are missing",
    "bidirectional_rnn/bw/multi_rnn_cell/cell_0/lstm_cell/bias": "no recurrent layer found",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_cell_of_another_kind_is_refused_by_its_variables(name, tmp_path):
    scope = name.rpartition("/")[0].removesuffix("/input")
    own = arrays(kernel=(8, 20), bias=20) if "/kernel" in name or "gamma" in name else {}
    saved = {f"{scope}/{leaf}": values for leaf, values in own.items()}
    write(tmp_path / SUFFIX, saved | {name: np.ones((8, 20), "f4")})
    with pytest.raises(BadWeights, match=FOREIGN[name]):
        rnnstates.load_weights(tmp_path / SUFFIX)


def test_an_embedding_that_fits_is_taken_with_a_note(tmp_path):
    table = arrays(words=(11, 3))["words"]
    write(tmp_path / SUFFIX, asked("gru", "float32")[1] | {"model/embedding": table, "model/embedding/Adam": table})
    network = rnnstates.load_weights(tmp_path / SUFFIX)
    np.testing.assert_array_equal(network.embedding, table)
    assert any("embedding 'model/embedding' is assumed to feed" in note for note in network.notes)
