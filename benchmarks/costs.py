"""What each engine costs on one core: ``python benchmarks/costs.py [--runs 5]``; the numbers stand beside each engine.

Times one layer alone, one thread, over tiles of several sizes, and fits for each engine::

    seconds = steps of the tile * (call + sequences * (operations / rate + units * elementwise))

by least squares of the relative error. Starting TensorFlow is timed in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
from child import markdown
from threadpoolctl import threadpool_limits

import rnnstates
from rnnstates.arrays.workspace import Workspace
from rnnstates.engines.choice import make_engine

STEPS = 20
# (features, units) and sequences of the tiles.
SHAPES = [(16, 32), (32, 64), (64, 128), (64, 256), (256, 512), (512, 1024)]
ROWS = [1, 12, 48, 96]
START = "import time; a = time.perf_counter(); import tensorflow as tf; tf.zeros(1); print(time.perf_counter() - a)"


class Timed(NamedTuple):
    """Seconds a step of a tile takes, beside what it holds."""

    features: int
    units: int
    rows: int
    seconds: float

    @property
    def operations(self) -> int:
        """Floating-point operations of products, of one sequence."""
        return 2 * (self.features + self.units) * 4 * self.units


def time_tile(engine: str, shape: tuple[int, int], rows: int, runs: int) -> Timed:
    """Time an LSTM over one tile; the median of several runs after one unmeasured."""
    features, units = shape
    weights = rnnstates.random_network(features, units=units).layers[0].forward
    unroll = make_engine(engine, "float32").unroll(weights)
    inputs = np.random.RandomState(0).standard_normal((rows, STEPS, features)).astype(np.float32)
    lengths, space, taken = np.full(rows, STEPS), Workspace(), []
    for _ in range(runs + 1):
        start = time.perf_counter()
        unroll(inputs, lengths, None, space)
        taken.append(time.perf_counter() - start)
    return Timed(features, units, rows, statistics.median(taken[1:]) / STEPS)


def fit(timed: list[Timed]) -> tuple[np.ndarray, float]:
    """Fit call, 1 / rate and elementwise, none below zero; gives the largest relative error too."""
    table = np.array([[1, t.rows * t.operations, t.rows * t.units] for t in timed], float)
    seconds = np.array([t.seconds for t in timed])
    relative, kept = table / seconds[:, np.newaxis], [0, 1, 2]
    while True:
        found = np.zeros(3)
        found[kept] = np.linalg.lstsq(relative[:, kept], np.ones(len(timed)), rcond=None)[0]
        if (found >= 0).all():
            return found, float(np.abs(table @ found / seconds - 1).max())
        kept = [number for number in kept if found[number] > 0]


def start_of(engine: str) -> float:
    """Time what an engine takes before it computes."""
    if engine != "tensorflow":
        return 0.0
    command = [sys.executable, "-c", START]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(3)]
    return statistics.median(map(float, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each tile (default: 5)")
    options = parser.parse_args()
    rows = []
    with threadpool_limits(1):
        for engine in rnnstates.ENGINES:
            timed = [time_tile(engine, shape, count, options.runs) for shape in SHAPES for count in ROWS]
            (call, a_operation, elementwise), error = fit(timed)
            rate = 1 / a_operation if a_operation else float("inf")
            figures = [f"{start_of(engine):.1f}", f"{call:.1e}", f"{rate:.1e}", f"{elementwise:.1e}", f"{error:.0%}"]
            rows.append([engine, *figures])
    print(markdown(["engine", "start s", "call s", "operations/s", "s a unit", "largest error"], rows))


if __name__ == "__main__":
    main()
