"""What a whole command cannot beat: the longer of computing and writing, and its start."""

import statistics
import time
from pathlib import Path
from typing import NamedTuple

import cases
import numpy as np
from child import RNNSTATES, measure
from contestant import Contestant, Failed
from limits import write_seconds
from ours import OURS
from timing import PAUSE

import rnnstates

LIMIT = 120.0


class Bound(NamedTuple):
    """Seconds in memory, of writing as many bytes (to the cache, and until they are on disk), and of a start."""

    compute: float
    write: float
    durable: float
    start: float

    @property
    def seconds(self) -> float:
        """max(compute, write until on disk) + start."""
        return max(self.compute, self.durable) + self.start

    def __str__(self) -> str:
        return (
            f"computes in memory for {self.compute:.2f} s, its bytes are written in {self.write:.2f} s and on disk in "
            f"{self.durable:.2f} s, it starts in {self.start:.2f} s: bound {self.seconds:.2f} s"
        )


class Bounds:
    """Measures the bounds of our engines on the case in ``folder``, one sample a round of the contest."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, cases.read(folder)
        self._engines = [Contestant(f"rnnstates {e}", OURS[f"rnnstates {e}"], folder, LIMIT) for e in rnnstates.ENGINES]
        self._samples: dict[str, list[Bound]] = {contestant.name: [] for contestant in self._engines}
        np.save(folder / "one.npy", self._data.inputs[:1, :1])

    def choose(self) -> None:
        """Warm the engines up; those that cannot run are left out."""
        self._engines = [contestant for contestant in self._engines if able(contestant)]

    def sample(self) -> None:
        """Measure everything once."""
        size = 2 * int(self._data.lengths.sum()) * self._data.units * 4
        cached, durable = write_seconds(self._folder / "written", size)
        for contestant in self._engines:
            time.sleep(PAUSE)
            sample = Bound(contestant.run(contestant.way), cached, durable, start(contestant.name, self._folder))
            self._samples[contestant.name].append(sample)

    def found(self) -> dict[str, Bound]:
        """Give the medians, by the names of the commands; that of ``auto`` is that of the engine it takes."""
        medians = {
            name: Bound(*(statistics.median(values) for values in zip(*samples, strict=True)))
            for name, samples in self._samples.items()
            if samples
        }
        auto = f"rnnstates {chosen(self._folder)}"
        return ({"rnnstates auto": medians[auto]} if auto in medians else {}) | medians

    def rest(self) -> None:
        """End the engines' processes."""
        for contestant in self._engines:
            contestant.rest()


def able(contestant: Contestant) -> bool:
    """Warm a contestant up; whether it can run."""
    try:
        contestant.choose()
    except Failed:
        return False
    return True


def start(name: str, folder: Path) -> float:
    """Time the command on a single step of the same width."""
    words = ["extract", str(folder / "one.npy"), str(folder / "one.h5"), "--lengths", "full", "--force"]
    weights = ["--weights", str(folder / "weights.npz"), "--convention", "keras"]
    engine = ["--engine", name.removeprefix("rnnstates ")]
    return measure([RNNSTATES, *words, *weights, *engine], folder / "one.txt").seconds


def chosen(folder: Path) -> str:
    """Name the engine that ``auto`` takes."""
    weights = rnnstates.load_weights(folder / "weights.npz", convention="keras")
    return str(rnnstates.preview(folder / "inputs.npy", folder / "lengths.npy", weights=weights)["engine"])
