"""Lists the attributes of an untrusted HDF5 object that are safe to read."""

import h5py

__all__ = ["fixed_attributes", "is_fixed", "is_scale", "plain_attributes", "text_of"]

# HDF5 type classes: numbers, strings and enumerations (truth values).
PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)


def plain_attributes(attached: h5py.Group | h5py.Dataset) -> list[str]:
    """List the attributes that are strings or numbers; reading any other may crash HDF5 if its type is damaged."""
    return [name for name in attached.attrs if attached.attrs.get_id(name).get_type().get_class() in PLAIN]


def fixed_attributes(attached: h5py.Group | h5py.Dataset) -> list[str]:
    """List those stored in the object itself, as in a states file: reading a heap may never end."""
    return [name for name in attached.attrs if is_fixed(attached, name)]


def is_fixed(attached: h5py.Group | h5py.Dataset, name: str) -> bool:
    """Return whether there is such an attribute."""
    if name not in attached.attrs:
        return False
    kind = attached.attrs.get_id(name).get_type()
    return kind.get_class() in PLAIN and not getattr(kind, "is_variable_str", bool)()


def is_scale(attached: h5py.Group | h5py.Dataset) -> bool:
    """Return whether a dataset is a dimension scale; HDF5's H5DSis_scale frees memory twice on a damaged mark."""
    return text_of(attached, "CLASS") == b"DIMENSION_SCALE"


def text_of(attached: h5py.Group | h5py.Dataset, name: str) -> bytes:
    """Return an attribute that is one string; b"" if there is none."""
    value = attached.attrs[name] if is_fixed(attached, name) else b""
    return value if isinstance(value, bytes) else b""
