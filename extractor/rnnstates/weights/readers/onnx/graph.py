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
    """The body of a control flow operator that holds others: whose it is, and which of its bodies."""

    op: str
    owner: str
    name: str


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
    standard : bool
        It is ONNX' own operator of that name, which the model does not define anew.
    inside : tuple of Body
        The bodies that it stands in, outermost first.
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
        """What to call it: its name, or that of its first output."""
        return self.name or next((name for name in self.outputs if name), f"unnamed {self.op}")


@dataclass(frozen=True, eq=False)
class Graph:
    """What an ONNX file says; a document of its container under ``graph``.

    Parameters
    ----------
    nodes : tuple of Node
        Each behind those that it reads. Calls of functions are replaced by what the functions do; bodies of If, Loop
        and Scan stand before the operator that they belong to, and their values have names of their own.
    constants : mapping
        The initializers by name, of any type of numbers.
    sparse : frozenset of str
        Initializers in sparse form, which are not read.
    types : mapping
        The number of the type of each other initializer, by name.
    shapes : mapping
        What the model says of the axes of its inputs and of other values, by name: a number, the name of one, or None.
    opset : int
        The version of ONNX' own operators.
    version : str
        Who wrote it.
    stored : int
        Bytes of the file and of the values beside it.
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
