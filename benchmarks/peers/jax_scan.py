"""JAX: a jitted ``lax.scan`` that keeps both states, the inputs' product taken out of the loop as Haiku advises.

Lengths are rounded up to a multiple of 16, so that XLA compiles for few shapes, all of them before the clock starts.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Data

from .base import Part, Peer, Run
from .batching import Rows, batchings, runner, take

UNROLLS = (1, 4)


def prepare(data: Data) -> dict[str, Run]:
    return {
        f"unroll {unroll}, {batching.name}": runner(data, batching, _one(data, _states(data, unroll)))
        for unroll in UNROLLS
        for batching in batchings(len(data.lengths))
    }


def _states(data: Data, unroll: int) -> Callable[[Any], Any]:
    """Make the jitted function from inputs [B, T, I] to hidden and cell [T, B, H]."""
    import jax
    from jax import numpy as jnp

    kernel, recurrent_kernel, bias = (jnp.asarray(array) for array in data[2:])

    def step(state: Any, projected: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(projected + h @ recurrent_kernel, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), (h, c)

    def states(inputs: Any) -> Any:
        projected = inputs.swapaxes(0, 1) @ kernel + bias
        zeros = jnp.zeros((len(inputs), data.units))
        return jax.lax.scan(step, (zeros, zeros), projected, unroll=unroll)[1]

    return jax.jit(states)


def _one(data: Data, states: Callable[[Any], Any]) -> Callable[[Rows], Part]:
    def one(rows: Rows) -> Part:
        hidden, cell = states(take(data, rows, 16))
        return Part(rows, np.asarray(hidden).swapaxes(0, 1), np.asarray(cell).swapaxes(0, 1))

    return one


PEER = Peer("c+h", ("jax",), prepare, environment={"JAX_PLATFORMS": "cpu"})
