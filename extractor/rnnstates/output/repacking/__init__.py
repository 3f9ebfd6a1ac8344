"""Writes the states of a finished file into another: in another layout or type, in compressed chunks, or contiguous.

The road of a value: ``stored`` reads rows of a dataset, whatever its storage, and compares them with the sums of the
file; ``moving`` says where they go in the other layout; ``rows`` converts and writes them; ``rewrite`` does so for
every dataset, in the file that ``structure`` has laid out.
"""

from .finished import Finished, digest_of, read_finished
from .named import write_named
from .rewriting import Rewriting, rewrite

__all__ = ["Finished", "Rewriting", "digest_of", "read_finished", "rewrite", "write_named"]
