"""Tables of Keras' names and defaults: classes, activations, and what each version assumes."""

import re

from ....network.activations import OTHER_NAMES
from ....network.model import Direction

__all__ = [
    "BLOCKS",
    "CELLS",
    "CUDNN",
    "DIRECTION_PREFIXES",
    "LAYERS",
    "MERGE_MODES",
    "MODELS",
    "NO_OPERATION",
    "OURS",
    "RECURRENT",
    "ROLES",
    "activation_name",
    "default_recurrent_activation",
    "default_reset_after",
    "snake_case",
    "version_number",
]

# The roles of a cell's arrays in the order in which Keras stores them.
ROLES = ("kernel", "recurrent_kernel", "bias")

# Blocks of columns in a kernel, by cell.
BLOCKS = {"lstm": 4, "gru": 3, "simple_rnn": 1}

# Cells by class: of layers, and of what RNN runs. The layers of ``rnnstates.keras`` output all states of all steps,
# backward ones in the order of the inputs.
OURS = {"StateLSTM": "lstm", "StateGRU": "gru", "StateRNN": "simple_rnn"}
LAYERS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn", "CuDNNLSTM": "lstm", "CuDNNGRU": "gru", **OURS}
CELLS = {"LSTMCell": "lstm", "GRUCell": "gru", "SimpleRNNCell": "simple_rnn"}
CUDNN = {"CuDNNLSTM", "CuDNNGRU"}

MODELS = {"Sequential", "Functional", "Model"}

# Layers with a state over time; those that are not in LAYERS, RNN or Bidirectional are refused by name.
RECURRENT = {*LAYERS, "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}

# Layers that change nothing outside training, or only say which steps count.
NO_OPERATION = {
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "Masking",
    "SpatialDropout1D",
}

# Bidirectional's merge_mode: how the next layer sees both directions. None keeps them apart.
MERGE_MODES = {"concat": "concat", "sum": "sum", "mul": "mul", "ave": "ave", None: "concat"}

# The names of Bidirectional's halves, in Keras 3's paths and in the names of legacy files.
DIRECTION_PREFIXES: dict[Direction, str] = {"forward": "forward_", "backward": "backward_"}

# Keras' names of activations that are ours too.
ACTIVATIONS = {
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu"),
    *("linear", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax"),
    *("softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh", "tanh_shrink"),
}


def version_number(version: str | None) -> tuple[int, int] | None:
    """Read (major, minor) from a ``keras_version``; None if there is none.

    Examples
    --------
    >>> version_number("2.2.4-tf"), version_number(None)
    ((2, 2), None)
    """
    found = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?", version or "")
    return (int(found[1]), int(found[2] or 0)) if found else None


def activation_name(name: str, version: str | None, *, aliases: bool = True) -> str | None:
    """Return our name of an activation; None if it is unknown.

    ``hard_sigmoid`` was clip(x / 5 + 1 / 2) up to Keras 2 (``tensorflow/python/keras/backend.py``) and is
    relu6(x + 3) / 6 since Keras 3 (``keras/src/backend/tensorflow/nn.py``), under the same name.

    Examples
    --------
    >>> activation_name("hard_sigmoid", "2.15.0"), activation_name("hard_sigmoid", "3.3.0")
    ('hard_sigmoid_fifth', 'hard_sigmoid')
    """
    number = version_number(version)
    if name == "hard_sigmoid" and (number is None or number[0] < 3):
        return "hard_sigmoid_fifth"
    name = OTHER_NAMES.get(name, name) if aliases else name
    return name if name in ACTIVATIONS else None


def default_recurrent_activation(version: str | None) -> str:
    """Return the recurrent activation of a layer for which none is stored.

    Keras up to 2.2 used ``hard_sigmoid`` (``keras/layers/recurrent.py``), later versions ``sigmoid``. Both TensorFlow
    1.15 and 2.0 call themselves ``2.2.4-tf``, which counts as the later one.
    """
    number = version_number(version)
    old = number is not None and number < (2, 3) and version != "2.2.4-tf"
    return "hard_sigmoid" if old else "sigmoid"


def default_reset_after(version: str | None) -> bool:
    """Return whether a GRU resets after the product by default: since TensorFlow 2.0 and Keras 3."""
    number = version_number(version)
    return number is None or number >= (2, 3)


def snake_case(class_name: str) -> str:
    """Turn a class name into the name of its group in a Keras 3 file, as ``keras.src.utils.naming.to_snake_case``.

    Examples
    --------
    >>> snake_case("LSTM"), snake_case("BatchNormalization")
    ('lstm', 'batch_normalization')
    """
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
