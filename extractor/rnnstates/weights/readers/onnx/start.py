"""Recognises ONNX models by their first bytes."""

from pathlib import Path

__all__ = ["recognise_onnx"]

# The first field of a model is its version, a small number; the tag of another field follows. Version 1 is left out:
# TensorFlow's SavedModel starts with 8, 1 too, and ONNX was public from version 3 on.
FIRST, VERSIONS, SECOND = 0x08, range(2, 64), b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca"


def recognise_onnx(path: str) -> bool:
    """Return whether a file starts like a model, or is named ``.onnx``."""
    if Path(path).is_dir():
        return False
    with Path(path).open("rb") as file:
        start = file.read(3)
    begins = len(start) == 3 and start[0] == FIRST and start[1] in VERSIONS and start[2] in SECOND
    return begins or path.lower().endswith(".onnx")
