"""What scikit-learn hands on, as a source: a list of arrays, padded block by block as it is read, or a padded array.

Row numbers in messages are those of X.
"""

from .expected import Expected, Padding, Sequences
from .given import read_sequences

__all__ = ["Expected", "Padding", "Sequences", "read_sequences"]
