"""From weights files to ``Network``: containers (readers), conventions (names and gate order), one canonical form."""

from .initialise import random_network
from .load import describe_weights, is_weights_file, load_weights
from .save import save_weights

__all__ = ["describe_weights", "is_weights_file", "load_weights", "random_network", "save_weights"]
