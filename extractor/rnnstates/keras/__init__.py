"""Keras 3 layers that return every hidden and cell state, trainable.

``hidden, cell = StateLSTM(64)(inputs, lengths=lengths)``. ``layers`` has the recurrent layers, ``pooling`` the layers
that reduce a sequence to one vector, ``states`` what the recurrent layers return; ``masks`` and ``cells`` serve both.
Importing it starts TensorFlow, on which Keras must run; ``keras`` here is that Keras.
"""

from .layers import StateGRU, StateLSTM, StateRNN
from .pooling import (
    LAYERS,
    FinalState,
    FirstState,
    LastState,
    LengthAwareMax,
    LengthAwareMean,
    LengthAwareMin,
    LengthAwareStd,
    LengthAwareSum,
)
from .started import keras
from .states import GRUStates, LSTMStates, RNNStates

__all__ = [
    "LAYERS",
    "FinalState",
    "FirstState",
    "GRUStates",
    "LSTMStates",
    "LastState",
    "LengthAwareMax",
    "LengthAwareMean",
    "LengthAwareMin",
    "LengthAwareStd",
    "LengthAwareSum",
    "RNNStates",
    "StateGRU",
    "StateLSTM",
    "StateRNN",
    "keras",
]
