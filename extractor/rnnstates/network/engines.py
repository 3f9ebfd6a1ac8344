"""The engines by name, and which one ``auto`` takes."""

from collections.abc import Callable

from ..weights.canonical import Network
from .reference import NumpyEngine
from .stack import Engine

__all__ = ["ENGINES", "PRECISIONS", "choose_engine", "make_engine"]

PRECISIONS = ("float32", "float64")


def _tensorflow(precision: str) -> Engine:
    from .unroll import TensorFlowEngine

    return TensorFlowEngine(precision)


ENGINES: dict[str, Callable[[str], Engine]] = {"tensorflow": _tensorflow, "numpy": NumpyEngine}

# Starting TensorFlow takes this long (seconds), before it computes anything.
TENSORFLOW_START = 2.0
# What the NumPy engine manages on one ordinary core in float32: floating-point operations of matrix products a
# second, and seconds for the element-wise part of one step and unit. Deliberately on the slow side.
PRODUCTS_A_SECOND = 1.5e10
ELEMENTWISE = 4e-8


def choose_engine(network: Network, steps: int) -> str:
    """Pick the engine for a job: NumPy where starting TensorFlow would cost more than the job, else TensorFlow.

    Parameters
    ----------
    network : Network
    steps : int
        Valid steps in the whole job.
    """
    seconds_a_step = 0.0
    for _, _, _, weights in network.parts():
        products = 2 * (weights.kernel.size + weights.recurrent_kernel.size)
        seconds_a_step += products / PRODUCTS_A_SECOND + weights.units * ELEMENTWISE
    return "numpy" if steps * seconds_a_step < TENSORFLOW_START else "tensorflow"


def make_engine(name: str, precision: str) -> Engine:
    """Start an engine.

    Raises
    ------
    EngineUnavailable
        Its library cannot be started.
    """
    return ENGINES[name](precision)
