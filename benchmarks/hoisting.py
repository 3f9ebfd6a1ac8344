"""Whether multiplying all inputs beforehand would pay: ``python benchmarks/hoisting.py``.

The kernel multiplies inputs and hidden state in one product a step. Beside its rate stands that of one BLAS product of
all inputs of the tile, on one core: only where that is much faster could a product taken out of the loop gain anything,
and it would have to be written and read again.
"""

import time
from collections.abc import Callable

import numpy as np
from child import markdown
from threadpoolctl import threadpool_limits

from rnnstates import random_network
from rnnstates.arrays.workspace import Workspace
from rnnstates.engines import compiled_engine

SIZES = {(64, 256): 40, (1024, 64): 40, (2048, 64): 40, (4096, 256): 10}
ROWS, RUNS = 48, 5


def rates(features: int, units: int, steps: int) -> list[str]:
    """Give the 10^9 operations a second of the kernel, and of one product of the inputs."""
    weights = random_network(features, units=units).layers[0].directions["forward"]
    inputs = np.random.RandomState(0).standard_normal((ROWS, steps, features)).astype(np.float32)
    kind = [name for name, (_, pair) in compiled_engine.kinds().items() if pair == 1][-1]
    unroll, space, lengths = compiled_engine.CompiledUnroll(weights, (), kind), Workspace(), np.full(ROWS, steps)
    flat, kernel = inputs.reshape(-1, features), weights.kernel.astype(np.float32)
    product = np.empty((len(flat), 4 * units), np.float32)
    looped = fastest(lambda: unroll(inputs, lengths, None, space))
    hoisted = fastest(lambda: np.matmul(flat, kernel, out=product))
    one = 2e-9 * ROWS * steps * 4 * units
    return [f"{one * (features + units) / looped:.0f}", f"{one * features / hoisted:.0f}"]


def fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs after the first."""
    run()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    with threadpool_limits(1):
        rows = [[f"({i}, {h})", *rates(i, h, steps)] for (i, h), steps in SIZES.items()]
    print(markdown(["(features, units)", "kernel, GFLOP/s", "product of the inputs alone, GFLOP/s"], rows))


if __name__ == "__main__":
    main()
