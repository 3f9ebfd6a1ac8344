"""The engines by name, and the choice of the one that finishes a job first."""

from ..arrays.axes import Lengths
from ..network.model import Network
from ..runtime.tensorflow_start import stop_diverting
from .base import Engine
from .compiled_engine import CompiledEngine
from .costs import seconds, tile_rows
from .numpy_engine import NumpyEngine
from .tensorflow.engine import TensorFlowEngine

__all__ = ["ENGINES", "abandon", "begin", "choose_engine", "make_engine"]

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (CompiledEngine, TensorFlowEngine, NumpyEngine)}


def choose_engine(
    network: Network, lengths: Lengths, *, precision: str = "float32", preferred: str | None = None
) -> str:
    """Pick the engine that finishes first, or the preferred one if it can run the network here.

    Parameters
    ----------
    network : Network
    lengths : int64 [N]
        Of all sequences.
    precision : str
    preferred : str or None
        A name in ``ENGINES``; any other name is ignored.
    """
    steps, longest = int(lengths.sum()), int(lengths.max(initial=0))
    layers = [weights for _, _, _, weights in network.parts()]

    def estimate(name: str) -> float:
        engine = ENGINES[name]
        calls = max(longest, steps // tile_rows(engine, network, lengths))
        return seconds(engine, network, steps=steps, calls=calls, precision=precision)

    able = [name for name, engine in ENGINES.items() if engine.is_able(layers, precision)]
    if preferred in able:
        return preferred
    # If none can, starting the first reports what is missing.
    return min(able, key=estimate) if able else next(iter(ENGINES))


def begin(name: str, precision: str) -> None:
    """Start the slow part of an engine in the background if it can compute in a precision; nothing for ``auto``."""
    if name in ENGINES and ENGINES[name].is_able((), precision):
        ENGINES[name].begin()


def abandon() -> None:
    """Stop filtering standard error after ``begin``: a signal may be about to end the process."""
    stop_diverting()


def make_engine(name: str, precision: str, kernel: str | None = None) -> Engine:
    """Start an engine.

    Parameters
    ----------
    name : str
        In ``ENGINES``.
    precision : str
        In ``errors.choices.PRECISIONS``.
    kernel : str or None
        Kind of kernel for the compiled engine, if this processor runs it; None for the widest.

    Raises
    ------
    EngineUnavailable
        Its library cannot be started, it was not built, or it cannot compute in this precision here.
    """
    return ENGINES[name](precision, kernel)
