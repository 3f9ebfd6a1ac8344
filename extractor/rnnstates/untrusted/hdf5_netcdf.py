"""Resolves netCDF's names in HDF5: a dimension without values is no data, and may share a variable's name."""

import h5py

from .hdf5_attributes import is_scale, text_of

__all__ = ["names_of", "variable"]

# How the scale of a dimension is called that has a size and no values; what it holds are fill values.
BARE = b"This is a netCDF dimension but not a netCDF variable"
# How the stored name of a variable begins that has the name of a dimension whose values it does not hold.
NOT_A_COORDINATE = "_nc4_non_coord_"


def names_of(group: h5py.Group) -> list[str]:
    """Name what a group holds, stored names of netCDF last: ``variable`` gives what they stand for before."""
    return sorted(group.keys(), key=lambda name: name.startswith(NOT_A_COORDINATE))


def variable(group: h5py.Group, name: str) -> h5py.Dataset | h5py.Group | None:
    """Open what a hard link names, else None; of a dimension without values, the variable of its name, or None."""
    found = _linked(group, name)
    if found is not None and is_scale(found) and text_of(found, "NAME").startswith(BARE):
        return _linked(group, NOT_A_COORDINATE + name)
    return found


def _linked(group: h5py.Group, name: str) -> h5py.Dataset | h5py.Group | None:
    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
