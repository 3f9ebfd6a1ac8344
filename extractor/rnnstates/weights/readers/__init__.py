"""Opens weights files; one module per container, listed in ``READERS`` and chosen by content."""

import hashlib
import re
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import BadWeights
from ...untrusted.foreign import Wanted, kind_of_path, unknown
from ...untrusted.missing import missing_reported
from .base import Container, Tensor
from .checkpoint.place import recognise_checkpoint
from .onnx.start import recognise_onnx

__all__ = ["READERS", "Container", "Reader", "Tensor", "digest", "open_container", "reader_of", "unread"]


class Reader(NamedTuple):
    """How one container is recognised and opened; its module is imported when its turn in the table comes.

    Parameters
    ----------
    recogniser, opener : str
        Functions in modules of this package, as ``module.function``.
    holds_inputs_too : bool
        Whether ``extract`` also reads such files, or folders of them, as input.
    """

    recogniser: str
    opener: str
    holds_inputs_too: bool = False

    def recognise(self, path: str) -> bool:
        """Recognise a file by its first bytes, the names in a directory or the members of an archive only."""
        return bool(_function(self.recogniser)(path))

    def open(self, path: str) -> AbstractContextManager[Container]:
        """Open a recognised file."""
        opened: AbstractContextManager[Container] = _function(self.opener)(path)
        return opened


def _function(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(import_module(f".{module}", __package__), function)


READERS: dict[str, Reader] = {
    # First, because the prefix of a checkpoint's files is not a file itself.
    "TensorFlow": Reader("checkpoint.place.recognise_checkpoint", "checkpoint.file.open_checkpoint"),
    "folder": Reader("folder.recognise_folder", "folder.open_folder", holds_inputs_too=True),
    "HDF5 with options": Reader("folder.recognise_with_options", "folder.open_with_options", holds_inputs_too=True),
    "HDF5": Reader("hdf5.recognise_hdf5", "hdf5.open_hdf5_weights", holds_inputs_too=True),
    "Keras zip": Reader("keras_zip.is_keras_zip", "keras_zip.open_keras_zip"),
    "npz": Reader("npz.is_npz", "npz.open_npz_weights", holds_inputs_too=True),
    "PyTorch": Reader("torch.file.recognise_torch", "torch.file.open_torch"),
    "safetensors": Reader("safetensors.recognise_safetensors", "safetensors.open_safetensors"),
    "ONNX": Reader("onnx.start.recognise_onnx", "onnx.file.open_onnx"),
    "msgpack": Reader("msgpack_file.recognise_msgpack", "msgpack_file.open_msgpack"),
    "JSON": Reader("json_arrays.recognise_json", "json_arrays.open_json"),
}

# Readers of folders.
OF_FOLDERS = ("TensorFlow", "folder")

# What follows the prefix of a checkpoint of version 2, and of version 1 in shards.
_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})|-\d{5}-of-\d{5}")
_PART_BEHIND = re.compile(rf"(?:{_PART.pattern})$")

EXPECTED = (
    "weights of Keras (.keras, .weights.h5, .h5), PyTorch (.pt, .pth, .safetensors), ONNX, TensorFlow checkpoints, "
    "Flax (.msgpack), .npz, HDF5, JSON arrays, or a folder of ELMo or UniRep"
)


def reader_of(path: str) -> Reader | None:
    """Return the reader that recognises a file; None if none does, or it is of an unsupported known kind.

    Raises
    ------
    MissingInput
        It is absent, unreadable or a pipe.
    """
    with missing_reported(path, EXPECTED):
        _refuse_pipe(path)
        if Path(path).is_dir():
            return next((READERS[name] for name in OF_FOLDERS if READERS[name].recognise(path)), None)
        # Checkpoints are recognised by names, everything else by content, unsupported kinds first.
        if (
            not READERS["TensorFlow"].recognise(path)
            and (kind := kind_of_path(path)) is not None
            and kind.is_foreign(Wanted.WEIGHTS)
        ):
            return None
        return next((reader for reader in READERS.values() if reader.recognise(path)), None)


def _refuse_pipe(path: str) -> None:
    """Refuse what can be read only once, or never ends; readers open a file more than once."""
    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise OSError("a pipe, socket or device")


def open_container(path: str) -> AbstractContextManager[Container]:
    """Open a weights file with the reader that recognises it.

    Raises
    ------
    MissingInput
        It is absent, unreadable, or a directory without weights.
    BadWeights
        No reader recognises it, or it is damaged.
    """
    reader = reader_of(path)
    if reader is not None:
        return reader.open(path)
    raise unread(path, EXPECTED)


def unread(path: str, expected: str) -> BadWeights:
    """Return the error about a file that no reader recognises, from its kind or its first bytes.

    Raises
    ------
    MissingInput
        It is a directory, or has become unreadable.
    """
    with missing_reported(path, expected):
        kind = kind_of_path(path)
        if kind is not None and kind.is_foreign(Wanted.WEIGHTS):
            return BadWeights(f"{path}: {kind.message(expected, Wanted.WEIGHTS)}")
        with Path(path).open("rb") as file:
            start = file.read(8)
    return BadWeights(f"{path}: {unknown(start, expected)} Save the weights as one of these.")


def digest(path: str) -> str:
    """Compute the SHA-256 of a file and those that belong to it, or of a folder's files, in the order of names."""
    whole = hashlib.sha256()
    for part in _files(Path(path)):
        with part.open("rb") as file:
            while block := file.read(2**20):
                whole.update(block)
    return whole.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(part for part in path.rglob("*") if part.is_file() and not part.is_symlink())
    if path.exists() and not recognise_checkpoint(str(path)):
        values = _function("onnx.file.files_beside")(str(path)) if recognise_onnx(str(path)) else []
        return [path, *_function("folder.beside")(str(path)), *values]
    # A checkpoint's prefix, or one of its files, stands for all of them, including the graph.
    prefix = _PART_BEHIND.sub("", path.name)
    return sorted(
        part
        for part in path.parent.glob("*")
        if part.name == prefix or (part.name.startswith(prefix) and _PART.fullmatch(part.name[len(prefix) :]))
    )
