"""``Graph``: the content of an ONNX file without protobuf, all operators in one list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..base import Tensor
from .tensor import FLOATING, HALVES

__all__ = ["STANDARD", "Body", "Graph", "Node"]

# The two names of the domain of ONNX' own operators.
STANDARD = ("", "ai.onnx")


class Body(NamedTuple):
    """One body of a control-flow operator: the operator's type and name, and the name of the body."""

    op: str
    owner: str
    name: str


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of a graph.

    Parameters
    ----------
    op, domain : str
        Its operator type, and the domain that defines it.
    name : str
        Often empty.
    inputs, outputs : tuple of str
        Names of values; empty for omitted ones.
    attributes : mapping
        int, float, str, lists of those, or ``Tensor``, by name.
    standard : bool
        It is ONNX' own operator of that name, not redefined by the model.
    inside : tuple of Body
        The bodies that contain it, outermost first.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    standard: bool = True
    inside: tuple[Body, ...] = ()

    @property
    def called(self) -> str:
        """Its display name: its own, or that of its first output."""
        return self.name or next((name for name in self.outputs if name), f"unnamed {self.op}")


@dataclass(frozen=True, eq=False)
class Graph:
    """The content of an ONNX file; the document ``graph`` of its container.

    Parameters
    ----------
    nodes : tuple of Node
        Each after those that it reads. Functions are inlined; bodies of If, Loop and Scan precede the operator that
        they belong to, and their values have unique names.
    constants : mapping
        The initializers by name, of any numeric type.
    sparse : frozenset of str
        Initializers in sparse form, which are not read.
    types : mapping
        The type code of each other initializer, by name.
    shapes : mapping
        The stated axes of the model's inputs and of other values, by name: a number, the name of one, or None.
    opset : int
        The version of ONNX' own operators.
    version : str
        The program that wrote it, with its version.
    stored : int
        Bytes of the file and of its external values.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    sparse: frozenset[str]
    types: Mapping[str, int]
    shapes: Mapping[str, tuple[int | str | None, ...]]
    opset: int
    version: str
    stored: int

    def is_half(self, name: str) -> bool:
        """Return whether a value is stored as floating-point numbers of 16 bits."""
        return self.types.get(name) in HALVES

    def is_floating(self, name: str) -> bool:
        """Return whether a value is stored as floating-point numbers."""
        return self.types.get(name) in FLOATING
