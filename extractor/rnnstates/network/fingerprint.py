"""A digest of every weight and setting of a network, which identifies what it computes."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

from .model import Network

__all__ = ["fingerprint"]

# Names and origins do not change what a network computes.
BESIDE = ("origin", "notes", "masked", "mask")


def fingerprint(network: Network) -> str:
    """Compute the digest of a network.

    Returns
    -------
    str
        SHA-256, hexadecimal: equal for networks with the same equations and the same numbers.
    """
    digest = hashlib.sha256()
    for part in _parts(network):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes | memoryview]:
    """Yield the parts of a value, each preceded by its type."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in BESIDE:
                yield f"\n{field.name}: ".encode()
                yield from _parts(getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape} ".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield f"\n[{name}] ".encode()
            yield from _parts(value[name])
    elif isinstance(value, tuple | list):
        yield f"{len(value)} of ".encode()
        for element in value:
            yield from _parts(element)
    else:
        yield repr(value).encode()
