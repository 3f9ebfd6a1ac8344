"""Attributes that change the meaning of a dataset's values, as netCDF and R write them.

The rules are those of the NetCDF Users Guide, appendix A ("Attribute Conventions"), which netCDF4-python and xarray
follow: a value that is a fill value, or outside the valid range, is missing; any other means
``value * scale_factor + add_offset``.
"""

from .attributes import CHANGING, is_other_scale
from .decoding import Packing
from .finding import packing_of, packing_of_tokens, reading_notes, whole_numbers

__all__ = ["CHANGING", "Packing", "is_other_scale", "packing_of", "packing_of_tokens", "reading_notes", "whole_numbers"]
