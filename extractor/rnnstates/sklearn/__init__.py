"""The scikit-learn transformer, and reading its X: a list of arrays, or a padded array.

Row numbers in messages are those of X.
"""

from ..inputs.ragged import Expected
from .expected import Padding, Sequences
from .given import read_sequences

__all__ = ["Expected", "Padding", "Sequences", "read_sequences"]
