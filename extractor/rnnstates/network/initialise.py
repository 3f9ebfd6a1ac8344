"""Random weights from a seed, initialised as Keras does before training."""

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..errors.arguments import check_arguments
from ..runtime.blas import one_thread
from .model import LayerWeights, Network, RecurrentLayer

__all__ = ["random_network"]

Drawn = Annotated[npt.NDArray[np.float64], "{rows} {columns}"]


def random_network(features: int, *, units: int = 64, seed: int = 0, forget_bias: float | None = None) -> Network:
    """Make one LSTM layer with random weights.

    The kernel is uniform (Glorot & Bengio 2010), the recurrent kernel orthogonal (Saxe et al. 2014), the bias zero
    except for the forget gate, where it is 1 (Jozefowicz et al. 2015): the initialisation of Keras' ``LSTM``. The
    stream of ``numpy.random.RandomState`` is frozen, so a seed gives the same weights for good.

    Parameters
    ----------
    features : int
        I.
    units : int
        H.
    seed : int
        0 to 2**32 - 1.
    forget_bias : float or None
        None means 1.

    Returns
    -------
    Network
        One layer ``lstm``, float32.

    Raises
    ------
    OptionError
        No features or units, or a seed out of range.

    Examples
    --------
    >>> random_network(8, units=3).layers[0].forward.kernel.shape
    (8, 12)
    """
    check_arguments(locals(), required=("features", "units", "seed"))
    for name, size in (("features", features), ("units", units)):
        if size < 1:
            raise OptionError(f"{name}={size}: expected at least 1.")
    if not 0 <= seed < 2**32:
        raise OptionError(f"seed={seed}: expected 0 to {2**32 - 1}.")
    added = 1.0 if forget_bias is None else float(forget_bias)
    if not math.isfinite(added):
        raise OptionError(f"forget_bias={forget_bias}: expected a finite number.")
    random = np.random.RandomState(seed)
    kernel = _glorot_uniform(random, features, 4 * units).astype(np.float32)
    recurrent_kernel = _orthogonal(random, units, 4 * units).astype(np.float32)
    bias = np.zeros(4 * units, np.float32)
    bias[units : 2 * units] = added
    weights = LayerWeights(kernel, recurrent_kernel, bias, where="random weights")
    about = {"features": features, "units": units, "seed": seed, "forget_bias": added}
    return Network((RecurrentLayer("lstm", forward=weights),), origin={"random": about})


def _glorot_uniform(random: np.random.RandomState, rows: int, columns: int) -> Drawn:
    bound = np.sqrt(6 / (rows + columns))
    return random.uniform(-bound, bound, (rows, columns))


def _orthogonal(random: np.random.RandomState, rows: int, columns: int) -> Drawn:
    """Draw orthonormal rows; ``rows`` must not exceed ``columns``."""
    drawn = random.standard_normal((columns, rows))
    with one_thread():
        orthogonal, triangular = np.linalg.qr(drawn)
    # The signs make the draw uniform over all such matrices, and independent of the LAPACK.
    signs = np.where(np.diag(triangular) < 0, -1.0, 1.0)
    return np.ascontiguousarray((orthogonal * signs).T)
