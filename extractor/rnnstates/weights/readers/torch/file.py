"""Opens PyTorch files (a pickle in a zip archive, or older forms), unpickled by PyTorch with ``weights_only``.

``weights_only=True`` is passed explicitly, so that no setting of the process can turn it off, and nothing less safe is
tried when it refuses. Versions before 2.10 had vulnerabilities (CVE-2025-32434, CVE-2026-24747) and are not used.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights, EngineUnavailable
from ....untrusted.zip import MOST_COMPRESSION, SMALL, check_member, is_zip, open_zip, zip_members, zip_names
from ..base import Container, Tensor, as_floating
from .data import NumpyArray, array_of, load_checked
from .nesting import found_tensors
from .pickle import check_pickles
from .refused import refused_pickle

__all__ = ["open_torch", "recognise_torch"]

OLDEST = (2, 10)
# The first bytes of files of PyTorch before 1.6: a pickled magic number.
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# Names of the arrays that are needed; problems with these are reported at once.
RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)")
LARGEST_MEMBER = 64 * 2**30


def recognise_torch(path: str) -> bool:
    """Return whether a file is an archive with a ``data.pkl``, or in the old format."""
    names = zip_names(path)
    if names is not None:
        return any(name.endswith("data.pkl") for name in names)
    with Path(path).open("rb") as file:
        return file.read(len(LEGACY)) == LEGACY


@contextlib.contextmanager
def open_torch(path: str) -> Iterator[Container]:
    """Open a state_dict, or a checkpoint around one.

    Raises
    ------
    BadWeights
        It is a TorchScript or exported program, damaged, much larger than stored, or holds more than weights.
    EngineUnavailable
        PyTorch is not installed, or too old to be safe.
    """
    if is_zip(path):
        _check_archive(path)
    check_pickles(path)
    torch = _import()
    try:
        # mmap leaves the arrays in the file until they are used.
        content = load_checked(torch, path, mmap=is_zip(path))
    except Exception as reason:
        # The unpickler may raise anything on damaged bytes.
        raise BadWeights(refused_pickle(path, reason)) from reason
    found = found_tensors(content, lambda value: isinstance(value, torch.Tensor | NumpyArray | np.ndarray), path)
    tensors = {name: _tensor(torch, name, value, path) for name, value in found.items()}
    yield Container(path, "PyTorch file", tensors)


def _import() -> Any:
    try:
        import torch
    except ImportError as reason:
        raise EngineUnavailable(
            f"PyTorch's files need PyTorch ({reason}); pip install 'rnnstates[torch]', or save the weights as "
            "safetensors."
        ) from reason
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < OLDEST:
        raise EngineUnavailable(
            f"PyTorch {torch.__version__} reads weights unsafely (CVE-2025-32434, CVE-2026-24747); expected 2.10 or "
            "later. Install that, or save the weights as safetensors."
        )
    return torch


def _check_archive(path: str) -> None:
    with open_zip(path, BadWeights) as archive:
        members = zip_members(archive, path, BadWeights)
    code = [name for name in members if "/code/" in name or name.endswith(("constants.pkl", ".pt2", "archive_format"))]
    if code:
        raise BadWeights(
            f"{path}: is a TorchScript or exported program (it holds {code[0]}), which is code; expected a state_dict, "
            "torch.save(model.state_dict(), ...) or safetensors."
        )
    for info in members.values():
        check_member(info, path, BadWeights, most=LARGEST_MEMBER)
    if sum(info.file_size for info in members.values()) > MOST_COMPRESSION * max(os.path.getsize(path), SMALL):  # noqa: PTH202
        raise BadWeights(f"{path}: unpacks to far more than it has; it is refused.")


def _tensor(torch: Any, name: str, value: Any, path: str) -> Tensor:
    where = f"{path}: '{name}'"
    if not isinstance(value, torch.Tensor):
        return _numpy_tensor(name, value, where)
    problem = _problem(torch, value)
    if problem and RECURRENT.search(name):
        raise BadWeights(f"{where}: {problem}")

    def read() -> Array:
        if problem:
            raise BadWeights(f"{where}: {problem}")
        try:
            wide = value.detach().to(torch.float32) if value.dtype == torch.bfloat16 else value.detach()
            values: Array = np.array(wide.resolve_neg().numpy())
        except (RuntimeError, TypeError) as reason:
            raise BadWeights(
                f"{where}: PyTorch cannot give its values ({reason}); save it as a plain array."
            ) from reason
        return values

    # A nested tensor has no shape.
    return Tensor(name, () if value.is_nested else tuple(value.shape), read)


def _numpy_tensor(name: str, value: Any, where: str) -> Tensor:
    values = array_of(value) if isinstance(value, NumpyArray) else value
    problem = f"{where}: is a NumPy array, but not a plain one of float64, float32 or float16; convert it to one."
    if values is not None and values.dtype.kind == "f":
        return Tensor(name, values.shape, lambda: as_floating(values, where))
    if RECURRENT.search(name):
        raise BadWeights(problem)

    def read() -> Array:
        raise BadWeights(problem)

    return Tensor(name, (), read)


def _problem(torch: Any, value: Any) -> str:
    """Say why the values of a tensor are unavailable; empty if they are available."""
    if value.is_quantized or value.is_nested or value.layout != torch.strided:
        return "is quantised, nested or sparse; expected a plain array. This kind of cell is not supported."
    if value.is_meta:
        return "has no values (it is on the device 'meta'); save the model after it was loaded."
    stored = value.untyped_storage().nbytes()
    if value.numel() * value.element_size() > stored:
        return f"declares {tuple(value.shape)} {value.dtype} but stores {stored} bytes; save it with .contiguous()."
    if not value.dtype.is_floating_point or value.dtype.itemsize == 1:
        return f"has dtype {value.dtype}; expected float64, float32, float16 or bfloat16."
    return ""
