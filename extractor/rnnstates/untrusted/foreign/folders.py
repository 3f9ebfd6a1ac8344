"""Recognises folders by the names in them, rarely by one text in it; no link is followed."""

import os
import re
import stat
from itertools import islice
from pathlib import Path

from .protobufs import kind_of_message
from .texts import kind_of_mark_up

__all__ = ["kind_of_folder", "kind_of_sibling"]

# Patterns that all match some name: what the folder is. The first match counts.
_ENTRIES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((r"_CHECKPOINT_METADATA", r"(_METADATA|manifest\.ocdbt|checkpoint)"), "orbax"),
    ((r"manifest\.ocdbt",), "orbax"),
    ((r"_METADATA", r"_sharding|d"), "orbax"),
    ((r"_CHECKPOINT_METADATA",), "orbax steps"),
    ((r"saved_model\.pb",), "saved model"),
    ((r"Manifest\.json", r"Data"), "coreml package"),
    ((r"coremldata\.bin",), "coreml package"),
    ((r"config\.json", r"model\.weights\.h5"), "unpacked keras"),
    ((r"data\.pkl", r"data", r"version"), "unpacked torch"),
    ((r"\.zgroup|\.zarray|zarr\.json",), "zarr"),
    ((r"\.metadata", r".*\.distcp"), "torch shards"),
    ((r"config\.json", r"(model|pytorch_model)([.-].*)?\.(safetensors|bin)"), "hugging face folder"),
)
_MOST_ENTRIES, _HEAD = 2000, 2**14


def kind_of_folder(path: str) -> str:
    """Return the kind of a folder; empty if unknown."""
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in islice(entries, _MOST_ENTRIES))
    for patterns, kind in _ENTRIES:
        if all(any(re.fullmatch(pattern, name) for name in names) for pattern in patterns):
            return kind
    if "model.json" in names and (kind := kind_of_mark_up(_head(Path(path, "model.json")))) in ("tfjs", "tfjs graph"):
        return kind
    steps = [name for name in names if name.isdigit()]
    if steps and _is_checkpoint(Path(path, steps[0])):
        return "orbax steps"
    return ""


def kind_of_sibling(path: str) -> str:
    """Return the kind of a file without a mark of its own, from the description next to it."""
    if path.endswith(".data") and kind_of_message(_head(Path(path).with_suffix(""))) == "onnx":
        return "onnx data"
    if not path.endswith(".bin"):
        return ""
    if kind_of_mark_up(_head(Path(path).with_suffix(".xml"))) == "openvino":
        return "openvino weights"
    if re.search(r"shard\d+of\d+\.bin$", path):
        return kind_of_mark_up(_head(Path(path).with_name("model.json"))).replace("json", "")
    return ""


def _is_checkpoint(folder: Path) -> bool:
    """Return whether a subfolder, which must not be a link, is an Orbax checkpoint."""
    try:
        return not folder.is_symlink() and (folder / "_CHECKPOINT_METADATA").is_file()
    except OSError:
        return False


def _head(path: Path) -> bytes:
    """Read the start of a regular file, not a link; empty if there is none."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""
