"""The data sets that every contestant runs on: shapes, lengths, seeded inputs and weights, kept in one folder each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK_VALUES = 1 << 22

Lengths = npt.NDArray[np.int64]


class Case(NamedTuple):
    """One data set: float32 inputs [N, T, I] with int64 lengths [N], an LSTM of H units."""

    about: str
    features: int
    units: int
    sequences: int
    steps: int
    lengths: Callable[[np.random.RandomState, "Case"], Lengths]
    # So large that only one contestant at a time may hold it, and its results, in memory.
    alone: bool = False

    @property
    def title(self) -> str:
        """What a table calls it."""
        return f"({self.features}, {self.units}), {self.sequences} x {self.steps}, {self.about}"


class Data(NamedTuple):
    """What a contestant is given. The gates of the weights lie as in Keras: input, forget, candidate, output."""

    inputs: npt.NDArray[np.float32]  # [N, T, I], C order; noise past the lengths
    lengths: Lengths  # [N]
    kernel: npt.NDArray[np.float32]  # [I, 4 * H]
    recurrent_kernel: npt.NDArray[np.float32]  # [H, 4 * H]
    bias: npt.NDArray[np.float32]  # [4 * H]

    @property
    def units(self) -> int:
        """H."""
        return len(self.recurrent_kernel)


def ragged(random: np.random.RandomState, case: Case) -> Lengths:
    """Draw lengths evenly between a tenth of T and T."""
    return random.randint(case.steps // 10, case.steps + 1, case.sequences).astype(np.int64)


def full(_: np.random.RandomState, case: Case) -> Lengths:
    """Give every sequence T steps."""
    return np.full(case.sequences, case.steps, np.int64)


def skewed(random: np.random.RandomState, case: Case) -> Lengths:
    """Make one sequence in a hundred long, half of T to T, and the others 5 to 20 steps."""
    lengths = random.randint(5, 21, case.sequences)
    few = random.permutation(case.sequences)[: max(1, case.sequences // 100)]
    lengths[few] = random.randint(case.steps // 2, case.steps + 1, len(few))
    return lengths.astype(np.int64)


CASES = {
    "small": Case("ragged", 32, 64, 2048, 100, ragged),
    "medium": Case("ragged", 64, 256, 1024, 100, ragged),
    "large": Case("ragged", 512, 1024, 1024, 100, ragged, alone=True),
    "even": Case("all of one length", 64, 256, 1024, 55, full),
    "skewed": Case("1 in 100 is long", 64, 256, 1024, 1000, skewed),
    "one": Case("a batch of one", 64, 256, 1, 100, full),
    "long": Case("one long sequence", 32, 64, 1, 10**6, full, alone=True),
    "many": Case("a million short ones", 32, 64, 10**6, 5, full, alone=True),
}
# For --quick.
SMALL_CASES = {"small": CASES["small"]._replace(sequences=512), "one": CASES["one"]}


def write(case: Case, folder: Path) -> None:
    """Draw a case and keep it as the files ``inputs.npy``, ``lengths.npy`` and ``weights.npz``."""
    random = np.random.RandomState(0)
    np.save(folder / "lengths.npy", case.lengths(random, case))
    np.savez(folder / "weights.npz", **weights(random, case.features, case.units))
    shape = (case.sequences, case.steps, case.features)
    inputs = np.lib.format.open_memmap(folder / "inputs.npy", "w+", np.float32, shape)
    values = inputs.reshape(-1)
    for start in range(0, values.size, BLOCK_VALUES):
        block = values[start : start + BLOCK_VALUES]
        block[:] = random.standard_normal(block.size)
    inputs.flush()


def weights(random: np.random.RandomState, features: int, units: int) -> dict[str, Any]:
    """Draw an LSTM as Keras would start it: glorot-uniform kernel, orthogonal recurrent kernel; the bias is random."""
    limit = np.sqrt(6 / (features + 4 * units))
    orthogonal = np.linalg.qr(random.standard_normal((4 * units, units)))[0].T
    drawn = {
        "kernel": random.uniform(-limit, limit, (features, 4 * units)),
        "recurrent_kernel": orthogonal,
        "bias": random.uniform(-0.5, 0.5, 4 * units),
    }
    return {name: np.ascontiguousarray(values, np.float32) for name, values in drawn.items()}


def read(folder: Path) -> Data:
    """Open a case. Contestants share one copy of the inputs in the page cache; nobody changes the file."""
    with np.load(folder / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    inputs = np.load(folder / "inputs.npy", mmap_mode="c")
    return Data(np.asarray(inputs), np.load(folder / "lengths.npy"), **arrays)


def valid_steps(case: Case) -> int:
    """Count the steps that are not padding."""
    return int(case.lengths(np.random.RandomState(0), case).sum())
