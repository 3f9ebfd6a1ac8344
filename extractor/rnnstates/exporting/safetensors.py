"""Writes ``.safetensors``: a header of JSON, then the bytes of each array.

https://huggingface.co/docs/safetensors/index#format
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from .content import Arrays

__all__ = ["write"]

TYPES = {
    "f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64",
    "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64", "b1": "BOOL",
}  # fmt: skip
# Readers refuse headers of more than 100 MB; ids that are text are part of it.
MOST_CHARACTERS = 50_000_000


def write(content: Arrays, path: Path) -> None:
    """Write every array; ids that are text become a JSON list in the metadata.

    Raises
    ------
    OptionError
        The ids do not fit the header.
    """
    metadata = {"provenance": content.provenance} if content.provenance else {}
    if content.ids:
        if content.ids.count * (content.ids.width + 4) > MOST_CHARACTERS:
            raise OptionError(
                f"destination=: {content.ids.count} ids of up to {content.ids.width} characters do not fit the header "
                "of a .safetensors file; export to .npz or .pt, or fewer rows=."
            )
        metadata["ids"] = json.dumps([name for names in content.ids.blocks() for name in names], ensure_ascii=False)
    header: dict[str, Any] = {"__metadata__": metadata}
    # The widest numbers first, so that each array begins at a multiple of their size.
    arrays = sorted(content.arrays, key=lambda array: -array.dtype.itemsize)
    end = 0
    for array in arrays:
        begin, end = end, end + array.nbytes
        kind = TYPES[np.dtype(array.dtype).str[1:]]
        header[array.name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            file.writelines(array.pieces())
