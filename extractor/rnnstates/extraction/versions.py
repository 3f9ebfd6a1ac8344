"""``versions()``: the versions of everything that decides what is computed and how fast, for a bug report."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import h5py
import numpy as np

from ..engines.compiled_engine import CompiledEngine, compiler, is_built, kinds
from ..version import __version__

__all__ = ["EXTRAS", "versions"]

# The package that each extra installs.
EXTRAS = {
    "arrow": "pyarrow",
    "compress": "hdf5plugin",
    "flax": "msgpack",
    "onnx": "onnx",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "zarr": "zarr",
}


def versions() -> dict[str, Any]:
    """Return the versions of rnnstates and its libraries, in JSON types; imports neither TensorFlow nor an extra.

    Returns
    -------
    dict
        ``rnnstates``, ``python``, ``platform``, ``numpy``, ``blas`` (that NumPy was built with), ``h5py``, ``hdf5``,
        ``tensorflow``, ``extras`` (the version of each extra's package) and ``kernel``: ``compiler``, ``runs`` (the
        kinds that this processor runs, widest last) and ``used`` (the one used for float32). None for what is not
        installed or not built.
    """
    return {
        "rnnstates": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "numpy": np.__version__,
        "blas": _blas(),
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "tensorflow": _installed("tensorflow"),
        "extras": {extra: _installed(package) for extra, package in EXTRAS.items()},
        "kernel": _kernel() if is_built() else None,
    }


def _kernel() -> dict[str, Any]:
    return {"used": CompiledEngine("float32").kind, "runs": list(kinds()), "compiler": compiler()}


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _blas() -> str:
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(blas[part]) for part in ("name", "version") if part in blas) or "unknown"
