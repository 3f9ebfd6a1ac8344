"""Lists the attributes of an untrusted HDF5 object that are safe to read."""

import h5py

__all__ = ["fixed_attributes", "is_fixed", "is_scale", "plain_attributes", "text_of"]

# Classes of types: numbers, texts and truth values.
PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)


def plain_attributes(attached: h5py.Group | h5py.Dataset) -> list[str]:
    """Name the attributes that are texts or numbers; reading any other may crash HDF5 where its type is damaged."""
    return [name for name in attached.attrs if attached.attrs.get_id(name).get_type().get_class() in PLAIN]


def fixed_attributes(attached: h5py.Group | h5py.Dataset) -> list[str]:
    """Name those of them that lie with the object, as in a states file: none in a heap, whose walk may not end."""
    return [name for name in attached.attrs if is_fixed(attached, name)]


def is_fixed(attached: h5py.Group | h5py.Dataset, name: str) -> bool:
    """Return whether there is such an attribute."""
    if name not in attached.attrs:
        return False
    kind = attached.attrs.get_id(name).get_type()
    return kind.get_class() in PLAIN and not getattr(kind, "is_variable_str", bool)()


def is_scale(attached: h5py.Group | h5py.Dataset) -> bool:
    """Return whether a dataset names a dimension; HDF5's own H5DSis_scale frees memory twice over a damaged mark."""
    return text_of(attached, "CLASS") == b"DIMENSION_SCALE"


def text_of(attached: h5py.Group | h5py.Dataset, name: str) -> bytes:
    """Return an attribute that is one text; b"" where there is none."""
    value = attached.attrs[name] if is_fixed(attached, name) else b""
    return value if isinstance(value, bytes) else b""
