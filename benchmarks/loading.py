"""Sequences per second out of a states file: ``python benchmarks/loading.py``, results in ``results/loading.*``.

``states.torch_dataset`` and ``states.tf_dataset`` beside a Dataset of h5py written by hand, as tutorials show it. All
shuffle (TensorFlow reads in order) and make padded batches of 32; all take turns, and an epoch before the clock starts
opens the files and starts the workers. Medians of the epochs.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from child import markdown
from torch.nn.utils.rnn import pad_sequence

import rnnstates

RESULTS = Path(__file__).parent / "results"
BATCH, FEATURES, UNITS, LONGEST = 32, 8, 64, 200


class ByHand(torch.utils.data.Dataset[Any]):
    """What people write: the file is opened by the worker that reads the first item."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, None
        with h5py.File(path) as file:
            self.lengths = file["lengths"][:]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Any:
        if self.file is None:
            self.file = h5py.File(self.path)
        length = int(self.lengths[index])
        return torch.from_numpy(self.file["hidden"][index, :length]), length


def padded(items: list[Any]) -> Any:
    states, lengths = zip(*items, strict=True)
    return pad_sequence(states, batch_first=True), torch.tensor(lengths)


def loader(dataset: Any, collate: Any, workers: int) -> Iterable[Any]:
    return torch.utils.data.DataLoader(
        dataset, BATCH, shuffle=True, collate_fn=collate, num_workers=workers, persistent_workers=workers > 0
    )


def contestants(path: Path, states: rnnstates.States) -> dict[str, Iterable[Any]]:
    """Give, by name, what yields the batches of an epoch."""
    by_hand, ours = ByHand(path), states.torch_dataset()
    ways: dict[str, Iterable[Any]] = {}
    for workers in (0, 2):
        ways[f"h5py by hand, {workers} workers"] = loader(by_hand, padded, workers)
        ways[f"torch_dataset, {workers} workers"] = loader(ours, ours.collate(), workers)
    return ways | {"tf_dataset": states.tf_dataset().padded_batch(BATCH).prefetch(2)}


def epoch(batches: Iterable[Any], sequences: int) -> float:
    """Return the seconds of an epoch."""
    start, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch["length"] if isinstance(batch, dict) else batch[1])
    assert seen == sequences
    return time.perf_counter() - start


def measure(path: Path, sequences: int, runs: int) -> dict[str, list[float]]:
    """Run everything in turns; the first epoch of each does not count."""
    with rnnstates.open(path) as states:
        ways = contestants(path, states)
        results: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(runs + 1):
            for name, batches in ways.items():
                seconds = epoch(batches, sequences)
                if turn:
                    results[name].append(sequences / seconds)
    return results


def make(path: Path, sequences: int, layout: str) -> None:
    """Write states of random sequences of 20 to 200 steps."""
    random = np.random.RandomState(0)
    inputs = random.standard_normal((sequences, LONGEST, FEATURES)).astype(np.float32)
    lengths = random.randint(LONGEST // 10, LONGEST + 1, sequences)
    rnnstates.extract(inputs, lengths, units=UNITS, output=path, layout=layout, pool="none").close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=7, help="epochs of each (default: 7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "states.h5"
        make(path, options.sequences, "padded")
        results = measure(path, options.sequences, options.runs)
    rows = [[name, f"{statistics.median(runs):.0f}", f"{max(runs):.0f}"] for name, runs in results.items()]
    text = markdown(["way", "sequences per second", "best epoch"], rows)
    (RESULTS / "loading.md").write_text(text + "\n")
    about = {"processor": platform.processor(), "sequences": options.sequences, "results": results}
    (RESULTS / "loading.json").write_text(json.dumps(about, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
