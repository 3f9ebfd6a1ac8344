"""What the machine allows: all valid steps as plain float32 products, and bytes written to a file."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cases import Data
from peers.base import Part, Peer, Run
from peers.batching import CORES

TILE_ROWS = 64
WRITE_BLOCK = 1 << 24


def prepare_numpy(data: Data) -> dict[str, Run]:
    """Multiply in NumPy, whose OpenBLAS is held to one thread a product."""
    return {"": _products(data, lambda: partial(np.matmul, *_tile(data)[:2], out=_tile(data)[2]))}


def prepare_torch(data: Data) -> dict[str, Run]:
    """Multiply in PyTorch (MKL)."""
    import torch

    def product() -> Callable[[], Any]:
        left, right, out = map(torch.from_numpy, _tile(data))
        return partial(torch.mm, left, right, out=out)

    return {"": _products(data, product, lambda: torch.set_num_threads(1))}


def _tile(data: Data) -> list[Any]:
    """Draw a tile's rows [64, I + H], give the weights [I + H, 4 * H] and room for the result."""
    weights = np.concatenate([data.kernel, data.recurrent_kernel])
    rows = min(TILE_ROWS, len(data.lengths))
    inputs = np.random.RandomState(0).standard_normal((rows, len(weights))).astype(np.float32)
    return [inputs, weights, np.empty((rows, weights.shape[1]), np.float32)]


def _products(
    data: Data, product: Callable[[], Callable[[], Any]], start_thread: Callable[..., Any] | None = None
) -> Run:
    """Share the products of all valid steps among the cores, or leave one sequence, whose steps wait for each other."""
    rows = min(TILE_ROWS, len(data.lengths))
    threads = min(CORES, len(data.lengths))
    count = -(-int(data.lengths.sum()) // (rows * threads))
    tiles = [product() for _ in range(threads)]
    pool = ThreadPoolExecutor(threads, initializer=start_thread)

    def repeat(multiply: Callable[[], Any]) -> None:
        for _ in range(count):
            multiply()

    def run() -> list[Part]:
        list(pool.map(repeat, tiles))
        return []

    return run


LIMITS = {
    "limit: NumPy products": Peer(
        "limit", ("numpy",), prepare_numpy, environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ),
    "limit: torch products": Peer("limit", ("torch",), prepare_torch),
}


def write_seconds(path: Path, size: int) -> tuple[float, float]:
    """Write ``size`` bytes with ``pwrite``; seconds until they are in the page cache, and until they are on disk."""
    block = np.random.RandomState(0).bytes(WRITE_BLOCK)
    start = time.perf_counter()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for place in range(0, size, WRITE_BLOCK):
            os.pwrite(file, memoryview(block)[: size - place], place)
        cached = time.perf_counter() - start
        os.fsync(file)
        return cached, time.perf_counter() - start
    finally:
        os.close(file)
        path.unlink()
