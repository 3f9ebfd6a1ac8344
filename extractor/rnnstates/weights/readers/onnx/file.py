"""Opens ONNX models: one protobuf message with a graph of operators and their constants; parsed, never run.

Values may be in files next to the model (``external``); nothing else is opened, and onnx' own functions for fetching
them are not used. What a file says about training is ignored: it says how weights change, not what they are.
"""

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import BadWeights, EngineUnavailable, MissingInput
from ..base import Container, Tensor, as_floating
from ..protobuf_size import check_fields
from ..regular_file import open_regular
from .external import Beside, outside
from .graph import STANDARD, Graph
from .scopes import flatten
from .start import recognise_onnx
from .tensor import Proto, text

__all__ = ["files_beside", "open_onnx"]

# What protobuf itself can hold.
LARGEST = 2 * 2**30 - 1
# The key that names another file; a model without this string has all its values in itself.
KEY, BLOCK = b"location", 2**20


@contextlib.contextmanager
def open_onnx(path: str) -> Iterator[Container]:
    """Open a model; its ``Graph`` is the document ``graph`` of the container.

    Raises
    ------
    BadWeights
        It is damaged or not a model, its values are where they are not read, or tensors declare more or less than they
        store.
    MissingInput
        A file with values of the model is absent.
    EngineUnavailable
        The package onnx is not installed.
    """
    model, size = _model(path)
    _, undecodable = _import()
    try:
        graph = _graph(model, path, size)
    except undecodable as reason:
        raise _damaged(path, reason) from reason
    yield Container(path, "ONNX", _floating(graph, path), documents={"graph": graph})


def files_beside(path: str) -> list[Path]:
    """List the files next to a model that hold its values, in the order of names; empty for any other file."""
    if not recognise_onnx(path) or not _mentions(path, KEY):
        return []
    try:
        model, _ = _model(path)
        names = {outside(_entries(proto), path).location for proto in _tensors(model) if len(proto.external_data)}
    except (BadWeights, EngineUnavailable, UnicodeDecodeError):
        return []
    return [found for name in sorted(names) if _is_regular(found := Path(path).parent / name)]


def _mentions(path: str, string: bytes) -> bool:
    """Return whether a file, which may be large, contains a string."""
    before = b""
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            if string in before + block:
                return True
            before = block[-len(string) :]
    return False


def _is_regular(path: Path) -> bool:
    try:
        open_regular(path, alone=True).close()
    except (BadWeights, MissingInput):
        return False
    return True


def _entries(proto: Proto) -> list[tuple[str, str]]:
    return [(text(entry.key), text(entry.value)) for entry in proto.external_data]


def _tensors(message: Proto) -> Iterator[Any]:
    """Yield all tensors of a message and of those nested in it."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
                if field.message_type.name == "TensorProto":
                    yield part
                yield from _tensors(part)


def _import() -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        model_class = importlib.import_module("onnx").ModelProto
        undecodable = importlib.import_module("google.protobuf.message").DecodeError
    except ImportError as reason:
        raise EngineUnavailable(
            f"ONNX files need the package onnx ({reason}); pip install 'rnnstates[onnx]', or save the weights as "
            "safetensors."
        ) from reason
    return model_class, (undecodable, UnicodeDecodeError)


def _damaged(path: str, reason: Exception) -> BadWeights:
    return BadWeights(f"{path}: is not an ONNX model, or a damaged one ({reason}); export it again.")


def _model(path: str) -> tuple[Any, int]:
    """Parse a file; return the message and the size of the file."""
    model_class, undecodable = _import()
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        if size > LARGEST:
            raise BadWeights(f"{path}: has {size} bytes; an ONNX file has less than 2 GiB. It is refused.")
        file.seek(0)
        content = file.read()
    check_fields(model_class, content, path)
    try:
        return model_class.FromString(content), size
    except undecodable as reason:
        raise _damaged(path, reason) from reason


def _graph(model: Proto, path: str, size: int) -> Graph:
    if not model.HasField("graph") or not model.graph.node:
        raise BadWeights(f"{path}: holds no graph of operators; expected an ONNX model. Export it again.")
    beside = Beside(Path(path).parent)
    flat = flatten(model, path, beside)
    versions = {text(proto.domain): int(proto.version) for proto in model.opset_import}
    return Graph(
        tuple(flat.nodes),
        flat.constants,
        frozenset(flat.sparse),
        flat.types,
        {
            text(proto.name): _shape(proto)
            for proto in (*model.graph.value_info, *model.graph.input)
            if _has_shape(proto)
        },
        # Old models have no list of versions; theirs is 1.
        opset=max((versions[domain] for domain in STANDARD if domain in versions), default=1),
        version=" ".join(filter(None, map(text, (model.producer_name, model.producer_version)))),
        stored=size + sum(beside.sizes.values()),
    )


def _has_shape(proto: Proto) -> bool:
    return bool(proto.type.HasField("tensor_type") and proto.type.tensor_type.HasField("shape"))


def _shape(proto: Proto) -> tuple[int | str | None, ...]:
    """Return each axis as a number, the name of one, or None."""
    axes = proto.type.tensor_type.shape.dim
    return tuple(int(axis.dim_value) if axis.HasField("dim_value") else text(axis.dim_param) or None for axis in axes)


def _floating(graph: Graph, path: str) -> dict[str, Tensor]:
    def as_weights(tensor: Tensor) -> Tensor:
        return Tensor(tensor.name, tensor.shape, lambda: as_floating(tensor.read(), f"{path}: '{tensor.name}'"))

    return {name: as_weights(tensor) for name, tensor in graph.constants.items()}
