"""Resolves netCDF's names in HDF5: a dimension without values is no data, and may share a variable's name."""

import h5py

from .hdf5_attributes import is_scale, text_of

__all__ = ["names_of", "variable"]

# The NAME of the scale of a dimension with a size but no values; it holds only fill values.
BARE = b"This is a netCDF dimension but not a netCDF variable"
# Prefix of the stored name of a variable that shares the name of a dimension without being its coordinates.
NOT_A_COORDINATE = "_nc4_non_coord_"


def names_of(group: h5py.Group) -> list[str]:
    """List the names in a group, netCDF's prefixed ones last: ``variable`` already finds those by their plain names."""
    return sorted(group.keys(), key=lambda name: name.startswith(NOT_A_COORDINATE))


def variable(group: h5py.Group, name: str) -> h5py.Dataset | h5py.Group | None:
    """Open the target of a hard link, else None; for a dimension without values, the variable of its name, or None."""
    found = _linked(group, name)
    if found is not None and is_scale(found) and text_of(found, "NAME").startswith(BARE):
        return _linked(group, NOT_A_COORDINATE + name)
    return found


def _linked(group: h5py.Group, name: str) -> h5py.Dataset | h5py.Group | None:
    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
