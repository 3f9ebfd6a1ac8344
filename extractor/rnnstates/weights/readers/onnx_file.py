"""ONNX models: one protobuf message that holds a graph of operators and their constants; parsed, never run.

Nothing beside the file is opened: a tensor whose values lie in another file is refused, and onnx' own functions that
would fetch them are not used. Bodies of control flow and functions are only listed, so that a cell in them is noticed.
What a file says about training is left alone: it tells how weights are to change, not what they are.
"""

import contextlib
import importlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import BadWeights, EngineUnavailable
from .base import Container, Tensor, as_floating, from_bfloat16

__all__ = ["STANDARD", "Graph", "Node", "open_onnx", "recognise_onnx"]

# What protobuf itself can hold.
LARGEST = 2 * 2**30 - 1
# Some thousands of operators are usual; an empty one takes two bytes in a file and far more in memory. So do the
# numbers of a list.
MOST_NODES, MOST_AXES, LONGEST_LIST = 50_000, 32, 2**20
# The first field of a model is its version, a small number; behind it comes the tag of another of its fields. Version 1
# is left out: TensorFlow's SavedModel starts with 8, 1 too, and ONNX was public from version 3 on.
FIRST, VERSIONS, SECOND = 0x08, range(2, 64), b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca"
# The two names of the domain of ONNX' own operators.
STANDARD = ("", "ai.onnx")

