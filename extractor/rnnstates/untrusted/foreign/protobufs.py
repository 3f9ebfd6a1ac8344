"""Recognises models stored as protobuf messages, which have no magic number, by their first tags and strings."""

import re

__all__ = ["kind_of_message"]

_TEXT = re.compile(rb"[ -~]+")
# Tags that may follow the version of an ONNX model, apart from the writer's name.
_ONNX = b"\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca"


def kind_of_message(start: bytes) -> str:
    """Return the kind of a protobuf message; empty if unknown."""
    if start[:1] == b"\x08" and len(start) > 8:
        return _of_versioned(start)
    if start[:1] == b"\x0a":
        return _of_named(start)
    return ""


def _of_versioned(start: bytes) -> str:
    """Distinguish the formats whose first field is a small number, their version."""
    if start[2:3] != b"\x12":
        return "onnx" if start[1] >= 2 and start[2:3] in _ONNX else ""
    inside, _ = _length(start, 3)
    if start[inside : inside + 2] == b"\xa2\x06":
        return "coreml"
    if start[inside : inside + 1] != b"\x0a":
        # The name of the program that wrote it.
        return "onnx" if start[1] >= 2 else ""
    first, _ = _length(start, inside + 1)
    # In Core ML the description of an input, which starts with its name; in a SavedModel what made it; in CNTK the
    # first key of a dictionary.
    if start[first : first + 1] == b"\x0a":
        return "coreml"
    if start[first : first + 1] == b"\x12" and start[1] == 1:
        return "saved model graph"
    return "cntk" if start[1] == 1 and _TEXT.match(start[first : first + 1]) else ""


def _of_named(start: bytes) -> str:
    """Distinguish Caffe, whose first field is the net's name, from a TensorFlow graph, whose first is a node."""
    at, size = _length(start, 1)
    if 0 < size < 512 and _TEXT.fullmatch(start[at : at + size]) and start[at + size : at + size + 2] == b"\xa2\x06":
        return "caffe"
    if start[at : at + 1] != b"\x0a":
        return ""
    name, count = _length(start, at + 1)
    after = name + count
    op, size = _length(start, after + 1)
    is_node = start[after : after + 1] == b"\x12" and re.fullmatch(rb"[A-Z][A-Za-z0-9_]+", start[op : op + size])
    return "frozen graph" if is_node and _TEXT.fullmatch(start[name:after]) else ""


def _length(start: bytes, at: int) -> tuple[int, int]:
    """Read a length, seven bits per byte; return where its content begins, and the length."""
    value = 0
    for place in range(at, min(at + 5, len(start))):
        value |= (start[place] & 0x7F) << 7 * (place - at)
        if start[place] < 0x80:
            return place + 1, value
    return at, 0
