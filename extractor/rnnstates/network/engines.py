"""The engines by name."""

from collections.abc import Callable

from .compiled import CompiledEngine
from .reference import NumpyEngine
from .stack import Engine

__all__ = ["ENGINES", "PRECISIONS", "make_engine"]

PRECISIONS = ("float32", "float64", "bfloat16")


def _tensorflow(precision: str) -> Engine:
    from .tensorflow_engine import TensorFlowEngine

    return TensorFlowEngine(precision)


ENGINES: dict[str, Callable[[str], Engine]] = {
    "compiled": CompiledEngine,
    "tensorflow": _tensorflow,
    "numpy": NumpyEngine,
}


def make_engine(name: str, precision: str) -> Engine:
    """Start an engine.

    Raises
    ------
    EngineUnavailable
        Its library cannot be started, it was not built, or it does not compute in this precision here.
    """
    return ENGINES[name](precision)