# Types by their numbers in the format: what the bytes are, and the field that may hold them one by one instead.
DTYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"),
    2: ("|u1", "int32_data"),
    3: ("|i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("|b1", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),
}
FLOAT16, BFLOAT16, EXTERNAL = 10, 16, 1
# Kinds of attributes by their numbers: the field that holds each.
ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of a graph.

    Parameters
    ----------
    op, domain : str
        What it computes, and whose operator that is.
    name : str
        Often empty.
    inputs, outputs : tuple of str
        Names of values; empty for those left out.
    attributes : mapping
        int, float, str, lists of those, or ``Tensor``, by name.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What to call it: its name, or that of its first output."""
        return self.name or next((name for name in self.outputs if name), f"unnamed {self.op}")


@dataclass(frozen=True, eq=False)
class Graph:
    """What an ONNX file says, without protobuf; a document of its container under ``graph``.

    Parameters
    ----------
    nodes : tuple of Node
        Of the main graph, each behind those that it reads.
    inner : tuple of Node
        Those in functions and in the bodies of If, Loop and Scan; without inputs and attributes.
    constants : mapping
        The initializers by name, of any type of numbers.
    sparse : frozenset of str
        Initializers in sparse form, which are not read.
    functions : frozenset of (str, str)
        Domain and name of the functions that the model defines.
    opset : int
        The version of ONNX' own operators.
    version : str
        Who wrote it.
    """

    nodes: tuple[Node, ...]
    inner: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    sparse: frozenset[str]
    functions: frozenset[tuple[str, str]]
    opset: int
    version: str


def recognise_onnx(path: str) -> bool:
    """Tell whether a file starts like a model, or is called ``.onnx``."""
    if Path(path).is_dir():
        return False
    with Path(path).open("rb") as file:
        start = file.read(3)
    begins = len(start) == 3 and start[0] == FIRST and start[1] in VERSIONS and start[2] in SECOND
    return begins or path.lower().endswith(".onnx")


@contextlib.contextmanager
def open_onnx(path: str) -> Iterator[Container]:
    """Open a model; its ``Graph`` is the document ``graph`` of the container.

    Raises
    ------
    BadWeights
        It is damaged or no model, its values lie elsewhere, or tensors declare more or less than they store.
    EngineUnavailable
        The package onnx is not installed.
    """
    model_class, undecodable = _import()
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        if size > LARGEST:
            raise BadWeights(f"{path}: has {size} bytes; an ONNX file has less than 2 GiB. It is refused.")
        file.seek(0)
        content = file.read()
    try:
        model = model_class.FromString(content)
        graph = _graph(model, path)
    except undecodable as reason:
        raise BadWeights(f"{path}: is no ONNX model, or a damaged one ({reason}); export it again.") from reason
    yield Container(path, "ONNX", _floating(graph, path), documents={"graph": graph})


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


def _graph(model: Any, path: str) -> Graph:
    graph = model.graph
    if not model.HasField("graph") or not graph.node:
        raise BadWeights(f"{path}: holds no graph of operators; expected an ONNX model. Export it again.")
    if max(len(graph.node), len(graph.initializer)) > MOST_NODES:
        raise BadWeights(f"{path}: has more than {MOST_NODES} operators or constants; it is refused.")
    constants = [_tensor(proto, path) for proto in graph.initializer]
    nodes = tuple(_node(proto, path) for proto in graph.node)
    sparse = frozenset(_text(proto.values.name) for proto in graph.sparse_initializer)
    inputs = frozenset(_text(proto.name) for proto in graph.input)
    _check_names(nodes, [tensor.name for tensor in constants], inputs | sparse, path)
    versions = {_text(proto.domain): int(proto.version) for proto in model.opset_import}
    return Graph(
        nodes,
        _inner(model, path),
        {tensor.name: tensor for tensor in constants},
        sparse,
        frozenset((_text(proto.domain), _text(proto.name)) for proto in model.functions),
        opset=max((versions[domain] for domain in STANDARD if domain in versions), default=0),
        version=" ".join(filter(None, map(_text, (model.producer_name, model.producer_version)))),
    )


def _check_names(nodes: Sequence[Node], constants: Sequence[str], given: frozenset[str], path: str) -> None:
    """Refuse a value that is made twice, or read before it is made: so that there is no circle."""
    made = set(constants) | given | {""}
    if len(set(constants)) != len(constants):
        raise BadWeights(f"{path}: two initializers have the same name; the file is damaged.")
    for node in nodes:
        missing = [name for name in node.inputs if name not in made]
        if missing:
            raise BadWeights(
                f"{path}: '{node.called}' ({node.op}) reads '{missing[0]}', which nothing before it gives; the graph "
                "is damaged or not sorted."
            )
        again = [name for name in node.outputs if name and name in made]
        if again:
            raise BadWeights(f"{path}: '{again[0]}' is made twice; the graph is damaged.")
        made.update(node.outputs)


def _node(proto: Any, path: str) -> Node:
    attributes = {_text(attribute.name): _attribute(attribute, path) for attribute in proto.attribute}
    reads, gives = tuple(map(_text, proto.input)), tuple(map(_text, proto.output))
    return Node(_text(proto.op_type), _text(proto.domain), _text(proto.name), reads, gives, attributes)


def _text(value: str | bytes) -> str:
    """Refuse what protobuf gives as bytes because it is not UTF-8."""
    return value if isinstance(value, str) else value.decode()


def _attribute(proto: Any, path: str) -> Any:
    """Give the value; None for kinds that no operator read here has."""
    name = ATTRIBUTES.get(proto.type)
    if name is None:
        return None
    value = getattr(proto, name)
    if name in ("f", "i", "t"):
        return _tensor(value, path) if name == "t" else value
    if len(value) > LONGEST_LIST:
        raise BadWeights(f"{path}: an attribute has {len(value)} parts; it is refused.")
    return value.decode() if name == "s" else [item.decode() if name == "strings" else item for item in value]


def _inner(model: Any, path: str) -> tuple[Node, ...]:
    functions = (_bodies(function.node, all_of_them=True) for function in model.functions)
    listed = itertools.chain(*functions, _bodies(model.graph.node, all_of_them=False))
    nodes = tuple(itertools.islice(listed, MOST_NODES + 1))
    if len(nodes) > MOST_NODES:
        raise BadWeights(f"{path}: has more than {MOST_NODES} operators in functions and bodies; it is refused.")
    return nodes


def _bodies(nodes: Iterable[Any], *, all_of_them: bool) -> Iterator[Node]:
    """List the nodes in the bodies of others; protobuf parses a hundred levels at most."""
    for proto in nodes:
        if all_of_them:
            yield Node(
                _text(proto.op_type), _text(proto.domain), _text(proto.name), (), tuple(map(_text, proto.output))
            )
        for attribute in proto.attribute:
            for body in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
                yield from _bodies(body.node, all_of_them=True)


def _tensor(proto: Any, path: str) -> Tensor:
    """Check that a tensor stores what it declares; its values are read later."""
    name, shape = _text(proto.name), tuple(proto.dims[: MOST_AXES + 1])
    where = f"{path}: tensor '{name[:80]}'"
    if proto.data_location == EXTERNAL or len(proto.external_data):
        told = {_text(entry.key): _text(entry.value) for entry in proto.external_data}
        raise BadWeights(
            f"{where}: its values lie in another file ({told.get('location', '')[:80]!r}), which is not read; save the "
            "model as one file (save_as_external_data=False)."
        )
    if proto.HasField("segment") or any(not 0 <= size < 2**31 for size in shape) or len(shape) > MOST_AXES:
        raise BadWeights(f"{where}: is in parts or declares the shape {shape}; it is refused.")
    if proto.data_type not in DTYPES:
        return Tensor(name, shape, lambda: _unreadable(proto, where))
    dtype, column = DTYPES[proto.data_type]
    raw = proto.HasField("raw_data")
    stored = len(proto.raw_data) if raw else len(getattr(proto, column)) * np.dtype(dtype).itemsize
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if stored != expected:
        raise BadWeights(f"{where}: stores {stored} bytes; expected {expected}, because its shape is {shape}.")
    return Tensor(name, shape, lambda: _values(proto, dtype, column if not raw else "", where))


def _unreadable(proto: Any, where: str) -> Array:
    raise BadWeights(f"{where}: is of type number {proto.data_type}; expected float64, float32, float16 or bfloat16.")


def _values(proto: Any, dtype: str, column: str, where: str) -> Array:
    shape = tuple(proto.dims)
    try:
        if not column:
            values: Array = np.frombuffer(proto.raw_data, dtype).reshape(shape)
        elif proto.data_type in (FLOAT16, BFLOAT16):
            # Their bits stand in whole numbers.
            values = np.array(getattr(proto, column), np.int64).astype("<u2").view(dtype).reshape(shape)
        else:
            values = np.array(getattr(proto, column)).astype(dtype).reshape(shape)
    except ValueError as reason:
        raise BadWeights(f"{where}: cannot be an array of shape {shape} ({reason}).") from reason
    return from_bfloat16(values) if proto.data_type == BFLOAT16 else values.astype(dtype[1:], copy=False)


def _floating(graph: Graph, path: str) -> dict[str, Tensor]:
    def as_weights(tensor: Tensor) -> Tensor:
        return Tensor(tensor.name, tensor.shape, lambda: as_floating(tensor.read(), f"{path}: '{tensor.name}'"))

    return {name: as_weights(tensor) for name, tensor in graph.constants.items()}
