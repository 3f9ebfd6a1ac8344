"""The engines by name."""

from collections.abc import Callable

from ..runtime.tensorflow_start import begin_import, stop_diverting
from .compiled_engine import CompiledEngine
from .numpy_engine import NumpyEngine
from .stack import Engine

__all__ = ["ENGINES", "PRECISIONS", "abandon", "begin", "make_engine"]

PRECISIONS = ("float32", "float64", "bfloat16")


def _tensorflow(precision: str) -> Engine:
    from .tensorflow.engine import TensorFlowEngine

    return TensorFlowEngine(precision)


ENGINES: dict[str, Callable[[str], Engine]] = {
    "compiled": CompiledEngine,
    "tensorflow": _tensorflow,
    "numpy": NumpyEngine,
}


def begin(name: str) -> None:
    """Start in the background what takes long of an engine, if anything; ``make_engine`` waits for it."""
    if name == "tensorflow":
        begin_import()


def abandon() -> None:
    """Let what was begun no longer hold back a line of standard error: the process may end on a signal now."""
    stop_diverting()


def make_engine(name: str, precision: str, kernel: str | None = None) -> Engine:
    """Start an engine.

    Parameters
    ----------
    name : str
        In ``ENGINES``.
    precision : str
        In ``PRECISIONS``.
    kernel : str or None
        Which kind of kernel the compiled engine uses, where this processor runs it; None for the widest.

    Raises
    ------
    EngineUnavailable
        Its library cannot be started, it was not built, or it does not compute in this precision here.
    """
    return CompiledEngine(precision, kernel) if name == "compiled" else ENGINES[name](precision)
