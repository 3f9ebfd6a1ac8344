"""Describes what determines the bits of a result on this machine; recorded, and part of a job's identity.

The same equations round differently in another kernel, another BLAS, or with other vector extensions. If everything
described here is equal, the same job gives the same bytes. Every description is in JSON types.
"""

import ctypes
import functools
import hashlib
import importlib
import math
import os
import platform
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Tensor
from ..runtime.tensorflow_start import TensorFlow

__all__ = ["machine", "of_numpy", "of_tensorflow", "spread"]

CPUINFO = Path("/proc/cpuinfo")
# The lines that name a processor, on x86 and on ARM.
NAMING = re.compile(r"(model name|CPU implementer|CPU variant|CPU part)\s*:\s*(.*)")
# Prefixes and suffixes of OpenBLAS' function names, in NumPy's wheels and elsewhere.
OPENBLAS_NAMES = (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", ""))
# Enough for all lines about one processor.
ONE_PROCESSOR = 8192


def machine() -> str:
    """Return the processor's architecture, e.g. ``x86_64``: it decides the order in which many numbers are summed."""
    return platform.machine()


def of_numpy() -> dict[str, str]:
    """Describe how NumPy multiplies matrices and computes tanh and exp in this process.

    Returns
    -------
    dict
        ``blas``: library, version and kind of kernel; ``vectors``: the processor's extensions that NumPy has code for;
        ``libm``: the C library, whose functions are used where NumPy has none; ``digest``: of the results for fixed
        numbers, because settings of the process matter too (GLIBC_TUNABLES, subnormal numbers treated as zero).
    """
    return {**_of_numpy(), "digest": _digest(np, np.matmul)}


@functools.cache
def _of_numpy() -> dict[str, str]:
    return {"blas": _blas(), "vectors": " ".join(_vectors()), "libm": _libm()}


def of_tensorflow(tf: TensorFlow) -> dict[str, Any]:
    """Describe what TensorFlow computes with, apart from its version: it adapts to caches, cores and vectors.

    Returns
    -------
    dict
        ``processor``, ``vectors``, ``threads`` (of one operation), ``onednn`` (None if unknown), ``gpus`` and
        ``digest``: of the results for fixed numbers, because variables such as ONEDNN_MAX_CPU_ISA matter too.
    """
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    # The caller may be building a graph, which is tied to its thread.
    with ThreadPoolExecutor(1) as other:
        digest = other.submit(_digest, tf, tf.linalg.matmul).result()
    return {
        "processor": _processor(),
        "vectors": " ".join(_vectors()),
        "threads": threads or _cores(),
        "onednn": _onednn(),
        "gpus": [
            str(tf.config.experimental.get_device_details(gpu).get("device_name"))
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "digest": digest,
    }


def spread(*shape: int) -> Annotated[npt.NDArray[np.float64], "..."]:
    """Return fixed numbers between -1 and 1 (Knuth's multiplicative hashing): importing numpy.random takes too long."""
    whole = np.arange(1, 1 + math.prod(shape), dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    return (whole / 2**31 - 1).reshape(shape)


def _digest(ops: Any, matmul: Any) -> str:
    """Digest what a library computes from fixed numbers, subnormal ones included; 16 hexadecimal digits."""
    found = hashlib.sha256()
    for dtype in (np.float32, np.float64):
        # Many: two ways of computing exp differ in one of a hundred numbers.
        one: Tensor = spread(48, 64).astype(dtype)
        other, small = spread(64, 80).astype(dtype), one * np.finfo(dtype).smallest_normal
        for given in (matmul(one, other), ops.exp(4 * one), ops.tanh(4 * one), small * one, ops.tanh(small)):
            found.update(np.asarray(given).tobytes())
    return found.hexdigest()[:16]


def _blas() -> str:
    """Ask OpenBLAS, which chooses its kernels by the processor; for others only NumPy's build settings are known."""
    # A lookup in NumPy's own library also searches the libraries that it was linked with.
    library = ctypes.CDLL(_multiarray().__file__)
    for before, after in OPENBLAS_NAMES:
        config, core = (
            getattr(library, f"{before}openblas_get_{what}{after}", None) for what in ("config", "corename")
        )
        if config and core:
            config.restype = core.restype = ctypes.c_char_p
            # "OpenBLAS 0.3.31 USE64BITINT DYNAMIC_ARCH …" and, e.g., "Haswell".
            return " ".join([*config().decode().split()[:2], core().decode()])
    name = "unknown"
    # Some builds of NumPy 1 do not describe themselves.
    with suppress(KeyError, TypeError):
        built: Any = np.show_config(mode="dicts")
        name = "{name} {version}".format(**built["Build Dependencies"]["blas"])
    return f"{name} on {_processor()}"


def _vectors() -> Iterator[str]:
    """Yield the processor's vector extensions that NumPy has code for and that are not switched off."""
    umath = _multiarray()
    return (name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name))


def _multiarray() -> Any:
    """NumPy's compiled core, which has moved between versions 1 and 2."""
    core: Any = getattr(np, "_core", None) or np.core
    return core._multiarray_umath


def _libm() -> str:
    with suppress(AttributeError, ValueError, OSError):
        return os.confstr("CS_GNU_LIBC_VERSION") or platform.system()
    return platform.system()


@functools.cache
def _processor() -> str:
    """Return the processor's model, or its architecture if the system says no more."""
    with suppress(OSError), CPUINFO.open(errors="replace") as file:
        if named := dict(NAMING.findall(file.read(ONE_PROCESSOR).partition("\n\n")[0])):
            return " ".join(named.values())
    return platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _onednn() -> bool | None:
    """Return whether TensorFlow multiplies with oneDNN; only a private module of it knows."""
    with suppress(ImportError, AttributeError):
        return bool(importlib.import_module("tensorflow.python.util._pywrap_util_port").IsMklEnabled())
    return None
