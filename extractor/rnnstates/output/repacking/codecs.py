"""The ways to compress chunks of states: deflate, which every HDF5 has, and two that hdf5plugin brings."""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ...errors import EngineUnavailable
from ...errors.choices import Compression

__all__ = ["CODECS", "NONE", "codec"]

NONE: Compression = "none"


def _gzip() -> Mapping[str, Any]:
    return {"compression": "gzip", "compression_opts": 4, "shuffle": True}


def _zstd() -> Mapping[str, Any]:
    return {**_plugin("zstd").Zstd(clevel=3), "shuffle": True}


def _blosc() -> Mapping[str, Any]:
    plugin = _plugin("blosc")
    return dict(plugin.Blosc(cname="lz4", clevel=5, shuffle=plugin.Blosc.SHUFFLE))


# What h5py's ``create_dataset`` takes. The first bytes of all values lie together (shuffle): exponents repeat, the last
# bits of states are noise.
CODECS: Mapping[Compression, Callable[[], Mapping[str, Any]]] = {"gzip": _gzip, "zstd": _zstd, "blosc": _blosc}


def codec(compression: Compression) -> Mapping[str, Any]:
    """Return the arguments for ``create_dataset``; none for ``"none"``.

    Raises
    ------
    EngineUnavailable
        It needs hdf5plugin, which is not installed.
    """
    return {} if compression == NONE else CODECS[compression]()


def _plugin(compression: str) -> ModuleType:
    try:
        return importlib.import_module("hdf5plugin")
    except ImportError as reason:
        raise EngineUnavailable(
            f"compression=\"{compression}\": needs hdf5plugin ({reason}); pip install 'rnnstates[compress]', or use "
            'compression="gzip".'
        ) from reason
