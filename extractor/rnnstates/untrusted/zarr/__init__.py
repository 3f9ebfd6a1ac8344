"""Zarr stores of unknown origin, formats 2 and 3, read here: nothing outside is opened, and memory is bounded.

The package ``zarr`` itself follows links, loads codecs by name, and unpacks chunks to whatever size they claim.
"""

from .arrays import ZarrArray, arrays_in, open_array
from .chunks import Chunked
from .meaning import stand_in
from .stores import Store, open_store
from .types import is_text

__all__ = ["Chunked", "Store", "ZarrArray", "arrays_in", "is_text", "open_array", "open_store", "stand_in"]
